// SPDX-License-Identifier: Apache-2.0
//! The crashes of one guilty: by build and machine, and their backtraces folded where they are alike.

use crate::error::Result;
use crate::model::audit::{Actor, Audit};
use crate::model::build::BuildName;
use crate::model::crash::{CrashKind, Guilty};
use crate::model::record::Record;
use crate::store::crash_list::{by_system_newest_first, find_build};
use crate::store::guilty_row::find_guilty;
use crate::store::record_insert::StoredMachineId;
use crate::store::{READ_MOST, Store};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;
use std::collections::HashMap;

/// The crashes of a guilty on one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuiltyBuild {
    /// The build.
    pub build: BuildName,
    /// All crashes there.
    pub crashes: i64,
    /// How many machines they came from.
    pub machines: i64,
    /// The machines with most of them: machine id and crashes.
    pub top_machines: Vec<(String, i64)>,
}

/// Which backtraces of a guilty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BacktraceQuery {
    /// The guilty.
    pub guilty_id: i64,
    /// Crashes of this machine only.
    pub machine_id: Option<String>,
    /// Crashes of this system only.
    pub system_name: Option<String>,
    /// Crashes of this build only.
    pub build: Option<String>,
    /// Crashes received on this UTC day (days of Unix time) or later only.
    pub since_day: Option<i64>,
    /// Crashes of this kind only.
    pub kind: Option<CrashKind>,
    /// Backtraces left out at the beginning.
    pub skip: usize,
    /// Most backtraces.
    pub rows_max: usize,
}

impl BacktraceQuery {
    /// True where no crash of the guilty is left out.
    fn is_of_all_crashes(&self) -> bool {
        self.machine_id.is_none()
            && self.system_name.is_none()
            && self.build.is_none()
            && self.since_day.is_none()
            && self.kind.is_none()
    }
}

/// Crashes whose crashing threads have the same frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedBacktrace {
    /// How many crashes of the query.
    pub crashes: i64,
    /// The newest of them, whole.
    pub newest: Record,
}

/// The backtraces of a guilty, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BacktracePage {
    /// Most crashes first.
    pub rows: Vec<FoldedBacktrace>,
    /// How many different backtraces there are.
    pub backtraces: usize,
    /// How many crashes they stand for.
    pub crashes: i64,
}

/// What the analysis says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashOfRecord {
    /// Program or kernel.
    pub kind: CrashKind,
    /// None where no guilty was found.
    pub guilty: Option<Guilty>,
    /// How many crashes have the same backtrace, this one included.
    pub alike: i64,
}

impl Store {
    /// A guilty; none where there is no function of this number.
    pub fn find_guilty(&self, id: i64) -> Result<Option<Guilty>> {
        self.read(READ_MOST, |connection| find_guilty(connection, id))
    }

    /// The builds on which a guilty has crashes, by system, newest version first, each with its first machines.
    pub fn guilty_builds(&self, guilty_id: i64, machines_most: usize) -> Result<Vec<GuiltyBuild>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT c.build_id, c.machine_id FROM backtraces t
                 CROSS JOIN crashes c ON c.backtrace_id = t.id WHERE t.guilty_id = ?1",
            )?;
            let mut rows = statement.query([guilty_id])?;
            let mut sums = HashMap::<i64, HashMap<StoredMachineId, i64>>::new();
            while let Some(row) = rows.next()? {
                let machine_id = StoredMachineId::from_value(row.get_ref(1)?);
                *sums.entry(row.get(0)?).or_default().entry(machine_id).or_default() += 1;
            }
            let mut builds = Vec::with_capacity(sums.len());
            for (build_id, machines) in sums {
                builds.push(guilty_build(find_build(connection, build_id)?, machines, machines_most));
            }
            builds.sort_by(|a, b| by_system_newest_first(&a.build, &b.build));
            Ok(builds)
        })
    }

    /// The folded backtraces of a guilty.
    pub fn list_backtraces(&self, query: &BacktraceQuery) -> Result<BacktracePage> {
        let (mut page, newest) = self.read(READ_MOST, |connection| {
            let mut found = if query.is_of_all_crashes() {
                all_backtraces(connection, query.guilty_id)?
            } else {
                chosen_backtraces(connection, query)?
            };
            found.sort_unstable_by_key(|(crashes, newest)| (-crashes, -newest));
            let page = BacktracePage {
                rows: Vec::new(),
                backtraces: found.len(),
                crashes: found.iter().map(|(crashes, _)| crashes).sum(),
            };
            let shown: Vec<_> = found.into_iter().skip(query.skip).take(query.rows_max).collect();
            Ok((page, shown))
        })?;
        let ids: Vec<i64> = newest.iter().map(|(_, id)| *id).collect();
        for record in self.find_records(&ids)? {
            let crashes = newest.iter().find(|(_, id)| *id == record.id).map_or(0, |(crashes, _)| *crashes);
            page.rows.push(FoldedBacktrace { crashes, newest: record });
        }
        Ok(page)
    }

    /// What the analysis says of a record; none where its class has no backtrace.
    pub fn crash_of_record(&self, record_id: i64) -> Result<Option<CrashOfRecord>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.kind, t.guilty_id, t.crashes FROM crashes c JOIN backtraces t ON t.id = c.backtrace_id
                 WHERE c.record_id = ?1",
            )?;
            let found: Option<(i64, Option<i64>, i64)> = statement
                .query_row([record_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((kind, guilty_id, alike)) = found else { return Ok(None) };
            let guilty = guilty_id.map_or(Ok(None), |id| find_guilty(connection, id))?;
            Ok(CrashKind::from_number(kind).map(|kind| CrashOfRecord { kind, guilty, alike }))
        })
    }

    /// Sets a guilty's comment (empty: none); false where there is no such guilty.
    pub fn set_guilty_comment(&self, id: i64, comment: &str, actor: &Actor) -> Result<bool> {
        let (comment, actor) = (comment.to_owned(), actor.clone());
        self.writer().change(true, move |write| {
            let Some(before) = find_guilty(write.connection, id)? else { return Ok(false) };
            if before.comment == comment {
                return Ok(true);
            }
            let sql = "UPDATE functions SET comment = ?2 WHERE id = ?1";
            write.connection.prepare_cached(sql)?.execute(rusqlite::params![id, comment])?;
            let audit = Audit::new(&actor, "guilty.comment", subject_of(&before))
                .before(json!({ "comment": before.comment }))
                .after(json!({ "comment": comment }));
            write.audit(&audit).map(|()| true)
        })
    }

    /// Hides a guilty from the lists or shows it again; false where there is no such guilty.
    pub fn set_guilty_hidden(&self, id: i64, is_hidden: bool, actor: &Actor) -> Result<bool> {
        let actor = actor.clone();
        self.writer().change(false, move |write| {
            let Some(before) = find_guilty(write.connection, id)? else { return Ok(false) };
            if before.is_hidden == is_hidden {
                return Ok(true);
            }
            let sql = "UPDATE functions SET is_hidden = ?2 WHERE id = ?1";
            write.connection.prepare_cached(sql)?.execute(rusqlite::params![id, is_hidden])?;
            let audit = Audit::new(&actor, "guilty.hide", subject_of(&before))
                .before(json!({ "is_hidden": before.is_hidden }))
                .after(json!({ "is_hidden": is_hidden }));
            write.audit(&audit).map(|()| true)
        })
    }
}

