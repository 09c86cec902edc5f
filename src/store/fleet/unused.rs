// SPDX-License-Identifier: Apache-2.0
//! Forgetting what agents shared and none has any more: environments, tags, names, versions.

use crate::error::Result;
use crate::store::{READ_MOST, Store};
use rusqlite::OptionalExtension;
use std::collections::HashSet;

/// Rows that are looked at before the connection is given back.
const ROWS_PER_READ: i64 = 50_000;
/// Rows that go at a time.
const DELETED_MAX: usize = 5_000;

/// A table of what agents share.
struct Table {
    all: &'static str,
    of_states: &'static str,
    of_history: &'static str,
    delete: &'static str,
}

/// The statements of one table: all ids; the ids that so many rows of states after an endpoint have; those of history
/// between two ids; and the deletion of ids that are still not in use.
macro_rules! table {
    ($table:literal, $column:literal) => {
        Table {
            all: concat!("SELECT id FROM ", $table),
            of_states: concat!(
                "SELECT ",
                $column,
                " FROM agent_states WHERE endpoint_id > ?1 AND endpoint_id <= ?2"
            ),
            of_history: concat!("SELECT ", $column, " FROM agent_history WHERE id > ?1 AND id <= ?2"),
            delete: concat!(
                "DELETE FROM ",
                $table,
                " WHERE id IN (SELECT value FROM json_each(?1)) AND id NOT IN (SELECT ",
                $column,
                " FROM agent_states) AND id NOT IN (SELECT ",
                $column,
                " FROM agent_history WHERE id > ?2)"
            ),
        }
    };
}

const TABLES: [Table; 4] = [
    table!("environments", "environment_id"),
    table!("tag_sets", "tags_id"),
    table!("agent_names", "name_id"),
    table!("agent_versions", "version_id"),
];

impl Store {
    /// Forgets environments, tags, names and versions that no agent has or had as far as is known. How many went;
    /// where there are very many, the rest goes another time.
    pub fn delete_unused_of_agents(&self) -> Result<usize> {
        let mut deleted = 0;
        for table in &TABLES {
            let newest = |sql: &str| {
                self.read(READ_MOST, |connection| {
                    let mut statement = connection.prepare_cached(sql)?;
                    Ok(statement.query_row([], |row| row.get::<_, i64>(0)).optional()?.unwrap_or(0))
                })
            };
            // What comes into use while this looks is seen by the deletion, which looks again at what is new since.
            let history_end = newest("SELECT coalesce(max(id), 0) FROM agent_history")?;
            let mut unused: HashSet<i64> = self.read(READ_MOST, |connection| {
                let mut statement = connection.prepare_cached(table.all)?;
                Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
            })?;
            let endpoints_end = newest("SELECT coalesce(max(id), 0) FROM endpoints")?;
            self.strike_used(table.of_states, endpoints_end, &mut unused)?;
            self.strike_used(table.of_history, history_end, &mut unused)?;
            let ids: Vec<i64> = unused.into_iter().take(DELETED_MAX).collect();
            if !ids.is_empty() {
                let ids = serde_json::Value::from(ids).to_string();
                deleted += self.writer().change(false, move |write| {
                    let values = rusqlite::params![ids, history_end];
                    Ok(write.connection.prepare_cached(table.delete)?.execute(values)?)
                })?;
            }
        }
        Ok(deleted)
    }

    /// Takes the ids that a table's rows up to `end` have out of `unused`.
    fn strike_used(&self, sql: &str, end: i64, unused: &mut HashSet<i64>) -> Result<()> {
        let mut from = 0;
        while from < end && !unused.is_empty() {
            let to = from + ROWS_PER_READ;
            self.read(READ_MOST, |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query([from, to.min(end)])?;
                while let Some(row) = rows.next()? {
                    unused.remove(&row.get(0)?);
                }
                Ok(())
            })?;
            from = to;
        }
        Ok(())
    }
}
