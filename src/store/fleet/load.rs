// SPDX-License-Identifier: Apache-2.0
//! Loading a made-up fleet: rows as they are given, through large transactions, without the rules of heartbeats,
//! submissions and results. Only the demo uses it.

use crate::error::{Error, Result};
use crate::model::agent::Environment;
use crate::model::command::{ActionStatus, CommandStatus};
use crate::model::investigator::Permissions;
use crate::store::open;
use crate::store::payload::StoredPayload;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// Rows of one transaction. Between two, a running server gets its turn.
const TRANSACTION_ROWS: usize = 10_000;
/// Texts whose ids are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// An agent to load.
#[derive(Clone, Debug)]
pub struct LoadedAgent {
    /// Its endpoint's queueloc.
    pub queueloc: String,
    /// The endpoint's key, where the endpoint is new: a SHA-256.
    pub key_digest: Option<[u8; 32]>,
    /// The host's name.
    pub name: String,
    /// The agent's version.
    pub version: String,
    /// Its process id; none other of the endpoint has it.
    pub pid: i64,
    /// With addresses and publicip.
    pub environment: Environment,
    /// An object of texts.
    pub tags: Value,
    /// When it was heard of first, in Unix seconds.
    pub started_at: i64,
    /// When it was heard of last.
    pub heartbeat_at: i64,
    /// When it was destroyed.
    pub destroyed_at: Option<i64>,
    /// The version that it had until a moment.
    pub was: Option<(String, i64)>,
}

/// The ids of a loaded agent.
#[derive(Clone, Copy, Debug)]
pub struct AgentIds {
    /// The agent's.
    pub agent_id: i64,
    /// Its endpoint's.
    pub endpoint_id: i64,
}

/// An investigator to load.
#[derive(Clone, Debug)]
pub struct LoadedInvestigator {
    /// The name.
    pub name: String,
    /// 40 hexadecimal digits in upper case.
    pub fingerprint: String,
    /// Armored.
    pub public_key: String,
    /// 8 bytes of the primary key and of each subkey.
    pub key_ids: Vec<Vec<u8>>,
    /// What the investigator may do.
    pub permissions: Permissions,
    /// False for one who was disabled.
    pub is_active: bool,
    /// When it was added.
    pub created_at: i64,
}

/// An action to load; its counters follow from its commands.
#[derive(Clone, Debug)]
pub struct LoadedAction {
    /// Its name.
    pub name: String,
    /// Its target.
    pub target: String,
    /// The family of its threat.
    pub threat_family: String,
    /// First moment at which it may run.
    pub valid_from: i64,
    /// Moment from which it may not run any more.
    pub expire_after: i64,
    /// MIG's JSON.
    pub document: String,
    /// SHA-256 of the signed text.
    pub signed_digest: [u8; 32],
    /// Where it stands.
    pub status: ActionStatus,
    /// Why it is invalid or was cancelled.
    pub reason: String,
    /// When it was accepted.
    pub created_at: i64,
    /// When its commands were made.
    pub started_at: Option<i64>,
    /// When it was over.
    pub finished_at: Option<i64>,
    /// Who signed it: an investigator's id and the signature in one line.
    pub signatures: Vec<(i64, String)>,
}

/// A command to load.
#[derive(Clone, Debug)]
pub struct LoadedCommand {
    /// Whose it is.
    pub of: AgentIds,
    /// Where it stands.
    pub status: CommandStatus,
    /// When it was made.
    pub prepared_at: i64,
    /// When it was fetched.
    pub sent_at: Option<i64>,
    /// When it was over.
    pub finished_at: Option<i64>,
    /// 1 where some result found something, 2 where some did not, 3 where both; else 0.
    pub found: i64,
    /// A JSON array.
    pub results: Option<String>,
}

/// Numbers of the fleet at a moment, in the order of the columns of `agent_statistics` after the moment.
pub type LoadedStatistics = (i64, [i64; 8]);

/// A load in progress. What was not [`FleetLoad::finish`]ed is partly there.
#[derive(Debug)]
pub struct FleetLoad {
    connection: Connection,
    pending: usize,
    remembered: HashMap<(&'static str, String), i64>,
}

impl FleetLoad {
    /// Begins to load into the database of `data_dir`, which exists. `is_alone`: the caller holds its lock and begins
    /// anew where it is cut off, so durability waits for the end.
    pub fn begin(data_dir: &Path, is_alone: bool) -> Result<FleetLoad> {
        let connection = open::open_writer(&open::database_path(data_dir))?;
        if is_alone {
            connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
        }
        connection.execute_batch("PRAGMA wal_autocheckpoint = 4000")?;
        Ok(FleetLoad { connection, pending: 0, remembered: HashMap::new() })
    }

    /// Agents that are there.
    pub fn count_agents(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT count(*) FROM agents", [], |row| row.get(0))?)
    }

    fn row(&mut self) -> Result<()> {
        if self.pending == TRANSACTION_ROWS {
            self.commit()?;
        }
        if self.pending == 0 {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            // Another process may have written, and deleted, since the last transaction.
            self.remembered.clear();
        }
        self.pending += 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.pending > 0 {
            self.connection.execute_batch("COMMIT")?;
            self.pending = 0;
        }
        Ok(())
    }

