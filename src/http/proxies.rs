// SPDX-License-Identifier: Apache-2.0
//! Proxies between a browser and us: what a trusted one tells of who asks, and the path below which it offers us.

use crate::config::Config;
use crate::http::wire::Head;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Most addresses of X-Forwarded-For that are looked at, from the last one on.
const HOPS_MAX: usize = 32;

/// Brings a head into the form that handlers see: the address of who asks instead of a trusted proxy's, and a target
/// without the base path.
pub fn normalize(config: &Config, head: &mut Head) {
    let peer = plain(head.peer.ip());
    if is_within(&config.trusted_proxies, peer)
        && let Some(told) = told_address(config, head)
    {
        head.proxy = Some(peer);
        head.peer = SocketAddr::new(told, head.peer.port());
    }
    head.base_path.clone_from(&config.base_path);
    if let Some(target) = without_base(&config.base_path, &head.target) {
        head.target = target;
    }
}

/// The last address in X-Forwarded-For that is no trusted proxy's own; none where the field is missing or broken.
fn told_address(config: &Config, head: &Head) -> Option<IpAddr> {
    let fields = head.fields.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
    let mut told = None;
    for hop in fields.flat_map(|(_, value)| value.rsplit(',')).take(HOPS_MAX) {
        let address = plain(address_of(hop.trim())?);
        told = Some(address);
        if !is_within(&config.trusted_proxies, address) {
            break;
        }
    }
    told
}

/// An address, perhaps with brackets or a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// An IPv4 address that came to an IPv6 socket as what it is.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// True where one of the networks has the address.
pub fn is_within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = plain(address);
    networks.iter().any(|network| network.contains(&address))
}

/// The target without the base path; none where it is not below that, or there is none.
fn without_base(base_path: &str, target: &str) -> Option<String> {
    let rest = target.strip_prefix(base_path).filter(|_| !base_path.is_empty())?;
    match rest.as_bytes().first() {
        None => Some("/".to_owned()),
        Some(b'/') => Some(rest.to_owned()),
        Some(b'?') => Some(format!("/{rest}")),
        _ => None,
    }
}

/// True where who asks did so over TLS: to us, or to a trusted proxy that says so.
pub fn is_secure(head: &Head) -> bool {
    head.is_tls
        || head.proxy.is_some()
            && head.field("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn normalized(peer: &str, target: &str, forwarded: &[&str]) -> (String, bool, String) {
        let mut config = Config::defaults(Path::new("data"));
        config.base_path = "/muster".to_owned();
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let mut head = Head {
            method: "GET".into(),
            target: target.into(),
            minor_version: 1,
            fields: forwarded.iter().map(|value| ("X-Forwarded-For".into(), (*value).into())).collect(),
            peer: SocketAddr::new(peer.parse().unwrap(), 7),
            proxy: None,
            is_tls: false,
            base_path: String::new(),
            raw: Vec::new(),
        };
        normalize(&config, &mut head);
        (head.peer.ip().to_string(), head.proxy.is_some(), head.target)
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_the_last_hop_counts() {
        let cases: &[(&str, &[&str], &str, bool)] = &[
            ("127.0.0.1", &["192.0.2.1"], "192.0.2.1", true),
            ("::ffff:127.0.0.1", &["192.0.2.1"], "192.0.2.1", true),
            ("192.0.2.9", &["127.0.0.1"], "192.0.2.9", false),
            ("127.0.0.1", &[], "127.0.0.1", false),
            ("127.0.0.1", &["127.0.0.1, 192.0.2.1"], "192.0.2.1", true),
            ("127.0.0.1", &["192.0.2.1, 10.1.1.1"], "192.0.2.1", true),
            ("127.0.0.1", &["192.0.2.66", "192.0.2.1"], "192.0.2.1", true),
            ("127.0.0.1", &["nonsense"], "127.0.0.1", false),
            ("127.0.0.1", &["[2001:db8::1]:99"], "2001:db8::1", true),
            ("127.0.0.1", &["10.2.2.2"], "10.2.2.2", true),
        ];
        for (peer, forwarded, told, is_told) in cases {
            let (address, has_proxy, _) = normalized(peer, "/", forwarded);
            let shown = address.trim_start_matches("::ffff:").to_owned();
            assert_eq!((shown.as_str(), has_proxy), (*told, *is_told), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn the_base_path_is_taken_off_whole_segments() {
        let cases = [
            ("/muster", "/"),
            ("/muster/", "/"),
            ("/muster?a=b", "/?a=b"),
            ("/muster/records?x=/muster", "/records?x=/muster"),
            ("/mustering", "/mustering"),
            ("/records", "/records"),
        ];
        for (target, expected) in cases {
            assert_eq!(normalized("192.0.2.9", target, &[]).2, expected, "{target}");
        }
    }
}
