// SPDX-License-Identifier: Apache-2.0
//! The memory that all request bodies share. A body reserves before it is read; who finds no room waits a little.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A number of bytes that is shared out; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    total: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// What one body has reserved; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(total: usize) -> Budget {
        Budget { inner: Arc::new(Inner { total, free: Mutex::new(total), freed: Condvar::new() }) }
    }

    /// A share of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Grows to `bytes`, waiting at most `wait`; false where there was no room in that time. Nobody needs more than
    /// the whole budget: a larger wish is granted when everything is free.
    pub(super) fn grow_to(&mut self, bytes: usize, wait: Duration) -> bool {
        let inner = &self.budget.inner;
        let more = bytes.min(inner.total).saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let until = Instant::now() + wait;
        let mut free = inner.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < more {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            free = inner.freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= more;
        self.bytes += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let inner = &self.budget.inner;
            *inner.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
            // All, not one: who wakes may still want more than there is while another wants less.
            inner.freed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_waits_for_room_and_gives_it_back() {
        let budget = Budget::new(100);
        let (mut a, mut b) = (budget.share(), budget.share());
        assert!(a.grow_to(80, Duration::ZERO));
        assert!(!b.grow_to(30, Duration::from_millis(5)));
        assert!(b.grow_to(20, Duration::ZERO));
        drop(a);
        assert!(b.grow_to(1000, Duration::ZERO), "more than there is counts as all there is");
        assert!(!budget.share().grow_to(1, Duration::ZERO));
    }
}
