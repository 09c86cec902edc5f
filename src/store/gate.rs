// SPDX-License-Identifier: Apache-2.0
//! Who may read when: a gate that the writer closes for a moment, and turns for long searches.
//!
//! The log can start anew only at a moment when nobody reads. Readers that follow one another never leave such a
//! moment (the log grew without end, measured), so the writer makes one when the log is long.

use crate::error::{Error, Result};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A reader waits no longer than this at a closed gate: rather a longer log than a page that hangs.
const ENTER_MOST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    readers: usize,
    is_closed: bool,
}

/// The gate before the readers.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

/// A reader inside; out when dropped.
#[derive(Debug)]
pub struct Pass<'a>(&'a Gate);

/// The gate closed with nobody inside; open when dropped.
#[derive(Debug)]
pub struct Closed<'a>(&'a Gate);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the gate is closed, and goes in.
    pub fn enter(&self) -> Pass<'_> {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, ENTER_MOST, |state| state.is_closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.readers += 1;
        Pass(self)
    }

    /// Closes the gate and waits until all are out; none where that takes longer than `most`.
    pub fn close(&self, most: Duration) -> Option<Closed<'_>> {
        let mut state = self.lock();
        state.is_closed = true;
        let waited = self.changed.wait_timeout_while(state, most, |state| state.readers > 0);
        let is_empty = waited.unwrap_or_else(PoisonError::into_inner).0.readers == 0;
        // Dropped where it is not returned, which opens the gate again.
        let closed = Closed(self);
        is_empty.then_some(closed)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.lock().readers -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().is_closed = false;
        self.0.changed.notify_all();
    }
}

/// So many at once, the others wait.
#[derive(Debug)]
pub struct Turns {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A turn taken; given back when dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// `n` at once.
    pub fn new(n: usize) -> Turns {
        Turns { free: Mutex::new(n), changed: Condvar::new() }
    }

    /// Waits for a turn; Busy where none comes within `most`.
    pub fn take(&self, most: Duration) -> Result<Turn<'_>> {
        let until = Instant::now() + most;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::busy("Too many ask for this at once; try again in a moment"));
            }
            free = self.changed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_closes_only_once_all_are_out_and_opens_again() {
        let gate = Gate::default();
        let pass = gate.enter();
        assert!(gate.close(Duration::from_millis(5)).is_none());
        drop(pass);
        let closed = gate.close(Duration::from_millis(5)).unwrap();
        std::thread::scope(|scope| {
            let late = scope.spawn(|| drop(gate.enter()));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!late.is_finished());
            drop(closed);
        });
    }

    #[test]
    fn turns_are_limited_and_given_back() {
        let turns = Turns::new(1);
        let turn = turns.take(Duration::ZERO).unwrap();
        assert!(turns.take(Duration::from_millis(5)).is_err());
        drop(turn);
        assert!(turns.take(Duration::ZERO).is_ok());
    }
}
