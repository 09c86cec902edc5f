// SPDX-License-Identifier: Apache-2.0
//! Accounts, sessions and API tokens as pages and the command line show them.

use super::role_of;
use crate::error::{Error, Result};
use crate::model::account::{Role, Scope};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, Row};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// False where it was disabled.
    pub is_active: bool,
    /// False where a proxy logs it in.
    pub has_password: bool,
    /// When it was added, Unix seconds.
    pub created_at: i64,
    /// When it was changed last.
    pub modified_at: i64,
    /// When somebody logged in last; none before the first time.
    pub logged_in_at: Option<i64>,
    /// Sessions, ended ones that are not yet removed with them.
    pub n_sessions: i64,
    /// API tokens, likewise.
    pub n_tokens: i64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the cookie's value, by which it is named; nobody gets in with it.
    pub digest: [u8; 32],
    /// When it began, Unix seconds.
    pub created_at: i64,
    /// When it ends, unless it is used before.
    pub until_at: i64,
    /// The address that logged in.
    pub peer: String,
    /// The beginning of what the browser said of itself.
    pub user_agent: String,
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub account_name: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// When it ends; none: never.
    pub until_at: Option<i64>,
    /// When it was used last, by the hour; none before the first time.
    pub used_at: Option<i64>,
}

/// What is compared with a password that somebody enters.
#[derive(Clone, Debug)]
pub struct StoredPassword {
    /// Of which account.
    pub account_id: i64,
    /// Its name as it is written.
    pub name: String,
    /// argon2id, PHC string format; none where a proxy logs it in.
    pub hash: Option<String>,
    /// False where the account was disabled.
    pub is_active: bool,
}

const ACCOUNTS: &str = "SELECT id, name, role, is_active, password_hash IS NOT NULL, created_at, modified_at,
    logged_in_at, (SELECT count(*) FROM sessions WHERE account_id = accounts.id),
    (SELECT count(*) FROM api_tokens WHERE account_id = accounts.id) FROM accounts";

impl Store {
    /// All accounts by name.
    pub fn list_accounts(&self) -> Result<Vec<AccountRow>> {
        self.read(READ_MOST, |connection| {
            let mut statement =
                connection.prepare_cached(&format!("{ACCOUNTS} ORDER BY name COLLATE NOCASE"))?;
            let mut rows = statement.query([])?;
            let mut accounts = Vec::new();
            while let Some(row) = rows.next()? {
                accounts.push(account_of(row)?);
            }
            Ok(accounts)
        })
    }

    /// The account with this id, active or not.
    pub fn account(&self, id: i64) -> Result<Option<AccountRow>> {
        self.read(READ_MOST, |connection| by_id(connection, id))
    }

    /// The account with this name, active or not.
    pub fn account_named(&self, name: &str) -> Result<Option<AccountRow>> {
        self.read(READ_MOST, |connection| by_name(connection, name))
    }

    /// What a password is compared with; none where there is no account of this name.
    pub fn stored_password(&self, name: &str) -> Result<Option<StoredPassword>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, name, password_hash, is_active FROM accounts WHERE name = ?1")?;
            let found = statement.query_row([name], |row| {
                Ok(StoredPassword {
                    account_id: row.get(0)?,
                    name: row.get(1)?,
                    hash: row.get(2)?,
                    is_active: row.get(3)?,
                })
            });
            Ok(found.optional()?)
        })
    }

    /// The sessions of an account that have not ended by `now`, newest first.
    pub fn list_sessions(&self, account_id: i64, now: i64) -> Result<Vec<SessionRow>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT digest, created_at, until_at, peer, user_agent FROM sessions
                 WHERE account_id = ?1 AND until_at > ?2 ORDER BY created_at DESC, digest",
            )?;
            let rows = statement.query_map([account_id, now], |row| {
                Ok(SessionRow {
                    digest: row.get(0)?,
                    created_at: row.get(1)?,
                    until_at: row.get(2)?,
                    peer: row.get(3)?,
                    user_agent: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The API tokens of an account, or all, by account and id.
    pub fn list_tokens(&self, account_id: Option<i64>) -> Result<Vec<TokenRow>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.id, a.name, t.name, t.scope, t.created_at, t.until_at, t.used_at
                 FROM api_tokens t JOIN accounts a ON a.id = t.account_id
                 WHERE ?1 IS NULL OR t.account_id = ?1 ORDER BY a.name COLLATE NOCASE, t.id",
            )?;
            let mut rows = statement.query([account_id])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(token_of(row)?);
            }
            Ok(tokens)
        })
    }
}

/// An account, inside a transaction or not.
pub(super) fn by_id(connection: &Connection, id: i64) -> Result<Option<AccountRow>> {
    let mut statement = connection.prepare_cached(&format!("{ACCOUNTS} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(account_of).transpose()
}

/// The same by name.
pub(super) fn by_name(connection: &Connection, name: &str) -> Result<Option<AccountRow>> {
    let mut statement = connection.prepare_cached(&format!("{ACCOUNTS} WHERE name = ?1"))?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(account_of).transpose()
}

/// A token, inside a transaction.
pub(super) fn token_by_id(connection: &Connection, id: i64) -> Result<Option<TokenRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.id, a.name, t.name, t.scope, t.created_at, t.until_at, t.used_at
         FROM api_tokens t JOIN accounts a ON a.id = t.account_id WHERE t.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(token_of).transpose()
}

fn account_of(row: &Row<'_>) -> Result<AccountRow> {
    Ok(AccountRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role_of(row.get(2)?)?,
        is_active: row.get(3)?,
        has_password: row.get(4)?,
        created_at: row.get(5)?,
        modified_at: row.get(6)?,
        logged_in_at: row.get(7)?,
        n_sessions: row.get(8)?,
        n_tokens: row.get(9)?,
    })
}

fn token_of(row: &Row<'_>) -> Result<TokenRow> {
    let scope = row.get(3)?;
    Ok(TokenRow {
        id: row.get(0)?,
        account_name: row.get(1)?,
        name: row.get(2)?,
        scope: Scope::from_number(scope)
            .ok_or_else(|| Error::internal(format!("There is no scope {scope}")))?,
        created_at: row.get(4)?,
        until_at: row.get(5)?,
        used_at: row.get(6)?,
    })
}
