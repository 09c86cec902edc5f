// SPDX-License-Identifier: Apache-2.0
//! `GET /api/records` and `/api/records/ID`, and the browser's CSV export.

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::export::{Format, RecordsBody, Source};
use crate::http::respond;
use crate::http::web::Web;
use crate::model::filter::{RecordFilter, bounded, count};
use crate::model::pairs::Pairs;
use crate::model::record_row::RecordRow;
use crate::model::time::utc_text;
use crate::views::links;
use rouille::{Response, ResponseBody};
use std::collections::VecDeque;
use std::time::Duration;

/// Most records of one answer, and how many there are where nothing is said.
const LIMIT_MAX: i64 = 10_000;
/// How long the newest match is searched for, for the entity tag alone.
const ETAG_SEARCH_MOST: Duration = Duration::from_millis(300);

/// `GET /api/records`.
pub fn list(web: &Web, call: &Call) -> Result<Response> {
    let app = web.app();
    let filter = RecordFilter::parse(&call.query, &["limit", "from_id"], false, app.clock.now())?;
    let limit = match call.query.first("limit") {
        Some(value) => bounded("limit", value, 1, LIMIT_MAX)?,
        None => LIMIT_MAX,
    };
    let from_id = call.query.first("from_id").map(|value| count("from_id", value)).transpose()?;
    let format = format_asked_for(call.head.field("accept").unwrap_or(""));
    let tag_of = |newest: i64| -> Result<String> {
        Ok(format!("W/\"{}-{format:?}\"", app.store.records_etag(&filter, newest)?))
    };
    // Who has an older answer is told at once that nothing is new, where that is quickly seen.
    if call.head.field("if-none-match").is_some()
        && let Some(newest) = app.store.newest_match(&filter, from_id, ETAG_SEARCH_MOST)?
    {
        let etag = tag_of(newest)?;
        if matches_etag(call, &etag) {
            return Ok(not_modified(format, etag));
        }
    }
    let rows = usize::try_from(limit).unwrap_or(1);
    // One more than asked for tells whether there is a next page.
    let mut ids = app.store.list_record_ids(&filter, from_id, rows + 1)?;
    let etag = tag_of(ids.first().copied().unwrap_or(0))?;
    if matches_etag(call, &etag) {
        return Ok(not_modified(format, etag));
    }
    let next = (ids.len() > rows).then(|| ids[rows - 1]);
    ids.truncate(rows);
    let body = RecordsBody::new(web.shared_app(), format, Source::Ids(ids.into()));
    let mut response = streamed(format, body).with_unique_header("ETag", etag);
    if let Some(id) = next {
        response =
            response.with_unique_header("Link", format!("<{}>; rel=\"next\"", next_page(&call.query, id)));
    }
    Ok(response)
}

fn not_modified(format: Format, etag: String) -> Response {
    Response { data: ResponseBody::empty(), ..respond::data(304, format.content_type(), "") }
        .with_unique_header("ETag", etag)
}

fn next_page(query: &Pairs, from_id: i64) -> String {
    let id = from_id.to_string();
    let kept = query.0.iter().filter(|(name, _)| name != "from_id");
    let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain([("from_id", id.as_str())]);
    links::link("/api/records", pairs)
}

fn format_asked_for(accept: &str) -> Format {
    let wanted = respond::accepted(accept);
    let format = wanted.iter().find_map(|kind| match kind.as_str() {
        "application/x-ndjson" => Some(Format::Ndjson),
        "text/csv" => Some(Format::Csv),
        "application/json" | "application/*" | "*/*" => Some(Format::Json),
        _ => None,
    });
    format.unwrap_or(Format::Json)
}

fn matches_etag(call: &Call, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    call.head
        .field("if-none-match")
        .is_some_and(|tags| tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag)))
}

fn streamed(format: Format, body: RecordsBody) -> Response {
    Response {
        status_code: 200,
        headers: vec![
            ("Content-Type".into(), format.content_type().into()),
            ("Cache-Control".into(), "no-cache".into()),
        ],
        data: ResponseBody::from_reader(body),
        upgrade: None,
    }
}

/// `GET /api/records/ID`.
pub fn one(web: &Web, call: &Call) -> Result<Response> {
    let id = call.id()?;
    let record = web.app().store.find_record(id)?;
    let record = record.ok_or_else(|| Error::not_found(format!("There is no record {id}")))?;
    Ok(respond::json(200, &RecordRow::new(&record, utc_text)).with_unique_header("Cache-Control", "no-cache"))
}

/// `GET /records/export/records-TIMESTAMP.csv`: everything that the filter of the page chooses.
pub fn export(web: &Web, call: &Call) -> Result<Response> {
    let name = call.parameters.first().map_or("", String::as_str);
    let is_name = name.starts_with("records-") && name.ends_with(".csv");
    if !is_name || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(Error::not_found("An export is called records-TIMESTAMP.csv"));
    }
    let app = web.app();
    let filter = RecordFilter::parse(&call.query, &["from_id"], true, app.clock.now())?;
    let newest = app.store.newest_record_id()?;
    let source = Source::Walk { filter: Box::new(filter), below_id: Some(newest + 1), ids: VecDeque::new() };
    let body = RecordsBody::new(web.shared_app(), Format::ExportCsv, source);
    Ok(streamed(Format::ExportCsv, body)
        .with_unique_header("Content-Disposition", format!("attachment; filename=\"{name}\"")))
}

/// `GET /records/ID/payload`: the payload as a file.
pub fn payload(web: &Web, call: &Call) -> Result<Response> {
    let id = call.id()?;
    let record = web.app().store.find_record(id)?;
    let record = record.ok_or_else(|| Error::not_found(format!("There is no record {id}")))?;
    Ok(respond::data(200, "text/plain; charset=utf-8", record.content.payload)
        .with_unique_header("Content-Disposition", format!("attachment; filename=\"record-{id}.txt\""))
        .with_unique_header("Cache-Control", "no-cache"))
}
