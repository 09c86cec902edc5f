// SPDX-License-Identifier: Apache-2.0
//! The records, newest first, by any filter: `/records`.
//!
//! The filter is the address. Pages go by id (`from_id`: records with a smaller one), so they stay put while records
//! arrive. The script adds the live stream and appends the next page; both are rows as [`render_rows`] makes them.

pub mod delete;
mod empty;
mod form;
mod rows;

pub use form::FIELDS;
pub use rows::{render_rows, source};

use crate::error::Result;
use crate::model::account::Need;
use crate::model::filter::{ParameterError, RecordFilter, count};
use crate::model::pairs::Pairs;
use crate::model::record::Record;
use crate::model::time::utc_text;
use crate::ops::App;
use crate::ops::purge::{SizeWarning, size_warning};
use crate::store::{PayloadPart, RecordChoices, RecordQuery};
use crate::views::parts::{Tone, heading, notice};
use crate::views::{Asked, Page, View, links, text};
use maud::{Markup, html};
use std::time::Duration;

/// The records view.
pub const VIEW: View = View {
    path: "/records",
    title: "Records",
    help: "Telemetry records, newest first, by any filter; live, and as CSV",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

/// Records on a page.
pub const ROWS_MAX: usize = 50;
/// Characters of a payload that a list reads.
pub const PAYLOAD_CHARS_MAX: usize = 160;
/// How long a page may search; then it shows what it found and offers to go on.
const SEARCH_MOST: Duration = Duration::from_millis(400);
/// The parameter that asks for records with a smaller id.
const FROM_ID: &str = "from_id";
/// The parameter that tells how many records were just deleted.
pub const DELETED: &str = "deleted";

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The filled parameters of the filter as they were asked, without `from_id`.
    pub asked: Pairs,
    /// The parameter that breaks its rule; then there are no rows.
    pub error: Option<ParameterError>,
    /// What the form offers.
    pub choices: RecordChoices,
    /// Newest first, the payload cut.
    pub records: Vec<Record>,
    /// The page before which this one stands; none on the first.
    pub from_id: Option<i64>,
    /// Where the next page begins; none where this is the last.
    pub next_below_id: Option<i64>,
    /// When the oldest record that was looked at was received, where the search ran out of time.
    pub searched_back_to: Option<i64>,
    /// The newest record's id when the page was made, of any filter; the stream begins after it.
    pub newest_id: i64,
    /// All records stored.
    pub n_records: i64,
    /// True where posts are in quarantine and the viewer may see them.
    pub has_quarantined: bool,
    /// True where the viewer may delete records.
    pub may_delete: bool,
    /// What forms send back as `csrf_token`.
    pub csrf_token: String,
    /// How many records the viewer has just deleted.
    pub n_deleted: Option<i64>,
    /// What is to be said of the size of the database.
    pub size_warning: Option<SizeWarning>,
    /// How the viewer reached us, for the command that posts a first record.
    pub origin: String,
    /// The organisation's id that a first record must carry.
    pub tid: String,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// Asks the store for everything on the page; Busy where it cannot answer. A broken parameter is in the data.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let now = app.clock.now();
    // Read before the rows: a record that arrives between is then shown twice to the script, which knows it by its
    // id, rather than never.
    let newest_id = app.store.newest_record_id()?;
    let mut data = Data {
        now,
        asked: filled(asked.query),
        error: None,
        choices: app.store.record_choices()?,
        records: Vec::new(),
        from_id: None,
        next_below_id: None,
        searched_back_to: None,
        newest_id,
        n_records: app.store.count_records()?,
        has_quarantined: asked.viewer.may(Need::Operate) && !app.store.list_quarantined(None, 1)?.is_empty(),
        may_delete: asked.viewer.may(Need::Operate),
        csrf_token: asked.viewer.csrf_token.clone(),
        n_deleted: asked.query.filled(DELETED).and_then(|n| count(DELETED, n).ok()),
        size_warning: size_warning(app)?,
        origin: asked.viewer.origin.clone(),
        tid: app.config.tids.first().cloned().unwrap_or_default(),
    };
    match parse(asked.query, now) {
        Ok((filter, from_id)) => {
            let page = app.store.list_records(&RecordQuery {
                filter,
                below_id: from_id,
                above_id: None,
                rows_max: ROWS_MAX,
                payload: PayloadPart::Start(PAYLOAD_CHARS_MAX),
                search_most: SEARCH_MOST,
            })?;
            data.from_id = from_id;
            data.records = page.records;
            data.next_below_id = page.next_below_id;
            data.searched_back_to = page.searched_back_to;
        }
        Err(error) => data.error = Some(error),
    }
    Ok(data)
}

