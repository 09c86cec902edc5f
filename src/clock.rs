// SPDX-License-Identifier: Apache-2.0
//! The time of day, asked for in one place so that tests can set it. Times are Unix seconds, UTC.
//!
//! Durations (timeouts, deadlines) are not asked here: they use `std::time::Instant`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time of day: the system's, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock { fixed: None }
    }

    /// A clock that stands at `now` until [`Clock::set`] moves it.
    pub fn fixed(now: i64) -> Clock {
        Clock { fixed: Some(Arc::new(AtomicI64::new(now))) }
    }

    /// Moves a fixed clock and all its clones; the system's clock is left alone.
    pub fn set(&self, now: i64) {
        if let Some(fixed) = &self.fixed {
            fixed.store(now, Ordering::Relaxed);
        }
    }

    /// Now, in Unix seconds.
    pub fn now(&self) -> i64 {
        match &self.fixed {
            Some(fixed) => fixed.load(Ordering::Relaxed),
            None => system_now(),
        }
    }

    /// By how many seconds local time is ahead of UTC now; 0 for a fixed clock.
    pub fn local_offset_secs(&self) -> i64 {
        if self.fixed.is_some() { 0 } else { system_offset_secs() }
    }

    /// Now, in Unix seconds and the nanoseconds of that second: for what compares clocks.
    pub fn now_precisely(&self) -> (i64, u32) {
        match &self.fixed {
            Some(fixed) => (fixed.load(Ordering::Relaxed), 0),
            None => system_now_precisely(),
        }
    }
}

fn system_now() -> i64 {
    system_now_precisely().0
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
fn system_now_precisely() -> (i64, u32) {
    let now = chrono::Utc::now();
    // A leap second counts as the end of the second before it.
    (now.timestamp(), now.timestamp_subsec_nanos().min(999_999_999))
}

fn system_offset_secs() -> i64 {
    i64::from(chrono::Local::now().offset().local_minus_utc())
}
