// SPDX-License-Identifier: Apache-2.0
//! The two encodings of a record: header fields with the payload as body, or one JSON object.
//!
//! Here a post becomes a list of named texts; what they may say is in `rules`.

use crate::ingest::{Outcome, Post, Refusal};
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// How a post carries its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Each field is a header, the body is the payload.
    Header,
    /// The body is a JSON object.
    Json,
}

/// The fields of a record, by their JSON key, in the order in which they are validated and shown.
pub const KEYS: [&str; 15] = [
    "record_format_version",
    "classification",
    "severity",
    "machine_id",
    "creation_timestamp",
    "arch",
    "host_type",
    "build",
    "kernel_version",
    "payload_format_version",
    "system_name",
    "board_name",
    "cpu_model",
    "bios_version",
    "event_id",
];

/// Headers that are no fields of the record but belong to the protocol.
const OTHER_HEADERS: [&str; 2] = ["x-telemetry-tid", "x-clr-external"];

/// The named texts of a post, trimmed, the empty ones left out.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: Vec<(&'static str, String)>,
    /// The payload.
    pub payload: String,
    /// Its bytes as the sender had them: text that came as Latin-1 is longer now.
    pub payload_len_bytes: usize,
}

impl Values {
    /// The value of a key, where it is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, key: &'static str, value: &str) {
        // Space and newline come from the client; other control characters are for the rules to judge.
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        if !value.is_empty() {
            self.values.push((key, value.to_owned()));
        }
    }

    /// The values that a person typed.
    pub fn corrected(typed: Vec<(String, String)>, payload: String) -> Values {
        let mut values = Values { payload_len_bytes: payload.len(), payload, ..Values::default() };
        for key in KEYS {
            if let Some((_, value)) = typed.iter().find(|(name, _)| name == key) {
                values.add(key, value);
            }
        }
        values
    }
}

/// The encoding that the header fields announce; none where they announce neither.
pub fn encoding_of(fields: &[(String, String)]) -> Option<Encoding> {
    if header(fields, "record-format-version").is_some() {
        // Whatever Content-Type says: `curl -d` calls every body a form.
        return Some(Encoding::Header);
    }
    let content_type = header(fields, "content-type")?;
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json").then_some(Encoding::Json)
}

/// The value of the header `name` (lower case), where `_` equals `-` in both names.
pub fn header<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(sent, _)| is_header(sent, name)).map(|(_, value)| value.as_str())
}

fn is_header(sent: &str, name: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    sent.len() == name.len() && sent.bytes().zip(name.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// Refuses a header of the protocol that comes twice, also once with `_` and once with `-`.
pub fn refuse_repeated(fields: &[(String, String)]) -> Outcome<()> {
    for name in KEYS.into_iter().chain(OTHER_HEADERS) {
        if fields.iter().filter(|(sent, _)| is_header(sent, name)).count() > 1 {
            return Err(Refusal {
                is_of_record: false,
                ..Refusal::rule(format!("The header {name} must be given once"))
            });
        }
    }
    Ok(())
}

/// Bytes as text: UTF-8, else Latin-1.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Reads the values of a post.
pub fn read(encoding: Encoding, post: &Post<'_>) -> Outcome<Values> {
    match encoding {
        Encoding::Header => Ok(read_headers(post)),
        Encoding::Json => read_json(post.body),
    }
}

fn read_headers(post: &Post<'_>) -> Values {
    let payload = text_of(post.body).into_owned();
    let mut values = Values { payload, payload_len_bytes: post.body.len(), ..Values::default() };
    for key in KEYS {
        if let Some((_, value)) = post.fields.iter().find(|(sent, _)| is_header(sent, key)) {
            values.add(key, value);
        }
    }
    values
}

fn read_json(body: &[u8]) -> Outcome<Values> {
    let text = text_of(body);
    let is_latin_1 = matches!(text, Cow::Owned(_));
    let Object(members) = serde_json::from_str(&text)
        .map_err(|error| Refusal::rule(format!("The body is not a JSON object: {error}")))?;
    let mut values = Values::default();
    for (name, value) in members {
        let key = KEYS.iter().find(|key| **key == name);
        if key.is_none() && name != "payload" {
            continue;
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Null => String::new(),
            _ => return Err(Refusal::rule(format!("{name} must be a string or a number"))),
        };
        match key {
            Some(key) => values.add(key, &text),
            None => values.payload = text,
        }
    }
    values.payload_len_bytes = if is_latin_1 { values.payload.chars().count() } else { values.payload.len() };
    Ok(values)
}

/// A JSON object's members in the order sent; a name that comes twice is an error, as for headers.
struct Object(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings and numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let is_known = name == "payload" || KEYS.contains(&name.as_str());
            if is_known && members.iter().any(|(earlier, _)| *earlier == name) {
                return Err(serde::de::Error::custom(format_args!("{name} must be given once")));
            }
            if is_known {
                members.push((name, value));
            }
        }
        Ok(Object(members))
    }
}

/// What can be read of a post that was refused, for the form that corrects it: every key with its value, and the
/// payload with its bytes as the sender had them. Never fails: what cannot be read is empty.
pub fn known_values(
    fields: &[(String, String)],
    body: &[u8],
) -> (Vec<(&'static str, String)>, String, usize) {
    let post = Post { fields, body, is_body_cut: false };
    let encoding = encoding_of(fields).unwrap_or(Encoding::Header);
    let values = read(encoding, &post).unwrap_or_else(|_| Values {
        payload: text_of(body).into_owned(),
        payload_len_bytes: body.len(),
        ..Values::default()
    });
    (listed(&values), values.payload, values.payload_len_bytes)
}

/// What a person typed, as it counts: every key with its value, in the order of [`known_values`].
pub fn corrected_values(typed: Vec<(String, String)>) -> Vec<(&'static str, String)> {
    listed(&Values::corrected(typed, String::new()))
}

fn listed(values: &Values) -> Vec<(&'static str, String)> {
    KEYS.iter().map(|key| (*key, values.get(key).unwrap_or("").to_owned())).collect()
}
