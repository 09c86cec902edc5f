// SPDX-License-Identifier: Apache-2.0
//! Deleting records, a few milliseconds at a time, with every count that they are in corrected in the same transaction.
//!
//! One entry of the audit log stands for the whole deletion: its first step writes it, each further one moves its
//! number on, so that it is right wherever the deletion is cut off. Strings that nothing uses any more go afterwards:
//! [`Store::sweep_strings`].

use crate::error::Result;
use crate::model::audit::Audit;
use crate::model::record::EventId;
use crate::model::time::DAY_SECS;
use crate::store::audit::insert_audit;
use crate::store::derived::Facts;
use crate::store::dimensions::RecordIds;
use crate::store::meta::{meta, set_meta};
use crate::store::recents::digest;
use crate::store::record_insert::StoredMachineId;
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store, payload};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step ends after this long, but for the record that it is at: posts wait meanwhile.
const STEP_MOST: Duration = Duration::from_millis(10);
/// Most records of a step.
const STEP_RECORDS: usize = 1_000;
/// On a short disk, space is given back after so many.
const RECORDS_BEFORE_TIDYING: usize = 500;
/// Longest pause between two steps; otherwise half of the time is for posts.
const PAUSE_MOST: Duration = Duration::from_millis(50);
/// A record is known again when it is sent again within a day; marks are looked for a little longer.
const RECENT_SECS: i64 = DAY_SECS + 7_200;
/// Strings that one transaction removes.
const STRINGS_PER_CHANGE_MAX: usize = 500;
/// How long one look for unused strings may take.
const LOOK_MOST: Duration = Duration::from_secs(10);

/// A record to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its id.
    pub id: i64,
    /// Why, as an index of the deletion's reasons.
    pub reason: usize,
}

/// A deletion under way, which may be called on again and again.
#[derive(Debug)]
pub struct Deletion {
    audit: Audit,
    reasons: Vec<String>,
    entry_id: Option<i64>,
    deleted: Vec<u64>,
    is_erased: bool,
}

impl Deletion {
    /// A deletion that the entry tells of, with the reasons that are counted; one at least.
    pub fn new(audit: Audit, reasons: Vec<String>) -> Deletion {
        let deleted = vec![0; reasons.len()];
        Deletion { audit, reasons, entry_id: None, deleted, is_erased: false }
    }

    /// The same, and what is deleted is overwritten in the file, which takes longer: somebody wants it gone.
    pub fn erasing(self) -> Deletion {
        Deletion { is_erased: true, ..self }
    }

    /// Records deleted so far.
    pub fn n_deleted(&self) -> u64 {
        self.deleted.iter().sum()
    }

    /// The same for each reason.
    pub fn deleted(&self) -> &[u64] {
        &self.deleted
    }
}

/// Lets SQLite overwrite what it deletes from here on, or not.
fn set_erasing(connection: &Connection, is_wanted: bool) -> Result<()> {
    // It answers with what is in force.
    connection.query_row(&format!("PRAGMA secure_delete = {}", u8::from(is_wanted)), [], |_| Ok(()))?;
    Ok(())
}

/// What a step did: how many of the records it came past, how many it deleted for each reason, and its entry.
struct Step {
    n_done: usize,
    deleted: Vec<u64>,
    entry_id: Option<i64>,
}