/// The filter and the page of a query of this view.
fn parse(query: &Pairs, now: i64) -> std::result::Result<(RecordFilter, Option<i64>), ParameterError> {
    let filter = RecordFilter::parse(query, &[FROM_ID, DELETED], true, now)?;
    let from_id = query.filled(FROM_ID).map(|value| count(FROM_ID, value)).transpose()?;
    Ok((filter, from_id))
}

/// The filled parameters of the filter, in the order of the form.
fn filled(query: &Pairs) -> Pairs {
    let filled = |field: &form::Field| Some((field.name.to_owned(), query.filled(field.name)?.to_owned()));
    Pairs(FIELDS.iter().filter_map(filled).collect())
}

/// A link to this view under the given conditions.
pub fn link<'a>(conditions: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    links::link(VIEW.path, conditions)
}

impl Data {
    /// `path?…` with the filter and one more parameter.
    fn url(&self, path: &str, more: Option<(&str, i64)>) -> String {
        let number = more.map(|(_, number)| number.to_string()).unwrap_or_default();
        let more = more.map(|(name, _)| (name, number.as_str()));
        links::link(path, self.asked.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(more))
    }

    /// The download of all records of this filter; its name tells when it was made.
    fn export_url(&self) -> String {
        let digits = utc_text(self.now).replace(['-', ':'], "").replace(' ', "-");
        let stamp = digits.trim_end_matches("-UTC");
        self.url(&format!("/records/export/records-{stamp}.csv"), None)
    }
}

/// The page.
pub fn render(data: &Data) -> Page {
    let markup = html! {
        (heading("Records", about(data), actions(data)))
        (size(data))
        @if let Some(n_deleted) = data.n_deleted {
            (notice(Tone::Info, html! { (text::counted(n_deleted, "record", "records")) " deleted." }))
        }
        (form::render(data))
        @if data.error.is_some() {
            (empty::refused())
        } @else {
            @if data.records.is_empty() {
                (empty::render(data))
            } @else {
                @if data.may_delete { (delete::form(&data.csrf_token)) }
                (rows::table(data))
                @if data.may_delete { (delete::button()) }
            }
            (pager(data))
        }
    };
    Page { status: if data.error.is_some() { 400 } else { 200 }, ..Page::ok("Records", markup) }
}

/// A word on the size of the database, before records have to go for it and where that does not help.
fn size(data: &Data) -> Markup {
    let Some(size) = data.size_warning else { return html! {} };
    let percent = size.used_bytes / (size.bytes_max / 100).max(1);
    html! {
        (notice(Tone::Warning, html! {
            "The database has " (percent) " % of the bytes that "
            code { "retention.database_bytes_max" } " allows. "
            @if size.is_goal_missed {
                "It cannot be made smaller: what is left is kept for ever by rules, or is not records. Raise the limit \
                 or change " code { "retention.rules" } "."
            } @else {
                "Beyond the limit the oldest records of the least severity are removed."
            }
        }))
    }
}

fn about(data: &Data) -> Markup {
    html! {
        (text::counted(data.n_records, "record", "records")) " stored"
        @if let Some(from_id) = data.from_id {
            " · shown: those before number " (text::grouped(from_id)) " · "
            a href=(data.url(VIEW.path, None)) { "Back to the newest" }
        }
        @if data.has_quarantined {
            " · " a href="/records/quarantine" { "Posts in quarantine" }
        }
    }
}

/// What can be done with the rows. The script puts the stream's switch here, on the first page only.
fn actions(data: &Data) -> Markup {
    let is_first = data.from_id.is_none() && data.error.is_none();
    let stream = is_first.then(|| data.url("/records/stream", Some(("after_id", data.newest_id))));
    html! {
        span #stream data-now=(data.now) data-url=[stream] {}
        @if data.error.is_none() {
            a.button href=(data.export_url()) download { "Export as CSV" }
        }
    }
}

/// The way to older records. The script follows `a.more` and appends what it finds there.
fn pager(data: &Data) -> Markup {
    let Some(below_id) = data.next_below_id else {
        return html! { div #pager.pager {} };
    };
    let next = data.url(VIEW.path, Some((FROM_ID, below_id)));
    html! {
        div #pager.pager {
            @match data.searched_back_to {
                Some(received_at) => (notice(Tone::Info, html! {
                    "Searched back to " time { (utc_text(received_at)) } " in the time that a page may take. "
                    a.more href=(next) { "Continue the search" }
                })),
                None => a.button.more href=(next) { "Load more" },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filter::PARAMETERS;

    #[test]
    fn the_form_has_a_field_for_every_parameter() {
        let mut fields = FIELDS.map(|field| field.name);
        let mut parameters = PARAMETERS;
        fields.sort_unstable();
        parameters.sort_unstable();
        assert_eq!(fields, parameters);
    }

    #[test]
    fn a_page_number_that_is_none_is_named() {
        let query = Pairs(vec![("from_id".into(), "x".into())]);
        assert_eq!(parse(&query, 0).unwrap_err().parameter, "from_id");
    }
}
