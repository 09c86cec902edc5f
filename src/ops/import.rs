// SPDX-License-Identifier: Apache-2.0
//! Records out of files: what `muster export` wrote, and the tables of the original telemetrics-backend.
//!
//! A file is read row by row from its beginning, also where it goes on after it was cut off: what is before the stored
//! offset is passed over. Rows go into the database in short transactions with pauses between them, so that a running
//! server's posts get their turn; reception times are kept, and records of one batch are stored in their order.

pub mod draft;
pub mod muster;
pub mod postgres;
pub mod rejects;
pub mod rows;
pub mod source;

use crate::error::{Error, Result};
use crate::ingest::Limits;
use crate::model::audit::Actor;
use crate::model::time::DAY_SECS;
use crate::ops::App;
use crate::ops::import::draft::Rejected;
use crate::ops::import::muster::{CsvHead, Unknown, from_json};
use crate::ops::import::postgres::{CopyReader, Table};
use crate::ops::import::rejects::{Frame, Rejects};
use crate::ops::import::rows::{RawRow, RawRows, Shape};
use crate::ops::import::source::Source;
use crate::store::{Import, ImportItem, ImportProgress, Lock};
use std::io::BufRead;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How a file of SQLite begins.
const DATABASE_MAGIC: &[u8] = b"SQLite format 3\0";
/// Most rows of a batch, and how many the first has.
const BATCH_ROWS_MAX: usize = 5_000;
const BATCH_ROWS_FIRST: usize = 500;
const BATCH_ROWS_MIN: usize = 100;
/// A batch ends after this many bytes of rows.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// A transaction is to take no longer before it is committed: a post waits for it.
const TRANSACTION_GOAL: Duration = Duration::from_millis(30);
/// Between two transactions. A writer that waits looks every 25 ms or so.
const PAUSE: Duration = Duration::from_millis(30);
/// What a row may have beside six bytes for each of a payload.
const BYTES_BESIDE_PAYLOAD: usize = 64 << 10;
const LOCK_NAME: &str = "import.lock";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Muster's own, one JSON object a line.
    Ndjson,
    /// Muster's own, with a header line.
    Csv,
    /// `COPY` text of the original's tables, or a plain dump with it.
    Postgres,
}

impl Format {
    /// The format that a word of the command line means.
    pub fn from_word(word: &str) -> Option<Format> {
        match word {
            "ndjson" => Some(Format::Ndjson),
            "csv" => Some(Format::Csv),
            "postgres" => Some(Format::Postgres),
            _ => None,
        }
    }

    /// The format that a file begins like; the error says what to do.
    fn guess(beginning: &[u8]) -> Rejected<Format> {
        if beginning.starts_with(b"PGDMP") {
            return Err("It is an archive of pg_dump; make it plain with `pg_restore -f FILE.sql`".to_owned());
        }
        let lines = beginning.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let Some(first) = lines.next() else { return Ok(Format::Ndjson) };
        let has = |word: &str| first.windows(word.len()).any(|part| part == word.as_bytes());
        if first.starts_with(b"--") || first.starts_with(b"COPY ") {
            // Before the names of columns are looked at: the statement has them too.
            Ok(Format::Postgres)
        } else if first.starts_with(b"{") {
            Ok(Format::Ndjson)
        } else if has("classification,") || has(",severity") {
            Ok(Format::Csv)
        } else if first.contains(&b'\t') {
            Ok(Format::Postgres)
        } else {
            Err("Its format is not known; name it with --format ndjson, csv or postgres".to_owned())
        }
    }
}

/// How a file is imported.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it holds; none: guessed.
    pub format: Option<Format>,
    /// The table of a `COPY` file; none: guessed.
    pub table: Option<Table>,
    /// Reads and judges only.
    pub is_dry_run: bool,
}

/// How an import ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The counts.
    pub progress: ImportProgress,
    /// Where it went on; 0 where it began.
    pub resumed_at: u64,
    /// Why it is not the whole file; none where it is.
    pub cut: Option<String>,
    /// Records that `retention.days` removes at the next purge where no rule keeps them.
    pub old_records: u64,
}