    /// Makes everything durable.
    pub fn finish(mut self) -> Result<()> {
        self.commit()?;
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        // A reader beside it only makes the log stay for a while.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// The id of a text, which is inserted where it is new.
    fn id(&mut self, table: &'static str, text: &str, find: &str, insert: &str) -> Result<i64> {
        if let Some(id) = self.remembered.get(&(table, text.to_owned())) {
            return Ok(*id);
        }
        let digest = Sha256::digest(text.as_bytes());
        let is_by_digest = find.contains("digest");
        let key: &dyn ToSql = if is_by_digest { &&digest[..16] } else { &text };
        let found = self.connection.prepare_cached(find)?.query_row([key], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                let mut statement = self.connection.prepare_cached(insert)?;
                match is_by_digest {
                    true => statement.execute(params![&digest[..16], text])?,
                    false => statement.execute([text])?,
                };
                self.connection.last_insert_rowid()
            }
        };
        if self.remembered.len() < REMEMBERED_MAX {
            self.remembered.insert((table, text.to_owned()), id);
        }
        Ok(id)
    }

    fn version_id(&mut self, version: &str) -> Result<i64> {
        self.id(
            "agent_versions",
            version,
            "SELECT id FROM agent_versions WHERE version = ?1",
            "INSERT INTO agent_versions (version) VALUES (?1)",
        )
    }

    fn endpoint_id(&mut self, agent: &LoadedAgent) -> Result<i64> {
        let found = self
            .connection
            .prepare_cached("SELECT id FROM endpoints WHERE queueloc = ?1")?
            .query_row([&agent.queueloc], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        let bound_at = agent.key_digest.map(|_| agent.started_at);
        self.connection
            .prepare_cached("INSERT INTO endpoints (queueloc, key_digest, bound_at) VALUES (?1, ?2, ?3)")?
            .execute(params![agent.queueloc, agent.key_digest.as_ref().map(|d| &d[..]), bound_at])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// The ids of environment, tags, name and version, and the machine id that was among the tags.
    fn shared(&mut self, agent: &LoadedAgent) -> Result<([i64; 4], Option<Value>)> {
        let alone = Environment { addresses: None, publicip: String::new(), ..agent.environment.clone() };
        let environment_id = self.id(
            "environments",
            &alone.to_json()?,
            "SELECT id FROM environments WHERE digest = ?1",
            "INSERT INTO environments (digest, environment) VALUES (?1, ?2)",
        )?;
        let mut tags = agent.tags.clone();
        // Each agent's own is with the agent, so that sets are shared.
        let machine_id = tags.as_object_mut().and_then(|tags| tags.remove("machine_id"));
        let tags_id = self.id(
            "tag_sets",
            &tags.to_string(),
            "SELECT id FROM tag_sets WHERE digest = ?1",
            "INSERT INTO tag_sets (digest, tags) VALUES (?1, ?2)",
        )?;
        let name_id = self.id(
            "agent_names",
            &agent.name,
            "SELECT id FROM agent_names WHERE name = ?1",
            "INSERT INTO agent_names (name) VALUES (?1)",
        )?;
        Ok(([environment_id, tags_id, name_id, self.version_id(&agent.version)?], machine_id))
    }

    /// Adds an agent, and its endpoint where that is new.
    pub fn agent(&mut self, agent: &LoadedAgent) -> Result<AgentIds> {
        self.row()?;
        let endpoint_id = self.endpoint_id(agent)?;
        let ([environment_id, tags_id, name_id, version_id], machine_id) = self.shared(agent)?;
        let addresses = serde_json::to_string(&agent.environment.addresses.clone().unwrap_or_default())
            .map_err(|error| Error::internal("Cannot write JSON").because(error))?;
        let publicip = &agent.environment.publicip;
        let machine_id = machine_id.as_ref().and_then(Value::as_str);
        let (destroyed_at, pid) = (agent.destroyed_at, agent.pid);
        self.connection
            .prepare_cached(
                "INSERT INTO agents (endpoint_id, pid, mode, refreshed_at, destroyed_at, publicip, addresses,
                   machine_id) VALUES (?1, ?2, 'daemon', ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                endpoint_id,
                pid,
                agent.started_at,
                destroyed_at,
                publicip,
                addresses,
                machine_id
            ])?;
        let ids = AgentIds { agent_id: self.connection.last_insert_rowid(), endpoint_id };
        self.connection
            .prepare_cached(
                "INSERT INTO agent_states (endpoint_id, agent_id, heartbeat_at, started_at, name_id, version_id,
                   environment_id, tags_id, is_destroyed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                endpoint_id,
                ids.agent_id,
                agent.heartbeat_at,
                agent.started_at,
                name_id,
                version_id,
                environment_id,
                tags_id,
                destroyed_at.is_some()
            ])?;
        if let Some((version, until_at)) = &agent.was {
            let version_id = self.version_id(version)?;
            let sql =
                "INSERT INTO agent_history (agent_id, until_at, name_id, version_id, environment_id, tags_id,
                publicip, addresses) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            self.connection.prepare_cached(sql)?.execute(params![
                ids.agent_id,
                until_at,
                name_id,
                version_id,
                environment_id,
                tags_id,
                publicip,
                addresses
            ])?;
        }
        Ok(ids)
    }

