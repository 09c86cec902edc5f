// SPDX-License-Identifier: Apache-2.0
//! Records in the order of their ids for `muster export`, a few at a time, and the cursors of who follows them.
//!
//! Each asking is a reading of its own, short, so that the log can start anew between two.

use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::filter::RecordFilter;
use crate::model::record::Record;
use crate::store::audit::insert_audit;
use crate::store::derived::AHEAD_SECS_MAX;
use crate::store::record_filter::{Conditions, Driver, Plan, RUN_SHIFT};
use crate::store::record_row::{PayloadPart, RECORD_COLUMNS, RECORD_JOINS, record_from_row};
use crate::store::time_index::id_range;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension};
use std::time::{Duration, Instant};

/// Most records of one reading.
const ROWS_MAX: usize = 500;
/// A reading ends after this many bytes of payload.
const PAYLOAD_BYTES_MAX: usize = 2 << 20;
/// The first window of a walk, in ids.
const WINDOW_IDS_FIRST: i64 = 1_024;
/// The largest window, in ids.
const WINDOW_IDS_MAX: i64 = 1 << 18;
/// A window grows while it takes less than this, and shrinks where it takes much more.
const WINDOW_TIME_GOAL: Duration = Duration::from_millis(20);
/// Most cursors.
const CURSORS_MAX: i64 = 1_000;

/// A walk through the records that a filter chooses, oldest id first.
#[derive(Clone, Debug)]
pub struct ExportWalk {
    filter: RecordFilter,
    after_id: i64,
    window_ids: i64,
}

/// What one reading of a walk found.
#[derive(Clone, Debug, Default)]
pub struct ExportBatch {
    /// Oldest id first; perhaps none.
    pub records: Vec<Record>,
    /// Up to this id everything was looked at.
    pub through_id: i64,
    /// How many ids of the stretch have no record any more; counted where the filter chooses all.
    pub missing_ids: i64,
    /// Records that cannot be read: damage in one must not keep all behind it back.
    pub damaged_ids: Vec<i64>,
}

/// How far somebody follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportCursor {
    /// Who.
    pub name: String,
    /// The last record that was handed over.
    pub record_id: i64,
    /// When that was.
    pub moved_at: i64,
}

impl ExportWalk {
    /// Begins behind `after_id`.
    pub fn new(filter: RecordFilter, after_id: i64) -> ExportWalk {
        ExportWalk { filter, after_id, window_ids: WINDOW_IDS_FIRST }
    }

    /// Up to this id everything was looked at.
    pub fn after_id(&self) -> i64 {
        self.after_id
    }

    /// The next few records up to `through_id`; none where the walk is there.
    pub fn next(&mut self, store: &Store, through_id: i64) -> Result<Option<ExportBatch>> {
        if self.after_id >= through_id {
            return Ok(None);
        }
        loop {
            let began = Instant::now();
            let outcome = store.read(READ_MOST, |connection| self.read(connection, through_id));
            let took = began.elapsed();
            match outcome {
                // Behind a stretch without matches may be one where each record costs much.
                Err(_) if took >= READ_MOST && self.window_ids > 1 => self.window_ids /= 2,
                Err(error) => return Err(error),
                Ok(batch) => {
                    self.window_ids = next_window(self.window_ids, took);
                    self.after_id = batch.through_id;
                    return Ok(Some(batch));
                }
            }
        }
    }

    fn read(&self, connection: &Connection, through_id: i64) -> Result<ExportBatch> {
        let mut batch = ExportBatch { through_id, ..ExportBatch::default() };
        let Some(plan) = Plan::make(connection, &self.filter)? else { return Ok(batch) };
        let (mut low, mut end) = (self.after_id + 1, through_id + 1);
        let captured_from = self.filter.captured_from.map(|at| at.saturating_sub(AHEAD_SECS_MAX));
        let from = self.filter.received_from.max(captured_from);
        if let Some((first, past)) = id_range(connection, from, self.filter.received_before)? {
            low = low.max(first);
            end = end.min(past);
        }
        if low >= end {
            return Ok(batch);
        }
        let high = match plan.driver {
            Driver::Run(_) => end.min(((low >> RUN_SHIFT) + 1) << RUN_SHIFT),
            _ => end.min(low + self.window_ids),
        };
        batch.through_id = match rows(connection, &self.filter, &plan, (low, high), &mut batch)? {
            Some(last) => last,
            None if high == end => through_id,
            None => high - 1,
        };
        if self.filter.is_all() {
            let found = batch.records.len() + batch.damaged_ids.len();
            batch.missing_ids = batch.through_id - self.after_id - found as i64;
        }
        Ok(batch)
    }
}

/// The window after one that took so long. It grows slowly, so that it is not far too large where records are dense.
fn next_window(window_ids: i64, took: Duration) -> i64 {
    if took < WINDOW_TIME_GOAL / 2 {
        (window_ids * 2).min(WINDOW_IDS_MAX)
    } else if took > WINDOW_TIME_GOAL * 3 {
        (window_ids / 2).max(1)
    } else {
        window_ids
    }
}