/// Imports a file. `tell` is shown how many of its bytes were read, and the counts. Kinds: Usage where the file as a
/// whole is not understood, Busy where the disk is full or the database held: it goes on later; Busy also where
/// another import runs.
pub fn import(
    app: &App,
    source: Source,
    options: &Options,
    rejects: &mut Rejects,
    actor: &Actor,
    tell: &mut dyn FnMut(u64, &ImportProgress),
) -> Result<Outcome> {
    let (name, digest, read_bytes) = (source.name.clone(), source.digest, source.read_bytes());
    let bytes_max = app.config.payload_bytes_max.saturating_mul(6).saturating_add(BYTES_BESIDE_PAYLOAD);
    let (beginning, reader) = source.into_parts(bytes_max);
    let refuse = |why: String| Error::usage(format!("{name}: {why}"));
    if beginning.starts_with(DATABASE_MAGIC) {
        return Err(refuse(
            "this is a database, not a file of rows; a backup is taken by `muster restore`".to_owned(),
        ));
    }
    let format = options.format.map_or_else(|| Format::guess(&beginning), Ok).map_err(refuse)?;
    let reading = Reading::new(format, options.table, &beginning).map_err(refuse)?;
    let shape = if format == Format::Csv { Shape::Csv } else { Shape::Lines };
    // Two at once would store a file's records twice: neither knows what the other stores.
    let _lock = (!options.is_dry_run)
        .then(|| Lock::take_named(&app.config.data_dir, LOCK_NAME, "muster import"))
        .transpose()?;
    let digest = digest.filter(|_| !options.is_dry_run);
    let mut import = app.store.begin_import(digest, &name, app.config.disk_reserve_bytes, actor)?;
    rejects.begin((import.rejects_path(), import.progress().rejects_bytes))?;
    import.set_rejects_path(rejects.place());
    let resumed_at = import.progress().offset_bytes;
    let days = app.config.retention.days;
    let mut run = Run {
        app,
        name: &name,
        is_dry_run: options.is_dry_run,
        progress: import.progress(),
        import,
        reading,
        rejects,
        resumed_at,
        kept_from: if days > 0 { app.clock.now() - days * DAY_SECS } else { i64::MIN },
        old_records: 0,
        batch_rows: BATCH_ROWS_FIRST,
    };
    let mut rows = RawRows::new(reader, shape, bytes_max);
    let cut = run.all(&mut rows, &mut |progress| tell(read_bytes.load(Ordering::Relaxed), progress))?;
    Ok(Outcome { progress: run.progress, resumed_at, cut, old_records: run.old_records })
}

/// How the rows of a file are read.
enum Reading {
    Ndjson(Unknown),
    Csv { head: Option<CsvHead>, unknown: Unknown },
    Postgres(CopyReader),
}

impl Reading {
    fn new(format: Format, table: Option<Table>, beginning: &[u8]) -> Rejected<Reading> {
        Ok(match format {
            Format::Ndjson => Reading::Ndjson(Unknown::default()),
            Format::Csv => Reading::Csv { head: None, unknown: Unknown::default() },
            Format::Postgres => {
                let first = beginning.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
                let is_dump = |line: &[u8]| line.starts_with(b"--") || line.starts_with(b"COPY ");
                let is_dump = is_dump(first)
                    || beginning.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"COPY "));
                Reading::Postgres(match is_dump && table.is_none() {
                    true => CopyReader::of_dump(),
                    false => CopyReader::of_table(table, first)?,
                })
            }
        })
    }

    /// What a row brings; none where it is no row of data. The outer error is about the whole file.
    fn item(
        &mut self,
        row: &RawRow,
        is_skipped: bool,
        limits: &Limits<'_>,
    ) -> Rejected<Option<Rejected<ImportItem>>> {
        match self {
            Reading::Postgres(reader) => reader.line(&row.bytes, is_skipped, limits),
            Reading::Csv { head: Some(_), .. } | Reading::Ndjson(_) if is_skipped => Ok(None),
            Reading::Ndjson(unknown) => Ok(from_json(&row.bytes, limits, unknown)),
            Reading::Csv { head: Some(head), .. } => Ok(head.item(&row.bytes, limits)),
            Reading::Csv { head, unknown } => {
                let bytes = &row.bytes;
                if !bytes.starts_with(b"#") && !bytes.trim_ascii().is_empty() {
                    *head = Some(CsvHead::read(bytes, unknown)?);
                }
                Ok(None)
            }
        }
    }

    /// What makes a rejected row readable again.
    fn frame(&self, row: &RawRow) -> Frame {
        match self {
            Reading::Ndjson(_) => Frame { comment: "#", ..Frame::default() },
            Reading::Csv { head, .. } => Frame {
                comment: "#",
                head: head.as_ref().map(|head| head.row.clone()).unwrap_or_default(),
                tail: "",
                is_lost: row.is_too_long,
            },
            Reading::Postgres(reader) => Frame {
                comment: "--",
                head: reader.head(&row.bytes).into_bytes(),
                tail: "\\.",
                is_lost: false,
            },
        }
    }

    /// True where a row that begins with `#` is a comment.
    fn has_comments(&self) -> bool {
        !matches!(self, Reading::Csv { head: Some(head), .. } if !head.has_comments())
    }

    /// True where a row without a line end is cut; a JSON object shows its end by itself.
    fn needs_line_end(&self) -> bool {
        !matches!(self, Reading::Ndjson(_))
    }
}

struct Run<'a> {
    app: &'a App,
    name: &'a str,
    is_dry_run: bool,
    import: Import,
    progress: ImportProgress,
    reading: Reading,
    rejects: &'a mut Rejects,
    resumed_at: u64,
    kept_from: i64,
    old_records: u64,
    batch_rows: usize,
}

/// Rows that are read and not stored yet.
#[derive(Default)]
struct Batch {
    items: Vec<ImportItem>,
    rows: usize,
    bytes: usize,
    rejected: bool,
}

