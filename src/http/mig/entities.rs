// SPDX-License-Identifier: Apache-2.0
//! One action, agent, command or investigator by its id, and how each stands as an item.

use super::collection::{Item, json_text};
use super::{admit, answer, href, id_of, not_found};
use crate::error::Result;
use crate::http::call::Call;
use crate::http::web::Web;
use crate::http::wire::Head;
use crate::model::action::Action;
use crate::model::agent::Agent;
use crate::model::command::OperationResult;
use crate::model::investigator::{Investigator, Permission};
use crate::model::timestamp::Timestamp;
use crate::store::fleet::CommandRow;
use rouille::Response;

/// `GET /api/v1/action?actionid=N`.
pub fn action(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Action)?;
    let id = id_of(call, "actionid", "Action")?;
    let row = web.app().store.action(id)?.ok_or_else(|| not_found("Action", id))?;
    Ok(answer(call, 200, &[action_item(&call.head, "action", id, &row.to_action()?)?]))
}

/// `GET /api/v1/agent?agentid=N`.
pub fn agent(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Agent)?;
    let app = web.app();
    let id = id_of(call, "agentid", "Agent")?;
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let row = app.store.agent(id, thresholds)?.ok_or_else(|| not_found("Agent", id))?;
    Ok(answer(call, 200, &[agent_item(&call.head, &row.to_agent())?]))
}

/// `GET /api/v1/command?commandid=N`.
pub fn command(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Command)?;
    let app = web.app();
    let id = id_of(call, "commandid", "Command")?;
    let row = app.store.command(id)?.ok_or_else(|| not_found("Command", id))?;
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let action = app.store.action(row.action_id)?.ok_or_else(|| not_found("Action", row.action_id))?;
    let agent = app.store.agent(row.agent_id, thresholds)?.ok_or_else(|| not_found("Agent", row.agent_id))?;
    let whole = WholeCommand {
        row: &row,
        action: &CommandAction::new(&action.to_action()?)?,
        agent: &agent.to_agent(),
    };
    Ok(answer(call, 200, &[command_item(&call.head, &whole)?]))
}

/// `GET /api/v1/investigator?investigatorid=N`, with the public key.
pub fn investigator(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Investigator)?;
    let id = id_of(call, "investigatorid", "Investigator")?;
    let row = web.app().store.investigator(id)?.ok_or_else(|| not_found("Investigator", id))?;
    Ok(answer(call, 200, &[investigator_item(&call.head, "investigator", &row.to_investigator(true))?]))
}

/// An action under the name that its answer gives it.
pub fn action_item(head: &Head, name: &str, id: i64, action: &Action) -> Result<Item> {
    Ok(Item::new(href(head, &format!("/action?actionid={id}")), name, action.to_json()?))
}

/// An agent.
pub fn agent_item(head: &Head, agent: &Agent) -> Result<Item> {
    Ok(Item::new(href(head, &format!("/agent?agentid={}", agent.id)), "agent", agent.to_json()?))
}

/// An investigator under the name that its answer gives it.
pub fn investigator_item(head: &Head, name: &str, investigator: &Investigator) -> Result<Item> {
    let id = investigator.id;
    let history = href(head, &format!("/search?type=action&investigatorid={id}&limit=100"));
    let own = href(head, &format!("/investigator?investigatorid={id}"));
    Ok(Item::new(own, name, investigator.to_json()?).linked("investigator history", history))
}

/// What the commands of one action have in common, written once.
#[derive(Clone, Debug)]
pub struct CommandAction {
    json: String,
    no_results: String,
}

impl CommandAction {
    /// The action's part of its commands.
    pub fn new(action: &Action) -> Result<CommandAction> {
        // MIG's clients look at as many results as there are operations, also before there are any.
        let empty = OperationResult::default().to_json()?;
        let empties = vec![empty; action.operations.as_ref().map_or(0, Vec::len)];
        Ok(CommandAction { json: action.to_json()?, no_results: format!("[{}]", empties.join(",")) })
    }
}

/// A command with its action and agent.
pub struct WholeCommand<'a> {
    /// Its row.
    pub row: &'a CommandRow,
    /// Its action.
    pub action: &'a CommandAction,
    /// Its agent.
    pub agent: &'a Agent,
}

/// A command, with a link to its action.
pub fn command_item(head: &Head, command: &WholeCommand<'_>) -> Result<Item> {
    let WholeCommand { row, action, agent } = command;
    let finished = row.finished_at.map_or(Timestamp::NOT_FINISHED, Timestamp::utc);
    let json = format!(
        "{{\"id\":{},\"action\":{},\"agent\":{},\"status\":{},\"results\":{},\"starttime\":\"{}\",\"finishtime\":\"{}\"}}",
        row.id,
        action.json,
        agent.to_json()?,
        json_text(row.status.word()),
        row.results.as_deref().unwrap_or(&action.no_results),
        Timestamp::utc(row.prepared_at),
        finished
    );
    let own = href(head, &format!("/command?commandid={}", row.id));
    let of = href(head, &format!("/action?actionid={}", row.action_id));
    Ok(Item::new(own, "command", json).linked("action", of))
}
