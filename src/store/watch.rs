// SPDX-License-Identifier: Apache-2.0
//! What long work on a file (backup, restore, check) tells on its way, and how it is stopped.

use crate::error::{Error, Kind, Result};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps of SQLite's virtual machine between two looks at the wish to stop.
const STEPS_BETWEEN_LOOKS: std::ffi::c_int = 10_000;

/// Told how far the work is, and asked whether to go on.
pub struct Watch<'a> {
    is_stopped: Arc<AtomicBool>,
    tell: &'a mut dyn FnMut(u64, u64, &str),
}

impl<'a> Watch<'a> {
    /// Work that ends when `is_stopped` is set. `tell` gets what is done, what there is in all, and what is going on.
    pub fn new(is_stopped: Arc<AtomicBool>, tell: &'a mut dyn FnMut(u64, u64, &str)) -> Watch<'a> {
        Watch { is_stopped, tell }
    }

    /// Tells how far it is.
    pub fn tell(&mut self, done: u64, total: u64, what: &str) {
        (self.tell)(done, total, what);
    }

    /// Busy once the work is to stop.
    pub fn refuse_when_stopped(&self) -> Result<()> {
        if self.is_stopped.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }

    /// Lets the statements of a connection be cut off too.
    pub(crate) fn guard(&self, connection: &Connection) -> Result<()> {
        let is_stopped = Arc::clone(&self.is_stopped);
        connection
            .progress_handler(STEPS_BETWEEN_LOOKS, Some(move || is_stopped.load(Ordering::Relaxed)))
            .map_err(Into::into)
    }

    /// Likewise, and also where `gives_way` says so.
    pub(crate) fn guard_until(
        &self,
        connection: &Connection,
        gives_way: impl Fn() -> bool + Send + 'static,
    ) -> Result<()> {
        let is_stopped = Arc::clone(&self.is_stopped);
        connection
            .progress_handler(
                STEPS_BETWEEN_LOOKS,
                Some(move || is_stopped.load(Ordering::Relaxed) || gives_way()),
            )
            .map_err(Into::into)
    }

    /// The same error, or that the work was stopped where that is why.
    pub(crate) fn or_stopped(&self, error: Error) -> Error {
        if self.is_stopped.load(Ordering::Relaxed) { stopped() } else { error }
    }
}

fn stopped() -> Error {
    Error::new(Kind::Busy, "Stopped; nothing was changed")
}
