// SPDX-License-Identifier: Apache-2.0
//! The lists of the fleet's page: agents that are in each other's way, double and offline ones, refusals.

use super::{Data, Rivals};
use crate::ops::fleet::agent_search::quoted;
use crate::store::fleet::{DoubleEndpoint, EnrolmentRefusal, OfflineAgent};
use crate::views::actions::NEW;
use crate::views::fleet::{agent_url, agents_link};
use crate::views::parts::{Tone, notice, time_ago};
use crate::views::record::payload_text;
use crate::views::{links, text};
use maud::{Markup, html};
use serde_json::Value;

/// Pairs that are shown; more have the same cause.
pub(super) const RIVALS_MAX: usize = 10;
/// Names of one endpoint that are shown.
const NAMES_MAX: usize = 10;

/// The warning of two agents that both go on, with the action that ends the older one.
pub fn rivals(pairs: &[Rivals], n_pairs: usize, may_operate: bool) -> Markup {
    html! {
        @if !pairs.is_empty() {
            (notice(Tone::Warning, html! {
                (text::counted(count(n_pairs), "pair", "pairs"))
                " of agents share an endpoint, and both go on: each command is run by only one of them."
                @for (index, pair) in pairs.iter().enumerate() { (rival(index, pair, may_operate)) }
                @if pairs.len() < n_pairs { p { "Shown are the first " (pairs.len()) "." } }
            }))
        }
    }
}

fn rival(index: usize, pair: &Rivals, may_operate: bool) -> Markup {
    html! {
        details.rivals {
            summary { bdi { (text::start(&pair.queueloc, 120)) } }
            p {
                a href=(agent_url(pair.older_id)) { "Agent " (pair.older_id) } " is the older, "
                a href=(agent_url(pair.younger_id)) { "agent " (pair.younger_id) } " the younger. "
                "Where only the younger shall stay, an investigator signs this action and submits it "
                @if may_operate { a href=(compose_url(&pair.action)) { "here" } " or " } "with " code { "muster action submit FILE" } ":"
            }
            (payload_text(&format!("rivals-{index}"), &pair.action))
        }
    }
}

/// The page that composes this action.
fn compose_url(action: &str) -> String {
    let action: Value = serde_json::from_str(action).unwrap_or_default();
    let text = |name: &str| action.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let operations = action.get("operations").map(|operations| format!("{operations:#}")).unwrap_or_default();
    let (name, target) = (text("name"), text("target"));
    links::link(
        NEW.path,
        [("name", name.as_str()), ("target", target.as_str()), ("operations", operations.as_str())],
    )
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// The agents of one endpoint.
fn of_queueloc(queueloc: &str) -> String {
    let target = format!("queueloc = {}", quoted(queueloc));
    agents_link([("target", target.as_str())])
}

/// The agents of one name.
fn of_name(name: &str) -> String {
    let target = format!("name = {}", quoted(name));
    agents_link([("target", target.as_str())])
}

/// The head of a list: its name, how many there are, what can be had.
fn list_head(title: &str, about: &Markup, csv: Option<&str>) -> Markup {
    html! {
        div.heading {
            h2 { (title) }
            p.about { (about) }
            div.actions { @if let Some(url) = csv { a.button href=(url) download { "CSV" } } }
        }
    }
}

/// Endpoints with several agents.
pub fn double(data: &Data) -> Markup {
    let about = html! {
        (text::counted(count(data.overview.n_double), "endpoint", "endpoints"))
        " with more than one agent that beat in the last 10 minutes"
        @if data.overview.double.len() < data.overview.n_double { ", the first " (data.overview.double.len()) }
    };
    html! {
        section.panel #double {
            (list_head("Double agents", &about, (data.overview.n_double > 0).then_some("/api/fleet/double?format=csv")))
            @if data.overview.double.is_empty() { p.nothing { "There is none." } } @else {
                div.sheet {
                    table.cards {
                        caption.unseen { "Endpoints with several agents, most first" }
                        thead { tr { th scope="col" { "Queueloc" } th.number scope="col" { "Agents" } th scope="col" { "Names" } } }
                        tbody { @for endpoint in &data.overview.double { (double_row(endpoint)) } }
                    }
                }
            }
        }
    }
}

