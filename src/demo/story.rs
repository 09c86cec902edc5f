// SPDX-License-Identifier: Apache-2.0
//! What happened in these weeks, so that the pages have something to tell: a bad build, a memory module that dies, and
//! a week in which the cooling did not keep up.

use crate::demo::fleet::{Fleet, Span};
use crate::demo::hardware::Form;
use crate::demo::systems::newest_numbered;
use crate::model::time::DAY_SECS;

/// The events.
#[derive(Debug)]
pub struct Story {
    /// The Clear Linux build whose desktop shell crashes.
    pub bad_build: String,
    bad_from: i64,
    /// The machine whose memory dies; none where no machine has memory of its own.
    pub dying_machine: Option<usize>,
    dying_from: i64,
    dying_to: i64,
    hot_from: i64,
    hot_to: i64,
}

impl Story {
    /// What happens to this fleet.
    pub fn new(fleet: &mut Fleet, span: Span) -> Story {
        let bad_from = span.at(0.62);
        let week_secs = (7 * DAY_SECS).min(span.secs() / 3);
        let is_fit = |form: Form| {
            fleet.machines.iter().position(|machine| {
                let model = fleet.model(machine);
                let is_intel = model.has_machine_checks() && model.cpu_vendor() == "Intel";
                is_intel && model.form == form && machine.is_there(span.start) && machine.is_there(span.end)
            })
        };
        let dying_machine =
            is_fit(Form::Server).or_else(|| is_fit(Form::Desktop)).or_else(|| is_fit(Form::Laptop));
        if let Some(machine) = dying_machine {
            // Otherwise nobody could tell that it is one machine.
            fleet.machines[machine].keep_one_id();
            fleet.machines[machine].clock_ahead_secs = 0;
        }
        let hot_from = span.at(0.36);
        Story {
            bad_build: newest_numbered(bad_from).to_string(),
            bad_from,
            dying_machine,
            dying_from: span.at(0.5),
            dying_to: span.end,
            hot_from,
            hot_to: hot_from + week_secs,
        }
    }

    /// How many more crashes the bad build brings at a time, 0 to 1.
    pub fn bad_build_part(&self, at: i64) -> f64 {
        let days = (at - self.bad_from) as f64 / DAY_SECS as f64;
        if days < 0.0 { 0.0 } else { (days / 1.2).min(1.0) * (-(days - 1.2).max(0.0) / 3.0).exp() }
    }

    /// How bad the memory is at a time, 0 to 1.
    pub fn dying_part(&self, at: i64) -> f64 {
        if self.dying_machine.is_none() || at < self.dying_from {
            return 0.0;
        }
        ((at - self.dying_from) as f64 / (self.dying_to - self.dying_from).max(1) as f64).powi(2).min(1.0)
    }

    /// How hot it is at a time, 1 on an ordinary day.
    pub fn heat(&self, at: i64) -> f64 {
        let hour = at.rem_euclid(DAY_SECS) as f64 / 3_600.0;
        let afternoon = (-((hour - 14.5) / 3.5).powi(2)).exp();
        let is_hot = (self.hot_from..self.hot_to).contains(&at);
        0.5 + afternoon * if is_hot { 16.0 } else { 0.9 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 1_791_600_000, end: 1_795_228_800 };

    #[test]
    fn the_bad_build_spikes_and_fades_and_the_memory_gets_worse() {
        let mut fleet = Fleet::new(1, 400, SPAN).unwrap();
        let story = Story::new(&mut fleet, SPAN);
        let bad = |days: i64| story.bad_build_part(story.bad_from + days * DAY_SECS);
        assert!(bad(-1) == 0.0 && bad(2) > 0.7 && bad(12) < 0.05);
        assert!(story.dying_part(SPAN.start) == 0.0 && story.dying_part(SPAN.end) > 0.9);
        assert!(
            story.heat(story.hot_from + DAY_SECS / 2) > 3.0 * story.heat(SPAN.start + DAY_SECS / 2).min(3.0)
        );
    }
}
