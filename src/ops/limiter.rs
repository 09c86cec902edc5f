// SPDX-License-Identifier: Apache-2.0
//! How often something may be done: so many times a minute, with a burst, for each key. In memory only, bounded, on a
//! clock that nobody sets.
//!
//! ```text
//! posts      take: each one counts
//! guesses    begin ──> Attempt ──fail──> counts        while it is under way it holds a place, so that a hundred at
//!                         └──dropped──> does not       once are not more than a hundred one after the other
//! ```
//!
//! For each key one moment is kept, that at which it will have its whole burst again; everything else follows from
//! it. Keys that have it already are forgotten first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are remembered; beyond it those that were longest not used are forgotten.
pub const KEYS_MAX: usize = 4_096;
/// So many are then forgotten at once, so that not every new key has to look for the oldest.
const FORGOTTEN_AT_ONCE: usize = KEYS_MAX / 8;
/// An attempt waits so long for those under way with the same key, where they may yet fail and use up what is left.
const WAIT_MOST: Duration = Duration::from_secs(5);

/// Limits how often each key does something.
#[derive(Debug)]
pub struct Limiter<K: Eq + Hash> {
    /// Between two of them in the long run; none where there is no limit.
    interval: Option<Duration>,
    burst: u32,
    origin: Instant,
    by_key: Mutex<HashMap<K, Entry>>,
    changed: Condvar,
}

/// Times are since the limiter was made.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The whole burst is there again from then on.
    whole_at: Duration,
    n_under_way: u32,
    used_at: Duration,
}

