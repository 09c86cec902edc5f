// SPDX-License-Identifier: Apache-2.0
//! `GET /api/openapi.json` and `/api`: every address that programs use, in OpenAPI 3.1 and for people.
//!
//! `assets/openapi.json` says what the table of routes does not: parameters, bodies, answers. Both are joined here, and
//! `tests/it/openapi.rs` holds them against each other: to add a route, describe it there.

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::pages;
use crate::http::respond;
use crate::http::routes::{ROUTES, Route};
use crate::http::web::Web;
use crate::model::account::Need;
use crate::views::api;
use rouille::Response;
use serde_json::{Value, json};

const DESCRIPTIONS: &str = include_str!("../../assets/openapi.json");

/// `GET /api/openapi.json`.
pub fn document(web: &Web, _: &Call) -> Result<Response> {
    Ok(respond::json(200, &joined(&web.app().config.base_path)?)
        .with_unique_header("Cache-Control", "no-cache"))
}

/// `GET /api`.
pub fn page(web: &Web, call: &Call) -> Result<Response> {
    pages::send(web, call, &api::render(&joined("")?))
}

/// True for the routes that programs use.
fn is_described(route: &Route) -> bool {
    let is_of_pages = route.path.starts_with("/assets/");
    let is_api = ["/api", "/v2/", "/v3/"].iter().any(|begin| route.path.starts_with(begin));
    let is_alone = ["/metrics", "/healthz", "/readyz"].contains(&route.path);
    !is_of_pages && (is_api || is_alone || route.method == "POST" && route.path == "/")
}

/// The descriptions with what the table of routes says: summary, who may ask, the version.
fn joined(base_path: &str) -> Result<Value> {
    let mut document: Value = serde_json::from_str(DESCRIPTIONS)
        .map_err(|error| Error::internal("The description of the API is damaged").because(error))?;
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["servers"] = json!([{ "url": if base_path.is_empty() { "/" } else { base_path } }]);
    for route in ROUTES.iter().filter(|route| is_described(route)) {
        let method = route.method.to_ascii_lowercase();
        let Some(operation) = document["paths"][route.path][&method].as_object_mut() else { continue };
        operation.insert("summary".to_owned(), json!(route.help));
        operation.insert("operationId".to_owned(), json!(operation_id(route)));
        if let Some(security) = security(route.need) {
            operation.insert("security".to_owned(), security);
        }
    }
    Ok(document)
}

/// Who may ask; none where the route has its own way to tell, which is described with it.
fn security(need: Need) -> Option<Value> {
    let login = json!({ "session": [] });
    let token = json!({ "token": [] });
    match need {
        Need::Nothing => None,
        // Open, unless the configuration says otherwise.
        Need::ReadRecords | Need::ChangeRecords => Some(json!([{}, login, token])),
        Need::ReadFleet | Need::Operate | Need::Administer => Some(json!([login, token])),
    }
}

/// A name for programs: `get_api_records_id`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.to_ascii_lowercase();
    for part in route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        id.push('_');
        id.push_str(part);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::Body;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_of_programs_is_described_and_nothing_else() {
        let described: Value = serde_json::from_str(DESCRIPTIONS).unwrap();
        let described: BTreeSet<String> = described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap();
                methods.keys().map(move |method| format!("{} {path}", method.to_ascii_uppercase()))
            })
            .collect();
        let routes: BTreeSet<String> = ROUTES
            .iter()
            .filter(|route| is_described(route))
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        let missing: Vec<_> = routes.difference(&described).collect();
        let surplus: Vec<_> = described.difference(&routes).collect();
        assert!(missing.is_empty(), "assets/openapi.json does not describe {missing:?}");
        assert!(surplus.is_empty(), "assets/openapi.json describes what there is not: {surplus:?}");
    }

    #[test]
    fn every_answer_of_the_gate_is_described() {
        let described = joined("").unwrap();
        for route in ROUTES.iter().filter(|route| is_described(route)) {
            let operation = &described["paths"][route.path][route.method.to_ascii_lowercase()];
            let mut statuses = Vec::new();
            // What takes a password, token or key can be asked too often.
            if operation["security"].as_array().is_some_and(|ways| !ways.is_empty()) {
                statuses.extend(["401", "403", "429"]);
            }
            if route.body != Body::None {
                statuses.push("413");
            }
            for status in statuses {
                let answer = &operation["responses"][status];
                assert!(answer.is_object(), "{} {} lacks {status}", route.method, route.path);
            }
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let ids: Vec<String> = ROUTES.iter().filter(|route| is_described(route)).map(operation_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }
}
