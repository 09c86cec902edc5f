// SPDX-License-Identifier: Apache-2.0
//! Agents as rows: one by one, by ids, with what they were before.

use crate::error::{Error, Result};
use crate::model::agent::{Agent, AgentStatus, Environment, Thresholds};
use crate::model::timestamp::Timestamp;
use crate::store::fleet::heartbeats::MACHINE_ID_TAG;
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;
use std::collections::HashMap;

/// Agents that are read before the connection is given back, so that long lists do not keep the log from restarting.
const ROWS_PER_READ_MAX: usize = 1_000;
/// What an agent was before: so many states of each are kept, the newest.
pub const HISTORY_PER_AGENT_MAX: usize = 50;

/// An agent: one process of one endpoint. Times are Unix seconds by the server's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRow {
    /// Its id.
    pub id: i64,
    /// The id of its endpoint.
    pub endpoint_id: i64,
    /// Its endpoint.
    pub queueloc: String,
    /// The host's name, which is only a claim.
    pub name: String,
    /// `daemon` or `checkin`.
    pub mode: String,
    /// The agent's version.
    pub version: String,
    /// Its process id.
    pub pid: i64,
    /// When it was heard of first.
    pub started_at: i64,
    /// When it was heard of last.
    pub heartbeat_at: i64,
    /// When it refreshed its environment, by its own clock; none where it did not say.
    pub refreshed_at: Option<i64>,
    /// When it was destroyed.
    pub destroyed_at: Option<i64>,
    /// Where it stands at the moment of asking.
    pub status: AgentStatus,
    /// True where its endpoint has a key.
    pub is_bound: bool,
    /// What it found out about its host, with addresses and publicip.
    pub environment: Environment,
    /// What its configuration calls it: an object of texts.
    pub tags: Value,
}

