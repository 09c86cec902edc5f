// SPDX-License-Identifier: Apache-2.0
//! Keeping the write-ahead log short while records pour in.
//!
//! A thread copies the log into the database (PASSIVE, beside the writer), then the writer itself copies the short
//! tail that came meanwhile and truncates the log, between two batches. A thread alone is not enough: the writer
//! would always have appended before the log could start anew, and it grew to 4.8 GB in 16 s (measured).

use crate::error::{Error, Result};
use crate::store::gate::Gate;
use crate::store::open;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Past this many bytes the log is copied back.
pub const WAL_BYTES_THRESHOLD: u64 = 32 << 20;
/// How long to wait before the next try when a reader kept the log from being truncated.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How long readers may take to leave when they are kept out.
const CLOSED_MOST: Duration = Duration::from_millis(400);

/// The writer's side of checkpointing.
#[derive(Debug)]
pub struct Checkpointer {
    wal: PathBuf,
    wish: Option<SyncSender<()>>,
    is_backfilled: Arc<AtomicBool>,
    is_wished: bool,
    not_before: Option<Instant>,
    thread: Option<JoinHandle<()>>,
    gate: Arc<Gate>,
}

impl Checkpointer {
    /// Starts the thread that copies the log of the database at `path`.
    pub fn start(path: &Path, gate: Arc<Gate>) -> Result<Checkpointer> {
        let is_backfilled = Arc::new(AtomicBool::new(false));
        let (wish, wishes) = sync_channel::<()>(1);
        let (flag, database) = (Arc::clone(&is_backfilled), path.to_owned());
        let work = move || {
            while wishes.recv().is_ok() {
                if let Err(error) = backfill(&database) {
                    log::warn!("Cannot checkpoint: {}", error.with_causes());
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
            is_wished: false,
            not_before: None,
            thread: Some(thread),
            gate,
        })
    }

    /// Called by the writer between two batches.
    pub fn after_commit(&mut self, connection: &Connection) {
        if self.is_wished {
            if self.is_backfilled.load(Ordering::Acquire)
                && self.not_before.is_none_or(|at| Instant::now() >= at)
            {
                if truncate(connection) || self.truncate_alone(connection) {
                    self.is_wished = false;
                    self.not_before = None;
                } else {
                    self.not_before = Some(Instant::now() + RETRY_AFTER);
                }
            }
            return;
        }
        let is_long = wal_bytes(&self.wal) > WAL_BYTES_THRESHOLD;
        if is_long && let Some(wish) = &self.wish {
            self.is_backfilled.store(false, Ordering::Release);
            self.is_wished = wish.try_send(()).is_ok();
        }
    }

    /// Where the log is very long because readers follow one another, keeps them out for the moment that it takes.
    fn truncate_alone(&self, connection: &Connection) -> bool {
        let is_very_long = wal_bytes(&self.wal) > WAL_BYTES_THRESHOLD / 2 * 3;
        is_very_long && self.gate.close(CLOSED_MOST).is_some_and(|_closed| truncate(connection))
    }

    /// Ends the thread and empties the log.
    pub fn finish(&mut self, connection: &Connection) {
        self.wish = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The checkpoint thread panicked");
        }
        if !truncate(connection) {
            log::info!("The log is left for the next start to copy: somebody still reads it");
        }
    }
}

/// Bytes of a log file, 0 where there is none.
pub fn wal_bytes(wal: &Path) -> u64 {
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

fn backfill(path: &Path) -> Result<()> {
    let connection = open::open_writer(path)?;
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

/// Copies what is left of the log and empties it; false where a reader or another process is in the way.
fn truncate(connection: &Connection) -> bool {
    // Posts wait behind this: rather try again than wait for a reader.
    let outcome = connection.busy_timeout(Duration::from_millis(20)).and_then(|()| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
    });
    if let Err(error) = connection.busy_timeout(Duration::from_secs(5)) {
        log::warn!("Cannot set the busy timeout: {error}");
    }
    match outcome {
        Ok(busy) => busy == 0,
        Err(error) => {
            log::debug!("Cannot truncate the log: {error}");
            false
        }
    }
}
