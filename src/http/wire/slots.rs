// SPDX-License-Identifier: Apache-2.0
//! Slots for answers that keep their connection for long (streams, long polls), so that they never take all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A fixed number of slots; clones share them.
#[derive(Clone, Debug)]
pub struct Slots {
    free: Arc<AtomicUsize>,
    all: usize,
}

/// One slot, given back when it is dropped: put it into the reader that streams the answer.
#[derive(Debug)]
pub struct Slot {
    free: Arc<AtomicUsize>,
}

impl Slots {
    /// `n` slots. For streams and long polls: half of [`Limits::connection_cap`](super::Limits::connection_cap).
    pub fn new(n: usize) -> Slots {
        Slots { free: Arc::new(AtomicUsize::new(n)), all: n }
    }

    /// Takes a slot; none where all are taken (then answer 503).
    pub fn try_take(&self) -> Option<Slot> {
        self.free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1))
            .ok()
            .map(|_| Slot { free: Arc::clone(&self.free) })
    }

    /// The number of slots that are taken now.
    pub fn count_taken(&self) -> usize {
        self.all.saturating_sub(self.count_free())
    }

    /// The number of slots that are free now.
    pub fn count_free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_when_it_is_dropped() {
        let slots = Slots::new(2);
        let first = slots.try_take();
        let second = slots.try_take();
        assert!(first.is_some() && second.is_some());
        assert!(slots.try_take().is_none());
        drop(first);
        assert_eq!(slots.count_free(), 1);
        assert!(slots.try_take().is_some());
    }
}