fn double_row(endpoint: &DoubleEndpoint) -> Markup {
    html! {
        tr {
            td.name { a href=(of_queueloc(&endpoint.queueloc)) { bdi { (text::start(&endpoint.queueloc, 120)) } } }
            td.number data-label="Agents" { (text::grouped(count(endpoint.count))) }
            td data-label="Names" {
                @for (index, name) in endpoint.names.iter().take(NAMES_MAX).enumerate() {
                    @if index > 0 { ", " }
                    bdi { (text::start(name, 80)) }
                }
                @if endpoint.names.len() > NAMES_MAX { " and " (endpoint.names.len() - NAMES_MAX) " more" }
            }
        }
    }
}

/// Names without a heartbeat.
pub fn offline(data: &Data) -> Markup {
    let about = html! {
        (text::counted(count(data.overview.n_offline), "name", "names"))
        " of the last 30 days without a heartbeat in the last 5 minutes"
        @if data.overview.offline.len() < data.overview.n_offline { ", the first " (data.overview.offline.len()) }
    };
    html! {
        section.panel #offline {
            (list_head("Offline agents", &about, (data.overview.n_offline > 0).then_some("/api/fleet/offline?format=csv")))
            @if data.overview.offline.is_empty() { p.nothing { "There is none." } } @else {
                ul.offline { @for name in &data.overview.offline { (offline_item(name, data.now)) } }
            }
            @if data.overview.offline.len() < data.overview.n_offline {
                p.after {
                    a href=(agents_link([("target", "heartbeattime < NOW() - interval '5 minutes' AND heartbeattime > NOW() - interval '30 days'")])) {
                        "All agents not heard of"
                    }
                }
            }
        }
    }
}

fn offline_item(name: &OfflineAgent, now: i64) -> Markup {
    html! {
        li {
            a href=(of_name(&name.name)) { bdi { (text::start(&name.name, 100)) } }
            " " span.muted { (time_ago(name.last_heartbeat_at, now)) }
        }
    }
}

/// Heartbeats that were refused.
pub fn refusals(data: &Data) -> Markup {
    let about = html! {
        @if !data.refusals.is_empty() { "for the key or token that they showed or did not show, the last first" }
    };
    html! {
        section.panel #refusals {
            (list_head("Refused heartbeats", &about, None))
            @if data.refusals.is_empty() { p.nothing { "None was refused." } } @else {
                div.sheet {
                    table.cards {
                        caption.unseen { "Refused heartbeats, the last first" }
                        thead {
                            tr {
                                th scope="col" { "Queueloc" } th scope="col" { "Reason" } th scope="col" { "Sender" }
                                th.number scope="col" { "Times" } th scope="col" { "First" } th scope="col" { "Last" }
                            }
                        }
                        tbody { @for refusal in &data.refusals { (refusal_row(refusal, data.now)) } }
                    }
                }
            }
        }
    }
}

fn refusal_row(refusal: &EnrolmentRefusal, now: i64) -> Markup {
    html! {
        tr {
            td.name { a href=(of_queueloc(&refusal.queueloc)) { bdi { (text::start(&refusal.queueloc, 120)) } } }
            td data-label="Reason" { bdi { (text::start(&refusal.reason, 200)) } }
            td.nowrap data-label="Sender" { bdi { (text::start(&refusal.peer, 60)) } }
            td.number data-label="Times" { (text::grouped(refusal.attempts)) }
            td.nowrap data-label="First" { (time_ago(refusal.first_at, now)) }
            td.nowrap data-label="Last" { (time_ago(refusal.last_at, now)) }
        }
    }
}
