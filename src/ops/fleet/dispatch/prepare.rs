// SPDX-License-Identifier: Apache-2.0
//! From an accepted action to a command for each agent that its target means.

use super::ending::refuse;
use crate::error::{Kind, Result};
use crate::model::command::{ActionStatus, CommandStatus};
use crate::ops::App;
use crate::ops::fleet::spooling::{BYTES_PER_WRITE, Paper, command_texts, move_action, removed};
use crate::spool::{Name, NewFile, Place};
use crate::store::fleet::{ActionRow, Addressee, Moment};
use crate::target;
use std::collections::HashMap;

/// Commands that are made at once; of long actions, fewer.
const COMMANDS_PER_BATCH: usize = 1_000;
/// What a command's file has beside the action's document, on average: the agent and the results.
const BYTES_BESIDE: usize = 2_048;
/// Files take whole blocks.
const BLOCK_BYTES: u64 = 4_096;
/// A target is given up after so many times that the database could not say whom it means.
const TRIES_MAX: u32 = 5;

/// How often the target of an action could not be evaluated.
#[derive(Debug, Default)]
pub struct Tries(HashMap<i64, u32>);

impl Tries {
    /// Counts a failed try; true where it was one too many.
    fn is_too_many(&mut self, id: i64) -> bool {
        let tries = self.0.entry(id).or_default();
        *tries += 1;
        *tries > TRIES_MAX
    }
}

/// It waits for its `validfrom`.
pub fn schedule(app: &App, id: i64, now: i64) -> Result<()> {
    let _turn = app.spool.turn();
    let Some(row) = app.store.action(id)? else { return Ok(()) };
    if row.status == ActionStatus::Pending {
        move_action(app, &row, ActionStatus::Scheduled, "", now)?;
    }
    Ok(())
}

/// It may run: it is prepared from now on.
pub fn begin(app: &App, id: i64, tries: &mut Tries, now: i64) -> Result<()> {
    {
        let _turn = app.spool.turn();
        let Some(row) = app.store.action(id)? else { return Ok(()) };
        if row.status >= ActionStatus::Preparing || !move_action(app, &row, ActionStatus::Preparing, "", now)?
        {
            return Ok(());
        }
    }
    prepare(app, id, tries, now)
}

/// All commands are made: agents have it.
pub fn finish(app: &App, id: i64, now: i64) -> Result<()> {
    let _turn = app.spool.turn();
    let Some(row) = app.store.action(id)? else { return Ok(()) };
    if row.status == ActionStatus::Preparing && move_action(app, &row, ActionStatus::Inflight, "", now)? {
        log::info!("Action {id} is in flight: {} commands", row.counters.total());
    }
    // Agents may have answered all of it already.
    app.dispatch.wake_scheduler();
    Ok(())
}

/// Makes a command for each agent that has none yet, also where an earlier run was cut off in the middle.
pub fn prepare(app: &App, id: i64, tries: &mut Tries, now: i64) -> Result<()> {
    let Some(row) = app.store.action(id)? else { return Ok(()) };
    if row.status != ActionStatus::Preparing {
        return Ok(());
    }
    let to = match addressees(app, &row, now) {
        Ok(to) => to,
        Err(error) if error.kind() == Kind::Busy && !tries.is_too_many(id) => return Err(error),
        Err(error) if error.kind().is_our_fault() => return Err(error),
        Err(error) => return give_up(app, &row, error.message(), now),
    };
    tries.0.remove(&id);
    if to.is_empty() {
        return give_up(app, &row, "no agent matches the target", now);
    }
    if let Some(reason) = no_room(app, &row, to.len())? {
        return give_up(app, &row, &reason, now);
    }
    let per_batch = (BYTES_PER_WRITE / (row.document.len() + BYTES_BESIDE)).clamp(1, COMMANDS_PER_BATCH);
    for batch in to.chunks(per_batch) {
        if app.dispatch.scheduler.is_stopped() || !make(app, id, batch)? {
            return Ok(());
        }
        app.dispatch.polls.wake(batch.iter().map(|addressee| addressee.endpoint_id));
    }
    finish(app, id, app.clock.now())
}

/// No more commands are made: it cannot run, unless an earlier run made some.
fn give_up(app: &App, row: &ActionRow, reason: &str, now: i64) -> Result<()> {
    if row.counters.total() > 0 { finish(app, row.id, now) } else { refuse(app, row.id, reason, now) }
}

/// Whom the target means that has no command of this action.
fn addressees(app: &App, row: &ActionRow, now: i64) -> Result<Vec<Addressee>> {
    let condition = target::parse(&row.target)?;
    let moment = Moment { now, thresholds: app.config.fleet.liveness().at(now) };
    let found = app.store.target_agents(&condition, moment, None)?;
    let has_command = app.store.endpoints_with_command(row.id)?;
    let new = found.first.iter().filter(|agent| !has_command.contains(&agent.endpoint_id));
    Ok(new.map(|agent| Addressee { agent_id: agent.agent_id, endpoint_id: agent.endpoint_id }).collect())
}

/// Why so many commands do not fit the disk; none where they do. For a moment each has two files.
fn no_room(app: &App, row: &ActionRow, n_commands: usize) -> Result<Option<String>> {
    let file_bytes = ((row.document.len() + BYTES_BESIDE) as u64).next_multiple_of(BLOCK_BYTES);
    let needed = file_bytes.saturating_mul(2 * n_commands as u64);
    let (free, total) = app.spool.free_and_total_bytes()?;
    let reserve = app.config.disk_reserve_bytes.min(total / 10);
    let is_enough = free >= needed.saturating_add(reserve);
    Ok((!is_enough).then(|| {
        format!(
            "{n_commands} commands need {} MiB in the spool and {} MiB are free beside the reserve; free some space \
             or choose fewer agents",
            needed >> 20,
            free.saturating_sub(reserve) >> 20
        )
    }))
}

/// Makes one batch: ids, files, rows. False where the action is not being prepared any more.
fn make(app: &App, action_id: i64, batch: &[Addressee]) -> Result<bool> {
    let now = app.clock.now();
    let _turn = app.spool.turn();
    let first_id = app.store.reserve_command_ids(batch.len())?;
    let papers: Vec<Paper> = (first_id..)
        .zip(batch)
        .map(|(id, addressee)| Paper {
            id,
            action_id,
            agent_id: addressee.agent_id,
            status: CommandStatus::Prepared,
            results: None,
            prepared_at: now,
            finished_at: None,
        })
        .collect();
    let names: Vec<(Place, Name)> = papers.iter().map(|paper| (Place::CommandReady, paper.name())).collect();
    let texts = command_texts(app, papers)?;
    let files: Vec<NewFile> = names
        .iter()
        .zip(texts)
        .map(|((place, name), text)| NewFile { place: *place, name: *name, text })
        .collect();
    let made = app
        .spool
        .write(&files)
        .and_then(|()| app.store.insert_commands(action_id, first_id, batch.to_vec(), now));
    if !matches!(made, Ok(true)) {
        removed(app, &names);
    }
    made
}
