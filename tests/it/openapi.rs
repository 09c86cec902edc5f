// SPDX-License-Identifier: Apache-2.0
//! The description of the API against the running server: parameters, answers, and the rules of OpenAPI 3.1.

use crate::support::fleet::FleetFile;
use crate::support::{Server, record_fields};
use muster::http::routes::{Body, ROUTES};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

fn document(server: &Server) -> Value {
    let answer = server.get("/api/openapi.json");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What of `value` breaks the schema, with its place. Knows the words that the description uses, and no others.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str, out: &mut Vec<String>) {
    if let Some(path) = schema["$ref"].as_str() {
        let found = document.pointer(path.strip_prefix('#').unwrap()).unwrap();
        return faults(document, found, value, place, out);
    }
    let is_of = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{place}: type {other}"),
    };
    let is_typed = match &schema["type"] {
        Value::String(name) => is_of(name),
        Value::Array(names) => names.iter().any(|name| is_of(name.as_str().unwrap())),
        _ => true,
    };
    if !is_typed {
        out.push(format!("{place}: {value} is not {}", schema["type"]));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        out.push(format!("{place}: {value} is not one of {allowed:?}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        out.push(format!("{place}: {number} is less than {least}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        faults(document, &schema["items"], item, &format!("{place}[{index}]"), out);
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                out.push(format!("{place} lacks {name}"));
            }
        }
        for (name, inner) in object {
            match schema["properties"].get(name) {
                Some(property) => faults(document, property, inner, &format!("{place}.{name}"), out),
                None if schema["additionalProperties"] == false => out.push(format!("{place} has {name}")),
                None => {}
            }
        }
    }
}

fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    let mut out = Vec::new();
    faults(document, schema, value, place, &mut out);
    assert!(out.is_empty(), "{out:#?}");
}

