// SPDX-License-Identifier: Apache-2.0
//! Keeping the write-ahead log short while records pour in.
//!
//! A thread copies the log into the database (PASSIVE, beside the writer), then the writer itself copies the short
//! tail that came meanwhile and truncates the log, between two batches. A thread alone is not enough: the writer
//! would always have appended before the log could start anew, and it grew to 4.8 GB in 16 s (measured).
//!
//! Where somebody reads for long (a backup), the log cannot be copied beyond what he sees. Then it is tried ever more
//! seldom, and what has piled up is copied by the thread, not by the writer, before the writer truncates.
//!
//! Where the disk is short, the writer truncates the log long before: what it holds takes room that the next
//! transaction needs, and has to fit into the file once more.

use crate::error::{Error, Result};
use crate::store::disk::SHORT_BYTES;
use crate::store::error::is_of_full_disk;
use crate::store::gate::Gate;
use crate::store::open;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Past this many bytes the log is copied back.
pub const WAL_BYTES_THRESHOLD: u64 = 32 << 20;
/// How long to wait before the next try when a reader kept the log from being truncated.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The longest such wait; each is twice the one before.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(1);
/// How often it is tried to empty the log when somebody wants its space.
const EMPTY_TRIES: usize = 10;
/// What the writer copies itself at most, as long as the thread is faster than the posts.
const TAIL_BYTES_MAX: u64 = 16 << 20;

/// How long readers may take to leave when they are kept out.
const CLOSED_MOST: Duration = Duration::from_millis(400);

/// How far the thread came the last time.
#[derive(Debug, Default)]
struct Backfilled {
    /// The length of the log when it began.
    wal_bytes: AtomicU64,
    /// What it could not copy of that because of a reader.
    left_bytes: AtomicU64,
}

/// The writer's side of checkpointing.
#[derive(Debug)]
pub struct Checkpointer {
    wal: PathBuf,
    wish: Option<SyncSender<()>>,
    is_backfilled: Arc<AtomicBool>,
    backfilled: Arc<Backfilled>,
    is_wished: bool,
    /// What came while the thread copied, the last time in this round.
    last_tail_bytes: Option<u64>,
    not_before: Option<Instant>,
    retry_after: Duration,
    thread: Option<JoinHandle<()>>,
    gate: Arc<Gate>,
}

