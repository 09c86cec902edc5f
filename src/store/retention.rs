// SPDX-License-Identifier: Apache-2.0
//! What retention asks of the records, and what it remembers: when it ran, and whether its goal was missed.

use crate::error::Result;
use crate::model::record::Severity;
use crate::store::derived::day_of;
use crate::store::meta::{meta, set_meta};
use crate::store::record_insert::StoredMachineId;
use crate::store::record_list::newest_id;
use crate::store::time_index::{id_range, segments};
use crate::store::{READ_MOST, Store, open};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// Records that one reading looks at.
pub const WINDOW_RECORDS: i64 = 20_000;

/// Rows of the audit log that one transaction deletes.
const ROWS_PER_CHANGE_MAX: usize = 500;

/// When records were last looked at for their age.
pub(super) const PURGED_AT: &str = "purged_at";
/// Bytes by which the database could not be brought under its limit.
pub(super) const BYTES_OVER: &str = "database_bytes_over";
/// Since when the clock is so far ahead that the daily purge waits.
pub(super) const DOUBTED_AT: &str = "purge_doubted_at";

/// What a rule of retention asks of a record.
#[derive(Clone, Debug)]
pub struct RecordTraits {
    /// Its id.
    pub id: i64,
    /// When it was received.
    pub received_at: i64,
    /// Its severity.
    pub severity: Severity,
    /// The id of its classification.
    pub classification_id: i64,
    /// Its machine id; empty where it was not asked for.
    pub machine_id: String,
}

/// How large the database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseBytes {
    /// What the file takes.
    pub file: u64,
    /// What of it is in use; the rest is given back step by step.
    pub used: u64,
}

const TRAITS: &str = "SELECT id, received_at, severity, classification_id, machine_id FROM records";

impl Store {
    /// The ids between which every record lies that was received before `before`: first, and one past the last. Others
    /// may lie there too.
    pub fn ids_received_before(&self, before: i64) -> Result<Option<(i64, i64)>> {
        self.read(READ_MOST, |connection| {
            let oldest: Option<i64> =
                connection.prepare_cached("SELECT min(id) FROM records")?.query_row([], |row| row.get(0))?;
            let range = id_range(connection, None, Some(before))?;
            Ok(match (oldest, range) {
                (Some(oldest), Some((first, end))) if first.max(oldest) < end => {
                    Some((first.max(oldest), end))
                }
                _ => None,
            })
        })
    }

    /// The records with the next [`WINDOW_RECORDS`] ids from `first` on and below `end`, ascending.
    pub fn record_traits(&self, first: i64, end: i64, has_machine_id: bool) -> Result<Vec<RecordTraits>> {
        let sql = format!("{TRAITS} WHERE id >= ?1 AND id < ?2 ORDER BY id");
        let end = end.min(first.saturating_add(WINDOW_RECORDS));
        self.traits(&sql, rusqlite::params![first, end], has_machine_id)
    }

