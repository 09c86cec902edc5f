// SPDX-License-Identifier: Apache-2.0
//! Sessions of people who are logged in.

use crate::error::Result;
use crate::model::account::LoggedIn;
use crate::ops::App;
use crate::store::secret_digest;

/// A session is moved on when this part of its time is over, so that not each request writes.
const MOVE_ON_AFTER: i64 = 10;

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
