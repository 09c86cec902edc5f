// SPDX-License-Identifier: Apache-2.0
//! `GET /metrics`: figures for whoever watches the server.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::account::Need;
use crate::ops::metrics;
use rouille::Response;

/// `GET /metrics`. What counts the fleet and the accounts is for those alone who may read the fleet.
pub fn show(web: &Web, call: &Call) -> Result<Response> {
    let with_fleet = call.rights.may(Need::ReadFleet);
    let text = metrics::render(web.app(), web.wire_figures(), with_fleet);
    Ok(respond::data(200, "text/plain; version=0.0.4; charset=utf-8", text)
        .with_unique_header("Cache-Control", "no-store"))
}
