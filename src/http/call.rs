// SPDX-License-Identifier: Apache-2.0
//! A request as the handlers of routes see it.

use crate::error::{Error, Result};
use crate::http::wire::Head;
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

/// Decodes `a=b&c=d`; bytes that are not UTF-8 become replacement characters. More than [`PAIRS_MAX`] pairs are cut to
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
/// to everybody.
pub fn is_local(head: &Head) -> bool {
    let is_loopback = match head.peer.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    };
    let proxied =
        ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    is_loopback && head.proxy.is_none() && proxied.iter().all(|name| head.field(name).is_none())
}
