// SPDX-License-Identifier: Apache-2.0
//! What agents fetch and answer.

mod courier;
mod export;
mod large;
mod report;

pub use courier::{Courier, Couriering};
pub use export::{ExportFormat, Results};
pub use large::{LargeAnswer, LargeAnswers};
pub use report::{RESULTS_BYTES_MAX, Report};

use crate::error::{Error, Kind, Result};
use crate::model::command::{CommandStatus, OperationResult};
use crate::model::time::rfc3339;
use crate::modules;
use crate::ops::App;
use crate::ops::fleet::enrolment::{authenticated_endpoint, required_key};
use crate::ops::fleet::spooling::{Paper, command_texts};
use crate::spool::Name;
use crate::store::fleet::{Answered, CommandOwner, Fetchable, Lease, NewAnswer};
use courier::{AnswerJob, GivenCommand, OfferedCommand};
use serde_json::Value;

/// Beside the time that a module may take, a fetched command is leased for so long.
const LEASE_SECS: i64 = 300;
/// Most commands that an agent gets at once.
const COMMANDS_PER_FETCH: usize = 16;
/// Most bytes of actions that an agent gets at once, unless one alone has more.
const BYTES_PER_FETCH: i64 = 128 << 10;
/// An action of more bytes than this is fetched alone, and only a few agents fetch such ones at once.
const LARGE_DOCUMENT_BYTES: i64 = 64 << 10;
/// Characters of an agent's name for one of its starts.
const INSTANCE_BYTES_MAX: usize = 128;

/// An agent that asks for commands.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The field `Authorization`.
    pub authorization: Option<&'a str>,
    /// Its endpoint.
    pub queueloc: &'a str,
    /// What it calls this start of itself.
    pub instance: &'a str,
}

/// Who asks, found out: by the key of the endpoint, each time anew.
pub fn lease_of(app: &App, asker: Asker<'_>) -> Result<Lease> {
    let endpoint = authenticated_endpoint(app, asker.authorization, asker.queueloc)?;
    let instance = asker.instance;
    let is_word = (1..=INSTANCE_BYTES_MAX).contains(&instance.len())
        && instance.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_word {
        let message = format!("instance must be 1 to {INSTANCE_BYTES_MAX} visible ASCII characters");
        return Err(Error::invalid(message));
    }
    Ok(Lease {
        endpoint_id: endpoint.id,
        instance: instance.to_owned(),
        now: app.clock.now(),
        secs: LEASE_SECS + app.config.fleet.module_timeout_secs,
    })
}

/// What came of a wish for commands.
#[derive(Debug)]
pub enum Fetched {
    /// There are none.
    Nothing,
    /// There are some, but too many large answers are on their way; the agent is to ask again.
    Later,
    /// The answer's JSON, and where it is large, the right to hold it until it is sent.
    Commands(String, Option<LargeAnswer>),
}

/// Fetches commands: those that the agent gets are leased to it and marked as sent when this returns.
pub fn fetch(app: &App, lease: &Lease) -> Result<Fetched> {
    let Some(first) = app.store.fetchable_commands(lease, 1)?.pop() else { return Ok(Fetched::Nothing) };
    let right = match first.document_bytes > LARGE_DOCUMENT_BYTES {
        true => match app.dispatch.large_answers.try_take() {
            Some(right) => Some(right),
            None => return Ok(Fetched::Later),
        },
        false => None,
    };
    let given = app.dispatch.courier.fetch(lease.clone(), offers(app, lease)?)?;
    if given.is_empty() {
        return Ok(Fetched::Nothing);
    }
    Ok(Fetched::Commands(commands_json(&given, lease), right))
}

/// The commands that an agent would get, as many as it may get at once.
fn offers(app: &App, lease: &Lease) -> Result<Vec<OfferedCommand>> {
    let mut commands = app.store.fetchable_commands(lease, COMMANDS_PER_FETCH)?;
    let mut bytes = 0;
    let fits = |command: &&Fetchable| {
        bytes += command.document_bytes;
        bytes <= BYTES_PER_FETCH
    };
    let n = commands.iter().take_while(fits).count().max(1);
    commands.truncate(n);
    let paper = |command: &Fetchable| Paper {
        id: command.id,
        action_id: command.action_id,
        agent_id: command.agent_id,
        status: CommandStatus::Sent,
        results: None,
        prepared_at: command.prepared_at,
        finished_at: None,
    };
    let texts = command_texts(app, commands.iter().map(paper).collect())?;
    Ok(commands.into_iter().zip(texts).map(|(command, text)| OfferedCommand { command, text }).collect())
}

