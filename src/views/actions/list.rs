// SPDX-License-Identifier: Apache-2.0
//! The actions, newest first: `/actions`.

use super::{NEW, action_url, progress};
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::command::ActionStatus;
use crate::model::filter::count;
use crate::ops::App;
use crate::store::fleet::{ActionQuery, ActionRow};
use crate::views::parts::{heading, time_ago};
use crate::views::switch::{Choice, switch};
use crate::views::{Asked, Page, View, links, status, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/actions",
    title: "Actions",
    help: "Signed actions, newest first, with their progress",
    in_navigation: true,
    need: Need::ReadFleet,
    get,
};

/// Actions on a page.
pub const ROWS_MAX: usize = 50;
/// Characters of a target that the list shows.
const TARGET_CHARS_MAX: usize = 140;
/// How often the page is loaded again while an action on it runs.
const REFRESH_SECS: u32 = 5;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// Only those of this status.
    pub status: Option<ActionStatus>,
    /// The page before which this one stands; none on the first.
    pub from_id: Option<i64>,
    /// Newest first.
    pub actions: Vec<ActionRow>,
    /// Where the next page begins; none where this is the last.
    pub next_below_id: Option<i64>,
    /// True where the viewer may launch actions.
    pub may_operate: bool,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The actions of a page; Invalid for a status that is none.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let status = asked.query.filled("status").map(status_of).transpose()?;
    let from_id = asked.query.filled("from_id").map(|value| count("from_id", value)).transpose()?;
    let query = ActionQuery { status, below_id: from_id, rows_max: ROWS_MAX + 1 };
    let mut actions = app.store.list_actions(&query)?;
    let has_more = actions.len() > ROWS_MAX;
    actions.truncate(ROWS_MAX);
    let next_below_id = actions.last().filter(|_| has_more).map(|action| action.id);
    let may_operate = asked.viewer.may(Need::Operate);
    Ok(Data { now: app.clock.now(), status, from_id, actions, next_below_id, may_operate })
}

fn status_of(word: &str) -> Result<ActionStatus> {
    ActionStatus::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = ActionStatus::ALL.iter().map(|status| status.word()).collect();
        Error::invalid(format!("status must be one of {}", words.join(", ")))
    })
}

fn link(status: Option<ActionStatus>, from_id: Option<i64>) -> String {
    let from_id = from_id.map(|id| id.to_string());
    let status = status.map(|status| ("status", status.word()));
    links::link(VIEW.path, status.into_iter().chain(from_id.as_deref().map(|id| ("from_id", id))))
}

/// The page.
pub fn render(data: &Data) -> Page {
    let about = html! {
        @if data.from_id.is_some() { a href=(link(data.status, None)) { "Back to the newest" } }
    };
    let markup = html! {
        (heading("Actions", about, html! {
            a.button href="/acl" { "ACL" }
            @if data.may_operate { a.button.primary href=(NEW.path) { "New action" } }
        }))
        (statuses(data))
        @if data.actions.is_empty() {
            (empty(data))
        } @else {
            div.sheet {
                table.actions {
                    caption.unseen { "Actions, newest first" }
                    thead {
                        tr {
                            th scope="col" { "Number" }
                            th scope="col" { "Status" }
                            th scope="col" { "Name and target" }
                            th scope="col" { "Progress" }
                            th scope="col" { "Submitted" }
                        }
                    }
                    tbody { @for action in &data.actions { (row(action, data.now)) } }
                }
            }
            @if let Some(below_id) = data.next_below_id {
                div.pager { a.button rel="next" href=(link(data.status, Some(below_id))) { "Older" } }
            }
        }
    };
    let is_moving = data.from_id.is_none() && data.actions.iter().any(|action| is_running(action.status));
    Page { refresh_secs: is_moving.then_some(REFRESH_SECS), ..Page::ok("Actions", markup) }
}

/// True where numbers move without anybody's doing.
fn is_running(status: ActionStatus) -> bool {
    matches!(status, ActionStatus::Pending | ActionStatus::Preparing | ActionStatus::Inflight)
}

fn statuses(data: &Data) -> Markup {
    let choice = |status: Option<ActionStatus>| Choice {
        label: status.map_or("all", ActionStatus::word).to_owned(),
        count: None,
        link: link(status, None),
        is_chosen: status == data.status,
    };
    let each = ActionStatus::ALL.iter().map(|status| choice(Some(*status)));
    switch("Status", &std::iter::once(choice(None)).chain(each).collect::<Vec<_>>())
}

fn row(action: &ActionRow, now: i64) -> Markup {
    html! {
        tr id={ "action-" (action.id) } {
            td.number { (action.id) }
            td.state { (status::action(action.status)) }
            td.name {
                a href=(action_url(action.id)) { bdi { (text::start(&action.name, 120)) } }
                div.muted { code { bdi { (text::line_start(&action.target, TARGET_CHARS_MAX)) } } }
                @if !action.reason.is_empty() {
                    div.reason { bdi { (text::line_start(&action.reason, 200)) } }
                }
            }
            td.progress { (progress(action.counters)) }
            td.age { (time_ago(action.created_at, now)) }
        }
    }
}

fn empty(data: &Data) -> Markup {
    html! {
        section.panel.empty {
            @match data.status {
                Some(status) => {
                    h2 { "No action is " (status.word()) }
                    p { a href=(link(None, None)) { "All actions" } }
                },
                None if data.from_id.is_some() => { h2 { "There are no older actions" } },
                None => {
                    h2 { "No action yet" }
                    p {
                        "An action tells agents what to do. "
                        @if data.may_operate { "Write one " a href=(NEW.path) { "here" } ", or submit" } @else { "Operators submit" }
                        " a signed file with " code { "muster action submit FILE" } "."
                    }
                },
            }
        }
    }
}
