// SPDX-License-Identifier: Apache-2.0
//! `GET /api/audit`, and the audit log as a file.

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::audit::{AuditEntry, AuditFilter};
use crate::model::filter::{bounded, count};
use crate::ops::audit::{self, AuditFormat, AuditText};
use rouille::{Response, ResponseBody};
use serde::Serialize;

/// Most entries of one answer.
const LIMIT_MAX: i64 = 1_000;
/// How many there are where nothing is said.
const LIMIT_USUAL: i64 = 100;

#[derive(Serialize)]
struct Entries {
    audit: Vec<AuditEntry>,
    /// The `from_id` of the next page.
    next_from_id: Option<i64>,
}

/// `GET /api/audit`.
pub fn list(web: &Web, call: &Call) -> Result<Response> {
    let filter = AuditFilter::parse(&call.query, &["limit", "from_id"])?;
    let limit = match call.query.filled("limit") {
        Some(value) => bounded("limit", value, 1, LIMIT_MAX)?,
        None => LIMIT_USUAL,
    };
    let from_id = call.query.filled("from_id").map(|value| count("from_id", value)).transpose()?;
    let page = audit::page(web.app(), &filter, from_id, usize::try_from(limit).unwrap_or(1))?;
    let entries = Entries { audit: page.entries, next_from_id: page.next_below_id };
    Ok(respond::json(200, &entries).with_unique_header("Cache-Control", "no-store"))
}

/// `GET /audit/export.csv` and `/audit/export.ndjson`: all that the filter of the page chooses.
pub fn export(web: &Web, call: &Call) -> Result<Response> {
    let name = call.parameters.first().map_or("", String::as_str);
    let (format, content_type, disposition) = match name {
        "export.csv" => (AuditFormat::Csv, "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        "export.ndjson" => {
            (AuditFormat::Ndjson, "application/x-ndjson", "attachment; filename=\"audit.ndjson\"")
        }
        _ => return Err(Error::not_found("The audit log is exported as export.csv or export.ndjson")),
    };
    let filter = AuditFilter::parse(&call.query, &["from_id"])?;
    Ok(Response {
        status_code: 200,
        headers: vec![
            ("Content-Type".into(), content_type.into()),
            ("Content-Disposition".into(), disposition.into()),
            ("Cache-Control".into(), "no-store".into()),
        ],
        data: ResponseBody::from_reader(AuditText::new(web.shared_app(), format, filter, usize::MAX)),
        upgrade: None,
    })
}
