// SPDX-License-Identifier: Apache-2.0
//! The ACL: `/acl`. Whose signatures each module needs, shown and changed; only a local viewer sees it.

use crate::error::Result;
use crate::model::account::Need;
use crate::model::acl::DEFAULT_ENTRY;
use crate::ops::App;
use crate::ops::fleet::acl::{self, reachable_weight};
use crate::store::fleet::{AclModule, InvestigatorRow};
use crate::views::parts::{Tone, field, heading, input, notice};
use crate::views::record::payload_text;
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/acl",
    title: "ACL",
    help: "Whose signatures an action needs, module by module",
    in_navigation: false,
    need: Need::ReadFleet,
    get,
};

/// What the page shows.
pub struct Data {
    /// The entries, by module.
    pub entries: Vec<AclModule>,
    /// Who may be given a weight: investigators with a key.
    pub investigators: Vec<InvestigatorRow>,
    /// The whole in MIG's JSON.
    pub json: String,
}

/// What was entered for an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The module.
    pub module: String,
    /// The minimum.
    pub minimum: String,
    /// `WHO=N`, one a line.
    pub weights: String,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    let data = load(app)?;
    let entered = entered_of(&data, asked.query.filled("module").unwrap_or(DEFAULT_ENTRY));
    Ok(render(&data, asked.viewer, &entered, None))
}

/// What the page shows.
pub fn load(app: &App) -> Result<Data> {
    let investigators = app.store.list_investigators()?;
    Ok(Data {
        entries: acl::entries(app)?,
        investigators: investigators.into_iter().filter(|row| row.fingerprint.is_some()).collect(),
        json: acl::export(app)?,
    })
}

/// The form filled with the entry of a module.
fn entered_of(data: &Data, module: &str) -> Entered {
    let Some(entry) = data.entries.iter().find(|entry| entry.module == module) else {
        let (module, minimum) = (module.to_owned(), "1".to_owned());
        return Entered { module, minimum, weights: String::new() };
    };
    // Names can be shared, fingerprints cannot.
    let weights = entry.weights.iter().map(|row| format!("{}={}\n", row.fingerprint, row.weight)).collect();
    Entered { module: entry.module.clone(), minimum: entry.minimum_weight.to_string(), weights }
}

/// The page: 400 where what was entered is `refused`.
pub fn render(data: &Data, viewer: &Viewer, entered: &Entered, refused: Option<&str>) -> Page {
    let about = "Every module of an action must reach the minimum of its entry, or of the entry default.";
    let markup = html! {
        (heading("ACL", about, html! { a.button href="/actions" { "Actions" } }))
        @if let Some(message) = refused { (notice(Tone::Error, text::visible(message))) }
        @if data.entries.is_empty() {
            section.panel.empty {
                h2 { "No ACL is configured" }
                p { "One signature by an active investigator with the permission action_create suffices." }
            }
        }
        @for entry in &data.entries { (self::entry(entry, viewer)) }
        @if viewer.may(Need::Administer) { (form(data, viewer, entered)) }
        @if !data.entries.is_empty() {
            section.panel {
                details {
                    summary { "As MIG's agents read it" }
                    (payload_text("json", &data.json))
                }
                p.muted { "Agents get it with " code { "muster agent bundle" } ", never from the server." }
            }
        }
    };
    let status = if refused.is_some() { 400 } else { 200 };
    Page { status, ..Page::ok("ACL", markup) }
}

fn entry(entry: &AclModule, viewer: &Viewer) -> Markup {
    let may_change = viewer.may(Need::Administer);
    let reachable = reachable_weight(entry);
    let edit = crate::views::links::link(VIEW.path, [("module", entry.module.as_str())]);
    html! {
        section.panel {
            div.heading {
                h2 { code { (entry.module) } }
                p.about { "needs weight " (entry.minimum_weight) }
                div.actions { @if may_change { a.button href={ (edit) "#set" } aria-label={ "Change " (entry.module) } { "Change" } } }
            }
            @if reachable < u64::from(entry.minimum_weight) {
                (notice(Tone::Warning, html! { "All together have " (reachable) ": nobody can use it." }))
            }
            ul.entries {
                @for row in &entry.weights {
                    li {
                        span.number { (row.weight) }
                        bdi { (text::start(&row.name, 100)) }
                        @if !row.is_active { span.tag { "disabled, does not count" } }
                        code { (row.fingerprint) }
                    }
                }
            }
            @if may_change { details.drop {
                summary { "Remove this entry" }
                form method="post" action=(VIEW.path) {
                    input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                    input type="hidden" name="module" value=(entry.module);
                    p { "The module falls to the entry default; without any entry one signature suffices again." }
                    button.danger type="submit" name="do" value="remove" { "Remove" }
                }
            } }
        }
    }
}

fn form(data: &Data, viewer: &Viewer, entered: &Entered) -> Markup {
    html! {
        section.panel #set {
            h2 { "Set an entry" }
            form.compose method="post" action=(VIEW.path) {
                input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                div.fields {
                    (field("module", "Module, or default", None, input("module", "text", &entered.module, None)))
                    (field("minimum", "Weight that signers must reach", None,
                        input("minimum", "text", &entered.minimum, None)))
                }
                (field("weights", "Weights: WHO=N, one a line; WHO is a name, id or fingerprint", None, html! {
                    textarea #weights name="weights" rows="4" spellcheck="false" autocomplete="off" {
                        "\n" (entered.weights)
                    }
                }))
                div.row { button.primary type="submit" name="do" value="set" { "Set" } }
            }
            (known(data))
        }
    }
}

/// Who there is.
fn known(data: &Data) -> Markup {
    html! {
        @if data.investigators.is_empty() {
            p.muted { "No investigator has a key yet." }
        } @else {
            details {
                summary { "Investigators with a key" }
                ul.entries {
                    @for row in &data.investigators {
                        li {
                            span.number { (row.id) }
                            bdi { (text::start(&row.name, 100)) }
                            @if !row.is_active { span.tag { "disabled" } }
                            code { (row.fingerprint.as_deref().unwrap_or_default()) }
                        }
                    }
                }
            }
        }
    }
}
