// SPDX-License-Identifier: Apache-2.0
//! Deleting what is over in the fleet: actions with their signatures and commands, agents that are gone, endpoints that
//! nobody ever bound, refused enrolments. A few rows a transaction; the counters of an action follow its commands.

use crate::error::Result;
use crate::model::audit::Audit;
use crate::store::deletion::keep_entry;
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;
use std::time::{Duration, Instant};

/// Rows that one transaction deletes at most.
const ROWS_PER_CHANGE_MAX: usize = 200;
/// It ends after so long, for the same reason: the results of one command may have megabytes.
const STEP_MOST: Duration = Duration::from_millis(10);
/// The counters of `actions` by the number of a command's status, from 1 on.
const COUNTERS: [&str; 7] = ["prepared", "sent", "success", "failed", "timeout", "cancelled", "expired"];

/// How much of the fleet went, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Actions that were over.
    pub actions: u64,
    /// Their commands.
    pub commands: u64,
    /// Agents that were destroyed or silent.
    pub agents: u64,
    /// Endpoints without agents and key.
    pub endpoints: u64,
    /// Refused enrolments.
    pub refusals: u64,
}

impl FleetCounts {
    fn json(self) -> serde_json::Value {
        json!({
            "actions": self.actions,
            "commands": self.commands,
            "agents": self.agents,
            "endpoints": self.endpoints,
            "refusals": self.refusals,
        })
    }
}

/// A deletion under way; one entry of the audit log stands for all of it.
#[derive(Debug)]
pub struct FleetDeletion {
    audit: Audit,
    entry_id: Option<i64>,
    /// What went so far.
    pub counts: FleetCounts,
}

impl FleetDeletion {
    /// A deletion that the entry tells of.
    pub fn new(audit: Audit) -> FleetDeletion {
        FleetDeletion { audit, entry_id: None, counts: FleetCounts::default() }
    }

    /// Runs one step in the writer: `step` deletes, and moves the counts.
    fn step<T: Send + 'static>(
        &mut self,
        store: &Store,
        is_unchecked: bool,
        mut step: impl FnMut(&mut Write<'_>, &mut FleetCounts) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (audit, entry_id, before) = (self.audit.clone(), self.entry_id, self.counts);
        let change = move |write: &mut Write<'_>| {
            let mut counts = before;
            let value = step(write, &mut counts)?;
            let entry_id = match counts == before {
                true => entry_id,
                false => Some(keep_entry(write.connection, write.now, &audit, entry_id, counts.json())?),
            };
            Ok((value, counts, entry_id))
        };
        let (value, counts, entry_id) = match is_unchecked {
            true => store.writer().change_unchecked(change)?,
            false => store.writer().change(false, change)?,
        };
        (self.counts, self.entry_id) = (counts, entry_id);
        Ok(value)
    }
}

