// SPDX-License-Identifier: Apache-2.0
//! A telemetry record: before it is stored ([`NewRecord`]) and after ([`Record`]).
//!
//! Which values a field may have is decided in `ingest`; here are only the types.

use crate::error::{Error, Result};
use std::fmt;

/// How bad it is, as the sender says: 1 low, 2 medium, 3 high, 4 critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 1.
    Low,
    /// 2.
    Medium,
    /// 3.
    High,
    /// 4.
    Critical,
}

impl Severity {
    /// All, lowest first.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The severity that a number on the wire or in the database means.
    pub fn from_number(number: i64) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.number() == number)
    }

    /// The number on the wire and in the database.
    pub fn number(self) -> i64 {
        match self {
            Severity::Low => 1,
            Severity::Medium => 2,
            Severity::High => 3,
            Severity::Critical => 4,
        }
    }

    /// The short word that lists show.
    pub fn short(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "med",
            Severity::High => "high",
            Severity::Critical => "crit",
        }
    }

    /// The whole word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// What ties the records of one event together: 16 bytes, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Reads 32 lower-case hexadecimal digits; anything else is none.
    pub fn parse(text: &str) -> Option<EventId> {
        parse_hex_16(text).map(EventId)
    }
}

/// Reads exactly 32 lower-case hexadecimal digits.
pub fn parse_hex_16(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record that was validated and is not stored yet. Fields that its format version lacks are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// 1 to 4: which fields the sender promised.
    pub record_format_version: u8,
    /// `DOMAIN/PROBE/REST`, at most 140 characters.
    pub classification: String,
    /// How bad it is.
    pub severity: Severity,
    /// 1 to 32 characters; the client makes 32 hexadecimal digits and changes them every 3 days.
    pub machine_id: String,
    /// When the sender made it by its own clock, Unix seconds.
    pub captured_at: i64,
    /// Processor architecture.
    pub arch: String,
    /// `sys_vendor|product_name|product_version`, under 250 characters.
    pub host_type: String,
    /// OS build, without quotes.
    pub build: String,
    /// Begins with MAJOR.MINOR.
    pub kernel_version: String,
    /// The payload's own format; from version 2 on.
    pub payload_format_version: Option<u32>,
    /// ID of os-release; from version 2 on.
    pub system_name: Option<String>,
    /// Under 200 characters, perhaps empty; from version 3 on.
    pub board_name: Option<String>,
    /// Under 200 characters, perhaps empty; from version 3 on.
    pub cpu_model: Option<String>,
    /// Under 200 characters, perhaps empty; from version 3 on.
    pub bios_version: Option<String>,
    /// Ties records together; from version 4 on.
    pub event_id: Option<EventId>,
    /// True where the sender said that it is not one of ours (`X-CLR-External: true`).
    pub is_external: bool,
    /// What the probe wrote, any text, NUL included.
    pub payload: String,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Ascending in the order of storing, never used twice.
    pub id: i64,
    /// When it was taken in by our clock, Unix seconds.
    pub received_at: i64,
    /// What was sent. In lists that show only the payload's beginning, `payload` is cut.
    pub content: NewRecord,
}

/// Which records a classification filter means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassificationPattern {
    /// This very classification.
    Exact(String),
    /// All that begin with this; it ends with `/`.
    Prefix(String),
}

/// Most characters of a classification, stored or asked for.
pub const CLASSIFICATION_CHARS_MAX: usize = 140;

impl ClassificationPattern {
    /// Reads `DOMAIN/PROBE/REST`, `DOMAIN/PROBE/*` or `DOMAIN/*`; Invalid beyond 140 characters.
    pub fn parse(text: &str) -> Result<ClassificationPattern> {
        let count = text.chars().count();
        if count > CLASSIFICATION_CHARS_MAX {
            return Err(Error::invalid(format!(
                "classification must have at most {CLASSIFICATION_CHARS_MAX} characters, not {count}"
            )));
        }
        match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('/') && prefix.matches('/').count() <= 2 => {
                Ok(ClassificationPattern::Prefix(prefix.to_owned()))
            }
            _ => Ok(ClassificationPattern::Exact(text.to_owned())),
        }
    }

    /// The text that [`ClassificationPattern::parse`] reads.
    pub fn text(&self) -> String {
        match self {
            ClassificationPattern::Exact(text) => text.clone(),
            ClassificationPattern::Prefix(prefix) => format!("{prefix}*"),
        }
    }

    /// True where `classification` is meant.
    pub fn matches(&self, classification: &str) -> bool {
        match self {
            ClassificationPattern::Exact(text) => classification == text,
            ClassificationPattern::Prefix(prefix) => classification.starts_with(prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_32_lower_case_hexadecimal_digits() {
        let text = "84dcb7c607ee90b2cae721fbcd896b5f";
        assert_eq!(EventId::parse(text).unwrap().to_string(), text);
        for bad in ["", "84dc", "84DCB7C607EE90B2CAE721FBCD896B5F", "84dcb7c607ee90b2cae721fbcd896b5g"] {
            assert!(EventId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_star_after_a_slash_means_a_prefix() {
        let cases = [
            ("a/b/c", "a/b/c", true),
            ("a/b/c", "a/b/cd", false),
            ("a/b/*", "a/b/cd", true),
            ("a/b/*", "a/bb/cd", false),
            ("a/*", "a/b/c", true),
            ("a/*", "ab/b/c", false),
            ("a*", "a/b/c", false),
            ("a/b/c*", "a/b/cd", false),
        ];
        for (pattern, classification, expected) in cases {
            let pattern = ClassificationPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(classification), expected, "{pattern:?} {classification}");
        }
    }
}
