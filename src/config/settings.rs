// SPDX-License-Identifier: Apache-2.0
//! The table of settings. Parsing, defaults, variables of the environment, `muster config show` and
//! `packaging/muster.toml` all follow from it; to add a setting, add a row and the field of `Config` that it sets.

use crate::config::value::{DefaultValue, Value};
use crate::config::{Config, Enrol, QuarantinePolicy};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a setting's value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A path, not empty.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// A number of bytes from the first to the second, also written with a unit: `"64 MB"`, `"300 KiB"`.
    Bytes(u64, u64),
    /// Texts.
    List {
        /// How many there must be.
        least: usize,
        /// What each must be, for the refusal: "a name".
        rule: &'static str,
        /// Whether a text is that.
        is_valid: fn(&str) -> bool,
    },
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key; what is before the dot is the section of the file.
    pub key: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where nobody says anything.
    pub default: DefaultValue,
    /// What it means, in lines of the commented file.
    pub help: &'static str,
    /// Puts a checked value into the configuration.
    pub set: fn(&mut Config, Value),
    /// Takes it out again.
    pub get: fn(&Config) -> Value,
}

impl Setting {
    /// The variable of the environment that sets it.
    pub fn variable(&self) -> String {
        format!("MUSTER_{}", self.key.to_ascii_uppercase().replace('.', "_"))
    }

