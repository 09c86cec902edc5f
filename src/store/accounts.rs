// SPDX-License-Identifier: Apache-2.0
//! Accounts, their sessions and their API tokens. Secrets are known by their SHA-256 alone; passwords come hashed.
//!
//! Here is who somebody is; `list` shows accounts, `change` changes them, `sessions` begins and ends sessions and
//! tokens.

pub(super) mod change;
pub(super) mod list;
pub(super) mod sessions;

use crate::error::{Error, Result};
use crate::model::account::{LoggedIn, Role, Scope};
use crate::store::{READ_MOST, Store};
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

/// By what a secret that muster made is looked up.
pub fn secret_digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Store {
    /// True where there is an account, active or not: then nobody is trusted for being on this host.
    pub fn has_accounts(&self) -> Result<bool> {
        self.read(READ_MOST, |connection| {
            Ok(connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM accounts)")?
                .query_row([], |row| row.get(0))?)
        })
    }

    /// The active account of a session that has not ended by `now`, and when it ends.
    pub fn account_of_session(&self, digest: [u8; 32], now: i64) -> Result<Option<(LoggedIn, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.id, a.name, a.role, s.until_at FROM sessions s JOIN accounts a ON a.id = s.account_id
                 WHERE s.digest = ?1 AND s.until_at > ?2 AND a.is_active",
            )?;
            let found = statement
                .query_row(rusqlite::params![&digest[..], now], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get(3)?))
                })
                .optional()?;
            found
                .map(|(account_id, name, role, until_at)| {
                    Ok((LoggedIn { account_id, name, role: role_of(role)?, scope: None }, until_at))
                })
                .transpose()
        })
    }

    /// Lets a session end at `until_at`; nothing happens where it is gone.
    pub fn move_session_on(&self, digest: [u8; 32], until_at: i64) -> Result<()> {
        self.writer().change(false, move |write| {
            write
                .connection
                .prepare_cached("UPDATE sessions SET until_at = ?2 WHERE digest = ?1")?
                .execute(rusqlite::params![&digest[..], until_at])?;
            Ok(())
        })
    }

    /// The active account of an API token that has not ended by `now`, and when the token was used last.
    pub fn account_of_token(&self, digest: [u8; 32], now: i64) -> Result<Option<(LoggedIn, Option<i64>)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.id, a.name, a.role, t.scope, t.used_at FROM api_tokens t JOIN accounts a ON a.id = t.account_id
                 WHERE t.digest = ?1 AND (t.until_at IS NULL OR t.until_at > ?2) AND a.is_active",
            )?;
            let found = statement
                .query_row(rusqlite::params![&digest[..], now], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?, row.get(4)?))
                })
                .optional()?;
            found
                .map(|(account_id, name, role, scope, used_at)| {
                    let scope = Scope::from_number(scope)
                        .ok_or_else(|| Error::internal(format!("There is no scope {scope}")))?;
                    Ok((LoggedIn { account_id, name, role: role_of(role)?, scope: Some(scope) }, used_at))
                })
                .transpose()
        })
    }

    /// The active account of this name.
    pub fn account_by_name(&self, name: &str) -> Result<Option<LoggedIn>> {
        self.read(READ_MOST, |connection| {
            let found = connection
                .prepare_cached("SELECT id, name, role FROM accounts WHERE name = ?1 AND is_active")?
                .query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?)))
                .optional()?;
            found
                .map(|(account_id, name, role)| {
                    Ok(LoggedIn { account_id, name, role: role_of(role)?, scope: None })
                })
                .transpose()
        })
    }
}

fn role_of(number: i64) -> Result<Role> {
    Role::from_number(number).ok_or_else(|| Error::internal(format!("There is no role {number}")))
}
