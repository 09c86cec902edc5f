// SPDX-License-Identifier: Apache-2.0
//! When records come: more by day than by night, fewer on weekends, none while the server was down.
//!
//! The weeks are cut into slots of five minutes. Each slot gets its share of the records, so that a stream in the order
//! of time needs no memory and ends with exactly the number asked for.

use crate::demo::fleet::Span;
use crate::demo::random::Random;
use crate::model::time::DAY_SECS;

const SLOT_SECS: i64 = 300;

/// A while in which nothing was received. What machines had to say they sent afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its first second.
    pub start: i64,
    /// The second after it.
    pub end: i64,
}

/// The order of the day, over the whole span.
#[derive(Clone, Debug)]
pub struct Schedule {
    span: Span,
    gaps: Vec<Gap>,
    weights_sum: f64,
    records: u64,
}

/// A slot of time and the records that are received in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first second.
    pub start: i64,
    /// The second after it.
    pub end: i64,
    /// How many records.
    pub records: u64,
}

impl Schedule {
    /// Spreads `records` over the span.
    pub fn new(span: Span, records: u64) -> Schedule {
        let gap = |part: f64, minutes: i64| {
            let start = span.at(part);
            Gap { start, end: (start + minutes * 60).min(span.end - 3_600) }
        };
        // A night of maintenance, a restart that took long, a switch that died.
        let gaps = vec![gap(0.2, 380), gap(0.55, 45), gap(0.88, 150)];
        let gaps = gaps.into_iter().filter(|gap| gap.start < gap.end).collect();
        let mut schedule = Schedule { span, gaps, weights_sum: 0.0, records };
        schedule.weights_sum = schedule.slots().map(|slot| schedule.weight(slot.start)).sum();
        schedule
    }

    /// The slots, in order of time; their records add up to all.
    pub fn slots(&self) -> Slots {
        Slots { schedule: self.clone(), next_start: self.span.start, weight: 0.0, records: 0 }
    }

    /// The gap that ended less than two hours before a time.
    pub fn gap_just_over(&self, at: i64) -> Option<Gap> {
        self.gaps.iter().copied().find(|gap| (gap.end..gap.end + 2 * 3_600).contains(&at))
    }

    fn weight(&self, at: i64) -> f64 {
        if self.gaps.iter().any(|gap| (gap.start..gap.end).contains(&at)) {
            return 0.0;
        }
        let growth = 0.85 + 0.15 * self.span.progress(at);
        let backlog = if self.gap_just_over(at).is_some() { 1.9 } else { 1.0 };
        day_weight(at) * growth * backlog
    }
}

/// The slots of a schedule, one after the other.
#[derive(Debug)]
pub struct Slots {
    schedule: Schedule,
    next_start: i64,
    /// Of all slots so far.
    weight: f64,
    /// Of all slots so far.
    records: u64,
}

impl Iterator for Slots {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let (start, end) = (self.next_start, self.schedule.span.end);
        if start > end {
            return None;
        }
        self.next_start += SLOT_SECS;
        self.weight += self.schedule.weight(start);
        let is_last = self.next_start > end;
        let share =
            if self.schedule.weights_sum > 0.0 { self.weight / self.schedule.weights_sum } else { 0.0 };
        let so_far =
            if is_last { self.schedule.records } else { (self.schedule.records as f64 * share) as u64 };
        let records = so_far.saturating_sub(self.records);
        self.records += records;
        Some(Slot { start, end: self.next_start.min(end + 1), records })
    }
}

/// How busy the fleet is at a time: working hours in the longitudes of Europe above all, never nothing.
fn day_weight(at: i64) -> f64 {
    let day = at.div_euclid(DAY_SECS);
    let is_weekend = matches!((day + 4).rem_euclid(7), 0 | 6);
    let hour = at.rem_euclid(DAY_SECS) as f64 / 3_600.0;
    let office = (-((hour - 11.5) / 4.2).powi(2)).exp();
    0.55 + office * if is_weekend { 0.25 } else { 1.0 }
}

/// The reception time of record `number` of a slot, never before the one before it.
pub fn received_at(slot: Slot, number: u64, random: &mut Random) -> i64 {
    let secs = (slot.end - slot.start).max(1) as f64;
    let part = (number as f64 + random.unit()) / slot.records.max(1) as f64;
    slot.start + (secs * part.min(0.999_999)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 1_791_600_000, end: 1_795_228_811 };

    #[test]
    fn the_slots_hold_all_records_in_order_and_the_gaps_none() {
        for records in [1, 5_000, 3_000_000] {
            let schedule = Schedule::new(SPAN, records);
            let slots: Vec<Slot> = schedule.slots().collect();
            assert_eq!(slots.iter().map(|slot| slot.records).sum::<u64>(), records);
            assert!(slots.windows(2).all(|pair| pair[0].end == pair[1].start));
            let gap = schedule.gaps[0];
            let inside = slots.iter().filter(|slot| slot.start >= gap.start && slot.end <= gap.end);
            assert!(inside.into_iter().all(|slot| slot.records == 0));
        }
    }

    #[test]
    fn times_within_a_slot_ascend() {
        let (slot, mut random) = (Slot { start: 1_000, end: 1_300, records: 999 }, Random::new(1));
        let times: Vec<i64> = (0..999).map(|number| received_at(slot, number, &mut random)).collect();
        assert!(times.is_sorted() && times[0] >= 1_000 && times[998] < 1_300);
    }
}
