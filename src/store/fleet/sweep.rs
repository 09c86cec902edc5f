// SPDX-License-Identifier: Apache-2.0
//! What agents shared and no agent has any more: names, versions, environments and sets of tags. Agents change, and
//! somebody may send another environment with every heartbeat, so these rows must not stay for ever.

use crate::error::Result;
use crate::store::Store;
use rusqlite::{Connection, params_from_iter};
use std::time::Duration;

/// How long one look for such rows may take.
const LOOK_MOST: Duration = Duration::from_secs(10);
/// Rows that one transaction removes, so that no heartbeat waits long.
const ROWS_PER_CHANGE_MAX: usize = 500;
/// Such transactions of one sweep and table; the next sweep goes on.
const CHANGES_MAX: usize = 200;

/// A table of what is shared, and the column that refers to it.
struct SharedTable {
    table: &'static str,
    column: &'static str,
}

const TABLES: [SharedTable; 4] = [
    SharedTable { table: "agent_names", column: "name_id" },
    SharedTable { table: "agent_versions", column: "version_id" },
    SharedTable { table: "environments", column: "environment_id" },
    SharedTable { table: "tag_sets", column: "tags_id" },
];

impl Store {
    /// Removes what no agent and no history refers to; how many rows.
    pub fn sweep_shared(&self) -> Result<usize> {
        let mut n_removed = 0;
        for shared in &TABLES {
            for _ in 0..CHANGES_MAX {
                let unused = self.read(LOOK_MOST, |connection| unused(connection, shared))?;
                if unused.is_empty() {
                    break;
                }
                // A heartbeat may have taken one up again meanwhile, so each is looked at once more.
                n_removed +=
                    self.writer().change(false, move |write| remove(write.connection, shared, &unused))?;
            }
        }
        Ok(n_removed)
    }
}

fn unused(connection: &Connection, shared: &SharedTable) -> Result<Vec<i64>> {
    let (table, column) = (shared.table, shared.column);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id FROM {table} WHERE id NOT IN (SELECT {column} FROM agent_states)
         AND id NOT IN (SELECT {column} FROM agent_history) LIMIT ?1"
    ))?;
    let ids = statement.query_map([ROWS_PER_CHANGE_MAX as i64], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn remove(connection: &Connection, shared: &SharedTable, ids: &[i64]) -> Result<usize> {
    let (table, column) = (shared.table, shared.column);
    let marks = vec!["?"; ids.len()].join(", ");
    let mut statement = connection.prepare(&format!(
        "DELETE FROM {table} WHERE id IN ({marks}) AND id NOT IN (SELECT {column} FROM agent_states)
         AND id NOT IN (SELECT {column} FROM agent_history)"
    ))?;
    Ok(statement.execute(params_from_iter(ids))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_refers_to_goes_and_the_rest_stays() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../schema.sql")).unwrap();
        connection
            .execute_batch(
                "INSERT INTO environments (id, digest, environment) VALUES (1, x'01', '{}'), (2, x'02', '{}'),
                   (3, x'03', '{}');
                 INSERT INTO endpoints (id, queueloc) VALUES (1, 'q');
                 INSERT INTO agents (id, endpoint_id, pid, mode, publicip, addresses)
                   VALUES (1, 1, 1, 'daemon', '', '[]');
                 INSERT INTO agent_states VALUES (1, 1, 0, 0, 1, 1, 1, 1, 0);
                 INSERT INTO agent_history VALUES (1, 1, 0, 1, 1, 3, 1, '', '[]');",
            )
            .unwrap();
        let environments = &TABLES[2];
        assert_eq!(unused(&connection, environments).unwrap(), [2]);
        assert_eq!(remove(&connection, environments, &[1, 2, 3]).unwrap(), 1);
        assert!(unused(&connection, environments).unwrap().is_empty());
    }
}
