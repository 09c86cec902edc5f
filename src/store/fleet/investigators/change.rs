// SPDX-License-Identifier: Apache-2.0
//! Adding, changing and removing investigators.

use super::{InvestigatorRow, by_id};
use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::investigator::{Permission, Permissions};
use crate::store::Store;
use crate::store::writer::Write;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Investigators that are kept; each was added by a person.
const INVESTIGATORS_MAX: i64 = 10_000;

/// An investigator to be added; checked before.
#[derive(Clone, Debug)]
pub struct NewInvestigator {
    /// The name.
    pub name: String,
    /// The public key; none for one who uses an API key only.
    pub key: Option<NewKey>,
    /// What it may do.
    pub permissions: Permissions,
}

/// The public key of an investigator to be added.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Fingerprint of the primary key, 40 hexadecimal digits in upper case.
    pub fingerprint: String,
    /// The key, armored.
    pub armored: String,
    /// The ids by which signatures name it: of the primary key and of the subkeys that sign.
    pub key_ids: Vec<[u8; 8]>,
}

/// What is to be changed of an investigator; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct InvestigatorChange {
    /// To be enabled or disabled.
    pub is_active: Option<bool>,
    /// What it may do from now on, all of it.
    pub permissions: Option<Permissions>,
    /// What becomes of its API key.
    pub api_key: Option<ApiKeyChange>,
    /// Refuse what would leave nobody who can administrate investigators, where there is somebody.
    pub keeps_admin: bool,
}

/// What becomes of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyChange {
    /// A new one, with this SHA-256.
    Set([u8; 32]),
    /// None any more.
    Clear,
}

impl InvestigatorChange {
    /// True where nothing would be changed.
    fn is_already(&self, row: &InvestigatorRow) -> bool {
        let is_same_key = match self.api_key {
            Some(ApiKeyChange::Set(_)) => false,
            Some(ApiKeyChange::Clear) => !row.has_api_key,
            None => true,
        };
        is_same_key
            && self.is_active.is_none_or(|is_active| is_active == row.is_active)
            && self.permissions.is_none_or(|permissions| permissions == row.permissions)
    }
}

/// How an investigator was changed.
#[derive(Clone, Debug)]
pub struct ChangedInvestigator {
    /// As it is.
    pub row: InvestigatorRow,
    /// False where it was so already.
    pub is_changed: bool,
}

impl Store {
    /// Adds an active investigator. Conflict where the fingerprint is there, also that of a disabled one.
    pub fn insert_investigator(&self, new: NewInvestigator, actor: &Actor) -> Result<InvestigatorRow> {
        let actor = actor.clone();
        self.writer().change(true, move |write| {
            let row = insert(write, &new)?;
            let audit = Audit::new(&actor, "investigator.add", subject_of(&row)).after(told(&row));
            write.audit(&audit).map(|()| row)
        })
    }

    /// Changes an investigator; none where there is no such one. Conflict where `keeps_admin` forbids it.
    pub fn change_investigator(
        &self,
        id: i64,
        change: InvestigatorChange,
        actor: &Actor,
    ) -> Result<Option<ChangedInvestigator>> {
        let actor = actor.clone();
        // A full disk must not keep an investigator from being disabled.
        self.writer().change(false, move |write| {
            let Some(before) = by_id(write.connection, id)? else { return Ok(None) };
            if change.is_already(&before) {
                return Ok(Some(ChangedInvestigator { row: before, is_changed: false }));
            }
            let after = apply(write, &before, &change)?;
            let mut audit = Audit::new(&actor, "investigator.change", subject_of(&before))
                .before(told(&before))
                .after(told(&after));
            if let Some(ApiKeyChange::Set(_)) = change.api_key {
                audit.after["api_key"] = "new".into();
            }
            write.audit(&audit).map(|()| Some(ChangedInvestigator { row: after, is_changed: true }))
        })
    }

    /// Removes an investigator that nothing refers to; false where there is no such one. Conflict where an action or
    /// the ACL refers to it.
    pub fn delete_investigator(&self, id: i64, actor: &Actor) -> Result<bool> {
        let actor = actor.clone();
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let Some(before) = by_id(connection, id)? else { return Ok(false) };
            if let Some(by) = referred_by(connection, id)? {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("Investigator {id} is not removed: {by}; disable it instead"),
                ));
            }
            connection.prepare_cached("DELETE FROM investigators WHERE id = ?1")?.execute([id])?;
            let audit = Audit::new(&actor, "investigator.remove", subject_of(&before)).before(told(&before));
            write.audit(&audit).map(|()| true)
        })
    }
}

