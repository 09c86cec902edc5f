// SPDX-License-Identifier: Apache-2.0
//! Which names a browser may call this server by. A page of an attacker's domain whose name is made to point here
//! (DNS rebinding) is thereby no page of ours.

use crate::error::{Error, Kind, Result};
use crate::http::wire::Head;
use std::net::IpAddr;

/// The names of this server.
#[derive(Debug)]
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// The configured names, the hosts of the configured listen addresses, and the machine's own name.
    pub fn new(hostnames: &[String], listen: &[String]) -> Hosts {
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let listen_hosts = listen.iter().filter_map(|address| address.rsplit_once(':')).map(|(host, _)| host);
        let names = hostnames.iter().map(String::as_str).chain(listen_hosts).chain([own.as_str()]);
        Hosts { names: names.map(normalized).collect() }
    }

    /// Misdirected where Host is none of ours. An IP address is always fine: no name was resolved to get here.
    pub fn check(&self, head: &Head) -> Result<()> {
        // HTTP/1.0 needs no Host, and no browser speaks it.
        let Some(host) = head.field("host") else { return Ok(()) };
        let name = normalized(without_port(host));
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if is_address || name == "localhost" || name.ends_with(".localhost") || self.names.contains(&name) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Misdirected,
            format!(
                "This server is not called {}; if it should be, add that to http.hostnames",
                crate::model::filter::shortened(host)
            ),
        ))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn normalized(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(host: &str) -> bool {
        let hosts = Hosts::new(&["Muster.LAN".to_owned()], &["127.0.0.1:8080".to_owned()]);
        let head = Head {
            method: "GET".into(),
            target: "/".into(),
            minor_version: 1,
            fields: vec![("Host".into(), host.into())],
            peer: ([127, 0, 0, 1], 1).into(),
            proxy: None,
            is_tls: false,
            base_path: String::new(),
            raw: Vec::new(),
        };
        hosts.check(&head).is_ok()
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        for host in ["127.0.0.1", "10.1.2.3:99", "[::1]:80", "localhost:1", "LOCALHOST.", "muster.lan:8080"] {
            assert!(status(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "xlocalhost", "", "a:b"] {
            assert!(!status(host), "{host}");
        }
    }
}
