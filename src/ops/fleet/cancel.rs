// SPDX-License-Identifier: Apache-2.0
//! Stopping an action.

use crate::error::{Error, Result};
use crate::model::audit::Actor;
use crate::ops::App;
use crate::store::fleet::ActionRow;

/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 2_000;

/// Cancels an action that is not over, then its open commands. What agents have fetched they may still run; their
/// answers are kept as late. The scheduler moves the files; a process without one does it by
/// [`spooling::after_cancel`](crate::ops::fleet::spooling::after_cancel). Kinds: Invalid where the reason is empty or
/// too long, NotFound, Conflict where it is over.
pub fn cancel(app: &App, id: i64, reason: &str, actor: &Actor) -> Result<ActionRow> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX || reason.contains('\0') {
        let message = format!("Say in 1 to {REASON_BYTES_MAX} bytes why the action is cancelled");
        return Err(Error::invalid(message));
    }
    app.store.cancel_action(id, reason, actor)?;
    log::info!("Cancelled action {id}: {reason:?}");
    finish(app, id)?;
    app.dispatch.follow_cancelled(id);
    app.store.action(id)?.ok_or_else(|| Error::not_found(format!("Action ID '{id}' not found")))
}

/// Cancels what commands are still open of an action that is cancelled; also of one whose cancelling was cut off.
/// Leaves the commands of any other action, and all files, alone.
pub fn finish(app: &App, id: i64) -> Result<()> {
    while app.store.cancel_commands(id)? > 0 {}
    Ok(())
}
