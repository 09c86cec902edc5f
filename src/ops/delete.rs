// SPDX-License-Identifier: Apache-2.0
//! Deleting chosen records: test data, what somebody asked to have removed.

use crate::error::{Error, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::filter::RecordFilter;
use crate::ops::App;
use crate::store::{Chosen, Deletion};

/// Most records that a page deletes at once.
pub const CHOSEN_MAX: usize = 5_000;
/// Ids among which one search chooses.
const STRETCH_IDS: i64 = 1 << 18;

/// How many records a filter chooses among those stored now, and the id behind the newest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The end of the ids that were looked at.
    pub end: i64,
    /// How many records.
    pub records: u64,
}

/// Looks what a filter chooses. `progress` is told how many ids of how many were looked at.
pub fn choose(app: &App, filter: &RecordFilter, progress: &mut dyn FnMut(u64, u64)) -> Result<Choice> {
    let end = app.store.walk_end()?;
    let mut records = 0;
    for_each_stretch(app, end, &mut |first, next| {
        records += app.store.record_ids_between(filter, first, next)?.len() as u64;
        progress(next.unsigned_abs(), end.unsigned_abs());
        Ok(())
    })?;
    Ok(Choice { end, records })
}

/// Deletes what a filter chooses among the records that `choice` looked at; how many. `filter_text` names it in the
/// audit log. `progress` is told how many of how many are deleted.
pub fn delete_filtered(
    app: &App,
    actor: &Actor,
    filter: &RecordFilter,
    filter_text: &str,
    choice: Choice,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64> {
    let subject = match filter_text {
        "" => "all records".to_owned(),
        text => format!("records with {text}"),
    };
    let mut deletion =
        Deletion::new(Audit::new(actor, "record.delete", subject), vec![String::new()]).erasing();
    let _room = app.store.lend_ballast();
    for_each_stretch(app, choice.end, &mut |first, next| {
        for ids in app.store.record_ids_between(filter, first, next)?.chunks(CHOSEN_MAX) {
            let chosen = ids.iter().map(|id| Chosen { id: *id, reason: 0 }).collect();
            app.store.delete_records(&mut deletion, chosen)?;
            progress(deletion.n_deleted(), choice.records);
        }
        Ok(())
    })?;
    app.store.sweep_strings()?;
    // The log of the database holds them, too.
    app.store.empty_log();
    Ok(deletion.n_deleted())
}

/// Ascending, so that the newest crash of a backtrace is found anew but once.
fn for_each_stretch(app: &App, end: i64, each: &mut dyn FnMut(i64, i64) -> Result<()>) -> Result<()> {
    let mut first = app.store.next_record_id(0, end)?;
    while let Some(from) = first {
        let next = end.min(from.saturating_add(STRETCH_IDS));
        each(from, next)?;
        first = app.store.next_record_id(next, end)?;
    }
    Ok(())
}

/// Deletes records by their ids; how many there were. Invalid where there are more than [`CHOSEN_MAX`].
pub fn delete_chosen(app: &App, actor: &Actor, ids: &[i64]) -> Result<u64> {
    if ids.len() > CHOSEN_MAX {
        return Err(Error::invalid(format!("At most {CHOSEN_MAX} records at once; use `muster delete`")));
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let listed = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let subject = if ids.len() == 1 { format!("record {listed}") } else { format!("records {listed}") };
    let mut deletion =
        Deletion::new(Audit::new(actor, "record.delete", subject), vec![String::new()]).erasing();
    let _room = app.store.lend_ballast();
    app.store.delete_records(&mut deletion, ids.into_iter().map(|id| Chosen { id, reason: 0 }).collect())?;
    app.store.sweep_strings()?;
    app.store.empty_log();
    log::info!("{} deleted {} records", actor.name, deletion.n_deleted());
    Ok(deletion.n_deleted())
}
