// SPDX-License-Identifier: Apache-2.0
//! A request as the handlers of routes see it.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::proxies::is_within;
use crate::http::wire::{Caller, Head};
use crate::model::account::Rights;
use crate::model::pairs::Pairs;
use rouille::url::form_urlencoded;
use std::net::IpAddr;

/// Most name-value pairs of a query or form.
pub const PAIRS_MAX: usize = 100;

/// A request with its body read and its path matched.
pub struct Call {
    /// The head.
    pub head: Head,
    /// What who asks may do.
    pub rights: Rights,
    /// The values of the path's `{…}` segments.
    pub parameters: Vec<String>,
    /// The query.
    pub query: Pairs,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// True where the body was longer than the route takes.
    pub is_body_cut: bool,
    /// Who asks, for those who are kept waiting.
    pub caller: Caller,
}

impl Call {
    /// The body as the fields of a form.
    pub fn form(&self) -> Pairs {
        parse_pairs(&self.body)
    }

    /// The first path parameter as an id; NotFound where it is no number.
    pub fn id(&self) -> Result<i64> {
        let text = self.parameters.first().map_or("", String::as_str);
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let id = is_number.then(|| text.parse().ok()).flatten();
        id.ok_or_else(|| Error::not_found("There is nothing under this number"))
    }
}

/// Decodes `a=b&c=d`; bytes that are not UTF-8 become replacement characters. More than `PAIRS_MAX` pairs are cut to
/// one more than that.
pub fn parse_pairs(bytes: &[u8]) -> Pairs {
    let pairs = form_urlencoded::parse(bytes).take(PAIRS_MAX + 1);
    Pairs(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// The query of a request target, empty where there is none.
pub fn query_of(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

/// True where the request comes from this very host, and not through a proxy on it, which would lend its own address
/// to everybody. A proxy is known by the fields that it adds, by HTTP/1.0, which many speak to what is behind them, and
/// by the configuration; one that shows nothing of this cannot be told from a browser here.
pub fn is_local(config: &Config, head: &Head) -> bool {
    let is_named = !config.base_path.is_empty()
        || is_within(&config.trusted_proxies, head.peer.ip())
        || is_within(&config.access.proxy_login_from, head.peer.ip());
    is_loopback(head.peer.ip()) && !is_named && !comes_by_proxy(head)
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

fn comes_by_proxy(head: &Head) -> bool {
    let added = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    head.proxy.is_some() || head.minor_version == 0 || added.iter().any(|name| head.field(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn only_who_asks_from_here_and_through_no_proxy_is_local() {
        let plain = Config::defaults(Path::new("data"));
        let network = || vec!["127.0.0.0/8".parse().unwrap()];
        let mut below = plain.clone();
        below.base_path = "/muster".to_owned();
        let mut trusting = plain.clone();
        trusting.trusted_proxies = network();
        let mut named = plain.clone();
        named.access.proxy_login_from = network();
        let cases: &[(&Config, &str, u8, &str, bool)] = &[
            (&plain, "127.0.0.1", 1, "User-Agent", true),
            (&plain, "127.9.9.9", 1, "User-Agent", true),
            (&plain, "::1", 1, "User-Agent", true),
            (&plain, "::ffff:127.0.0.1", 1, "User-Agent", true),
            (&plain, "192.0.2.1", 1, "User-Agent", false),
            (&plain, "127.0.0.1", 0, "User-Agent", false),
            (&plain, "127.0.0.1", 1, "X-Forwarded-For", false),
            (&plain, "127.0.0.1", 1, "x-real-ip", false),
            (&plain, "127.0.0.1", 1, "Via", false),
            (&below, "127.0.0.1", 1, "User-Agent", false),
            (&trusting, "127.0.0.1", 1, "User-Agent", false),
            (&trusting, "::ffff:127.0.0.1", 1, "User-Agent", false),
            (&trusting, "::1", 1, "User-Agent", true),
            (&named, "127.0.0.1", 1, "User-Agent", false),
        ];
        for (config, peer, minor_version, field, expected) in cases {
            let head = Head {
                method: "GET".into(),
                target: "/".into(),
                minor_version: *minor_version,
                fields: vec![((*field).into(), "x".into())],
                peer: (peer.parse::<IpAddr>().unwrap(), 7).into(),
                proxy: None,
                is_tls: false,
                base_path: String::new(),
                raw: Vec::new(),
            };
            assert_eq!(is_local(config, &head), *expected, "{peer} {minor_version} {field}");
        }
    }
}
