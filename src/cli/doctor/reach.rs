// SPDX-License-Identifier: Apache-2.0
//! Whether the server answers where it should, from where it can be reached, and whether its certificate is good.

use crate::certificates::Certificate;
use crate::client::base_url::BaseUrl;
use crate::client::probe::{Answer, probe};
use crate::config::{Config, ReadAccess};
use crate::error::Kind;
use crate::ops::doctor::Finding;
use crate::ops::doctor::system::Sockets;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A certificate that ends so soon is worth a warning.
const DAYS_LEFT_WARNED: i64 = 30;
/// How long a connection to this machine may take.
const CONNECT_MOST: Duration = Duration::from_secs(3);

const CHECK: &str = "reachability";

/// The certificates that a client of this machine checks the server's by: those named, else the authority of ours where
/// it issued the certificate in use.
pub fn ca_of(config: &Config, named: Option<&str>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.into());
    }
    let own = config.data_dir.join("tls/ca.pem");
    let authority = Certificate::of_file(&own).ok()?;
    let used = Certificate::of_file(&config.tls_certificate_path()).ok()?;
    (used.issuer == authority.subject).then_some(own)
}

/// The configuration with the addresses on which the server that runs really listens, and what is to be said of that.
/// Where systemd passes sockets, those of the configuration are not opened.
pub fn with_sockets(config: &Config, sockets: Option<Sockets>) -> (Config, Option<Finding>) {
    let mut config = config.clone();
    let finding = sockets.map(|sockets| {
        let message = format!(
            "systemd listens at {} ({}); http.listen and tls.listen do not count",
            [&sockets.plain[..], &sockets.tls].concat().join(", "),
            sockets.units.join(", ")
        );
        config.listen = sockets.plain;
        config.tls.listen = sockets.tls;
        Finding::ok(CHECK, message)
    });
    (config, finding)
}

/// The address that clients are told: the one named, else the first of the configuration, with the name that the
/// configuration gives the server where it gives one.
pub fn client_url(config: &Config, url: Option<&BaseUrl>) -> String {
    if let Some(url) = url {
        return url.as_str().to_owned();
    }
    let (scheme, listen) = match config.tls.listen.first() {
        Some(listen) => ("https", listen.as_str()),
        None => ("http", config.listen.first().map_or("127.0.0.1:8080", String::as_str)),
    };
    let port = listen.rsplit_once(':').map_or("8080", |(_, port)| port);
    let host = match (config.hostnames.first(), listen.parse::<SocketAddr>().map(|address| address.ip())) {
        (Some(name), _) => name.clone(),
        (None, Ok(ip)) if !ip.is_unspecified() => bracketed(ip),
        (None, Ok(_)) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        (None, Err(_)) => listen.rsplit_once(':').map_or(listen, |(host, _)| host).to_owned(),
    };
    format!("{scheme}://{host}:{port}{}", config.base_path)
}

/// Asks at the address named, or at each of the configuration. `is_running`: the lock says that a server runs.
pub fn reach(config: &Config, url: Option<&BaseUrl>, ca_pem: Option<&str>, is_running: bool) -> Vec<Finding> {
    if let Some(url) = url {
        return vec![ask(url, ca_pem)];
    }
    let mut findings = Vec::new();
    for address in &config.listen {
        findings.push(match own_address(address) {
            Some(own) => listening(address, own, is_running, Some(&config.base_path)),
            None => continue,
        });
    }
    for address in &config.tls.listen {
        if let Some(own) = own_address(address) {
            findings.push(listening(address, own, is_running, None));
        }
    }
    findings.push(networks(config));
    findings
}

/// The address by which this machine reaches itself there; none where the port is not known before the start.
fn own_address(listen: &str) -> Option<SocketAddr> {
    let mut address: SocketAddr = listen.parse().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    (address.port() != 0).then_some(address)
}

/// `base_path`: what is asked below it; none where only a connection is tried, because TLS needs a name.
fn listening(listen: &str, own: SocketAddr, is_running: bool, base_path: Option<&str>) -> Finding {
    if let Err(error) = TcpStream::connect_timeout(&own, CONNECT_MOST) {
        let message = format!("nobody listens at {listen} ({error})");
        let remedy = "systemctl start muster.service, or muster serve";
        return match is_running {
            true => Finding::fail(
                CHECK,
                message,
                "the server that runs listens elsewhere; restart it, or use --url",
            ),
            false => Finding::warn(CHECK, message, remedy),
        };
    }
    let Some(base_path) = base_path else {
        let message = format!("{listen} takes connections; --url https://NAME:PORT tries TLS, too");
        return Finding::ok(CHECK, message);
    };
    match BaseUrl::parse(&format!("http://{own}{base_path}")) {
        Ok(url) => ask(&url, None),
        Err(error) => Finding::fail(CHECK, error.message(), "correct http.listen"),
    }
}

