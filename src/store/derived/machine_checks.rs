// SPDX-License-Identifier: Apache-2.0
//! Counting machine checks and thermal events as they are stored. Reading the counts is `store::machine_checks`.

use crate::error::Result;
use crate::model::week::Week;
use crate::store::derived::Facts;
use crate::store::derived::count::CountTable;
use crate::store::record_insert::StoredMachineId;
use rusqlite::Connection;
use std::collections::HashMap;

const WEEKS: CountTable = CountTable::new("machine_check_weeks", &["week", "classification_id"], "records");
const BUILDS: CountTable =
    CountTable::new("machine_check_builds", &["year", "build_id", "classification_id"], "records");
const STATUSES: CountTable = CountTable::new("machine_check_statuses", &["year", "status"], "records");
const MACHINES: CountTable = CountTable::new("machine_check_machines", &["year", "machine_id"], "records");
const MACHINE_BUILDS: CountTable =
    CountTable::new("machine_check_machine_builds", &["year", "machine_id", "build_id"], "records");

/// Digits of a status code that count: the lower half of the register.
const STATUS_DIGITS: usize = 8;

/// Which of the classes a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineCheckClass {
    /// One of `store::MACHINE_CHECK_CLASSES`.
    Check,
    /// `org.clearlinux/mce/thermal`.
    Thermal,
}

impl MachineCheckClass {
    /// What a classification is; none where it is of neither.
    pub fn of_classification(classification: &str) -> Option<MachineCheckClass> {
        match classification.strip_prefix("org.clearlinux/mce/")? {
            "thermal" => Some(MachineCheckClass::Thermal),
            class if crate::store::MACHINE_CHECK_CLASSES.contains(&class) => Some(MachineCheckClass::Check),
            _ => None,
        }
    }
}

/// The eight hexadecimal digits before ` MCGSTATUS` in the first line with `STATUS` that has them, in lower case;
/// empty where there is none.
pub fn status_of(payload: &str) -> String {
    let lines = payload.lines().filter_map(|line| line.find(" MCGSTATUS").map(|at| &line.as_bytes()[..at]));
    for before in lines {
        let Some(start) = before.len().checked_sub(STATUS_DIGITS) else { continue };
        let digits = &before[start..];
        let is_named = before[..start].windows(6).any(|word| word == b"STATUS");
        if is_named && digits.iter().all(u8::is_ascii_hexdigit) {
            return digits.iter().map(|digit| char::from(digit.to_ascii_lowercase())).collect();
        }
    }
    String::new()
}

type Counts<K> = HashMap<K, i64>;

/// The counts of the open transaction.
#[derive(Debug, Default)]
pub struct MachineChecks {
    weeks: Counts<(i64, i64)>,
    builds: Counts<(i32, i64, i64)>,
    statuses: Counts<(i32, String)>,
    machines: Counts<(i32, StoredMachineId)>,
    machine_builds: Counts<(i32, StoredMachineId, i64)>,
}

impl MachineChecks {
    /// Notes a report that is stored (`by` 1) or deleted (-1).
    pub fn add(&mut self, facts: &Facts<'_>, class: MachineCheckClass, status: &str, by: i64) {
        let week = Week::of(facts.counted_at());
        let (classification, build) = (facts.ids.classification, facts.ids.build);
        *self.weeks.entry((week.0, classification)).or_default() += by;
        if class == MachineCheckClass::Thermal {
            return;
        }
        let (year, _) = week.year_and_number();
        *self.builds.entry((year, build, classification)).or_default() += by;
        *self.statuses.entry((year, status.to_owned())).or_default() += by;
        *self.machines.entry((year, facts.machine_id.clone())).or_default() += by;
        *self.machine_builds.entry((year, facts.machine_id.clone(), build)).or_default() += by;
    }

    /// Writes the noted counts.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        if self.weeks.is_empty() {
            return Ok(());
        }
        for ((week, classification), records) in self.weeks.drain() {
            WEEKS.add(connection, &[&week, &classification], records)?;
        }
        for ((year, build, classification), records) in self.builds.drain() {
            BUILDS.add(connection, &[&year, &build, &classification], records)?;
        }
        for ((year, status), records) in self.statuses.drain() {
            STATUSES.add(connection, &[&year, &status], records)?;
        }
        for ((year, machine), records) in self.machines.drain() {
            MACHINES.add(connection, &[&year, &machine], records)?;
        }
        for ((year, machine, build), records) in self.machine_builds.drain() {
            MACHINE_BUILDS.add(connection, &[&year, &machine, &build], records)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_the_eight_digits_before_mcgstatus() {
        let cases = [
            ("MCE 0\nSTATUS 90000040000f0005 MCGSTATUS 0\n", "000f0005"),
            ("STATUS 88370003 MCGSTATUS 0", "88370003"),
            ("STATUS 8837000A MCGSTATUS 0", "8837000a"),
            ("STATUS 837000 MCGSTATUS 0", ""),
            ("MCGSTATUS 0", ""),
            (" MCGSTATUS 0\nSTATUS 88370003 MCGSTATUS 0", "88370003"),
            ("STATUS zz370003 MCGSTATUS 0", ""),
            ("STATUS ééééé MCGSTATUS 0", ""),
            ("12345678 MCGSTATUS 0", ""),
            ("", ""),
        ];
        for (payload, status) in cases {
            assert_eq!(status_of(payload), status, "{payload}");
        }
    }
}
