// SPDX-License-Identifier: Apache-2.0
//! The limit on the bytes of the database: the oldest records of the least severity go first, and what a rule keeps for
//! ever stays.

use super::{Judge, Progress, ended, retention};
use crate::error::Result;
use crate::model::audit::{Actor, Audit};
use crate::model::record::Severity;
use crate::model::retention::Verdict;
use crate::ops::App;
use crate::store::{Chosen, Deletion, RecordTraits};
use std::collections::VecDeque;

/// Once over the limit, the database is brought to this many hundredths of it, so that this is not needed every time.
pub(super) const GOAL_PERCENT: u64 = 95;
/// The page warns from here on.
const WARN_PERCENT: u64 = 90;
/// Most records that are deleted before the size is looked at again.
const LOT_RECORDS: usize = 500;
/// After so many records the strings that they alone had are removed, which gives space back, too.
const RECORDS_BEFORE_SWEEPING: usize = 5_000;
/// Where the clock was set back more often, records go in the order of their ids.
const STRETCHES_MAX: usize = 500;

/// What the page says of the database's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeWarning {
    /// Bytes in use.
    pub used_bytes: u64,
    /// The limit.
    pub bytes_max: u64,
    /// True where nothing is left that may go.
    pub is_goal_missed: bool,
}

/// What is to be said of the size; none below nine tenths of the limit, or where there is none.
pub fn size_warning(app: &App) -> Result<Option<SizeWarning>> {
    let bytes_max = app.config.retention.database_bytes_max;
    if bytes_max == 0 {
        return Ok(None);
    }
    let used_bytes = app.store.database_bytes()?.used;
    if used_bytes < bytes_max / 100 * WARN_PERCENT {
        return Ok(None);
    }
    let is_goal_missed = used_bytes > bytes_max && app.store.database_bytes_over()? > 0;
    Ok(Some(SizeWarning { used_bytes, bytes_max, is_goal_missed }))
}

/// How many records take so many of the bytes that are used, on an average.
fn records_of_bytes(app: &App, used: u64, bytes: u64) -> Result<u64> {
    let records = app.store.count_records()?.unsigned_abs();
    Ok(bytes / (used / records.max(1)).max(1))
}

/// What the limit came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Enforced {
    /// Records that went.
    pub(super) records: u64,
    /// Strings that no record has any more.
    pub(super) strings: usize,
    /// Bytes by which the database is still over.
    pub(super) bytes_over: u64,
}

/// Brings the database under its limit.
pub(super) fn enforce(app: &App, actor: &Actor, progress: Progress<'_>) -> Result<Enforced> {
    let max = app.config.retention.database_bytes_max;
    let used = app.store.database_bytes()?.used;
    if max == 0 || used <= max {
        note_over(app, 0)?;
        return Ok(Enforced::default());
    }
    log::info!(
        "The database has {used} bytes, more than retention.database_bytes_max; the oldest records go"
    );
    let audit = Audit::new(actor, "record.purge", "records beyond retention.database_bytes_max");
    let mut deletion = Deletion::new(audit, vec!["size".to_owned()]);
    let goal = max / 100 * GOAL_PERCENT;
    let mut strings = 0;
    for severity in Severity::ALL {
        // What a severity leaves unused goes before more severe records do: whoever sends strings of their own with
        // each record must not drive the others out.
        let is_reached = remove_oldest(app, &mut deletion, severity, used, goal, progress)?;
        strings += app.store.sweep_strings()?;
        if is_reached {
            break;
        }
    }
    let bytes_over = app.store.database_bytes()?.used.saturating_sub(max);
    note_over(app, bytes_over)?;
    Ok(Enforced { records: deletion.n_deleted(), strings, bytes_over })
}

/// False for what a rule keeps for ever.
pub(super) fn may_go(verdict: Verdict) -> bool {
    verdict.rule.is_none() || verdict.days > 0
}

