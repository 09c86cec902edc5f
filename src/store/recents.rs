// SPDX-License-Identifier: Apache-2.0
//! Knowing a record that is sent again within 24 hours.
//!
//! The digests of a second are random: written one by one, each would dirty a page of its own. So the newest stay in
//! memory, and a full lot goes into `recent_records` in order, side by side. What a crash takes from memory is read
//! again from the records above the last one that was written out (`recents_through` in `meta`).

use crate::error::Result;
use crate::model::record::EventId;
use crate::store::payload;
use crate::store::record_row::machine_id_text;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Digests that stay in memory before they are written out together.
const PENDING_MAX: usize = 2_048;
/// Records, also those without a digest, after which all is written out: what a start must read again.
const STORED_MAX: usize = 50_000;

/// When the sender made a record, and the digest of what makes it the same.
pub type Key = (i64, i64);

/// The digest of what makes two posts the same record, in eight bytes: equal ones are looked at, not believed.
pub fn digest(
    machine_id: &str,
    classification: &str,
    payload: &str,
    event_id: EventId,
    captured_at: i64,
) -> i64 {
    let mut hash = Sha256::new();
    for part in [machine_id, classification, payload] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(event_id.0);
    hash.update(captured_at.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    i64::from_le_bytes(first)
}

/// The records that are not written out yet. Made anew whenever another process may have written.
#[derive(Debug)]
pub struct Recents {
    pending: HashMap<Key, i64>,
    stored: usize,
}

impl Recents {
    /// Reads what was not written out: few records, unless another process has stored many.
    pub fn load(connection: &Connection) -> Result<Recents> {
        let through: i64 = connection
            .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'recents_through'")?
            .query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let mut statement = connection.prepare_cached(
            "SELECT r.id, r.machine_id, c.name, p.payload, r.event_id, r.captured_at FROM records r
             CROSS JOIN classifications c ON c.id = r.classification_id
             CROSS JOIN payloads p ON p.record_id = r.id
             WHERE r.id > ?1 AND r.event_id IS NOT NULL ORDER BY r.id",
        )?;
        let mut rows = statement.query([through])?;
        let mut pending = HashMap::new();
        while let Some(row) = rows.next()? {
            let captured_at: i64 = row.get(5)?;
            let payload = match payload::decode(row.get_ref(3)?) {
                Ok(payload) => payload,
                // One damaged row must not keep all others from being stored.
                Err(error) => {
                    log::error!("Record {}: {}", row.get::<_, i64>(0)?, error.with_causes());
                    continue;
                }
            };
            let digest = digest(
                &machine_id_text(row.get_ref(1)?),
                row.get_ref(2)?.as_str().unwrap_or(""),
                &payload,
                EventId(row.get(4)?),
                captured_at,
            );
            pending.insert((captured_at, digest), row.get(0)?);
        }
        Ok(Recents { pending, stored: 0 })
    }

    /// The record that was stored under this key.
    pub fn find(&self, connection: &Connection, key: Key) -> Result<Option<i64>> {
        if let Some(id) = self.pending.get(&key) {
            return Ok(Some(*id));
        }
        Ok(connection
            .prepare_cached("SELECT record_id FROM recent_records WHERE captured_at = ?1 AND digest = ?2")?
            .query_row([key.0, key.1], |row| row.get(0))
            .optional()?)
    }

    /// Notes a stored record, which has no key where it cannot be known again. Of two with one key the later is the one
    /// that is known: the earlier is another record, or was deleted.
    pub fn add(&mut self, key: Option<Key>, id: i64) {
        self.stored += 1;
        if let Some(key) = key {
            self.pending.insert(key, id);
        }
    }

    /// Forgets the mark of a record that is deleted.
    pub fn forget(&mut self, connection: &Connection, key: Key, id: i64) -> Result<()> {
        if self.pending.get(&key) == Some(&id) {
            self.pending.remove(&key);
        }
        connection
            .prepare_cached(
                "DELETE FROM recent_records WHERE captured_at = ?1 AND digest = ?2 AND record_id = ?3",
            )?
            .execute([key.0, key.1, id])?;
        Ok(())
    }

    /// Writes the lot out where it is full, or whenever `is_forced`; to be called before the commit.
    pub fn flush(&mut self, connection: &Connection, is_forced: bool) -> Result<()> {
        if self.pending.len() < PENDING_MAX && self.stored < STORED_MAX && !is_forced {
            return Ok(());
        }
        self.stored = 0;
        let mut lot: Vec<(Key, i64)> = self.pending.drain().collect();
        lot.sort_unstable();
        let mut insert = connection.prepare_cached(
            "INSERT OR REPLACE INTO recent_records (captured_at, digest, record_id) VALUES (?1, ?2, ?3)",
        )?;
        for ((captured_at, digest), id) in lot {
            insert.execute([captured_at, digest, id])?;
        }
        set_through_newest(connection)
    }
}

/// Marks every record stored so far as written out.
fn set_through_newest(connection: &Connection) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) SELECT 'recents_through', CAST(coalesce(max(id), 0) AS TEXT) FROM records
             WHERE true ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute([])?;
    Ok(())
}

/// Writes out what a server has pending, before a load stores records that are not to be known again.
pub fn begin_load(connection: &Connection) -> Result<()> {
    Recents::load(connection)?.flush(connection, true)
}

/// Marks the records of a load as seen to.
pub fn end_load(connection: &Connection) -> Result<()> {
    set_through_newest(connection)
}
