// SPDX-License-Identifier: Apache-2.0
//! How a payload is kept: short ones as text, long ones deflated. Also the functions of SQL over both.

use crate::error::{Error, Result};
use crate::model::filter::payload_regex;
use flate2::read::ZlibDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use std::borrow::Cow;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// Payloads up to this many bytes are stored as they are: a regular expression over a million of them takes 0.18 s,
/// over deflated ones 7 s (measured).
const PLAIN_BYTES_MAX: usize = 4096;

/// How much of a deflated payload SQL gets to see: more than a connection of custom views takes would be an error.
const TEXT_BYTES_MAX: u64 = 990_000;

/// A payload as the database holds it.
#[derive(Debug)]
pub enum StoredPayload {
    /// As it is.
    Plain(String),
    /// Deflated.
    Deflated(Vec<u8>),
}

impl StoredPayload {
    /// Deflates a payload where it is long and that makes it shorter.
    pub fn encode(payload: &str) -> Result<StoredPayload> {
        let deflated = if payload.len() > PLAIN_BYTES_MAX { deflate(payload.as_bytes())? } else { None };
        Ok(match deflated {
            Some(bytes) => StoredPayload::Deflated(bytes),
            None => StoredPayload::Plain(payload.to_owned()),
        })
    }

    /// Bytes that it takes in the database.
    pub fn len_bytes(&self) -> usize {
        match self {
            StoredPayload::Plain(text) => text.len(),
            StoredPayload::Deflated(bytes) => bytes.len(),
        }
    }
}

/// The deflater of the process, made when it is first needed. Its tables take a third of a MiB: with one for each
/// connection, a hundred large payloads at once took 40 MiB for them alone, and a hundred half-grown outputs.
static DEFLATER: Mutex<Option<Compress>> = Mutex::new(None);

/// How much the deflater writes at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// The bytes in the zlib format, in a vector of just that size; none where that is not shorter.
fn deflate(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    // What a panic left behind is reset below.
    let mut deflater = DEFLATER.lock().unwrap_or_else(PoisonError::into_inner);
    let deflater = deflater.get_or_insert_with(|| Compress::new(Compression::fast(), true));
    deflater.reset();
    let mut chunk = [0; CHUNK_BYTES];
    let mut deflated = Vec::with_capacity(bytes.len() / 3);
    let mut rest = bytes;
    loop {
        let (read, written) = (deflater.total_in(), deflater.total_out());
        let status = deflater
            .compress(rest, &mut chunk, FlushCompress::Finish)
            .map_err(|error| Error::internal("Cannot deflate a payload").because(error))?;
        let (read, written) = (deflater.total_in() - read, deflater.total_out() - written);
        // Neither is more than what was handed in.
        rest = &rest[read as usize..];
        deflated.extend_from_slice(&chunk[..written as usize]);
        if deflated.len() >= bytes.len() {
            return Ok(None);
        }
        if status == Status::StreamEnd {
            deflated.shrink_to_fit();
            return Ok(Some(deflated));
        }
        if read == 0 && written == 0 {
            return Err(Error::internal("Cannot deflate a payload: the deflater makes no progress"));
        }
    }
}

impl rusqlite::ToSql for StoredPayload {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            StoredPayload::Plain(text) => ValueRef::Text(text.as_bytes()),
            StoredPayload::Deflated(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// The whole payload.
pub fn decode(value: ValueRef<'_>) -> Result<String> {
    Ok(match text_of(value, u64::MAX)? {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    })
}

/// The first `chars_max` characters of the payload.
pub fn decode_start(value: ValueRef<'_>, chars_max: usize) -> Result<String> {
    let text = text_of(value, chars_max as u64 * 4 + 4)?;
    let end = text.char_indices().nth(chars_max).map_or(text.len(), |(index, _)| index);
    Ok(text[..end].to_owned())
}

fn text_of(value: ValueRef<'_>, bytes_max: u64) -> Result<Cow<'_, str>> {
    match value {
        ValueRef::Text(bytes) => Ok(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => {
            let mut text = Vec::new();
            ZlibDecoder::new(bytes).take(bytes_max).read_to_end(&mut text).map_err(damaged)?;
            Ok(Cow::Owned(match String::from_utf8(text) {
                Ok(text) => text,
                // A cut may have parted the last character.
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }))
        }
        _ => Err(damaged("not a text and not a BLOB")),
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(crate::error::Kind::Corrupt, "A stored payload is damaged; run a check").because(error)
}

/// Gives a connection `payload_matches(pattern, payload)`: 1 where the expression matches, in linear time; and
/// `payload_text(payload)`: the stored payload as text, at most its first [`TEXT_BYTES_MAX`] bytes.
pub fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("payload_text", 1, flags, payload_text)?;
    connection.create_scalar_function("payload_matches", 2, flags, payload_matches)
}

fn payload_text(context: &Context<'_>) -> rusqlite::Result<Option<String>> {
    match context.get_raw(0) {
        ValueRef::Null => Ok(None),
        value => match text_of(value, TEXT_BYTES_MAX) {
            Ok(text) => Ok(Some(text.into_owned())),
            Err(error) => Err(rusqlite::Error::UserFunctionError(Box::new(error))),
        },
    }
}

fn payload_matches(context: &Context<'_>) -> rusqlite::Result<Value> {
    type Failure = Box<dyn std::error::Error + Send + Sync>;
    let regex = context.get_or_create_aux(0, |pattern| -> Result<regex::Regex, Failure> {
        Ok(payload_regex(pattern.as_str()?)?)
    })?;
    let payload = text_of(context.get_raw(1), u64::MAX)
        .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
    Ok(Value::Integer(i64::from(regex.is_match(&payload))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(payload: &StoredPayload) -> ValueRef<'_> {
        match payload {
            StoredPayload::Plain(text) => ValueRef::Text(text.as_bytes()),
            StoredPayload::Deflated(bytes) => ValueRef::Blob(bytes),
        }
    }

    #[test]
    fn payloads_of_every_length_come_back_whole_and_cut() {
        for length in [0, 1, 4095, 4096, 4097, 300_000] {
            let payload: String = "ä\0b".chars().cycle().take(length).collect();
            let stored = StoredPayload::encode(&payload).unwrap();
            assert_eq!(decode(value(&stored)).unwrap(), payload, "{length}");
            let start: String = payload.chars().take(160).collect();
            assert_eq!(decode_start(value(&stored), 160).unwrap(), start, "{length}");
        }
    }

    #[test]
    fn a_long_payload_takes_less_room() {
        assert!(StoredPayload::encode(&"frame ".repeat(10_000)).unwrap().len_bytes() < 1_000);
    }
}