/// Removes the oldest of a severity until the goal is reached; false where there is no more of it that may go.
fn remove_oldest(
    app: &App,
    deletion: &mut Deletion,
    severity: Severity,
    used_at_first: u64,
    goal: u64,
    progress: Progress<'_>,
) -> Result<bool> {
    let mut judge = Judge::new(app, retention(app));
    let mut oldest = Oldest::of(app, severity)?;
    let mut n_unswept = 0;
    loop {
        if n_unswept >= RECORDS_BEFORE_SWEEPING {
            n_unswept = 0;
            app.store.sweep_strings()?;
        }
        let used = app.store.database_bytes()?.used;
        if used <= goal {
            return Ok(true);
        }
        let done = used_at_first.saturating_sub(used);
        if !progress(done, used_at_first - goal, "bytes over the limit") {
            return Err(ended());
        }
        // Of a small database a full lot would be far too much.
        let wanted = records_of_bytes(app, used, used - goal)?.max(1);
        let (mut chosen, mut n_looked) = (Vec::new(), 0);
        while n_looked < LOT_RECORDS && (chosen.len() as u64) < wanted {
            let Some(record) = oldest.next(app)? else { break };
            n_looked += 1;
            let verdict = judge.verdict(&record)?;
            if may_go(verdict) {
                chosen.push(Chosen { id: record.id, reason: 0 });
            }
        }
        if n_looked == 0 {
            return Ok(false);
        }
        n_unswept += chosen.len();
        app.store.delete_records(deletion, chosen)?;
    }
}

/// Walks the records of a severity in the order of their reception. An import of old records gives them the newest ids,
/// so ids alone do not tell; within each stretch they do.
struct Oldest {
    severity: Severity,
    stretches: Vec<Stretch>,
}

/// A stretch of ids that is not walked to its end.
struct Stretch {
    /// What was read of it and not yet taken, ascending; never empty.
    ahead: VecDeque<RecordTraits>,
    next_id: i64,
    end: i64,
}

impl Oldest {
    fn of(app: &App, severity: Severity) -> Result<Oldest> {
        let mut ids = app.store.stretches()?;
        if ids.len() > STRETCHES_MAX {
            let all = (0, ids.last().map_or(0, |(_, end)| *end));
            ids = vec![all];
        }
        let mut oldest = Oldest { severity, stretches: Vec::with_capacity(ids.len()) };
        for (next_id, end) in ids {
            let mut stretch = Stretch { ahead: VecDeque::new(), next_id, end };
            // One of each is enough to compare them.
            if stretch.read(app, severity, 1)? {
                oldest.stretches.push(stretch);
            }
        }
        Ok(oldest)
    }

    /// The oldest that was not yet taken; none at the end.
    fn next(&mut self, app: &App) -> Result<Option<RecordTraits>> {
        let received_at = |stretch: &Stretch| stretch.ahead.front().map(|record| record.received_at);
        let first = self.stretches.iter().enumerate().min_by_key(|(_, stretch)| received_at(stretch));
        let Some((index, _)) = first else { return Ok(None) };
        let stretch = &mut self.stretches[index];
        let record = stretch.ahead.pop_front();
        if stretch.ahead.is_empty() && !stretch.read(app, self.severity, LOT_RECORDS)? {
            self.stretches.swap_remove(index);
        }
        Ok(record)
    }
}

impl Stretch {
    /// Reads on; false at the end.
    fn read(&mut self, app: &App, severity: Severity, rows_max: usize) -> Result<bool> {
        let records = app.store.record_traits_of_severity(severity, (self.next_id, self.end), rows_max)?;
        if let Some(last) = records.last() {
            self.next_id = last.id + 1;
        }
        self.ahead.extend(records);
        Ok(!self.ahead.is_empty())
    }
}

fn note_over(app: &App, bytes: u64) -> Result<()> {
    if bytes > 0 {
        log::warn!(
            "The database stays {bytes} bytes over retention.database_bytes_max: what is left is kept for ever by \
             rules or is not records; raise the limit or change retention.rules"
        );
    }
    if app.store.database_bytes_over()? != bytes {
        app.store.set_database_bytes_over(bytes)?;
    }
    Ok(())
}
