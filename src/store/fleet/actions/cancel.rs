// SPDX-License-Identifier: Apache-2.0
//! Cancelling: the action first, so that nothing new goes out, then its open commands, a bounded batch a transaction.

use super::{ActionRow, read_action};
use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::command::{ActionStatus, CommandStatus};
use crate::store::{READ_MOST, Store};
use rusqlite::params;
use serde_json::json;

/// Commands that one transaction cancels: few enough that posts wait only milliseconds for it.
const BATCH_COMMANDS_MAX: i64 = 1_000;

impl Store {
    /// Marks an action that is not over as cancelled; its commands follow by [`Store::cancel_commands`]. NotFound where
    /// there is none, Conflict where it is over.
    pub fn cancel_action(&self, id: i64, reason: &str, actor: &Actor) -> Result<ActionRow> {
        let (reason, actor) = (reason.to_owned(), actor.clone());
        self.writer().change(false, move |write| {
            let missing = || Error::not_found(format!("Action ID '{id}' not found"));
            let found = read_action(write.connection, id)?.ok_or_else(missing)?;
            if found.status.is_over() {
                let message = format!("Action {id} is over: it is {}", found.status.word());
                return Err(Error::new(Kind::Conflict, message));
            }
            write
                .connection
                .prepare_cached(
                    "UPDATE actions SET status = ?2, reason = ?3, finished_at = ?4, updated_at = ?4 WHERE id = ?1",
                )?
                .execute(params![id, ActionStatus::Cancelled.code(), reason, write.now])?;
            let audit = Audit::new(&actor, "action.cancel", format!("action {id}"))
                .before(json!({ "status": found.status.word() }))
                .after(json!({ "status": ActionStatus::Cancelled.word(), "reason": reason }));
            write.audit(&audit)?;
            read_action(write.connection, id)?.ok_or_else(missing)
        })
    }

    /// Cancels up to a thousand open commands of an action that is cancelled, with its counters; returns how many, 0
    /// where none is left.
    pub fn cancel_commands(&self, action_id: i64) -> Result<usize> {
        self.writer().change(false, move |write| {
            let (connection, now) = (write.connection, write.now);
            let mut open = [0_usize; 2];
            let mut left = BATCH_COMMANDS_MAX;
            for (count, status) in open.iter_mut().zip([CommandStatus::Prepared, CommandStatus::Sent]) {
                *count = connection
                    .prepare_cached(
                        "UPDATE commands SET status = ?3, finished_at = ?4 WHERE id IN (
                           SELECT id FROM commands WHERE action_id = ?1 AND status = ?2 ORDER BY id LIMIT ?5)
                         AND EXISTS (SELECT 1 FROM actions WHERE id = ?1 AND status = ?6)",
                    )?
                    .execute(params![
                        action_id,
                        status.code(),
                        CommandStatus::Cancelled.code(),
                        now,
                        left,
                        ActionStatus::Cancelled.code()
                    ])?;
                left -= *count as i64;
            }
            let [prepared, sent] = open;
            if prepared + sent > 0 {
                connection
                    .prepare_cached(
                        "UPDATE actions SET prepared = prepared - ?2, sent = sent - ?3,
                           cancelled = cancelled + ?2 + ?3, updated_at = ?4 WHERE id = ?1",
                    )?
                    .execute(params![action_id, prepared as i64, sent as i64, now])?;
            }
            Ok(prepared + sent)
        })
    }

    /// Cancelled actions some of whose commands are still open, because cancelling them was cut off.
    pub fn half_cancelled_actions(&self) -> Result<Vec<i64>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM actions WHERE status = ?1 AND prepared + sent > 0 ORDER BY id",
            )?;
            let ids = statement.query_map([ActionStatus::Cancelled.code()], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
    }
}
