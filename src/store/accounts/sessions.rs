// SPDX-License-Identifier: Apache-2.0
//! Sessions and API tokens as they begin and end.

use super::change::{gone, subject};
use super::list::{TokenRow, by_id, by_name, token_by_id};
use crate::error::{Error, Kind, Result};
use crate::model::account::Scope;
use crate::model::audit::{Actor, Audit};
use crate::store::Store;
use crate::store::audit::insert_audit;
use crate::store::writer::Write;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Sessions of one account; with one more the oldest ends.
const SESSIONS_MAX: i64 = 50;
/// API tokens of one account.
const TOKENS_MAX: i64 = 100;
/// Characters that are kept of what a browser says of itself.
const USER_AGENT_CHARS_MAX: usize = 200;
/// A token that has ended is shown as ended for so long.
const ENDED_TOKEN_SECS: i64 = 30 * 86_400;

/// A session to be begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose.
    pub account_id: i64,
    /// The hash that the password was compared with: where the account has another one by now, nothing begins.
    pub password_hash: String,
    /// SHA-256 of the cookie's value.
    pub digest: [u8; 32],
    /// When it ends, unless it is used before.
    pub until_at: i64,
    /// The address that logs in.
    pub peer: String,
    /// What the browser says of itself.
    pub user_agent: String,
}

/// An API token to be made; checked before.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The account's name.
    pub account_name: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it ends; none: never.
    pub until_at: Option<i64>,
}

impl Store {
    /// Begins a session; false where the account was disabled, removed or given another password meanwhile.
    pub fn insert_session(&self, new: NewSession, actor: Actor) -> Result<bool> {
        // Who is let in may look at a full disk, too.
        self.writer().change(false, move |write| begin(write, &new, &actor))
    }

    /// Ends one session of an account; false where there is no such one.
    pub fn end_session(&self, account_id: i64, digest: [u8; 32], actor: Actor) -> Result<bool> {
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let n_ended = connection
                .prepare_cached("DELETE FROM sessions WHERE digest = ?1 AND account_id = ?2")?
                .execute(rusqlite::params![&digest[..], account_id])?;
            if n_ended == 1
                && let Some(account) = by_id(connection, account_id)?
            {
                let audit = Audit::new(&actor, "session.logout", subject(&account.name));
                insert_audit(connection, write.now, &audit)?;
            }
            Ok(n_ended == 1)
        })
    }

    /// Makes an API token. NotFound where there is no such account, Conflict where it is disabled or has as many as can
    /// be.
    pub fn insert_token(&self, new: NewToken, actor: Actor) -> Result<TokenRow> {
        self.writer().change(true, move |write| make_token(write, &new, &actor))
    }

    /// Removes an API token, of this account where one is given; false where there is no such one.
    pub fn delete_token(&self, id: i64, account_id: Option<i64>, actor: Actor) -> Result<bool> {
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let Some(token) = token_by_id(connection, id)? else { return Ok(false) };
            let n_deleted = connection
                .prepare_cached("DELETE FROM api_tokens WHERE id = ?1 AND (?2 IS NULL OR account_id = ?2)")?
                .execute(rusqlite::params![id, account_id])?;
            if n_deleted == 1 {
                let audit = Audit::new(&actor, "token.revoke", subject(&token.account_name));
                insert_audit(connection, write.now, &audit.before(shown(&token)))?;
            }
            Ok(n_deleted == 1)
        })
    }

    /// Notes that an API token was used at `now`.
    pub fn note_token_used(&self, digest: [u8; 32], now: i64) -> Result<()> {
        self.writer().change(false, move |write| {
            write
                .connection
                .prepare_cached("UPDATE api_tokens SET used_at = ?2 WHERE digest = ?1")?
                .execute(rusqlite::params![&digest[..], now])?;
            Ok(())
        })
    }

    /// Removes sessions that have ended by `now`, and API tokens that ended a month before; how many.
    pub fn delete_ended_sessions(&self, now: i64) -> Result<usize> {
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let n_sessions = connection.execute("DELETE FROM sessions WHERE until_at <= ?1", [now])?;
            let n_tokens = connection
                .execute("DELETE FROM api_tokens WHERE until_at <= ?1", [now - ENDED_TOKEN_SECS])?;
            Ok(n_sessions + n_tokens)
        })
    }
}

fn begin(write: &mut Write<'_>, new: &NewSession, actor: &Actor) -> Result<bool> {
    let (connection, now) = (write.connection, write.now);
    let n_noted = connection
        .prepare_cached(
            "UPDATE accounts SET logged_in_at = ?3 WHERE id = ?1 AND is_active AND password_hash = ?2",
        )?
        .execute(rusqlite::params![new.account_id, new.password_hash, now])?;
    if n_noted == 0 {
        return Ok(false);
    }
    let user_agent: String = new.user_agent.chars().take(USER_AGENT_CHARS_MAX).collect();
    connection
        .prepare_cached(
            "DELETE FROM sessions WHERE account_id = ?1 AND (until_at <= ?2 OR digest IN (
               SELECT digest FROM sessions WHERE account_id = ?1 AND until_at > ?2
               ORDER BY created_at DESC, until_at DESC LIMIT -1 OFFSET ?3))",
        )?
        .execute([new.account_id, now, SESSIONS_MAX - 1])?;
    connection
        .prepare_cached(
            "INSERT INTO sessions (digest, account_id, created_at, until_at, peer, user_agent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(rusqlite::params![
            &new.digest[..],
            new.account_id,
            now,
            new.until_at,
            new.peer,
            user_agent
        ])?;
    insert_audit(connection, now, &Audit::new(actor, "session.login", subject(&actor.name)))?;
    Ok(true)
}

fn make_token(write: &mut Write<'_>, new: &NewToken, actor: &Actor) -> Result<TokenRow> {
    let connection = write.connection;
    let account = by_name(connection, &new.account_name)?.ok_or_else(|| gone(&new.account_name))?;
    if !account.is_active {
        let message = format!("The account {} is disabled", account.name);
        return Err(Error::new(Kind::Conflict, message));
    }
    if count_tokens(connection, account.id)? >= TOKENS_MAX {
        let message = format!(
            "The account {} has {TOKENS_MAX} API tokens, as many as can be; revoke some first",
            account.name
        );
        return Err(Error::new(Kind::Conflict, message));
    }
    connection
        .prepare_cached(
            "INSERT INTO api_tokens (digest, account_id, name, scope, created_at, until_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(rusqlite::params![
            &new.digest[..],
            account.id,
            new.name,
            new.scope.number(),
            write.now,
            new.until_at
        ])?;
    let id = connection.last_insert_rowid();
    let token =
        token_by_id(connection, id)?.ok_or_else(|| Error::internal("A token that was made is not there"))?;
    let audit = Audit::new(actor, "token.add", subject(&account.name)).after(shown(&token));
    insert_audit(connection, write.now, &audit)?;
    Ok(token)
}

fn count_tokens(connection: &Connection, account_id: i64) -> Result<i64> {
    let sql = "SELECT count(*) FROM api_tokens WHERE account_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([account_id], |row| row.get(0))?)
}

/// A token as the audit log shows it.
fn shown(token: &TokenRow) -> Value {
    json!({ "id": token.id, "for": token.name, "scope": token.scope.word(), "until_at": token.until_at })
}
