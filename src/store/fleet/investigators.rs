// SPDX-License-Identifier: Apache-2.0
//! Investigators: rows, keys, permissions, digests of API keys. What a name or a key must be is decided in `ops`; that
//! a fingerprint is there once and that somebody can still administrate is decided here, in the transaction.

mod change;

pub use change::{ApiKeyChange, ChangedInvestigator, InvestigatorChange, NewInvestigator, NewKey};

use crate::error::Result;
use crate::model::investigator::{Investigator, Permissions};
use crate::model::timestamp::Timestamp;
use crate::store::{READ_MOST, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension, Row};

/// Rows that one key id may lead to; more than one is a collision of 64 bits, or a subkey that two keys share.
const SAME_KEY_ID_MAX: i64 = 16;

const COLUMNS: &str = "id, name, fingerprint, public_key, is_active, created_at, modified_at, permissions,
  api_key_digest IS NOT NULL";

/// A person who may ask and sign, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvestigatorRow {
    /// The id, from 1.
    pub id: i64,
    /// The name.
    pub name: String,
    /// Fingerprint of the primary key, 40 hexadecimal digits in upper case; none without a key.
    pub fingerprint: Option<String>,
    /// The public key, armored.
    pub public_key: Option<String>,
    /// False where disabled: then neither key nor API key counts.
    pub is_active: bool,
    /// When it was added, in Unix seconds.
    pub created_at: i64,
    /// When it was changed last, in Unix seconds.
    pub modified_at: i64,
    /// What it may do.
    pub permissions: Permissions,
    /// True where it has an API key; the key itself is not stored.
    pub has_api_key: bool,
}

impl InvestigatorRow {
    /// In MIG's form. The public key only where asked for: it is long.
    pub fn to_investigator(&self, with_public_key: bool) -> Investigator {
        let public_key = self.public_key.as_deref().filter(|_| with_public_key);
        Investigator {
            id: self.id,
            name: self.name.clone(),
            pgpfingerprint: self.fingerprint.clone().unwrap_or_default(),
            publickey: public_key.map(|key| STANDARD.encode(key)).unwrap_or_default(),
            status: self.status_word().to_owned(),
            createdat: Timestamp::utc(self.created_at),
            lastmodified: Timestamp::utc(self.modified_at),
            apikey: if self.has_api_key { "set".to_owned() } else { String::new() },
            permissions: self.permissions.into(),
        }
    }

    /// `active` or `disabled`.
    pub fn status_word(&self) -> &'static str {
        if self.is_active { "active" } else { "disabled" }
    }
}

impl Store {
    /// The investigators with these ids, in their order; missing ones are left out.
    pub fn investigators(&self, ids: &[i64]) -> Result<Vec<InvestigatorRow>> {
        self.read(READ_MOST, |connection| {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.extend(by_id(connection, *id)?);
            }
            Ok(rows)
        })
    }

    /// One investigator.
    pub fn investigator(&self, id: i64) -> Result<Option<InvestigatorRow>> {
        self.read(READ_MOST, |connection| by_id(connection, id))
    }

    /// All investigators, by id. There are as many as people who were added by hand.
    pub fn list_investigators(&self) -> Result<Vec<InvestigatorRow>> {
        self.read(READ_MOST, |connection| {
            let sql = format!("SELECT {COLUMNS} FROM investigators ORDER BY id");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([], from_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The active investigators of whose keys one has this id: of the primary key or of a subkey that signs.
    pub fn investigators_by_key_id(&self, key_id: &[u8; 8]) -> Result<Vec<InvestigatorRow>> {
        self.read(READ_MOST, |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM investigators WHERE is_active AND public_key IS NOT NULL AND id IN (
                   SELECT investigator_id FROM investigator_keys WHERE key_id = ?1) ORDER BY id LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params![key_id, SAME_KEY_ID_MAX], from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The investigator with this fingerprint (40 hexadecimal digits in upper case), active or not.
    pub fn investigator_by_fingerprint(&self, fingerprint: &str) -> Result<Option<InvestigatorRow>> {
        self.investigator_where("fingerprint = ?1", fingerprint)
    }

    /// The active investigator whose API key has this SHA-256.
    pub fn investigator_by_api_key(&self, digest: &[u8; 32]) -> Result<Option<InvestigatorRow>> {
        self.investigator_where("api_key_digest = ?1 AND is_active", digest)
    }

    fn investigator_where(
        &self,
        condition: &'static str,
        value: impl rusqlite::ToSql,
    ) -> Result<Option<InvestigatorRow>> {
        self.read(READ_MOST, |connection| {
            let sql = format!("SELECT {COLUMNS} FROM investigators WHERE {condition}");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row([value], from_row).optional()?)
        })
    }
}

fn by_id(connection: &Connection, id: i64) -> Result<Option<InvestigatorRow>> {
    let sql = format!("SELECT {COLUMNS} FROM investigators WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], from_row).optional()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<InvestigatorRow> {
    Ok(InvestigatorRow {
        id: row.get(0)?,
        name: row.get(1)?,
        fingerprint: row.get(2)?,
        public_key: row.get(3)?,
        is_active: row.get(4)?,
        created_at: row.get(5)?,
        modified_at: row.get(6)?,
        permissions: Permissions::from_mask(row.get(7)?),
        has_api_key: row.get(8)?,
    })
}
