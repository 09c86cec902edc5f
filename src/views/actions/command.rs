// SPDX-License-Identifier: Apache-2.0
//! One command with all that its agent answered: `/actions/ID/commands/COMMAND`.

use super::commands::{Shown, agent, name_agents};
use super::details::require_action;
use super::{Results, action_url};
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::ops::App;
use crate::views::parts::{definition, heading, time_exact};
use crate::views::{Asked, Page, View, status, text};
use maud::{Markup, html};

/// The view of one command.
pub const VIEW: View = View {
    path: "/actions/{id}/commands/{command}",
    title: "Command",
    help: "One command of an action with all that its agent answered",
    in_navigation: false,
    need: Need::ReadFleet,
    get,
};

/// Bytes of results that are read for the page.
const RESULTS_BYTES_MAX: usize = 1024 * 1024;
/// Items of one operation that are shown.
const ITEMS_MAX: usize = 2_000;

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The name of its action.
    pub action_name: String,
    /// The command and the answer.
    pub command: Shown,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The command; NotFound where its action has no such.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let action = require_action(app, asked.id()?)?;
    let text = asked.parameters.get(1).map_or("", String::as_str);
    let id =
        Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|t| t.parse().ok());
    let row = id.map(|id| app.store.command(id)).transpose()?.flatten();
    let mut row = row
        .filter(|row| row.action_id == action.id)
        .ok_or_else(|| Error::not_found(format!("Action {} has no such command", action.id)))?;
    let results = Results::read(row.results.take(), RESULTS_BYTES_MAX);
    let mut command = Shown { row, agent_name: None, results };
    name_agents(app, std::slice::from_mut(&mut command))?;
    Ok(Data { now: app.clock.now(), action_name: action.name, command })
}

/// The page.
pub fn render(data: &Data) -> Page {
    let row = &data.command.row;
    let title = format!("Command {}", row.id);
    let about = html! { (status::command(row.status)) " of " (action_link(data)) };
    let known = |at: Option<i64>, otherwise: &str| {
        html! { @match at { Some(at) => (time_exact(at, data.now)), None => span.muted { (otherwise) } } }
    };
    let markup = html! {
        (heading(&title, about, html! { a.button href={ (action_url(row.action_id)) "#commands" } { "All of its action" } }))
        section.panel {
            dl {
                (definition("Agent", agent(&data.command)))
                (definition("Made", time_exact(row.prepared_at, data.now)))
                (definition("Fetched", known(row.sent_at, "not yet")))
                (definition("Attempts", text::grouped(row.attempt)))
                (definition("Over", known(row.finished_at, "not yet")))
                @if row.is_late { (definition("Late", "It was answered after it had ended.")) }
            }
        }
        (data.command.results.whole(ITEMS_MAX))
    };
    Page::ok(title, markup)
}

fn action_link(data: &Data) -> Markup {
    html! { a href=(action_url(data.command.row.action_id)) { bdi { (text::start(&data.action_name, 200)) } } }
}