fn commands_json(given: &[GivenCommand], lease: &Lease) -> String {
    let leased_until = rfc3339(lease.now + lease.secs);
    let mut text = String::from("{\"commands\":[");
    for (n, GivenCommand { attempt, text: command }) in given.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let head = format!("{comma}{{\"attempt\":{attempt},\"leased_until\":\"{leased_until}\",\"command\":");
        text.push_str(&head);
        text.push_str(command);
        text.push('}');
    }
    text.push_str("],\"poll_secs\":0}");
    text
}

/// Takes an agent's answer in: it is stored when this returns. Kinds: Unauthorized without a known key, Forbidden
/// where the command is another endpoint's, NotFound, Invalid where the results do not fit the command.
pub fn answer(app: &App, authorization: Option<&str>, report: Report) -> Result<Answered> {
    let digest = required_key(authorization)?;
    let owner = app.store.command_owner(report.id)?;
    if owner.as_ref().and_then(|owner| owner.key_digest) != Some(digest) {
        if !app.store.is_key_bound(&digest)? {
            return Err(Error::new(Kind::Unauthorized, "This key is not bound to any queueloc"));
        }
        if owner.is_some() {
            let message = format!("Command {} is for another agent", report.id);
            return Err(Error::new(Kind::Forbidden, message));
        }
    }
    let owner = owner.ok_or_else(|| Error::not_found(format!("Command ID '{}' not found", report.id)))?;
    if owner.command.results.is_some() {
        return Ok(Answered::Repeated);
    }
    let results = fitted(report.results, report.status, &owner)?;
    let destroyed_pids = match owner.may_destroy && report.status == CommandStatus::Success {
        true => destroyed_pids(app, &owner, &results)?,
        false => Vec::new(),
    };
    let json = report::results_json(&results)?;
    let (found, now) = (found_bits(&results), app.clock.now());
    let stored = NewAnswer::new(report.id, report.status, found, json, destroyed_pids, now)?;
    app.dispatch.courier.answer(AnswerJob {
        name: Name::Command { action_id: owner.command.action_id, id: report.id },
        text: answered_text(app, &owner, report.status, results, now)?,
        stored: Some(stored),
    })
}

/// The command with its answer as its file has it. One that had ended before keeps its status.
fn answered_text(
    app: &App,
    owner: &CommandOwner,
    status: CommandStatus,
    results: Vec<OperationResult>,
    now: i64,
) -> Result<String> {
    let command = &owner.command;
    let paper = Paper {
        id: command.id,
        action_id: command.action_id,
        agent_id: command.agent_id,
        status: if command.status.is_over() { command.status } else { status },
        results: Some(results),
        prepared_at: command.prepared_at,
        finished_at: command.finished_at.or(Some(now)),
    };
    command_texts(app, vec![paper])?.pop().ok_or_else(|| Error::internal("A command has no JSON"))
}

/// One result for each operation. A success tells of all; what stopped before its end may tell of fewer.
fn fitted(
    results: Option<Vec<OperationResult>>,
    status: CommandStatus,
    owner: &CommandOwner,
) -> Result<Vec<OperationResult>> {
    let mut results = results.unwrap_or_default();
    let n = owner.n_operations;
    if results.len() > n || results.len() < n && status == CommandStatus::Success {
        let message =
            format!("results must have one entry for each of the {n} operations, not {}", results.len());
        return Err(Error::invalid(message));
    }
    results.resize(n, OperationResult::default());
    Ok(results)
}

/// As in `CommandRow::found`.
fn found_bits(results: &[OperationResult]) -> i64 {
    results.iter().fold(0, |bits, result| bits | if result.foundanything { 1 } else { 2 })
}

/// The process ids of agents that ended: those that successful operations `agentdestroy` name.
fn destroyed_pids(app: &App, owner: &CommandOwner, results: &[OperationResult]) -> Result<Vec<i64>> {
    let Some(row) = app.store.action(owner.command.action_id)? else { return Ok(Vec::new()) };
    let operations = row.submitted()?.operations.unwrap_or_default();
    let mut pids = Vec::new();
    for (operation, result) in operations.iter().zip(results) {
        if operation.module != "agentdestroy" || !result.success {
            continue;
        }
        let plain = match operation.is_compressed {
            true => modules::plain_parameters(&operation.parameters)?,
            false => operation.parameters.clone(),
        };
        pids.extend(plain.get("pid").and_then(Value::as_i64));
    }
    Ok(pids)
}
