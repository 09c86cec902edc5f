// SPDX-License-Identifier: Apache-2.0
//! The API for people: `/api`. It is made of the same document that programs read.

use crate::views::Page;
use crate::views::parts::heading;
use maud::{Markup, html};
use serde_json::{Map, Value};

/// The page of an OpenAPI document.
pub fn render(document: &Value) -> Page {
    let tags = document["tags"].as_array().map_or(&[][..], Vec::as_slice);
    let download = html! { a.button href="/api/openapi.json" { "OpenAPI 3.1" } };
    let markup = html! {
        (heading("API", "Every address that programs use", download))
        p { (text(&document["info"]["description"])) }
        nav aria-label="Parts" {
            ul { @for tag in tags { li { a href={ "#" (text(&tag["name"])) } { (text(&tag["name"])) } } } }
        }
        @for tag in tags { (part(document, tag)) }
        section.panel {
            h2 #answers { "What answers hold" }
            @for (name, schema) in object(&document["components"]["schemas"]) {
                h3 id={ "schema-" (name) } { (name) }
                @if let Some(about) = schema["description"].as_str() { p { (about) } }
                (properties(schema))
            }
        }
        section.panel {
            h2 #who { "Who asks" }
            dl {
                @for (name, scheme) in object(&document["components"]["securitySchemes"]) {
                    dt id={ "who-" (name) } { (name) }
                    dd { (text(&scheme["description"])) }
                }
            }
        }
    };
    Page::ok("API", markup)
}

fn part(document: &Value, tag: &Value) -> Markup {
    let name = text(&tag["name"]);
    html! {
        section.panel {
            h2 id=(name) { (name) }
            p { (text(&tag["description"])) }
            @for (path, methods) in object(&document["paths"]) {
                @for (method, operation) in object(methods) {
                    @if operation["tags"][0].as_str() == Some(name) { (one(path, method, operation)) }
                }
            }
        }
    }
}

fn one(path: &str, method: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        details id=(text(&operation["operationId"])) {
            summary { code { (method.to_ascii_uppercase()) " " (path) } " " (text(&operation["summary"])) }
            @if let Some(about) = operation["description"].as_str() { p { (about) } }
            p.muted { "Who may ask: " (who(&operation["security"])) }
            @if !parameters.is_empty() {
                div.sheet {
                    table {
                        thead { tr { th { "Parameter" } th { "In" } th { "What" } th { "Type" } } }
                        tbody {
                            @for parameter in parameters {
                                tr {
                                    td { code { (text(&parameter["name"])) } }
                                    td { (text(&parameter["in"])) @if parameter["required"] == true { ", needed" } }
                                    td { (text(&parameter["description"])) }
                                    td { (kind(&parameter["schema"])) }
                                }
                            }
                        }
                    }
                }
            }
            @for (media_type, body) in object(&operation["requestBody"]["content"]) {
                p { "Body: " code { (media_type) } " " (kind(&body["schema"])) }
                (properties(&body["schema"]))
                (example(body))
            }
            dl {
                @for (status, answer) in object(&operation["responses"]) {
                    dt { code { (status) } }
                    dd {
                        (text(&answer["description"]))
                        @for (media_type, body) in object(&answer["content"]) {
                            " " code { (media_type) } " " (kind(&body["schema"]))
                        }
                    }
                }
            }
            @if let Some(body) = operation["responses"]["200"]["content"].get("application/json") { (example(body)) }
        }
    }
}

fn who(security: &Value) -> Markup {
    let ways = security.as_array().map_or(&[][..], Vec::as_slice);
    html! {
        @if ways.is_empty() { "anybody" }
        @for (index, way) in ways.iter().enumerate() {
            @if index > 0 { " or " }
            @if object(way).next().is_none() { "anybody, where it is left open" }
            @for (scheme, _) in object(way) { a href={ "#who-" (scheme) } { (scheme) } }
        }
    }
}

fn example(body: &Value) -> Markup {
    let shown = body.get("example").and_then(|example| serde_json::to_string_pretty(example).ok());
    html! { @if let Some(shown) = shown { pre { code { (shown) } } } }
}

/// The properties of an object, those of objects in it too.
fn properties(schema: &Value) -> Markup {
    let needed = |name: &str| {
        schema["required"].as_array().is_none_or(|all| all.iter().any(|one| one.as_str() == Some(name)))
    };
    html! {
        @if object(&schema["properties"]).next().is_some() {
            dl {
                @for (name, property) in object(&schema["properties"]) {
                    dt { code { (name) } " " (kind(property)) @if !needed(name) { ", perhaps" } }
                    dd {
                        (text(&property["description"]))
                        (properties(property))
                        (properties(&property["items"]))
                    }
                }
            }
        }
    }
}

/// What a schema is, in a few words.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    let types = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    html! {
        (types)
        @if schema["type"] == "array" && schema["items"].is_object() { " of " (kind(&schema["items"])) }
        @if let Some(all) = schema["enum"].as_array() {
            ": " (all.iter().map(words).collect::<Vec<_>>().join(", "))
        }
        @if let Some(least) = schema.get("minimum") { ", at least " (words(least)) }
        @if let Some(most) = schema.get("maximum") { ", at most " (words(most)) }
        @if let Some(most) = schema.get("maxLength") { ", at most " (words(most)) " characters" }
        @if let Some(default) = schema.get("default") { "; without it " (words(default)) }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
