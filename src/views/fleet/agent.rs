// SPDX-License-Identifier: Apache-2.0
//! One agent: what it says of its host, its heartbeats, its commands, and the records of the same machine:
//! `/fleet/agents/ID`.

use super::agent_url;
use super::agents::key;
use super::history::{Change, changes};
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::filter::{MACHINE_ID_CHARS_MAX, RecordFilter, count};
use crate::model::record::Record;
use crate::ops::App;
use crate::store::fleet::{AgentCommand, AgentRow, EndpointRow};
use crate::store::{PayloadPart, RecordQuery};
use crate::views::actions::action_url;
use crate::views::parts::{Tone, definition, heading, notice, severity, time_ago, time_exact};
use crate::views::{Asked, Page, View, Viewer, links, records, status, text};
use maud::{Markup, html};
use serde_json::Value;
use std::time::Duration;

/// The view of one agent.
pub const VIEW: View = View {
    path: "/fleet/agents/{id}",
    title: "Agent",
    help: "One agent: its host, heartbeats, changes, commands, and the records of its machine",
    in_navigation: false,
    need: Need::ReadFleet,
    get,
};

/// Commands on a page.
pub const COMMANDS_MAX: usize = 50;
/// Records of the machine that are shown, the newest.
const RECORDS_MAX: usize = 10;
/// How long they may be looked for.
const SEARCH_MOST: Duration = Duration::from_millis(200);
/// Items of one list of the host: addresses, modules, tags.
const ITEMS_MAX: usize = 200;
/// The parameter that asks for older commands.
const FROM_COMMAND: &str = "from_command";

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The agent.
    pub agent: AgentRow,
    /// What changed about it, newest first.
    pub changes: Vec<Change>,
    /// Its machine id, as records have it.
    pub machine_id: Option<String>,
    /// The newest records of that machine.
    pub records: Vec<Record>,
    /// Its commands, newest first.
    pub commands: Vec<AgentCommand>,
    /// Where older commands begin; none where there are none.
    pub next_below_command: Option<i64>,
    /// Its endpoint and the key of that.
    pub endpoint: EndpointRow,
    /// True right after it was unbound.
    pub is_unbound_now: bool,
    /// Who looks, for the form that unbinds.
    pub viewer: Viewer,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The agent; NotFound where there is none.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let id = asked.id()?;
    let now = app.clock.now();
    let agent = app.store.agent(id, app.config.fleet.liveness().at(now))?;
    let agent = agent.ok_or_else(|| Error::not_found(format!("There is no agent {id}")))?;
    let endpoint = app.store.endpoint_by_queueloc(&agent.queueloc)?;
    let endpoint =
        endpoint.ok_or_else(|| Error::internal(format!("The endpoint of agent {id} is missing")))?;
    let changes = changes(&agent, &app.store.agent_history(id)?);
    let below_id = asked.query.filled(FROM_COMMAND).map(|value| count(FROM_COMMAND, value)).transpose()?;
    let mut commands = app.store.commands_of_agent(id, below_id, COMMANDS_MAX + 1)?;
    let has_more = commands.len() > COMMANDS_MAX;
    commands.truncate(COMMANDS_MAX);
    let machine_id = app.store.machine_of_agent(id)?;
    Ok(Data {
        now,
        records: records_of(app, machine_id.as_deref())?,
        next_below_command: commands.last().filter(|_| has_more).map(|command| command.id),
        agent,
        changes,
        machine_id,
        commands,
        endpoint,
        is_unbound_now: asked.query.filled("done") == Some("unbound"),
        viewer: asked.viewer.clone(),
    })
}

fn records_of(app: &App, machine_id: Option<&str>) -> Result<Vec<Record>> {
    // No record has a longer one.
    let Some(machine_id) = machine_id.filter(|id| id.chars().count() <= MACHINE_ID_CHARS_MAX) else {
        return Ok(Vec::new());
    };
    let query = RecordQuery {
        filter: RecordFilter { machine_id: Some(machine_id.to_owned()), ..RecordFilter::default() },
        below_id: None,
        above_id: None,
        rows_max: RECORDS_MAX,
        payload: PayloadPart::Start(0),
        search_most: SEARCH_MOST,
    };
    Ok(app.store.list_records(&query)?.records)
}

