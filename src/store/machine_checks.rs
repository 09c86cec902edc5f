// SPDX-License-Identifier: Apache-2.0
//! Machine check exceptions and thermal events, from their counters. Times are capture times, weeks are ISO weeks.

use crate::error::Result;
use crate::model::build::BuildName;
use crate::model::version::by_version;
use crate::model::week::Week;
use crate::store::crash_list::find_build;
use crate::store::record_insert::StoredMachineId;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// The classes of machine checks, in the order of charts. Their classification is `org.clearlinux/mce/CLASS`.
pub const MACHINE_CHECK_CLASSES: [&str; 4] = ["corrected", "SRAO", "SRAR", "UCNA"];

/// The reports of a year. In each list the last number or numbers count reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineChecks {
    /// By week, ascending, and class (index in [`MACHINE_CHECK_CLASSES`]).
    pub weeks: Vec<(Week, [i64; 4])>,
    /// By build and class, by system and then in the order of versions.
    pub builds: Vec<(BuildName, [i64; 4])>,
    /// By status code (eight hexadecimal digits in lower case; empty where the payload has none), most first,
    /// the first `statuses_most` of them.
    pub statuses: Vec<(String, i64)>,
    /// All reports of the year.
    pub reports: i64,
    /// How many machines sent them.
    pub machines: i64,
}

/// A machine and its reports of a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCheckMachine {
    /// The sender's machine id.
    pub machine_id: String,
    /// All its reports of the year.
    pub reports: i64,
    /// Of them by build, by system and then in the order of versions.
    pub builds: Vec<(BuildName, i64)>,
}

/// The classification of thermal events.
const THERMAL: &str = "org.clearlinux/mce/thermal";

impl Store {
    /// The ISO years that have machine checks, newest first.
    pub fn machine_check_years(&self) -> Result<Vec<i32>> {
        self.read(READ_MOST, |connection| {
            // A loose scan: one step for each year, not for each row.
            let mut statement =
                connection.prepare_cached("SELECT max(year) FROM machine_check_statuses WHERE year < ?1")?;
            let mut years = Vec::new();
            let mut below = i32::MAX;
            while let Some(year) = statement.query_row([below], |row| row.get::<_, Option<i32>>(0))? {
                years.push(year);
                below = year;
            }
            Ok(years)
        })
    }

