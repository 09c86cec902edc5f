// SPDX-License-Identifier: Apache-2.0
//! What this run of the server counted, in memory: posts by outcome, requests by status and duration, runs of jobs.
//! Adding one is an atomic addition. What stands in the database is counted there.

use crate::error::{Error, Kind};
use crate::ops::collect::Outcome;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of requests by duration; a last one without a bound follows.
pub const REQUEST_BUCKETS: [Duration; 6] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_millis(2_500),
];

/// What becomes of posts, as the label of their counter.
pub const POST_OUTCOMES: [&str; 5] = ["new", "resent", "quarantined", "refused", "failed"];

/// Counters of this run.
#[derive(Debug)]
pub struct Counters {
    /// When it began, in Unix seconds.
    pub started_at: i64,
    posts: [AtomicU64; POST_OUTCOMES.len()],
    classes: [AtomicU64; 5],
    buckets: [AtomicU64; REQUEST_BUCKETS.len() + 1],
    request_nanos: AtomicU64,
    jobs: Mutex<BTreeMap<&'static str, JobRuns>>,
}

/// How often a job ran since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobRuns {
    /// Runs that did their work.
    pub done: u64,
    /// Runs that were put off, because the disk was full for one.
    pub put_off: u64,
    /// Runs that failed.
    pub failed: u64,
    /// When the last one that did its work ended, in Unix seconds.
    pub done_at: Option<i64>,
    /// How long the last one took.
    pub took: Duration,
}

impl Counters {
    /// All at zero.
    pub fn new(started_at: i64) -> Counters {
        Counters {
            started_at,
            posts: Default::default(),
            classes: Default::default(),
            buckets: Default::default(),
            request_nanos: AtomicU64::new(0),
            jobs: Mutex::default(),
        }
    }

    /// A post was stored, now or before.
    pub fn note_stored(&self, is_new: bool) {
        add(&self.posts, usize::from(!is_new));
    }

    /// A post was answered; those that are stored are counted by [`Counters::note_stored`].
    pub fn note_post(&self, outcome: &Result<Outcome, Error>) {
        match outcome {
            Ok(Outcome::Stored(_)) => {}
            Ok(Outcome::Quarantined(_)) => add(&self.posts, 2),
            Err(error) if is_of_sender(error.kind()) => add(&self.posts, 3),
            Err(_) => add(&self.posts, 4),
        }
    }

    /// A post was refused before it was read.
    pub fn note_post_refused(&self) {
        add(&self.posts, 3);
    }

    /// Posts by outcome, in the order of [`POST_OUTCOMES`].
    pub fn posts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        POST_OUTCOMES.into_iter().zip(self.posts.iter().map(get))
    }

    /// A request was answered with a status.
    pub fn note_answer(&self, status: u16) {
        if let Some(class) = usize::from(status / 100).checked_sub(1) {
            add(&self.classes, class);
        }
    }

    /// Answers by the class of their status, `1xx` to `5xx`.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(self.classes.iter().map(get))
    }

    /// Making the answer to a request took so long.
    pub fn note_duration(&self, took: Duration) {
        let bucket = REQUEST_BUCKETS.iter().position(|bound| took <= *bound);
        add(&self.buckets, bucket.unwrap_or(REQUEST_BUCKETS.len()));
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.request_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Requests by duration: in each bucket those of the shorter ones too, the last is all; and all their time.
    pub fn durations(&self) -> ([u64; REQUEST_BUCKETS.len() + 1], Duration) {
        let mut sum = 0;
        let counted = self.buckets.each_ref().map(|bucket| {
            sum += get(bucket);
            sum
        });
        (counted, Duration::from_nanos(get(&self.request_nanos)))
    }

    /// A job ended at `now` after so long.
    pub fn note_job(&self, name: &'static str, outcome: &Result<(), Error>, now: i64, took: Duration) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = jobs.entry(name).or_default();
        runs.took = took;
        match outcome {
            Ok(()) => {
                runs.done += 1;
                runs.done_at = Some(now);
            }
            Err(error) if error.kind() == Kind::Busy => runs.put_off += 1,
            Err(_) => runs.failed += 1,
        }
    }

    /// The jobs that ran, by name.
    pub fn jobs(&self) -> BTreeMap<&'static str, JobRuns> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// True where the status is a 4xx.
fn is_of_sender(kind: Kind) -> bool {
    (400..500).contains(&kind.http_status())
}

fn add(counters: &[AtomicU64], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up_bucket_by_bucket() {
        let counters = Counters::new(0);
        for millis in [0, 1, 2, 600, 2_500, 9_000] {
            counters.note_duration(Duration::from_millis(millis));
        }
        assert_eq!(counters.durations(), ([2, 3, 3, 3, 3, 5, 6], Duration::from_millis(12_103)));
    }

    #[test]
    fn posts_are_counted_by_what_became_of_them() {
        let counters = Counters::new(0);
        counters.note_stored(true);
        counters.note_stored(false);
        counters.note_post(&Ok(Outcome::Quarantined(String::new())));
        counters.note_post(&Err(Error::invalid("x")));
        counters.note_post(&Err(Error::busy("x")));
        assert!(counters.posts().all(|(_, count)| count == 1), "{counters:?}");
    }

    #[test]
    fn statuses_without_a_class_count_nowhere() {
        let counters = Counters::new(0);
        for status in [0, 99, 101, 200, 204, 599, 600, 999] {
            counters.note_answer(status);
        }
        let counted: Vec<u64> = counters.answers().map(|(_, count)| count).collect();
        assert_eq!(counted, [1, 2, 0, 0, 1]);
    }
}
