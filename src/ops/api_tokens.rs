// SPDX-License-Identifier: Apache-2.0
//! API tokens: what programs show who they are by.

use crate::error::{Error, Result};
use crate::model::account::{LoggedIn, Scope};
use crate::model::audit::Actor;
use crate::model::credentials::{check_token_days, checked_token_name};
use crate::model::record::hex;
use crate::model::time::DAY_SECS;
use crate::ops::{App, passwords};
use crate::store::{NewToken, TokenRow, secret_digest};

/// What every token begins with, so that it is known where it leaked.
const PREFIX: &str = "mst_";
/// That a token is used is noted once in so many seconds.
const NOTE_EVERY_SECS: i64 = 3_600;

/// A token to be made.
#[derive(Clone, Copy, Debug)]
pub struct Adding<'a> {
    /// The account's name.
    pub account: &'a str,
    /// What it is for.
    pub name: &'a str,
    /// What it may do; never more than the account.
    pub scope: Scope,
    /// After so many days it ends; none: never.
    pub days: Option<i64>,
}

/// A token that was made: itself, this once, and what is kept of it.
#[derive(Clone, Debug)]
pub struct Added {
    /// The token.
    pub token: String,
    /// What is known of it from now on.
    pub row: TokenRow,
}

/// Makes a token. Invalid where it does not fit, NotFound where there is no such account, Conflict where that is disabled
/// or has as many as can be.
pub fn add(app: &App, adding: Adding<'_>, actor: &Actor) -> Result<Added> {
    let name = checked_token_name(adding.name)?;
    if let Some(days) = adding.days {
        check_token_days(days)?;
    }
    let mut secret = [0; 32];
    passwords::random(&mut secret)?;
    let token = format!("{PREFIX}{}", hex(&secret));
    let new = NewToken {
        account_name: adding.account.to_owned(),
        digest: secret_digest(&token),
        name,
        scope: adding.scope,
        until_at: adding.days.map(|days| app.clock.now() + days * DAY_SECS),
    };
    let row = app.store.insert_token(new, actor.clone())?;
    log::info!("Made API token {} of the account {}", row.id, row.account_name);
    Ok(Added { token, row })
}

/// Ends a token, of this account where one is given. NotFound where there is no such one.
pub fn revoke(app: &App, id: i64, account_id: Option<i64>, actor: &Actor) -> Result<()> {
    if !app.store.delete_token(id, account_id, actor.clone())? {
        return Err(Error::not_found(format!("There is no API token {id}")));
    }
    log::info!("Revoked API token {id}");
    Ok(())
}

/// The account of a token; none where it has ended or never was.
pub fn account(app: &App, token: &str) -> Result<Option<LoggedIn>> {
    let (digest, now) = (secret_digest(token), app.clock.now());
    let Some((account, used_at)) = app.store.account_of_token(digest, now)? else { return Ok(None) };
    if used_at.is_none_or(|used_at| !(0..NOTE_EVERY_SECS).contains(&(now - used_at)))
        && let Err(error) = app.store.note_token_used(digest, now)
    {
        // A program may read on a full disk, too.
        log::warn!("The use of an API token cannot be noted: {}", error.with_causes());
    }
    Ok(Some(account))
}
