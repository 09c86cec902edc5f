// SPDX-License-Identifier: Apache-2.0
//! Agents that wait for commands. Waiting costs nothing: whoever makes commands wakes those who are meant.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many starts of agents of one endpoint wait at once; one more ends the wait of the oldest.
const WAITING_PER_ENDPOINT_MAX: usize = 4;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There may be a command.
    Command,
    /// The time is over.
    TimedOut,
    /// The same start of the agent waits anew, or too many of its endpoint do.
    Superseded,
    /// The server stops.
    Stopping,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Polls {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    next: u64,
    waiting: HashMap<i64, Vec<Arc<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    instance: String,
    woken: Mutex<Option<Woken>>,
    changed: Condvar,
}

/// One who waits; no longer when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    endpoint_id: i64,
    waiter: Arc<Waiter>,
    inner: Arc<Inner>,
}

impl Polls {
    /// Begins to wait for commands of an endpoint. What is made from now on wakes.
    pub fn begin(&self, endpoint_id: i64, instance: &str) -> Waiting {
        let mut state = self.inner.lock();
        state.next += 1;
        let woken = Mutex::new(state.is_closed.then_some(Woken::Stopping));
        let waiter = Arc::new(Waiter {
            number: state.next,
            instance: instance.to_owned(),
            woken,
            changed: Condvar::new(),
        });
        let waiting = state.waiting.entry(endpoint_id).or_default();
        for other in waiting.iter().filter(|other| other.instance == instance) {
            other.wake(Woken::Superseded);
        }
        waiting.retain(|other| other.instance != instance);
        if waiting.len() == WAITING_PER_ENDPOINT_MAX {
            waiting.remove(0).wake(Woken::Superseded);
        }
        waiting.push(Arc::clone(&waiter));
        Waiting { endpoint_id, waiter, inner: Arc::clone(&self.inner) }
    }

    /// Wakes those who wait for commands of these endpoints.
    pub fn wake(&self, endpoint_ids: impl Iterator<Item = i64>) {
        let state = self.inner.lock();
        for id in endpoint_ids {
            state.waiting.get(&id).into_iter().flatten().for_each(|waiter| waiter.wake(Woken::Command));
        }
    }

    /// Ends all waits, also those that would begin.
    pub fn close(&self) {
        let mut state = self.inner.lock();
        state.is_closed = true;
        state.waiting.values().flatten().for_each(|waiter| waiter.wake(Woken::Stopping));
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn wake(&self, why: Woken) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        // A command does not outdo an end.
        if woken.is_none_or(|before| before == Woken::Command) {
            *woken = Some(why);
        }
        self.changed.notify_all();
    }
}

impl Waiting {
    /// Waits until something wakes it or `until` has come. A command that came since the last wait wakes at once.
    pub fn wait(&self, until: Instant) -> Woken {
        let mut woken = self.waiter.woken.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *woken {
                Some(Woken::Command) => {
                    *woken = None;
                    return Woken::Command;
                }
                Some(end) => return end,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Woken::TimedOut;
            }
            woken = self.waiter.changed.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.endpoint_id) {
            waiting.retain(|waiter| waiter.number != self.waiter.number);
            if waiting.is_empty() {
                state.waiting.remove(&self.endpoint_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn only_those_who_are_meant_are_woken_and_a_wake_is_not_lost() {
        let polls = Polls::default();
        let (one, two) = (polls.begin(1, "a"), polls.begin(2, "a"));
        polls.wake([1].into_iter());
        assert_eq!(one.wait(soon()), Woken::Command);
        assert_eq!(one.wait(soon()), Woken::TimedOut);
        assert_eq!(two.wait(soon()), Woken::TimedOut);
        drop(two);
        polls.close();
        assert_eq!(one.wait(soon()), Woken::Stopping);
        assert_eq!(polls.begin(3, "a").wait(soon()), Woken::Stopping);
    }

    #[test]
    fn the_same_start_waits_once_and_an_endpoint_not_without_end() {
        let polls = Polls::default();
        let first = polls.begin(1, "a");
        let again = polls.begin(1, "a");
        assert_eq!(first.wait(soon()), Woken::Superseded);
        let others: Vec<Waiting> =
            (0..WAITING_PER_ENDPOINT_MAX).map(|n| polls.begin(1, &format!("b{n}"))).collect();
        assert_eq!(again.wait(soon()), Woken::Superseded);
        drop((first, again));
        polls.wake([1].into_iter());
        for other in &others {
            assert_eq!(other.wait(soon()), Woken::Command);
        }
        drop(others);
        assert!(polls.inner.lock().waiting.is_empty());
    }
}
