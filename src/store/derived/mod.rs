// SPDX-License-Identifier: Apache-2.0
//! What is kept beside the records of some classes, in the same transaction: crashes with their guilties, counts of
//! machine checks, heartbeats by machine and day.
//!
//! [`Derived::of`] reads a payload, on the sender's thread; [`DerivedState`] is the writer's part. Counts are added up
//! in memory and written once for each batch.

mod count;
pub mod crashes;
pub mod heartbeats;
pub mod machine_checks;
pub mod rebuild;

use crate::error::Result;
use crate::model::crash::CrashKind;
use crate::model::time::DAY_SECS;
use crate::store::derived::crashes::{Crashes, PreparedTrace};
use crate::store::derived::heartbeats::Heartbeats;
use crate::store::derived::machine_checks::{MachineCheckClass, MachineChecks};
use crate::store::dimensions::RecordIds;
use crate::store::record_insert::StoredMachineId;
use rusqlite::Connection;

/// The classification of a sign of life.
pub const HEARTBEAT: &str = "org.clearlinux/heartbeat/ping";
/// A capture time further ahead of the reception than this is a wrong clock.
pub const AHEAD_SECS_MAX: i64 = DAY_SECS;

/// What a record's payload gives beside the record.
#[derive(Debug)]
pub enum Derived {
    /// Nothing: the record's class has no view of its own.
    Nothing,
    /// A crash with its backtrace, perhaps without a frame.
    Crash(PreparedTrace),
    /// A machine check or thermal event, with its status code.
    MachineCheck(MachineCheckClass, String),
    /// A sign of life.
    Heartbeat,
}

impl Derived {
    /// Reads what the views of this class need. Never fails: a payload that cannot be read gives what can be read.
    pub fn of(classification: &str, payload: &str) -> Derived {
        if let Some(kind) = CrashKind::of_classification(classification) {
            Derived::Crash(PreparedTrace::of(kind, payload))
        } else if let Some(class) = MachineCheckClass::of_classification(classification) {
            Derived::MachineCheck(class, machine_checks::status_of(payload))
        } else if classification == HEARTBEAT {
            Derived::Heartbeat
        } else {
            Derived::Nothing
        }
    }
}

/// A stored record, as far as counts need it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its id.
    pub record_id: i64,
    /// Unix seconds.
    pub received_at: i64,
    /// Unix seconds, by the sender's clock.
    pub captured_at: i64,
    /// Ids of its strings.
    pub ids: RecordIds,
    /// From outside.
    pub is_external: bool,
    /// Who sent it.
    pub machine_id: &'a StoredMachineId,
}

impl Facts<'_> {
    /// When it was captured, as the views count it.
    pub fn counted_at(&self) -> i64 {
        match self.captured_at > self.received_at.saturating_add(AHEAD_SECS_MAX) {
            true => self.received_at,
            false => self.captured_at,
        }
    }
}

/// The UTC day of a time, in days of Unix time.
pub fn day_of(at: i64) -> i64 {
    at.div_euclid(DAY_SECS)
}

/// What a writer knows, and the counts of the transaction that is open.
#[derive(Debug, Default)]
pub struct DerivedState {
    /// Crashes.
    pub crashes: Crashes,
    machine_checks: MachineChecks,
    heartbeats: Heartbeats,
}

impl DerivedState {
    /// Notes a stored record.
    pub fn add(&mut self, connection: &Connection, facts: &Facts<'_>, derived: &Derived) -> Result<()> {
        match derived {
            Derived::Nothing => Ok(()),
            Derived::Crash(trace) => self.crashes.add(connection, facts, trace),
            Derived::MachineCheck(class, status) => {
                self.machine_checks.add(facts, *class, status, 1);
                Ok(())
            }
            Derived::Heartbeat => self.heartbeats.add(connection, facts),
        }
    }

    /// Notes a record that is about to be deleted. `payload` is read only where its class needs it.
    pub fn remove(
        &mut self,
        connection: &Connection,
        facts: &Facts<'_>,
        classification: &str,
        payload: impl FnOnce() -> Result<String>,
    ) -> Result<()> {
        if CrashKind::of_classification(classification).is_some() {
            self.crashes.remove(connection, facts.record_id)
        } else if let Some(class) = MachineCheckClass::of_classification(classification) {
            let status = match class {
                MachineCheckClass::Check => machine_checks::status_of(&payload()?),
                MachineCheckClass::Thermal => String::new(),
            };
            self.machine_checks.add(facts, class, &status, -1);
            Ok(())
        } else if classification == HEARTBEAT {
            self.heartbeats.remove(connection, facts)
        } else {
            Ok(())
        }
    }

    /// Writes the noted counts; to be called before the commit.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        self.crashes.flush(connection)?;
        self.machine_checks.flush(connection)?;
        self.heartbeats.flush(connection)
    }
}
