// SPDX-License-Identifier: Apache-2.0
//! Heartbeats: the one writing that happens thousands of times a second.
//!
//! What needs no database (JSON, digests) is done on the sender's thread. The writer then finds the endpoint and the
//! agent, and where nothing has changed it sets one time.

use crate::error::Result;
use crate::model::agent::Environment;
use crate::store::Store;
use crate::store::fleet::agents::HISTORY_PER_AGENT_MAX;
use crate::store::fleet::enrolment::{
    Admission, KeyRefusal, Verdict, admit_endpoint, find_endpoint, judge, note_refusal,
};
use crate::store::writer::Write;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The tag that says which machine it is, as records do. No two agents share it, so it is kept beside the others.
pub const MACHINE_ID_TAG: &str = "machine_id";

/// A heartbeat that holds what it must.
#[derive(Clone, Debug, PartialEq)]
pub struct NewHeartbeat {
    /// The endpoint.
    pub queueloc: String,
    /// The host's name.
    pub name: String,
    /// `daemon` or `checkin`.
    pub mode: String,
    /// The agent's version.
    pub version: String,
    /// Its process id.
    pub pid: i64,
    /// When it refreshed its environment, by its own clock, in Unix seconds.
    pub refreshed_at: Option<i64>,
    /// What it found out about its host.
    pub environment: Environment,
    /// What its configuration calls it.
    pub tags: BTreeMap<String, String>,
}

/// What bounds heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatLimits {
    /// Most agents that are kept, destroyed ones too.
    pub agents_max: i64,
    /// A destroyed agent that still beats is passed over for so long, in seconds.
    pub ended_within_secs: i64,
}

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatOutcome {
    /// It is stored, as that of the agent with this id.
    Stored(i64),
    /// Its agent was destroyed a moment ago; nothing has changed.
    Ended,
    /// It shows another key than it must, or none.
    Refused(KeyRefusal),
    /// It is of a new agent, and there are as many as there may be.
    Full,
}

/// A text that many agents share, and what it is found by.
struct SharedText {
    text: String,
    digest: Vec<u8>,
}

impl SharedText {
    fn new(text: String) -> SharedText {
        // Half of it finds it as surely, in half the index.
        let digest = Sha256::digest(text.as_bytes()).iter().take(16).copied().collect();
        SharedText { text, digest }
    }
}

/// A heartbeat made ready for the writer.
struct Prepared {
    queueloc: String,
    name: String,
    mode: String,
    version: String,
    pid: i64,
    refreshed_at: Option<i64>,
    publicip: String,
    addresses: String,
    /// Its own tag; the others are shared.
    machine_id: Option<String>,
    environment: SharedText,
    tags: SharedText,
}

impl Prepared {
    fn new(beat: NewHeartbeat) -> Result<Prepared> {
        let mut environment = beat.environment;
        let publicip = std::mem::take(&mut environment.publicip);
        let addresses = environment.addresses.take().unwrap_or_default();
        let mut tags = beat.tags;
        let machine_id = tags.remove(MACHINE_ID_TAG);
        Ok(Prepared {
            queueloc: beat.queueloc,
            name: beat.name,
            mode: beat.mode,
            version: beat.version,
            pid: beat.pid,
            refreshed_at: beat.refreshed_at,
            publicip,
            addresses: serde_json::Value::from(addresses).to_string(),
            machine_id,
            environment: SharedText::new(environment.to_json()?),
            tags: SharedText::new(serde_json::Value::from_iter(tags).to_string()),
        })
    }
}

/// What is stored of an agent that beats again.
struct Stored {
    id: i64,
    heartbeat_at: i64,
    is_same_agent: bool,
    is_same_state: bool,
}

impl Store {
    /// Stores a heartbeat durably. Busy where it cannot be stored now; all else is in the outcome.
    pub fn insert_heartbeat(
        &self,
        beat: NewHeartbeat,
        admission: Admission,
        limits: HeartbeatLimits,
    ) -> Result<HeartbeatOutcome> {
        let beat = Prepared::new(beat)?;
        self.writer().change(true, move |write| take(write, &beat, &admission, limits))
    }
}

