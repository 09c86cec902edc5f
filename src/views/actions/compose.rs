// SPDX-License-Identifier: Apache-2.0
//! Composing an action: `/actions/new`. One form in two steps: checked first, then signed elsewhere and launched.

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::App;
use crate::ops::fleet::compose::{self, Checked, Ready};
use crate::store::fleet::AclModule;
use crate::views::parts::{Tone, error_id, field, heading, input, notice};
use crate::views::record::payload_text;
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/actions/new",
    title: "New action",
    help: "Composes an action, shows whom it means and the text to sign, and launches it",
    in_navigation: false,
    need: Need::Operate,
    get,
};

/// So many names are shown at once; more are folded.
const NAMES_OPEN_MAX: usize = 24;

fn get(app: &App, asked: &Asked) -> Result<Page> {
    let draft = compose::begin(app, asked.query)?;
    Ok(render(&Checked { draft, problems: Vec::new(), ready: None }, asked.viewer))
}

/// The page: 400 where something is wrong with what was entered.
pub fn render(checked: &Checked, viewer: &Viewer) -> Page {
    let markup = html! {
        (heading("New action", "Checked here, signed where your key is, then launched.", html! {}))
        (problems(checked))
        form.compose method="post" action={ (VIEW.path) "#preview" } {
            input type="hidden" name="csrf_token" value=(viewer.csrf_token);
            (what(checked))
            (about(checked))
            div.row { button.primary[checked.ready.is_none()] type="submit" name="do" value="check" { "Check and preview" } }
            @if let Some(ready) = &checked.ready {
                (meant(ready))
                (signing(checked, ready))
            }
        }
    };
    let status = if checked.problems.is_empty() { 200 } else { 400 };
    Page { status, ..Page::ok("New action", markup) }
}

/// What is wrong with the whole, and links to the fields with which something is wrong.
fn problems(checked: &Checked) -> Markup {
    let of_fields: Vec<&str> =
        checked.problems.iter().map(|problem| problem.field).filter(|field| !field.is_empty()).collect();
    html! {
        @for problem in checked.problems.iter().filter(|problem| problem.field.is_empty()) {
            (notice(Tone::Error, text::visible(&problem.message)))
        }
        @if !of_fields.is_empty() {
            (notice(Tone::Error, html! {
                "Nothing was launched. Something is wrong with "
                @for (index, name) in of_fields.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href={ "#" (name) } { (name.replace('_', " ")) }
                }
            }))
        }
    }
}

/// What is wrong with a field.
fn wrong<'a>(checked: &'a Checked, name: &str) -> Option<&'a str> {
    checked.problems.iter().find(|problem| problem.field == name).map(|problem| problem.message.as_str())
}

fn one(checked: &Checked, name: &str, label: &str, value: &str) -> Markup {
    let error = wrong(checked, name);
    field(name, label, error, input(name, "text", value, error))
}

fn area(checked: &Checked, name: &str, label: &str, value: &str, rows: u32) -> Markup {
    let error = wrong(checked, name);
    let control = html! {
        // HTML drops a line end right after the tag: this one, not the text's own.
        textarea #(name) name=(name) rows=(rows) spellcheck="false" autocomplete="off"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id(name))] { "\n" (value) }
    };
    field(name, label, error, control)
}

fn what(checked: &Checked) -> Markup {
    let draft = &checked.draft;
    html! {
        section.panel {
            h2 { "What is signed" }
            (one(checked, "name", "Name", &draft.name))
            (area(checked, "target", "Target: a condition over agents", &draft.target, 2))
            p.muted { "For example " code { "environment->>'os' = 'linux' AND tags->>'site' = 'north'" } }
            div.fields {
                (one(checked, "valid_from", "Valid from (UTC)", &draft.valid_from))
                (one(checked, "expire_after", "Expires (UTC)", &draft.expire_after))
            }
            (area(checked, "operations", "Operations: a JSON array", &draft.operations, 12))
        }
    }
}

