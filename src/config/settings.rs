// SPDX-License-Identifier: Apache-2.0
//! The table of settings. Parsing, defaults, variables of the environment, `muster config show` and
//! `packaging/muster.toml` all follow from it; to add a setting, add a row in the file of its section and the field of
//! `Config` that it sets.

mod access;
mod base;
mod fleet;
mod http;
mod ingest;
mod limits;
mod retention;
mod store;
mod tls;

use crate::config::Config;
use crate::config::value::{DefaultValue, Value};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::sync::LazyLock;

/// What a setting's value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A path, not empty.
    Path,
    /// A text.
    Text {
        /// What it must be, for the refusal.
        rule: &'static str,
        /// Whether a text is that.
        is_valid: fn(&str) -> bool,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// A number of bytes from the first to the second, also written with a unit: `"64 MB"`, `"300 KiB"`.
    Bytes(u64, u64),
    /// The same, or 0 where there is to be none.
    BytesOrNone(u64, u64),
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

/// The parts of the table, in the order in which they are shown.
const PARTS: &[&[Setting]] = &[
    base::ROWS,
    http::ROWS,
    tls::ROWS,
    access::ROWS,
    limits::ROWS,
    ingest::ROWS,
    store::ROWS,
    retention::ROWS,
    fleet::ROWS,
];

/// All settings, in the order in which they are shown.
pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| PARTS.concat());

fn is_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok()
}

/// A single address without the length of its prefix.
fn shown_network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
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
        for setting in SETTINGS.iter() {
            let value = setting.default.to_value();
            assert_eq!((setting.get)(&config), value, "{}", setting.key);
            assert_eq!(setting.kind.check(value), Ok(setting.default.to_value()), "{}", setting.key);
        }
    }

    #[test]
    fn no_help_has_more_than_one_blank_in_a_row() {
        for setting in SETTINGS.iter() {
            assert!(!setting.help.contains("  "), "{}", setting.key);
        }
    }

    #[test]
    fn every_word_of_a_choice_is_kept() {
        for setting in SETTINGS.iter() {
            let Kind::Choice(words) = setting.kind else { continue };
            for word in words {
                let mut config = Config::defaults(Path::new("muster-data"));
                (setting.set)(&mut config, Value::Text((*word).to_owned()));
                assert_eq!((setting.get)(&config), Value::Text((*word).to_owned()), "{}", setting.key);
            }
        }
    }
}
