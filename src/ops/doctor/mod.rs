// SPDX-License-Identifier: Apache-2.0
//! What `muster doctor` looks at on this machine. Nothing here changes anything. What is asked over the network stands
//! in `cli::doctor`, because this layer knows no HTTP.

pub mod files;
pub mod system;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and something should be done.
    Warn,
    /// It does not work.
    Fail,
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `disk`.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do; none where nothing is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, message: message.into(), remedy: None }
    }

    /// It works, and something should be done.
    pub fn warn(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, level: Level::Warn, message: message.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub fn fail(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, level: Level::Fail, message: message.into(), remedy: Some(remedy.into()) }
    }
}

/// Bytes for people: `3.2 MiB`.
pub(crate) fn shown_bytes(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", units[unit]) }
}

/// A span for people: `3 days`.
pub(crate) fn shown_secs(secs: i64) -> String {
    let (count, unit) = match secs {
        secs if secs >= 2 * 86_400 => (secs / 86_400, "days"),
        secs if secs >= 2 * 3_600 => (secs / 3_600, "hours"),
        secs if secs >= 120 => (secs / 60, "minutes"),
        secs => (secs, "seconds"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_written_for_people() {
        let cases = [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")];
        for (bytes, expected) in cases {
            assert_eq!(shown_bytes(bytes), expected);
        }
        let cases = [(5, "5 seconds"), (130, "2 minutes"), (7_300, "2 hours"), (200_000, "2 days")];
        for (secs, expected) in cases {
            assert_eq!(shown_secs(secs), expected);
        }
    }
}