fn subject_of(guilty: &Guilty) -> String {
    format!("guilty {} {} [{}]", guilty.id, guilty.function, guilty.module)
}

fn guilty_build(
    build: BuildName,
    machines: HashMap<StoredMachineId, i64>,
    machines_most: usize,
) -> GuiltyBuild {
    let mut top: Vec<(i64, StoredMachineId)> =
        machines.into_iter().map(|(id, crashes)| (-crashes, id)).collect();
    top.sort_unstable();
    let (crashes, machines) = (-top.iter().map(|(crashes, _)| crashes).sum::<i64>(), top.len() as i64);
    let top_machines =
        top.into_iter().take(machines_most).map(|(crashes, id)| (id.text(), -crashes)).collect();
    GuiltyBuild { build, crashes, machines, top_machines }
}

/// Crashes and newest record of each backtrace of a guilty.
fn all_backtraces(connection: &Connection, guilty_id: i64) -> Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT crashes, newest_record_id FROM backtraces WHERE guilty_id = ?1 AND crashes > 0",
    )?;
    let rows = statement.query_map([guilty_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

/// The same, counting only the crashes of a machine, system, build, kind or of the last days.
fn chosen_backtraces(connection: &Connection, query: &BacktraceQuery) -> Result<Vec<(i64, i64)>> {
    let mut sql = String::from(
        "SELECT t.id, c.record_id FROM backtraces t CROSS JOIN crashes c ON c.backtrace_id = t.id
         WHERE t.guilty_id = ?1",
    );
    let mut values = vec![Value::Integer(query.guilty_id)];
    if query.system_name.is_some() || query.build.is_some() {
        sql.push_str(" AND c.build_id IN (SELECT id FROM builds WHERE true");
        for (column, value) in [("system_name", &query.system_name), ("build", &query.build)] {
            if let Some(value) = value {
                values.push(Value::Text(value.clone()));
                sql.push_str(&format!(" AND {column} = ?{}", values.len()));
            }
        }
        sql.push(')');
    }
    if let Some(machine_id) = &query.machine_id {
        values.push(match StoredMachineId::encode(machine_id) {
            StoredMachineId::Hex(bytes) => Value::Blob(bytes.to_vec()),
            StoredMachineId::Text(text) => Value::Text(text),
        });
        sql.push_str(&format!(" AND c.machine_id = ?{}", values.len()));
    }
    let numbers = [("c.received_day >=", query.since_day), ("t.kind =", query.kind.map(CrashKind::number))];
    for (condition, number) in numbers {
        if let Some(number) = number {
            values.push(Value::Integer(number));
            sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        }
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut sums = HashMap::<i64, (i64, i64)>::new();
    while let Some(row) = rows.next()? {
        let record_id: i64 = row.get(1)?;
        let sum = sums.entry(row.get(0)?).or_default();
        *sum = (sum.0 + 1, sum.1.max(record_id));
    }
    Ok(sums.into_values().collect())
}
