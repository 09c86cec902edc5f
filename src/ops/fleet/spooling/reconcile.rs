// SPDX-License-Identifier: Apache-2.0
//! The spool compared with the database: every live action and command has one file, where its row says.
//!
//! First each place is walked: a file whose row says another place is one too many. Then the rows are walked: what has
//! no file gets one, and so does, where contents are compared, what has a file that says something else. Nothing is
//! held in memory but a few hundred names; between them others have their turn.

use crate::error::Result;
use crate::model::action::Action;
use crate::ops::App;
use crate::ops::fleet::spooling::{FILES_PER_TURN, contents, follow_commands, papers};
use crate::spool::{Dropped, Name, Place};
use crate::store::fleet::{ActionState, CommandState};
use std::ffi::OsString;

const HOUR_SECS: i64 = 3_600;
/// How the line of a missing file ends.
const MISSING: &str = "is missing";
/// How the line of a file ends that does not hold what its row says.
const UNTRUE: &str = "says something else than the database";
/// Differences that are named one by one.
const NAMED_MAX: usize = 1_000;

/// What is done about differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are told.
    Report,
    /// They are told and mended.
    Mend,
}

/// How closely it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Which files there are, and where: what a start needs, since files are written whole.
    Places,
    /// Also what they say.
    Contents,
}

/// What was different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Each as a line, the first thousand: `command/ready/7-12.json is one too many: …`.
    pub named: Vec<String>,
    /// How many there are.
    pub n_all: usize,
    /// Files that were looked at.
    pub n_files: usize,
}

impl Differences {
    fn add(&mut self, line: String) {
        self.n_all += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(line);
        }
    }

    /// How many there are of each sort, for a line of the log.
    pub fn summary(&self) -> String {
        let count = |end: &str| self.named.iter().filter(|line| line.ends_with(end)).count();
        let (n_missing, n_untrue) = (count(MISSING), count(UNTRUE));
        let n_surplus = self.named.len() - n_missing - n_untrue;
        let what = format!("{n_missing} missing, {n_surplus} too many, {n_untrue} untrue");
        if self.n_all > self.named.len() { format!("{what}, and more: {} in all", self.n_all) } else { what }
    }

    /// Only those that `other` has too: what was merely on its way is gone at the second look.
    pub fn lasting(mut self, other: &Differences) -> Differences {
        self.named.retain(|line| other.named.contains(line));
        self.n_all = if self.n_all > NAMED_MAX { self.n_all.min(other.n_all) } else { self.named.len() };
        self
    }
}

/// Compares, and mends where that is wanted.
pub fn reconcile(app: &App, mode: Mode, depth: Depth) -> Result<Differences> {
    let since = app.clock.now() - app.config.fleet.spool_keep_hours * HOUR_SECS;
    let comparison = Comparison { app, mode, depth, since };
    let mut differences = Differences::default();
    for place in Place::ALL {
        comparison.walk_place(place, &mut differences)?;
    }
    comparison.walk_rows(&mut differences)?;
    Ok(differences)
}

struct Comparison<'a> {
    app: &'a App,
    mode: Mode,
    depth: Depth,
    /// What was over before this has no file any more.
    since: i64,
}

