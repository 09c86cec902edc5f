// SPDX-License-Identifier: Apache-2.0
//! How often each address failed lately, and how long its next failure waits for its answer. In memory only, bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures count for so long after the first of them.
const WINDOW: Duration = Duration::from_secs(60);
/// So many are answered at once.
const FREE: u32 = 4;
/// What each further one waits more than the one before.
const STEP: Duration = Duration::from_millis(200);
/// What it waits at most.
const DELAY_MAX: Duration = Duration::from_secs(2);
/// Addresses that are remembered; beyond it the one that began first is forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// The failed authentications of the last minute by address.
#[derive(Debug, Default)]
pub struct Failures {
    by_address: Mutex<HashMap<IpAddr, Recent>>,
    total: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    count: u32,
    since: Instant,
}

impl Failures {
    /// Counts a failure.
    pub fn add(&self, peer: IpAddr) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.add_at(peer, Instant::now());
    }

    /// How long the answer to the last failure of an address waits; nothing where it has not failed often.
    pub fn delay(&self, peer: IpAddr) -> Duration {
        self.delay_at(peer, Instant::now())
    }

    /// Forgets the failures of an address: it has shown who it is.
    pub fn forget(&self, peer: IpAddr) {
        let mut all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&network_of(peer));
    }

    /// All failures since the start.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    fn add_at(&self, peer: IpAddr, now: Instant) {
        let mut all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network_of(peer);
        if !all.contains_key(&address) && all.len() >= ADDRESSES_MAX {
            make_room(&mut all, now);
        }
        let recent = all.entry(address).or_insert(Recent { count: 0, since: now });
        if now.duration_since(recent.since) >= WINDOW {
            *recent = Recent { count: 0, since: now };
        }
        recent.count = recent.count.saturating_add(1);
    }

    fn delay_at(&self, peer: IpAddr, now: Instant) -> Duration {
        let all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(&network_of(peer)) {
            Some(recent) if now.duration_since(recent.since) < WINDOW => {
                DELAY_MAX.min(STEP * recent.count.saturating_sub(FREE).min(1_000))
            }
            _ => Duration::ZERO,
        }
    }
}

fn make_room(all: &mut HashMap<IpAddr, Recent>, now: Instant) {
    all.retain(|_, recent| now.duration_since(recent.since) < WINDOW);
    if all.len() >= ADDRESSES_MAX
        && let Some(oldest) = all.iter().min_by_key(|(_, recent)| recent.since).map(|(address, _)| *address)
    {
        all.remove(&oldest);
    }
}

/// What counts as one address: of IPv6 the network, because a host has as many addresses in it as it likes.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn add(failures: &Failures, peer: &str, at: Instant) -> Duration {
        failures.add_at(ip(peer), at);
        failures.delay_at(ip(peer), at)
    }

    #[test]
    fn each_failure_beyond_the_fourth_waits_longer_up_to_two_seconds() {
        let (failures, start) = (Failures::default(), Instant::now());
        let waits: Vec<u128> = (0..17).map(|_| add(&failures, "10.0.0.1", start).as_millis()).collect();
        let expected = [0, 0, 0, 0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000, 2000, 2000, 2000];
        assert_eq!(waits, expected);
        assert_eq!(add(&failures, "10.0.0.2", start), Duration::ZERO);
        assert_eq!(add(&failures, "::ffff:10.0.0.1", start), DELAY_MAX);
        assert_eq!(failures.delay_at(ip("10.0.0.1"), start + WINDOW), Duration::ZERO);
        assert_eq!(add(&failures, "10.0.0.1", start + WINDOW), Duration::ZERO);
        for _ in 0..9 {
            add(&failures, "2001:db8::1", start);
        }
        assert_eq!(add(&failures, "2001:db8::ffff:2", start), STEP * 6);
        failures.forget(ip("2001:db8::3"));
        assert_eq!(add(&failures, "2001:db8::1", start), Duration::ZERO);
    }

    #[test]
    fn no_more_addresses_are_kept_than_the_bound() {
        let (failures, start) = (Failures::default(), Instant::now());
        for n in 0..6_000_u32 {
            let at = start + Duration::from_millis(u64::from(n));
            failures.add_at(IpAddr::V4(n.into()), at);
        }
        let all = failures.by_address.lock().unwrap();
        assert!(all.len() <= ADDRESSES_MAX && all.contains_key(&IpAddr::V4(5_999.into())));
        assert!(!all.contains_key(&IpAddr::V4(0.into())));
    }
}