/// An outcome and never an error where the sender is to blame: an error undoes what others share the transaction with.
fn take(
    write: &mut Write<'_>,
    beat: &Prepared,
    admission: &Admission,
    limits: HeartbeatLimits,
) -> Result<HeartbeatOutcome> {
    let known = find_endpoint(write.connection, &beat.queueloc)?;
    let verdict = judge(known.as_ref(), admission);
    if let Verdict::Refused(refusal) = verdict {
        note_refusal(write, &beat.queueloc, &admission.peer, refusal)?;
        return Ok(HeartbeatOutcome::Refused(refusal));
    }
    let stored = match &known {
        Some(endpoint) => find_stored(write.connection, endpoint.id, beat)?,
        None => None,
    };
    if stored.is_none() {
        if let Some(endpoint) = &known
            && is_ended(write, endpoint.id, beat.pid, limits.ended_within_secs)?
        {
            return Ok(HeartbeatOutcome::Ended);
        }
        if is_full(write.connection, limits.agents_max)? {
            return Ok(HeartbeatOutcome::Full);
        }
    }
    let endpoint_id = admit_endpoint(write, known.as_ref(), &beat.queueloc, verdict)?;
    let id = match stored {
        None => insert(write, endpoint_id, beat)?,
        Some(stored) => {
            if stored.is_same_agent && stored.is_same_state {
                touch(write, endpoint_id, &stored)?;
            } else {
                change(write, endpoint_id, &stored, beat)?;
            }
            stored.id
        }
    };
    Ok(HeartbeatOutcome::Stored(id))
}

fn find_stored(connection: &Connection, endpoint_id: i64, beat: &Prepared) -> Result<Option<Stored>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.id, s.heartbeat_at, a.mode, a.refreshed_at, a.publicip, a.addresses,
           n.name, v.version, e.digest, t.digest, a.machine_id
         FROM agents a
         CROSS JOIN agent_states s ON s.endpoint_id = a.endpoint_id AND s.agent_id = a.id
         CROSS JOIN agent_names n ON n.id = s.name_id
         CROSS JOIN agent_versions v ON v.id = s.version_id
         CROSS JOIN environments e ON e.id = s.environment_id
         CROSS JOIN tag_sets t ON t.id = s.tags_id
         WHERE a.endpoint_id = ?1 AND a.pid = ?2 AND a.destroyed_at IS NULL",
    )?;
    let stored = statement.query_row([endpoint_id, beat.pid], |row| {
        let is_text = |index: usize, text: &str| -> rusqlite::Result<bool> {
            Ok(row.get_ref(index)?.as_bytes()? == text.as_bytes())
        };
        let is_digest = |index: usize, text: &SharedText| -> rusqlite::Result<bool> {
            Ok(row.get_ref(index)?.as_bytes()? == text.digest)
        };
        Ok(Stored {
            id: row.get(0)?,
            heartbeat_at: row.get(1)?,
            is_same_agent: is_text(2, &beat.mode)?
                && row.get::<_, Option<i64>>(3)? == beat.refreshed_at
                && row.get_ref(10)?.as_str_or_null()? == beat.machine_id.as_deref(),
            is_same_state: is_text(4, &beat.publicip)?
                && is_text(5, &beat.addresses)?
                && is_text(6, &beat.name)?
                && is_text(7, &beat.version)?
                && is_digest(8, &beat.environment)?
                && is_digest(9, &beat.tags)?,
        })
    });
    Ok(stored.optional()?)
}

/// True where the agent with this process id was destroyed so short a time ago that it may not have noticed.
fn is_ended(write: &Write<'_>, endpoint_id: i64, pid: i64, within_secs: i64) -> Result<bool> {
    let mut statement = write.connection.prepare_cached(
        "SELECT EXISTS (
           SELECT 1 FROM agent_states s CROSS JOIN agents a ON a.id = s.agent_id
           WHERE s.endpoint_id = ?1 AND s.is_destroyed = 1 AND a.pid = ?2 AND a.destroyed_at > ?3)",
    )?;
    Ok(statement.query_row([endpoint_id, pid, write.now - within_secs], |row| row.get(0))?)
}

fn is_full(connection: &Connection, agents_max: i64) -> Result<bool> {
    // Ids are not used twice, so there are no more agents than the largest says; counting takes milliseconds.
    let newest: i64 = connection
        .prepare_cached("SELECT coalesce(max(id), 0) FROM agents")?
        .query_row([], |row| row.get(0))?;
    if newest < agents_max {
        return Ok(false);
    }
    let count: i64 =
        connection.prepare_cached("SELECT count(*) FROM agents")?.query_row([], |row| row.get(0))?;
    Ok(count >= agents_max)
}

fn touch(write: &Write<'_>, endpoint_id: i64, stored: &Stored) -> Result<()> {
    if stored.heartbeat_at == write.now {
        return Ok(());
    }
    write
        .connection
        .prepare_cached("UPDATE agent_states SET heartbeat_at = ?3 WHERE endpoint_id = ?1 AND agent_id = ?2")?
        .execute([endpoint_id, stored.id, write.now])?;
    Ok(())
}