impl Comparison<'_> {
    fn walk_place(&self, place: Place, differences: &mut Differences) -> Result<()> {
        let mut names = Vec::new();
        for name in self.app.spool.list(place)? {
            differences.n_files += 1;
            if let Some(name) = name?.to_str().and_then(Name::parse)
                && matches!(name, Name::Action(_)) == place.is_of_actions()
            {
                names.push(name);
            }
            if names.len() == FILES_PER_TURN {
                self.judge_files(place, &std::mem::take(&mut names), differences)?;
            }
        }
        self.judge_files(place, &names, differences)
    }

    fn judge_files(&self, place: Place, names: &[Name], differences: &mut Differences) -> Result<()> {
        self.app.dispatch.refuse_when_stopping()?;
        let _turn = self.app.spool.turn();
        let mut surplus = Vec::new();
        for (name, why) in self.surplus_of(place, names)? {
            // It may have been moved on since it was listed.
            if self.app.spool.contains(place, name)? {
                differences.add(format!("{}/{name} is one too many: {why}", place.path()));
                surplus.push(name);
            }
        }
        if self.mode == Mode::Report || surplus.is_empty() {
            return Ok(());
        }
        if place == Place::CommandReturned {
            // Those that are over are written anew: an answer that came too late says something else than its row.
            let over: Vec<i64> = self.over(&surplus)?.into_iter().map(command_id).collect();
            follow_commands(self.app, &over)?;
        }
        let files: Vec<(Place, Name)> = surplus.into_iter().map(|name| (place, name)).collect();
        self.app.spool.remove(&files)
    }

    /// The files that their rows do not want in this place, each with the reason.
    fn surplus_of(&self, place: Place, names: &[Name]) -> Result<Vec<(Name, String)>> {
        let mut surplus = Vec::new();
        if place.is_of_actions() {
            let ids: Vec<i64> = names.iter().map(|name| action_id(*name)).collect();
            for (name, state) in names.iter().zip(self.app.store.action_states(&ids)?) {
                if let Some(why) = self.why_surplus_action(place, *name, state)? {
                    surplus.push((*name, why));
                }
            }
        } else {
            for (name, state) in names.iter().zip(self.command_states(names)?) {
                match state {
                    Some(state) if Place::of_command(state.status) == place => {}
                    Some(state) => surplus.push((*name, format!("the command is {}", state.status.word()))),
                    None => surplus.push((*name, "there is no such command".to_owned())),
                }
            }
        }
        Ok(surplus)
    }

    fn why_surplus_action(
        &self,
        place: Place,
        name: Name,
        state: Option<ActionState>,
    ) -> Result<Option<String>> {
        let Some(state) = state else {
            // In `new` it is one that was dropped in, in `invalid` one that was refused.
            let is_foreign = matches!(place, Place::ActionNew | Place::ActionInvalid);
            return Ok((!is_foreign).then(|| "there is no such action".to_owned()));
        };
        let is_foreign = match place {
            _ if Place::of_action(state.status) == place => true,
            Place::ActionNew => !self.is_copy_of(name, state.id)?,
            Place::ActionInvalid => self.app.spool.has_reason(state.id)?,
            _ => false,
        };
        Ok((!is_foreign).then(|| format!("the action is {}", state.status.word())))
    }

    /// True where a file of `action/new` is the action itself, and not another that was dropped in under its number.
    fn is_copy_of(&self, name: Name, id: i64) -> Result<bool> {
        let Dropped::Read { bytes, .. } = self.app.spool.read_dropped(&OsString::from(name.to_string()))?
        else {
            return Ok(false);
        };
        let Some(row) = self.app.store.action(id)? else { return Ok(false) };
        let Ok(found) = Action::from_json(&bytes) else { return Ok(false) };
        Ok(found.known_id() == Some(id) && found.signed_text()? == row.submitted()?.signed_text()?)
    }

    fn command_states(&self, names: &[Name]) -> Result<Vec<Option<CommandState>>> {
        let ids: Vec<i64> = names.iter().map(|name| command_id(*name)).collect();
        let states = self.app.store.command_states(&ids)?;
        // A file under another action's number is nobody's.
        let named = |(name, state): (&Name, Option<CommandState>)| {
            state.filter(|state| state.action_id == action_id(*name))
        };
        Ok(names.iter().zip(states).map(named).collect())
    }

    fn over(&self, names: &[Name]) -> Result<Vec<Name>> {
        let states = self.command_states(names)?;
        let over = |(name, state): (&Name, Option<CommandState>)| {
            state.is_some_and(|state| state.status.is_over()).then_some(*name)
        };
        Ok(names.iter().zip(states).filter_map(over).collect())
    }

    /// Walks what is live, and what was over a short while ago.
    fn walk_rows(&self, differences: &mut Differences) -> Result<()> {
        let mut after_id = 0;
        loop {
            let actions = self.app.store.recent_actions(after_id, self.since, FILES_PER_TURN)?;
            let Some(last) = actions.last() else { return Ok(()) };
            after_id = last.id;
            for action in &actions {
                self.judge_action(action.id, differences)?;
                self.walk_commands(action.id, differences)?;
            }
        }
    }

    fn judge_action(&self, id: i64, differences: &mut Differences) -> Result<()> {
        let _turn = self.app.spool.turn();
        let state = self.app.store.action_states(&[id])?.pop().flatten();
        let Some(state) = state.filter(|state| self.has_file(state.finished_at)) else { return Ok(()) };
        let place = Place::of_action(state.status);
        let how = match self.app.spool.contains(place, Name::Action(id))? {
            false => MISSING,
            true if self.depth == Depth::Places || contents::is_true_action(self.app, id)? => return Ok(()),
            true => UNTRUE,
        };
        differences.add(format!("{}/{} {how}", place.path(), Name::Action(id)));
        if self.mode == Mode::Mend
            && let Some(row) = self.app.store.action(id)?
        {
            self.app.spool.write(&[papers::action_file(&row, row.status)?])?;
            if !row.reason.is_empty() && place == Place::ActionInvalid {
                self.app.spool.write_reason(id, &row.reason)?;
            }
        }
        Ok(())
    }

    fn walk_commands(&self, action_id: i64, differences: &mut Differences) -> Result<()> {
        let mut after = None;
        loop {
            self.app.dispatch.refuse_when_stopping()?;
            let turn = self.app.spool.turn();
            let commands = self.app.store.recent_commands(action_id, self.since, after, FILES_PER_TURN)?;
            let Some(last) = commands.last() else { return Ok(()) };
            after = Some(*last);
            let (mut wanted, mut present) = (Vec::new(), Vec::new());
            for command in commands.iter().filter(|command| self.has_file(command.finished_at)) {
                let place = Place::of_command(command.status);
                let name = Name::Command { action_id, id: command.id };
                if self.app.spool.contains(place, name)? {
                    present.push(command.id);
                } else {
                    differences.add(format!("{}/{name} {MISSING}", place.path()));
                    wanted.push(command.id);
                }
            }
            if self.depth == Depth::Contents {
                for (place, name) in contents::untrue_commands(self.app, &present)? {
                    differences.add(format!("{}/{name} {UNTRUE}", place.path()));
                    wanted.push(command_id(name));
                }
            }
            if self.mode == Mode::Mend {
                follow_commands(self.app, &wanted)?;
            }
            drop(turn);
        }
    }

    /// True where a file is to be expected. Close to the end of its time it may be gone already.
    fn has_file(&self, finished_at: Option<i64>) -> bool {
        finished_at.is_none_or(|at| at >= self.since + HOUR_SECS / 4)
    }
}

fn action_id(name: Name) -> i64 {
    match name {
        Name::Action(id) | Name::Command { action_id: id, .. } => id,
    }
}

fn command_id(name: Name) -> i64 {
    name.command_id().unwrap_or(0)
}
