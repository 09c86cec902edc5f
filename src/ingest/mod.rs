// SPDX-License-Identifier: Apache-2.0
//! The record protocol, versions 1 to 4 in both encodings: header fields and a body in, a validated record or a
//! refusal out. Pure: nothing is stored, asked or logged here.
//!
//! Where the rules come from: the real telemetry client's requests (tests/data/wire) and the original collector.

mod encoding;
mod rules;

pub use encoding::{Encoding, corrected_values, encoding_of, known_values};

use crate::error::{Error, Kind};
use crate::model::record::NewRecord;

/// What a JSON body may be longer than the longest payload: `\u000b` is six bytes for one, and 16 KiB for the rest.
const JSON_BYTES_PER_PAYLOAD_BYTE: usize = 6;
const JSON_BYTES_BESIDE_PAYLOAD: usize = 16 << 10;

/// A post as it came.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// Header fields, names as sent, values trimmed and decoded.
    pub fields: &'a [(String, String)],
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// True where the body was longer than [`body_bytes_max`].
    pub is_body_cut: bool,
}

/// What the configuration says about posts.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Ids of organisations whose records are taken.
    pub tids: &'a [String],
    /// Most bytes of a payload, as the sender had them.
    pub payload_bytes_max: usize,
}

/// Why a post is not taken: a value, not an accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Invalid, TooLarge or UnsupportedMedia.
    pub kind: Kind,
    /// Names the field, the rule and the value.
    pub message: String,
    /// True where the sender is known to us and the record itself breaks a rule: what quarantine is for.
    pub is_of_record: bool,
}

impl Refusal {
    fn rule(message: String) -> Refusal {
        Refusal { kind: Kind::Invalid, message, is_of_record: true }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::new(refusal.kind, refusal.message)
    }
}

/// The outcome of reading a post.
pub type Outcome<T> = std::result::Result<T, Refusal>;

/// Most bytes of the body of a post in this encoding.
pub fn body_bytes_max(encoding: Encoding, payload_bytes_max: usize) -> usize {
    match encoding {
        Encoding::Header => payload_bytes_max,
        Encoding::Json => {
            payload_bytes_max.saturating_mul(JSON_BYTES_PER_PAYLOAD_BYTE) + JSON_BYTES_BESIDE_PAYLOAD
        }
    }
}

/// Checks what can be checked before the body is read: the sender's organisation and the encoding.
pub fn check_head(fields: &[(String, String)], limits: &Limits<'_>) -> Outcome<Encoding> {
    encoding::refuse_repeated(fields)?;
    let tid = encoding::header(fields, "x-telemetry-tid");
    if !tid.is_some_and(|tid| limits.tids.iter().any(|known| known == tid)) {
        let message = match tid {
            None | Some("") => "X-Telemetry-TID is missing".to_owned(),
            Some(tid) => format!(
                "X-Telemetry-TID {} is not one that is taken here (setting ingest.tids)",
                crate::model::filter::shortened(tid)
            ),
        };
        return Err(Refusal { kind: Kind::Invalid, message, is_of_record: false });
    }
    encoding_of(fields).ok_or_else(|| Refusal {
        kind: Kind::UnsupportedMedia,
        message: "Send either the header Record-Format-Version or Content-Type: application/json".to_owned(),
        is_of_record: false,
    })
}

/// Reads and validates a post.
pub fn accept(post: &Post<'_>, limits: &Limits<'_>) -> Outcome<NewRecord> {
    // A repeated field is the record's fault once the sender is known to us.
    let encoding = check_head(post.fields, limits)?;
    if post.is_body_cut {
        return Err(too_large(limits.payload_bytes_max));
    }
    let values = encoding::read(encoding, post)?;
    if values.payload_len_bytes > limits.payload_bytes_max {
        return Err(too_large(limits.payload_bytes_max));
    }
    let is_external =
        encoding::header(post.fields, "x-clr-external").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    rules::validate(values, is_external)
}

/// Validates values that a person corrected. Names are JSON keys; unknown ones are ignored. `payload_len_bytes`: as the
/// sender had it, for a payload that came as Latin-1 is longer now.
pub fn accept_values(
    values: Vec<(String, String)>,
    payload: String,
    payload_len_bytes: usize,
    is_external: bool,
    limits: &Limits<'_>,
) -> Outcome<NewRecord> {
    if payload_len_bytes > limits.payload_bytes_max {
        return Err(too_large(limits.payload_bytes_max));
    }
    rules::validate(encoding::Values::corrected(values, payload), is_external)
}

fn too_large(payload_bytes_max: usize) -> Refusal {
    Refusal {
        kind: Kind::TooLarge,
        message: format!(
            "payload must have at most {payload_bytes_max} bytes (setting ingest.payload_bytes_max)"
        ),
        is_of_record: true,
    }
}

#[cfg(test)]
mod tests;