    /// Adds an investigator, unless one with the same key is there; gives the id.
    pub fn investigator(&mut self, one: &LoadedInvestigator) -> Result<i64> {
        self.row()?;
        let found = self
            .connection
            .prepare_cached("SELECT id FROM investigators WHERE fingerprint = ?1")?
            .query_row([&one.fingerprint], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.connection.execute(
            "INSERT INTO investigators (name, fingerprint, public_key, is_active, created_at, modified_at, permissions)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
            params![
                one.name,
                one.fingerprint,
                one.public_key,
                one.is_active,
                one.created_at,
                one.permissions.mask()
            ],
        )?;
        let id = self.connection.last_insert_rowid();
        for key_id in &one.key_ids {
            self.connection.execute(
                "INSERT INTO investigator_keys (key_id, investigator_id) VALUES (?1, ?2)",
                params![key_id, id],
            )?;
        }
        Ok(id)
    }

    /// Adds an action with its commands.
    pub fn action(&mut self, action: &LoadedAction, commands: &[LoadedCommand]) -> Result<i64> {
        self.row()?;
        let last = commands.iter().filter_map(|command| command.finished_at.or(command.sent_at)).max();
        self.connection.execute(
            "INSERT INTO actions (name, target, threat_family, valid_from, expire_after, document, signed_digest, status,
               reason, created_at, started_at, finished_at, updated_at, created_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                action.name,
                action.target,
                action.threat_family,
                action.valid_from,
                action.expire_after,
                action.document,
                &action.signed_digest[..],
                action.status.code(),
                action.reason,
                action.created_at,
                action.started_at,
                action.finished_at,
                last,
                action.signatures.first().map(|(id, _)| id),
            ],
        )?;
        let id = self.connection.last_insert_rowid();
        for (position, (investigator_id, signature)) in action.signatures.iter().enumerate() {
            self.connection.execute(
                "INSERT INTO signatures (action_id, investigator_id, position, signature) VALUES (?1, ?2, ?3, ?4)",
                params![id, investigator_id, position as i64, signature],
            )?;
        }
        // As after a submission; a second demo at the same second signs the same.
        self.connection.execute(
            "INSERT OR IGNORE INTO signed_texts (digest, action_id, until_at) VALUES (?1, ?2, ?3)",
            params![&action.signed_digest[..], id, action.expire_after],
        )?;
        for command in commands {
            self.command(id, command)?;
        }
        let count = |status: CommandStatus| commands.iter().filter(|c| c.status == status).count() as i64;
        self.connection.execute(
            "UPDATE actions SET prepared = ?2, sent = ?3, success = ?4, failed = ?5, timeout = ?6, cancelled = ?7,
               expired = ?8 WHERE id = ?1",
            params![
                id,
                count(CommandStatus::Prepared),
                count(CommandStatus::Sent),
                count(CommandStatus::Success),
                count(CommandStatus::Failed),
                count(CommandStatus::Timeout),
                count(CommandStatus::Cancelled),
                count(CommandStatus::Expired),
            ],
        )?;
        // The counters belong to the commands: no transaction ends between them.
        self.commit()?;
        Ok(id)
    }

    fn command(&self, action_id: i64, command: &LoadedCommand) -> Result<()> {
        let results = command.results.as_deref().map(StoredPayload::encode).transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO commands (action_id, agent_id, endpoint_id, status, attempt, instance, leased_until,
                   prepared_at, sent_at, finished_at, found, results)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                action_id,
                command.of.agent_id,
                command.of.endpoint_id,
                command.status.code(),
                i64::from(command.sent_at.is_some()),
                command.sent_at.map(|at| format!("demo-{at:x}")),
                command.sent_at.map(|at| at + 600),
                command.prepared_at,
                command.sent_at,
                command.finished_at,
                command.found,
                results,
            ])?;
        Ok(())
    }

    /// Adds the numbers of a moment, unless there are some.
    pub fn statistics(&mut self, (taken_at, numbers): &LoadedStatistics) -> Result<()> {
        self.row()?;
        let values: Vec<&dyn ToSql> =
            std::iter::once(taken_at as &dyn ToSql).chain(numbers.iter().map(|n| n as &dyn ToSql)).collect();
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO agent_statistics VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(&values[..])?;
        Ok(())
    }

    /// Adds a heartbeat that was refused, unless it is there.
    pub fn refusal(
        &mut self,
        queueloc: &str,
        peer: &str,
        reason: &str,
        at: i64,
        attempts: i64,
    ) -> Result<()> {
        self.row()?;
        self.connection.execute(
            "INSERT OR IGNORE INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![queueloc, peer, reason, at - attempts * 300, at, attempts],
        )?;
        Ok(())
    }
}
