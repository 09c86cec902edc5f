// SPDX-License-Identifier: Apache-2.0
//! `muster tls`: certificates for a LAN that has none of its own.

use crate::agent::addresses;
use crate::certificates::Certificate;
use crate::cli::{data_dir, load_config, print};
use crate::clock::Clock;
use crate::config::{Config, Flags};
use crate::error::Result;
use crate::http::check_tls_pair;
use crate::model::time::utc_text;
use crate::ops::tls_init::{self, NAMES_MAX, OWN_NAME, Places, SERVER_DAYS, Wanted};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The port of the printed lines where the configuration names none.
const PORT: u16 = 8443;
/// Bytes of /etc/hosts that are read.
const HOSTS_BYTES_MAX: usize = 1 << 20;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "tls",
    description = "Make and show the certificates of a LAN.",
    help_triggers("-h", "--help", "help")
)]
/// Makes and shows certificates.
pub struct TlsCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Init(InitCommand),
    Show(ShowCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "init",
    description = "Make an authority and a server certificate in the data directory, below tls/, and print what clients \
    need. The certificate is for this machine's names, localhost, the addresses of its interfaces and of the \
    configuration, and the names given.",
    example = "{command_name} --name muster.lan\n\
    {command_name} --renew",
    note = "A running server takes new files by itself, within seconds. ca.key signs: keep it from everybody, and away from \
    this machine if you like; only --renew needs it.",
    error_code(1, "there are certificates already"),
    help_triggers("-h", "--help", "help")
)]
struct InitCommand {
    #[argh(option, arg_name = "host", description = "further name or address, can be given again")]
    name: Vec<String>,
    #[argh(
        option,
        arg_name = "n",
        default = "SERVER_DAYS",
        from_str_fn(days),
        description = "days for which the server certificate is good (default 825)"
    )]
    days: u32,
    #[argh(switch, description = "only another server certificate, of the authority that is there")]
    renew: bool,
    #[argh(switch, description = "replace what is there, the authority too: clients then need the new one")]
    force: bool,
    #[argh(
        option,
        arg_name = "dir",
        description = "data directory (default $STATE_DIRECTORY, else ./muster-data)"
    )]
    data: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "show",
    description = "Print the certificates in use: whose they are, for which names, until when. Exit status 2 where the \
    server's cannot be read or its key does not belong to it.",
    help_triggers("-h", "--help", "help")
)]
struct ShowCommand {
    #[argh(
        option,
        arg_name = "dir",
        description = "data directory (default $STATE_DIRECTORY, else ./muster-data)"
    )]
    data: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
}

fn days(text: &str) -> std::result::Result<u32, String> {
    match text.parse() {
        Ok(days) if (1..=36_500).contains(&days) => Ok(days),
        _ => Err("days must be a number from 1 to 36500".to_owned()),
    }
}

impl TlsCommand {
    /// Conflict where certificates are there already; Usage and Invalid where something cannot be read or written.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Init(command) => command.run(),
            What::Show(command) => command.run(),
        }
    }
}

impl InitCommand {
    fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        let missing = if self.renew { Missing::Refuse } else { Missing::Create };
        data_dir::prepare(&config.data_dir, missing)?;
        let (places, now) = (Places::new(&config.data_dir), Clock::system().now());
        let host = own_name();
        let names = names(&self.name, &host, &config);
        let wanted = Wanted { host, names, days: self.days, is_forced: self.force };
        let made = match self.renew && !self.force {
            true => tls_init::renew(&places, &wanted, now)?,
            false => tls_init::init(&places, &wanted, now)?,
        };
        let is_name = |name: &&String| name.parse::<IpAddr>().is_err();
        let given: Vec<String> = self.name.iter().filter(is_name).cloned().collect();
        print(&report(&places, &made, &config, &given))
    }
}

impl ShowCommand {
    fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        data_dir::prepare(&config.data_dir, Missing::Refuse)?;
        let now = Clock::system().now();
        let ca = Places::new(&config.data_dir).ca;
        let mut text = String::new();
        if let Ok(found) = Certificate::of_file(&ca) {
            text.push_str(&shown("authority", &ca, &found, now));
        }
        let path = config.tls_certificate_path();
        text.push_str(&shown("server", &path, &Certificate::of_file(&path)?, now));
        print(&text)?;
        check_tls_pair(&path, &config.tls_key_path())
    }
}

fn shown(what: &str, path: &Path, found: &Certificate, now: i64) -> String {
    let days = found.days_left(now);
    let left = match days {
        _ if now < found.not_before => "not good yet".to_owned(),
        days if days < 0 => "it has ended".to_owned(),
        days => format!("{days} days left"),
    };
    format!(
        "{what}: {}\n  subject  {}\n  issuer   {}\n  names    {}\n  from     {}\n  until    {} ({left})\n",
        path.display(),
        found.subject,
        found.issuer,
        if found.names.is_empty() { "none".to_owned() } else { found.names.join(", ") },
        utc_text(found.not_before),
        utc_text(found.not_after),
    )
}

