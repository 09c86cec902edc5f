// SPDX-License-Identifier: Apache-2.0
//! One request and its answer. An answer of any status is an answer; an error is that there was none.

use crate::error::{Error, Kind, Result};
use std::io;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// How long an exchange may take in all, from the look-up of the name to the last byte of the answer.
pub const EXCHANGE_MOST: Duration = Duration::from_secs(10);
/// Most bytes of the answer to a record that was sent; it comes back with its payload.
pub const RECORD_BYTES_MAX: u64 = 128 << 20;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub text: String,
}

/// A client that talks to the server named and to nobody else: no proxy, no redirect.
pub fn agent_with(tls: TlsConfig) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(EXCHANGE_MOST))
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// TLS that checks a server's certificate by those of `ca_pem`, by the public authorities where none are given. Usage
/// where there is no certificate in it.
pub fn tls_of(ca_pem: Option<&str>) -> Result<TlsConfig> {
    let Some(pem) = ca_pem else { return Ok(TlsConfig::builder().build()) };
    Ok(TlsConfig::builder().root_certs(root_certificates(pem)?).build())
}

fn root_certificates(pem: &str) -> Result<RootCerts> {
    let cannot = || Error::usage("The file of certificates cannot be read; it must be PEM");
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        match item.map_err(|error| cannot().because(error))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            _ => return Err(Error::usage("The file of certificates has a private key in it; it must not")),
        }
    }
    if certificates.is_empty() {
        return Err(cannot());
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Reads the answer to a request to `url`, which may take `most` and have `bytes_max` bytes. Kinds: Busy where nobody
/// listens or the connection broke, Timeout, TooLarge, Usage where the address or a header cannot be used.
pub fn answer(
    url: &str,
    outcome: Result<Response<Body>, ureq::Error>,
    most: Duration,
    bytes_max: u64,
) -> Result<Answer> {
    let read = outcome.and_then(|mut response| {
        let text = response.body_mut().with_config().limit(bytes_max).lossy_utf8(true).read_to_string()?;
        Ok(Answer { status: response.status().as_u16(), text })
    });
    read.map_err(|error| explain(url, error, most))
}

fn explain(url: &str, error: ureq::Error, most: Duration) -> Error {
    let (kind, message) = match &error {
        ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => (
            Kind::Busy,
            format!("Nobody listens at {url}; start the server with `muster serve`, or correct its address"),
        ),
        // What rustls says of the other side's certificate comes so.
        ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => (
            Kind::Busy,
            format!("No TLS connection to {url}: {cause}; for a certificate of your own authority give --ca"),
        ),
        ureq::Error::Io(cause) => (Kind::Busy, format!("The connection to {url} failed: {cause}")),
        ureq::Error::HostNotFound => (Kind::Usage, format!("The host of {url} is not known; check its name")),
        ureq::Error::Timeout(_) => {
            (Kind::Timeout, format!("{url} did not answer within {} s", most.as_secs()))
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => (
            Kind::Busy,
            format!("No TLS connection to {url}; is its certificate known here, and does it speak TLS?"),
        ),
        ureq::Error::BodyExceedsLimit(bytes_max) => {
            (Kind::TooLarge, format!("{url} answered with more than {bytes_max} bytes"))
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            (Kind::Usage, format!("The request to {url} cannot be made"))
        }
        _ => (Kind::Busy, format!("The exchange with {url} failed")),
    };
    Error::new(kind, message).because(error)
}
