// SPDX-License-Identifier: Apache-2.0
//! Retention of the fleet: what is over for `retention.fleet_days` goes, rows and files.

use crate::error::{Error, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::time::DAY_SECS;
use crate::ops::App;
use crate::ops::purge::{Mode, Progress};
use crate::spool::{Name, Place};
use crate::store::fleet::FleetCounts;
use crate::store::fleet::FleetDeletion;
use std::time::{Duration, Instant};

/// Actions or agents that are looked at together.
const LOT: usize = 100;
/// Longest pause between two steps; otherwise half of the time is for others.
const PAUSE_MOST: Duration = Duration::from_millis(50);

/// What went of the fleet, or would.
pub type FleetPurge = FleetCounts;

/// Removes what is over in the fleet, or counts it. Busy where `progress` said to end.
pub fn purge_fleet(app: &App, actor: &Actor, mode: Mode, progress: Progress<'_>) -> Result<FleetPurge> {
    let days = app.config.retention.fleet_days;
    if days == 0 {
        return Ok(FleetPurge::default());
    }
    let before = app.clock.now() - days * DAY_SECS;
    if mode == Mode::DryRun {
        return count(app, before);
    }
    let mut deletion = FleetDeletion::new(Audit::new(actor, "fleet.purge", "what was over in the fleet"));
    loop {
        let over = app.store.over_actions(0, before, LOT)?;
        for (id, _) in &over {
            if !progress(0, 0, "actions that are over") {
                return Err(Error::busy("The purge was ended early"));
            }
            delete_action(app, &mut deletion, *id)?;
        }
        if over.len() < LOT {
            break;
        }
    }
    loop {
        let gone = app.store.gone_agents((0, 0), before, LOT)?;
        let (n_gone, n_before) = (gone.len(), deletion.counts.agents);
        app.store.delete_agents(&mut deletion, gone, before)?;
        if n_gone < LOT || deletion.counts.agents == n_before || !progress(0, 0, "agents that are gone") {
            break;
        }
    }
    loop {
        let empty = app.store.empty_endpoints()?;
        if empty.is_empty() || app.store.delete_endpoints(&mut deletion, empty)? == 0 {
            break;
        }
    }
    app.store.delete_refusals(&mut deletion, before)?;
    Ok(deletion.counts)
}

fn count(app: &App, before: i64) -> Result<FleetPurge> {
    let mut counts =
        FleetPurge { refusals: app.store.count_refusals_before(before)?, ..FleetPurge::default() };
    let mut above_id = 0;
    loop {
        let over = app.store.over_actions(above_id, before, LOT)?;
        counts.actions += over.len() as u64;
        counts.commands += over.iter().map(|(_, commands)| commands).sum::<u64>();
        match over.last() {
            Some((id, _)) if over.len() == LOT => above_id = *id,
            _ => break,
        }
    }
    let mut after = (0, 0);
    loop {
        let gone = app.store.gone_agents(after, before, LOT)?;
        counts.agents += gone.len() as u64;
        match gone.last() {
            Some(last) if gone.len() == LOT => after = *last,
            _ => break,
        }
    }
    counts.endpoints = app.store.count_empty_endpoints(before)?;
    Ok(counts)
}

/// Deletes an action that is over, rows first: a file that a crash leaves behind is found to be one too many.
fn delete_action(app: &App, deletion: &mut FleetDeletion, action_id: i64) -> Result<()> {
    loop {
        let began = Instant::now();
        let turn = app.spool.turn();
        let ids = app.store.delete_commands_of(deletion, action_id)?;
        let file = |id: &i64| (Place::CommandDone, Name::Command { action_id, id: *id });
        app.spool.remove(&ids.iter().map(file).collect::<Vec<_>>())?;
        drop(turn);
        if ids.is_empty() {
            break;
        }
        std::thread::sleep(began.elapsed().min(PAUSE_MOST));
    }
    let _turn = app.spool.turn();
    app.store.delete_action(deletion, action_id)?;
    let name = Name::Action(action_id);
    app.spool.remove(&[(Place::ActionDone, name), (Place::ActionInvalid, name)])
}
