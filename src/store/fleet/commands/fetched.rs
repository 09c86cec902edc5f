// SPDX-License-Identifier: Apache-2.0
//! Commands that agents fetch and answer: many agents' wishes in one transaction.

use super::{CommandRow, read_command};
use crate::error::Result;
use crate::model::command::{ActionStatus, CommandStatus};
use crate::store::fleet::agents::mark_destroyed;
use crate::store::payload::StoredPayload;
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// The condition under which a command (`c`, of action `a`) is given to the start `?2` of an agent at `?3`, where a
/// lease lasts `?4` seconds. After some starts have taken it over from each other, each has it for 30 seconds at least:
/// two agents of one endpoint would otherwise go on without end.
const IS_FETCHABLE: &str = "c.status <= 2 AND a.status IN (3, 4) AND a.expire_after > ?3
    AND (c.status = 1 OR c.leased_until <= ?3
      OR (c.instance IS NOT ?2 AND (c.attempt <= 5 OR c.leased_until - ?4 + 30 <= ?3)))";

/// Who fetches, when, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The endpoint.
    pub endpoint_id: i64,
    /// The start of its agent.
    pub instance: String,
    /// Now.
    pub now: i64,
    /// So long nobody else gets it.
    pub secs: i64,
}

/// A command that may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetchable {
    /// Its id.
    pub id: i64,
    /// Its action.
    pub action_id: i64,
    /// Its agent.
    pub agent_id: i64,
    /// True where nobody has fetched it.
    pub is_new: bool,
    /// When it was made.
    pub prepared_at: i64,
    /// Bytes of its action's document.
    pub document_bytes: i64,
}

/// An answer, checked.
#[derive(Debug)]
pub struct NewAnswer {
    command_id: i64,
    status: CommandStatus,
    found: i64,
    results: StoredPayload,
    destroyed_pids: Vec<i64>,
    answered_at: i64,
}

impl NewAnswer {
    /// An answer of success, failed or timeout to a command. `found` is as in [`CommandRow::found`], `results` a JSON
    /// array, `destroyed_pids` the process ids of agents of its endpoint that ended because of it, `answered_at` when it
    /// came, as the command's file says.
    pub fn new(
        command_id: i64,
        status: CommandStatus,
        found: i64,
        results: String,
        destroyed_pids: Vec<i64>,
        answered_at: i64,
    ) -> Result<NewAnswer> {
        let results = StoredPayload::encode(&results)?;
        Ok(NewAnswer { command_id, status, found, results, destroyed_pids, answered_at })
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It counts.
    Counted,
    /// Its command had ended; it is kept all the same.
    Late,
    /// There was an answer already; this one is not kept.
    Repeated,
}

/// What is said about a command beside its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOwner {
    /// The command.
    pub command: CommandRow,
    /// Its endpoint.
    pub queueloc: String,
    /// SHA-256 of the key that is bound to the endpoint.
    pub key_digest: Option<[u8; 32]>,
    /// Operations of its action.
    pub n_operations: usize,
    /// True where its action may end agents.
    pub may_destroy: bool,
}

