// SPDX-License-Identifier: Apache-2.0
//! Retention: removing what has been kept long enough, and the oldest of the least severe where the database is too
//! large. What is over in the fleet is `ops::fleet::retention`; when all this runs by itself is `daily`.

mod daily;
mod estimate;
mod size;

pub use daily::Purging;
pub use size::{SizeWarning, size_warning};

use crate::error::{Error, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::retention::{Retention, Verdict};
use crate::ops::App;
use crate::ops::fleet::retention::{FleetPurge, purge_fleet};
use crate::store::{Chosen, Deletion, Lock, RecordTraits, WINDOW_RECORDS};
use std::collections::HashMap;

/// The lock that keeps two purges apart, beside the database.
const LOCK_NAME: &str = "muster.purge.lock";
/// Records are deleted after so many were found to be old enough.
const CHOSEN_MAX: usize = 10_000;

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What is too old goes.
    Apply,
    /// It is counted only.
    DryRun,
}

/// Told how far it is (done, total, what is being done); false ends it early.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64, &str) -> bool;

/// What a purge removed, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Records for each rule, by its text, in the order of the configuration, and first those that no rule matches.
    pub records: Vec<(String, u64)>,
    /// Records for the size of the database; roughly where nothing is changed.
    pub for_size: u64,
    /// What was over in the fleet.
    pub fleet: FleetPurge,
    /// Classifications, builds and hardware profiles that no record has any more; 0 where nothing is changed.
    pub strings: usize,
    /// Entries of the audit log.
    pub audit_entries: usize,
    /// By how many bytes the database stays over its limit; roughly where nothing is changed.
    pub bytes_over: u64,
}

/// Removes all that retention says, or counts it. Each part is tried, whatever became of those before it; the first
/// error is told. Busy where another purge runs, or where `progress` said to end.
pub fn purge(app: &App, actor: &Actor, mode: Mode, progress: Progress<'_>) -> Result<Purged> {
    let _lock = (mode == Mode::Apply)
        .then(|| Lock::take_named(&app.config.data_dir, LOCK_NAME, &actor.origin))
        .transpose()?;
    let _room = (mode == Mode::Apply).then(|| app.store.lend_ballast());
    let now = app.clock.now();
    let mut parts = Parts { progress, is_ended: false, error: None };
    let mut purged = Purged {
        records: parts.run(|progress| purge_records(app, actor, mode, progress)),
        fleet: parts.run(|progress| purge_fleet(app, actor, mode, progress)),
        ..Purged::default()
    };
    purged.audit_entries = parts.run(|_| purge_audit(app, mode, now));
    if mode == Mode::DryRun {
        (purged.for_size, purged.bytes_over) =
            parts.run(|progress| estimate::would_remove(app, now, progress));
        return parts.finish().map(|()| purged);
    }
    parts.run(|_| app.store.delete_past_new_values(now));
    purged.strings = parts.run(|_| app.store.sweep_strings());
    let enforced = parts.run(|progress| size::enforce(app, actor, progress));
    (purged.for_size, purged.bytes_over) = (enforced.records, enforced.bytes_over);
    purged.strings += enforced.strings;
    if parts.error.is_none() {
        parts.run(|_| app.store.set_purged_at(now));
    }
    parts.run(|progress| app.store.tidy(|| progress(0, 0, "giving space back")));
    parts.finish().map(|()| purged)
}

/// The parts of a purge, of which one that fails does not keep the others from running.
struct Parts<'a> {
    progress: Progress<'a>,
    is_ended: bool,
    error: Option<Error>,
}

impl Parts<'_> {
    /// Runs a part, unless `progress` said to end; what it gives, or nothing.
    fn run<T: Default>(&mut self, part: impl FnOnce(Progress<'_>) -> Result<T>) -> T {
        let Parts { progress, is_ended, error } = self;
        if *is_ended {
            return T::default();
        }
        let outcome = part(&mut |done, total, what| {
            *is_ended |= !progress(done, total, what);
            !*is_ended
        });
        outcome.unwrap_or_else(|failed| {
            match error {
                None => *error = Some(failed),
                Some(_) => log::warn!("Another part of the purge failed: {}", failed.with_causes()),
            }
            T::default()
        })
    }

    fn finish(self) -> Result<()> {
        match self.error {
            Some(error) => Err(error),
            None if self.is_ended => Err(ended()),
            None => Ok(()),
        }
    }
}

