// SPDX-License-Identifier: Apache-2.0
//! The searches of MIG's API: which ids, in which order. The SQL is put together from the fragments written here; what
//! is searched for is passed as parameters only.

mod clauses;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::model::agent::Thresholds;
use crate::store::{READ_MOST, Store};
use crate::target::is_like;
use clauses::Clauses;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchType {
    /// Actions, the latest `validfrom` first.
    Action,
    /// Agents, the latest heartbeat first.
    Agent,
    /// Commands, the latest made first.
    Command,
    /// Investigators, by id.
    Investigator,
}

/// What must hold of what is found; what is none does not matter. Names, versions, statuses and families are patterns
/// as of ILIKE. Where criteria are about other things than what is searched for, one chain of such things (an agent,
/// its command, the command's action, one of its signers) must meet all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The action's id.
    pub action_id: Option<i64>,
    /// The action's name.
    pub action_name: Option<String>,
    /// The family of the action's threat.
    pub threat_family: Option<String>,
    /// The agent's id.
    pub agent_id: Option<i64>,
    /// The agent's name.
    pub agent_name: Option<String>,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// The command's id.
    pub command_id: Option<i64>,
    /// The id of a signer.
    pub investigator_id: Option<i64>,
    /// The name of a signer.
    pub investigator_name: Option<String>,
    /// The status of what is searched for.
    pub status: Option<String>,
    /// Of commands: succeeded, with a result that did (true) or did not (false) find anything.
    pub found_anything: Option<bool>,
    /// In Unix seconds: `validfrom` of actions, last heartbeat of agents, making of commands, last change of
    /// investigators; not before.
    pub after: Option<i64>,
    /// The same, not after; of actions `expireafter`.
    pub before: Option<i64>,
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What for.
    pub kind: SearchType,
    /// What must hold.
    pub criteria: Criteria,
    /// At most so many.
    pub limit: i64,
    /// So many of the first are passed over.
    pub offset: i64,
}

impl Store {
    /// The ids that a search finds, in its order. `thresholds` decide about statuses of agents. Busy where it takes
    /// too long.
    pub fn search(&self, search: &Search, thresholds: Thresholds) -> Result<Vec<i64>> {
        let (sql, values) = Clauses::of(search, thresholds).into_sql();
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(&values), |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The actions that a dashboard shows, at most `most`: those that wait for their start, the newest first, then the
    /// others by their start, the last first.
    pub fn latest_actions(&self, most: usize) -> Result<Vec<i64>> {
        self.read(READ_MOST, |connection| {
            let mut ids = ids_of(connection, clauses::WAITING_ACTIONS, most)?;
            ids.extend(ids_of(connection, clauses::STARTED_ACTIONS, most - ids.len())?);
            Ok(ids)
        })
    }
}

fn ids_of(connection: &Connection, sql: &str, most: usize) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Gives a connection `is_ilike(pattern, text)`: ILIKE of Postgres, which SQLite's LIKE is for ASCII only.
pub fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("is_ilike", 2, flags, |context| {
        let (pattern, text) = (context.get_raw(0).as_str()?, context.get_raw(1).as_str()?);
        Ok(is_like(text, pattern, true))
    })
}