impl Store {
    /// Deletes records, in the order given; those that are gone are passed over. Between two steps posts get their
    /// turn. What an error leaves is deleted in part, with exact counts.
    pub fn delete_records(&self, deletion: &mut Deletion, chosen: Vec<Chosen>) -> Result<()> {
        let chosen: Arc<[Chosen]> = chosen.into();
        let (mut from, mut tidied_at) = (0, 0);
        while from < chosen.len() {
            let began = Instant::now();
            let step = self.in_step(STEP_RECORDS, |records| {
                let some = Arc::clone(&chosen);
                let (audit, entry_id) = (deletion.audit.clone(), deletion.entry_id);
                let (reasons, before) = (deletion.reasons.clone(), deletion.deleted.clone());
                let is_erased = deletion.is_erased;
                self.writer().change(false, move |write| {
                    let to = some.len().min(from + records);
                    set_erasing(write.connection, is_erased)?;
                    let outcome = delete_some(write, &some[from..to], before.clone());
                    set_erasing(write.connection, false)?;
                    let mut step = outcome?;
                    step.entry_id = note(write, &audit, entry_id, &reasons, &before, &step)?;
                    Ok(step)
                })
            })?;
            from += step.n_done;
            deletion.deleted = step.deleted;
            deletion.entry_id = step.entry_id;
            std::thread::sleep(began.elapsed().min(PAUSE_MOST));
            let is_due = from - tidied_at >= RECORDS_BEFORE_TIDYING || from == chosen.len();
            if is_due && self.is_disk_short() {
                tidied_at = from;
                // What comes next has more room, and so does everybody else.
                if let Err(error) = self.tidy(|| true) {
                    log::debug!("Cannot give space back while records are deleted: {}", error.with_causes());
                }
            }
        }
        Ok(())
    }

    /// Removes classifications, builds and profiles that no record has any more, and clock steps before the first
    /// record; how many strings.
    pub fn sweep_strings(&self) -> Result<usize> {
        let mut n_removed = 0;
        for table in ["classifications", "builds", "profiles"] {
            loop {
                let sql = format!("SELECT id FROM {table} WHERE records = 0 LIMIT {STRINGS_PER_CHANGE_MAX}");
                let unused: Vec<i64> = self.read(LOOK_MOST, |connection| {
                    let mut statement = connection.prepare_cached(&sql)?;
                    let ids = statement.query_map([], |row| row.get(0))?;
                    Ok(ids.collect::<rusqlite::Result<_>>()?)
                })?;
                if unused.is_empty() {
                    break;
                }
                let (mut from, mut removed) = (0, 0);
                while from < unused.len() {
                    let (n_done, n) = self.in_step(STRINGS_PER_CHANGE_MAX, |strings| {
                        let some = unused[from..unused.len().min(from + strings)].to_vec();
                        Ok((some.len(), self.remove_strings(table, some)?))
                    })?;
                    from += n_done;
                    removed += n;
                }
                n_removed += removed;
                if removed == 0 {
                    break;
                }
            }
        }
        self.writer().change(false, |write| {
            write
                .connection
                .prepare_cached(
                    "DELETE FROM clock_steps WHERE first_id <= (SELECT coalesce(min(id), ?1) FROM records)",
                )?
                .execute([i64::MAX])?;
            Ok(())
        })?;
        Ok(n_removed)
    }

    fn remove_strings(&self, table: &'static str, unused: Vec<i64>) -> Result<usize> {
        // A record may have taken one up again meanwhile, so each is looked at once more. SQLite would read all records
        // to see that none refers to a profile; the count says so.
        self.writer().change_unchecked(move |write| {
            write.state.dimensions = Default::default();
            let sql = format!("DELETE FROM {table} WHERE id = ?1 AND records = 0");
            let mut delete = write.connection.prepare_cached(&sql)?;
            unused.iter().try_fold(0, |n, id| Ok(n + delete.execute([id])?))
        })
    }

    /// How often records were deleted: in every step.
    pub fn deletions(&self) -> Result<i64> {
        self.read(READ_MOST, deletions)
    }
}

