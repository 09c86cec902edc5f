// SPDX-License-Identifier: Apache-2.0
//! A row's texts by name, made into a record by the rules of a post.

use crate::ingest::{self, Limits};
use crate::model::time::{TIME_MAX, parse_date};
use crate::model::timestamp::Timestamp;
use crate::store::ImportItem;
use std::borrow::Cow;

/// Why a row is rejected.
pub type Rejected<T> = std::result::Result<T, String>;

/// What was read of a row that is to be a record. Names are those of a JSON post.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The fields but the payload.
    pub values: Vec<(String, String)>,
    /// The payload.
    pub payload: String,
    /// Unix seconds.
    pub received_at: i64,
    /// From outside.
    pub is_external: bool,
}

impl Draft {
    /// Adds a field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.push((name.to_owned(), value.into()));
    }

    /// A field's value; empty where it has none.
    pub fn get(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The record, or the rule that it breaks.
    pub fn finish(self, limits: &Limits<'_>) -> Rejected<ImportItem> {
        // What came as Latin-1 is longer now than its sender had it.
        let is_latin_1 = self.payload.chars().all(|c| u32::from(c) < 256);
        let sent_bytes = if is_latin_1 { self.payload.chars().count() } else { self.payload.len() };
        let record = ingest::accept_values(self.values, self.payload, sent_bytes, self.is_external, limits)
            .map_err(|refusal| refusal.message)?;
        Ok(ImportItem::Record(Box::new(record), self.received_at))
    }
}

/// Bytes as text: UTF-8, else Latin-1.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Reads a time: RFC 3339, `YYYY-MM-DD HH:MM:SS UTC`, or Unix seconds whose fraction is cut off. None where it is none
/// from 1970 to 9999.
pub fn parse_time(text: &str) -> Option<i64> {
    let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { text }
    });
    let at = if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        whole.parse().ok()?
    } else if let Some(time) = text.strip_suffix(" UTC") {
        let (date, clock) = time.split_once(' ')?;
        parse_date(date)?;
        Timestamp::parse(&format!("{date}T{clock}Z"))?.unix_secs
    } else {
        Timestamp::parse(text)?.unix_secs
    };
    (0..=TIME_MAX).contains(&at).then_some(at)
}

/// A time, or why it is none.
pub fn time(name: &str, text: &str) -> Rejected<i64> {
    parse_time(text).ok_or_else(|| {
        let text = crate::model::filter::shortened(text);
        format!("{name} must be a time like 2026-01-31T12:00:00Z, not {text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_each_of_their_forms() {
        let cases = [
            ("1443573575", Some(1_443_573_575)),
            ("1443573575.998", Some(1_443_573_575)),
            ("2015-09-30 00:39:35 UTC", Some(1_443_573_575)),
            ("2015-09-30T00:39:35Z", Some(1_443_573_575)),
            ("2015-09-30T02:39:35+02:00", Some(1_443_573_575)),
            ("9999-12-31T23:59:59Z", Some(TIME_MAX)),
            ("", None),
            ("-5", None),
            ("1e20", None),
            ("100000000000000000000", None),
            ("253402300800", None),
            ("2015-09-30 00:39:3", None),
            ("2015-09-30 00:39:35", None),
            ("2015-09-30T00:39:35", None),
            ("1.x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }
}