    /// The next records from `first` on and below `end`, ascending, each with the bytes that its payload takes, and the
    /// id behind the last.
    pub fn record_traits_and_bytes(&self, first: i64, end: i64) -> Result<(Vec<(RecordTraits, u64)>, i64)> {
        // The payloads' pages are read too, so a reading is of fewer.
        let end = end.min(first.saturating_add(WINDOW_RECORDS / 4));
        let records = self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, received_at, severity, classification_id, machine_id, octet_length(payload)
                 FROM records JOIN payloads ON record_id = id WHERE id >= ?1 AND id < ?2 ORDER BY id",
            )?;
            let mut rows = statement.query([first, end])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                records.push((traits_of(row, true)?, row.get::<_, i64>(5)?.unsigned_abs()));
            }
            Ok(records)
        })?;
        Ok((records, end))
    }

    /// The records of a severity with ids from the first of `ids` on and below the second, ascending, at most
    /// `rows_max`.
    pub fn record_traits_of_severity(
        &self,
        severity: Severity,
        ids: (i64, i64),
        rows_max: usize,
    ) -> Result<Vec<RecordTraits>> {
        let sql = format!(
            "{TRAITS} INDEXED BY records__severity WHERE severity = ?1 AND id >= ?2 AND id < ?3 ORDER BY id LIMIT ?4"
        );
        self.traits(&sql, rusqlite::params![severity.number(), ids.0, ids.1, rows_max as i64], true)
    }

    /// The stretches of ids in which reception times ascend: first id and one past the last.
    pub fn stretches(&self) -> Result<Vec<(i64, i64)>> {
        self.read(READ_MOST, segments)
    }

    fn traits(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        has_machine_id: bool,
    ) -> Result<Vec<RecordTraits>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(values)?;
            let mut traits = Vec::new();
            while let Some(row) = rows.next()? {
                traits.push(traits_of(row, has_machine_id)?);
            }
            Ok(traits)
        })
    }

    /// The names of all classifications by id.
    pub fn classification_names(&self) -> Result<HashMap<i64, String>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached("SELECT id, name FROM classifications")?;
            let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How large the database is now, without its log.
    pub fn database_bytes(&self) -> Result<DatabaseBytes> {
        self.read(READ_MOST, |connection| {
            let pages = |name| Ok::<_, rusqlite::Error>(open::pragma(connection, name)?.unsigned_abs());
            let (all, free, page_bytes) =
                (pages("page_count")?, pages("freelist_count")?, pages("page_size")?);
            Ok(DatabaseBytes { file: all * page_bytes, used: all.saturating_sub(free) * page_bytes })
        })
    }

    /// When retention ran last; none where it never did.
    pub fn purged_at(&self) -> Result<Option<i64>> {
        self.read(READ_MOST, |connection| number(connection, PURGED_AT))
    }

    /// Notes that retention ran; a doubt of the clock is over.
    pub fn set_purged_at(&self, at: i64) -> Result<()> {
        self.writer().change(false, move |write| {
            write.connection.execute("DELETE FROM meta WHERE name = ?1", [DOUBTED_AT])?;
            set_meta(write.connection, PURGED_AT, &at.to_string())
        })
    }

    /// When the newest record was received; none where there is none.
    pub fn newest_received_at(&self) -> Result<Option<i64>> {
        self.read(READ_MOST, |connection| {
            let sql = "SELECT received_at FROM records ORDER BY id DESC LIMIT 1";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
        })
    }

    /// Since when the clock is doubted; none where it is not.
    pub fn clock_doubted_at(&self) -> Result<Option<i64>> {
        self.read(READ_MOST, |connection| number(connection, DOUBTED_AT))
    }

    /// Notes since when it is.
    pub fn set_clock_doubted_at(&self, at: i64) -> Result<()> {
        self.writer().change(false, move |write| set_meta(write.connection, DOUBTED_AT, &at.to_string()))
    }

    /// By how many bytes the database could not be brought under its limit, 0 where it was.
    pub fn database_bytes_over(&self) -> Result<u64> {
        let over = self.read(READ_MOST, |connection| number(connection, BYTES_OVER))?;
        Ok(over.unwrap_or(0).unsigned_abs())
    }

    /// Notes by how many bytes it could not be brought there.
    pub fn set_database_bytes_over(&self, bytes: u64) -> Result<()> {
        self.writer().change(false, move |write| set_meta(write.connection, BYTES_OVER, &bytes.to_string()))
    }

    /// How many entries of the audit log are from before `before`.
    pub fn count_audit_before(&self, before: i64) -> Result<usize> {
        self.read(READ_MOST, |connection| {
            let sql = "SELECT count(*) FROM audit WHERE changed_at < ?1";
            let n: i64 = connection.prepare_cached(sql)?.query_row([before], |row| row.get(0))?;
            Ok(usize::try_from(n).unwrap_or(0))
        })
    }

    /// Deletes entries of the audit log before `before`; how many.
    pub fn delete_audit_before(&self, before: i64) -> Result<usize> {
        let mut n_deleted = 0;
        loop {
            let deleted = self.in_step(ROWS_PER_CHANGE_MAX, |rows| {
                self.writer().change(false, move |write| {
                    Ok(write
                        .connection
                        .prepare_cached(
                            "DELETE FROM audit WHERE id IN
                               (SELECT id FROM audit WHERE changed_at < ?1 ORDER BY id LIMIT ?2)",
                        )?
                        .execute([before, rows as i64])?)
                })
            })?;
            n_deleted += deleted;
            if deleted == 0 {
                return Ok(n_deleted);
            }
        }
    }

    /// Deletes the numbers of new strings of past days; how many.
    pub fn delete_past_new_values(&self, now: i64) -> Result<usize> {
        self.writer().change(false, move |write| {
            let mut statement = write.connection.prepare_cached("DELETE FROM new_values WHERE day < ?1")?;
            Ok(statement.execute([day_of(now)])?)
        })
    }

    /// The id behind that of the newest record: the end of a walk that later records do not lengthen.
    pub fn walk_end(&self) -> Result<i64> {
        self.read(READ_MOST, |connection| Ok(newest_id(connection)? + 1))
    }

    /// The id of the first record from `id` on and below `end`.
    pub fn next_record_id(&self, id: i64, end: i64) -> Result<Option<i64>> {
        self.read(READ_MOST, |connection| {
            Ok(connection
                .prepare_cached("SELECT id FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1")?
                .query_row([id, end], |row| row.get(0))
                .optional()?)
        })
    }
}

fn number(connection: &Connection, name: &str) -> Result<Option<i64>> {
    Ok(meta(connection, name)?.and_then(|text| text.parse().ok()))
}

fn traits_of(row: &Row<'_>, has_machine_id: bool) -> Result<RecordTraits> {
    Ok(RecordTraits {
        id: row.get(0)?,
        received_at: row.get(1)?,
        // The table allows no other number.
        severity: Severity::from_number(row.get(2)?).unwrap_or(Severity::Critical),
        classification_id: row.get(3)?,
        machine_id: match has_machine_id {
            true => StoredMachineId::from_value(row.get_ref(4)?).text(),
            false => String::new(),
        },
    })
}
