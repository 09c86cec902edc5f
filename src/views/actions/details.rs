// SPDX-License-Identifier: Apache-2.0
//! One action with its commands: `/actions/ID`.

use super::commands::{self, Asking, Listed};
use super::{NEW, action_url, export_url, progress};
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::action::{Action, Operation};
use crate::model::command::ActionStatus;
use crate::model::time::{DAY_SECS, rfc3339, utc_text};
use crate::ops::App;
use crate::store::fleet::{ActionRow, Signer};
use crate::views::parts::{Tone, definition, heading, notice, time_exact};
use crate::views::record::payload_text;
use crate::views::{Asked, Page, View, Viewer, links, status, text};
use maud::{Markup, html};

/// The view of one action.
pub const VIEW: View = View {
    path: "/actions/{id}",
    title: "Action",
    help: "One action: what was signed, by whom, and what its agents answered",
    in_navigation: false,
    need: Need::ReadFleet,
    get,
};

/// How often the page is loaded again while numbers move.
const REFRESH_SECS: u32 = 2;
/// How often while the action waits for its time.
const WAITING_REFRESH_SECS: u32 = 15;
/// Characters of the parameters of one operation that are shown.
const PARAMETERS_CHARS_MAX: usize = 20_000;
/// Operations that are shown; an action has no more.
const OPERATIONS_SHOWN_MAX: usize = 100;

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The action.
    pub row: ActionRow,
    /// What was submitted.
    pub action: Action,
    /// The commands.
    pub commands: Listed,
    /// True where the page loads itself again while numbers move.
    pub is_live: bool,
    /// Who looks, for the form that cancels.
    pub viewer: Viewer,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The action and a page of its commands; NotFound where there is none.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let id = asked.id()?;
    let row = require_action(app, id)?;
    let asking = Asking::read(asked.query)?;
    let action = row.submitted()?;
    let commands = commands::load(app, &row, asking)?;
    Ok(Data {
        now: app.clock.now(),
        row,
        action,
        commands,
        is_live: asked.query.filled("live") != Some("0"),
        viewer: asked.viewer.clone(),
    })
}

/// The action with this id; NotFound where there is none.
pub fn require_action(app: &App, id: i64) -> Result<ActionRow> {
    app.store.action(id)?.ok_or_else(|| Error::not_found(format!("There is no action {id}")))
}

/// The page.
pub fn render(data: &Data) -> Page {
    let row = &data.row;
    let title = format!("Action {}", row.id);
    let about = html! { (status::action(row.status)) " " strong { bdi { (text::start(&row.name, 300)) } } };
    let markup = html! {
        (heading(&title, about, html! {
            @if data.viewer.may(Need::Operate) { a.button href=(links::link(NEW.path, [("from", row.id.to_string().as_str())])) { "Compose one like it" } }
            @if row.counters.total() > 0 {
                a.button href=(export_url(row.id, "json")) download { "Results as JSON" }
                a.button href=(export_url(row.id, "csv")) download { "Results as CSV" }
            }
        }))
        (reason(row))
        (standing(data))
        div.facts {
            (about_panel(data))
            (times(data))
            (signers(row))
        }
        (target(row))
        (operations(&data.action))
        (commands::render(row, &data.commands, data.now))
        (cancel(data))
    };
    let refresh_secs = refresh_secs(row.status).filter(|_| data.is_live && data.commands.asking.is_first());
    Page { refresh_secs, ..Page::ok(title, markup) }
}

fn refresh_secs(status: ActionStatus) -> Option<u32> {
    match status {
        ActionStatus::Pending | ActionStatus::Preparing | ActionStatus::Inflight => Some(REFRESH_SECS),
        ActionStatus::Scheduled => Some(WAITING_REFRESH_SECS),
        ActionStatus::Completed | ActionStatus::Invalid | ActionStatus::Cancelled => None,
    }
}

/// Why it is invalid or was cancelled.
fn reason(row: &ActionRow) -> Markup {
    let said = html! { bdi { (text::visible(&row.reason)) } };
    html! {
        @match row.status {
            ActionStatus::Invalid => (notice(Tone::Error, html! { "It cannot run: " (said) })),
            ActionStatus::Cancelled => (notice(Tone::Warning, html! {
                "It was cancelled" @if !row.reason.is_empty() { ": " (said) }
            })),
            _ if !row.reason.is_empty() => (notice(Tone::Info, said)),
            _ => {},
        }
    }
}

/// The bar that moves.
fn standing(data: &Data) -> Markup {
    let row = &data.row;
    html! {
        section.panel.standing aria-label="Progress" {
            @match row.status {
                ActionStatus::Pending => p { "It was accepted and is looked at now." },
                ActionStatus::Scheduled => p {
                    "It waits for its time: " (when(row.valid_from, data.now)) "."
                },
                ActionStatus::Preparing => p { "Its target is evaluated and its commands are made." },
                _ => {},
            }
            (progress(row.counters))
            (commands::counters(row, &data.commands.asking))
            @if refresh_secs(row.status).is_some() && data.commands.asking.is_first() {
                p.muted {
                    @if data.is_live {
                        "This page follows by itself. "
                        a href={ (action_url(row.id)) "?live=0" } { "Stop" }
                    } @else {
                        "This page stands still. "
                        a href=(action_url(row.id)) { "Follow" }
                    }
                }
            }
        }
    }
}

/// A text that the author may have left empty.
fn given(value: &str) -> Markup {
    html! {
        @if value.is_empty() { span.muted { "not given" } } @else { bdi { (text::start(value, 1_000)) } }
    }
}

