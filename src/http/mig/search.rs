// SPDX-License-Identifier: Apache-2.0
//! `GET /api/v1/search`.

use super::collection::{Collection, Item, echo_item};
use super::found::FoundBody;
use super::{admit, base, href, send};
use crate::error::{Kind, Result};
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::investigator::Permission;
use crate::ops::fleet::search::{self, NO_RESULTS, Request};
use rouille::Response;
use rouille::url::form_urlencoded::Serializer;

/// `GET /api/v1/search`: one item for each thing found, then how the search was understood. 404 with
/// [`NO_RESULTS`] where there is none.
pub fn search(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Search)?;
    let app = web.app();
    let now = app.clock.now();
    let request = search::read(&call.query, now)?;
    match search::run(app, &request, now) {
        Ok(ids) => {
            let tail = tail(call, &request);
            FoundBody::new(web.shared_app(), &call.head, request.search.kind, ids, tail).into_response()
        }
        // The end of paging is no event.
        Err(error) if error.kind() == Kind::NotFound => {
            let items = [echo_item(href(&call.head, "/search"), &request.echo)];
            let own = format!("{}{}", base(&call.head), call.head.target);
            let id = respond::next_id();
            let error = Some((id.as_str(), NO_RESULTS));
            Ok(send(404, Collection { href: &own, items: &items, error }.to_json()))
        }
        Err(error) => Err(error),
    }
}

/// What follows the things found.
fn tail(call: &Call, request: &Request) -> Vec<Item> {
    let own = || href(&call.head, "/search");
    let mut items = Vec::new();
    if request.search.offset > 0 {
        let (limit, offset) = (request.search.limit, request.search.offset);
        let next = next_page(call, offset.saturating_add(limit));
        let json = format!(
            "{{\"limit\":{limit},\"offset\":{offset},\"next\":{}}}",
            super::collection::json_text(&next)
        );
        items.push(Item::new(own(), "pagination", json));
    }
    items.push(echo_item(own(), &request.echo));
    items
}

fn next_page(call: &Call, offset: i64) -> String {
    let kept = call.query.0.iter().filter(|(name, _)| name != "offset");
    let query =
        Serializer::new(String::new()).extend_pairs(kept).append_pair("offset", &offset.to_string()).finish();
    href(&call.head, &format!("/search?{query}"))
}
