// SPDX-License-Identifier: Apache-2.0
//! Making everything derived anew from the records: for files from before it was kept.

use crate::error::Result;
use crate::store::derived::{Derived, DerivedState, Facts, HEARTBEAT};
use crate::store::dimensions::RecordIds;
use crate::store::payload;
use crate::store::record_insert::StoredMachineId;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// Records after which the counts are written, so that they do not pile up in memory.
const FLUSH_RECORDS: usize = 5_000;
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Counts every stored record of the classes with a view of their own; the derived tables are empty. `progress` is
/// called at least every few seconds with the records looked at.
pub fn rebuild(connection: &Connection, mut progress: impl FnMut(i64)) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT r.id, r.received_at, r.captured_at, r.classification_id, r.build_id, r.profile_id, r.is_external,
                r.machine_id, c.name, p.payload
         FROM records r
         CROSS JOIN classifications c ON c.id = r.classification_id
         LEFT JOIN payloads p ON p.record_id = r.id AND c.name <> ?1
         WHERE r.classification_id IN (SELECT id FROM classifications WHERE name = ?1
           OR name LIKE 'org.clearlinux/crash/%' OR name LIKE 'org.clearlinux/kernel/%'
           OR name LIKE 'org.clearlinux/mce/%')
         ORDER BY r.id",
    )?;
    let mut rows = statement.query([HEARTBEAT])?;
    let mut state = DerivedState::default();
    let (mut seen, mut told) = (0, Instant::now());
    while let Some(row) = rows.next()? {
        let machine_id = StoredMachineId::from_value(row.get_ref(7)?);
        let facts = Facts {
            record_id: row.get(0)?,
            received_at: row.get(1)?,
            captured_at: row.get(2)?,
            ids: RecordIds { classification: row.get(3)?, build: row.get(4)?, profile: row.get(5)? },
            is_external: row.get(6)?,
            machine_id: &machine_id,
        };
        let payload = match row.get_ref(9)? {
            rusqlite::types::ValueRef::Null => String::new(),
            value => payload::decode(value).unwrap_or_else(|error| {
                // Its crash is counted all the same, as one without a backtrace.
                log::error!("Record {}: {}", facts.record_id, error.with_causes());
                String::new()
            }),
        };
        state.add(connection, &facts, &Derived::of(row.get_ref(8)?.as_str().unwrap_or(""), &payload))?;
        seen += 1;
        if seen % FLUSH_RECORDS == 0 {
            state.flush(connection)?;
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            progress(facts.record_id);
        }
    }
    state.flush(connection)
}
