// SPDX-License-Identifier: Apache-2.0
//! Which machine sent heartbeats on which day, and how many machines sent their last one on each day.
//!
//! The population of the past N days is the number of machines whose last heartbeat is of one of these days, so that
//! one small table answers every span. Days further back than [`DAYS_KEPT`] are folded into one.

use crate::error::Result;
use crate::store::Store;
use crate::store::derived::count::CountTable;
use crate::store::derived::{Facts, day_of};
use crate::store::record_insert::StoredMachineId;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

const POPULATION: CountTable =
    CountTable::new("population", &["build_id", "is_external", "last_day"], "machines");

/// Days before today whose heartbeats are told apart.
pub const DAYS_KEPT: i64 = 15;
/// The day that stands for all earlier ones.
const FOLDED_DAY: i64 = 0;
/// Rows that one step of folding looks at.
const FOLD_ROWS: i64 = 2_000;

/// A build, a source and a machine: what a population counts once.
type Inhabitant = (i64, i64, StoredMachineId);

/// Changes of the population in the open transaction, by build, source and last day.
#[derive(Debug, Default)]
pub struct Heartbeats {
    moved: HashMap<(i64, i64, i64), i64>,
}

impl Heartbeats {
    /// Notes a heartbeat.
    pub fn add(&mut self, connection: &Connection, facts: &Facts<'_>) -> Result<()> {
        let day = noted_day(facts);
        let (build, source) = (facts.ids.build, i64::from(facts.is_external));
        let records: i64 = connection
            .prepare_cached(
                "INSERT INTO heartbeats (build_id, is_external, machine_id, captured_day, records)
                 VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT DO UPDATE SET records = records + 1 RETURNING records",
            )?
            .query_row(rusqlite::params![build, source, facts.machine_id, day], |row| row.get(0))?;
        if records == 1 {
            let before = last_day(connection, build, source, facts.machine_id, Some(day))?;
            if before.is_none_or(|before| day > before) {
                self.move_last(build, source, before, Some(day));
            }
        }
        Ok(())
    }

    /// Takes a heartbeat away whose record is about to be deleted.
    pub fn remove(&mut self, connection: &Connection, facts: &Facts<'_>) -> Result<()> {
        let (build, source) = (facts.ids.build, i64::from(facts.is_external));
        let mut less = connection.prepare_cached(
            "UPDATE heartbeats SET records = records - 1
             WHERE build_id = ?1 AND is_external = ?2 AND machine_id = ?3 AND captured_day = ?4 RETURNING records",
        )?;
        // It stands under its day until that is folded.
        for day in [noted_day(facts), FOLDED_DAY] {
            let left: Option<i64> = less
                .query_row(rusqlite::params![build, source, facts.machine_id, day], |row| row.get(0))
                .optional()?;
            let Some(left) = left else { continue };
            if left <= 0 {
                let before = last_day(connection, build, source, facts.machine_id, None)?;
                connection
                    .prepare_cached(
                        "DELETE FROM heartbeats WHERE build_id = ?1 AND is_external = ?2 AND machine_id = ?3
                         AND captured_day = ?4",
                    )?
                    .execute(rusqlite::params![build, source, facts.machine_id, day])?;
                let after = last_day(connection, build, source, facts.machine_id, None)?;
                if before != after {
                    self.move_last(build, source, before, after);
                }
            }
            return Ok(());
        }
        log::error!("Heartbeat {} was not counted; the counts of heartbeats are wrong", facts.record_id);
        Ok(())
    }

    fn move_last(&mut self, build: i64, source: i64, from: Option<i64>, to: Option<i64>) {
        if let Some(from) = from {
            *self.moved.entry((build, source, from)).or_default() -= 1;
        }
        if let Some(to) = to {
            *self.moved.entry((build, source, to)).or_default() += 1;
        }
    }

    /// Writes the noted changes.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        for ((build, source, day), machines) in self.moved.drain() {
            POPULATION.add(connection, &[&build, &source, &day], machines)?;
        }
        Ok(())
    }
}

