// SPDX-License-Identifier: Apache-2.0
//! Taking a record in: validate, store durably, or keep aside what its sender would try again for hours.

use crate::config::QuarantinePolicy;
use crate::error::{Error, Kind, Result};
use crate::ingest::{Post, accept};
use crate::model::quarantine::NewQuarantined;
use crate::model::record::{NewRecord, Record};
use crate::ops::App;
use crate::store::Stored;
use std::net::IpAddr;

/// Of a body over the limit, quarantine keeps this much.
const CUT_BODY_BYTES: usize = 64 << 10;

/// A post with where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Collected<'a> {
    /// Fields and body.
    pub post: Post<'a>,
    /// Request line and fields as they came.
    pub head: &'a [u8],
    /// The sender.
    pub peer: IpAddr,
}

/// What became of a post that was not refused.
#[derive(Debug)]
pub enum Outcome {
    /// It is stored durably, now or the first time it was sent.
    Stored(Box<Record>),
    /// It is in quarantine; the message says which rule it broke.
    Quarantined(String),
}

/// Takes a post in. Kinds: Invalid, TooLarge or UnsupportedMedia where it is refused, TooOften where it brings a new
/// string beyond the bound of the day and nothing is kept aside, Busy where it cannot be stored now; in all cases
/// nothing was stored.
pub fn collect(app: &App, collected: &Collected<'_>) -> Result<Outcome> {
    match accept(&collected.post, &app.ingest_limits()) {
        Ok(record) => match store(app, record) {
            // Whoever sends it: nobody is to grow the tables of strings without end.
            Err(error)
                if error.kind() == Kind::TooOften && app.config.quarantine != QuarantinePolicy::None =>
            {
                keep_aside(app, collected, error.message().to_owned())
            }
            stored => Ok(Outcome::Stored(Box::new(stored?))),
        },
        Err(refusal) if refusal.is_of_record && is_kept_aside(app, collected) => {
            keep_aside(app, collected, refusal.message)
        }
        Err(refusal) => Err(Error::from(refusal)),
    }
}

fn keep_aside(app: &App, collected: &Collected<'_>, reason: String) -> Result<Outcome> {
    let body = collected.post.body;
    let is_cut = collected.post.is_body_cut || body.len() > app.config.payload_bytes_max;
    let kept = if is_cut { &body[..body.len().min(CUT_BODY_BYTES)] } else { body };
    let post = NewQuarantined {
        reason: reason.clone(),
        peer: collected.peer.to_string(),
        head: collected.head.to_vec(),
        body: kept.to_vec(),
        is_body_cut: kept.len() < body.len() || collected.post.is_body_cut,
    };
    app.store.insert_quarantined(post, app.quarantine_bounds())?;
    Ok(Outcome::Quarantined(reason))
}

/// Stores a validated record and returns it as it is stored. TooOften where the day has brought too many new strings.
pub fn store(app: &App, record: NewRecord) -> Result<Record> {
    let stored = app.store.insert_post(&record, app.config.new_values_per_day_max)?;
    app.counters.note_stored(stored.is_new);
    as_stored(app, stored, record)
}

/// The record that an answer shows: `record` as it was stored now, or what was stored when it came first.
pub fn as_stored(app: &App, stored: Stored, record: NewRecord) -> Result<Record> {
    if stored.is_new {
        return Ok(Record { id: stored.id, received_at: stored.received_at, content: record });
    }
    // Sent again: the answer shows what the first sending stored.
    let found = app.store.find_record(stored.id)?;
    Ok(found.unwrap_or(Record { id: stored.id, received_at: stored.received_at, content: record }))
}

/// The real client sends no `User-Agent`; scripts and curl do, and read the refusal.
fn is_kept_aside(app: &App, collected: &Collected<'_>) -> bool {
    match app.config.quarantine {
        QuarantinePolicy::None => false,
        QuarantinePolicy::All => true,
        QuarantinePolicy::Unattended => {
            !collected.post.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent"))
        }
    }
}