    /// The section of the file and the key in it.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The levels of the log, least first.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        kind: Kind::Path,
        default: DefaultValue::Text("muster-data"),
        help: "The data directory. Without it: $STATE_DIRECTORY, which systemd sets, else ./muster-data.",
        set: |config, value| config.data_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.data_dir.to_string_lossy().into_owned()),
    },
    Setting {
        key: "log.level",
        kind: Kind::Choice(LEVELS),
        default: DefaultValue::Text("info"),
        help: "What is logged: error, warn, info, debug (each request) or trace.",
        set: |config, value| config.log_level = value.into_text().parse().unwrap_or(log::LevelFilter::Info),
        get: |config| Value::Text(config.log_level.as_str().to_ascii_lowercase()),
    },
    Setting {
        key: "http.listen",
        kind: Kind::List {
            least: 1,
            rule: "ADDR:PORT, for example 0.0.0.0:8080 or [::]:8080",
            is_valid: is_address,
        },
        default: DefaultValue::List(&["127.0.0.1:8080"]),
        help: "Addresses to listen on: ADDR:PORT, an IPv6 address in brackets; port 0 takes a free one.\n\
               Sockets passed by systemd (muster.socket) replace them; ports under 1024 need those.",
        set: |config, value| config.listen = value.into_list(),
        get: |config| Value::List(config.listen.clone()),
    },
    Setting {
        key: "http.hostnames",
        kind: Kind::List { least: 0, rule: "a host name without port", is_valid: is_hostname },
        default: DefaultValue::List(&[]),
        help: "Names by which browsers call this server, beside localhost, its addresses and its own name.\n\
               A request for another name is refused (421), so that no foreign site can pose as this one.",
        set: |config, value| config.hostnames = value.into_list(),
        get: |config| Value::List(config.hostnames.clone()),
    },
    Setting {
        key: "http.connections_max",
        kind: Kind::Number(8, 1_000_000),
        default: DefaultValue::Number(1024),
        help: "Connections at once; the limit of open files less 64 may make it fewer.",
        set: |config, value| config.connections_max = value.into_usize(),
        get: |config| Value::Number(config.connections_max as u64),
    },
    Setting {
        key: "http.head_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(10),
        help: "Time for a whole request head, in seconds.",
        set: |config, value| config.head_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.head_timeout_secs),
    },
    Setting {
        key: "http.body_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(30),
        help: "Time for a whole request body, in seconds.",
        set: |config, value| config.body_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.body_timeout_secs),
    },
    Setting {
        key: "http.idle_timeout_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(60),
        help: "How long a connection may rest between two requests, in seconds.",
        set: |config, value| config.idle_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.idle_timeout_secs),
    },
    Setting {
        key: "http.write_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(30),
        help: "Time for each 64 KiB of an answer, in seconds.",
        set: |config, value| config.write_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.write_timeout_secs),
    },
    Setting {
        key: "http.bodies_bytes_max",
        kind: Kind::Bytes(MIB, 64 * GIB),
        default: DefaultValue::Number(32 * MIB),
        help: "All request bodies in memory together; further ones wait.",
        set: |config, value| config.bodies_bytes_max = value.into_usize(),
        get: |config| Value::Number(config.bodies_bytes_max as u64),
    },
    Setting {
        key: "ingest.tids",
        kind: Kind::List { least: 1, rule: "1 to 100 letters, digits, - or _", is_valid: is_tid },
        default: DefaultValue::List(&["6907c830-eed9-4ce9-81ae-76daf8d88f0f"]),
        help: "Ids of organisations (X-Telemetry-TID) whose records are taken.",
        set: |config, value| config.tids = value.into_list(),
        get: |config| Value::List(config.tids.clone()),
    },
    Setting {
        key: "ingest.payload_bytes_max",
        kind: Kind::Bytes(KIB, 64 * MIB),
        default: DefaultValue::Number(300 * KIB),
        help: "The largest payload of a record.",
        set: |config, value| config.payload_bytes_max = value.into_usize(),
        get: |config| Value::Number(config.payload_bytes_max as u64),
    },
    Setting {
        key: "ingest.quarantine",
        kind: Kind::Choice(&["unattended", "all", "none"]),
        default: DefaultValue::Text("unattended"),
        help: "Which posts that break a rule are kept aside and answered 200, so that nobody sends them again for hours:\n\
               unattended (those of senders without User-Agent: the telemetry client), all, or none.",
        set: |config, value| config.quarantine = quarantine_policy(&value.into_text()),
        get: |config| Value::Text(quarantine_word(config.quarantine).to_owned()),
    },
    Setting {
        key: "ingest.quarantine_rows_max",
        kind: Kind::Number(0, 1_000_000),
        default: DefaultValue::Number(1000),
        help: "Posts kept in quarantine; the oldest give way.",
        set: |config, value| config.quarantine_rows_max = value.into_i64(),
        get: |config| Value::Number(config.quarantine_rows_max.unsigned_abs()),
    },
    Setting {
        key: "ingest.quarantine_bytes_max",
        kind: Kind::Bytes(0, TIB),
        default: DefaultValue::Number(16 * MIB),
        help: "Bytes kept in quarantine; the oldest give way.",
        set: |config, value| config.quarantine_bytes_max = value.into_i64(),
        get: |config| Value::Number(config.quarantine_bytes_max.unsigned_abs()),
    },
    Setting {
        key: "store.disk_reserve",
        kind: Kind::Bytes(0, TIB),
        default: DefaultValue::Number(64_000_000),
        help: "Free disk space below which posts are refused (503), so that purging and restarting still work.\n\
               On a small file system a tenth of it, where that is less.",
        set: |config, value| config.disk_reserve_bytes = value.into_number(),
        get: |config| Value::Number(config.disk_reserve_bytes),
    },
    Setting {
        key: "store.readers",
        kind: Kind::Number(1, 256),
        default: DefaultValue::Number(8),
        help: "Connections that read the database at once.",
        set: |config, value| config.readers = u32::try_from(value.into_number()).unwrap_or(u32::MAX),
        get: |config| Value::Number(u64::from(config.readers)),
    },
    Setting {
        key: "views.dir",
        kind: Kind::Path,
        default: DefaultValue::Text("views"),
        help: "Where the files of custom views are; a relative path begins at the data directory.\n\
               They are read again when they change. docs/custom-views.md says how to write one.",
        set: |config, value| config.views_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.views_dir.to_string_lossy().into_owned()),
    },
    Setting {
        key: "fleet.enrol",
        kind: Kind::Choice(&["auto", "open", "token", "closed"]),
        default: DefaultValue::Text("auto"),
        help: "Who may bring a new agent: open (anybody, and the first key of an endpoint binds), token (a key binds only\n\
               with the token that `muster agent token` prints), closed (nobody), or auto: open where muster listens on\n\
               loopback addresses only, else token.",
        set: |config, value| config.fleet.enrol = Enrol::from_word(&value.into_text()),
        get: |config| Value::Text(config.fleet.enrol.word().to_owned()),
    },
    Setting {
        key: "fleet.agents_max",
        kind: Kind::Number(1, 10_000_000),
        default: DefaultValue::Number(500_000),
        help: "Agents that are kept; heartbeats of further ones are refused.",
        set: |config, value| config.fleet.agents_max = value.into_i64(),
        get: |config| Value::Number(config.fleet.agents_max.unsigned_abs()),
    },
    Setting {
        key: "fleet.heartbeat_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(300),
        help: "How often agents beat, in seconds. One that was heard of within two of these is online.",
        set: |config, value| config.fleet.heartbeat_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.heartbeat_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.offline_after_secs",
        kind: Kind::Number(1, 31_536_000),
        default: DefaultValue::Number(1200),
        help: "Without a heartbeat for so many seconds an agent is offline; before that it is idle.",
        set: |config, value| config.fleet.offline_after_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.offline_after_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.token_window_secs",
        kind: Kind::Number(10, 86_400),
        default: DefaultValue::Number(600),
        help: "How far the time of an investigator's signed token may be from the server's, in seconds.",
        set: |config, value| config.fleet.token_window_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.token_window_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.confirm_above",
        kind: Kind::Number(0, 10_000_000),
        default: DefaultValue::Number(100),
        help: "On the page and on the command line an action on more agents than this must be confirmed.",
        set: |config, value| config.fleet.confirm_above = value.into_i64(),
        get: |config| Value::Number(config.fleet.confirm_above.unsigned_abs()),
    },
    Setting {
        key: "fleet.module_timeout_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(300),
        help: "How long a module may run on an agent, in seconds. A command that was fetched is given out again when\n\
               five minutes and this have passed without an answer.",
        set: |config, value| config.fleet.module_timeout_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.module_timeout_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.poll_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(2),
        help: "How long an agent is told to wait, in seconds, when all places for waiting connections are taken.",
        set: |config, value| config.fleet.poll_secs = value.into_number(),
        get: |config| Value::Number(config.fleet.poll_secs),
    },
    Setting {
        key: "fleet.spool",
        kind: Kind::Path,
        default: DefaultValue::Text("spool"),
        help: "The directory of actions and commands as files; a relative path begins at the data directory.",
        set: |config, value| config.fleet.spool_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.fleet.spool_dir.to_string_lossy().into_owned()),
    },
    Setting {
        key: "fleet.spool_keep_hours",
        kind: Kind::Number(1, 87_600),
        default: DefaultValue::Number(72),
        help: "How long the spool keeps files of actions and commands that are over, in hours.",
        set: |config, value| config.fleet.spool_keep_hours = value.into_i64(),
        get: |config| Value::Number(config.fleet.spool_keep_hours.unsigned_abs()),
    },
];

