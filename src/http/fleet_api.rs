// SPDX-License-Identifier: Apache-2.0
//! `POST /api/v1/heartbeat` and `/api/fleet/…`: agents beat, people ask who is offline or double.

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::csv_line::{guarded, line};
use crate::ops::fleet::agents::{self, DoubleList, OfflineList, OfflineWindow, double_minutes};
use crate::ops::fleet::heartbeat::{Beat, take};
use crate::ops::fleet::statistics as numbers;
use rouille::Response;
use serde::Serialize;
use std::borrow::Cow;

/// The answer to a heartbeat that is stored.
#[derive(Serialize)]
struct Taken {
    error: Option<String>,
}

/// `POST /api/v1/heartbeat`: 200 once it is durable.
pub fn heartbeat(web: &Web, call: &Call) -> Result<Response> {
    let beat = Beat {
        body: &call.body,
        authorization: call.head.field("authorization"),
        token: call.head.field("x-muster-token"),
        peer: call.head.peer.ip(),
    };
    take(web.app(), &beat)?;
    Ok(respond::json(200, &Taken { error: None }))
}

/// `GET /api/fleet/statistics?days=2`.
pub fn statistics(web: &Web, call: &Call) -> Result<Response> {
    let days = numbers::history_days(&call.query)?;
    Ok(fresh(respond::json(200, &numbers::load(web.app(), days)?)))
}

/// `GET /api/fleet/offline?days=30&minutes=5`.
pub fn offline(web: &Web, call: &Call) -> Result<Response> {
    let window = OfflineWindow::parse(&call.query)?;
    let is_csv = wants_csv(call)?;
    let list = agents::offline(web.app(), window)?;
    if !is_csv {
        return Ok(fresh(respond::json(200, &list)));
    }
    Ok(csv(offline_csv(&list)?))
}

/// The list as CSV with a header line.
pub fn offline_csv(list: &OfflineList) -> Result<Vec<u8>> {
    let mut bytes = line(&["name", "last_heartbeat"])?;
    for agent in &list.offline {
        bytes.extend(line(&[guarded(&agent.name).as_bytes(), agent.last_heartbeat.as_bytes()])?);
    }
    Ok(bytes)
}

/// `GET /api/fleet/double?minutes=10`.
pub fn double(web: &Web, call: &Call) -> Result<Response> {
    let minutes = double_minutes(&call.query)?;
    let is_csv = wants_csv(call)?;
    let list = agents::double(web.app(), minutes)?;
    if !is_csv {
        return Ok(fresh(respond::json(200, &list)));
    }
    Ok(csv(double_csv(&list)?))
}

/// The list as CSV with a header line; names are parted by spaces.
pub fn double_csv(list: &DoubleList) -> Result<Vec<u8>> {
    let mut bytes = line(&["count", "queueloc", "names"])?;
    for endpoint in &list.double {
        let names = endpoint.names.join(" ");
        let cells = [endpoint.count.to_string().into(), guarded(&endpoint.queueloc), guarded(&names)];
        let cells: [&[u8]; 3] = cells.each_ref().map(|cell: &Cow<'_, str>| cell.as_bytes());
        bytes.extend(line(&cells)?);
    }
    Ok(bytes)
}

/// `format` of the query decides, then what is accepted.
fn wants_csv(call: &Call) -> Result<bool> {
    match call.query.filled("format") {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(Error::invalid("format must be json or csv")),
        None => {
            let accepted = respond::accepted(call.head.field("accept").unwrap_or(""));
            let first = accepted.iter().find(|kind| {
                matches!(kind.as_str(), "text/csv" | "application/json" | "application/*" | "*/*")
            });
            Ok(first.is_some_and(|kind| kind == "text/csv"))
        }
    }
}

fn csv(bytes: Vec<u8>) -> Response {
    fresh(respond::data(200, "text/csv; charset=utf-8", bytes))
}

fn fresh(response: Response) -> Response {
    response.with_unique_header("Cache-Control", "no-cache")
}
