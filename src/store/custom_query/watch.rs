// SPDX-License-Identifier: Apache-2.0
//! Ends a custom query that takes too long, takes too much memory, or stands in the way of the log.

use crate::store::checkpoint::{WAL_BYTES_THRESHOLD, wal_bytes};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How many steps of SQLite's virtual machine pass between two looks at the clock: few, because one step can
/// make a text of a megabyte.
const STEPS_BETWEEN_LOOKS: std::ffi::c_int = 50;
/// How much time passes between two looks at memory and log.
const BETWEEN_CHECKS: Duration = Duration::from_millis(1);
/// A query ends where the process has grown by so much since it began. SQLite can limit only all connections
/// together, and the writer must not starve for a view. What a query may hold is bounded already, by the
/// limits of its texts; this is for what nobody thought of.
const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// A page of memory; where pages are larger, the limit is higher.
const PAGE_BYTES: u64 = 4096;

/// Why a query was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time is over.
    Time,
    /// It takes too much memory.
    Memory,
    /// The log must start anew, which it can only while nobody reads.
    Log,
}

/// Tells afterwards why a query was ended.
#[derive(Clone, Debug)]
pub struct Watch(Arc<AtomicU8>);

impl Watch {
    /// Watches every statement of a connection from now until `deadline`; `wal`: the log of its database.
    pub fn set(connection: &Connection, deadline: Instant, wal: Option<PathBuf>) -> rusqlite::Result<Watch> {
        Watch::with_memory(connection, deadline, wal, resident_bytes)
    }

    fn with_memory(
        connection: &Connection,
        deadline: Instant,
        wal: Option<PathBuf>,
        resident_bytes: impl Fn() -> Option<u64> + Send + 'static,
    ) -> rusqlite::Result<Watch> {
        let watch = Watch(Arc::new(AtomicU8::new(0)));
        let verdict = Arc::clone(&watch.0);
        let before_bytes = resident_bytes();
        let mut next_check = Instant::now();
        connection.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || {
                let now = Instant::now();
                if now < next_check {
                    return false;
                }
                next_check = now + BETWEEN_CHECKS;
                let has_grown = || {
                    let before = before_bytes.unwrap_or(u64::MAX);
                    resident_bytes().is_some_and(|bytes| bytes > before.saturating_add(MEMORY_BYTES_MAX))
                };
                let is_log_long =
                    || wal.as_deref().is_some_and(|wal| wal_bytes(wal) > 2 * WAL_BYTES_THRESHOLD);
                let code = match () {
                    () if now >= deadline => 1,
                    () if has_grown() => 2,
                    () if is_log_long() => 3,
                    () => return false,
                };
                verdict.store(code, Ordering::Relaxed);
                true
            }),
        )?;
        Ok(watch)
    }

    /// Why the query was ended; none where it was not.
    pub fn ended(&self) -> Option<Ended> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Ended::Time),
            2 => Some(Ended::Memory),
            3 => Some(Ended::Log),
            _ => None,
        }
    }
}

/// The memory of this process; none where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x";

    fn run(connection: &Connection) -> bool {
        connection.query_row(ENDLESS, [], |_| Ok(())).is_ok()
    }

    #[test]
    fn the_memory_of_this_process_is_told() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_process_that_grows_ends_the_query() {
        let connection = Connection::open_in_memory().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let bytes = std::sync::atomic::AtomicU64::new(0);
        let grows = move || Some(bytes.fetch_add(MEMORY_BYTES_MAX / 2, Ordering::Relaxed));
        let watch = Watch::with_memory(&connection, deadline, None, grows).unwrap();
        assert!(!run(&connection));
        assert_eq!(watch.ended(), Some(Ended::Memory));
    }

    #[test]
    fn a_long_log_ends_the_query() {
        let connection = Connection::open_in_memory().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let wal = tempfile::NamedTempFile::new().unwrap();
        wal.as_file().set_len(2 * WAL_BYTES_THRESHOLD + 1).unwrap();
        let watch = Watch::set(&connection, deadline, Some(wal.path().to_owned())).unwrap();
        assert!(!run(&connection));
        assert_eq!(watch.ended(), Some(Ended::Log));
    }
}