fn deletions(connection: &Connection) -> Result<i64> {
    Ok(meta(connection, "deletions")?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn delete_some(write: &mut Write<'_>, chosen: &[Chosen], mut deleted: Vec<u64>) -> Result<Step> {
    let until = Instant::now() + STEP_MOST;
    // What posts of this transaction added must be in the tables before anything there is judged by its count.
    write.state.flush(write.connection)?;
    let mut classifications = HashMap::new();
    let mut n_done = 0;
    for one in chosen {
        // At least one is done, however long it takes.
        if n_done > 0 && Instant::now() >= until {
            break;
        }
        if delete_one(write, one.id, &mut classifications)?
            && let Some(deleted) = deleted.get_mut(one.reason)
        {
            *deleted += 1;
        }
        n_done += 1;
    }
    write.state.flush(write.connection)?;
    Ok(Step { n_done, deleted, entry_id: None })
}

/// Writes the entry of the audit log, or moves its number on; nothing where nothing was deleted.
fn note(
    write: &mut Write<'_>,
    audit: &Audit,
    entry_id: Option<i64>,
    reasons: &[String],
    before: &[u64],
    step: &Step,
) -> Result<Option<i64>> {
    if step.deleted == before {
        return Ok(entry_id);
    }
    set_meta(write.connection, "deletions", &(deletions(write.connection)? + 1).to_string())?;
    let mut after = json!({ "records": step.deleted.iter().sum::<u64>() });
    if reasons.len() > 1 {
        let by_reason = reasons.iter().zip(&step.deleted).filter(|(_, deleted)| **deleted > 0);
        after["by_rule"] =
            by_reason.map(|(reason, deleted)| (reason.clone(), json!(deleted))).collect::<Value>();
    }
    keep_entry(write.connection, write.now, audit, entry_id, after).map(Some)
}

/// Writes the entry of what goes on step by step, or brings the one with this id up to `after`; its id. To be called
/// inside the transaction of the step.
pub(super) fn keep_entry(
    connection: &Connection,
    now: i64,
    audit: &Audit,
    entry_id: Option<i64>,
    after: Value,
) -> Result<i64> {
    if let Some(id) = entry_id {
        connection
            .prepare_cached("UPDATE audit SET after = ?2 WHERE id = ?1")?
            .execute(rusqlite::params![id, after.to_string()])?;
        return Ok(id);
    }
    insert_audit(connection, now, &audit.clone().after(after))?;
    Ok(connection.last_insert_rowid())
}

/// Deletes one record with all that was counted for it; false where it is gone.
fn delete_one(write: &mut Write<'_>, id: i64, classifications: &mut HashMap<i64, String>) -> Result<bool> {
    let connection = write.connection;
    let mut find = connection.prepare_cached(
        "SELECT received_at, captured_at, classification_id, build_id, profile_id, severity, is_external,
           machine_id, event_id FROM records WHERE id = ?1",
    )?;
    let mut rows = find.query([id])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let machine_id = StoredMachineId::from_value(row.get_ref(7)?);
    let facts = Facts {
        record_id: id,
        received_at: row.get(0)?,
        captured_at: row.get(1)?,
        ids: RecordIds { classification: row.get(2)?, build: row.get(3)?, profile: row.get(4)? },
        is_external: row.get(6)?,
        machine_id: &machine_id,
    };
    let (severity, event_id): (i64, Option<[u8; 16]>) = (row.get(5)?, row.get(8)?);
    let classification = match classifications.get(&facts.ids.classification) {
        Some(name) => name,
        None => {
            let name: String = connection
                .prepare_cached("SELECT name FROM classifications WHERE id = ?1")?
                .query_row([facts.ids.classification], |row| row.get(0))?;
            classifications.entry(facts.ids.classification).or_insert(name)
        }
    };
    write.state.derived.remove(connection, &facts, classification, || payload_of(connection, id))?;
    if let Some(event_id) = event_id.filter(|_| facts.received_at > write.now - RECENT_SECS)
        && let Some(recents) = &mut write.state.recents
    {
        let payload = payload_of(connection, id)?;
        let event_id = EventId(event_id);
        let digest = digest(&machine_id.text(), classification, &payload, event_id, facts.captured_at);
        recents.forget(connection, (facts.captured_at, digest), id)?;
    }
    write.state.dimensions.count(facts.ids, severity, facts.is_external, -1);
    connection.prepare_cached("DELETE FROM payloads WHERE record_id = ?1")?.execute([id])?;
    connection.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([id])?;
    Ok(true)
}

/// A record's payload; an empty one where it is damaged, as it was counted when everything derived was rebuilt.
fn payload_of(connection: &Connection, record_id: i64) -> Result<String> {
    let mut find = connection.prepare_cached("SELECT payload FROM payloads WHERE record_id = ?1")?;
    let mut rows = find.query([record_id])?;
    let Some(row) = rows.next()? else { return Ok(String::new()) };
    let value: ValueRef<'_> = row.get_ref(0)?;
    Ok(payload::decode(value).unwrap_or_else(|error| {
        log::error!("Record {record_id}: {}", error.with_causes());
        String::new()
    }))
}