/// The page.
pub fn render(data: &Data) -> Page {
    let agent = &data.agent;
    let title = format!("Agent {}", agent.id);
    let about =
        html! { (status::agent(agent.status)) " " strong { bdi { (text::start(&agent.name, 200)) } } };
    let markup = html! {
        (heading(&title, about, html! { a.button href=(super::AGENTS.path) { "All agents" } }))
        @if data.is_unbound_now && data.endpoint.may_bind {
            (notice(Tone::Info, "Its key is forgotten; the next one that it shows is bound."))
        }
        div.facts {
            (process(data))
            (host(agent))
            (tags(agent))
        }
        (machine(data))
        (commands(data))
        (history(data))
        (unbind(data))
    };
    Page::ok(title, markup)
}

/// A text that an agent sent, or may have left empty.
fn given(value: &str) -> Markup {
    html! { @if value.is_empty() { span.muted { "not sent" } } @else { bdi { (text::start(value, 1_000)) } } }
}

fn process(data: &Data) -> Markup {
    let agent = &data.agent;
    html! {
        section.panel {
            h2 { "Agent" }
            dl {
                (definition("Queueloc", html! { code { bdi { (text::start(&agent.queueloc, 2_048)) } } }))
                (definition("Version", given(&agent.version)))
                (definition("Process", html! { (agent.pid) " · " (text::start(&agent.mode, 40)) }))
                (definition("Key", key_line(data)))
                (definition("First beat", time_exact(agent.started_at, data.now)))
                (definition("Last beat", time_exact(agent.heartbeat_at, data.now)))
                @if let Some(at) = agent.refreshed_at {
                    (definition("Refreshed", html! { (time_exact(at, data.now)) span.muted { " · by its own clock" } }))
                }
                @if let Some(at) = agent.destroyed_at { (definition("Destroyed", time_exact(at, data.now))) }
            }
        }
    }
}

fn host(agent: &AgentRow) -> Markup {
    let environment = &agent.environment;
    html! {
        section.panel {
            h2 { "Host" }
            dl {
                (definition("System", given(&environment.ident)))
                (definition("OS", given(&environment.os)))
                (definition("Architecture", given(&environment.arch)))
                (definition("Init", given(&environment.init)))
                (definition("Modules", list(environment.modules.as_deref().unwrap_or_default())))
                (definition("Public address", given(&environment.publicip)))
                (definition("Addresses", list(environment.addresses.as_deref().unwrap_or_default())))
                (definition("Proxy", html! {
                    @if environment.isproxied { (given(&environment.proxy)) } @else { span.muted { "none" } }
                }))
                @let aws = &environment.aws;
                @for (term, value) in [("AWS instance", &aws.instanceid), ("AWS type", &aws.instancetype), ("AWS image", &aws.amiid), ("AWS address", &aws.localipv4)] {
                    @if !value.is_empty() { (definition(term, given(value))) }
                }
            }
        }
    }
}

fn list(items: &[String]) -> Markup {
    html! {
        @if items.is_empty() { span.muted { "none" } }
        ul.words_list {
            @for item in items.iter().take(ITEMS_MAX) { li { bdi { (text::start(item, 200)) } } }
            @if items.len() > ITEMS_MAX { li.muted { (items.len() - ITEMS_MAX) " more" } }
        }
    }
}

