// SPDX-License-Identifier: Apache-2.0
//! The fleet's numbers now and over time; who is offline, double, refused: `/fleet`.

mod charts;
mod lists;

use super::{agents_link, require_local};
use crate::error::Result;
use crate::model::filter::bounded;
use crate::ops::App;
use crate::store::fleet::EnrolmentRefusal;
use crate::views::parts::heading;
use crate::views::switch::{Choice, switch};
use crate::views::{Asked, Page, View, links, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/fleet",
    title: "Fleet",
    help: "Agents and endpoints now and over time; who is offline, double, refused",
    in_navigation: true,
    get,
};

/// Rows of each list.
pub const ROWS_MAX: usize = 100;
/// The spans that the history can show, in days, and what each is called.
const SPANS: [(i64, &str); 4] = [(1, "24 hours"), (7, "7 days"), (30, "30 days"), (365, "a year")];

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// All agents that there are, also those that are offline.
    pub n_agents: i64,
    /// The numbers of this moment.
    pub numbers: Numbers,
    /// Agents by version, most first.
    pub versions: Vec<Share>,
    /// Agents by the name of their OS, most first.
    pub systems: Vec<Share>,
    /// The days that the history goes back.
    pub days: i64,
    /// The numbers that were taken, oldest first.
    pub history: Vec<Taken>,
    /// Names without a heartbeat, sorted; the first of them.
    pub offline: Vec<OfflineName>,
    /// How many there are.
    pub n_offline: usize,
    /// Endpoints with several agents, most first; the first of them.
    pub double: Vec<DoubleEndpoint>,
    /// How many there are.
    pub n_double: usize,
    /// Agents of one endpoint that both go on beating.
    pub rivals: Vec<Rivals>,
    /// Heartbeats that were refused, the last first.
    pub refusals: Vec<EnrolmentRefusal>,
}

/// The fleet at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Agents heard of within two heartbeat periods.
    pub online_agents: i64,
    /// Those heard of within the timeout, but not so lately.
    pub idle_agents: i64,
    /// Endpoints with an online agent.
    pub online_endpoints: i64,
    /// Endpoints with an idle agent.
    pub idle_endpoints: i64,
    /// Endpoints of the last 24 hours that were not heard of in the six days before.
    pub new_endpoints: i64,
    /// Endpoints with more than one agent online.
    pub double_endpoints: i64,
    /// Endpoints heard of in the last seven days that are gone.
    pub disappeared_endpoints: i64,
    /// Endpoints whose agents start again and again.
    pub flapping_endpoints: i64,
}

/// Numbers that were taken at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: i64,
    /// What they were.
    pub numbers: Numbers,
}

/// Agents that have a version or an OS in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// That version or OS.
    pub name: String,
    /// How many are online.
    pub online: i64,
    /// How many are idle.
    pub idle: i64,
}

/// A name of which nothing was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineName {
    /// The name.
    pub name: String,
    /// Its last heartbeat.
    pub last_heartbeat_at: i64,
}

/// An endpoint with several agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleEndpoint {
    /// The endpoint.
    pub queueloc: String,
    /// How many agents beat.
    pub count: i64,
    /// Their names, each once.
    pub names: Vec<String>,
}

/// Two agents of one endpoint of which each beat after the younger had begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rivals {
    /// The endpoint.
    pub queueloc: String,
    /// The agent that began first.
    pub older_id: i64,
    /// The one that began later.
    pub younger_id: i64,
    /// The action that ends the older one, for an investigator to sign.
    pub action: String,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// Everything on the page; Forbidden for a viewer who is not local.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    require_local(asked.viewer)?;
    let days =
        asked.query.filled("days").map(|value| bounded("days", value, 1, 400)).transpose()?.unwrap_or(1);
    Ok(Data {
        now: app.clock.now(),
        days,
        refusals: app.store.enrolment_refusals(ROWS_MAX)?,
        ..Data::default()
    })
}

/// The page.
pub fn render(data: &Data) -> Page {
    let about = html! { (text::counted(data.n_agents, "agent", "agents")) " known" };
    let markup = html! {
        (heading("Fleet", about, html! {
            a.button href=(super::AGENTS.path) { "Agents" }
            a.button href="/investigators" { "Investigators" }
        }))
        (lists::rivals(&data.rivals))
        @if data.n_agents == 0 { (empty()) } @else {
            (tiles(data))
            (switch("History", &spans(data)))
            (charts::history(data))
            div.charts { (charts::versions(&data.versions)) (charts::systems(&data.systems)) }
        }
        (lists::double(data))
        (lists::offline(data))
        (lists::refusals(data))
    };
    Page::ok("Fleet", markup)
}

fn empty() -> Markup {
    html! {
        section.panel.empty {
            h2 { "No agent yet" }
            p { "An agent is here from its first heartbeat on. Start one on each machine:" }
            pre { "muster agent run --server http://SERVER:8080" }
        }
    }
}

fn spans(data: &Data) -> Vec<Choice> {
    let choice = |(days, label): (i64, &str)| Choice {
        label: label.to_owned(),
        count: None,
        link: links::link(VIEW.path, [("days", days.to_string().as_str())]),
        is_chosen: data.days == days,
    };
    SPANS.into_iter().map(choice).collect()
}

/// The numbers of this moment.
fn tiles(data: &Data) -> Markup {
    let numbers = &data.numbers;
    let status = |word: &str| Some(agents_link([("status", word)]));
    let all: [(&str, i64, &str, Option<String>); 8] = [
        ("online agents", numbers.online_agents, "heard of within two heartbeat periods", status("online")),
        (
            "idle agents",
            numbers.idle_agents,
            "heard of not so lately, but within the timeout",
            status("idle"),
        ),
        ("online endpoints", numbers.online_endpoints, "endpoints with an online agent", None),
        ("idle endpoints", numbers.idle_endpoints, "endpoints with an idle agent", None),
        ("new endpoints", numbers.new_endpoints, "begun in 24 hours, and unknown in the week before", None),
        (
            "double endpoints",
            numbers.double_endpoints,
            "with more than one agent",
            Some("#double".to_owned()),
        ),
        ("disappeared endpoints", numbers.disappeared_endpoints, "heard of in 7 days, and now gone", None),
        ("flapping endpoints", numbers.flapping_endpoints, "whose agents start again and again", None),
    ];
    html! {
        section.panel aria-label="Now" {
            dl.large.tiles {
                @for (name, number, about, link) in &all {
                    div {
                        dt title=(about) { (name) }
                        dd {
                            @match link {
                                Some(link) => a href=(link) { (text::grouped(*number)) },
                                None => (text::grouped(*number)),
                            }
                        }
                    }
                }
            }
        }
    }
}
