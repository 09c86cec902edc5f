// SPDX-License-Identifier: Apache-2.0
//! The audit log. An entry is written in the transaction of the change that it tells; reading goes newest first.

use crate::error::Result;
use crate::model::audit::{Audit, AuditEntry, AuditFilter, bounded};
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row};

/// Most characters of an entry's subject.
const SUBJECT_CHARS_MAX: usize = 1_000;

/// Writes an entry; to be called inside the transaction of the change.
pub(crate) fn insert_audit(connection: &Connection, now: i64, audit: &Audit) -> Result<()> {
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
            audit.subject.chars().take(SUBJECT_CHARS_MAX).collect::<String>(),
            bounded(&audit.before),
            bounded(&audit.after)
        ])?;
    Ok(())
}

impl Write<'_> {
    /// Writes an entry of the audit log in this transaction.
    pub(crate) fn audit(&self, audit: &Audit) -> Result<()> {
        insert_audit(self.connection, self.now, audit)
    }
}

impl Store {
    /// Makes a short change outside the database and its entry together: where `change` fails there is no entry. It
    /// may be called twice; the last call counts.
    ///
    /// Where the commit then fails, on a broken disk, the change stands without an entry and the caller hears of the
    /// failure. The other order would leave entries of what was never done.
    pub fn audited<T: Send + 'static>(
        &self,
        audit: Audit,
        mut change: impl FnMut() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer().change(false, move |write| {
            write.audit(&audit)?;
            change()
        })
    }

    /// Writes an entry about a change that was made outside the database, like one of files.
    pub fn note_change(&self, audit: Audit) -> Result<()> {
        self.writer().change(false, move |write| write.audit(&audit))
    }

    /// The entries that a filter chooses with ids below `below_id`, newest first; at most `rows_max`.
    pub fn list_audit(
        &self,
        filter: &AuditFilter,
        below_id: Option<i64>,
        rows_max: usize,
    ) -> Result<Vec<AuditEntry>> {
        let mut sql =
            "SELECT id, changed_at, actor, origin, action, subject, before, after FROM audit WHERE id < ?"
                .to_owned();
        let below_id = below_id.unwrap_or(i64::MAX);
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut values: Vec<&dyn ToSql> = vec![&below_id];
        let texts = [
            (" AND instr(lower(actor), lower(?)) > 0", &filter.actor),
            (" AND (action = ? OR substr(action, 1, instr(action, '.') - 1) = ?)", &filter.action),
            (" AND instr(lower(subject), lower(?)) > 0", &filter.subject),
        ];
        for (condition, value) in &texts {
            if let Some(value) = value {
                sql.push_str(condition);
                values.extend(condition.matches('?').map(|_| value as &dyn ToSql));
            }
        }
        for (condition, value) in
            [(" AND changed_at >= ?", &filter.from), (" AND changed_at < ?", &filter.until)]
        {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value);
            }
        }
        sql.push_str(" ORDER BY id DESC LIMIT ?");
        values.push(&rows_max);
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map(&values[..], from_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The words of actions that stand in the log, in their order.
    pub fn audit_actions(&self) -> Result<Vec<String>> {
        self.read(READ_MOST, |connection| {
            let mut statement =
                connection.prepare_cached("SELECT DISTINCT action FROM audit ORDER BY action")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let json = |text: Option<String>| {
        let text = text?;
        // What no reader of JSON takes is shown as it stands.
        Some(serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))
    };
    Ok(AuditEntry {
        id: row.get(0)?,
        changed_at: row.get(1)?,
        actor: row.get(2)?,
        origin: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        before: json(row.get(6)?),
        after: json(row.get(7)?),
    })
}
