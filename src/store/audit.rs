// SPDX-License-Identifier: Apache-2.0
//! The audit log. An entry is written in the transaction of the change that it tells.

use crate::error::Result;
use crate::model::audit::Audit;
use crate::store::Store;
use rusqlite::Connection;
use serde_json::Value;

/// Most characters of one text of an entry.
const TEXT_CHARS_MAX: usize = 10_000;

/// Writes an entry; to be called inside the transaction of the change.
pub(crate) fn insert_audit(connection: &Connection, now: i64, audit: &Audit) -> Result<()> {
    let json = |value: &Value| (!value.is_null()).then(|| cut(&value.to_string()));
    connection
        .prepare_cached(
            "INSERT INTO audit (changed_at, actor, origin, action, subject, before, after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(rusqlite::params![
            now,
            audit.actor.name,
            audit.actor.origin,
            audit.action,
            cut(&audit.subject),
            json(&audit.before),
            json(&audit.after)
        ])?;
    Ok(())
}

impl Store {
    /// Writes an entry about a change that was made outside the database, like one of files.
    pub fn note_change(&self, audit: Audit) -> Result<()> {
        self.writer().change(false, move |write| insert_audit(write.connection, write.now, &audit))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
