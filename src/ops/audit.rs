// SPDX-License-Identifier: Apache-2.0
//! The audit log: pages of it, and all of it as one text in short reads.

use crate::error::{Error, Result};
use crate::model::audit::{AuditEntry, AuditFilter};
use crate::model::csv_line::{guarded, line};
use crate::model::time::utc_text;
use crate::model::visible::plain;
use crate::ops::App;
use std::io::{self, Read};

/// Entries that are read together.
const ENTRIES_PER_READ: usize = 50;
/// The columns of CSV.
const COLUMNS: [&str; 8] = ["id", "time", "actor", "origin", "action", "subject", "before", "after"];

/// Entries, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditPage {
    /// At most as many as were asked for.
    pub entries: Vec<AuditEntry>,
    /// Older ones have ids below this; none where there are none.
    pub next_below_id: Option<i64>,
}

/// A page of the entries that a filter chooses.
pub fn page(app: &App, filter: &AuditFilter, below_id: Option<i64>, rows_max: usize) -> Result<AuditPage> {
    let mut entries = app.store.list_audit(filter, below_id, rows_max + 1)?;
    let has_more = entries.len() > rows_max;
    entries.truncate(rows_max);
    let next_below_id = entries.last().filter(|_| has_more).map(|entry| entry.id);
    Ok(AuditPage { entries, next_below_id })
}

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFormat {
    /// For people: a line for each entry, and one below it for each field that changed.
    Text,
    /// A header line and a line for each entry; a cell that a spreadsheet would take for a formula is guarded.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl AuditFormat {
    /// The format that a word means.
    pub fn from_word(word: &str) -> Option<AuditFormat> {
        match word {
            "text" => Some(AuditFormat::Text),
            "csv" => Some(AuditFormat::Csv),
            "ndjson" => Some(AuditFormat::Ndjson),
            _ => None,
        }
    }

    fn begin(self) -> Result<Vec<u8>> {
        if self == AuditFormat::Csv { line(&COLUMNS) } else { Ok(Vec::new()) }
    }

    fn add(self, bytes: &mut Vec<u8>, entry: &AuditEntry) -> Result<()> {
        match self {
            AuditFormat::Text => bytes.extend(entry_text(entry).into_bytes()),
            AuditFormat::Csv => bytes.extend(entry_line(entry)?),
            AuditFormat::Ndjson => {
                serde_json::to_writer(&mut *bytes, entry)
                    .map_err(|error| Error::internal("Cannot write an audit entry").because(error))?;
                bytes.push(b'\n');
            }
        }
        Ok(())
    }
}

fn entry_line(entry: &AuditEntry) -> Result<Vec<u8>> {
    let json = |value: &Option<serde_json::Value>| {
        value.as_ref().map(serde_json::Value::to_string).unwrap_or_default()
    };
    let (before, after) = (json(&entry.before), json(&entry.after));
    line(&[
        entry.id.to_string().as_bytes(),
        utc_text(entry.changed_at).as_bytes(),
        guarded(&entry.actor).as_bytes(),
        guarded(&entry.origin).as_bytes(),
        guarded(&entry.action).as_bytes(),
        guarded(&entry.subject).as_bytes(),
        guarded(&before).as_bytes(),
        guarded(&after).as_bytes(),
    ])
}

/// An entry for a terminal.
fn entry_text(entry: &AuditEntry) -> String {
    let mut text = format!(
        "{}  {} ({})  {}  {}\n",
        utc_text(entry.changed_at),
        plain(&entry.actor),
        plain(&entry.origin),
        plain(&entry.action),
        plain(&entry.subject)
    );
    for change in entry.changes() {
        let name = if change.name.is_empty() { String::new() } else { format!("{}: ", plain(&change.name)) };
        let change = match (change.before, change.after) {
            (Some(before), Some(after)) => format!("{} -> {}", plain(&before), plain(&after)),
            (Some(before), None) => format!("was {}", plain(&before)),
            (None, Some(after)) => plain(&after),
            (None, None) => continue,
        };
        text.push_str(&format!("    {name}{change}\n"));
    }
    text
}

/// Entries as one text, newest first, read from the database a few at a time while it is fetched.
#[derive(Debug)]
pub struct AuditText<A> {
    app: A,
    format: AuditFormat,
    filter: AuditFilter,
    below_id: Option<i64>,
    rows_left: usize,
    bytes: Vec<u8>,
    sent: usize,
    is_begun: bool,
}

impl<A: std::ops::Deref<Target = App>> AuditText<A> {
    /// The entries that a filter chooses, at most `rows_max`.
    pub fn new(app: A, format: AuditFormat, filter: AuditFilter, rows_max: usize) -> AuditText<A> {
        let rows_left = rows_max;
        AuditText {
            app,
            format,
            filter,
            below_id: None,
            rows_left,
            bytes: Vec::new(),
            sent: 0,
            is_begun: false,
        }
    }

    fn refill(&mut self) -> Result<()> {
        (self.bytes, self.sent) = (Vec::new(), 0);
        if !std::mem::replace(&mut self.is_begun, true) {
            self.bytes = self.format.begin()?;
        }
        let page = page(&self.app, &self.filter, self.below_id, self.rows_left.min(ENTRIES_PER_READ))?;
        for entry in &page.entries {
            self.format.add(&mut self.bytes, entry)?;
        }
        self.rows_left -= page.entries.len();
        self.below_id = page.next_below_id;
        if self.below_id.is_none() {
            self.rows_left = 0;
        }
        Ok(())
    }
}

impl<A: std::ops::Deref<Target = App>> Read for AuditText<A> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.sent == self.bytes.len() {
            if self.rows_left == 0 && self.is_begun {
                return Ok(0);
            }
            // The connection is cut then, so that nobody takes the half for the whole.
            self.refill().map_err(|error| io::Error::other(error.with_causes()))?;
        }
        let count = buffer.len().min(self.bytes.len() - self.sent);
        buffer[..count].copy_from_slice(&self.bytes[self.sent..self.sent + count]);
        self.sent += count;
        Ok(count)
    }
}
