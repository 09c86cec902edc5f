// SPDX-License-Identifier: Apache-2.0
//! How many large answers are in memory at once: an action may have 4 MiB, and a thousand agents fetch it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many at once.
const LARGE_ANSWERS_MAX: usize = 8;

/// The places for large answers; clones share them.
#[derive(Clone, Debug)]
pub struct LargeAnswers(Arc<AtomicUsize>);

/// The right to hold one; given back when dropped.
#[derive(Debug)]
pub struct LargeAnswer(Arc<AtomicUsize>);

impl Default for LargeAnswers {
    fn default() -> LargeAnswers {
        LargeAnswers(Arc::new(AtomicUsize::new(LARGE_ANSWERS_MAX)))
    }
}

impl LargeAnswers {
    /// A place; none where all are taken.
    pub fn try_take(&self) -> Option<LargeAnswer> {
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(1));
        taken.ok().map(|_| LargeAnswer(Arc::clone(&self.0)))
    }
}

impl Drop for LargeAnswer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let answers = LargeAnswers::default();
        let mut held: Vec<LargeAnswer> = std::iter::from_fn(|| answers.try_take()).collect();
        assert_eq!(held.len(), LARGE_ANSWERS_MAX);
        held.pop();
        assert!(answers.try_take().is_some());
    }
}
