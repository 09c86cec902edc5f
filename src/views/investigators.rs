// SPDX-License-Identifier: Apache-2.0
//! Investigators: the list with the form that adds one, `/investigators`; one with its forms, `/investigators/ID`.
//!
//! Their forms are for admins. What a form changes is in `ops::fleet::investigators`.

pub mod one;

pub use one::VIEW as ONE;

use crate::error::Result;
use crate::model::account::Need;
use crate::model::investigator::{Permission, Permissions};
use crate::ops::App;
use crate::store::fleet::InvestigatorRow;
use crate::views::parts::{Tone, field, heading, input, notice, time_ago};
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The list.
pub const VIEW: View = View {
    path: "/investigators",
    title: "Investigators",
    help: "Who may ask the API and sign actions: keys, permissions, API keys",
    in_navigation: true,
    need: Need::ReadFleet,
    get: |app, asked| load(app).map(|data| render(&data, asked, &Draft::default())),
};

/// Characters of a name that a list shows.
const NAME_CHARS_MAX: usize = 60;

/// What the list shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// All investigators, by id.
    pub investigators: Vec<InvestigatorRow>,
    /// Requests since the start that could not show who sent them.
    pub n_failures: u64,
}

/// What was entered into the form that adds one, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The name.
    pub name: String,
    /// The armored key.
    pub key: String,
    /// The permissions.
    pub permissions: Permissions,
    /// Why it was refused.
    pub error: Option<String>,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft { name: String::new(), key: String::new(), permissions: Permissions::DEFAULT, error: None }
    }
}

/// The address of an investigator's page.
pub fn investigator_url(id: i64) -> String {
    format!("{}/{id}", VIEW.path)
}

/// Asks the store.
pub fn load(app: &App) -> Result<Data> {
    Ok(Data {
        now: app.clock.now(),
        investigators: app.store.list_investigators()?,
        n_failures: app.attempts.count_failed(),
    })
}

/// The page. `draft`: what the form begins with.
pub fn render(data: &Data, asked: &Asked<'_>, draft: &Draft) -> Page {
    let about = "Who may ask the API and sign actions.";
    let markup = html! {
        (heading("Investigators", about, ""))
        @if asked.query.filled("done") == Some("removed") {
            (notice(Tone::Info, "The investigator was removed."))
        }
        @if data.investigators.is_empty() {
            p { "There are none yet. The first one should have the permissions " code { "admin" } ", to add the others." }
        } @else {
            (table(data))
        }
        @if data.n_failures > 0 {
            p.muted {
                (text::counted(i64::try_from(data.n_failures).unwrap_or(i64::MAX), "request", "requests"))
                " to the API since the start showed no valid token or API key."
            }
        }
        @if asked.viewer.may(Need::Administer) { (add_form(asked.viewer, draft)) }
    };
    let status = if draft.error.is_some() { 400 } else { 200 };
    Page { status, ..Page::ok("Investigators", markup) }
}

fn table(data: &Data) -> Markup {
    html! {
        div.sheet { table.entries {
            caption.unseen { "Investigators, by id" }
            thead {
                tr {
                    th.number scope="col" { "Id" }
                    th scope="col" { "Name" }
                    th scope="col" { "Status" }
                    th scope="col" { "Public key" }
                    th scope="col" { "API key" }
                    th scope="col" { "Permissions" }
                    th scope="col" { "Changed" }
                }
            }
            tbody {
                @for row in &data.investigators {
                    tr {
                        td.number { (row.id) }
                        td { a href=(investigator_url(row.id)) { bdi { (text::start(&row.name, NAME_CHARS_MAX)) } } }
                        td { (status(row.is_active)) }
                        td { (short_fingerprint(row)) }
                        td { @if row.has_api_key { "set" } @else { span.muted { "none" } } }
                        td { (permissions_text(row.permissions)) }
                        td.nowrap { (time_ago(row.modified_at, data.now)) }
                    }
                }
            }
        } }
    }
}

/// The last digits, which are the key id; the whole in the title.
fn short_fingerprint(row: &InvestigatorRow) -> Markup {
    html! {
        @match row.fingerprint.as_deref() {
            Some(whole) => code title=(whole) { (whole.get(whole.len().saturating_sub(16)..).unwrap_or(whole)) },
            None => span.muted { "none" },
        }
    }
}

fn status(is_active: bool) -> Markup {
    html! { @if is_active { span.status.good { "active" } } @else { span.status.off { "disabled" } } }
}

/// The sets by their names, else how many there are.
fn permissions_text(permissions: Permissions) -> String {
    let sets = [
        (Permissions::NONE, "none"),
        (Permissions::DEFAULT, "default"),
        (Permissions::DEFAULT.and(Permissions::ADMIN), "admin"),
        (Permissions::EVERYTHING, "all"),
    ];
    match sets.iter().find(|(set, _)| *set == permissions) {
        Some((_, word)) => (*word).to_owned(),
        None => format!("{} of {}", permissions.words().len(), Permission::ALL.len()),
    }
}

fn add_form(viewer: &Viewer, draft: &Draft) -> Markup {
    html! {
        section.panel #add {
            h2 { "Add" }
            @if let Some(error) = &draft.error { (notice(Tone::Error, error)) }
            form method="post" action=(VIEW.path) {
                input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                (field("name", "Name", None, input("name", "text", &draft.name, None)))
                (field("key", "OpenPGP public key in armor; empty for one who only uses an API key", None, html! {
                    textarea #key name="key" rows="6" spellcheck="false" autocomplete="off"
                        placeholder="-----BEGIN PGP PUBLIC KEY BLOCK-----" { "\n" (draft.key) }
                }))
                (permission_boxes(draft.permissions))
                button type="submit" { "Add" }
            }
        }
    }
}

/// A box for each permission.
fn permission_boxes(has: Permissions) -> Markup {
    html! {
        fieldset.permissions {
            legend { "Permissions" }
            @for permission in Permission::ALL {
                label.check {
                    input type="checkbox" name="permission" value=(permission.word()) checked[has.has(*permission)];
                    " " (permission.word())
                }
            }
        }
    }
}
