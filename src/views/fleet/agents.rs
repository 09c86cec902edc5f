// SPDX-License-Identifier: Apache-2.0
//! Agents, the last heartbeat first, by any search: `/fleet/agents`.

use super::agent_url;
use crate::error::Result;
use crate::model::account::Need;
use crate::model::agent::AgentStatus;
use crate::model::filter::{ParameterError, bounded};
use crate::model::pairs::Pairs;
use crate::model::time::utc_text;
use crate::ops::App;
use crate::ops::fleet::agent_search::{self, Found, PARAMETERS};
use crate::store::fleet::AgentRow;
use crate::views::actions::NEW;
use crate::views::parts::{Tone, error_id, field, heading, input, notice, select, time_ago};
use crate::views::{Asked, Page, View, links, status, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/fleet/agents",
    title: "Agents",
    help: "Agents, the last heartbeat first, by name, version, OS, status, tag or target",
    in_navigation: false,
    need: Need::ReadFleet,
    get,
};

/// Agents on a page.
pub const ROWS_MAX: usize = 50;
/// How far one can page.
const OFFSET_MAX: i64 = 100_000_000;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The filled parameters of the search as they were asked, without `offset`.
    pub asked: Pairs,
    /// The parameter that breaks its rule; then there are no agents.
    pub error: Option<ParameterError>,
    /// So many agents stand on the pages before.
    pub offset: usize,
    /// The page.
    pub found: Found,
    /// True where the viewer may launch actions.
    pub may_operate: bool,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The agents of a page. A broken parameter is in the data.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let filled = |name: &&str| Some(((*name).to_owned(), asked.query.filled(name)?.to_owned()));
    let mut data = Data {
        now: app.clock.now(),
        asked: Pairs(PARAMETERS.iter().filter_map(filled).collect()),
        error: None,
        offset: 0,
        found: Found::default(),
        may_operate: asked.viewer.may(Need::Operate),
    };
    match parse(asked.query) {
        Ok((condition, offset)) => {
            data.found = agent_search::search(app, condition.as_ref(), offset, ROWS_MAX)?;
            data.offset = offset;
        }
        Err(error) => data.error = Some(error),
    }
    Ok(data)
}

type Parsed = (Option<crate::target::Condition>, usize);

fn parse(query: &Pairs) -> Result<Parsed, ParameterError> {
    let offset = query.filled("offset").map(|value| bounded("offset", value, 0, OFFSET_MAX)).transpose()?;
    Ok((agent_search::parse(query)?, usize::try_from(offset.unwrap_or(0)).unwrap_or(0)))
}

/// The page.
pub fn render(data: &Data) -> Page {
    let n_agents = i64::try_from(data.found.n_agents).unwrap_or(i64::MAX);
    let about = html! {
        @if data.error.is_none() {
            (text::counted(n_agents, "agent", "agents")) @if !data.asked.0.is_empty() { " found" }
            @if data.offset > 0 { " · shown from number " (text::grouped(data.offset as i64 + 1)) " on" }
        }
    };
    let markup = html! {
        (heading("Agents", about, html! {
            a.button href=(super::VIEW.path) { "Fleet" }
            @if let Some(target) = data.asked.first("target").filter(|_| {
                data.may_operate && data.asked.0.len() == 1 && data.error.is_none()
            }) {
                a.button href=(links::link(NEW.path, [("target", target)])) { "New action on these" }
            }
        }))
        (form(data))
        @if data.error.is_none() {
            @if data.found.agents.is_empty() { (empty(data)) } @else { (table(data)) }
            (pager(data))
        }
    };
    Page { status: if data.error.is_some() { 400 } else { 200 }, ..Page::ok("Agents", markup) }
}

fn form(data: &Data) -> Markup {
    let value = |name: &str| data.asked.first(name).unwrap_or("");
    let error = |name: &str| {
        data.error.as_ref().filter(|error| error.parameter == name).map(|error| error.message.as_str())
    };
    let text_field = |name: &str, label: &str| {
        field(name, label, error(name), input(name, "text", value(name), error(name)))
    };
    let elsewhere = data.error.as_ref().filter(|e| !PARAMETERS.contains(&e.parameter.as_str()));
    html! {
        @if let Some(error) = elsewhere { (notice(Tone::Error, text::visible(&error.message))) }
        form.filter.search action=(VIEW.path) method="get" role="search" aria-label="Search agents" {
            div.fields {
                (text_field("name", "Name"))
                (field("status", "Status", error("status"), select("status", value("status"), &statuses(), error("status"))))
                (text_field("os", "OS"))
                (text_field("version", "Version"))
                (field("tag", "Tag", error("tag"), tag_control(value("tag"), error("tag"))))
                (text_field("queueloc", "Queueloc"))
                (field("target", "Target", error("target"), target_control(value("target"), error("target"))))
                button.primary type="submit" { "Search" }
            }
            @if !data.asked.0.is_empty() { p.after { a href=(VIEW.path) { "Clear all" } } }
        }
    }
}

