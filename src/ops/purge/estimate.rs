// SPDX-License-Identifier: Apache-2.0
//! What the limit on the bytes would remove, without removing it. Every record is judged once; how many bytes its going
//! gives back is a model of the pages, because SQLite keeps a page that is a third full.

use super::size::{GOAL_PERCENT, may_go};
use super::{Judge, Progress, ended, retention};
use crate::error::Result;
use crate::ops::App;

/// Bytes that rows find room for on a page.
const PAGE_ROOM: u64 = 4_050;
/// What a longer row leaves at least on its page; the rest of it has pages of its own.
const LEFT_ON_PAGE: u64 = 489;
/// What such a page holds.
const OVERFLOW_ROOM: u64 = 4_092;
/// Of a payload's row beside the payload.
const ROW_HEAD: u64 = 8;
/// Of a record's row without its payload, and of its rows in indexes and counts: on an average.
const ROW_BYTES: u64 = 64;
const ROW_BYTES_WITH_INDEXES: u64 = 150;
/// As it is, without what age removes, then without each severity as well.
const LEVELS: usize = 6;
/// The level at which a record of the least severity is gone.
const FIRST_SEVERITY: usize = 2;

/// Bytes of a table at each level.
#[derive(Default)]
struct Pages {
    /// On the page that rows are added to.
    open: [u64; LEVELS],
    /// On the one before it, which may be joined with it.
    last: [u64; LEVELS],
    closed: [u64; LEVELS],
}

impl Pages {
    /// Adds a row that is there at the levels below `gone_at`.
    fn add(&mut self, bytes: u64, gone_at: usize) {
        let (mut local, mut own) = (bytes, 0);
        if bytes > PAGE_ROOM {
            let behind = (bytes - LEFT_ON_PAGE) % OVERFLOW_ROOM;
            local = if LEFT_ON_PAGE + behind <= PAGE_ROOM { LEFT_ON_PAGE + behind } else { LEFT_ON_PAGE };
            own = bytes - local;
        }
        if self.open[0] + local > PAGE_ROOM {
            self.close();
        }
        for level in 0..gone_at.min(LEVELS) {
            self.open[level] += local;
            self.closed[level] += own;
        }
    }

    fn close(&mut self) {
        let levels = self.open.iter_mut().zip(&mut self.last).zip(&mut self.closed);
        for ((open, last), closed) in levels {
            let left = std::mem::take(open);
            // What is less than a third is joined with its neighbour.
            if left.min(*last) * 3 < PAGE_ROOM && left + *last <= PAGE_ROOM {
                *closed += if *last == 0 && left > 0 { PAGE_ROOM } else { 0 };
                *last += left;
            } else {
                *closed += PAGE_ROOM;
                *last = left;
            }
        }
    }
}

/// The database at each level.
#[derive(Default)]
struct Levels {
    rows: Pages,
    payloads: Pages,
    /// Records that go at each level.
    n_going: [u64; LEVELS],
}

impl Levels {
    fn add(&mut self, payload_bytes: u64, gone_at: usize) {
        self.rows.add(ROW_BYTES, gone_at);
        self.payloads.add(payload_bytes + ROW_HEAD, gone_at);
        if let Some(n) = self.n_going.get_mut(gone_at) {
            *n += 1;
        }
    }

    /// Bytes in use at each level, where `used` are now.
    fn bytes(&mut self, used: u64) -> [u64; LEVELS] {
        self.rows.close();
        self.payloads.close();
        let (rows, payloads) = (&self.rows.closed, &self.payloads.closed);
        let of_rows = rows[0] / ROW_BYTES * ROW_BYTES_WITH_INDEXES;
        // What is neither stays: strings, accounts, the fleet.
        let of_rows = of_rows.min(used.saturating_sub(payloads[0]));
        let fixed = used.saturating_sub(payloads[0] + of_rows);
        let scaled = |left: u64| (u128::from(of_rows) * u128::from(left) / u128::from(rows[0].max(1))) as u64;
        std::array::from_fn(|level| (fixed + payloads[level] + scaled(rows[level])).min(used))
    }

