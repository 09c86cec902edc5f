// SPDX-License-Identifier: Apache-2.0
//! Accounts: adding, changing and removing them, for the command line and the pages alike.

use crate::error::{Error, Kind, Result};
use crate::model::account::Role;
use crate::model::audit::Actor;
use crate::model::credentials::{check_name, check_password};
use crate::ops::App;
use crate::store::{AccountChange, AccountRow, Changed, LastAdmin, NewAccount};

/// An account to be added.
#[derive(Clone, Copy, Debug)]
pub struct Adding<'a> {
    /// The name.
    pub name: &'a str,
    /// The password; none where a proxy logs it in.
    pub password: Option<&'a str>,
    /// What it may do; none: admin where it is the first, else viewer.
    pub role: Option<Role>,
    /// True where there must be an admin who can log in afterwards.
    pub keeps_admin: bool,
}

/// Adds an account. Invalid where name or password does not fit, Conflict where the name is there.
pub fn add(app: &App, adding: Adding<'_>, actor: &Actor) -> Result<AccountRow> {
    check_name(adding.name)?;
    let password_hash = adding.password.map(|password| hashed(app, adding.name, password)).transpose()?;
    let new = NewAccount {
        name: adding.name.to_owned(),
        password_hash,
        role: adding.role,
        last_admin: last_admin(app, adding.keeps_admin),
    };
    let row = app.store.insert_account(new, actor.clone())?;
    log::info!("Added account {}, {}", row.name, row.role.word());
    Ok(row)
}

/// Gives an account a password; none where a proxy logs it in from now on. Its sessions end.
pub fn set_password(
    app: &App,
    name: &str,
    password: Option<&str>,
    keeps_admin: bool,
    actor: &Actor,
) -> Result<Changed> {
    let hash = password.map(|password| hashed(app, name, password)).transpose()?;
    change(app, name, AccountChange::Password(hash), keeps_admin, actor)
}

/// Changes an account otherwise. NotFound where there is none of this name, Conflict where an admin must be left and
/// none would be.
pub fn change(
    app: &App,
    name: &str,
    change: AccountChange,
    keeps_admin: bool,
    actor: &Actor,
) -> Result<Changed> {
    let what = match &change {
        AccountChange::Role(role) => role.word(),
        AccountChange::Password(_) => "a new password",
        AccountChange::Disable => "disabled",
        AccountChange::Enable => "enabled",
        AccountChange::Remove => "removed",
        AccountChange::EndSessions => "logged out",
    };
    let changed = app.store.change_account(name, change, last_admin(app, keeps_admin), actor.clone())?;
    if changed.is_changed {
        log::info!("Changed account {}: {what}", changed.account.name);
    }
    Ok(changed)
}

/// Refuses a present password that is not the account's. Forbidden where it is wrong or there is none, Busy where too
/// many are looked at.
pub fn check_present_password(app: &App, name: &str, password: &str) -> Result<()> {
    let stored = app.store.stored_password(name)?;
    let hash = stored.as_ref().and_then(|stored| stored.hash.as_deref());
    if hash.is_none() {
        return Err(Error::new(Kind::Conflict, "This account has no password; a proxy logs it in"));
    }
    match app.hashing.is_right(password, hash)? {
        true => Ok(()),
        false => Err(Error::new(Kind::Forbidden, "The present password is wrong")),
    }
}

/// Refuses a password before anything else is done with it.
fn hashed(app: &App, name: &str, password: &str) -> Result<String> {
    check_password(name, password)?;
    app.hashing.hash(password)
}

fn last_admin(app: &App, is_kept: bool) -> LastAdmin {
    LastAdmin { is_kept, without_password: !app.config.access.proxy_header.is_empty() }
}
