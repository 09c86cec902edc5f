// SPDX-License-Identifier: Apache-2.0
//! The spool beside the database: what is written when, what a start finds half done, what people drop in.
//!
//! ```text
//! new file  ->  row  ->  old file removed        cut off anywhere, the row says which file is one too many
//! ```

mod contents;
mod dropped;
mod papers;
mod reconcile;

pub use dropped::Drops;
pub use papers::{Paper, command_texts};
pub use reconcile::{Depth, Differences, Mode, reconcile};

use crate::error::Result;
use crate::model::action::Action;
use crate::model::command::{ActionStatus, CommandStatus};
use crate::ops::App;
use crate::spool::{Dropped, Name, NewFile, Place, Spool};
use crate::store::fleet::{ActionMove, ActionRow, CommandQuery, CommandState};
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, PoisonError};

/// Files that are written and removed in one turn.
pub const FILES_PER_TURN: usize = 500;
/// Bytes of files that are held in memory to be written together.
pub const BYTES_PER_WRITE: usize = 16 << 20;
/// Commands that are read together where each may have megabytes of results.
const PAPERS_PER_READ: usize = 16;

/// The file of an action that is being submitted. It is written while the action's transaction is open; where the
/// action is not stored in the end, dropping this removes it.
#[derive(Debug)]
pub struct SubmittedFile {
    spool: Arc<Spool>,
    written: Arc<Mutex<Vec<i64>>>,
}

impl SubmittedFile {
    /// For one submission; nothing is written yet.
    pub fn new(app: &App) -> SubmittedFile {
        SubmittedFile { spool: Arc::clone(&app.spool), written: Arc::default() }
    }

    /// What is to be called with the action's id and JSON before the commit, again where the transaction is run again.
    pub fn hook(&self) -> impl FnMut(i64, &str) -> Result<()> + Send + 'static {
        let (spool, written) = (Arc::clone(&self.spool), Arc::clone(&self.written));
        move |id, json| {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            let name = Name::Action(id);
            if !written.contains(&id) {
                let file = OsString::from(name.to_string());
                if spool.contains(Place::ActionNew, name)? && !is_same_action(&spool, &file, json)? {
                    spool.set_aside_dropped(&file)?;
                }
                written.push(id);
            }
            spool.write(&[NewFile { place: Place::ActionNew, name, text: json.to_owned() }])
        }
    }

    /// The action is stored under this id: its file stays.
    pub fn keep(self, id: i64) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).retain(|written| *written != id);
    }
}

impl Drop for SubmittedFile {
    fn drop(&mut self) {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<(Place, Name)> =
            written.iter().map(|id| (Place::ActionNew, Name::Action(*id))).collect();
        if let Err(error) = self.spool.remove(&files) {
            log::warn!("The file of an action that was not stored stays: {}", error.with_causes());
        }
    }
}

/// True where a file of `action/new` holds this action: an earlier run wrote it and was cut off before the commit.
fn is_same_action(spool: &Spool, file: &OsStr, json: &str) -> Result<bool> {
    let Dropped::Read { bytes, .. } = spool.read_dropped(file)? else { return Ok(false) };
    let Ok(found) = Action::from_json(&bytes) else { return Ok(false) };
    Ok(found.signed_text()? == Action::from_json(json.as_bytes())?.signed_text()?)
}

/// Moves an action on: its new file, its row, its old file gone. False where it is not there any more from where it
/// should start. The caller holds the spool's turn.
pub fn move_action(app: &App, row: &ActionRow, to: ActionStatus, reason: &str, now: i64) -> Result<bool> {
    let mut next = row.clone();
    next.updated_at = Some(now);
    if to == ActionStatus::Preparing {
        next.started_at = Some(now);
    }
    if to.is_over() {
        next.finished_at = Some(now);
    }
    let file = papers::action_file(&next, to)?;
    let (new_place, old_place) = (file.place, Place::of_action(row.status));
    app.spool.write(&[file])?;
    let change = ActionMove { id: row.id, from: row.status, to, reason: reason.to_owned(), now };
    let is_moved = app.store.move_action(change)?;
    let surplus = if is_moved { old_place } else { new_place };
    if new_place != old_place {
        removed(app, &[(surplus, Name::Action(row.id))]);
    }
    if is_moved && !reason.is_empty() {
        app.spool.write_reason(row.id, reason)?;
    }
    Ok(is_moved)
}

