// SPDX-License-Identifier: Apache-2.0
//! The settings: one typed structure, built once at the start and passed by reference. No other module reads files
//! or variables of the environment.
//!
//! ```text
//! SETTINGS: key, kind, default, help ──┬─> defaults < file < MUSTER_… variables < flags ──> Config, sources
//!                                      ├─> `muster config show`
//!                                      └─> packaging/muster.toml
//! ```
//!
//! To add a setting: a field here, and a row in [`settings`].

mod access;
mod bytes;
mod file;
mod fleet;
mod load;
mod retention;
pub mod settings;
mod show;
mod value;

pub use access::{AccessConfig, LimitsConfig, ReadAccess, TlsConfig, WriteAccess};
pub use fleet::{Enrol, FleetConfig};
pub use load::{DEFAULT_FILE, Flags, Loaded, Source};
pub use retention::RetentionConfig;
pub use show::{show, template};

use ipnet::IpNet;
use settings::SETTINGS;
use std::path::{Path, PathBuf};

/// Which posts that break a rule are kept in quarantine and answered 200, so that a client that nobody watches does
/// not try the same one for 20 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantinePolicy {
    /// Those of senders without `User-Agent`: the real telemetry client.
    Unattended,
    /// All with a known TID.
    All,
    /// None: everybody gets the 4xx.
    None,
}

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `data`: the data directory.
    pub data_dir: PathBuf,
    /// `log.level`.
    pub log_level: log::LevelFilter,
    /// `http.listen`: addresses as `HOST:PORT`.
    pub listen: Vec<String>,
    /// `http.hostnames`: further names by which browsers may call this server.
    pub hostnames: Vec<String>,
    /// `http.base_path`: empty, or with a slash at its beginning and none at its end.
    pub base_path: String,
    /// `http.trusted_proxies`.
    pub trusted_proxies: Vec<IpNet>,
    /// `http.connections_max`.
    pub connections_max: usize,
    /// `http.head_timeout_secs`: for a whole request head.
    pub head_timeout_secs: u64,
    /// `http.body_timeout_secs`: for a whole request body.
    pub body_timeout_secs: u64,
    /// `http.idle_timeout_secs`: between two requests of a connection.
    pub idle_timeout_secs: u64,
    /// `http.write_timeout_secs`: for each 64 KiB of an answer.
    pub write_timeout_secs: u64,
    /// `http.bodies_bytes_max`: all request bodies in memory together.
    pub bodies_bytes_max: usize,
    /// `ingest.tids`: ids of organisations whose records are taken.
    pub tids: Vec<String>,
    /// `ingest.payload_bytes_max`: of a decoded payload.
    pub payload_bytes_max: usize,
    /// `ingest.quarantine`.
    pub quarantine: QuarantinePolicy,
    /// `ingest.quarantine_rows_max`.
    pub quarantine_rows_max: i64,
    /// `ingest.quarantine_bytes_max`.
    pub quarantine_bytes_max: i64,
    /// `ingest.new_values_per_day_max`: of each dimension.
    pub new_values_per_day_max: i64,
    /// `store.disk_reserve`: free bytes below which posts are refused.
    pub disk_reserve_bytes: u64,
    /// `store.readers`: reading connections.
    pub readers: u32,
    /// `views.dir`: files of custom views; taken from the data directory where it is relative.
    pub views_dir: PathBuf,
    /// `tls.…`.
    pub tls: TlsConfig,
    /// `access.…`.
    pub access: AccessConfig,
    /// `limits.…`.
    pub limits: LimitsConfig,
    /// `retention.…`.
    pub retention: RetentionConfig,
    /// `fleet.…`.
    pub fleet: FleetConfig,
}

impl Config {
    /// `tls.certificate`, taken from the data directory where it is relative.
    pub fn tls_certificate_path(&self) -> PathBuf {
        self.data_dir.join(&self.tls.certificate)
    }

    /// `tls.key`, likewise.
    pub fn tls_key_path(&self) -> PathBuf {
        self.data_dir.join(&self.tls.key)
    }

    /// True where the configuration tells of a proxy: then an address of this host alone is reached from elsewhere.
    pub fn is_behind_proxy(&self) -> bool {
        !self.base_path.is_empty()
            || !self.trusted_proxies.is_empty()
            || !self.access.proxy_login_from.is_empty()
    }

    /// Every setting at its default, with this data directory.
    pub fn defaults(data_dir: &Path) -> Config {
        let mut config = Config {
            data_dir: PathBuf::new(),
            log_level: log::LevelFilter::Off,
            listen: Vec::new(),
            hostnames: Vec::new(),
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            connections_max: 0,
            head_timeout_secs: 0,
            body_timeout_secs: 0,
            idle_timeout_secs: 0,
            write_timeout_secs: 0,
            bodies_bytes_max: 0,
            tids: Vec::new(),
            payload_bytes_max: 0,
            quarantine: QuarantinePolicy::None,
            quarantine_rows_max: 0,
            quarantine_bytes_max: 0,
            new_values_per_day_max: 0,
            disk_reserve_bytes: 0,
            readers: 0,
            views_dir: PathBuf::new(),
            tls: TlsConfig::unset(),
            access: AccessConfig::unset(),
            limits: LimitsConfig::unset(),
            retention: RetentionConfig::unset(),
            fleet: FleetConfig::unset(),
        };
        for setting in SETTINGS.iter() {
            (setting.set)(&mut config, setting.default.to_value());
        }
        config.data_dir = data_dir.to_owned();
        config
    }
}
