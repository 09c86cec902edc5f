// SPDX-License-Identifier: Apache-2.0
//! One investigator with the forms that change it: `/investigators/ID`.

use super::{investigator_url, permission_boxes, status};
use crate::error::Result;
use crate::model::account::Need;
use crate::ops::App;
use crate::ops::fleet::investigators::gone;
use crate::store::fleet::InvestigatorRow;
use crate::views::parts::{Tone, definition, heading, notice, time_exact};
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/investigators/{id}",
    title: "Investigator",
    help: "One investigator: key, permissions, API key",
    in_navigation: false,
    need: Need::ReadFleet,
    get: |app, asked| {
        let data = load(app, asked.id()?)?;
        Ok(render(&data, asked.viewer, &done(asked)))
    },
};

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The investigator.
    pub row: InvestigatorRow,
}

/// What is said above it.
pub enum Said {
    /// Nothing.
    Nothing,
    /// What was done.
    Done(&'static str),
    /// Why something was not done.
    Refused(String),
    /// The new API key, this once.
    ApiKey(String),
}

/// Asks the store; NotFound where there is no such investigator.
pub fn load(app: &App, id: i64) -> Result<Data> {
    let row = app.store.investigator(id)?.ok_or_else(|| gone(id))?;
    Ok(Data { now: app.clock.now(), row })
}

fn done(asked: &Asked<'_>) -> Said {
    match asked.query.filled("done") {
        Some("added") => Said::Done("The investigator was added."),
        Some("status") => Said::Done("The status was changed; it counts from now on."),
        Some("permissions") => Said::Done("The permissions were changed; they count from now on."),
        Some("cleared") => Said::Done("The API key was taken away; it does not count any more."),
        _ => Said::Nothing,
    }
}

/// The page.
pub fn render(data: &Data, viewer: &Viewer, said: &Said) -> Page {
    let row = &data.row;
    let title = format!("Investigator {}", row.id);
    let markup = html! {
        (heading(html! { bdi { (text::start(&row.name, 200)) } }, "An investigator.", html! {
            @if let Some(fingerprint) = &row.fingerprint {
                a.button href={ "/api/v1/publickey/" (fingerprint) } { "Public key" }
            }
        }))
        @match said {
            Said::Nothing => {},
            Said::Done(text) => (notice(Tone::Info, text)),
            Said::Refused(text) => (notice(Tone::Error, text)),
            Said::ApiKey(key) => (api_key(key)),
        }
        section.panel { (facts(data)) }
        @if viewer.may(Need::Administer) { (forms(row, viewer)) }
    };
    let status = if matches!(said, Said::Refused(_)) { 409 } else { 200 };
    Page { status, ..Page::ok(title, markup) }
}

/// What an admin may change.
fn forms(row: &InvestigatorRow, viewer: &Viewer) -> Markup {
    html! {
        div.facts {
            (status_form(row, viewer))
            (api_key_form(row, viewer))
        }
        section.panel {
            h2 { "What it may do" }
            form method="post" action={ (investigator_url(row.id)) "/permissions" } {
                (token(viewer))
                (permission_boxes(row.permissions))
                button type="submit" { "Save permissions" }
            }
        }
        (remove_form(row, viewer))
    }
}

fn facts(data: &Data) -> Markup {
    let row = &data.row;
    html! {
        dl {
            (definition("Id", row.id))
            (definition("Status", status(row.is_active)))
            (definition("Fingerprint", html! {
                @match &row.fingerprint {
                    Some(fingerprint) => code { (fingerprint) },
                    None => span.muted { "no public key: it can sign nothing" },
                }
            }))
            (definition("API key", if row.has_api_key { "set" } else { "none" }))
            (definition("Added", time_exact(row.created_at, data.now)))
            (definition("Changed", time_exact(row.modified_at, data.now)))
        }
    }
}

fn token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf_token" value=(viewer.csrf_token); }
}

fn api_key(key: &str) -> Markup {
    notice(
        Tone::Warning,
        html! {
            p { "The new API key is shown this once; it is not stored and cannot be shown again:" }
            p { code #api_key { (key) } }
            p { "A client sends it as " code { "X-MIGAPIKEY" } "." }
        },
    )
}

fn status_form(row: &InvestigatorRow, viewer: &Viewer) -> Markup {
    let (word, value) = if row.is_active { ("Disable", "disabled") } else { ("Enable", "active") };
    html! {
        section.panel {
            h2 { "Status" }
            p.muted { "Of a disabled investigator neither tokens, signatures nor the API key count." }
            form method="post" action={ (investigator_url(row.id)) "/status" } {
                (token(viewer))
                input type="hidden" name="status" value=(value);
                button.danger[row.is_active] type="submit" { (word) }
            }
        }
    }
}

fn api_key_form(row: &InvestigatorRow, viewer: &Viewer) -> Markup {
    let action = format!("{}/apikey", investigator_url(row.id));
    let word = if row.has_api_key { "Make a new API key" } else { "Make an API key" };
    html! {
        section.panel {
            h2 { "API key" }
            p.muted { "A new one takes the place of any before." }
            form method="post" action=(action) {
                (token(viewer))
                button type="submit" name="apikey" value="active" { (word) }
                @if row.has_api_key {
                    " " button.danger type="submit" name="apikey" value="disabled" { "Take it away" }
                }
            }
        }
    }
}

fn remove_form(row: &InvestigatorRow, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            details.drop.alone {
                summary { "Remove" }
                form method="post" action={ (investigator_url(row.id)) "/remove" } {
                    (token(viewer))
                    p { "Only one that no action and no entry of the ACL refers to can be removed; others can be disabled." }
                    button.danger type="submit" { "Remove this investigator" }
                }
            }
        }
    }
}
