// SPDX-License-Identifier: Apache-2.0
//! Actions on their way, and the making of their commands. Each change says from which status it starts, so that an
//! action that was cancelled meanwhile stays cancelled.

use crate::error::Result;
use crate::model::command::{ActionStatus, CommandStatus};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// An action to which something is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueAction {
    /// Its id.
    pub id: i64,
    /// Where it stands.
    pub status: ActionStatus,
    /// First moment at which it may run.
    pub valid_from: i64,
    /// Moment from which it may not run any more.
    pub expire_after: i64,
    /// Its commands that are not over.
    pub n_open: i64,
    /// All its commands.
    pub n_commands: i64,
}

/// How an action moves on.
#[derive(Clone, Debug)]
pub struct ActionMove {
    /// The action.
    pub id: i64,
    /// Only from this status.
    pub from: ActionStatus,
    /// To this one; to `Completed` only where no command is open.
    pub to: ActionStatus,
    /// Why, where it becomes invalid; else empty.
    pub reason: String,
    /// When.
    pub now: i64,
}

/// Whom a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The agent that the target means.
    pub agent_id: i64,
    /// Its endpoint.
    pub endpoint_id: i64,
}

impl Store {
    /// Actions to which something is to be done at `now`, by id, at most `most`.
    pub fn due_actions(&self, now: i64, most: usize) -> Result<Vec<DueAction>> {
        let sql = "SELECT id, status, valid_from, expire_after, prepared + sent,
              prepared + sent + success + failed + timeout + cancelled + expired
            FROM actions WHERE status <= 4 AND (status IN (1, 3)
              OR (status = 2 AND (valid_from <= ?1 OR expire_after <= ?1))
              OR (status = 4 AND (prepared + sent = 0 OR expire_after <= ?1)))
            ORDER BY id LIMIT ?2";
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![now, most as i64], |row| {
                Ok(DueAction {
                    id: row.get(0)?,
                    // The condition lets no other number through.
                    status: ActionStatus::from_code(row.get(1)?).unwrap_or(ActionStatus::Pending),
                    valid_from: row.get(2)?,
                    expire_after: row.get(3)?,
                    n_open: row.get(4)?,
                    n_commands: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Moves an action on; false where it is not there any more from where it should start.
    pub fn move_action(&self, change: ActionMove) -> Result<bool> {
        self.writer().change(false, move |write| {
            let begins = change.to == ActionStatus::Preparing;
            let is_over = change.to.is_over();
            let moved = write
                .connection
                .prepare_cached(
                    "UPDATE actions SET status = ?3, reason = ?4,
                       started_at = CASE WHEN ?5 THEN ?7 ELSE started_at END,
                       finished_at = CASE WHEN ?6 THEN ?7 ELSE finished_at END, updated_at = ?7
                     WHERE id = ?1 AND status = ?2 AND (?3 <> 5 OR prepared + sent = 0)",
                )?
                .execute(params![
                    change.id,
                    change.from.code(),
                    change.to.code(),
                    change.reason,
                    begins,
                    is_over,
                    change.now
                ])?;
            Ok(moved == 1)
        })
    }

    /// Puts ids aside for commands whose files are written before their rows; the first of `n`. What is not used is
    /// never used.
    pub fn reserve_command_ids(&self, n: usize) -> Result<i64> {
        let n = n as i64;
        self.writer().change(true, move |write| {
            let mut add = write
                .connection
                .prepare_cached("UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'commands'")?;
            if add.execute([n])? == 0 {
                write
                    .connection
                    .prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES ('commands', ?1)")?
                    .execute([n])?;
            }
            let mut read =
                write.connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'commands'")?;
            let last: i64 = read.query_row([], |row| row.get(0))?;
            Ok(last - n + 1)
        })
    }

    /// The endpoints for which an action has a command already.
    pub fn endpoints_with_command(&self, action_id: i64) -> Result<HashSet<i64>> {
        self.read(READ_MOST, |connection| {
            let mut statement =
                connection.prepare_cached("SELECT endpoint_id FROM commands WHERE action_id = ?1")?;
            Ok(statement.query_map([action_id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Makes commands under ids from `first_id` on, one for each addressee. False, and none is made, where the action
    /// is not being prepared any more.
    pub fn insert_commands(
        &self,
        action_id: i64,
        first_id: i64,
        to: Vec<Addressee>,
        now: i64,
    ) -> Result<bool> {
        self.writer().change(true, move |write| {
            let connection = write.connection;
            let counted = connection
                .prepare_cached(
                    "UPDATE actions SET prepared = prepared + ?2, updated_at = ?3 WHERE id = ?1 AND status = ?4",
                )?
                .execute(params![action_id, to.len() as i64, now, ActionStatus::Preparing.code()])?;
            if counted == 1 {
                insert_rows(connection, action_id, first_id, &to, now)?;
            }
            Ok(counted == 1)
        })
    }
}

fn insert_rows(
    connection: &Connection,
    action_id: i64,
    first_id: i64,
    to: &[Addressee],
    now: i64,
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO commands (id, action_id, agent_id, endpoint_id, status, prepared_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (id, addressee) in (first_id..).zip(to) {
        let status = CommandStatus::Prepared.code();
        insert.execute(params![id, action_id, addressee.agent_id, addressee.endpoint_id, status, now])?;
    }
    Ok(())
}