fn about_panel(data: &Data) -> Markup {
    let (description, threat) = (&data.action.description, &data.action.threat);
    let revision = (description.revision != 0.0).then(|| description.revision.to_string());
    html! {
        section.panel {
            h2 { "Description and threat" }
            dl {
                (definition("Author", given(&description.author)))
                (definition("Mail", given(&description.email)))
                (definition("More at", given(&description.url)))
                (definition("Revision", given(revision.as_deref().unwrap_or(""))))
                (definition("Threat", given(&threat.reference)))
                (definition("Level", given(&threat.level)))
                (definition("Family", given(&threat.family)))
                (definition("Type", given(&threat.kind)))
            }
        }
    }
}

/// An exact time that may be to come.
fn when(at: i64, now: i64) -> Markup {
    let ahead = match at - now {
        secs if secs <= 60 => return time_exact(at, now),
        secs if secs < 3_600 => format!("in {} min", secs / 60),
        secs if secs < 2 * DAY_SECS => format!("in {} h", secs / 3_600),
        secs => format!("in {} d", secs / DAY_SECS),
    };
    html! { time datetime=(rfc3339(at)) { (utc_text(at)) } span.muted { " · " (ahead) } }
}

fn times(data: &Data) -> Markup {
    let row = &data.row;
    let known = |at: Option<i64>, otherwise: &str| {
        html! {
            @match at { Some(at) => (time_exact(at, data.now)), None => span.muted { (otherwise) } }
        }
    };
    html! {
        section.panel {
            h2 { "Times" }
            dl {
                (definition("Submitted", time_exact(row.created_at, data.now)))
                (definition("Valid from", when(row.valid_from, data.now)))
                (definition("Expires", when(row.expire_after, data.now)))
                (definition("Started", known(row.started_at, "not yet")))
                (definition("Last answer", known(row.updated_at, "none yet")))
                (definition("Finished", known(row.finished_at, "not yet")))
            }
        }
    }
}

fn signers(row: &ActionRow) -> Markup {
    html! {
        section.panel {
            h2 { "Signed by" }
            @if row.signers.is_empty() { p.muted { "Nobody." } }
            ul.signers { @for signer in &row.signers { (one_signer(signer)) } }
        }
    }
}

fn one_signer(signer: &Signer) -> Markup {
    html! {
        li {
            bdi { (text::start(&signer.name, 200)) }
            @if !signer.is_active { " " span.tag { "disabled since" } }
            code { (fingerprint(&signer.fingerprint)) }
        }
    }
}

/// In groups of four, as gpg shows it and people compare it.
fn fingerprint(digits: &str) -> String {
    if digits.is_empty() {
        return "the key is gone".to_owned();
    }
    let signs: Vec<char> = digits.chars().collect();
    signs.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

fn target(row: &ActionRow) -> Markup {
    html! {
        section.panel {
            h2 { "Target" }
            (payload_text("target", &row.target))
        }
    }
}

fn operations(action: &Action) -> Markup {
    let operations = action.operations.as_deref().unwrap_or_default();
    let shown = operations.iter().take(OPERATIONS_SHOWN_MAX).enumerate();
    html! {
        section.panel {
            h2 { (text::counted(i64::try_from(operations.len()).unwrap_or(i64::MAX), "operation", "operations")) }
            @for (index, operation) in shown {
                h3 { (index + 1) ". " code { bdi { (text::start(&operation.module, 100)) } } }
                (parameters(index, operation))
            }
        }
    }
}

fn parameters(index: usize, operation: &Operation) -> Markup {
    // A value that came out of JSON goes into it again.
    let json = serde_json::to_string_pretty(&operation.parameters).unwrap_or_default();
    let is_cut = json.chars().nth(PARAMETERS_CHARS_MAX).is_some();
    let shown: String = json.chars().take(PARAMETERS_CHARS_MAX).collect();
    html! {
        @if operation.is_compressed { p.muted { "The parameters were signed compressed, and are shown so." } }
        (payload_text(&format!("operation-{index}"), &shown))
        @if is_cut { p.muted { "The rest is left out here; the signed file has it." } }
    }
}

/// The form that stops it, behind a second look.
fn cancel(data: &Data) -> Markup {
    html! {
        @if !data.row.status.is_over() && data.viewer.may(Need::Operate) {
            section.panel {
                details.drop.alone {
                    summary { "Cancel this action" }
                    form method="post" action={ (action_url(data.row.id)) "/cancel" } {
                        input type="hidden" name="csrf_token" value=(data.viewer.csrf_token);
                        p {
                            "Agents that have not fetched their command will not get it. "
                            "What others have begun ends by itself, and their answers are kept as late."
                        }
                        div.row {
                            div.field.field-reason {
                                label for="reason" { "Reason" }
                                input #reason name="reason" type="text" required maxlength="500" autocomplete="off";
                            }
                            button.danger type="submit" { "Cancel for good" }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_says_how_far_it_is() {
        for (at, expected) in
            [(1_000, "just now"), (1_600, "in 10 min"), (8_200, "in 2 h"), (865_000, "in 10 d")]
        {
            let shown = when(at, 1_000).into_string();
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn a_fingerprint_is_cut_into_fours() {
        assert_eq!(fingerprint("0123456789AB"), "0123 4567 89AB");
        assert_eq!(fingerprint("01234"), "0123 4");
        assert_eq!(fingerprint(""), "the key is gone");
    }
}
