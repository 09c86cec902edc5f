// SPDX-License-Identifier: Apache-2.0
//! Storing an action: its signers are judged once more inside the transaction, so that nobody who was disabled a moment
//! ago, and no rule that was just tightened, is passed by.

use super::{ActionRow, read_action};
use crate::error::{Error, Kind, Result};
use crate::model::acl::Acl;
use crate::model::audit::{Actor, Audit};
use crate::model::command::ActionStatus;
use crate::model::investigator::{Permission, Permissions};
use crate::model::time::utc_text;
use crate::store::fleet::acl::load_acl;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

/// A signed text is remembered so long beyond its expiry: a clock that is set back must not let it in again.
const REMEMBERED_BEYOND_SECS: i64 = 86_400;
/// Signed texts that one submission forgets at most.
const FORGOTTEN_MAX: i64 = 100;
/// Ids that the spool asks for are below; above it is room for those that follow.
const WANTED_ID_END: i64 = 1 << 50;

/// An action whose signatures were verified, to be stored.
#[derive(Clone, Debug)]
pub struct NewAction {
    /// The id that it should have; another one where it is taken or not from 1 to below 2^50.
    pub wanted_id: Option<i64>,
    /// Its name.
    pub name: String,
    /// The condition that selects its agents.
    pub target: String,
    /// `family` of its threat.
    pub threat_family: String,
    /// First moment at which it may run, in Unix seconds.
    pub valid_from: i64,
    /// Moment from which it may not run any more, in Unix seconds.
    pub expire_after: i64,
    /// The module of each operation.
    pub modules: Vec<String>,
    /// MIG's JSON without id, status, times, counters and investigators.
    pub document: String,
    /// SHA-256 of the signed text.
    pub signed_digest: [u8; 32],
    /// Its verified signatures, in order.
    pub signatures: Vec<NewSignature>,
    /// The investigator who submits it, who must have action_create; none for the command line and the spool.
    pub created_by: Option<i64>,
}

/// A signature that was verified.
#[derive(Clone, Debug)]
pub struct NewSignature {
    /// Whose it is.
    pub investigator_id: i64,
    /// The key with which it was verified, as stored with the investigator.
    pub public_key: String,
    /// As it came.
    pub signature: String,
}

impl Store {
    /// Stores an action as pending. `before_commit` gets its id and its JSON while the transaction is open; where the
    /// transaction is run again it is called again, perhaps with another id. Kinds: Conflict where the same signed text
    /// was accepted before, Forbidden where a signer or the submitter may not (any more) or the ACL is not satisfied,
    /// Invalid where it has expired meanwhile.
    pub fn insert_action(
        &self,
        action: NewAction,
        actor: &Actor,
        mut before_commit: impl FnMut(i64, &str) -> Result<()> + Send + 'static,
    ) -> Result<ActionRow> {
        let actor = actor.clone();
        self.writer().change(true, move |write| {
            let (connection, now) = (write.connection, write.now);
            if action.expire_after <= now {
                return Err(Error::invalid("action expireafter is in the past"));
            }
            refuse_repeated(connection, &action, now)?;
            judge(connection, &action)?;
            let id = insert_rows(connection, &action, now)?;
            let row = read_action(connection, id)?;
            let row = row.ok_or_else(|| Error::internal("An action was not found after it was stored"))?;
            write.audit(
                &Audit::new(&actor, "action.submit", format!("action {id}")).after(told(&action, &row)),
            )?;
            before_commit(id, &row.to_action()?.to_json()?)?;
            Ok(row)
        })
    }
}

/// An action as the audit log keeps it; the rest stands with the action.
fn told(action: &NewAction, row: &ActionRow) -> Value {
    let signers: Vec<&str> = row.signers.iter().map(|signer| signer.name.as_str()).collect();
    json!({
        "name": action.name,
        "target": action.target,
        "modules": action.modules,
        "expires": utc_text(action.expire_after),
        "signed_by": signers,
    })
}

impl Store {
    /// When the action with this signed text was accepted; none where there was none.
    pub fn accepted_at(&self, signed_digest: [u8; 32]) -> Result<Option<i64>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.created_at FROM signed_texts s JOIN actions a ON a.id = s.action_id WHERE s.digest = ?1",
            )?;
            Ok(statement.query_row([&signed_digest[..]], |row| row.get(0)).optional()?)
        })
    }
}

