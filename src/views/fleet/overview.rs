// SPDX-License-Identifier: Apache-2.0
//! The fleet's numbers now and over time; who is offline, double, refused: `/fleet`.

mod charts;
mod lists;

use super::agents_link;
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::filter::bounded;
use crate::model::time::DAY_SECS;
use crate::ops::App;
use crate::ops::fleet::statistics::{self, Double};
use crate::store::fleet::{EnrolmentRefusal, FleetOverview, FleetSample, OverviewQuery};
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
    need: Need::ReadFleet,
    get,
};

/// Rows of each list.
pub const ROWS_MAX: usize = 100;
/// Offline is a name that was heard of for so long,
const OFFLINE_SEEN_SECS: i64 = 30 * DAY_SECS;
/// and not for so long.
const OFFLINE_SILENT_SECS: i64 = 300;
/// Double is an endpoint of which several agents beat within so long.
const DOUBLE_SECS: i64 = 600;
/// The longest history that can be asked for.
const DAYS_MAX: i64 = 400;
/// The spans that the history can show, in days, and what each is called.
const SPANS: [(i64, &str); 4] = [(1, "24 hours"), (7, "7 days"), (30, "30 days"), (365, "a year")];

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// True where there is an agent, also one that is offline.
    pub has_agents: bool,
    /// The numbers of this moment, who is offline, who is double.
    pub overview: FleetOverview,
    /// The days that the history goes back.
    pub days: i64,
    /// The numbers that were taken, oldest first.
    pub history: Vec<FleetSample>,
    /// Agents of one endpoint that both go on beating.
    pub rivals: Vec<Rivals>,
    /// True where the viewer may launch actions.
    pub may_operate: bool,
    /// Heartbeats that were refused, the last first.
    pub refusals: Vec<EnrolmentRefusal>,
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

impl Rivals {
    fn new(double: &Double) -> Result<Rivals> {
        let json = double.action.to_json()?;
        // It was JSON, so it is again; in lines it can be read.
        let value: serde_json::Value = serde_json::from_str(&json)
            .map_err(|error| Error::internal("An action cannot be read back").because(error))?;
        Ok(Rivals {
            queueloc: double.older.queueloc.clone(),
            older_id: double.older.id,
            younger_id: double.younger.id,
            action: format!("{value:#}"),
        })
    }
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// Everything on the page.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let days = asked.query.filled("days").map(|value| bounded("days", value, 1, DAYS_MAX)).transpose()?;
    let (now, days) = (app.clock.now(), days.unwrap_or(1));
    let overview = app.store.fleet_overview(&OverviewQuery {
        now,
        thresholds: app.config.fleet.liveness().at(now),
        offline_seen_from: now - OFFLINE_SEEN_SECS,
        offline_silent_from: now - OFFLINE_SILENT_SECS,
        double_from: now - DOUBLE_SECS,
        rows_max: ROWS_MAX,
    })?;
    let pairs = overview.pairs.iter().copied().take(lists::RIVALS_MAX).collect::<Vec<_>>();
    let rivals = statistics::describe(app, &pairs)?.iter().map(Rivals::new).collect::<Result<_>>()?;
    Ok(Data {
        now,
        has_agents: app.store.has_agents()?,
        days,
        history: app.store.fleet_history(now - days * DAY_SECS)?,
        overview,
        rivals,
        may_operate: asked.viewer.may(Need::Operate),
        refusals: app.store.enrolment_refusals(ROWS_MAX)?,
    })
}

/// The page.
pub fn render(data: &Data) -> Page {
    let about = "Agents are processes, endpoints the places where they run.";
    let markup = html! {
        (heading("Fleet", about, html! {
            a.button href=(super::AGENTS.path) { "Agents" }
            a.button href="/investigators" { "Investigators" }
        }))
        (lists::rivals(&data.rivals, data.overview.pairs.len(), data.may_operate))
        @if !data.has_agents { (empty()) } @else {
            (tiles(data))
            (switch("History", &spans(data)))
            div.charts { (charts::history(data)) }
            div.charts { (charts::versions(&data.overview.numbers)) (charts::systems(&data.overview.numbers)) }
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
    let numbers = &data.overview.numbers;
    let online = Some(agents_link([("status", "online")]));
    let double = Some("#double".to_owned());
    let all: [(&str, i64, &str, Option<String>); 8] = [
        ("online agents", numbers.online_agents, "heard of within two heartbeat periods", online),
        (
            "idle agents",
            numbers.idle_agents,
            "heard of within the timeout, on endpoints with none online",
            None,
        ),
        ("online endpoints", numbers.online_endpoints, "with an agent online", None),
        ("idle endpoints", numbers.idle_endpoints, "with an agent idle and none online", None),
        ("new endpoints", numbers.new_endpoints, "begun in 24 hours, unheard of in the 6 days before", None),
        ("double endpoints", numbers.double_endpoints, "with more than one agent online", double),
        ("disappeared endpoints", numbers.disappeared_endpoints, "heard of in 7 days, now offline", None),
        ("flapping endpoints", numbers.flapping_endpoints, "with more than one agent online or idle", None),
    ];
    html! {
        section.panel aria-label="Now" {
            dl.large.tiles {
                @for (name, number, about, link) in &all {
                    div title=(about) {
                        dt { (name) }
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
