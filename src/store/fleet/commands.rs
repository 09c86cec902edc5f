// SPDX-License-Identifier: Apache-2.0
//! Commands: made by the thousand, fetched, answered, ended; the counters of their actions move with them.

mod ended;
mod fetched;
mod prepared;

pub use ended::{ActionState, CommandState};
pub use fetched::{Answered, CommandOwner, Fetchable, Lease, NewAnswer};
pub use prepared::{ActionMove, Addressee, DueAction};

use crate::error::{Error, Kind, Result};
use crate::model::command::CommandStatus;
use crate::store::{READ_MOST, Store, payload};
use rusqlite::{Connection, OptionalExtension, Row};

/// A command as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// Its id.
    pub id: i64,
    /// Its action.
    pub action_id: i64,
    /// The agent that its action's target meant.
    pub agent_id: i64,
    /// That agent's endpoint, whose agents may fetch it.
    pub endpoint_id: i64,
    /// Where it stands.
    pub status: CommandStatus,
    /// How often it was fetched.
    pub attempt: i64,
    /// When it was made, in Unix seconds.
    pub prepared_at: i64,
    /// When it was fetched first.
    pub sent_at: Option<i64>,
    /// When it was over, by the server's clock.
    pub finished_at: Option<i64>,
    /// 1 where some result found something, 2 where some did not, 3 where both; 0 without results.
    pub found: i64,
    /// It was answered after it had ended.
    pub is_late: bool,
    /// A JSON array, one result for each operation; none before an answer.
    pub results: Option<String>,
}

impl CommandRow {
    /// True where some result found something.
    pub fn has_found(&self) -> bool {
        self.found & 1 != 0
    }
}

/// Which commands of an action are listed: those that found something first, then by id.
#[derive(Clone, Copy, Debug)]
pub struct CommandQuery {
    /// The action.
    pub action_id: i64,
    /// Only those of this status.
    pub status: Option<CommandStatus>,
    /// Only those with (true) or without (false) a result that found something.
    pub has_found: Option<bool>,
    /// So many are left out before.
    pub offset: i64,
    /// At most so many.
    pub rows_max: i64,
}

const COLUMNS: &str = "id, action_id, agent_id, endpoint_id, status, attempt, prepared_at, sent_at, finished_at, \
    found, is_late, results";

impl Store {
    /// The commands with these ids, in their order; ids that are none are left out. Each may have megabytes of results.
    pub fn commands(&self, ids: &[i64]) -> Result<Vec<CommandRow>> {
        self.read(READ_MOST, |connection| {
            ids.iter().map(|id| read_command(connection, *id)).filter_map(Result::transpose).collect()
        })
    }

    /// One command.
    pub fn command(&self, id: i64) -> Result<Option<CommandRow>> {
        self.read(READ_MOST, |connection| read_command(connection, id))
    }

    /// The ids of commands of an action, in the order of [`CommandQuery`].
    pub fn command_ids_of_action(&self, query: &CommandQuery) -> Result<Vec<i64>> {
        let sql = "SELECT id FROM commands
            WHERE action_id = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR (found & 1) = ?3)
            ORDER BY found & 1 DESC, id LIMIT ?4 OFFSET ?5";
        self.read(READ_MOST, |connection| {
            let values = rusqlite::params![
                query.action_id,
                query.status.map(CommandStatus::code),
                query.has_found,
                query.rows_max,
                query.offset
            ];
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The commands of an action, in the order of [`CommandQuery`].
    pub fn commands_of_action(&self, query: &CommandQuery) -> Result<Vec<CommandRow>> {
        self.commands(&self.command_ids_of_action(query)?)
    }
}

/// Reads one command, also inside a change.
pub(crate) fn read_command(connection: &Connection, id: i64) -> Result<Option<CommandRow>> {
    let sql = format!("SELECT {COLUMNS} FROM commands WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([id], |row| Ok(from_row(row))).optional()?.transpose()
}

fn from_row(row: &Row<'_>) -> Result<CommandRow> {
    let results = match row.get_ref(11)? {
        rusqlite::types::ValueRef::Null => None,
        value => Some(payload::decode(value)?),
    };
    Ok(CommandRow {
        id: row.get(0)?,
        action_id: row.get(1)?,
        agent_id: row.get(2)?,
        endpoint_id: row.get(3)?,
        status: status_of(row.get(4)?)?,
        attempt: row.get(5)?,
        prepared_at: row.get(6)?,
        sent_at: row.get(7)?,
        finished_at: row.get(8)?,
        found: row.get(9)?,
        is_late: row.get(10)?,
        results,
    })
}

fn status_of(code: i64) -> Result<CommandStatus> {
    CommandStatus::from_code(code)
        .ok_or_else(|| Error::new(Kind::Corrupt, format!("A command has a status that is none: {code}")))
}
