// SPDX-License-Identifier: Apache-2.0
//! `GET /api/…` of everything that a page counts, with the page's parameters.
//!
//! The fields of an answer are documented where they are defined: in the `ops` module of its page.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::pairs::Pairs;
use crate::ops::{App, blacklist, builds, crashes, machine_checks, population, stats, thermal};
use crate::views::crashes::build_of;
use rouille::Response;
use serde::Serialize;

/// Answers with what an operation makes of the query.
fn answer<T: Serialize>(
    web: &Web,
    call: &Call,
    load: impl FnOnce(&App, &Pairs) -> Result<T>,
) -> Result<Response> {
    let loaded = load(web.app(), &call.query)?;
    Ok(respond::json(200, &loaded).with_unique_header("Cache-Control", "no-cache"))
}

/// `GET /api/builds`.
pub fn builds(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, builds::load)
}

/// `GET /api/stats`.
pub fn stats(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, stats::load)
}

/// `GET /api/mce`.
pub fn machine_checks(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, machine_checks::load)
}

/// `GET /api/thermal`.
pub fn thermal(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, thermal::load)
}

/// `GET /api/population`.
pub fn population(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, population::load)
}

/// `GET /api/crashes`.
pub fn crashes(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, crashes::load)
}

/// `GET /api/crashes/overall`.
pub fn crashes_overall(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, crashes::load_overall)
}

/// `GET /api/crashes/build/SYSTEM/BUILD`.
pub fn crashes_of_build(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, |app, query| crashes::load_build(app, &build_of(&call.parameters), query))
}

/// `GET /api/crashes/guilty_details/ID`.
pub fn guilty(web: &Web, call: &Call) -> Result<Response> {
    let id = call.id()?;
    answer(web, call, |app, query| crashes::details::load(app, id, query))
}

/// `GET /api/crashes/guilty_details/ID/backtraces`.
pub fn backtraces(web: &Web, call: &Call) -> Result<Response> {
    let id = call.id()?;
    answer(web, call, |app, query| crashes::details::load_backtraces(app, id, query))
}

/// `GET /api/crashes/blacklist`.
pub fn blacklist(web: &Web, call: &Call) -> Result<Response> {
    answer(web, call, blacklist::load)
}
