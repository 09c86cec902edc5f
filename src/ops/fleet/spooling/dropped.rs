// SPDX-License-Identifier: Apache-2.0
//! Actions that people drop into `action/new`: taken like any other, or refused with the reason beside them.

use crate::error::{Kind, Result};
use crate::model::action::Action;
use crate::model::audit::Actor;
use crate::model::filter::shortened;
use crate::ops::App;
use crate::ops::fleet::submit::{Origin, Submitter, submit};
use crate::spool::{Dropped, DroppedState, Name, Place};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

/// A file that is no action is refused once it has not changed for so long: it may still be on its way.
const UNCHANGED_FOR: Duration = Duration::from_millis(1_500);
/// Names that one look takes; the others wait for the next.
const NAMES_PER_LOOK: usize = 1_000;
/// Files that one look copies.
const FILES_PER_LOOK: usize = 50;

/// What the looks remember from one to the next.
#[derive(Debug, Default)]
pub struct Drops {
    growing: HashMap<OsString, (DroppedState, Instant)>,
    /// True once everything was looked at that lay there at the start.
    has_looked: bool,
}

impl Drops {
    /// Takes what lies in `action/new` and belongs to no row. A fault of one file never keeps the others from being
    /// taken; it fails only where nothing can be read or stored at the moment.
    pub fn look(&mut self, app: &App) -> Result<()> {
        let mut found = Vec::new();
        for name in app.spool.list(Place::ActionNew)?.take(NAMES_PER_LOOK) {
            found.push(name?);
        }
        if found.is_empty() {
            self.growing.clear();
            self.has_looked = true;
            return Ok(());
        }
        let foreign = without_own(app, found)?;
        self.growing.retain(|name, _| foreign.contains(name));
        for name in foreign.iter().take(FILES_PER_LOOK) {
            self.take(app, name)?;
        }
        self.has_looked |= foreign.len() <= FILES_PER_LOOK;
        Ok(())
    }

    fn take(&mut self, app: &App, name: &OsStr) -> Result<()> {
        let (bytes, state) = match app.spool.read_dropped(name)? {
            Dropped::Gone => return Ok(()),
            Dropped::Refused(why) => return self.refuse(app, name, &why),
            Dropped::Read { bytes, state } => (bytes, state),
        };
        let action = match Action::from_json(&bytes) {
            Ok(action) => action,
            Err(_) if self.is_growing(name, state) => return Ok(()),
            Err(error) => return self.refuse(app, name, error.message()),
        };
        let origin = format!("{}/{}", Place::ActionNew.path(), shortened(&name.to_string_lossy()));
        let actor = Actor { name: "spool".to_owned(), origin };
        let submitter = Submitter { investigator_id: None, origin: Origin::Spool, actor };
        match submit(app, &action, &submitter) {
            Ok(row) => {
                self.growing.remove(name);
                log::info!("Took action {} from {}", row.id, shortened(&name.to_string_lossy()));
                if OsStr::new(&Name::Action(row.id).to_string()) != name {
                    app.spool.remove_dropped(name)?;
                }
                Ok(())
            }
            Err(error) if error.kind() == Kind::Busy => Err(error),
            Err(error)
                if error.kind() == Kind::Conflict && !self.has_looked && was_taken(app, &action, state)? =>
            {
                log::info!("Removed {}: it was taken before the start", shortened(&name.to_string_lossy()));
                app.spool.remove_dropped(name)
            }
            // Its own row was committed between the look and now.
            Err(_) if is_own(app, name)? => Ok(()),
            Err(error) if error.kind().is_our_fault() => {
                log::error!("Cannot take {}: {}", shortened(&name.to_string_lossy()), error.with_causes());
                self.refuse(app, name, "Something is wrong on the server; its log says more")
            }
            Err(error) => self.refuse(app, name, error.message()),
        }
    }

    fn is_growing(&mut self, name: &OsStr, state: DroppedState) -> bool {
        let now = Instant::now();
        let seen = self.growing.entry(name.to_owned()).or_insert((state, now));
        if seen.0 != state {
            *seen = (state, now);
        }
        now.duration_since(seen.1) < UNCHANGED_FOR
    }

    fn refuse(&mut self, app: &App, name: &OsStr, why: &str) -> Result<()> {
        self.growing.remove(name);
        log::info!("Refused {} of the spool: {}", shortened(&name.to_string_lossy()), shortened(why));
        app.spool.refuse_dropped(name, why)
    }
}

/// True where the action was accepted while this file lay there: the server was killed before it removed the file.
fn was_taken(app: &App, action: &Action, state: DroppedState) -> Result<bool> {
    let digest = Sha256::digest(action.signed_text()?.as_bytes()).into();
    let accepted_at = app.store.accepted_at(digest)?;
    Ok(accepted_at.is_some_and(|accepted_at| state.changed_at() <= accepted_at))
}

/// The names that are not the files of pending and scheduled actions.
fn without_own(app: &App, names: Vec<OsString>) -> Result<Vec<OsString>> {
    let ids: Vec<i64> = names.iter().map(|name| own_id(name).unwrap_or(0)).collect();
    let states = app.store.action_states(&ids)?;
    let is_own = |state: &Option<crate::store::fleet::ActionState>| {
        state.is_some_and(|state| Place::of_action(state.status) == Place::ActionNew)
    };
    Ok(names.into_iter().zip(states).filter(|(_, state)| !is_own(state)).map(|(name, _)| name).collect())
}

fn is_own(app: &App, name: &OsStr) -> Result<bool> {
    Ok(without_own(app, vec![name.to_owned()])?.is_empty())
}

fn own_id(name: &OsStr) -> Option<i64> {
    match Name::parse(name.to_str()?)? {
        Name::Action(id) => Some(id),
        Name::Command { .. } => None,
    }
}