impl Checkpointer {
    /// Starts the thread that copies the log of the database at `path`.
    pub fn start(path: &Path, gate: Arc<Gate>) -> Result<Checkpointer> {
        let is_backfilled = Arc::new(AtomicBool::new(false));
        let (wish, wishes) = sync_channel::<()>(1);
        let backfilled = Arc::<Backfilled>::default();
        let (flag, outcome, database) =
            (Arc::clone(&is_backfilled), Arc::clone(&backfilled), path.to_owned());
        let work = move || {
            while wishes.recv().is_ok() {
                outcome.wal_bytes.store(wal_bytes(&open::wal_path(&database)), Ordering::Relaxed);
                match backfill(&database) {
                    Ok(left) => outcome.left_bytes.store(left, Ordering::Relaxed),
                    Err(error) => log::warn!("Cannot checkpoint: {}", error.with_causes()),
                }
                flag.store(true, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(work)
            .map_err(|error| Error::internal("Cannot start the checkpoint thread").because(error))?;
        Ok(Checkpointer {
            wal: open::wal_path(path),
            wish: Some(wish),
            is_backfilled,
            backfilled,
            is_wished: false,
            last_tail_bytes: None,
            not_before: None,
            retry_after: RETRY_AFTER,
            thread: Some(thread),
            gate,
        })
    }

    /// Called by the writer between two batches.
    pub fn after_commit(&mut self, connection: &Connection) {
        if self.is_wished {
            let is_due = self.not_before.is_none_or(|at| Instant::now() >= at);
            if is_due && self.is_backfilled.load(Ordering::Acquire) {
                self.end_round(connection);
            }
            return;
        }
        if wal_bytes(&self.wal) > WAL_BYTES_THRESHOLD {
            self.wish();
        }
    }

    /// Called by the writer before a batch, with the bytes that are free on the disk: where that is short, the log takes
    /// a quarter of them at most.
    pub fn make_room(&mut self, connection: &Connection, free_bytes: u64) {
        let is_due = self.not_before.is_none_or(|at| Instant::now() >= at);
        if free_bytes >= SHORT_BYTES || !is_due || wal_bytes(&self.wal) <= free_bytes / 4 {
            return;
        }
        if truncate_or_tell(connection) {
            self.not_before = None;
            self.retry_after = RETRY_AFTER;
        } else {
            self.put_off();
        }
    }

    /// Lets the thread copy; nothing where it is still at it.
    fn wish(&mut self) {
        if let Some(wish) = &self.wish {
            self.is_backfilled.store(false, Ordering::Release);
            self.is_wished = wish.try_send(()).is_ok();
        }
    }

    /// The thread has copied: truncates the log, or has it copy again.
    fn end_round(&mut self, connection: &Connection) {
        if self.backfilled.left_bytes.load(Ordering::Relaxed) > TAIL_BYTES_MAX {
            // Somebody reads what was before that, and truncating would wait for him.
            self.put_off();
            self.wish();
            return;
        }
        let tail = wal_bytes(&self.wal).saturating_sub(self.backfilled.wal_bytes.load(Ordering::Relaxed));
        // A thread that is slower than the posts would copy for ever.
        let is_outrun = self.last_tail_bytes.replace(tail).is_some_and(|last| tail >= last);
        if tail > TAIL_BYTES_MAX && !is_outrun {
            self.wish();
            return;
        }
        self.last_tail_bytes = None;
        if truncate_or_tell(connection) || self.truncate_alone(connection) {
            self.is_wished = false;
            self.not_before = None;
            self.retry_after = RETRY_AFTER;
        } else {
            self.put_off();
        }
    }

    fn put_off(&mut self) {
        self.not_before = Some(Instant::now() + self.retry_after);
        self.retry_after = (self.retry_after * 2).min(RETRY_AFTER_MOST);
    }

    /// Where the log is very long because readers follow one another, keeps them out for the moment that it takes.
    fn truncate_alone(&self, connection: &Connection) -> bool {
        let is_very_long = wal_bytes(&self.wal) > WAL_BYTES_THRESHOLD / 2 * 3;
        is_very_long && self.gate.close(CLOSED_MOST).is_some_and(|_closed| truncate_or_tell(connection))
    }

    /// Ends the thread and empties the log.
    pub fn finish(&mut self, connection: &Connection) {
        self.wish = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The checkpoint thread panicked");
        }
        match truncate(connection) {
            Ok(true) => {}
            Ok(false) => log::info!("The log is left for the next start to copy: somebody still reads it"),
            Err(error) if is_of_full_disk(&error) => {
                log::warn!(
                    "The log is left for the next start to copy: the disk has no room for what it holds"
                );
            }
            Err(error) => {
                log::warn!("The log is left for the next start to copy: {}", error.with_causes());
            }
        }
    }
}

/// Copies the log back and empties it, beside the writer and between its batches; false where somebody reads all the
/// while.
pub fn empty(path: &Path) -> Result<bool> {
    let connection = open::open_writer(path)?;
    // The greater part without keeping anybody from writing.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    for _ in 0..EMPTY_TRIES {
        if truncate(&connection)? {
            return Ok(true);
        }
        std::thread::sleep(RETRY_AFTER);
    }
    Ok(false)
}

/// Bytes of a log file, 0 where there is none.
pub fn wal_bytes(wal: &Path) -> u64 {
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

/// Copies what can be copied; bytes of the log that a reader kept from it.
fn backfill(path: &Path) -> Result<u64> {
    let connection = open::open_writer(path)?;
    // Frames in the log and frames copied; -1 both where another connection was copying.
    let left: i64 = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })?;
    Ok(left.max(0).unsigned_abs() * open::pragma(&connection, "page_size")?.unsigned_abs())
}

/// Likewise [`truncate`]; an error is told and is no more than another false.
fn truncate_or_tell(connection: &Connection) -> bool {
    truncate(connection).unwrap_or_else(|error| {
        log::debug!("Cannot truncate the log: {}", error.with_causes());
        false
    })
}

/// Copies what is left of the log and empties it; false where a reader or another process is in the way.
fn truncate(connection: &Connection) -> Result<bool> {
    // Posts wait behind this: rather try again than wait for a reader.
    let outcome = connection.busy_timeout(Duration::from_millis(20)).and_then(|()| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
    });
    if let Err(error) = open::wait_for_turns(connection) {
        log::warn!("Cannot set how the writer waits: {error}");
    }
    Ok(outcome? == 0)
}