fn own_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if crate::certificates::issue::check_name(&name).is_ok() { name } else { "localhost".to_owned() }
}

/// Those given first, then this machine's own, each once. Addresses of interfaces that are too many are left out.
fn names(given: &[String], host: &str, config: &Config) -> Vec<String> {
    let mut names: Vec<String> = given.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    names.extend(full_names(host));
    names.extend(config.hostnames.iter().map(|name| name.to_ascii_lowercase()));
    names.extend([host.to_owned(), OWN_NAME.to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]);
    let listen = config.tls.listen.iter().chain(&config.listen);
    let listen = listen.filter_map(|text| text.parse::<SocketAddr>().ok()).map(|address| address.ip());
    let interfaces = addresses::of_this_machine().into_iter().map(|address| address.ip);
    let is_useful = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_link_local(),
        // One of a single link means nothing to who is told it.
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_unicast_link_local(),
    };
    names.extend(listen.chain(interfaces).filter(is_useful).map(|ip| ip.to_string()));
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(name.clone()));
    names.truncate(NAMES_MAX.max(given.len()));
    names
}

/// The names with a domain that /etc/hosts has for this machine.
fn full_names(host: &str) -> Vec<String> {
    let mut text = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if text.len() > HOSTS_BYTES_MAX {
        text.clear();
    }
    full_names_in(&text, host)
}

fn full_names_in(hosts: &str, host: &str) -> Vec<String> {
    let prefix = format!("{host}.");
    hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split_whitespace().skip(1))
        .map(str::to_ascii_lowercase)
        .filter(|name| name.starts_with(&prefix) && crate::certificates::issue::check_name(name).is_ok())
        .collect()
}

/// What was made, and the lines that clients need. `given`: the host names of the command line.
fn report(places: &Places, made: &Certificate, config: &Config, given: &[String]) -> String {
    let mut text = String::new();
    let port = config.tls.listen.iter().find_map(|text| text.parse::<SocketAddr>().ok()).map(|at| at.port());
    let host = made.names.first().map_or("localhost", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = match port.unwrap_or(PORT) {
        443 => format!("https://{host}"),
        port => format!("https://{host}:{port}"),
    };
    let (ca, server, key) = (places.ca.display(), places.server.display(), places.server_key.display());
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "Made {server} and {key}\nfor {}\ngood until {}.\nIts authority is {ca}.",
        made.names.join(", "),
        utc_text(made.not_after)
    );
    if port.is_none() {
        let _ = writeln!(
            text,
            "\nThe server, in its configuration file:\n  [tls]\n  listen = [\"0.0.0.0:{PORT}\"]"
        );
    }
    let unknown: Vec<&String> = given.iter().filter(|name| !config.hostnames.contains(name)).collect();
    if !unknown.is_empty() {
        let _ = writeln!(
            text,
            "\nBrowsers may call the server by a further name once it is in http.hostnames:\n  [http]\n  hostnames = {unknown:?}"
        );
    }
    if config.tls_certificate_path() != places.server || config.tls_key_path() != places.server_key {
        let _ = writeln!(
            text,
            "\nThe configuration names other files, and the server uses those, not the ones made: {} and {}.\n\
             Leave out tls.certificate and tls.key in the configuration, or copy the files made there.",
            config.tls_certificate_path().display(),
            config.tls_key_path().display()
        );
    }
    let _ = writeln!(
        text,
        "\nEach machine gets a copy of {ca}, for example as /etc/muster/ca.pem. Then\n\
         \nthe telemetry client, in /etc/telemetrics/telemetrics.conf:\n  server={url}/v2/collector\n  \
         cainfo=/etc/muster/ca.pem\n\
         \nthe agent:\n  muster agent run --server {url} --ca /etc/muster/ca.pem\n\
         \na test:\n  muster send --url {url} --ca /etc/muster/ca.pem\n  \
         curl --cacert /etc/muster/ca.pem {url}/healthz\n\
         \nA browser asks for trust in ca.pem once, in its settings under certificates, authorities."
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_domain_are_found_in_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n10.0.0.2 Box.Lan box # box.comment\n# 10.0.0.3 box.old\n::1 box.lan boxer.lan\n";
        assert_eq!(full_names_in(hosts, "box"), ["box.lan", "box.lan"]);
        assert!(full_names_in("", "box").is_empty());
    }

    #[test]
    fn names_given_come_first_and_each_comes_once() {
        let mut config = Config::defaults(Path::new("muster-data"));
        config.tls.listen = vec!["10.9.8.7:8443".to_owned(), "0.0.0.0:443".to_owned()];
        let names = names(&["Muster.LAN".to_owned(), "localhost".to_owned()], "box", &config);
        assert_eq!(names[..2], ["muster.lan", "localhost"]);
        assert_eq!(names.iter().filter(|name| *name == "localhost").count(), 1);
        assert!(names.contains(&"box".to_owned()) && names.contains(&"10.9.8.7".to_owned()));
        assert!(!names.contains(&"0.0.0.0".to_owned()));
    }
}
