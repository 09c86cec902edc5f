// SPDX-License-Identifier: Apache-2.0
//! Rows of `functions` as [`Guilty`]s.

use crate::error::Result;
use crate::guilty::demangle::demangled;
use crate::model::crash::Guilty;
use rusqlite::{Connection, OptionalExtension, Row};

/// The columns that [`guilty_from_row`] reads, of `functions f`.
pub const GUILTY_COLUMNS: &str = "f.id, f.function, f.module, f.comment, f.is_hidden";

/// Reads the first five columns of a row.
pub fn guilty_from_row(row: &Row<'_>) -> rusqlite::Result<Guilty> {
    let function: String = row.get(1)?;
    Ok(Guilty {
        id: row.get(0)?,
        shown: demangled(&function).into_owned(),
        function,
        module: row.get(2)?,
        comment: row.get(3)?,
        is_hidden: row.get(4)?,
    })
}

/// The function of this number.
pub fn find_guilty(connection: &Connection, id: i64) -> Result<Option<Guilty>> {
    let sql = format!("SELECT {GUILTY_COLUMNS} FROM functions f WHERE f.id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], guilty_from_row).optional()?)
}