impl Store {
    /// The commands that a start of an agent would get, by id, at most `most`.
    pub fn fetchable_commands(&self, lease: &Lease, most: usize) -> Result<Vec<Fetchable>> {
        let sql = format!(
            "SELECT c.id, c.action_id, c.agent_id, c.status = 1, c.prepared_at, length(a.document)
             FROM commands c JOIN actions a ON a.id = c.action_id
             WHERE c.endpoint_id = ?1 AND {IS_FETCHABLE} ORDER BY c.id LIMIT ?5"
        );
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let values = params![lease.endpoint_id, lease.instance, lease.now, lease.secs, most as i64];
            let rows = statement.query_map(values, |row| {
                Ok(Fetchable {
                    id: row.get(0)?,
                    action_id: row.get(1)?,
                    agent_id: row.get(2)?,
                    is_new: row.get(3)?,
                    prepared_at: row.get(4)?,
                    document_bytes: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Gives commands out and takes answers in, all in one transaction. Of each wish: the attempt, none where the
    /// command is not to be had any more. Of each answer: what became of it.
    pub fn exchange_commands(
        &self,
        wishes: Vec<(i64, Lease)>,
        answers: Vec<NewAnswer>,
        now: i64,
    ) -> Result<(Vec<Option<i64>>, Vec<Answered>)> {
        let needs_room = !answers.is_empty();
        self.writer().change(needs_room, move |write| {
            let mut moved = Moved::default();
            let mut leased = Vec::with_capacity(wishes.len());
            for (id, lease) in &wishes {
                leased.push(lease_one(write.connection, *id, lease, &mut moved)?);
            }
            let mut answered = Vec::with_capacity(answers.len());
            for answer in &answers {
                answered.push(answer_one(write, answer, now, &mut moved)?);
            }
            moved.count(write.connection, now)?;
            Ok((leased, answered))
        })
    }

    /// A command with its endpoint and what an answer to it must be like.
    pub fn command_owner(&self, id: i64) -> Result<Option<CommandOwner>> {
        self.read(READ_MOST, |connection| {
            let Some(command) = read_command(connection, id)? else { return Ok(None) };
            let mut endpoint =
                connection.prepare_cached("SELECT queueloc, key_digest FROM endpoints WHERE id = ?1")?;
            let (queueloc, key_digest) =
                endpoint.query_row([command.endpoint_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut action = connection.prepare_cached(
                "SELECT json_array_length(document, '$.operations'), instr(document, '\"agentdestroy\"') > 0
                 FROM actions WHERE id = ?1",
            )?;
            let (n_operations, may_destroy) = action
                .query_row([command.action_id], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))?;
            let n_operations = n_operations.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            Ok(Some(CommandOwner { command, queueloc, key_digest, n_operations, may_destroy }))
        })
    }

    /// True where a key is bound to some endpoint.
    pub fn is_key_bound(&self, key_digest: &[u8; 32]) -> Result<bool> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM endpoints WHERE key_digest = ?1")?;
            Ok(statement.exists([&key_digest[..]])?)
        })
    }
}

/// How the commands of each action moved.
#[derive(Debug, Default)]
pub(super) struct Moved {
    by_action: BTreeMap<i64, BTreeMap<i64, i64>>,
}

impl Moved {
    pub(super) fn add(&mut self, action_id: i64, from: CommandStatus, to: CommandStatus) {
        let counts = self.by_action.entry(action_id).or_default();
        *counts.entry(from.code()).or_default() -= 1;
        *counts.entry(to.code()).or_default() += 1;
    }

    /// Writes it into the counters.
    pub(super) fn count(&self, connection: &Connection, now: i64) -> Result<()> {
        let mut update = connection.prepare_cached(
            "UPDATE actions SET prepared = prepared + ?2, sent = sent + ?3, success = success + ?4,
               failed = failed + ?5, timeout = timeout + ?6, cancelled = cancelled + ?7,
               expired = expired + ?8, updated_at = ?9 WHERE id = ?1",
        )?;
        for (action_id, counts) in &self.by_action {
            let moved = |status: CommandStatus| counts.get(&status.code()).copied().unwrap_or(0);
            update.execute(params![
                action_id,
                moved(CommandStatus::Prepared),
                moved(CommandStatus::Sent),
                moved(CommandStatus::Success),
                moved(CommandStatus::Failed),
                moved(CommandStatus::Timeout),
                moved(CommandStatus::Cancelled),
                moved(CommandStatus::Expired),
                now
            ])?;
        }
        Ok(())
    }
}

/// Gives one command out; its attempt.
fn lease_one(connection: &Connection, id: i64, lease: &Lease, moved: &mut Moved) -> Result<Option<i64>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT c.action_id, c.status = 1, c.attempt FROM commands c JOIN actions a ON a.id = c.action_id
         WHERE c.endpoint_id = ?1 AND {IS_FETCHABLE} AND c.id = ?5"
    ))?;
    let found = find
        .query_row(params![lease.endpoint_id, lease.instance, lease.now, lease.secs, id], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let Some((action_id, is_new, attempt)) = found else { return Ok(None) };
    connection
        .prepare_cached(
            "UPDATE commands SET status = 2, attempt = attempt + 1, instance = ?2, leased_until = ?3,
               sent_at = coalesce(sent_at, ?4) WHERE id = ?1",
        )?
        .execute(params![id, lease.instance, lease.now + lease.secs, lease.now])?;
    if is_new {
        moved.add(action_id, CommandStatus::Prepared, CommandStatus::Sent);
    }
    Ok(Some(attempt + 1))
}

/// Takes one answer in.
fn answer_one(write: &mut Write<'_>, answer: &NewAnswer, now: i64, moved: &mut Moved) -> Result<Answered> {
    let mut find = write.connection.prepare_cached(
        "SELECT c.status, c.action_id, c.endpoint_id, c.results IS NOT NULL, a.expire_after, a.status
         FROM commands c JOIN actions a ON a.id = c.action_id WHERE c.id = ?1",
    )?;
    let (code, action_id, endpoint_id, is_answered, expire_after, action_code) =
        find.query_row([answer.command_id], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get::<_, bool>(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })?;
    let status = super::status_of(code)?;
    if is_answered
        || matches!(status, CommandStatus::Success | CommandStatus::Failed | CommandStatus::Timeout)
    {
        return Ok(Answered::Repeated);
    }
    for pid in &answer.destroyed_pids {
        mark_destroyed(write, endpoint_id, *pid, now)?;
    }
    let is_cancelled = action_code == ActionStatus::Cancelled.code();
    let ended = match status {
        status if status.is_over() => status,
        // Nobody has come to ending it yet.
        _ if is_cancelled => CommandStatus::Cancelled,
        _ if expire_after <= now => CommandStatus::Expired,
        _ => answer.status,
    };
    if ended != status {
        moved.add(action_id, status, ended);
    }
    let is_late = ended != answer.status;
    write
        .connection
        .prepare_cached(
            "UPDATE commands SET status = ?2, finished_at = coalesce(finished_at, ?3), found = ?4, is_late = ?5,
               results = ?6, leased_until = NULL WHERE id = ?1",
        )?
        .execute(params![
            answer.command_id,
            ended.code(),
            answer.answered_at,
            answer.found,
            is_late,
            answer.results
        ])?;
    Ok(if is_late { Answered::Late } else { Answered::Counted })
}
