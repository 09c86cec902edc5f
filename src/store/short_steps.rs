// SPDX-License-Identifier: Apache-2.0
//! Making room where there is little: a transaction is written to the log before it frees anything, so on a short disk
//! deletions go in steps that are small enough for what is free.

use crate::error::Result;
use crate::store::Store;
use crate::store::disk::SHORT_BYTES;
use crate::store::error::is_of_full_disk;
use std::time::Duration;

/// What the log takes at most, as a rule, for a row that is deleted: sixteen pages.
const BYTES_PER_ROW: u64 = 64 << 10;
/// How often a step is tried that finds the disk full, with fewer rows each time.
const TRIES_MAX: u32 = 5;
/// How long to wait before the second try; each such wait is twice the one before. A reader may have kept the log from
/// being emptied.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Store {
    /// True where little is free on the disk of the database.
    pub(super) fn is_disk_short(&self) -> bool {
        self.reserve.free_bytes().is_some_and(|free| free < SHORT_BYTES)
    }

    /// Runs a step that deletes at most so many rows as it is told: `rows_max`, on a short disk fewer, and fewer still
    /// where it finds the disk full.
    pub(super) fn in_step<T>(&self, rows_max: usize, mut step: impl FnMut(usize) -> Result<T>) -> Result<T> {
        let free = self.reserve.free_bytes().unwrap_or(u64::MAX);
        let mut rows = rows_max.min(usize::try_from(free / BYTES_PER_ROW).unwrap_or(usize::MAX)).max(1);
        let (mut tries, mut pause) = (1, RETRY_AFTER);
        loop {
            match step(rows) {
                Err(error) if tries < TRIES_MAX && is_of_full_disk(&error) => {
                    std::thread::sleep(pause);
                    (tries, pause, rows) = (tries + 1, pause * 2, (rows / 4).max(1));
                }
                outcome => return outcome,
            }
        }
    }
}