fn refuse_repeated(connection: &Connection, action: &NewAction, now: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM signed_texts WHERE digest IN (
               SELECT digest FROM signed_texts WHERE until_at <= ?1 ORDER BY until_at LIMIT ?2)",
        )?
        .execute([now - REMEMBERED_BEYOND_SECS, FORGOTTEN_MAX])?;
    let known: Option<i64> = connection
        .prepare_cached("SELECT action_id FROM signed_texts WHERE digest = ?1")?
        .query_row([&action.signed_digest[..]], |row| row.get(0))
        .optional()?;
    match known {
        None => Ok(()),
        Some(id) => Err(Error::new(
            Kind::Conflict,
            format!(
                "This action was accepted before, as action {id}; to run it again change its validfrom or \
                 expireafter and sign it anew"
            ),
        )),
    }
}

/// What of an investigator decides whether a signature counts.
struct Standing {
    is_active: bool,
    permissions: Permissions,
    fingerprint: String,
    public_key: String,
}

fn standing(connection: &Connection, investigator_id: i64) -> Result<Option<Standing>> {
    let mut statement = connection.prepare_cached(
        "SELECT is_active, permissions, coalesce(fingerprint, ''), coalesce(public_key, '')
         FROM investigators WHERE id = ?1",
    )?;
    let found = statement.query_row([investigator_id], |row| {
        Ok(Standing {
            is_active: row.get(0)?,
            permissions: Permissions::from_mask(row.get(1)?),
            fingerprint: row.get(2)?,
            public_key: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// Every signer must be active with the key that was verified, and together they must satisfy the ACL.
fn judge(connection: &Connection, action: &NewAction) -> Result<()> {
    if let Some(id) = action.created_by {
        let found = standing(connection, id)?.filter(|found| found.is_active);
        if !found.is_some_and(|found| found.permissions.has(Permission::ActionCreate)) {
            return Err(forbidden("Insufficient permissions to access endpoint"));
        }
    }
    let mut fingerprints = Vec::new();
    let mut may_create = false;
    for signature in &action.signatures {
        let found = standing(connection, signature.investigator_id)?;
        let is_same = |found: &Standing| found.is_active && found.public_key == signature.public_key;
        let found = found.filter(is_same).ok_or_else(|| {
            forbidden("A signer of the action was disabled or got another key just now; sign it anew")
        })?;
        may_create |= found.permissions.has(Permission::ActionCreate);
        fingerprints.push(found.fingerprint);
    }
    if fingerprints.is_empty() {
        return Err(Error::invalid("action pgpsignatures is empty"));
    }
    match load_acl(connection)? {
        Some(acl) => acl.judge(action.modules.iter().map(String::as_str), &fingerprints),
        None => {
            // Without modules to judge it is only looked whether a key signed twice.
            Acl::default().judge(std::iter::empty(), &fingerprints)?;
            match may_create {
                true => Ok(()),
                false => Err(forbidden(
                    "None of the signers has the permission action_create, and there is no ACL that lets them sign",
                )),
            }
        }
    }
}

fn forbidden(message: &str) -> Error {
    Error::new(Kind::Forbidden, message)
}

/// The id that is wanted, where it may be used.
fn usable_id(connection: &Connection, wanted_id: Option<i64>) -> Result<Option<i64>> {
    let Some(id) = wanted_id.filter(|id| (1..WANTED_ID_END).contains(id)) else { return Ok(None) };
    let is_taken = connection.prepare_cached("SELECT 1 FROM actions WHERE id = ?1")?.exists([id])?;
    Ok((!is_taken).then_some(id))
}

fn insert_rows(connection: &Connection, action: &NewAction, now: i64) -> Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO actions (id, name, target, threat_family, valid_from, expire_after, document,
               signed_digest, status, created_at, created_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            usable_id(connection, action.wanted_id)?,
            action.name,
            action.target,
            action.threat_family,
            action.valid_from,
            action.expire_after,
            action.document,
            &action.signed_digest[..],
            ActionStatus::Pending.code(),
            now,
            action.created_by
        ])?;
    let id = connection.last_insert_rowid();
    let mut insert = connection.prepare_cached(
        "INSERT INTO signatures (action_id, investigator_id, position, signature) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, signature) in action.signatures.iter().enumerate() {
        insert.execute(params![id, signature.investigator_id, position as i64, signature.signature])?;
    }
    connection
        .prepare_cached("INSERT INTO signed_texts (digest, action_id, until_at) VALUES (?1, ?2, ?3)")?
        .execute(params![&action.signed_digest[..], id, action.expire_after])?;
    Ok(id)
}
