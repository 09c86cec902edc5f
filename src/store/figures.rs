// SPDX-License-Identifier: Apache-2.0
//! Figures about the database for whoever watches the server: all of them are quickly read. What the writer did since
//! the start is counted in memory.

use crate::error::Result;
use crate::store::checkpoint::wal_bytes;
use crate::store::fleet::{FleetFigures, fleet_figures};
use crate::store::{READ_MOST, SCHEMA_VERSION, Store, disk, inspect, meta, open, retention};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the writer did since the start.
#[derive(Debug, Default)]
pub struct WriterCounters {
    queued: AtomicU64,
    taken: AtomicU64,
    commits: AtomicU64,
    jobs: AtomicU64,
    commit_nanos: AtomicU64,
    failures: AtomicU64,
}

impl WriterCounters {
    /// A job was queued.
    pub(super) fn note_queued(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    /// So many jobs were taken out of the queue.
    pub(super) fn note_taken(&self, jobs: usize) {
        self.taken.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// A transaction of so many jobs was committed, which took so long from its beginning.
    pub(super) fn note_commit(&self, jobs: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commit_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The disk or the file failed.
    pub(super) fn note_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counters of the writer at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Jobs that wait now.
    pub jobs_waiting: u64,
    /// Transactions that were committed.
    pub commits: u64,
    /// Jobs in them.
    pub jobs: u64,
    /// How long they took together.
    pub commit_time: Duration,
    /// Transactions that the disk or the file did not take.
    pub failures: u64,
}

/// The connections that read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderFigures {
    /// At work now.
    pub busy: u32,
    /// Most of them.
    pub max: u32,
}

/// The file system of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFigures {
    /// Free bytes, as an unprivileged process may use them.
    pub free_bytes: u64,
    /// Its size in bytes.
    pub total_bytes: u64,
    /// Free bytes below which nothing is stored any more.
    pub reserve_bytes: u64,
}

/// The database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Records by severity: its number and how many.
    pub records_by_severity: Vec<(i64, i64)>,
    /// Records of our own machines.
    pub records_internal: i64,
    /// Records from outside.
    pub records_external: i64,
    /// Posts in quarantine.
    pub quarantine_rows: i64,
    /// Bytes of their heads and bodies.
    pub quarantine_bytes: i64,
    /// Bytes of the database file.
    pub database_bytes: i64,
    /// Bytes of it that nothing uses.
    pub database_free_bytes: i64,
    /// Accounts.
    pub accounts: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// When the whole file was last read without finding damage.
    pub checked_at: Option<i64>,
    /// When a backup was last made.
    pub backed_up_at: Option<i64>,
    /// When retention last ran.
    pub purged_at: Option<i64>,
    /// By how many bytes the last purge could not bring the database under its limit.
    pub database_bytes_over: i64,
    /// The fleet.
    pub fleet: FleetFigures,
}

impl Store {
    /// What stands in the database, from its counts.
    pub fn figures(&self, now: i64) -> Result<StoreFigures> {
        self.read(READ_MOST, |connection| read(connection, now))
    }

    /// What the writer did.
    pub fn writer_figures(&self) -> WriterFigures {
        let counters = self.writer().counters();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriterFigures {
            jobs_waiting: get(&counters.queued).saturating_sub(get(&counters.taken)),
            commits: get(&counters.commits),
            jobs: get(&counters.jobs),
            commit_time: Duration::from_nanos(get(&counters.commit_nanos)),
            failures: get(&counters.failures),
        }
    }

    /// How busy the readers are.
    pub fn reader_figures(&self) -> ReaderFigures {
        let state = self.readers().state();
        ReaderFigures {
            busy: state.connections.saturating_sub(state.idle_connections),
            max: self.readers().max_size(),
        }
    }

    /// Bytes of the log beside the database.
    pub fn wal_bytes(&self) -> u64 {
        wal_bytes(&open::wal_path(self.path()))
    }

    /// The file system of the database; none where it cannot be asked. `reserve_bytes` is what the configuration wants.
    pub fn disk_figures(&self, reserve_bytes: u64) -> Option<DiskFigures> {
        disk_figures(self.path().parent()?, reserve_bytes)
    }

    /// The version of the schema.
    pub fn schema_version(&self) -> i64 {
        SCHEMA_VERSION
    }
}

/// The file system of a directory; none where it cannot be asked. `reserve_bytes` is what the configuration wants.
pub fn disk_figures(directory: &std::path::Path, reserve_bytes: u64) -> Option<DiskFigures> {
    let (free_bytes, total_bytes) = disk::free_and_total_bytes(directory).ok()?;
    Some(DiskFigures { free_bytes, total_bytes, reserve_bytes: disk::reserve_of(reserve_bytes, total_bytes) })
}

fn read(connection: &Connection, now: i64) -> Result<StoreFigures> {
    let time = |name: &str| -> Result<Option<i64>> {
        Ok(meta::meta(connection, name)?.and_then(|text| text.parse().ok()))
    };
    let one = |sql: &str| -> rusqlite::Result<i64> {
        connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let page_bytes = open::pragma(connection, "page_size")?;
    let mut severities =
        connection.prepare_cached("SELECT severity, records FROM severities ORDER BY severity")?;
    let records_by_severity =
        severities.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut quarantine = connection
        .prepare_cached("SELECT count(*), coalesce(sum(length(head) + length(body)), 0) FROM quarantine")?;
    let (quarantine_rows, quarantine_bytes) =
        quarantine.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut sessions = connection.prepare_cached("SELECT count(*) FROM sessions WHERE until_at > ?1")?;
    Ok(StoreFigures {
        records_by_severity,
        records_internal: one("SELECT records FROM sources WHERE is_external = 0")?,
        records_external: one("SELECT records FROM sources WHERE is_external = 1")?,
        quarantine_rows,
        quarantine_bytes,
        database_bytes: open::pragma(connection, "page_count")? * page_bytes,
        database_free_bytes: open::pragma(connection, "freelist_count")? * page_bytes,
        accounts: one("SELECT count(*) FROM accounts")?,
        sessions: sessions.query_row([now], |row| row.get(0))?,
        checked_at: time(inspect::CHECKED_AT)?,
        backed_up_at: time(inspect::BACKED_UP_AT)?,
        purged_at: time(retention::PURGED_AT)?,
        database_bytes_over: time(retention::BYTES_OVER)?.unwrap_or_default(),
        fleet: fleet_figures(connection)?,
    })
}