    /// The machine checks of an ISO year.
    pub fn machine_checks(&self, year: i32, statuses_most: usize) -> Result<MachineChecks> {
        self.read(READ_MOST, |connection| {
            let classes = class_ids(connection)?;
            let builds = builds_of_year(connection, year, &classes)?;
            let reports = builds.iter().flat_map(|(_, records)| records).sum();
            let mut statement = connection.prepare_cached(
                "SELECT status, records FROM machine_check_statuses WHERE year = ?1 ORDER BY records DESC, status LIMIT ?2",
            )?;
            let statuses = statement
                .query_map(rusqlite::params![year, statuses_most as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut count =
                connection.prepare_cached("SELECT count(*) FROM machine_check_machines WHERE year = ?1")?;
            let machines = count.query_row([year], |row| row.get(0))?;
            Ok(MachineChecks { weeks: weeks_of_year(connection, year, &classes)?, builds, statuses, reports, machines })
        })
    }

    /// The machines with most machine checks in an ISO year, most first, `skip` of them left out.
    pub fn machine_check_machines(
        &self,
        year: i32,
        skip: usize,
        rows_max: usize,
    ) -> Result<Vec<MachineCheckMachine>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT machine_id, records FROM machine_check_machines WHERE year = ?1
                 ORDER BY records DESC LIMIT ?2 OFFSET ?3",
            )?;
            let mut rows = statement.query(rusqlite::params![year, rows_max as i64, skip as i64])?;
            let mut machines = Vec::new();
            while let Some(row) = rows.next()? {
                let machine_id = StoredMachineId::from_value(row.get_ref(0)?);
                let builds = builds_of_machine(connection, year, &machine_id)?;
                machines.push(MachineCheckMachine {
                    machine_id: machine_id.text(),
                    reports: row.get(1)?,
                    builds,
                });
            }
            Ok(machines)
        })
    }

    /// The thermal events of each week from the first to the last, both included; weeks without any are left out.
    pub fn thermal_weeks(&self, first: Week, last: Week) -> Result<Vec<(Week, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT week, records FROM machine_check_weeks WHERE week BETWEEN ?1 AND ?2
                 AND classification_id = (SELECT id FROM classifications WHERE name = ?3) ORDER BY week",
            )?;
            let rows = statement.query_map(rusqlite::params![first.0, last.0, THERMAL], |row| {
                Ok((Week(row.get(0)?), row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }
}

/// The ids of the classes that have records, with their index in [`MACHINE_CHECK_CLASSES`].
fn class_ids(connection: &Connection) -> Result<HashMap<i64, usize>> {
    let mut statement = connection.prepare_cached("SELECT id FROM classifications WHERE name = ?1")?;
    let mut ids = HashMap::new();
    for (index, class) in MACHINE_CHECK_CLASSES.iter().enumerate() {
        let name = format!("org.clearlinux/mce/{class}");
        if let Some(id) = statement.query_row([name], |row| row.get(0)).optional()? {
            ids.insert(id, index);
        }
    }
    Ok(ids)
}

fn weeks_of_year(
    connection: &Connection,
    year: i32,
    classes: &HashMap<i64, usize>,
) -> Result<Vec<(Week, [i64; 4])>> {
    let span = Week::of_year(year);
    let mut statement = connection.prepare_cached(
        "SELECT week, classification_id, records FROM machine_check_weeks WHERE week >= ?1 AND week < ?2",
    )?;
    let mut rows = statement.query([span.start, span.end])?;
    let mut weeks = BTreeMap::<i64, [i64; 4]>::new();
    while let Some(row) = rows.next()? {
        if let Some(class) = classes.get(&row.get(1)?) {
            weeks.entry(row.get(0)?).or_default()[*class] += row.get::<_, i64>(2)?;
        }
    }
    Ok(weeks.into_iter().map(|(week, records)| (Week(week), records)).collect())
}

fn builds_of_year(
    connection: &Connection,
    year: i32,
    classes: &HashMap<i64, usize>,
) -> Result<Vec<(BuildName, [i64; 4])>> {
    let mut statement = connection.prepare_cached(
        "SELECT build_id, classification_id, records FROM machine_check_builds WHERE year = ?1",
    )?;
    let mut rows = statement.query([year])?;
    let mut sums = BTreeMap::<i64, [i64; 4]>::new();
    while let Some(row) = rows.next()? {
        if let Some(class) = classes.get(&row.get(1)?) {
            sums.entry(row.get(0)?).or_default()[*class] += row.get::<_, i64>(2)?;
        }
    }
    let mut builds = Vec::with_capacity(sums.len());
    for (build_id, records) in sums {
        builds.push((find_build(connection, build_id)?, records));
    }
    builds.sort_by(|(a, _), (b, _)| by_system_oldest_first(a, b));
    Ok(builds)
}

fn builds_of_machine(
    connection: &Connection,
    year: i32,
    machine_id: &StoredMachineId,
) -> Result<Vec<(BuildName, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT build_id, records FROM machine_check_machine_builds WHERE year = ?1 AND machine_id = ?2",
    )?;
    let mut rows = statement.query(rusqlite::params![year, machine_id])?;
    let mut builds = Vec::new();
    while let Some(row) = rows.next()? {
        builds.push((find_build(connection, row.get(0)?)?, row.get(1)?));
    }
    builds.sort_by(|(a, _), (b, _)| by_system_oldest_first(a, b));
    Ok(builds)
}

fn by_system_oldest_first(a: &BuildName, b: &BuildName) -> Ordering {
    a.system_name.cmp(&b.system_name).then_with(|| by_version(&a.build, &b.build))
}
