// SPDX-License-Identifier: Apache-2.0
//! Records with every field, oldest id first, as lines that `muster import` and other programs read back.
//!
//! The names are those of the API (`GET /api/records`); times are RFC 3339 in UTC. Nothing is left out and nothing
//! altered: a field that the record's format version lacks is null in NDJSON and empty in CSV, where the version tells
//! it from an empty text.

pub mod follow;

use crate::error::{Error, Result};
use crate::model::csv_line::line;
use crate::model::filter::RecordFilter;
use crate::model::record::Record;
use crate::model::record_row::{COLUMNS, RecordRow};
use crate::model::time::rfc3339;
use crate::ops::App;
use crate::store::{ExportBatch, ExportWalk};
use std::io::{ErrorKind, Write};

/// How the records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180 with a header line, lines end in CRLF. Cells stand as they are, also those that a spreadsheet would take
    /// for a formula.
    Csv,
}

impl Format {
    /// The format that a word of the command line means.
    pub fn from_word(word: &str) -> Option<Format> {
        match word {
            "ndjson" => Some(Format::Ndjson),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }

    /// What stands before the first record.
    pub fn head(self) -> Result<Vec<u8>> {
        match self {
            Format::Ndjson => Ok(Vec::new()),
            Format::Csv => line(&COLUMNS),
        }
    }

    /// A record as a line.
    pub fn line(self, record: &Record) -> Result<Vec<u8>> {
        let row = RecordRow::new(record, rfc3339);
        match self {
            Format::Ndjson => {
                let mut line = serde_json::to_vec(&row)
                    .map_err(|error| Error::internal("Cannot write a record as JSON").because(error))?;
                line.push(b'\n');
                Ok(line)
            }
            Format::Csv => row.csv(),
        }
    }
}

/// How an export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// So many records were written, all there are, but for those that are damaged.
    Whole {
        /// How many.
        written: u64,
        /// How many could not be read; each was told of.
        damaged: u64,
    },
    /// Who read them has gone.
    ReaderGone,
}

/// Writes the records that a filter chooses, of those that are stored now. `progress` is told how many ids of how many
/// were looked at, and how many records were written.
pub fn export(
    app: &App,
    filter: &RecordFilter,
    format: Format,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64, u64),
) -> Result<Ended> {
    let (oldest, newest) = app.store.record_id_bounds()?.unwrap_or((1, 0));
    let total = (newest - oldest + 1).unsigned_abs();
    let mut walk = ExportWalk::new(filter.clone(), oldest - 1);
    let (mut written, mut damaged) = (0, 0);
    let mut lines = format.head()?;
    loop {
        match out.write_all(&lines) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Ended::ReaderGone),
            Err(error) => return Err(cannot_write(error)),
        }
        progress((walk.after_id() - oldest + 1).unsigned_abs(), total, written);
        let Some(batch) = walk.next(&app.store, newest)? else { break };
        lines.clear();
        for record in &batch.records {
            lines.extend(format.line(record)?);
        }
        written += batch.records.len() as u64;
        damaged += tell_damaged(&batch);
    }
    match out.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Ended::ReaderGone),
        Err(error) => Err(cannot_write(error)),
        Ok(()) => Ok(Ended::Whole { written, damaged }),
    }
}

/// Names the records that cannot be read; how many they are.
fn tell_damaged(batch: &ExportBatch) -> u64 {
    for id in &batch.damaged_ids {
        log::error!("Record {id} is damaged and left out; see `muster check`");
    }
    batch.damaged_ids.len() as u64
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::busy("Cannot write the exported records").because(error)
}
