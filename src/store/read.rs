// SPDX-License-Identifier: Apache-2.0
//! Reading: a pooled connection for a short while, with a limit on its time.

use crate::error::{Error, Result};
use crate::store::Store;
use rusqlite::Connection;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long one reading may take where nothing else is said.
pub const READ_MOST: Duration = Duration::from_secs(10);

/// How many steps of SQLite's virtual machine pass between two looks at the clock.
const STEPS_BETWEEN_LOOKS: std::ffi::c_int = 2_000;

thread_local! {
    // A statement runs on the thread that asked for it, so its deadline can live here.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets a connection's statements be interrupted at the deadline of their thread.
pub fn add_time_limit(connection: &Connection) -> rusqlite::Result<()> {
    connection.progress_handler(
        STEPS_BETWEEN_LOOKS,
        Some(|| DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline)),
    )
}

/// Sets this thread's deadline and gives the earlier one back when dropped.
struct DeadlineScope(Option<Instant>);

impl DeadlineScope {
    fn new(deadline: Instant) -> DeadlineScope {
        DeadlineScope(DEADLINE.replace(Some(deadline)))
    }
}

impl Drop for DeadlineScope {
    fn drop(&mut self) {
        DEADLINE.set(self.0);
    }
}

impl Store {
    /// Lends a read-only connection to `reading` for at most `most`; Busy where none is free or time runs out.
    pub(crate) fn read<T>(
        &self,
        most: Duration,
        reading: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let _pass = self.gate.enter();
        let connection = self
            .readers()
            .get()
            .map_err(|error| Error::busy("All database readers are busy; try again").because(error))?;
        let _scope = DeadlineScope::new(Instant::now() + most);
        reading(&connection)
    }
}
