// SPDX-License-Identifier: Apache-2.0
//! What keeps the file small and known to be sound: jobs call these at intervals.

use crate::error::{Error, Kind, Result};
use crate::store::checkpoint::{self, WAL_BYTES_THRESHOLD, wal_bytes};
use crate::store::time_index::id_range;
use crate::store::{READ_MOST, Store, inspect, meta, open};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Rows looked at in one transaction, so that no post waits for long.
const BATCH_ROWS: i64 = 5_000;
/// Free pages that the first step gives back.
const VACUUM_PAGES_FIRST: usize = 64;
/// Most pages of a step.
const VACUUM_PAGES_MAX: usize = 1_000;
/// A step takes fewer pages than the one before it where that took longer: posts wait meanwhile.
const VACUUM_TIME_GOAL: Duration = Duration::from_millis(10);
/// Longest pause between two steps; otherwise half of the time is for posts.
const VACUUM_PAUSE_MOST: Duration = Duration::from_millis(50);

impl Store {
    /// Forgets the marks of records received before `before`; how many there were.
    pub fn delete_recent_records_before(&self, before: i64) -> Result<u64> {
        let Some((_, end_id)) =
            self.read(READ_MOST, |connection| id_range(connection, None, Some(before)))?
        else {
            return Ok(0);
        };
        self.writer().change(false, |write| match &mut write.state.recents {
            Some(recents) => recents.flush(write.connection, true),
            None => Ok(()),
        })?;
        let (mut deleted, mut from) = (0, (i64::MIN, i64::MIN));
        loop {
            let (count, next) = self.writer().change(false, move |write| {
                // The last key of the next batch of rows, and only those up to it.
                let mut find = write.connection.prepare_cached(
                    "SELECT captured_at, digest FROM recent_records WHERE (captured_at, digest) > (?1, ?2)
                     ORDER BY captured_at, digest LIMIT 1 OFFSET ?3",
                )?;
                let mut rows = find.query([from.0, from.1, BATCH_ROWS - 1])?;
                let next: Option<(i64, i64)> = rows
                    .next()?
                    .map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?)))
                    .transpose()?;
                let to = next.unwrap_or((i64::MAX, i64::MAX));
                let mut delete = write.connection.prepare_cached(
                    "DELETE FROM recent_records WHERE (captured_at, digest) > (?1, ?2)
                     AND (captured_at, digest) <= (?3, ?4) AND record_id < ?5",
                )?;
                Ok((delete.execute([from.0, from.1, to.0, to.1, end_id])? as u64, next))
            })?;
            deleted += count;
            match next {
                Some(key) => from = key,
                None => return Ok(deleted),
            }
        }
    }

    /// Reads the whole file in search of damage, on a connection of its own. Corrupt where it is damaged, Busy where
    /// the store is stopped meanwhile or too much is written.
    pub fn quick_check(&self) -> Result<()> {
        let connection = open::open_writer(self.path())?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        // A reading as long as this keeps the log from starting anew: it gives way where that grows too long.
        let (is_stopping, wal) = (Arc::clone(&self.is_stopping), open::wal_path(self.path()));
        let gives_way =
            move || is_stopping.load(Ordering::Relaxed) || wal_bytes(&wal) > 2 * WAL_BYTES_THRESHOLD;
        connection.progress_handler(10_000, Some(gives_way))?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" {
            return self.note_checked();
        }
        Err(Error::new(
            Kind::Corrupt,
            format!("Database {} is damaged: {verdict}; restore a backup", self.path().display()),
        ))
    }

    /// Notes that the whole file was read without finding damage.
    fn note_checked(&self) -> Result<()> {
        self.writer().change(false, |write| {
            let now = write.now.to_string();
            meta::set_meta(write.connection, inspect::CHECKED_AT, &now)
        })
    }

    /// Gives free pages back to the file system, a few at a time. `goes_on` is asked between two steps.
    pub fn tidy(&self, mut goes_on: impl FnMut() -> bool) -> Result<()> {
        let mut pages = VACUUM_PAGES_FIRST;
        while goes_on() {
            let began = Instant::now();
            let (left, took) = self.in_step(pages, |pages| {
                self.writer().change(false, move |write| {
                    let began = Instant::now();
                    let free = open::pragma(write.connection, "freelist_count")?;
                    let mut vacuum =
                        write.connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
                    let mut rows = vacuum.query([])?;
                    while rows.next()?.is_some() {}
                    Ok((free - pages as i64, began.elapsed()))
                })
            })?;
            if left <= 0 {
                // The file becomes shorter only when the log is copied back.
                self.empty_log();
                return Ok(());
            }
            pages = match took > VACUUM_TIME_GOAL {
                true => (pages / 2).max(VACUUM_PAGES_FIRST / 4),
                false => (pages + pages / 4).min(VACUUM_PAGES_MAX),
            };
            std::thread::sleep(began.elapsed().min(VACUUM_PAUSE_MOST));
        }
        Ok(())
    }

    /// Copies the write-ahead log back and empties it, where nobody is in the way; else that happens later.
    pub fn empty_log(&self) {
        match checkpoint::empty(self.path()) {
            Ok(true) => {}
            Ok(false) => log::debug!("The log is not emptied now: somebody reads"),
            Err(error) => log::debug!("The log is not emptied now: {}", error.with_causes()),
        }
    }

    /// True where a write can be made durable now: one is tried.
    pub fn is_writable(&self) -> Result<()> {
        self.writer().change(true, |write| {
            write.connection.execute_batch(
                "INSERT INTO meta (name, value) VALUES ('readiness', '') ON CONFLICT (name) DO UPDATE SET value = ''",
            )?;
            Ok(())
        })
    }
}