/// Adds the records of the ids from the first (included) to the second (excluded) number; the last id that was looked
/// at where there were too many for one reading.
fn rows(
    connection: &Connection,
    filter: &RecordFilter,
    plan: &Plan,
    (low, high): (i64, i64),
    batch: &mut ExportBatch,
) -> Result<Option<i64>> {
    let mut conditions = Conditions::of(filter, plan);
    conditions.ids(low, high);
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM records r {} {RECORD_JOINS} WHERE {} ORDER BY r.id LIMIT ?",
        plan.driver.index_clause(),
        conditions.sql(),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(conditions.values_and(ROWS_MAX as i64)))?;
    let (mut count, mut payload_bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        match record_from_row(row, PayloadPart::Whole) {
            Ok(record) => {
                payload_bytes += record.content.payload.len();
                batch.records.push(record);
            }
            Err(error) if error.kind() == Kind::Corrupt => {
                log::debug!("Record {id}: {}", error.with_causes());
                batch.damaged_ids.push(id);
            }
            Err(error) => return Err(error),
        }
        count += 1;
        if payload_bytes > PAYLOAD_BYTES_MAX || count == ROWS_MAX {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl Store {
    /// The ids of the oldest and of the newest record; none where there is no record.
    pub fn record_id_bounds(&self) -> Result<Option<(i64, i64)>> {
        self.read(READ_MOST, |connection| {
            let find = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).optional();
            let oldest = find("SELECT id FROM records ORDER BY id LIMIT 1")?;
            let newest = find("SELECT id FROM records ORDER BY id DESC LIMIT 1")?;
            Ok(oldest.zip(newest))
        })
    }

    /// All cursors, by name.
    pub fn export_cursors(&self) -> Result<Vec<ExportCursor>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection
                .prepare_cached("SELECT name, record_id, moved_at FROM export_cursors ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                Ok(ExportCursor { name: row.get(0)?, record_id: row.get(1)?, moved_at: row.get(2)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }

    /// Where `name` is; where that is new, it is put behind `record_id` durably. The flag is true where it is new.
    /// Conflict where there are 1,000 others.
    pub fn begin_export_cursor(&self, name: &str, record_id: i64, actor: &Actor) -> Result<(i64, bool)> {
        let (name, actor) = (name.to_owned(), actor.clone());
        self.writer().change(true, move |write| {
            let find = "SELECT record_id FROM export_cursors WHERE name = ?1";
            let found = write.connection.query_row(find, [&name], |row| row.get(0)).optional()?;
            if let Some(found) = found {
                return Ok((found, false));
            }
            let cursors: i64 =
                write.connection.query_row("SELECT count(*) FROM export_cursors", [], |row| row.get(0))?;
            if cursors >= CURSORS_MAX {
                return Err(Error::new(
                    Kind::Conflict,
                    format!(
                        "There are {CURSORS_MAX} export cursors; forget one with `muster export --forget`"
                    ),
                ));
            }
            write.connection.execute(
                "INSERT INTO export_cursors (name, record_id, moved_at) VALUES (?1, ?2, ?3)",
                rusqlite::params![name, record_id, write.now],
            )?;
            let audit = Audit::new(&actor, "export_cursor.add", format!("export cursor {name}"))
                .after(serde_json::json!({ "record_id": record_id }));
            insert_audit(write.connection, write.now, &audit)?;
            Ok((record_id, true))
        })
    }

    /// Moves a cursor on; Conflict where it is not where it was left: somebody else moved or forgot it.
    pub fn move_export_cursor(&self, name: &str, from_id: i64, to_id: i64) -> Result<()> {
        let name = name.to_owned();
        // A full disk must not keep it from moving: the row is there.
        self.writer().change(false, move |write| {
            let moved = write
                .connection
                .prepare_cached(
                    "UPDATE export_cursors SET record_id = ?3, moved_at = ?4 WHERE name = ?1 AND record_id = ?2",
                )?
                .execute(rusqlite::params![name, from_id, to_id, write.now])?;
            match moved {
                1 => Ok(()),
                _ => Err(Error::new(
                    Kind::Conflict,
                    format!("Somebody else moved the export cursor {name} or forgot it; run one for each name"),
                )),
            }
        })
    }

    /// Removes a cursor; NotFound where there is none of the name.
    pub fn forget_export_cursor(&self, name: &str, actor: &Actor) -> Result<()> {
        let (name, actor) = (name.to_owned(), actor.clone());
        self.writer().change(false, move |write| {
            let find = "SELECT record_id FROM export_cursors WHERE name = ?1";
            let found: Option<i64> =
                write.connection.query_row(find, [&name], |row| row.get(0)).optional()?;
            let Some(record_id) = found else {
                return Err(Error::not_found(format!(
                    "There is no export cursor {name}; see `muster export --cursors`"
                )));
            };
            write.connection.execute("DELETE FROM export_cursors WHERE name = ?1", [&name])?;
            let audit = Audit::new(&actor, "export_cursor.forget", format!("export cursor {name}"))
                .before(serde_json::json!({ "record_id": record_id }));
            insert_audit(write.connection, write.now, &audit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_follows_the_time_that_it_takes() {
        let cases = [
            (1_024, 1, 2_048),
            (WINDOW_IDS_MAX, 1, WINDOW_IDS_MAX),
            (1_024, 20, 1_024),
            (1_024, 5_000, 512),
            (1, 5_000, 1),
        ];
        for (window, millis, expected) in cases {
            assert_eq!(next_window(window, Duration::from_millis(millis)), expected, "{window}, {millis} ms");
        }
    }
}