fn ended() -> Error {
    Error::busy("The purge was ended early; what is left goes with the next one")
}

fn retention(app: &App) -> Retention<'_> {
    Retention { days: app.config.retention.days, rules: &app.config.retention.rules }
}

/// The reasons that are counted: no rule, then each rule.
fn reasons(retention: &Retention<'_>) -> Vec<String> {
    let rules = retention.rules.iter().map(|rule| rule.text());
    std::iter::once(format!("no rule, days={}", retention.days)).chain(rules).collect()
}

fn purge_records(app: &App, actor: &Actor, mode: Mode, progress: Progress<'_>) -> Result<Vec<(String, u64)>> {
    let retention = retention(app);
    let reasons = reasons(&retention);
    let now = app.clock.now();
    let mut counts = vec![0; reasons.len()];
    let Some(days) = retention.days_least() else { return Ok(reasons.into_iter().zip(counts).collect()) };
    let Some((first, end)) = app.store.ids_received_before(now - days * crate::model::time::DAY_SECS)? else {
        return Ok(reasons.into_iter().zip(counts).collect());
    };
    let audit = Audit::new(actor, "record.purge", "records kept long enough");
    let mut deletion = Deletion::new(audit, reasons.clone());
    let mut judge = Judge::new(app, retention);
    let mut chosen = Vec::new();
    let mut next = app.store.next_record_id(first, end)?;
    while let Some(from) = next {
        if !progress((from - first).unsigned_abs(), (end - first).unsigned_abs(), "records") {
            return Err(ended());
        }
        let records = app.store.record_traits(from, end, retention.asks_for_machine())?;
        for record in &records {
            let verdict = judge.verdict(record)?;
            if verdict.is_over(record.received_at, now) {
                let reason = verdict.rule.map_or(0, |rule| rule + 1);
                counts[reason] += 1;
                chosen.push(Chosen { id: record.id, reason });
            }
        }
        // A window may have been emptied by somebody else meanwhile; the walk goes on behind it.
        let behind = records.last().map_or(from.saturating_add(WINDOW_RECORDS), |last| last.id + 1);
        next = app.store.next_record_id(behind, end)?;
        if mode == Mode::DryRun {
            chosen.clear();
        }
        // In lots, so that the progress moves and an end is heard.
        for lot in chosen.chunks(CHOSEN_MAX) {
            app.store.delete_records(&mut deletion, lot.to_vec())?;
        }
        chosen.clear();
    }
    if mode == Mode::Apply {
        counts = deletion.deleted().to_vec();
    }
    Ok(reasons.into_iter().zip(counts).collect())
}

/// Applies the rules to records as the store gives them.
pub(crate) struct Judge<'a> {
    app: &'a App,
    retention: Retention<'a>,
    names: HashMap<i64, String>,
}

impl<'a> Judge<'a> {
    fn new(app: &'a App, retention: Retention<'a>) -> Judge<'a> {
        Judge { app, retention, names: HashMap::new() }
    }

    fn verdict(&mut self, record: &RecordTraits) -> Result<Verdict> {
        if !self.names.contains_key(&record.classification_id) {
            self.names = self.app.store.classification_names()?;
        }
        // One that is missing was swept with its last record meanwhile.
        let name = self.names.get(&record.classification_id).map_or("", String::as_str);
        Ok(self.retention.verdict(record.severity, name, &record.machine_id))
    }
}

/// Entries of the audit log by their age.
fn purge_audit(app: &App, mode: Mode, now: i64) -> Result<usize> {
    let days = app.config.retention.audit_days;
    let before = now - days * crate::model::time::DAY_SECS;
    match mode {
        _ if days == 0 => Ok(0),
        Mode::Apply => app.store.delete_audit_before(before),
        Mode::DryRun => app.store.count_audit_before(before),
    }
}