fn tag_control(value: &str, error: Option<&str>) -> Markup {
    html! {
        input #tag name="tag" type="text" value=(value) placeholder="NAME or NAME=VALUE" autocomplete="off"
            spellcheck="false" aria-invalid=[error.map(|_| "true")]
            aria-describedby=[error.map(|_| error_id("tag"))];
    }
}

/// A target may be long.
fn target_control(value: &str, error: Option<&str>) -> Markup {
    html! {
        textarea #target name="target" rows="1" spellcheck="false" autocomplete="off"
            placeholder="tags->>'site' = 'north' AND pid > 1"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id("target"))] {
            "\n" (value)
        }
    }
}

fn statuses() -> Vec<(String, String)> {
    let any = (String::new(), "any".to_owned());
    let each = AgentStatus::ALL.iter().map(|status| (status.word().to_owned(), status.word().to_owned()));
    std::iter::once(any).chain(each).collect()
}

fn table(data: &Data) -> Markup {
    html! {
        div.sheet {
            table.cards.agents {
                caption.unseen { "Agents, the last heartbeat first" }
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Status" }
                        th scope="col" { "Last heartbeat" }
                        th scope="col" { "OS" }
                        th scope="col" { "Version" }
                        th scope="col" { "Queueloc" }
                        th scope="col" { "Key" }
                    }
                }
                tbody { @for agent in &data.found.agents { (row(agent, data.now)) } }
            }
        }
    }
}

fn row(agent: &AgentRow, now: i64) -> Markup {
    html! {
        tr id={ "agent-" (agent.id) } {
            td.name { a href=(agent_url(agent.id)) { bdi { (text::start(&agent.name, 100)) } } }
            td.state { (status::agent(agent.status)) }
            td.beat {
                (time_ago(agent.heartbeat_at, now))
                span.muted.exact { (utc_text(agent.heartbeat_at)) }
            }
            td.os data-label="OS" { bdi { (text::start(&agent.environment.ident, 60)) } }
            td.version data-label="Version" { bdi { (text::start(&agent.version, 40)) } }
            td.queueloc data-label="Queueloc" { bdi { (text::start(&agent.queueloc, 120)) } }
            td.key data-label="Key" { (key(agent.is_bound)) }
        }
    }
}

/// Whether the endpoint has a key: only then its agent fetches commands.
pub fn key(is_bound: bool) -> Markup {
    html! {
        @if is_bound { span.tag { "bound" } } @else {
            span.tag.unbound title="Without a key an agent sends heartbeats only" { "unbound" }
        }
    }
}

fn pager(data: &Data) -> Markup {
    let at = |offset: usize| {
        let offset = (offset > 0).then(|| offset.to_string());
        let asked = data.asked.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        links::link(VIEW.path, asked.chain(offset.as_deref().map(|offset| ("offset", offset))))
    };
    let end = data.offset + data.found.agents.len();
    html! {
        div.pager {
            @if data.offset > 0 {
                a.button rel="prev" href=(at(data.offset.saturating_sub(ROWS_MAX))) { "← Before" }
            }
            @if !data.found.agents.is_empty() && end < data.found.n_agents {
                a.button rel="next" href=(at(end)) { "Next →" }
            }
        }
    }
}

fn empty(data: &Data) -> Markup {
    html! {
        section.panel.empty {
            @if data.offset > 0 {
                h2 { "There are no more agents" }
            } @else if data.asked.0.is_empty() {
                h2 { "No agent yet" }
                p { "An agent is here from its first heartbeat on. Start one on each machine:" }
                pre { "muster agent run --server http://SERVER:8080" }
            } @else {
                h2 { "Nothing matches" }
                p { "No agent is as you ask. " a href=(VIEW.path) { "All agents" } }
            }
        }
    }
}
