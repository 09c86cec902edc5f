// SPDX-License-Identifier: Apache-2.0
//! When to go on: the wish to stop, and how long to wait after a failure.

use crate::error::{Error, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The shortest and the longest pause after a failure.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(60);

/// The wish to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Not yet wished.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Wishes it, and wakes all who wait.
    pub fn set(&self) {
        *self.flag() = true;
        self.inner.1.notify_all();
    }

    /// True from [`Stop::set`] on.
    pub fn is_set(&self) -> bool {
        *self.flag()
    }

    /// Waits, at most `most`; true where it is to stop.
    pub fn wait(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut flag = self.flag();
        while !*flag {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            flag = self.inner.1.wait_timeout(flag, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *flag
    }

    fn flag(&self) -> MutexGuard<'_, bool> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pauses that double with each failure, up to a minute, with a random part: a thousand agents whose server comes back
/// shall not all come in the same second.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: half of it is certain, half is random.
    pub fn next_pause(&mut self) -> Duration {
        let full = PAUSE_LEAST.saturating_mul(1 << self.failures.min(10)).min(PAUSE_MOST);
        self.failures = self.failures.saturating_add(1);
        full / 2 + scaled(full / 2)
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random part of `most`.
fn scaled(most: Duration) -> Duration {
    let mut byte = [0];
    // Without random numbers the pauses are only less spread.
    if getrandom::fill(&mut byte).is_err() {
        return most / 2;
    }
    most * u32::from(byte[0]) / 255
}

/// So many random bytes as hexadecimal digits, two for each.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut all = vec![0; bytes];
    getrandom::fill(&mut all)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))?;
    Ok(crate::model::record::hex(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let mut backoff = Backoff::default();
        for full_secs in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let pause = backoff.next_pause().as_secs_f64();
            assert!(pause >= full_secs / 2.0 - 0.01 && pause <= full_secs + 0.01, "{pause} of {full_secs}");
        }
        backoff.failures = u32::MAX;
        assert!(backoff.next_pause() <= PAUSE_MOST);
        backoff.reset();
        assert!(backoff.next_pause() <= PAUSE_LEAST);
    }

    #[test]
    fn who_waits_is_woken() {
        let stop = Stop::new();
        assert!(!stop.wait(Duration::from_millis(1)) && !stop.is_set());
        let other = stop.clone();
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        stop.set();
        assert!(thread.join().unwrap() && stop.wait(Duration::from_secs(60)));
    }
}