fn about(checked: &Checked) -> Markup {
    let draft = &checked.draft;
    let fields = [
        ("author", "Author", &draft.author),
        ("email", "Mail", &draft.email),
        ("url", "More at", &draft.url),
        ("ref", "Threat", &draft.threat_reference),
        ("level", "Level", &draft.threat_level),
        ("family", "Family", &draft.threat_family),
        ("type", "Type", &draft.threat_kind),
    ];
    let is_open = fields.iter().any(|(name, _, value)| !value.is_empty() || wrong(checked, name).is_some());
    html! {
        section.panel {
            details open[is_open] {
                summary { "Description and threat, not signed" }
                div.fields { @for (name, label, value) in fields { (one(checked, name, label, value)) } }
            }
        }
    }
}

/// Whom it would go to now.
fn meant(ready: &Ready) -> Markup {
    let found = &ready.preview;
    let more = found.agents - i64::try_from(found.names.len()).unwrap_or(i64::MAX);
    html! {
        section.panel #preview {
            h2 { "The target matches " (text::counted(found.agents, "agent", "agents")) " now" }
            @if found.agents == 0 {
                (notice(Tone::Warning, "No agent that is online or idle: launched now, the action would be invalid."))
            }
            @if !ready.unknown_modules.is_empty() {
                (notice(Tone::Warning, html! {
                    "The agent of muster has no module "
                    bdi { (text::visible(&ready.unknown_modules.join(", "))) }
                    "; agents of MIG may have."
                }))
            }
            @if !found.names.is_empty() {
                details open[found.names.len() <= NAMES_OPEN_MAX] {
                    summary { "Their names" }
                    ul.names { @for name in &found.names { li { bdi { (text::start(name, 100)) } } } }
                    @if more > 0 { p.muted { "and " (text::grouped(more)) " more" } }
                }
            }
        }
    }
}

fn signing(checked: &Checked, ready: &Ready) -> Markup {
    let confirm_error = wrong(checked, "confirmed");
    html! {
        section.panel #sign {
            h2 { "Sign and launch" }
            (demands(ready))
            h3 { "The text to sign" }
            (payload_text("text", &ready.text))
            div.row {
                button type="submit" name="do" value="text" formaction=(VIEW.path) { "Save the text as a file" }
                p.muted { "and sign it with " code { "gpg --armor --detach-sign action.txt" } }
            }
            // What cannot be seen is shown escaped here, so that copying it would sign another text.
            @if let Some(command) = ready.command.as_deref().filter(|command| text::visible(command) == **command) {
                details {
                    summary { "Or sign it in a shell" }
                    (payload_text("command", command))
                }
            }
            (area(checked, "signatures", "Signatures, one after the other", &checked.draft.signatures, 8))
            @if let Some(most) = ready.confirm_above {
                div.field.field-confirmed {
                    label.check {
                        input #confirmed type="checkbox" name="confirmed" value="1"
                            checked[checked.draft.is_confirmed]
                            aria-invalid=[confirm_error.map(|_| "true")]
                            aria-describedby=[confirm_error.map(|_| error_id("confirmed"))];
                        " These are more than " (text::grouped(most)) " agents, and all of them are meant"
                    }
                    @if let Some(error) = confirm_error { p.wrong id=(error_id("confirmed")) { (error) } }
                }
            }
            div.row { button.primary type="submit" name="do" value="launch" formaction=(VIEW.path) { "Launch" } }
        }
    }
}

/// Whose signatures it takes.
fn demands(ready: &Ready) -> Markup {
    html! {
        @if ready.has_acl {
            ul { @for (module, entry) in &ready.demands { li { (demand(module, entry.as_ref())) } } }
        } @else {
            p.muted { "One signature by an active investigator with the permission action_create suffices." }
        }
    }
}

fn demand(module: &str, entry: Option<&AclModule>) -> Markup {
    html! {
        code { (module) } ": "
        @match entry {
            None => "the ACL lets nobody use it",
            Some(entry) => {
                "signatures of weight " (entry.minimum_weight) " in all, of "
                @for (index, row) in entry.weights.iter().filter(|row| row.is_active).enumerate() {
                    @if index > 0 { ", " }
                    bdi { (text::start(&row.name, 100)) } " (" (row.weight) ")"
                }
            },
        }
    }
}