impl AgentRow {
    /// The agent as MIG's JSON has it, with MIG's stand-ins for times that are not there.
    pub fn to_agent(&self) -> Agent {
        Agent {
            id: self.id,
            name: self.name.clone(),
            queueloc: self.queueloc.clone(),
            mode: self.mode.clone(),
            version: self.version.clone(),
            pid: self.pid,
            loadername: String::new(),
            starttime: Timestamp::utc(self.started_at),
            destructiontime: self.destroyed_at.map_or(Timestamp::NOT_FINISHED, Timestamp::utc),
            heartbeatts: Timestamp::utc(self.heartbeat_at),
            refreshts: self.refreshed_at.map_or(Timestamp::ZERO, Timestamp::utc),
            status: self.status.word().to_owned(),
            authorized: false,
            environment: self.environment.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// What an agent was until a heartbeat brought something else.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPast {
    /// The heartbeat that brought the change.
    pub until_at: i64,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its environment, with addresses and publicip.
    pub environment: Environment,
    /// Its tags.
    pub tags: Value,
}

/// Environments and tags that were read for one list: thousands of agents share one.
#[derive(Default)]
struct Shared {
    environments: HashMap<i64, Environment>,
    tags: HashMap<i64, Value>,
}

/// So many of either are held at once.
const SHARED_MAX: usize = 1_000;

impl Shared {
    /// The environment of a row of `environments`, completed with what each agent has for itself.
    fn environment(
        &mut self,
        connection: &Connection,
        id: i64,
        publicip: String,
        addresses: &str,
    ) -> Result<Environment> {
        if self.environments.len() >= SHARED_MAX {
            self.environments.clear();
        }
        let mut environment = match self.environments.get(&id) {
            Some(environment) => environment.clone(),
            None => {
                let text = one_text(connection, "SELECT environment FROM environments WHERE id = ?1", id)?;
                let environment: Environment = from_json(&text)?;
                self.environments.insert(id, environment.clone());
                environment
            }
        };
        environment.publicip = publicip;
        let addresses: Vec<String> = from_json(addresses)?;
        environment.addresses = (!addresses.is_empty()).then_some(addresses);
        Ok(environment)
    }

    fn tags(&mut self, connection: &Connection, id: i64) -> Result<Value> {
        if self.tags.len() >= SHARED_MAX {
            self.tags.clear();
        }
        if let Some(tags) = self.tags.get(&id) {
            return Ok(tags.clone());
        }
        let tags: Value = from_json(&one_text(connection, "SELECT tags FROM tag_sets WHERE id = ?1", id)?)?;
        self.tags.insert(id, tags.clone());
        Ok(tags)
    }
}

fn one_text(connection: &Connection, sql: &str, id: i64) -> Result<String> {
    Ok(connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal("A stored agent cannot be read").because(error))
}

const SELECT_AGENT: &str = "SELECT a.id, a.endpoint_id, e.queueloc, n.name, a.mode, v.version, a.pid,
    s.started_at, s.heartbeat_at, a.refreshed_at, a.destroyed_at, e.key_digest IS NOT NULL,
    a.publicip, a.addresses, s.environment_id, s.tags_id, a.machine_id
  FROM agents a
  CROSS JOIN agent_states s ON s.endpoint_id = a.endpoint_id AND s.agent_id = a.id
  CROSS JOIN endpoints e ON e.id = a.endpoint_id
  CROSS JOIN agent_names n ON n.id = s.name_id
  CROSS JOIN agent_versions v ON v.id = s.version_id
  WHERE a.id = ?1";

/// One agent, inside whatever reads it.
fn find(
    connection: &Connection,
    shared: &mut Shared,
    id: i64,
    thresholds: Thresholds,
) -> Result<Option<AgentRow>> {
    let mut statement = connection.prepare_cached(SELECT_AGENT)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (heartbeat_at, destroyed_at): (i64, Option<i64>) = (row.get(8)?, row.get(10)?);
    Ok(Some(AgentRow {
        id: row.get(0)?,
        endpoint_id: row.get(1)?,
        queueloc: row.get(2)?,
        name: row.get(3)?,
        mode: row.get(4)?,
        version: row.get(5)?,
        pid: row.get(6)?,
        started_at: row.get(7)?,
        heartbeat_at,
        refreshed_at: row.get(9)?,
        destroyed_at,
        status: thresholds.status(heartbeat_at, destroyed_at.is_some()),
        is_bound: row.get(11)?,
        environment: shared.environment(
            connection,
            row.get(14)?,
            row.get(12)?,
            &row.get::<_, String>(13)?,
        )?,
        tags: with_machine_id(shared.tags(connection, row.get(15)?)?, row.get(16)?),
    }))
}

/// The tags of an agent: those that it shares, and its own.
fn with_machine_id(mut tags: Value, machine_id: Option<String>) -> Value {
    if let (Some(tags), Some(id)) = (tags.as_object_mut(), machine_id) {
        tags.insert(MACHINE_ID_TAG.to_owned(), id.into());
    }
    tags
}

fn past(connection: &Connection, shared: &mut Shared, row: &Row<'_>) -> Result<AgentPast> {
    Ok(AgentPast {
        until_at: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        environment: shared.environment(connection, row.get(5)?, row.get(3)?, &row.get::<_, String>(4)?)?,
        tags: shared.tags(connection, row.get(6)?)?,
    })
}

impl Store {
    /// The agents with these ids, in the order of the ids; ids that there are not are left out.
    pub fn agents(&self, ids: &[i64], thresholds: Thresholds) -> Result<Vec<AgentRow>> {
        let mut agents = Vec::with_capacity(ids.len());
        let mut shared = Shared::default();
        for some in ids.chunks(ROWS_PER_READ_MAX) {
            self.read(READ_MOST, |connection| {
                for id in some {
                    agents.extend(find(connection, &mut shared, *id, thresholds)?);
                }
                Ok(())
            })?;
        }
        Ok(agents)
    }

    /// One agent.
    pub fn agent(&self, id: i64, thresholds: Thresholds) -> Result<Option<AgentRow>> {
        self.read(READ_MOST, |connection| find(connection, &mut Shared::default(), id, thresholds))
    }

    /// What an agent was before, newest first; at most [`HISTORY_PER_AGENT_MAX`].
    pub fn agent_history(&self, id: i64) -> Result<Vec<AgentPast>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT h.until_at, n.name, v.version, h.publicip, h.addresses, h.environment_id, h.tags_id
                 FROM agent_history h
                 CROSS JOIN agent_names n ON n.id = h.name_id
                 CROSS JOIN agent_versions v ON v.id = h.version_id
                 WHERE h.agent_id = ?1 ORDER BY h.id DESC LIMIT ?2",
            )?;
            let mut rows = statement.query([id, HISTORY_PER_AGENT_MAX as i64])?;
            let (mut pasts, mut shared) = (Vec::new(), Shared::default());
            while let Some(row) = rows.next()? {
                pasts.push(past(connection, &mut shared, row)?);
            }
            Ok(pasts)
        })
    }
}

/// Marks the agent of an endpoint that has this process id as destroyed at `now`, inside an open transaction. Its id;
/// none where there is no such agent, or where it was destroyed before.
pub fn mark_destroyed(write: &mut Write<'_>, endpoint_id: i64, pid: i64, now: i64) -> Result<Option<i64>> {
    let id: Option<i64> = write
        .connection
        .prepare_cached("SELECT id FROM agents WHERE endpoint_id = ?1 AND pid = ?2 AND destroyed_at IS NULL")?
        .query_row([endpoint_id, pid], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    write
        .connection
        .prepare_cached("UPDATE agents SET destroyed_at = ?2 WHERE id = ?1")?
        .execute([id, now])?;
    write
        .connection
        .prepare_cached("UPDATE agent_states SET is_destroyed = 1 WHERE endpoint_id = ?1 AND agent_id = ?2")?
        .execute([endpoint_id, id])?;
    Ok(Some(id))
}
