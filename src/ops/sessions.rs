// SPDX-License-Identifier: Apache-2.0
//! Sessions of people who are logged in: how they begin, last and end.

use crate::error::{Error, Result};
use crate::model::account::LoggedIn;
use crate::model::audit::Actor;
use crate::model::credentials::{NAME_BYTES_MAX, PASSWORD_BYTES_MAX};
use crate::model::record::hex;
use crate::ops::{App, passwords};
use crate::store::{NewSession, secret_digest};
use std::net::IpAddr;

/// A session is moved on when this part of its time is over, so that not each request writes.
const MOVE_ON_AFTER: i64 = 10;

/// Who wants to log in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The name that was entered.
    pub name: &'a str,
    /// The password that was entered.
    pub password: &'a str,
    /// From where.
    pub peer: IpAddr,
    /// What the browser says of itself.
    pub user_agent: &'a str,
}

/// Begins a session, always a new one, and gives its secret, which the cookie holds; none where name or password is
/// wrong or the account is disabled, all after the same time. Busy where too many log in at the moment.
pub fn begin(app: &App, login: Login<'_>) -> Result<Option<String>> {
    if login.name.len() > NAME_BYTES_MAX || login.password.len() > PASSWORD_BYTES_MAX {
        return Ok(None);
    }
    let stored = app.store.stored_password(login.name)?;
    let hash = stored.as_ref().and_then(|stored| stored.hash.as_deref());
    let is_right = app.hashing.is_right(login.password, hash)?;
    let Some(stored) = stored else {
        // What was entered as the name is perhaps a password.
        log::info!("A login failed from {}: there is no such account", login.peer);
        return Ok(None);
    };
    let (true, true, Some(password_hash)) = (is_right, stored.is_active, stored.hash) else {
        log::info!("A login as {} failed from {}", stored.name, login.peer);
        return Ok(None);
    };
    let mut secret = [0; 32];
    passwords::random(&mut secret)?;
    let secret = hex(&secret);
    let new = NewSession {
        account_id: stored.account_id,
        password_hash,
        digest: secret_digest(&secret),
        until_at: app.clock.now() + app.config.access.session_secs,
        peer: login.peer.to_string(),
        user_agent: login.user_agent.to_owned(),
    };
    let actor = Actor { name: stored.name, origin: login.peer.to_string() };
    Ok(app.store.insert_session(new, actor)?.then_some(secret))
}

/// Ends the session with this digest, of this account. NotFound where there is no such one.
pub fn end(app: &App, account_id: i64, digest: [u8; 32], actor: &Actor) -> Result<()> {
    match app.store.end_session(account_id, digest, actor.clone())? {
        true => Ok(()),
        false => Err(Error::not_found("This session has ended before")),
    }
}

/// The account of a session; none where it has ended or never was. Using it moves its end on.
pub fn account(app: &App, secret: &str) -> Result<Option<LoggedIn>> {
    let (digest, now) = (secret_digest(secret), app.clock.now());
    let Some((account, until_at)) = app.store.account_of_session(digest, now)? else { return Ok(None) };
    let fresh_until = now + app.config.access.session_secs;
    if fresh_until - until_at > app.config.access.session_secs / MOVE_ON_AFTER
        && let Err(error) = app.store.move_session_on(digest, fresh_until)
    {
        // Who is logged in may read on a full disk, too.
        log::warn!("A session cannot be moved on: {}", error.with_causes());
    }
    Ok(Some(account))
}

/// The same without using it: an open stream does not keep anybody logged in.
pub fn account_unmoved(app: &App, secret: &str) -> Result<Option<LoggedIn>> {
    Ok(app.store.account_of_session(secret_digest(secret), app.clock.now())?.map(|(account, _)| account))
}
