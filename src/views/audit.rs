// SPDX-License-Identifier: Apache-2.0
//! The audit log, newest first: `/audit`.

use crate::error::Result;
use crate::model::account::Need;
use crate::model::audit::{AUDIT_PARAMETERS, AuditEntry, AuditFilter, FieldChange};
use crate::model::filter::count;
use crate::model::pairs::Pairs;
use crate::model::time::{rfc3339, utc_text};
use crate::ops::App;
use crate::ops::audit::{self, AuditPage};
use crate::views::parts::{Tone, field, heading, input, notice, select};
use crate::views::{Asked, Page, View, links, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/audit",
    title: "Audit",
    help: "Who changed what, from where, and how it was before and after",
    in_navigation: true,
    need: Need::Administer,
    get,
};

/// Entries on a page.
pub const ROWS_MAX: usize = 50;
/// Characters of a value that the page shows.
const VALUE_CHARS_MAX: usize = 400;

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The filled parameters of the filter as they were asked, without `from_id`.
    pub asked: Pairs,
    /// What is wrong with the query; then there are no entries.
    pub error: Option<String>,
    /// The page before which this one stands; none on the first.
    pub from_id: Option<i64>,
    /// The entries.
    pub page: AuditPage,
    /// The actions that can be chosen.
    pub actions: Vec<String>,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked.query)?))
}

/// The entries of a page. A broken parameter is in the data.
pub fn load(app: &App, query: &Pairs) -> Result<Data> {
    let filled = |name: &&str| Some(((*name).to_owned(), query.filled(name)?.to_owned()));
    let mut data = Data {
        asked: Pairs(AUDIT_PARAMETERS.iter().filter_map(filled).collect()),
        actions: app.store.audit_actions()?,
        ..Data::default()
    };
    match parse(query) {
        Ok((filter, from_id)) => {
            data.page = audit::page(app, &filter, from_id, ROWS_MAX)?;
            data.from_id = from_id;
        }
        Err(error) => data.error = Some(error.message().to_owned()),
    }
    Ok(data)
}

fn parse(query: &Pairs) -> Result<(AuditFilter, Option<i64>)> {
    let filter = AuditFilter::parse(query, &["from_id"])?;
    let from_id = query.filled("from_id").map(|value| count("from_id", value)).transpose()?;
    Ok((filter, from_id))
}

impl Data {
    /// `path?…` with the filter.
    fn url(&self, path: &str, from_id: Option<i64>) -> String {
        let id = from_id.map(|id| id.to_string());
        let more = id.as_deref().map(|id| ("from_id", id));
        links::link(path, self.asked.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(more))
    }
}

/// The page.
pub fn render(data: &Data) -> Page {
    let about = html! {
        "Every change that a person or a job made"
        @if data.from_id.is_some() { " · " a href=(data.url(VIEW.path, None)) { "Back to the newest" } }
    };
    let markup = html! {
        (heading("Audit log", about, html! {
            @if data.error.is_none() {
                a.button href=(data.url("/audit/export.csv", None)) download { "Export as CSV" }
                a.button href=(data.url("/audit/export.ndjson", None)) download { "Export as NDJSON" }
            }
        }))
        @if let Some(error) = &data.error { (notice(Tone::Error, text::visible(error))) }
        (form(data))
        @if data.error.is_none() {
            @if data.page.entries.is_empty() { (empty(data)) } @else { (table(data)) }
            @if let Some(below_id) = data.page.next_below_id {
                div.pager { a.button rel="next" href=(data.url(VIEW.path, Some(below_id))) { "Older" } }
            }
        }
    };
    Page { status: if data.error.is_some() { 400 } else { 200 }, ..Page::ok("Audit log", markup) }
}

fn form(data: &Data) -> Markup {
    let value = |name: &str| data.asked.first(name).unwrap_or("");
    let entry =
        |name: &str, kind: &str, label: &str| field(name, label, None, input(name, kind, value(name), None));
    html! {
        form.filter.search action=(VIEW.path) method="get" role="search" aria-label="Search the audit log" {
            div.fields {
                (entry("actor", "text", "Who"))
                (field("action", "Action", None, select("action", value("action"), &actions(data), None)))
                (entry("subject", "text", "What"))
                (entry("from", "date", "From day"))
                (entry("to", "date", "To day"))
                button.primary type="submit" { "Search" }
            }
            @if !data.asked.0.is_empty() { p.after { a href=(VIEW.path) { "Clear all" } } }
        }
    }
}

/// All, then each noun where it has several actions, then each action.
fn actions(data: &Data) -> Vec<(String, String)> {
    let mut choices = vec![(String::new(), "All".to_owned())];
    let noun = |action: &str| action.split('.').next().unwrap_or("").to_owned();
    for (index, action) in data.actions.iter().enumerate() {
        let is_first = index == 0 || noun(&data.actions[index - 1]) != noun(action);
        if is_first && data.actions.iter().filter(|other| noun(other) == noun(action)).count() > 1 {
            choices.push((noun(action), format!("{} (all)", noun(action))));
        }
        choices.push((action.clone(), action.clone()));
    }
    choices
}

fn table(data: &Data) -> Markup {
    html! {
        div.sheet {
            table.audit {
                caption.unseen { "Changes, newest first" }
                thead {
                    tr {
                        th scope="col" { "Time" }
                        th scope="col" { "Who" }
                        th scope="col" { "Change" }
                        th scope="col" { "Before and after" }
                    }
                }
                tbody { @for entry in &data.page.entries { (row(entry)) } }
            }
        }
    }
}

fn row(entry: &AuditEntry) -> Markup {
    let at = entry.changed_at;
    html! {
        tr id={ "audit-" (entry.id) } {
            td.at { time datetime=(rfc3339(at)) { (utc_text(at).trim_end_matches(" UTC")) } }
            td.who {
                bdi { (text::line_start(&entry.actor, VALUE_CHARS_MAX)) }
                div.muted { bdi { (text::line_start(&entry.origin, VALUE_CHARS_MAX)) } }
            }
            td.what {
                code { (text::line_start(&entry.action, VALUE_CHARS_MAX)) }
                div { bdi { (text::line_start(&entry.subject, VALUE_CHARS_MAX)) } }
            }
            td.changes { @for change in entry.changes() { (field_change(&change)) } }
        }
    }
}

fn field_change(change: &FieldChange) -> Markup {
    let value = |value: &str| html! { bdi { (text::line_start(value, VALUE_CHARS_MAX)) } };
    html! {
        div {
            @if !change.name.is_empty() { span.muted { bdi { (text::line_start(&change.name, VALUE_CHARS_MAX)) } ": " } }
            @match (&change.before, &change.after) {
                (Some(before), Some(after)) => { del { (value(before)) } " → " ins { (value(after)) } },
                (Some(before), None) => del { (value(before)) },
                (None, Some(after)) => ins { (value(after)) },
                (None, None) => span.muted { "nothing" },
            }
        }
    }
}

fn empty(data: &Data) -> Markup {
    html! {
        section.panel.empty {
            @if data.asked.0.is_empty() && data.from_id.is_none() {
                h2 { "Nothing was changed yet" }
                p { "Whatever somebody changes on a page, by the API or on the command line stands here from then on." }
            } @else {
                h2 { "No such change" }
                p { a href=(VIEW.path) { "All changes" } }
            }
        }
    }
}