/// Removes files that are one too many. What stays is found by the next comparison, which is asked for.
pub fn removed(app: &App, files: &[(Place, Name)]) {
    if let Err(error) = app.spool.remove(files) {
        log::warn!("A file of the spool stays where it is no longer true: {}", error.with_causes());
        app.dispatch.ask_for_comparison();
    }
}

/// Lets the files of an action that was cancelled follow its rows: the action's and those of its commands go to the
/// places of what is over.
pub fn after_cancel(app: &App, id: i64) -> Result<()> {
    {
        let _turn = app.spool.turn();
        let Some(row) = app.store.action(id)? else { return Ok(()) };
        app.spool.write(&[papers::action_file(&row, row.status)?])?;
        // Elsewhere it was before; in the place of invalid ones there may be a dropped file of this name.
        let places = [Place::ActionNew, Place::ActionInflight];
        let others = places.into_iter().filter(|other| *other != Place::of_action(row.status));
        removed(app, &others.map(|other| (other, Name::Action(id))).collect::<Vec<_>>());
    }
    let mut query = CommandQuery {
        action_id: id,
        status: Some(CommandStatus::Cancelled),
        has_found: None,
        offset: 0,
        rows_max: FILES_PER_TURN as i64,
    };
    loop {
        let ids = app.store.command_ids_of_action(&query)?;
        let _turn = app.spool.turn();
        follow_commands(app, &ids)?;
        if ids.len() < FILES_PER_TURN {
            return Ok(());
        }
        query.offset += query.rows_max;
    }
}

/// Ends commands that nobody answered, file by file and row by row; how many it ended. The caller holds the spool's
/// turn.
pub fn end_commands(app: &App, ids: &[i64], to: CommandStatus, now: i64) -> Result<usize> {
    for_files(app, ids, Some((to, now)), |files| app.spool.write(files))?;
    let ended = app.store.end_commands(ids.to_vec(), to, now)?;
    // Those that another process cancelled meanwhile, too, get the file that their row wants.
    let others: Vec<i64> = ids.iter().copied().filter(|id| ended.binary_search(id).is_err()).collect();
    follow_commands(app, &others)?;
    for_names(app, &ended, |names| {
        let places = [Place::CommandReady, Place::CommandInflight];
        let surplus = names.iter().flat_map(|name| places.map(|place| (place, *name)));
        removed(app, &surplus.collect::<Vec<_>>());
    })?;
    Ok(ended.len())
}

fn for_names(app: &App, ids: &[i64], with: impl FnOnce(&[Name])) -> Result<()> {
    let states = app.store.command_states(ids)?;
    let name = |state: CommandState| Name::Command { action_id: state.action_id, id: state.id };
    with(&states.into_iter().flatten().map(name).collect::<Vec<_>>());
    Ok(())
}

/// Writes the files of commands where their rows say, and removes them elsewhere. The caller holds the spool's turn.
pub fn follow_commands(app: &App, ids: &[i64]) -> Result<()> {
    for_files(app, ids, None, |files| {
        app.spool.write(files)?;
        let mut surplus = Vec::new();
        for file in files {
            let others = Place::ALL.iter().filter(|place| !place.is_of_actions() && **place != file.place);
            surplus.extend(others.map(|place| (*place, file.name)));
        }
        removed(app, &surplus);
        Ok(())
    })
}

/// Hands the files of commands over, a bounded number of bytes at a time. `ending`: as they would be when ended so.
fn for_files(
    app: &App,
    ids: &[i64],
    ending: Option<(CommandStatus, i64)>,
    mut with: impl FnMut(&[NewFile]) -> Result<()>,
) -> Result<()> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    for few in ids.chunks(PAPERS_PER_READ) {
        for file in papers::stored_command_files(app, few, ending)? {
            bytes += file.text.len();
            files.push(file);
        }
        if bytes > BYTES_PER_WRITE {
            with(&std::mem::take(&mut files))?;
            bytes = 0;
        }
    }
    with(&files)
}
