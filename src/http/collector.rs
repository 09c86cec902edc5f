// SPDX-License-Identifier: Apache-2.0
//! `POST /`, `/v2/collector`, `/v3/collector`: a telemetry client sends a record.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::ingest::Post;
use crate::model::record_row::RecordRow;
use crate::model::time::utc_text;
use crate::ops::collect::{Collected, Outcome, collect};
use rouille::Response;
use serde::Serialize;

/// The answer to a post that went into quarantine.
#[derive(Serialize)]
struct Quarantined<'a> {
    message: &'a str,
    quarantined: bool,
}

/// Takes the record of a post; answers 201 only once it is durable.
pub fn post(web: &Web, call: &Call) -> Result<Response> {
    let collected = Collected {
        post: Post { fields: &call.head.fields, body: &call.body, is_body_cut: call.is_body_cut },
        head: &call.head.raw,
        peer: call.head.peer.ip(),
    };
    let outcome = collect(web.app(), &collected);
    web.app().counters.note_post(&outcome);
    Ok(match outcome? {
        Outcome::Stored(record) => respond::json(201, &RecordRow::new(&record, utc_text))
            .with_unique_header("Location", format!("/api/records/{}", record.id)),
        Outcome::Quarantined(message) => {
            respond::json(200, &Quarantined { message: &message, quarantined: true })
        }
    })
}