fn subject_of(row: &InvestigatorRow) -> String {
    format!("investigator {} {}", row.id, row.name)
}

/// An investigator as the audit log keeps it.
fn told(row: &InvestigatorRow) -> Value {
    json!({
        "name": row.name,
        "fingerprint": row.fingerprint,
        "status": row.status_word(),
        "permissions": row.permissions.words(),
        "api_key": if row.has_api_key { "set" } else { "none" },
    })
}

fn insert(write: &mut Write<'_>, new: &NewInvestigator) -> Result<InvestigatorRow> {
    let connection = write.connection;
    let fingerprint = new.key.as_ref().map(|key| key.fingerprint.as_str());
    let is_there: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM investigators WHERE fingerprint = ?1)")?
        .query_row([fingerprint], |row| row.get(0))?;
    if is_there {
        let message = "Investigator's PGP Fingerprint already exists in database";
        return Err(Error::new(Kind::Conflict, message));
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM investigators", [], |row| row.get(0))?;
    if count >= INVESTIGATORS_MAX {
        let message = format!("There are {count} investigators, as many as can be; remove some first");
        return Err(Error::new(Kind::Conflict, message));
    }
    connection
        .prepare_cached(
            "INSERT INTO investigators
               (name, fingerprint, public_key, is_active, created_at, modified_at, permissions)
             VALUES (?1, ?2, ?3, 1, ?4, ?4, ?5)",
        )?
        .execute(rusqlite::params![
            new.name,
            fingerprint,
            new.key.as_ref().map(|key| key.armored.as_str()),
            write.now,
            new.permissions.mask()
        ])?;
    let id = connection.last_insert_rowid();
    for key_id in new.key.iter().flat_map(|key| &key.key_ids) {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO investigator_keys (key_id, investigator_id) VALUES (?1, ?2)",
            )?
            .execute(rusqlite::params![key_id, id])?;
    }
    by_id(connection, id)?.ok_or_else(|| Error::internal("An investigator that was added is not there"))
}

fn apply(
    write: &mut Write<'_>,
    before: &InvestigatorRow,
    change: &InvestigatorChange,
) -> Result<InvestigatorRow> {
    let (connection, id) = (write.connection, before.id);
    let had_admin = has_admin(connection)?;
    connection
        .prepare_cached(
            "UPDATE investigators SET is_active = ?2, permissions = ?3, modified_at = ?4 WHERE id = ?1",
        )?
        .execute(rusqlite::params![
            id,
            change.is_active.unwrap_or(before.is_active),
            change.permissions.unwrap_or(before.permissions).mask(),
            write.now
        ])?;
    if let Some(api_key) = change.api_key {
        let digest = match api_key {
            ApiKeyChange::Set(digest) => Some(digest),
            ApiKeyChange::Clear => None,
        };
        connection
            .prepare_cached("UPDATE investigators SET api_key_digest = ?2 WHERE id = ?1")?
            .execute(rusqlite::params![id, digest])?;
    }
    if change.keeps_admin && had_admin && !has_admin(connection)? {
        let message = "Failed to update investigator: 'will not remove last admin'";
        return Err(Error::new(Kind::Conflict, message));
    }
    by_id(connection, id)?.ok_or_else(|| Error::internal("An investigator that was changed is not there"))
}

/// True where somebody is active, can show who he is, and may read and change investigators.
fn has_admin(connection: &Connection) -> Result<bool> {
    let needed = Permissions::NONE.with(Permission::Investigator).with(Permission::InvestigatorUpdate);
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM investigators WHERE is_active AND permissions & ?1 = ?1
           AND (fingerprint IS NOT NULL OR api_key_digest IS NOT NULL))",
    )?;
    Ok(statement.query_row([needed.mask()], |row| row.get(0))?)
}

/// What refers to an investigator, in words.
fn referred_by(connection: &Connection, id: i64) -> Result<Option<&'static str>> {
    let questions = [
        ("SELECT EXISTS (SELECT 1 FROM signatures WHERE investigator_id = ?1)", "it signed actions"),
        ("SELECT EXISTS (SELECT 1 FROM acl_weights WHERE investigator_id = ?1)", "the ACL gives it weights"),
        ("SELECT EXISTS (SELECT 1 FROM actions WHERE created_by = ?1)", "it submitted actions"),
    ];
    for (sql, by) in questions {
        if connection.query_row(sql, [id], |row| row.get(0))? {
            return Ok(Some(by));
        }
    }
    Ok(None)
}
