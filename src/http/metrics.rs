// SPDX-License-Identifier: Apache-2.0
//! `GET /metrics`: figures for whoever watches the server.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::metrics;
use rouille::Response;

/// `GET /metrics`.
pub fn show(web: &Web, _: &Call) -> Result<Response> {
    let text = metrics::render(web.app(), web.wire_figures())?;
    Ok(respond::data(200, "text/plain; version=0.0.4; charset=utf-8", text)
        .with_unique_header("Cache-Control", "no-store"))
}
