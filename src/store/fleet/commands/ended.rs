// SPDX-License-Identifier: Apache-2.0
//! Commands that end without an answer, and what the spool is compared with.

use super::fetched::Moved;
use super::status_of;
use crate::error::{Error, Kind, Result};
use crate::model::command::{ActionStatus, CommandStatus};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What decides where the file of a command lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandState {
    /// The command.
    pub id: i64,
    /// Its action.
    pub action_id: i64,
    /// Where it stands.
    pub status: CommandStatus,
    /// When it was over.
    pub finished_at: Option<i64>,
}

/// What decides where the file of an action lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionState {
    /// The action.
    pub id: i64,
    /// Where it stands.
    pub status: ActionStatus,
    /// When it was over.
    pub finished_at: Option<i64>,
}

const COMMAND_STATE: &str = "id, action_id, status, finished_at";

impl Store {
    /// Commands of an action that are not over, at most `most`.
    pub fn open_commands(&self, action_id: i64, most: usize) -> Result<Vec<i64>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM commands WHERE action_id = ?1 AND status <= 2 ORDER BY status, id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![action_id, most as i64], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Ends commands that are not over; those that it ended, by id.
    pub fn end_commands(&self, ids: Vec<i64>, to: CommandStatus, now: i64) -> Result<Vec<i64>> {
        self.writer().change(false, move |write| {
            let mut moved = Moved::default();
            let mut ended = Vec::with_capacity(ids.len());
            for id in &ids {
                if end_one(write.connection, *id, to, now, &mut moved)? {
                    ended.push(*id);
                }
            }
            moved.count(write.connection, now)?;
            ended.sort_unstable();
            Ok(ended)
        })
    }

    /// The states of these commands; none for an id that is none.
    pub fn command_states(&self, ids: &[i64]) -> Result<Vec<Option<CommandState>>> {
        self.read(READ_MOST, |connection| {
            let sql = format!("SELECT {COMMAND_STATE} FROM commands WHERE id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            ids.iter()
                .map(|id| statement.query_row([id], |row| Ok(command_state(row))).optional()?.transpose())
                .collect()
        })
    }

    /// The states of these actions; none for an id that is none.
    pub fn action_states(&self, ids: &[i64]) -> Result<Vec<Option<ActionState>>> {
        self.read(READ_MOST, |connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, status, finished_at FROM actions WHERE id = ?1")?;
            ids.iter()
                .map(|id| statement.query_row([id], |row| Ok(action_state(row))).optional()?.transpose())
                .collect()
        })
    }

    /// Actions above `after_id` that are not over, or were over at `since` or later; by id, at most `most`.
    pub fn recent_actions(&self, after_id: i64, since: i64, most: usize) -> Result<Vec<ActionState>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, status, finished_at FROM actions
                 WHERE id > ?1 AND (status <= 4 OR finished_at >= ?2) ORDER BY id LIMIT ?3",
            )?;
            states(statement.query(params![after_id, since, most as i64])?, action_state)
        })
    }

    /// Commands of an action that are not over, or were over at `since` or later, behind the one with this status and
    /// id; by status and id, at most `most`.
    pub fn recent_commands(
        &self,
        action_id: i64,
        since: i64,
        after: Option<CommandState>,
        most: usize,
    ) -> Result<Vec<CommandState>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COMMAND_STATE} FROM commands
                 WHERE action_id = ?1 AND (status, id) > (?2, ?3) AND (status <= 2 OR finished_at >= ?4)
                 ORDER BY status, id LIMIT ?5"
            ))?;
            let (status, id) = after.map_or((0, 0), |after| (after.status.code(), after.id));
            states(statement.query(params![action_id, status, id, since, most as i64])?, command_state)
        })
    }
}

fn end_one(connection: &Connection, id: i64, to: CommandStatus, now: i64, moved: &mut Moved) -> Result<bool> {
    let mut find =
        connection.prepare_cached("SELECT action_id, status FROM commands WHERE id = ?1 AND status <= 2")?;
    let found: Option<(i64, i64)> = find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((action_id, code)) = found else { return Ok(false) };
    connection
        .prepare_cached(
            "UPDATE commands SET status = ?2, finished_at = ?3, leased_until = NULL WHERE id = ?1",
        )?
        .execute(params![id, to.code(), now])?;
    moved.add(action_id, status_of(code)?, to);
    Ok(true)
}

fn states<T>(mut rows: rusqlite::Rows<'_>, read: fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn command_state(row: &Row<'_>) -> Result<CommandState> {
    Ok(CommandState {
        id: row.get(0)?,
        action_id: row.get(1)?,
        status: status_of(row.get(2)?)?,
        finished_at: row.get(3)?,
    })
}

fn action_state(row: &Row<'_>) -> Result<ActionState> {
    let (id, code): (i64, i64) = (row.get(0)?, row.get(1)?);
    let status = ActionStatus::from_code(code)
        .ok_or_else(|| Error::new(Kind::Corrupt, format!("Action {id} has a status that is none: {code}")))?;
    Ok(ActionState { id, status, finished_at: row.get(2)? })
}
