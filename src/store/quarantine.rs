// SPDX-License-Identifier: Apache-2.0
//! Posts that broke a rule, kept aside within bounds.

use crate::error::Result;
use crate::model::audit::{Actor, Audit};
use crate::model::quarantine::{CorrectedField, NewQuarantined, Quarantined};
use crate::model::record::NewRecord;
use crate::model::time::utc_text;
use crate::store::record_insert::{PreparedRecord, Stored, insert_record};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::{Value, json};

/// How much quarantine may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineBounds {
    /// Most posts.
    pub rows_max: i64,
    /// Most bytes of heads and bodies.
    pub bytes_max: i64,
}

const COLUMNS: &str = "id, received_at, reason, peer, head, body, is_body_cut";

impl Store {
    /// Keeps a post aside and drops the oldest beyond the bounds.
    pub fn insert_quarantined(&self, post: NewQuarantined, bounds: QuarantineBounds) -> Result<i64> {
        self.writer().change(true, move |write| {
            write
                .connection
                .prepare_cached(
                    "INSERT INTO quarantine (received_at, reason, peer, head, body, is_body_cut)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(rusqlite::params![
                    write.now,
                    post.reason,
                    post.peer,
                    post.head,
                    post.body,
                    post.is_body_cut
                ])?;
            let id = write.connection.last_insert_rowid();
            write
                .connection
                .prepare_cached(
                    "DELETE FROM quarantine WHERE id <= (
                       SELECT id FROM (
                         SELECT id, count(*) OVER newest AS n,
                           sum(length(head) + length(body)) OVER newest AS bytes
                         FROM quarantine WINDOW newest AS (ORDER BY id DESC)
                       ) WHERE n > ?1 OR bytes > ?2 ORDER BY id DESC LIMIT 1)",
                )?
                .execute([bounds.rows_max, bounds.bytes_max])?;
            Ok(id)
        })
    }

    /// The posts in quarantine, newest first; ids below `below_id` where given.
    pub fn list_quarantined(&self, below_id: Option<i64>, rows_max: usize) -> Result<Vec<Quarantined>> {
        let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let values = rusqlite::params![below_id.unwrap_or(i64::MAX), rows_max as i64];
            Ok(statement.query_map(values, from_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One post in quarantine.
    pub fn find_quarantined(&self, id: i64) -> Result<Option<Quarantined>> {
        let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE id = ?1");
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query_map([id], from_row)?;
            Ok(rows.next().transpose()?)
        })
    }

    /// Takes a post out of quarantine and stores the record made of it, both or neither. None where it was not there
    /// any more; then nothing is stored. `corrected` goes into the audit log.
    pub fn admit_quarantined(
        &self,
        id: i64,
        record: &NewRecord,
        corrected: Vec<CorrectedField>,
        actor: &Actor,
    ) -> Result<Option<Stored>> {
        let record = PreparedRecord::new(record)?;
        let actor = actor.clone();
        self.writer().change(true, move |write| {
            let Some(mut before) = remove(write.connection, id)? else { return Ok(None) };
            let stored = insert_record(write.connection, write.state, &record, write.now)?;
            let mut after = json!({ "record": stored.id, "is_new": stored.is_new });
            for field in &corrected {
                before[field.name] = field.before.clone();
                after[field.name] = field.after.clone();
            }
            let audit =
                Audit::new(&actor, "quarantine.admit", format!("post {id}")).before(before).after(after);
            write.audit(&audit).map(|()| Some(stored))
        })
    }

    /// Drops a post from quarantine; false where it was not there any more.
    pub fn delete_quarantined(&self, id: i64, actor: &Actor) -> Result<bool> {
        let actor = actor.clone();
        self.writer().change(false, move |write| {
            let Some(before) = remove(write.connection, id)? else { return Ok(false) };
            let audit = Audit::new(&actor, "quarantine.drop", format!("post {id}")).before(before);
            write.audit(&audit).map(|()| true)
        })
    }
}

/// Removes a post; what the audit log keeps of it, none where it was not there.
fn remove(connection: &Connection, id: i64) -> Result<Option<Value>> {
    let removed = connection
        .prepare_cached("DELETE FROM quarantine WHERE id = ?1 RETURNING received_at, peer, reason")?
        .query_row([id], |row| {
            let (received_at, peer, reason): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(json!({ "received": utc_text(received_at), "peer": peer, "reason": reason }))
        });
    Ok(removed.optional()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    Ok(Quarantined {
        id: row.get(0)?,
        received_at: row.get(1)?,
        content: NewQuarantined {
            reason: row.get(2)?,
            peer: row.get(3)?,
            head: row.get(4)?,
            body: row.get(5)?,
            is_body_cut: row.get(6)?,
        },
    })
}
