// SPDX-License-Identifier: Apache-2.0
//! `/healthz`: the process is alive. `/readyz`: a record could be stored now.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use rouille::Response;

/// 200 as long as requests are answered at all.
pub fn alive(_: &Web, _: &Call) -> Result<Response> {
    Ok(respond::data(200, "text/plain; charset=utf-8", "ok\n")
        .with_unique_header("Cache-Control", "no-store"))
}

/// 200 where a write was made durable just now, 503 where it could not.
pub fn ready(web: &Web, _: &Call) -> Result<Response> {
    web.app().store.is_writable()?;
    Ok(respond::data(200, "text/plain; charset=utf-8", "ready\n")
        .with_unique_header("Cache-Control", "no-store"))
}