    /// Roughly how many records go for the size, and by how many bytes it stays over `max`.
    fn outcome(&mut self, used: u64, max: u64) -> (u64, u64) {
        let bytes = self.bytes(used);
        let goal = max / 100 * GOAL_PERCENT;
        if used <= max || bytes[FIRST_SEVERITY - 1] <= max {
            return (0, 0);
        }
        let mut going = 0;
        for level in FIRST_SEVERITY..LEVELS {
            let (before, after) = (bytes[level - 1], bytes[level]);
            if after <= goal {
                // The oldest of a severity lie side by side, so their bytes go as their number does.
                let part = (before - goal) as f64 / (before - after) as f64;
                let some = (self.n_going[level] as f64 * part).ceil() as u64;
                return (going + some.min(self.n_going[level]), 0);
            }
            going += self.n_going[level];
        }
        (going, bytes[LEVELS - 1].saturating_sub(max))
    }
}

/// Roughly how many records would go beyond those that age removes, and by how many bytes the database would stay over
/// its limit.
pub(super) fn would_remove(app: &App, now: i64, progress: Progress<'_>) -> Result<(u64, u64)> {
    let (used, max) = (app.store.database_bytes()?.used, app.config.retention.database_bytes_max);
    if max == 0 || used <= max {
        return Ok((0, 0));
    }
    let mut levels = Levels::default();
    let mut judge = Judge::new(app, retention(app));
    let end = app.store.walk_end()?;
    let Some(first) = app.store.next_record_id(0, end)? else { return Ok((0, used - max)) };
    let mut next = Some(first);
    while let Some(from) = next {
        if !progress((from - first).unsigned_abs(), (end - first).unsigned_abs(), "records") {
            return Err(ended());
        }
        let (records, behind) = app.store.record_traits_and_bytes(from, end)?;
        for (record, payload_bytes) in records {
            let verdict = judge.verdict(&record)?;
            let gone_at = if verdict.is_over(record.received_at, now) {
                FIRST_SEVERITY - 1
            } else if may_go(verdict) {
                FIRST_SEVERITY - 1 + record.severity.number() as usize
            } else {
                LEVELS
            };
            levels.add(payload_bytes, gone_at);
        }
        next = app.store.next_record_id(behind, end)?;
    }
    Ok(levels.outcome(used, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels in turn, limit, least and most that go, whether the limit stays missed.
    type Case = (&'static [usize], u64, (u64, u64), bool);

    /// So many records with payloads of 1,000 bytes, each gone at the levels in turn.
    fn levels(n: u64, gone_at: &[usize]) -> Levels {
        let mut levels = Levels::default();
        for at in gone_at.iter().cycle().take(n as usize) {
            levels.add(1_000, *at);
        }
        levels
    }

    #[test]
    fn what_goes_is_never_more_than_may() {
        const USED: u64 = 12_000_000;
        let cases: [Case; 7] = [
            // No limit is crossed.
            (&[2], USED, (0, 0), false),
            // Age alone brings it under.
            (&[1, 1, 1, 2], 11_000_000, (0, 0), false),
            // Half of them.
            (&[2], 6_400_000, (4_900, 5_300), false),
            // Kept for ever.
            (&[6], 6_000_000, (0, 0), true),
            // One in four may go.
            (&[2, 6, 6, 6], 6_000_000, (2_500, 2_500), true),
            // Everything is too little for a limit below what is fixed.
            (&[2, 3, 4, 5], 300_000, (10_000, 10_000), true),
            // Half-empty pages stay: more than the bytes of the records say.
            (&[2, 3], 6_400_000, (5_000, 8_000), false),
        ];
        for (gone_at, max, (least, most), is_missed) in cases {
            let (n, over) = levels(10_000, gone_at).outcome(USED, max);
            assert!((least..=most).contains(&n), "{gone_at:?} {max}: {n}");
            assert_eq!(over > 0, is_missed, "{gone_at:?} {max}");
        }
    }

    #[test]
    fn a_page_is_given_back_when_less_than_a_third_is_left() {
        // What is left of each of 30 pages, and how many pages that takes.
        for (left, n_pages) in [(0, 0), (1_000, 8), (1_340, 10), (1_360, 30), (PAGE_ROOM, 30)] {
            let mut pages = Pages::default();
            for _ in 0..30 {
                pages.add(left, LEVELS);
                pages.add(PAGE_ROOM - left, 1);
            }
            pages.close();
            assert_eq!((pages.closed[0], pages.closed[5]), (30 * PAGE_ROOM, n_pages * PAGE_ROOM), "{left}");
        }
        let mut pages = Pages::default();
        pages.add(100_000, 2);
        pages.close();
        assert!((100_000..105_000).contains(&pages.closed[0]) && pages.closed[2] == 0);
    }
}
