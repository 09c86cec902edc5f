// SPDX-License-Identifier: Apache-2.0
//! Asking two servers for the same pages in turn, so that what disturbs one disturbs the other.

use crate::client::{Client, Coding};
use crate::variants::{Kind, Variant};
use std::time::Duration;

/// Requests for what takes a second each.
const SLOW_REQUESTS_MAX: usize = 8;

/// An address of the large database, and the same of the small one where that has it.
pub struct Pair {
    /// At the large one.
    pub large: Variant,
    /// At the small one.
    pub small: Option<String>,
}

/// Puts together what has the same name in both databases.
pub fn pairs(large: Vec<Variant>, small: &[Variant]) -> Vec<Pair> {
    let pair = |large: Variant| {
        let twin = small.iter().find(|small| small.page == large.page && small.name == large.name);
        Pair { small: twin.map(|twin| twin.target.clone()), large }
    };
    large.into_iter().map(pair).collect()
}

/// The times of an address at one server.
#[derive(Clone, Debug, Default)]
pub struct Times {
    sorted: Vec<Duration>,
    /// Uncompressed size of the answer.
    pub bytes: usize,
    /// True where the answer says that it looked at some records only.
    pub is_partial: bool,
    /// The first status other than 200, or what went wrong.
    pub failure: Option<String>,
}

impl Times {
    /// The time that a part of the requests did not take longer than; nothing where nothing was measured.
    pub fn at(&self, part: f64) -> Option<Duration> {
        let index = (self.sorted.len() as f64 * part).ceil() as usize;
        self.sorted.get(index.clamp(1, self.sorted.len().max(1)) - 1).copied()
    }

    /// Half of the requests took no longer.
    pub fn p50(&self) -> Option<Duration> {
        self.at(0.5)
    }

    /// 95 of 100 took no longer.
    pub fn p95(&self) -> Option<Duration> {
        self.at(0.95)
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        self.at(1.0)
    }

    /// The first request, which warms caches and is not timed.
    fn look(&mut self, client: &mut Client, target: &str) {
        match client.get(target, Coding::Plain) {
            Ok(answer) if answer.status == 200 => {
                self.is_partial = answer.text().contains("Searched back to");
                self.bytes = answer.body.len();
            }
            Ok(answer) => self.failure = Some(format!("status {}", answer.status)),
            Err(error) => self.failure = Some(error.to_string()),
        }
    }

    fn ask(&mut self, client: &mut Client, target: &str) {
        match client.get(target, Coding::Gzip) {
            Ok(answer) if answer.status == 200 => self.sorted.push(answer.time),
            Ok(answer) => _ = self.failure.get_or_insert(format!("status {}", answer.status)),
            Err(error) => _ = self.failure.get_or_insert(error.to_string()),
        }
    }
}

/// What was measured of an address.
pub struct Measured {
    /// What was asked.
    pub variant: Variant,
    /// At the large database.
    pub large: Times,
    /// At the small one; empty where that has nothing alike.
    pub small: Times,
}

/// Asks for each address so many times. Rounds go over all addresses, so that each comes with caches as the others
/// leave them.
pub fn measure(pairs: &[Pair], large: &mut Client, small: &mut Client, requests: usize) -> Vec<Measured> {
    let mut measured: Vec<Measured> = pairs
        .iter()
        .map(|pair| {
            let (mut at_large, mut at_small) = (Times::default(), Times::default());
            at_large.look(large, &pair.large.target);
            if let Some(target) = &pair.small {
                at_small.look(small, target);
            }
            Measured { variant: pair.large.clone(), large: at_large, small: at_small }
        })
        .collect();
    for round in 0..requests {
        for (pair, measured) in pairs.iter().zip(&mut measured) {
            let is_slow = matches!(pair.large.kind, Kind::PayloadWithoutHit | Kind::Bulk);
            if is_slow && round >= SLOW_REQUESTS_MAX || measured.large.failure.is_some() {
                continue;
            }
            // Who comes second finds the processor's caches as the first left them.
            for turn in 0..2 {
                if (turn + round) % 2 == 0 {
                    measured.large.ask(large, &pair.large.target);
                } else if let Some(target) = &pair.small {
                    measured.small.ask(small, target);
                }
            }
        }
        eprint!("\rround {} of {requests} ", round + 1);
    }
    eprintln!();
    for measured in &mut measured {
        measured.large.sorted.sort_unstable();
        measured.small.sorted.sort_unstable();
    }
    measured
}
