// SPDX-License-Identifier: Apache-2.0
//! Adding, changing and removing accounts. What takes something from an account ends its sessions in the same
//! transaction.

use super::list::{AccountRow, by_id, by_name};
use crate::error::{Error, Kind, Result};
use crate::model::account::Role;
use crate::model::audit::{Actor, Audit};
use crate::store::Store;
use crate::store::audit::insert_audit;
use crate::store::writer::Write;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Accounts that are kept; each was added by a person.
const ACCOUNTS_MAX: i64 = 1_000;

/// Whether something must leave an active admin who can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastAdmin {
    /// True where it must: what would not is refused.
    pub is_kept: bool,
    /// True where a proxy logs people in, so that an admin needs no password.
    pub without_password: bool,
}

/// An account to be added; checked before.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The name.
    pub name: String,
    /// argon2id, PHC string format; none where a proxy logs it in.
    pub password_hash: Option<String>,
    /// What it may do; none: admin where it is the first, else viewer.
    pub role: Option<Role>,
    /// Whether there must be an admin afterwards.
    pub last_admin: LastAdmin,
}

/// What becomes of an account.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// It may do this from now on.
    Role(Role),
    /// This is its password's hash from now on; none where a proxy logs it in.
    Password(Option<String>),
    /// Nobody gets in by it any more; its API tokens are gone.
    Disable,
    /// It counts again.
    Enable,
    /// It is gone, with its API tokens.
    Remove,
    /// Its sessions end, and no more.
    EndSessions,
}

impl AccountChange {
    fn action(&self) -> &'static str {
        match self {
            AccountChange::Role(_) => "account.role",
            AccountChange::Password(_) => "account.password",
            AccountChange::Disable => "account.disable",
            AccountChange::Enable => "account.enable",
            AccountChange::Remove => "account.remove",
            AccountChange::EndSessions => "account.logout",
        }
    }

    /// True where nothing would be changed.
    fn is_already(&self, row: &AccountRow) -> bool {
        match self {
            AccountChange::Role(role) => row.role == *role,
            AccountChange::Disable => !row.is_active,
            AccountChange::Enable => row.is_active,
            AccountChange::EndSessions => row.n_sessions == 0,
            AccountChange::Password(None) => !row.has_password && row.n_sessions == 0,
            AccountChange::Password(Some(_)) | AccountChange::Remove => false,
        }
    }
}

/// How an account was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is, or as it was where it is gone.
    pub account: AccountRow,
    /// False where it was so already.
    pub is_changed: bool,
    /// Sessions that were ended.
    pub n_ended: usize,
    /// True where an active admin is left who can log in.
    pub has_admin: bool,
    /// False where it was the last account: then who is on this host may do everything.
    pub has_accounts: bool,
}

impl Store {
    /// Adds an active account. Conflict where the name is there, in whatever case its letters are.
    pub fn insert_account(&self, new: NewAccount, actor: Actor) -> Result<AccountRow> {
        self.writer().change(true, move |write| insert(write, &new, &actor))
    }

    /// Changes the account of this name. NotFound where there is none, Conflict where `last_admin` forbids it.
    pub fn change_account(
        &self,
        name: &str,
        change: AccountChange,
        last_admin: LastAdmin,
        actor: Actor,
    ) -> Result<Changed> {
        let name = name.to_owned();
        // A full disk must not keep an account from being disabled.
        self.writer().change(false, move |write| apply(write, &name, &change, last_admin, &actor))
    }

    /// Ends the sessions of all accounts; how many there were.
    pub fn end_all_sessions(&self, actor: Actor) -> Result<usize> {
        self.writer().change(false, move |write| {
            let n_ended = write.connection.execute("DELETE FROM sessions", [])?;
            if n_ended == 0 {
                return Ok(0);
            }
            let audit = Audit::new(&actor, "account.logout", "all accounts");
            insert_audit(write.connection, write.now, &audit.after(json!({ "sessions_ended": n_ended })))?;
            Ok(n_ended)
        })
    }
}

fn insert(write: &mut Write<'_>, new: &NewAccount, actor: &Actor) -> Result<AccountRow> {
    let connection = write.connection;
    let mut same = connection.prepare_cached("SELECT name FROM accounts WHERE name = ?1 COLLATE NOCASE")?;
    let mut rows = same.query([&new.name])?;
    if let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        return Err(Error::new(Kind::Conflict, format!("There is an account {name} already")));
    }
    let count = count_accounts(connection)?;
    if count >= ACCOUNTS_MAX {
        let message = format!("There are {count} accounts, as many as can be; remove some first");
        return Err(Error::new(Kind::Conflict, message));
    }
    let role = new.role.unwrap_or(if count == 0 { Role::Admin } else { Role::Viewer });
    connection
        .prepare_cached(
            "INSERT INTO accounts (name, password_hash, role, created_at, modified_at)
             VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(rusqlite::params![new.name, new.password_hash, role.number(), write.now])?;
    let id = connection.last_insert_rowid();
    let row = by_id(connection, id)?.ok_or_else(|| Error::internal("An account that was added is gone"))?;
    keep_admin(connection, new.last_admin)?;
    insert_audit(
        connection,
        write.now,
        &Audit::new(actor, "account.add", subject(&row.name)).after(shown(&row)),
    )?;
    Ok(row)
}