/// Every GET operation with its path, values put in for its parameters: those of things that are there.
fn reads(document: &Value, file: &FleetFile) -> Vec<(String, String, Value)> {
    let guilty = file.count("SELECT min(guilty_id) FROM backtraces WHERE guilty_id IS NOT NULL").to_string();
    let build: (String, String) = file
        .database()
        .query_row(
            "SELECT system_name, build FROM builds JOIN crash_builds ON build_id = id
             WHERE system_name <> '' ORDER BY build_id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let real = [
        ("/guilty_details/1", format!("/guilty_details/{guilty}")),
        ("/build/clear-linux-os/41890", format!("/build/{}/{}", build.0, build.1)),
    ];
    let paths = document["paths"].as_object().unwrap();
    let found = paths.iter().filter_map(|(path, methods)| {
        let operation = methods.get("get")?.clone();
        let mut target = path.clone();
        for parameter in parameters(&operation, "path") {
            let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
            target = target.replace(&name, parameter["example"].as_str().unwrap());
        }
        for (example, there) in &real {
            target = target.replace(example, there);
        }
        Some((path.clone(), target, operation))
    });
    found.collect()
}

fn parameters<'a>(operation: &'a Value, place: &'a str) -> impl Iterator<Item = &'a Value> {
    operation["parameters"].as_array().into_iter().flatten().filter(move |one| one["in"] == place)
}

/// The description of an answer of the collector or the API.
fn schema_of(operation: &Value, status: u16) -> &Value {
    let answer = &operation["responses"][status.to_string()];
    assert!(answer.is_object(), "{status} is not described: {operation:#}");
    &answer["content"]["application/json"]["schema"]
}

#[test]
fn parameters_are_taken_and_unknown_ones_refused_as_described() {
    let file = FleetFile::new(30);
    let server = file.serve();
    let document = document(&server);
    let mut tried = 0;
    for (path, target, operation) in reads(&document, &file) {
        // Custom views, MIG's calls and what is endless have other rules.
        if path.starts_with("/api/v1/") || path.starts_with("/api/views/") {
            continue;
        }
        let whole = server.get(&target);
        let allowed = [200, 404];
        assert!(allowed.contains(&whole.status), "{target}: {} {}", whole.status, whole.text());
        for parameter in parameters(&operation, "query") {
            let (name, example) = (parameter["name"].as_str().unwrap(), parameter["example"].as_str());
            let example = example.unwrap_or_else(|| panic!("{path}: {name} has no example"));
            // What goes with another one only.
            let target = match parameter["x-with"].as_str() {
                Some(other) => format!("{target}?{other}&"),
                None => format!("{target}?"),
            };
            let given = format!("{target}{name}={}", example.replace('*', "%2A"));
            let answer = server.get(&given);
            assert!(allowed.contains(&answer.status), "{given}: {} {}", answer.status, answer.text());
            let choices = parameter["schema"]["enum"].as_array();
            for choice in choices.into_iter().flatten() {
                let given = format!("{target}{name}={}", choice.as_str().unwrap());
                assert!(allowed.contains(&server.get(&given).status), "{given}");
            }
            for bound in ["minimum", "maximum"] {
                let Some(limit) = parameter["schema"][bound].as_i64() else { continue };
                let at = server.get(&format!("{target}{name}={limit}")).status;
                assert!(allowed.contains(&at), "{target}{name}={limit}: {at}");
                let beyond = if bound == "minimum" { limit - 1 } else { limit + 1 };
                let given = format!("{target}{name}={beyond}");
                assert_eq!(server.get(&given).status, 400, "{given}");
            }
            if choices.is_some() {
                assert_eq!(server.get(&format!("{target}{name}=nonsense")).status, 400, "{target}{name}");
            }
            tried += 1;
        }
        if operation["x-unknown-parameters"] == "refused" {
            let answer = server.get(&format!("{target}?nonsense=1"));
            assert_eq!(answer.status, 400, "{target}");
            check(&document, schema_of(&operation, 400), &answer.json(), &path);
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn answers_are_what_is_described() {
    let file = FleetFile::new(30);
    let server = file.serve();
    let document = document(&server);
    let mut checked = 0;
    for (path, target, operation) in reads(&document, &file) {
        let answer = server.get(&target);
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{target} answers {}: {}", answer.status, answer.text());
        if answer.body.is_empty() {
            continue;
        }
        let media_type = answer.header("content-type").unwrap().split(';').next().unwrap().to_owned();
        let content = &described["content"][&media_type];
        assert!(content.is_object(), "{target}: {media_type} of {} is not described", answer.status);
        if media_type == "application/json" && path != "/api/v1/ip" {
            check(&document, &content["schema"], &answer.json(), &path);
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
    for (target, path) in [
        ("/api/crashes?kind=kernel&days=30", "/api/crashes"),
        ("/api/crashes/blacklist?search=a", "/api/crashes/blacklist"),
        ("/api/mce?machines=all", "/api/mce"),
        ("/api/fleet/offline?minutes=1", "/api/fleet/offline"),
        ("/api/fleet/double?minutes=100000", "/api/fleet/double"),
    ] {
        let schema = schema_of(&document["paths"][path]["get"], 200);
        check(&document, schema, &server.get(target).json(), target);
    }
    let id = file.count("SELECT min(guilty_id) FROM backtraces WHERE guilty_id IS NOT NULL");
    for (end, path) in [
        ("", "/api/crashes/guilty_details/{id}"),
        ("/backtraces", "/api/crashes/guilty_details/{id}/backtraces"),
    ] {
        let answer = server.get(&format!("/api/crashes/guilty_details/{id}{end}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        check(&document, schema_of(&document["paths"][path]["get"], 200), &answer.json(), path);
    }
}

#[test]
fn answers_to_posts_are_what_is_described() {
    let server = Server::start();
    let document = document(&server);
    let collector = &document["paths"]["/"]["post"];
    let mut broken = record_fields(1);
    let answer = server.post(&broken, b"hello");
    check(&document, schema_of(collector, 201), &answer.json(), "201");
    broken.retain(|(name, _)| name != "severity");
    let answer = server.post(&broken, b"hello");
    check(&document, schema_of(collector, 400), &answer.json(), "400");
    broken.retain(|(name, _)| name != "User-Agent");
    let answer = server.post(&broken, b"hello");
    check(&document, schema_of(collector, 200), &answer.json(), "200");
    let mut n_bodies = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(operation) = methods.get("post") else { continue };
        let body = &operation["requestBody"]["content"]["application/json"]["example"];
        let bytes = if body.is_object() { body.to_string() } else { String::new() };
        n_bodies += usize::from(body.is_object());
        let answer = server.request("POST", path, &[], bytes.as_bytes());
        let described = schema_of(operation, answer.status);
        check(&document, described, &answer.json(), path);
    }
    assert_eq!(n_bodies, 3);
}

#[test]
fn all_examples_of_an_address_go_together() {
    let file = FleetFile::new(30);
    let server = file.serve();
    let document = document(&server);
    let operation = &document["paths"]["/api/mce"]["get"];
    let examples = parameters(operation, "query")
        .map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["example"].as_str().unwrap()));
    let target = format!("/api/mce?{}", examples.collect::<Vec<_>>().join("&"));
    let answer = server.get(&target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
}

#[test]
fn refusals_of_the_gate_are_what_is_described() {
    let server = Server::start();
    let document = document(&server);
    let field = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for route in ROUTES {
        let Body::Bytes(bytes_max) = route.body else { continue };
        let operation = &document["paths"][route.path]["post"];
        if !operation.is_object() {
            continue;
        }
        let answer =
            server.request("POST", route.path, &field("X-MIGAPIKEY", "x"), &vec![b'x'; bytes_max + 1]);
        assert_eq!(answer.status, 413, "{}: {}", route.path, answer.text());
        check(&document, schema_of(operation, 413), &answer.json(), route.path);
    }
    let wrong = field("Authorization", "Bearer mst_wrong");
    for _ in 0..10 {
        assert_eq!(server.request("GET", "/api/records", &wrong, b"").status, 401);
    }
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let operation = &methods["get"];
        let takes_token = |ways: &Vec<Value>| ways.iter().any(|way| way["token"].is_array());
        if !operation["security"].as_array().is_some_and(takes_token) {
            continue;
        }
        let target = path.replace(['{', '}'], "");
        let answer = server.request("GET", &target, &wrong, b"");
        assert_eq!(answer.status, 429, "{target}: {}", answer.text());
        check(&document, schema_of(operation, 429), &answer.json(), path);
        asked += 1;
    }
    assert!(asked > 15, "{asked}");
}

#[test]
fn the_document_keeps_the_rules_of_openapi() {
    let server = Server::start();
    let document = document(&server);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let schemes = names(&document["components"]["securitySchemes"]);
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut refs = Vec::new();
    collect_refs(&document, &mut refs);
    for reference in &refs {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for schema in names(&document["components"]["schemas"]) {
        assert!(refs.contains(&format!("#/components/schemas/{schema}")), "{schema} is used nowhere");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{place}");
            assert!(tags.contains(&&operation["tags"][0]), "{place}");
            let security = operation["security"].as_array().unwrap_or_else(|| panic!("{place}: security"));
            let used = security.iter().flat_map(names);
            assert!(used.into_iter().all(|scheme| schemes.contains(&scheme)), "{place}");
            let in_path: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let named = parameters(operation, "path").map(|one| one["name"].as_str().unwrap()).collect();
            assert_eq!(in_path, named, "{place}");
            let mut seen = BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["schema"].is_object() && parameter["description"].is_string(), "{place}");
                assert!(seen.insert(format!("{} {}", parameter["in"], parameter["name"])), "{place}");
                assert!(parameter["in"] != "path" || parameter["required"] == true, "{place}");
            }
            let responses: &Map<String, Value> = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{place}");
            for (status, answer) in responses {
                assert!(status.len() == 3 && answer["description"].is_string(), "{place} {status}");
                examples(&document, answer, &place);
            }
            examples(&document, &operation["requestBody"], &place);
        }
    }
}

/// Examples hold to their own schemas.
fn examples(document: &Value, described: &Value, place: &str) {
    for body in described["content"].as_object().into_iter().flat_map(Map::values) {
        assert!(body["schema"].is_object(), "{place}");
        if let Some(example) = body.get("example") {
            check(document, &body["schema"], example, place);
        }
    }
}

fn collect_refs(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                match inner.as_str() {
                    Some(path) if name == "$ref" => out.push(path.to_owned()),
                    _ => collect_refs(inner, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_refs(item, out)),
        _ => {}
    }
}

#[test]
fn the_page_shows_every_address_without_script() {
    let server = Server::start();
    let answer = server.get("/api");
    assert_eq!(answer.status, 200);
    let page = answer.text();
    let document = document(&server);
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!(" {path}</code>")), "{path}");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{schema}\"")), "{schema}");
    }
}
