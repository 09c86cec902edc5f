// SPDX-License-Identifier: Apache-2.0
//! The JSON of actions and commands as files and agents get it: MIG's form.

use crate::error::{Error, Kind, Result};
use crate::model::action::Action;
use crate::model::agent::Agent;
use crate::model::command::{ActionStatus, Command, CommandStatus, OperationResult};
use crate::model::timestamp::Timestamp;
use crate::ops::App;
use crate::spool::{Name, NewFile, Place};
use crate::store::fleet::ActionRow;
use std::collections::{BTreeMap, BTreeSet};

/// A command as it is to be written.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The command.
    pub id: i64,
    /// Its action.
    pub action_id: i64,
    /// Its agent.
    pub agent_id: i64,
    /// The status to write.
    pub status: CommandStatus,
    /// The results to write; an empty one for each operation where there are none.
    pub results: Option<Vec<OperationResult>>,
    /// When it was made.
    pub prepared_at: i64,
    /// When it was over.
    pub finished_at: Option<i64>,
}

impl Paper {
    /// The name of its file.
    pub fn name(&self) -> Name {
        Name::Command { action_id: self.action_id, id: self.id }
    }
}

/// The JSON of each command, in their order. Actions and agents are read once for all.
pub fn command_texts(app: &App, papers: Vec<Paper>) -> Result<Vec<String>> {
    let actions = read_actions(app, papers.iter().map(|paper| paper.action_id).collect())?;
    let agents = read_agents(app, papers.iter().map(|paper| paper.agent_id).collect())?;
    papers
        .into_iter()
        .map(|paper| {
            let action = actions.get(&paper.action_id).cloned().ok_or_else(|| {
                Error::new(Kind::Corrupt, format!("Command {} has no action {}", paper.id, paper.action_id))
            })?;
            let agent = agents.get(&paper.agent_id).cloned();
            let empty = || vec![OperationResult::default(); action.operations.as_ref().map_or(0, Vec::len)];
            let results = Some(paper.results.unwrap_or_else(empty));
            let command = Command {
                id: paper.id,
                action,
                agent: agent.unwrap_or_else(|| Agent { id: paper.agent_id, ..Agent::default() }),
                status: paper.status.word().to_owned(),
                results,
                starttime: Timestamp::utc(paper.prepared_at),
                finishtime: paper.finished_at.map_or(Timestamp::NOT_FINISHED, Timestamp::utc),
            };
            command.to_json()
        })
        .collect()
}

fn read_actions(app: &App, ids: BTreeSet<i64>) -> Result<BTreeMap<i64, Action>> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let rows = app.store.actions(&ids)?;
    rows.iter().map(|row| Ok((row.id, row.to_action()?))).collect()
}

fn read_agents(app: &App, ids: BTreeSet<i64>) -> Result<BTreeMap<i64, Agent>> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    Ok(app.store.agents(&ids, thresholds)?.iter().map(|row| (row.id, row.to_agent())).collect())
}

/// The files of commands as they are stored, each where it belongs; with `ending`, as they would be when ended with
/// this status at this time. Ids that are none are left out.
pub fn stored_command_files(
    app: &App,
    ids: &[i64],
    ending: Option<(CommandStatus, i64)>,
) -> Result<Vec<NewFile>> {
    let mut papers = Vec::with_capacity(ids.len());
    for row in app.store.commands(ids)? {
        let results = row.results.as_deref().map(serde_json::from_str).transpose().map_err(|error| {
            Error::new(Kind::Corrupt, format!("The results of command {} cannot be read", row.id))
                .because(error)
        })?;
        papers.push(Paper {
            id: row.id,
            action_id: row.action_id,
            agent_id: row.agent_id,
            status: ending.map_or(row.status, |(status, _)| status),
            results,
            prepared_at: row.prepared_at,
            finished_at: ending.map_or(row.finished_at, |(_, now)| Some(now)),
        });
    }
    let heads: Vec<(Place, Name)> =
        papers.iter().map(|paper| (Place::of_command(paper.status), paper.name())).collect();
    let texts = command_texts(app, papers)?;
    Ok(heads.into_iter().zip(texts).map(|((place, name), text)| NewFile { place, name, text }).collect())
}

/// The file of an action as it would be with this status, where it belongs then.
pub fn action_file(row: &ActionRow, status: ActionStatus) -> Result<NewFile> {
    let mut action = row.to_action()?;
    action.status = status.word().to_owned();
    Ok(NewFile { place: Place::of_action(status), name: Name::Action(row.id), text: action.to_json()? })
}
