// SPDX-License-Identifier: Apache-2.0
//! What stands around an agent: its commands, and the agents of the machine that sends records.

use crate::error::{Error, Kind, Result};
use crate::model::command::CommandStatus;
use crate::store::{READ_MOST, Store};
use rusqlite::OptionalExtension;

/// A command of an agent, without its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentCommand {
    /// Its id.
    pub id: i64,
    /// Its action.
    pub action_id: i64,
    /// The action's name.
    pub action_name: String,
    /// Where it stands.
    pub status: CommandStatus,
    /// True where some result found something.
    pub has_found: bool,
    /// When it was made, in Unix seconds.
    pub prepared_at: i64,
    /// When it was over.
    pub finished_at: Option<i64>,
}

impl Store {
    /// True where there is an agent, also one that is offline or destroyed.
    pub fn has_agents(&self) -> Result<bool> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM agent_states)")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    /// The commands of an agent, newest first, those with an id below `below_id`; at most `rows_max`.
    pub fn commands_of_agent(
        &self,
        agent_id: i64,
        below_id: Option<i64>,
        rows_max: usize,
    ) -> Result<Vec<AgentCommand>> {
        let sql = "SELECT c.id, c.action_id, a.name, c.status, c.found & 1, c.prepared_at, c.finished_at
            FROM commands c CROSS JOIN actions a ON a.id = c.action_id
            WHERE c.agent_id = ?1 AND c.id < ?2 ORDER BY c.id DESC LIMIT ?3";
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([agent_id, below_id.unwrap_or(i64::MAX), rows_max as i64])?;
            let mut commands = Vec::new();
            while let Some(row) = rows.next()? {
                let code: i64 = row.get(3)?;
                commands.push(AgentCommand {
                    id: row.get(0)?,
                    action_id: row.get(1)?,
                    action_name: row.get(2)?,
                    status: CommandStatus::from_code(code).ok_or_else(|| {
                        Error::new(Kind::Corrupt, format!("A command has a status that is none: {code}"))
                    })?,
                    has_found: row.get(4)?,
                    prepared_at: row.get(5)?,
                    finished_at: row.get(6)?,
                });
            }
            Ok(commands)
        })
    }

    /// The machine id of an agent's host, as records have it; none where it does not send one.
    pub fn machine_of_agent(&self, agent_id: i64) -> Result<Option<String>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached("SELECT machine_id FROM agents WHERE id = ?1")?;
            Ok(statement.query_row([agent_id], |row| row.get(0)).optional()?.flatten())
        })
    }

    /// The agents of a machine that sends records, the newest first; at most `rows_max`.
    pub fn agents_of_machine(&self, machine_id: &str, rows_max: usize) -> Result<Vec<i64>> {
        let sql = "SELECT id FROM agents WHERE machine_id = ?1 ORDER BY id DESC LIMIT ?2";
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let ids =
                statement.query_map(rusqlite::params![machine_id, rows_max as i64], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
    }
}