fn is_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok()
}

/// Letters beyond ASCII are sent by browsers as punycode, so a name that has them would never match.
fn is_hostname(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.trim_end_matches('.').split('.').all(is_part)
}

fn is_tid(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn quarantine_policy(word: &str) -> QuarantinePolicy {
    match word {
        "all" => QuarantinePolicy::All,
        "none" => QuarantinePolicy::None,
        _ => QuarantinePolicy::Unattended,
    }
}

fn quarantine_word(policy: QuarantinePolicy) -> &'static str {
    match policy {
        QuarantinePolicy::Unattended => "unattended",
        QuarantinePolicy::All => "all",
        QuarantinePolicy::None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn keys_and_variables_are_unique_and_sections_are_together() {
        let variables: BTreeSet<String> = SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!(variables.len(), SETTINGS.len());
        let mut sections: Vec<&str> = SETTINGS.iter().map(|setting| setting.section_and_name().0).collect();
        sections.dedup();
        assert_eq!(sections.len(), sections.iter().collect::<BTreeSet<_>>().len(), "{sections:?}");
        assert_eq!(sections[0], "", "what has no section must come before the first one in the file");
    }

    #[test]
    fn every_default_keeps_its_own_rule_and_comes_out_as_it_went_in() {
        let config = Config::defaults(Path::new("muster-data"));
        for setting in SETTINGS {
            let value = setting.default.to_value();
            assert_eq!((setting.get)(&config), value, "{}", setting.key);
            assert_eq!(setting.kind.check(value), Ok(setting.default.to_value()), "{}", setting.key);
        }
    }

    #[test]
    fn every_word_of_a_choice_is_kept() {
        for setting in SETTINGS {
            let Kind::Choice(words) = setting.kind else { continue };
            for word in words {
                let mut config = Config::defaults(Path::new("muster-data"));
                (setting.set)(&mut config, Value::Text((*word).to_owned()));
                assert_eq!((setting.get)(&config), Value::Text((*word).to_owned()), "{}", setting.key);
            }
        }
    }
}