/// The day under which a heartbeat is noted when it is stored.
fn noted_day(facts: &Facts<'_>) -> i64 {
    let day = day_of(facts.counted_at());
    if day < day_of(facts.received_at) - DAYS_KEPT { FOLDED_DAY } else { day }
}

/// The last day of a machine, `without` one day.
fn last_day(
    connection: &Connection,
    build: i64,
    source: i64,
    machine_id: &StoredMachineId,
    without: Option<i64>,
) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached(
            "SELECT captured_day FROM heartbeats
             WHERE build_id = ?1 AND is_external = ?2 AND machine_id = ?3 AND captured_day IS NOT ?4
             ORDER BY captured_day DESC LIMIT 1",
        )?
        .query_row(rusqlite::params![build, source, machine_id, without], |row| row.get(0))
        .optional()?)
}

impl Store {
    /// Folds the days that lie more than 15 before `today`, a few rows at a time; returns how many rows.
    pub fn fold_heartbeats(&self, today: i64) -> Result<usize> {
        let mut after: Option<Inhabitant> = None;
        let mut folded = 0;
        loop {
            let from = after.take();
            let (next, rows) = self.writer().change(false, move |write| {
                let (next, rows) = fold_some(write.connection, today - DAYS_KEPT, from.clone())?;
                Ok((next, rows))
            })?;
            folded += rows;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(folded),
            }
        }
    }
}

/// Folds days before `oldest` among the next rows; returns the machine to go on from, and how many rows were folded.
fn fold_some(
    connection: &Connection,
    oldest: i64,
    from: Option<Inhabitant>,
) -> Result<(Option<Inhabitant>, usize)> {
    let (build, source, machine) = from.unwrap_or((0, 0, StoredMachineId::Text(String::new())));
    let mut statement = connection.prepare_cached(
        "SELECT build_id, is_external, machine_id, captured_day FROM heartbeats
         WHERE (build_id, is_external, machine_id) >= (?1, ?2, ?3)
         ORDER BY build_id, is_external, machine_id LIMIT ?4",
    )?;
    let mut rows = statement.query(rusqlite::params![build, source, machine, FOLD_ROWS])?;
    let mut old = Vec::new();
    let (mut seen, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let machine = StoredMachineId::from_value(row.get_ref(2)?);
        let inhabitant = (row.get(0)?, row.get(1)?, machine);
        let day: i64 = row.get(3)?;
        if day != FOLDED_DAY && day < oldest {
            old.push((inhabitant.clone(), day));
        }
        last = Some(inhabitant);
        seen += 1;
    }
    drop(rows);
    let mut population = Heartbeats::default();
    for ((build, source, machine), day) in &old {
        fold_one(connection, &mut population, (*build, *source, machine), *day)?;
    }
    population.flush(connection)?;
    // A machine has at most a few rows, so a full step always comes further than the machine that it began with.
    Ok((last.filter(|_| seen == FOLD_ROWS), old.len()))
}

fn fold_one(
    connection: &Connection,
    population: &mut Heartbeats,
    (build, source, machine): (i64, i64, &StoredMachineId),
    day: i64,
) -> Result<()> {
    let before = last_day(connection, build, source, machine, None)?;
    let records: i64 = connection
        .prepare_cached(
            "DELETE FROM heartbeats WHERE build_id = ?1 AND is_external = ?2 AND machine_id = ?3
             AND captured_day = ?4 RETURNING records",
        )?
        .query_row(rusqlite::params![build, source, machine, day], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO heartbeats (build_id, is_external, machine_id, captured_day, records)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET records = records + excluded.records",
        )?
        .execute(rusqlite::params![build, source, machine, FOLDED_DAY, records])?;
    let after = last_day(connection, build, source, machine, None)?;
    if before != after {
        population.move_last(build, source, before, after);
    }
    Ok(())
}