fn tags(agent: &AgentRow) -> Markup {
    let tags: Vec<_> = agent.tags.as_object().into_iter().flatten().collect();
    let value_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    html! {
        section.panel {
            h2 { "Tags" }
            @if tags.is_empty() { p.muted { "None." } }
            dl {
                @for (name, value) in tags.iter().take(ITEMS_MAX) {
                    @let value = value_text(value);
                    div {
                        dt { bdi { (text::start(name, 60)) } }
                        dd {
                            @let shown = html! { bdi { (text::start(&value, 500)) } };
                            @match super::agents_tagged(name, &value) {
                                Some(link) => a href=(link) title="All agents with the same" { (shown) },
                                None => (shown),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The records of the same machine.
fn machine(data: &Data) -> Markup {
    let Some(machine_id) = &data.machine_id else {
        return html! {
            section.panel {
                h2 { "Records of this machine" }
                p.muted { "The agent sends no tag " code { "machine_id" } ", by which its records would be known." }
            }
        };
    };
    html! {
        section.panel {
            div.heading {
                h2 { "Records of this machine" }
                p.about { code { bdi { (text::start(machine_id, 100)) } } }
                div.actions {
                    @if !data.records.is_empty() {
                        a.button href=(records::link([("machine_id", machine_id.as_str())])) { "All its records" }
                    }
                }
            }
            @if data.records.is_empty() {
                p.nothing { "No record of this machine is stored." }
            } @else {
                div.sheet {
                    table.cards.machine_records {
                        caption.unseen { "Its newest records" }
                        thead { tr { th scope="col" { "Classification" } th scope="col" { "Severity" } th scope="col" { "Age" } th scope="col" { "Build" } } }
                        tbody { @for record in &data.records { (record_row(record, data.now)) } }
                    }
                }
            }
        }
    }
}

fn record_row(record: &Record, now: i64) -> Markup {
    let content = &record.content;
    html! {
        tr {
            td.name { a href={ "/records/" (record.id) } { bdi { (text::short_classification(&content.classification)) } } }
            td.state { (severity(content.severity)) }
            td.age { (time_ago(record.received_at, now)) }
            td data-label="Build" { bdi { (text::start(&content.build, 60)) } }
        }
    }
}

fn commands(data: &Data) -> Markup {
    let older = data.next_below_command.map(|id| {
        links::link(&agent_url(data.agent.id), [(FROM_COMMAND, id.to_string().as_str())]) + "#commands"
    });
    html! {
        section.panel #commands {
            h2 { "Commands" }
            @if data.commands.is_empty() {
                p.nothing { "It was told nothing." }
            } @else {
                div.sheet {
                    table.cards.agent_commands {
                        caption.unseen { "Its commands, newest first" }
                        thead { tr { th scope="col" { "Action" } th scope="col" { "Status" } th scope="col" { "Found" } th scope="col" { "Made" } th scope="col" { "Over" } th scope="col" { "Command" } } }
                        tbody { @for command in &data.commands { (command_row(command, data.now)) } }
                    }
                }
            }
            @if let Some(url) = &older { div.pager { a.button rel="next" href=(url) { "Older" } } }
        }
    }
}

fn command_row(command: &AgentCommand, now: i64) -> Markup {
    let url = action_url(command.action_id);
    html! {
        tr {
            td.name { a href=(url) { bdi { (text::start(&command.action_name, 120)) } } }
            td.state { (status::command(command.status)) }
            td data-label="Found" {
                @if command.has_found { span.tag.found { "something" } } @else { span.muted { "–" } }
            }
            td data-label="Made" { (time_ago(command.prepared_at, now)) }
            td data-label="Over" {
                @match command.finished_at { Some(at) => (time_ago(at, now)), None => span.muted { "not yet" } }
            }
            td data-label="Command" { a href={ (url) "/commands/" (command.id) } { (command.id) } }
        }
    }
}

fn history(data: &Data) -> Markup {
    let value = |value: &Option<String>| {
        html! { @match value { Some(text) => bdi { (text::start(text, 300)) }, None => span.muted { "nothing" } } }
    };
    html! {
        section.panel {
            h2 { "Changes" }
            @if data.changes.is_empty() { p.nothing { "Nothing about it has changed." } }
            ol.changes {
                @for change in &data.changes {
                    li {
                        p { (time_exact(change.at, data.now)) }
                        ul {
                            @for field in &change.fields {
                                li { span.muted { bdi { (text::start(&field.name, 100)) } } " " (value(&field.before)) " → " (value(&field.after)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether its endpoint has a key, and whether one may come.
fn key_line(data: &Data) -> Markup {
    html! {
        (key(data.agent.is_bound))
        @if let Some(at) = data.endpoint.bound_at {
            span.muted { " since " } (time_exact(at, data.now))
        } @else if data.endpoint.may_bind {
            span.muted { " · the next key that it shows is bound" }
        }
    }
}

/// The form that lets the next key of its endpoint bind, behind a second look.
fn unbind(data: &Data) -> Markup {
    let is_bound = data.agent.is_bound;
    html! {
        @if data.viewer.may(Need::Administer) && (is_bound || !data.endpoint.may_bind) {
            section.panel {
                details.drop.alone {
                    summary { @if is_bound { "Unbind its key" } @else { "Let its next key bind" } }
                    form method="post" action={ (agent_url(data.agent.id)) "/unbind" } {
                        input type="hidden" name="csrf_token" value=(data.viewer.csrf_token);
                        p {
                            @if is_bound {
                                "For a machine that was installed anew: the key it has is forgotten. "
                            } @else {
                                "This endpoint was known before it showed a key, so none is bound by itself. "
                            }
                            "The next key that an agent of this queueloc shows is then bound, whoever sends it; "
                            "until that happens it gets no commands."
                        }
                        button.danger type="submit" { @if is_bound { "Unbind" } @else { "Let it bind" } }
                    }
                }
            }
        }
    }
}
