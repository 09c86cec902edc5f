// SPDX-License-Identifier: Apache-2.0
//! The settings of access, `access.…`, `limits.…` and `tls.…`.

use crate::config::Config;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;

/// Who may read records and the views of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAccess {
    /// Anybody.
    Open,
    /// Who is logged in.
    Login,
}

/// Who may change what the telemetry pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAccess {
    /// Who is logged in; this host alone while there are no accounts.
    Login,
    /// Anybody: comments, hidden guilties and the blacklist, never the fleet.
    Open,
}

/// Who may read and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessConfig {
    /// `access.read`.
    pub read: ReadAccess,
    /// `access.write`.
    pub write: WriteAccess,
    /// `access.session_secs`: without a request for so long a session ends.
    pub session_secs: i64,
    /// `access.proxy_header`: the field in which a proxy names who logged in there; empty where none does.
    pub proxy_header: String,
    /// `access.proxy_login_from`: the proxies that are believed.
    pub proxy_login_from: Vec<IpNet>,
}

/// How often one address may do something; 0 lets everybody do it always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// `limits.posts_per_minute`: records of one address.
    pub posts_per_minute: u32,
    /// `limits.posts_burst`: so many at once.
    pub posts_burst: u32,
    /// `limits.logins_per_minute`: failed attempts of one address; at one account five times as many.
    pub logins_per_minute: u32,
    /// `limits.logins_burst`: so many at once.
    pub logins_burst: u32,
}

/// Certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// `tls.listen`: addresses on which TLS is spoken, as `HOST:PORT`.
    pub listen: Vec<String>,
    /// `tls.certificate`: PEM file, the server's own first; taken from the data directory where it is relative.
    pub certificate: PathBuf,
    /// `tls.key`: PEM file; likewise.
    pub key: PathBuf,
}

impl AccessConfig {
    /// Before the defaults are put in.
    pub(super) fn unset() -> AccessConfig {
        AccessConfig {
            read: ReadAccess::Login,
            write: WriteAccess::Login,
            session_secs: 0,
            proxy_header: String::new(),
            proxy_login_from: Vec::new(),
        }
    }
}

impl LimitsConfig {
    /// Before the defaults are put in.
    pub(super) fn unset() -> LimitsConfig {
        LimitsConfig { posts_per_minute: 0, posts_burst: 0, logins_per_minute: 0, logins_burst: 0 }
    }
}

impl TlsConfig {
    /// Before the defaults are put in.
    pub(super) fn unset() -> TlsConfig {
        TlsConfig { listen: Vec::new(), certificate: PathBuf::new(), key: PathBuf::new() }
    }
}

/// What of the settings of proxies is allowed and cannot be meant.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let access = &config.access;
    let mut warnings = Vec::new();
    if access.proxy_header.is_empty() != access.proxy_login_from.is_empty() {
        let (given, missing) = match access.proxy_header.is_empty() {
            true => ("access.proxy_login_from", "access.proxy_header"),
            false => ("access.proxy_header", "access.proxy_login_from"),
        };
        warnings.push(format!("{given} without {missing} lets nobody log in by a proxy; set both or none"));
    }
    let is_everybody = |networks: &[IpNet]| networks.iter().any(|network| network.prefix_len() == 0);
    if is_everybody(&config.trusted_proxies) {
        let warning = "http.trusted_proxies has every address: anybody can say from where a request comes";
        warnings.push(warning.to_owned());
    }
    if is_everybody(&access.proxy_login_from) && !access.proxy_header.is_empty() {
        warnings.push(format!(
            "access.proxy_login_from has every address: anybody can send {} and be any account",
            access.proxy_header
        ));
    }
    warnings
}

/// A network, or a single address as the network of itself.
pub fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
