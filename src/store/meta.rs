// SPDX-License-Identifier: Apache-2.0
//! The rows of `meta`: facts about the file, by name.

use crate::error::Result;
use rusqlite::{Connection, OptionalExtension};

/// Writes a row.
pub fn set_meta(connection: &Connection, name: &str, value: &str) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([name, value])?;
    Ok(())
}

/// Reads a row; none where it was never written.
pub fn meta(connection: &Connection, name: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}