/// Asks for `/healthz` and `/readyz`.
fn ask(url: &BaseUrl, ca_pem: Option<&str>) -> Finding {
    let shown = url.as_str();
    let refused = |path: &str, answer: &Answer| {
        let message = format!("{shown}{path} answers {}: {}", answer.status, first_line(&answer.text));
        let remedy = match answer.status {
            421 => "add the name to http.hostnames",
            503 => "see the disk above, and the server's log",
            401 | 403 => {
                "a proxy in front asks for a password; let /healthz and /readyz pass, or use its inner address"
            }
            _ => "is it muster that listens there, and is http.base_path right?",
        };
        Finding::fail(CHECK, message, remedy)
    };
    for path in ["/healthz", "/readyz"] {
        match probe(url, path, ca_pem) {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => return refused(path, &answer),
            Err(error) => {
                let remedy = match error.kind() {
                    Kind::Usage => "correct the address",
                    _ if shown.starts_with("https://") => {
                        "is the name in the certificate, and --ca its authority?"
                    }
                    _ => "start the server, or correct its address and the firewall",
                };
                return Finding::fail(CHECK, error.with_causes(), remedy);
            }
        }
    }
    Finding::ok(CHECK, format!("{shown} is alive and ready to store"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(200).collect()
}

/// From where it can be reached, and what is then open.
fn networks(config: &Config) -> Finding {
    let plain: Vec<SocketAddr> = config.listen.iter().filter_map(|address| address.parse().ok()).collect();
    let is_far = |address: &SocketAddr| !address.ip().is_loopback();
    let shown = |address: &SocketAddr| match address.ip() {
        ip if ip.is_loopback() && config.is_behind_proxy() => {
            format!("{address} from this machine and through the proxy")
        }
        ip if ip.is_loopback() => format!("{address} from this machine alone"),
        ip if ip.is_unspecified() => format!("{address} from every network that this machine is in"),
        _ => format!("{address} from the networks that reach that address"),
    };
    let tls = config.tls.listen.iter().filter_map(|address| address.parse::<SocketAddr>().ok());
    let all: Vec<String> = plain.iter().copied().chain(tls).map(|address| shown(&address)).collect();
    let message = if all.is_empty() { "no address is configured".to_owned() } else { all.join("; ") };
    let is_open = config.access.read == ReadAccess::Open;
    let readers = match is_open {
        true if plain.iter().any(is_far) => "; anybody there may read records (access.read)",
        true if config.is_behind_proxy() => "; whom the proxy lets through may read records (access.read)",
        _ => "",
    };
    Finding::ok("networks", message + readers)
}

/// Whether a certificate is good now and for a while.
pub fn judge_certificate(found: &Certificate, path: &Path, now: i64) -> Finding {
    const CHECK: &str = "certificate";
    let names = if found.names.is_empty() { "no name".to_owned() } else { found.names.join(", ") };
    let shown = path.display();
    let remedy = "muster tls init --renew, or your authority's tool";
    match found.days_left(now) {
        _ if now < found.not_before => {
            Finding::fail(CHECK, format!("{shown} is not good yet: clients refuse it"), "set the clock right")
        }
        days if days < 0 => Finding::fail(CHECK, format!("{shown} has ended: clients refuse it"), remedy),
        days if days < DAYS_LEFT_WARNED => {
            Finding::warn(CHECK, format!("{shown} ends in {days} days"), remedy)
        }
        days => Finding::ok(CHECK, format!("{shown} for {names}, good for {days} days")),
    }
}

fn bracketed(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::doctor::Level;

    #[test]
    fn clients_are_told_an_address_that_reaches_this_machine() {
        let mut config = Config::defaults(Path::new("muster-data"));
        assert_eq!(client_url(&config, None), "http://127.0.0.1:8080");
        config.listen = vec!["[::]:80".to_owned()];
        config.hostnames = vec!["muster.lan".to_owned()];
        config.base_path = "/m".to_owned();
        assert_eq!(client_url(&config, None), "http://muster.lan:80/m");
        config.tls.listen = vec!["[fd00::1]:8443".to_owned()];
        assert_eq!(client_url(&config, None), "https://muster.lan:8443/m");
        config.tls.listen = vec!["127.0.0.1:8443".to_owned()];
        assert_eq!(client_url(&config, None), "https://muster.lan:8443/m");
        config.hostnames.clear();
        config.tls.listen = vec!["[fd00::1]:8443".to_owned()];
        assert_eq!(client_url(&config, None), "https://[fd00::1]:8443/m");
        let url = BaseUrl::parse("muster.example").unwrap();
        assert_eq!(client_url(&config, Some(&url)), "http://muster.example");
    }

    #[test]
    fn certificates_are_judged_by_their_time() {
        let day = 86_400;
        let found = Certificate {
            subject: String::new(),
            names: vec!["a".to_owned()],
            not_before: 100 * day,
            not_after: 200 * day,
            issuer: String::new(),
            is_authority: false,
        };
        let level = |now| judge_certificate(&found, Path::new("x"), now).level;
        let levels = [99, 101, 175, 201].map(|at| level(at * day));
        assert_eq!(levels, [Level::Fail, Level::Ok, Level::Warn, Level::Fail]);
    }
}
