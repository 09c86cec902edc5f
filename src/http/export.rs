// SPDX-License-Identifier: Apache-2.0
//! Many records as one streamed body: short reads by id, nothing held while the socket is written.

use crate::error::Result;
use crate::http::csv_rows::{EXPORT_COLUMNS, export_line};
use crate::model::csv_line::line;
use crate::model::filter::RecordFilter;
use crate::model::record::Record;
use crate::model::record_row::{COLUMNS, RecordRow};
use crate::model::time::utc_text;
use crate::ops::App;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

/// Most rows of one read of the database; where payloads are long, it is one. A payload may have 300 KiB, and whoever
/// does not read its answer makes us hold what was read: with 50 rows eight such clients took 254 MB (measured).
const ROWS_PER_READ_MAX: usize = 8;
/// Bytes of the answer that are made of several reads before they are sent.
const BYTES_PER_REFILL: usize = 64 << 10;
/// Ids that a walk searches for at a time.
const IDS_PER_SEARCH: usize = 500;

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"records": [ … ]}`.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// All fields, a header line first.
    Csv,
    /// The browser's export: few fields, a header line first.
    ExportCsv,
}

impl Format {
    /// The content type of the body.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv | Format::ExportCsv => "text/csv; charset=utf-8",
        }
    }

    fn begin(self) -> Result<Vec<u8>> {
        match self {
            Format::Json => Ok(b"{\"records\":[".to_vec()),
            Format::Ndjson => Ok(Vec::new()),
            Format::Csv => line(&COLUMNS),
            Format::ExportCsv => line(&EXPORT_COLUMNS),
        }
    }

    fn add(self, bytes: &mut Vec<u8>, record: &Record, is_first: bool) -> Result<()> {
        let json = |bytes: &mut Vec<u8>| {
            serde_json::to_writer(bytes, &RecordRow::new(record, utc_text)).map_err(|error| {
                crate::error::Error::internal("Cannot write a record as JSON").because(error)
            })
        };
        match self {
            Format::Json => {
                if !is_first {
                    bytes.push(b',');
                }
                json(bytes)
            }
            Format::Ndjson => {
                json(bytes)?;
                bytes.push(b'\n');
                Ok(())
            }
            Format::Csv => {
                bytes.extend(RecordRow::new(record, utc_text).csv()?);
                Ok(())
            }
            Format::ExportCsv => {
                bytes.extend(export_line(record)?);
                Ok(())
            }
        }
    }

    fn end(self) -> &'static [u8] {
        if self == Format::Json { b"]}" } else { b"" }
    }
}

/// Where the rows come from.
pub enum Source {
    /// These ids, already searched for.
    Ids(VecDeque<i64>),
    /// Everything that matches, below an id that was fixed at the start.
    Walk {
        /// What matches.
        filter: Box<RecordFilter>,
        /// Only ids below this.
        below_id: Option<i64>,
        /// What was found of them and is not yet read.
        ids: VecDeque<i64>,
    },
}

/// The body: reads from the database whenever what it has is sent.
pub struct RecordsBody {
    app: Arc<App>,
    format: Format,
    source: Source,
    bytes: Vec<u8>,
    sent: usize,
    rows_per_read: usize,
    is_begun: bool,
    is_first_row: bool,
    is_over: bool,
}

impl RecordsBody {
    /// The rows of `source` in `format`.
    pub fn new(app: Arc<App>, format: Format, source: Source) -> RecordsBody {
        RecordsBody {
            app,
            format,
            source,
            bytes: Vec::new(),
            sent: 0,
            rows_per_read: 1,
            is_begun: false,
            is_first_row: true,
            is_over: false,
        }
    }

    fn refill(&mut self) -> Result<()> {
        self.bytes.clear();
        self.sent = 0;
        if !self.is_begun {
            self.is_begun = true;
            self.bytes = self.format.begin()?;
        }
        while !self.is_over && self.bytes.len() < BYTES_PER_REFILL {
            let before = self.bytes.len();
            for record in &self.next_records()? {
                self.format.add(&mut self.bytes, record, self.is_first_row)?;
                self.is_first_row = false;
            }
            let is_long = self.bytes.len() - before > BYTES_PER_REFILL;
            self.rows_per_read = if is_long { 1 } else { ROWS_PER_READ_MAX };
        }
        if self.is_over {
            self.bytes.extend_from_slice(self.format.end());
        }
        Ok(())
    }

    fn next_records(&mut self) -> Result<Vec<Record>> {
        let mut is_found_all = true;
        let ids = match &mut self.source {
            Source::Ids(ids) => ids,
            Source::Walk { filter, below_id, ids } => {
                if ids.is_empty() {
                    *ids = self.app.store.list_record_ids(filter, *below_id, IDS_PER_SEARCH)?.into();
                    *below_id = ids.back().copied();
                }
                // Below the last id found there may be more; where none was found there is none.
                is_found_all = ids.is_empty();
                ids
            }
        };
        let batch: Vec<i64> = ids.drain(..ids.len().min(self.rows_per_read)).collect();
        self.is_over = ids.is_empty() && is_found_all;
        self.app.store.find_records(&batch)
    }
}

impl Read for RecordsBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.sent == self.bytes.len() {
            if self.is_over {
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
