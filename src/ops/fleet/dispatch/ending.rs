// SPDX-License-Identifier: Apache-2.0
//! Actions that end: completed, expired, refused.

use crate::error::Result;
use crate::model::command::{ActionStatus, CommandStatus};
use crate::ops::App;
use crate::ops::fleet::spooling::{FILES_PER_TURN, end_commands, move_action};

/// Every command is over.
pub fn complete(app: &App, id: i64, now: i64) -> Result<()> {
    let _turn = app.spool.turn();
    let Some(row) = app.store.action(id)? else { return Ok(()) };
    if row.status == ActionStatus::Inflight
        && row.counters.open() == 0
        && move_action(app, &row, ActionStatus::Completed, "", now)?
    {
        log::info!("Action {id} is completed: {} commands", row.counters.total());
    }
    Ok(())
}

/// It cannot run, for this reason.
pub fn refuse(app: &App, id: i64, reason: &str, now: i64) -> Result<()> {
    let _turn = app.spool.turn();
    let Some(row) = app.store.action(id)? else { return Ok(()) };
    if row.status < ActionStatus::Inflight && move_action(app, &row, ActionStatus::Invalid, reason, now)? {
        log::info!("Action {id} is invalid: {reason}");
    }
    Ok(())
}

/// Its time is over: the commands that were not answered have expired.
pub fn expire(app: &App, id: i64, now: i64) -> Result<()> {
    let mut n_expired = 0;
    loop {
        app.dispatch.refuse_when_stopping()?;
        let _turn = app.spool.turn();
        let ids = app.store.open_commands(id, FILES_PER_TURN)?;
        if ids.is_empty() {
            break;
        }
        n_expired += end_commands(app, &ids, CommandStatus::Expired, now)?;
    }
    log::info!("{n_expired} commands of action {id} have expired");
    complete(app, id, now)
}