impl Run<'_> {
    /// Reads to the end; why that is not the end of a whole file, where it is not.
    fn all<R: BufRead>(
        &mut self,
        rows: &mut RawRows<R>,
        tell: &mut dyn FnMut(&ImportProgress),
    ) -> Result<Option<String>> {
        let app = self.app;
        let limits = app.ingest_limits();
        let mut batch = Batch::default();
        let mut is_last_cut = false;
        while let Some(row) = rows.next_row() {
            is_last_cut = self.take(&row, &limits, &mut batch)?;
            rows.set_comments(self.reading.has_comments());
            if batch.rows >= self.batch_rows || batch.bytes >= BATCH_BYTES_MAX {
                self.store(std::mem::take(&mut batch), false)?;
                tell(&self.progress);
            }
        }
        let cut = match rows.failure() {
            Some(error) => Some(format!("It cannot be read on: {error}")),
            None if is_last_cut => Some("It ends in the middle of a row, which was rejected".to_owned()),
            None => match &self.reading {
                Reading::Postgres(reader) => reader.lacks().map(str::to_owned),
                _ => None,
            },
        };
        // What could not be read may be readable another time.
        self.store(batch, rows.failure().is_none())?;
        tell(&self.progress);
        Ok(cut)
    }

    /// Reads a row into the batch; true where the file ends in its middle.
    fn take(&mut self, row: &RawRow, limits: &Limits<'_>, batch: &mut Batch) -> Result<bool> {
        let is_skipped = row.end <= self.resumed_at;
        let item = if row.is_too_long {
            let is_data = !matches!(&self.reading, Reading::Postgres(reader) if reader.statement().is_none());
            (is_data && !is_skipped).then(|| Err("The row is longer than any that is allowed".to_owned()))
        } else {
            let item = self.reading.item(row, is_skipped, limits);
            item.map_err(|why| Error::usage(format!("{}, line {}: {why}", self.name, row.line)))?
        };
        if is_skipped {
            return Ok(false);
        }
        self.progress.offset_bytes = row.end;
        batch.rows += 1;
        batch.bytes += row.bytes.len();
        let is_cut = !row.is_ended && (self.reading.needs_line_end() || matches!(item, Some(Err(_))));
        let item = match item {
            Some(Ok(_)) if is_cut => Some(Err("The file ends in the middle of it".to_owned())),
            item => item,
        };
        let is_cut = is_cut && item.is_some();
        // Else the batch tells when it is stored.
        let is_held = match &item {
            Some(Ok(item)) if self.is_dry_run => self.import.is_held(item)?,
            _ => false,
        };
        match item {
            None => {}
            Some(Ok(_)) if is_held => self.progress.rows_known += 1,
            Some(Err(reason)) => self.reject(row, &reason, batch)?,
            Some(Ok(ImportItem::Record(record, at))) if self.import.is_known(&record, at)? => {
                self.progress.rows_known += 1;
            }
            Some(Ok(ImportItem::Blacklisted(entry))) if !self.import.takes_entry(&entry)? => {
                self.reject(row, "The blacklist is full; remove some entries of your own first", batch)?;
            }
            Some(Ok(item)) => {
                if let ImportItem::Record(_, at) = &item {
                    self.old_records += u64::from(*at < self.kept_from);
                }
                batch.items.push(item);
            }
        }
        Ok(is_cut)
    }

    fn reject(&mut self, row: &RawRow, reason: &str, batch: &mut Batch) -> Result<()> {
        self.progress.rows_rejected += 1;
        batch.rejected = true;
        let place = match row.last_line > row.line {
            // A quote that is not closed takes rows along: who corrects it must know which.
            true => format!("{}, lines {} to {}", self.name, row.line, row.last_line),
            false => format!("{}, line {}", self.name, row.line),
        };
        self.rejects.add(&place, reason, &row.bytes, &self.reading.frame(row))?;
        self.progress.rejects_bytes = self.rejects.len_bytes();
        Ok(())
    }

    /// Stores a batch and lets others write.
    fn store(&mut self, mut batch: Batch, is_done: bool) -> Result<()> {
        if self.is_dry_run {
            self.progress.rows_stored += batch.items.len() as u64;
            return Ok(());
        }
        // Within a batch the order of the reception times costs nothing, and keeps `clock_steps` short.
        batch.items.sort_by_key(|item| match item {
            ImportItem::Record(_, at) => *at,
            _ => i64::MIN,
        });
        if batch.rejected {
            self.rejects.sync()?;
        }
        let took = self.import.store(&batch.items, self.progress, is_done, self.app.clock.now())?;
        self.progress = self.import.progress();
        if took > TRANSACTION_GOAL {
            self.batch_rows = (self.batch_rows / 2).max(BATCH_ROWS_MIN);
        } else if took < TRANSACTION_GOAL / 2 {
            self.batch_rows = (self.batch_rows * 3 / 2).min(BATCH_ROWS_MAX);
        }
        if !is_done {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}
