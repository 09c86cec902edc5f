// SPDX-License-Identifier: Apache-2.0
//! What a file of the spool says, against its row. What moves by itself after a file was written is no difference: an
//! action's counters and times, its signers' standing, what is known of an agent.

use crate::error::Result;
use crate::model::action::Action;
use crate::model::agent::Agent;
use crate::model::command::{ActionStatus, Command};
use crate::model::go_json;
use crate::ops::App;
use crate::ops::fleet::spooling::{PAPERS_PER_READ, papers};
use crate::spool::{Name, NewFile, Place};

/// By so many bytes a file may be larger than what would be written now: for what moves by itself.
const GROWTH_BYTES_MAX: u64 = 4 << 20;

/// True where the file of an action, which is there, says what its row says; also where the row has gone.
pub(super) fn is_true_action(app: &App, id: i64) -> Result<bool> {
    let Some(row) = app.store.action(id)? else { return Ok(true) };
    let wanted = papers::action_file(&row, row.status)?;
    let Some(text) = read(app, &wanted)? else { return Ok(false) };
    let Ok(found) = serde_json::from_str::<Action>(&text) else { return Ok(false) };
    let found_status = ActionStatus::from_word(&found.status);
    // Two statuses share each place of what is not over; the file is written once for both.
    let is_status = match row.status.is_over() {
        true => found_status == Some(row.status),
        false => found_status.is_some_and(|status| Place::of_action(status) == wanted.place),
    };
    Ok(is_status && lasting_action(found).to_json()? == lasting_action(row.to_action()?).to_json()?)
}

/// Those of these commands, whose files are there, whose files do not say what their rows say.
pub(super) fn untrue_commands(app: &App, ids: &[i64]) -> Result<Vec<(Place, Name)>> {
    let mut untrue = Vec::new();
    for few in ids.chunks(PAPERS_PER_READ) {
        for wanted in papers::stored_command_files(app, few, None)? {
            if !is_true_command(app, &wanted)? {
                untrue.push((wanted.place, wanted.name));
            }
        }
    }
    Ok(untrue)
}

fn is_true_command(app: &App, wanted: &NewFile) -> Result<bool> {
    let Some(text) = read(app, wanted)? else { return Ok(false) };
    let Ok(found) = serde_json::from_str::<Command>(&text) else { return Ok(false) };
    let Ok(expected) = serde_json::from_str::<Command>(&wanted.text) else { return Ok(false) };
    Ok(lasting_command(found).to_json()? == lasting_command(expected).to_json()?)
}

fn read(app: &App, wanted: &NewFile) -> Result<Option<String>> {
    let bytes_max = (wanted.text.len() as u64).saturating_add(GROWTH_BYTES_MAX);
    let bytes = app.spool.read(wanted.place, wanted.name, bytes_max)?;
    Ok(bytes.map(|bytes| go_json::lenient_text(&bytes).into_owned()))
}

/// An action without what moves by itself.
fn lasting_action(action: Action) -> Action {
    let moving = Action::default();
    Action {
        status: moving.status,
        starttime: moving.starttime,
        finishtime: moving.finishtime,
        lastupdatetime: moving.lastupdatetime,
        counters: moving.counters,
        investigators: moving.investigators,
        ..action
    }
}

fn lasting_command(command: Command) -> Command {
    Command {
        action: lasting_action(command.action),
        agent: Agent { id: command.agent.id, ..Agent::default() },
        ..command
    }
}
