// SPDX-License-Identifier: Apache-2.0
//! A look at a database file that changes nothing and needs no current one: for `muster doctor`.

use crate::error::Result;
use crate::store::checkpoint::wal_bytes;
use crate::store::{SCHEMA_VERSION, database_path, meta, open, retention};
use rusqlite::Connection;
use std::path::Path;

/// The row of `meta` that says when the whole file was last read without finding damage.
pub(super) const CHECKED_AT: &str = "checked_at";
/// The row of `meta` that says when a backup was last made.
pub(super) const BACKED_UP_AT: &str = "backed_up_at";

/// What a database file tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema; where it is older than this program's only the sizes are told beside it.
    pub schema: i64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of the log beside it.
    pub wal_bytes: u64,
    /// What only a current file tells.
    pub current: Option<CurrentInspection>,
}

/// What a file of the current schema tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentInspection {
    /// Records.
    pub records: i64,
    /// When the newest was received, in Unix seconds.
    pub newest_received_at: Option<i64>,
    /// How often the clock was set back while records came in.
    pub clock_steps: i64,
    /// Accounts.
    pub accounts: i64,
    /// Those that may log in.
    pub active_accounts: i64,
    /// Admins among these.
    pub active_admins: i64,
    /// When the whole file was last read without finding damage.
    pub checked_at: Option<i64>,
    /// When a backup was last made.
    pub backed_up_at: Option<i64>,
    /// When retention last ran.
    pub purged_at: Option<i64>,
    /// Bytes of the file that are in use.
    pub used_bytes: u64,
    /// By how many bytes the last purge could not bring it under its limit.
    pub bytes_over: u64,
    /// Since when the daily purge waits, because the clock is far ahead of the one before it.
    pub clock_doubted_at: Option<i64>,
}

/// Looks; none where there is no database. Kinds: those of [`crate::store::Store::look`], which finds what is damaged,
/// newer or foreign.
pub fn inspect(data_dir: &Path) -> Result<Option<Inspection>> {
    open::refuse_unfit(data_dir)?;
    let path = database_path(data_dir);
    let wal = open::wal_path(&path);
    let bytes = match std::fs::metadata(&path) {
        Ok(file) if file.len() > 0 || wal_bytes(&wal) > 0 => file.len(),
        _ => return Ok(None),
    };
    // Beside a log somebody may be writing.
    let connection = open::open_to_look(&path, wal.exists())?;
    let schema = open::pragma(&connection, "user_version")?;
    let current = if schema == SCHEMA_VERSION { Some(current(&connection)?) } else { None };
    Ok(Some(Inspection { schema, bytes, wal_bytes: wal_bytes(&wal), current }))
}

fn current(connection: &Connection) -> Result<CurrentInspection> {
    let one =
        |sql: &str| -> rusqlite::Result<Option<i64>> { connection.query_row(sql, [], |row| row.get(0)) };
    let time = |name: &str| -> Result<Option<i64>> {
        Ok(meta::meta(connection, name)?.and_then(|text| text.parse().ok()))
    };
    let pages = |name| Ok::<_, rusqlite::Error>(open::pragma(connection, name)?.unsigned_abs());
    Ok(CurrentInspection {
        records: one("SELECT sum(records) FROM severities")?.unwrap_or_default(),
        newest_received_at: one(
            "SELECT max(received_at) FROM records WHERE id = (SELECT max(id) FROM records)",
        )?,
        clock_steps: one("SELECT count(*) FROM clock_steps")?.unwrap_or_default(),
        accounts: one("SELECT count(*) FROM accounts")?.unwrap_or_default(),
        active_accounts: one("SELECT count(*) FROM accounts WHERE is_active = 1")?.unwrap_or_default(),
        active_admins: one("SELECT count(*) FROM accounts WHERE is_active = 1 AND role = 3")?
            .unwrap_or_default(),
        checked_at: time(CHECKED_AT)?,
        backed_up_at: time(BACKED_UP_AT)?,
        purged_at: time(retention::PURGED_AT)?,
        used_bytes: pages("page_count")?.saturating_sub(pages("freelist_count")?) * pages("page_size")?,
        bytes_over: time(retention::BYTES_OVER)?.unwrap_or_default().unsigned_abs(),
        clock_doubted_at: time(retention::DOUBTED_AT)?,
    })
}