/// The ids of what agents share.
struct SharedIds {
    name: i64,
    version: i64,
    environment: i64,
    tags: i64,
}

impl SharedIds {
    /// Finds the rows, or makes them.
    fn of(connection: &Connection, beat: &Prepared) -> Result<SharedIds> {
        let (environment, tags) = (&beat.environment, &beat.tags);
        Ok(SharedIds {
            name: find_or_insert(
                connection,
                "SELECT id FROM agent_names WHERE name = ?1",
                "INSERT INTO agent_names (name) VALUES (?1)",
                &[&beat.name],
            )?,
            version: find_or_insert(
                connection,
                "SELECT id FROM agent_versions WHERE version = ?1",
                "INSERT INTO agent_versions (version) VALUES (?1)",
                &[&beat.version],
            )?,
            environment: find_or_insert(
                connection,
                "SELECT id FROM environments WHERE digest = ?1",
                "INSERT INTO environments (digest, environment) VALUES (?1, ?2)",
                &[&environment.digest, &environment.text],
            )?,
            tags: find_or_insert(
                connection,
                "SELECT id FROM tag_sets WHERE digest = ?1",
                "INSERT INTO tag_sets (digest, tags) VALUES (?1, ?2)",
                &[&tags.digest, &tags.text],
            )?,
        })
    }
}

/// The id of a row that is found by the first of its values.
fn find_or_insert(
    connection: &Connection,
    find: &str,
    insert: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<i64> {
    let found = connection
        .prepare_cached(find)?
        .query_row(values.get(..1).unwrap_or_default(), |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection.prepare_cached(insert)?.execute(values)?;
    Ok(connection.last_insert_rowid())
}

fn insert(write: &Write<'_>, endpoint_id: i64, beat: &Prepared) -> Result<i64> {
    let ids = SharedIds::of(write.connection, beat)?;
    write
        .connection
        .prepare_cached(
            "INSERT INTO agents (endpoint_id, pid, mode, refreshed_at, publicip, addresses, machine_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(rusqlite::params![
            endpoint_id,
            beat.pid,
            beat.mode,
            beat.refreshed_at,
            beat.publicip,
            beat.addresses,
            beat.machine_id
        ])?;
    let id = write.connection.last_insert_rowid();
    write
        .connection
        .prepare_cached(
            "INSERT INTO agent_states (endpoint_id, agent_id, heartbeat_at, started_at, name_id, version_id,
               environment_id, tags_id) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute([endpoint_id, id, write.now, ids.name, ids.version, ids.environment, ids.tags])?;
    Ok(id)
}

/// A heartbeat of an agent of which something has changed: what it was goes into its history.
fn change(write: &Write<'_>, endpoint_id: i64, stored: &Stored, beat: &Prepared) -> Result<()> {
    if !stored.is_same_state {
        remember(write, endpoint_id, stored.id)?;
    }
    let ids = SharedIds::of(write.connection, beat)?;
    write
        .connection
        .prepare_cached(
            "UPDATE agents SET mode = ?2, refreshed_at = ?3, publicip = ?4, addresses = ?5, machine_id = ?6
             WHERE id = ?1",
        )?
        .execute(rusqlite::params![
            stored.id,
            beat.mode,
            beat.refreshed_at,
            beat.publicip,
            beat.addresses,
            beat.machine_id
        ])?;
    write
        .connection
        .prepare_cached(
            "UPDATE agent_states SET heartbeat_at = ?3, name_id = ?4, version_id = ?5, environment_id = ?6,
               tags_id = ?7 WHERE endpoint_id = ?1 AND agent_id = ?2",
        )?
        .execute([endpoint_id, stored.id, write.now, ids.name, ids.version, ids.environment, ids.tags])?;
    Ok(())
}

fn remember(write: &Write<'_>, endpoint_id: i64, agent_id: i64) -> Result<()> {
    write
        .connection
        .prepare_cached(
            "INSERT INTO agent_history
               (agent_id, until_at, name_id, version_id, environment_id, tags_id, publicip, addresses)
             SELECT a.id, ?3, s.name_id, s.version_id, s.environment_id, s.tags_id, a.publicip, a.addresses
             FROM agent_states s CROSS JOIN agents a ON a.id = s.agent_id
             WHERE s.endpoint_id = ?1 AND s.agent_id = ?2",
        )?
        .execute([endpoint_id, agent_id, write.now])?;
    write
        .connection
        .prepare_cached(
            "DELETE FROM agent_history WHERE agent_id = ?1 AND id <= (
               SELECT id FROM agent_history WHERE agent_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute([agent_id, HISTORY_PER_AGENT_MAX as i64])?;
    Ok(())
}
