// SPDX-License-Identifier: Apache-2.0
//! Where a server is: `http://HOST:PORT`, perhaps with a path in front of everything.

use crate::error::{Error, Result};
use std::fmt;
use ureq::http::Uri;

/// The address of a server, checked, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
}

impl BaseUrl {
    /// Reads an address. `HOST:PORT` and `HOST` mean `http://`. Usage where it is none, or has what a server's address
    /// has not: a user, a query, a fragment, another scheme.
    pub fn parse(text: &str) -> Result<BaseUrl> {
        let fault = |what: &str| {
            Error::usage(format!("{text:?} is not the address of a server: {what}; write http://HOST:PORT"))
        };
        let trimmed = text.trim();
        let with_scheme = match trimmed.split_once("://") {
            Some((scheme, _))
                if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) =>
            {
                return Err(fault("it begins with neither http:// nor https://"));
            }
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None => format!("http://{trimmed}"),
        };
        let uri: Uri = with_scheme.parse().map_err(|error| fault("it cannot be read").because(error))?;
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(fault("it has no host"));
        };
        if authority.as_str().contains('@') {
            return Err(fault("it names a user"));
        }
        // What follows the host; the parser of addresses takes any digits for a port.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or("");
        let is_port = |text: &str| text.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
        if !port.is_empty() && !is_port(port) {
            return Err(fault("its port is no number up to 65535"));
        }
        if uri.query().is_some() || with_scheme.contains('#') {
            return Err(fault("it has a query or a fragment"));
        }
        Ok(BaseUrl { text: with_scheme.trim_end_matches('/').to_owned() })
    }

    /// The address as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of `path`, which begins with a slash, on this server.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_brought_to_one_form() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (" HTTPS://muster.lan/ ", "https://muster.lan"),
            ("muster.lan:80", "http://muster.lan:80"),
            ("muster", "http://muster"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("http://muster.lan/a/b//", "http://muster.lan/a/b"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().as_str(), expected, "{text}");
        }
        assert_eq!(BaseUrl::parse("a:1/b/").unwrap().join("/records"), "http://a:1/b/records");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "cannot be read"),
            ("ftp://a", "neither http:// nor https://"),
            ("http://", "cannot be read"),
            ("http://:80", "has no host"),
            ("http://a:99999", "port"),
            ("http://a:", "port"),
            ("http://me@a", "names a user"),
            ("http://a/?b", "query"),
            ("http://a/#b", "fragment"),
            ("http://a b", "cannot be read"),
        ] {
            let message = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