fn apply(
    write: &mut Write<'_>,
    name: &str,
    change: &AccountChange,
    last_admin: LastAdmin,
    actor: &Actor,
) -> Result<Changed> {
    let connection = write.connection;
    let before = by_name(connection, name)?.ok_or_else(|| gone(name))?;
    if change.is_already(&before) {
        let has_admin = has_admin(connection, last_admin.without_password)?;
        return Ok(Changed { account: before, is_changed: false, n_ended: 0, has_admin, has_accounts: true });
    }
    let (id, now) = (before.id, write.now);
    let n_ended = connection.prepare_cached("DELETE FROM sessions WHERE account_id = ?1")?.execute([id])?;
    if matches!(change, AccountChange::Disable | AccountChange::Remove) {
        connection.prepare_cached("DELETE FROM api_tokens WHERE account_id = ?1")?.execute([id])?;
    }
    let had_admin = has_admin(connection, last_admin.without_password)?;
    match change {
        AccountChange::Role(role) => {
            let sql = "UPDATE accounts SET role = ?2, modified_at = ?3 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([id, role.number(), now])?;
        }
        AccountChange::Password(hash) => {
            let sql = "UPDATE accounts SET password_hash = ?2, modified_at = ?3 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(rusqlite::params![id, hash, now])?;
        }
        AccountChange::Disable | AccountChange::Enable => {
            let is_active = matches!(change, AccountChange::Enable);
            let sql = "UPDATE accounts SET is_active = ?2, modified_at = ?3 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([id, i64::from(is_active), now])?;
        }
        AccountChange::Remove => {
            connection.prepare_cached("DELETE FROM accounts WHERE id = ?1")?.execute([id])?;
        }
        AccountChange::EndSessions => {}
    }
    if had_admin {
        keep_admin(connection, last_admin)?;
    }
    let after = by_id(connection, id)?;
    insert_audit(connection, now, &entry(change, actor, &before, after.as_ref(), n_ended))?;
    let has_admin = has_admin(connection, last_admin.without_password)?;
    let has_accounts = after.is_some() || count_accounts(connection)? > 0;
    Ok(Changed { account: after.unwrap_or(before), is_changed: true, n_ended, has_admin, has_accounts })
}

/// What the audit log says of a change: never a password or its hash.
fn entry(
    change: &AccountChange,
    actor: &Actor,
    before: &AccountRow,
    after: Option<&AccountRow>,
    n_ended: usize,
) -> Audit {
    let audit = Audit::new(actor, change.action(), subject(&before.name));
    if let AccountChange::EndSessions = change {
        return audit.after(json!({ "sessions_ended": n_ended }));
    }
    audit.before(shown(before)).after(after.map_or(Value::Null, shown))
}

/// An account as the audit log shows it.
fn shown(row: &AccountRow) -> Value {
    json!({
        "role": row.role.word(),
        "active": row.is_active,
        "password": row.has_password,
        "sessions": row.n_sessions,
        "tokens": row.n_tokens,
    })
}

/// What the audit log calls an account.
pub(super) fn subject(name: &str) -> String {
    format!("account {name}")
}

/// There is no such account.
pub(super) fn gone(name: &str) -> Error {
    let name = crate::model::filter::shortened(name);
    Error::not_found(format!("There is no account {name}; `muster account list` names them"))
}

/// Conflict where there must be an admin, and there is none.
fn keep_admin(connection: &Connection, last_admin: LastAdmin) -> Result<()> {
    if last_admin.is_kept && !has_admin(connection, last_admin.without_password)? {
        let message = "There must be an active admin who can log in; make another one first";
        return Err(Error::new(Kind::Conflict, message));
    }
    Ok(())
}

fn count_accounts(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))?)
}

/// True where there is an active admin; with a password, unless it takes none.
fn has_admin(connection: &Connection, without_password: bool) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM accounts
           WHERE is_active AND role = ?1 AND (?2 OR password_hash IS NOT NULL))",
    )?;
    Ok(statement.query_row(rusqlite::params![Role::Admin.number(), without_password], |row| row.get(0))?)
}