/// Something that counts only if it fails. Dropped, it has not failed.
#[derive(Debug)]
pub struct Attempt<'a, K: Eq + Hash + Clone> {
    limiter: &'a Limiter<K>,
    key: K,
    has_failed: bool,
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// `per_minute` in the long run, none where that is 0; `burst` at once.
    pub fn new(per_minute: u32, burst: u32) -> Limiter<K> {
        let interval = (per_minute > 0).then(|| Duration::from_secs(60) / per_minute);
        let by_key = Mutex::new(HashMap::new());
        Limiter { interval, burst: burst.max(1), origin: Instant::now(), by_key, changed: Condvar::new() }
    }

    /// Counts one; the wait until there may be another where that is too many.
    pub fn take(&self, key: K) -> Result<(), Duration> {
        self.take_at(key, self.origin.elapsed())
    }

    /// Begins what counts if it fails; the wait until there may be another where too many have failed. Blocks for up
    /// to five seconds while others under way with the same key could still use up what is left.
    pub fn begin(&self, key: K) -> Result<Attempt<'_, K>, Duration> {
        let Some(interval) = self.interval else {
            return Ok(Attempt { limiter: self, key, has_failed: false });
        };
        let until = Instant::now() + WAIT_MOST;
        let mut by_key = self.lock();
        loop {
            let now = self.origin.elapsed();
            make_room(&mut by_key, &key, now);
            let entry = by_key.entry(key.clone()).or_default();
            entry.used_at = now;
            let wait = self.excess(entry, 1, interval, now);
            if !wait.is_zero() {
                return Err(wait);
            }
            if self.excess(entry, entry.n_under_way.saturating_add(1), interval, now).is_zero() {
                entry.n_under_way += 1;
                return Ok(Attempt { limiter: self, key, has_failed: false });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(interval);
            }
            by_key = self.changed.wait_timeout(by_key, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn take_at(&self, key: K, now: Duration) -> Result<(), Duration> {
        let Some(interval) = self.interval else { return Ok(()) };
        let mut by_key = self.lock();
        make_room(&mut by_key, &key, now);
        let entry = by_key.entry(key).or_default();
        entry.used_at = now;
        let wait = self.excess(entry, 1, interval, now);
        if wait.is_zero() {
            entry.whole_at = entry.whole_at.max(now) + interval;
            return Ok(());
        }
        Err(wait)
    }

    /// By how much `n` more are too early; zero where they are not.
    fn excess(&self, entry: &Entry, n: u32, interval: Duration, now: Duration) -> Duration {
        let whole_at = entry.whole_at.max(now) + interval.saturating_mul(n);
        whole_at.saturating_sub(now).saturating_sub(interval.saturating_mul(self.burst))
    }

    fn end(&self, key: &K, has_failed: bool, now: Duration) {
        let Some(interval) = self.interval else { return };
        let mut by_key = self.lock();
        if let Some(entry) = by_key.get_mut(key) {
            entry.n_under_way = entry.n_under_way.saturating_sub(1);
            if has_failed {
                entry.whole_at = entry.whole_at.max(now) + interval;
            } else if entry.n_under_way == 0 && entry.whole_at <= now {
                by_key.remove(key);
            }
        }
        drop(by_key);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Attempt<'_, K> {
    /// It has failed, and counts.
    pub fn fail(mut self) {
        self.has_failed = true;
    }
}

impl<K: Eq + Hash + Clone> Drop for Attempt<'_, K> {
    fn drop(&mut self) {
        self.limiter.end(&self.key, self.has_failed, self.limiter.origin.elapsed());
    }
}

/// Forgets keys where a new one would be one too many: those that have their whole burst, else those unused longest.
fn make_room<K: Eq + Hash + Clone>(by_key: &mut HashMap<K, Entry>, key: &K, now: Duration) {
    if by_key.len() < KEYS_MAX || by_key.contains_key(key) {
        return;
    }
    by_key.retain(|_, entry| entry.n_under_way > 0 || entry.whole_at > now);
    if by_key.len() + FORGOTTEN_AT_ONCE <= KEYS_MAX {
        return;
    }
    let idle = by_key.iter().filter(|(_, entry)| entry.n_under_way == 0);
    let mut times: Vec<(Duration, K)> = idle.map(|(key, entry)| (entry.used_at, key.clone())).collect();
    times.sort_by_key(|(used_at, _)| *used_at);
    for (_, key) in times.into_iter().take(FORGOTTEN_AT_ONCE) {
        by_key.remove(&key);
    }
}

/// Seconds for `Retry-After`: the wait, rounded up, at least one.
pub fn retry_secs(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_comes_at_once_and_then_one_in_each_interval() {
        // 30 a minute: one every two seconds.
        let limiter = Limiter::new(30, 3);
        for (at, expected) in [
            (ms(0), Ok(())),
            (ms(0), Ok(())),
            (ms(10), Ok(())),
            (ms(10), Err(ms(1_990))),
            (ms(1_500), Err(ms(500))),
            (ms(2_000), Ok(())),
            (ms(2_000), Err(ms(2_000))),
            (ms(60_000), Ok(())),
            (ms(60_000), Ok(())),
            (ms(60_000), Ok(())),
            (ms(60_000), Err(ms(2_000))),
        ] {
            assert_eq!(limiter.take_at("a", at), expected, "{at:?}");
        }
        assert_eq!(limiter.take_at("b", ms(60_000)), Ok(()), "another key has its own");
        assert_eq!((retry_secs(ms(0)), retry_secs(ms(1)), retry_secs(ms(2_000))), (1, 1, 2));
    }

    #[test]
    fn zero_a_minute_is_no_limit() {
        let limiter = Limiter::new(0, 1);
        assert!((0..100).all(|_| limiter.take("a").is_ok()));
        (0..100).for_each(|_| limiter.begin("a").unwrap().fail());
        assert!(limiter.lock().is_empty());
    }

    #[test]
    fn only_failures_count_and_a_success_takes_none_back() {
        let limiter = Limiter::new(1, 3);
        for _ in 0..100 {
            drop(limiter.begin("a").unwrap());
        }
        assert!(limiter.lock().is_empty(), "who never fails is not remembered");
        limiter.begin("a").unwrap().fail();
        drop(limiter.begin("a").unwrap());
        limiter.begin("a").unwrap().fail();
        drop(limiter.begin("a").unwrap());
        limiter.begin("a").unwrap().fail();
        let wait = limiter.begin("a").unwrap_err();
        assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(60), "{wait:?}");
        assert!(limiter.begin("b").is_ok());
    }

    #[test]
    fn guesses_at_once_are_no_more_than_one_after_the_other() {
        let limiter = Limiter::new(1, 3);
        let n_evaluated = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    if let Ok(attempt) = limiter.begin("a") {
                        n_evaluated.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(ms(20));
                        attempt.fail();
                    }
                });
            }
        });
        assert_eq!(n_evaluated.into_inner(), 3);
    }

    #[test]
    fn many_good_ones_at_once_wait_for_each_other_and_all_pass() {
        let limiter = Limiter::new(1, 3);
        let passed: Vec<bool> = std::thread::scope(|scope| {
            let one = || {
                let attempt = limiter.begin("a");
                std::thread::sleep(ms(5));
                attempt.is_ok()
            };
            let threads: Vec<_> = (0..30).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(passed.iter().all(|passed| *passed), "{passed:?}");
    }

    #[test]
    fn no_more_keys_are_kept_than_the_bound_and_the_latest_stay() {
        let limiter = Limiter::new(1, 1);
        let held = limiter.begin(1_000_000).unwrap();
        for n in 0..20_000_u32 {
            let _ = limiter.take_at(n, ms(u64::from(n)));
            assert!(limiter.lock().len() <= KEYS_MAX);
        }
        let by_key = limiter.lock();
        assert!(by_key.contains_key(&19_999) && !by_key.contains_key(&0));
        assert!(by_key.contains_key(&1_000_000), "what is under way is never forgotten");
        drop(by_key);
        drop(held);
    }
}