impl Store {
    /// Actions above an id that were over before `before`, with how many commands; by id, at most `most`.
    pub fn over_actions(&self, above_id: i64, before: i64, most: usize) -> Result<Vec<(i64, u64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, created_at, status >= 5 AND finished_at < ?2 AND prepared = 0 AND sent = 0,
                   success + failed + timeout + cancelled + expired
                 FROM actions WHERE id > ?1 ORDER BY id",
            )?;
            let mut rows = statement.query([above_id, before])?;
            let mut over = Vec::new();
            while let Some(row) = rows.next()? {
                // Those after it came later still.
                if over.len() == most || row.get::<_, i64>(1)? >= before {
                    break;
                }
                if row.get::<_, Option<bool>>(2)?.unwrap_or(false) {
                    over.push((row.get(0)?, row.get::<_, i64>(3)?.unsigned_abs()));
                }
            }
            Ok(over)
        })
    }

    /// Deletes some commands of an action that is over; their ids, none where there are no more.
    pub fn delete_commands_of(&self, deletion: &mut FleetDeletion, action_id: i64) -> Result<Vec<i64>> {
        self.in_step(ROWS_PER_CHANGE_MAX, |rows| {
            deletion.step(self, false, move |write, counts| {
                let ids = delete_commands(write.connection, action_id, rows)?;
                counts.commands += ids.len() as u64;
                Ok(ids)
            })
        })
    }

    /// Deletes an action that is over and has no commands any more, with its signatures.
    pub fn delete_action(&self, deletion: &mut FleetDeletion, action_id: i64) -> Result<()> {
        deletion.step(self, false, move |write, counts| {
            let connection = write.connection;
            connection.prepare_cached("DELETE FROM signatures WHERE action_id = ?1")?.execute([action_id])?;
            counts.actions += connection
                .prepare_cached("DELETE FROM actions WHERE id = ?1 AND status >= 5")?
                .execute([action_id])? as u64;
            Ok(())
        })
    }

    /// Agents that were destroyed before `before`, or silent since, and have no commands left: endpoint and agent, behind
    /// the one given, in this order, at most `most`.
    pub fn gone_agents(&self, after: (i64, i64), before: i64, most: usize) -> Result<Vec<(i64, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT s.endpoint_id, s.agent_id FROM agent_states s
                 WHERE (s.endpoint_id, s.agent_id) > (?2, ?3) AND {IS_GONE}
                 ORDER BY s.endpoint_id, s.agent_id LIMIT ?4"
            ))?;
            let rows = statement.query_map(params![before, after.0, after.1, most as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Deletes those of these agents that are still gone, with their history.
    pub fn delete_agents(
        &self,
        deletion: &mut FleetDeletion,
        agents: Vec<(i64, i64)>,
        before: i64,
    ) -> Result<()> {
        let mut left = &agents[..];
        while !left.is_empty() {
            let n_done = self.in_step(ROWS_PER_CHANGE_MAX, |rows| {
                let some = left[..left.len().min(rows)].to_vec();
                deletion.step(self, false, move |write, counts| {
                    let until = Instant::now() + STEP_MOST;
                    let mut n_done = 0;
                    // At least one is looked at, however long it takes.
                    while n_done == 0 || (n_done < some.len() && Instant::now() < until) {
                        let (endpoint_id, agent_id) = some[n_done];
                        let is_deleted = delete_agent(write.connection, endpoint_id, agent_id, before)?;
                        counts.agents += u64::from(is_deleted);
                        n_done += 1;
                    }
                    Ok(n_done)
                })
            })?;
            left = &left[n_done..];
        }
        Ok(())
    }

    /// Endpoints that have neither agents nor a key, at most a few hundred.
    pub fn empty_endpoints(&self) -> Result<Vec<i64>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT id FROM endpoints e WHERE {IS_EMPTY} LIMIT {ROWS_PER_CHANGE_MAX}"
            ))?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many endpoints have neither a key nor agents, once those are gone that are since `before`.
    pub fn count_empty_endpoints(&self, before: i64) -> Result<u64> {
        self.read(READ_MOST, |connection| {
            let sql = format!(
                "SELECT count(*) FROM endpoints e WHERE e.key_digest IS NULL AND e.may_bind = 0 AND NOT EXISTS
                   (SELECT 1 FROM agent_states s WHERE s.endpoint_id = e.id AND ({IS_GONE}) IS NOT TRUE)"
            );
            let count: i64 = connection.prepare_cached(&sql)?.query_row([before], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Deletes those of these endpoints that are still empty; how many.
    pub fn delete_endpoints(&self, deletion: &mut FleetDeletion, ids: Vec<i64>) -> Result<usize> {
        // Commands and destroyed agents are not found by their endpoint; without agents there are none.
        deletion.step(self, true, move |write, counts| {
            let sql = format!("DELETE FROM endpoints AS e WHERE id = ?1 AND {IS_EMPTY}");
            let mut delete = write.connection.prepare_cached(&sql)?;
            let deleted =
                ids.iter().try_fold(0, |n, id| Ok::<_, rusqlite::Error>(n + delete.execute([id])?))?;
            counts.endpoints += deleted as u64;
            Ok(deleted)
        })
    }

    /// Refused enrolments that were last tried before `before`.
    pub fn count_refusals_before(&self, before: i64) -> Result<u64> {
        self.read(READ_MOST, |connection| {
            let sql = "SELECT count(*) FROM enrolment_refusals WHERE last_at < ?1";
            Ok(connection
                .prepare_cached(sql)?
                .query_row([before], |row| row.get::<_, i64>(0))?
                .unsigned_abs())
        })
    }

    /// Deletes them; there are at most a thousand.
    pub fn delete_refusals(&self, deletion: &mut FleetDeletion, before: i64) -> Result<()> {
        deletion.step(self, false, move |write, counts| {
            counts.refusals += write
                .connection
                .prepare_cached("DELETE FROM enrolment_refusals WHERE last_at < ?1")?
                .execute([before])? as u64;
            Ok(())
        })
    }
}

/// An agent's state `s` is of one that is gone since before `?1`.
const IS_GONE: &str = "(s.heartbeat_at < ?1 OR s.is_destroyed = 1
      AND (SELECT a.destroyed_at FROM agents a WHERE a.id = s.agent_id) < ?1)
    AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.agent_id = s.agent_id)";

/// An endpoint `e` has nothing that is worth keeping.
const IS_EMPTY: &str = "e.key_digest IS NULL AND e.may_bind = 0
    AND NOT EXISTS (SELECT 1 FROM agent_states s WHERE s.endpoint_id = e.id)";

fn delete_commands(connection: &Connection, action_id: i64, rows_max: usize) -> Result<Vec<i64>> {
    let until = Instant::now() + STEP_MOST;
    let over: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT id, status FROM commands WHERE action_id = ?1 AND status > 2 LIMIT ?2")?
        .query_map(params![action_id, rows_max as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut delete = connection.prepare_cached("DELETE FROM commands WHERE id = ?1")?;
    let (mut ids, mut by_status) = (Vec::new(), [0_i64; COUNTERS.len()]);
    for (id, status) in over {
        // At least one goes, however long it takes.
        if !ids.is_empty() && Instant::now() >= until {
            break;
        }
        delete.execute([id])?;
        ids.push(id);
        if let Some(n) = usize::try_from(status - 1).ok().and_then(|index| by_status.get_mut(index)) {
            *n += 1;
        }
    }
    for (counter, n) in COUNTERS.iter().zip(by_status).filter(|(_, n)| *n > 0) {
        let sql = format!("UPDATE actions SET {counter} = {counter} - ?2 WHERE id = ?1");
        connection.prepare_cached(&sql)?.execute([action_id, n])?;
    }
    Ok(ids)
}

fn delete_agent(connection: &Connection, endpoint_id: i64, agent_id: i64, before: i64) -> Result<bool> {
    let deleted: Option<i64> = connection
        .prepare_cached(&format!(
            "DELETE FROM agent_states AS s WHERE s.endpoint_id = ?2 AND s.agent_id = ?3 AND {IS_GONE}
             RETURNING agent_id"
        ))?
        .query_row([before, endpoint_id, agent_id], |row| row.get(0))
        .optional()?;
    if deleted.is_none() {
        return Ok(false);
    }
    for sql in ["DELETE FROM agent_history WHERE agent_id = ?1", "DELETE FROM agents WHERE id = ?1"] {
        connection.prepare_cached(sql)?.execute([agent_id])?;
    }
    Ok(true)
}
