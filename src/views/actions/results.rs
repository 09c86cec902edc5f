// SPDX-License-Identifier: Apache-2.0
//! What an agent answered, readable: the paths of the module file by label, other modules' answers as pairs or JSON.
//!
//! Answers come from agents, who may send anything of the right outer form: all of it is bounded and escaped.

use crate::model::command::OperationResult;
use crate::views::record::payload_text;
use crate::views::{links, text};
use maud::{Markup, html};
use serde_json::{Map, Value};

/// Errors of one operation that are shown.
const ERRORS_MAX: usize = 20;
/// Operations that are shown.
const OPERATIONS_MAX: usize = 100;
/// Characters of a value, a path, an error.
const VALUE_CHARS_MAX: usize = 1_000;
/// Characters of JSON that is shown as it is.
const JSON_CHARS_MAX: usize = 20_000;

/// The answer to one command.
#[derive(Clone, Debug)]
pub enum Results {
    /// There is none yet, or there never will be.
    None,
    /// One result for each operation.
    Read(Vec<OperationResult>),
    /// More bytes than the page reads.
    TooLong(usize),
    /// The beginning of what cannot be read.
    Unreadable(String),
}

impl Results {
    /// Reads a stored answer of at most `bytes_max` bytes.
    pub fn read(stored: Option<String>, bytes_max: usize) -> Results {
        match stored {
            None => Results::None,
            Some(json) if json.len() > bytes_max => Results::TooLong(json.len()),
            Some(json) => match serde_json::from_str(&json) {
                Ok(results) => Results::Read(results),
                Err(_) => Results::Unreadable(json.chars().take(JSON_CHARS_MAX).collect()),
            },
        }
    }

    /// What was found and what went wrong, at most `items_max` items of each operation; the rest is at `url`.
    pub fn brief(&self, items_max: usize, url: &str) -> Markup {
        let is_telling = |result: &OperationResult| result.foundanything || has_errors(result);
        html! {
            @match self {
                Results::None => {},
                Results::TooLong(bytes) => p.muted {
                    (text::grouped(count(*bytes))) " bytes of results: " a href=(url) { "show them" }
                },
                Results::Unreadable(_) => p.muted { "The results cannot be read. " a href=(url) { "Show them" } },
                Results::Read(results) => {
                    @for (index, result) in results.iter().enumerate().take(OPERATIONS_MAX) {
                        @if is_telling(result) {
                            div.result {
                                @if results.len() > 1 { span.muted { "Operation " (index + 1) } }
                                (found(result, items_max, url))
                                (errors(result))
                            }
                        }
                    }
                },
            }
        }
    }

    /// Everything, operation after operation, at most `items_max` items of each.
    pub fn whole(&self, items_max: usize) -> Markup {
        html! {
            @match self {
                Results::None => p.nothing { "There is no answer." },
                Results::TooLong(bytes) => p.nothing {
                    "These are " (text::grouped(count(*bytes)))
                    " bytes of results, more than a page shows; the export of the action has them."
                },
                Results::Unreadable(start) => {
                    p.nothing { "This is not in the form of results. It begins:" }
                    (payload_text("unreadable", start))
                },
                Results::Read(results) => {
                    @if results.is_empty() { p.nothing { "The list of results is empty." } }
                    @for (index, result) in results.iter().enumerate().take(OPERATIONS_MAX) {
                        (one(index, result, items_max))
                    }
                },
            }
        }
    }
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

fn has_errors(result: &OperationResult) -> bool {
    result.errors.as_ref().is_some_and(|errors| !errors.is_empty())
}

/// One operation's result with its statistics.
fn one(index: usize, result: &OperationResult, items_max: usize) -> Markup {
    html! {
        section.panel.result {
            h2 { "Operation " (index + 1) }
            p.tags {
                @if result.foundanything { span.tag.found { "found something" } } @else { span.tag { "found nothing" } }
                " "
                @if result.success { span.tag { "ran to its end" } } @else { span.tag.failed { "did not succeed" } }
            }
            (found(result, items_max, ""))
            (errors(result))
            @if !result.statistics.is_null() {
                h3 { "Statistics" }
                (plain(&format!("statistics-{index}"), &result.statistics))
            }
        }
    }
}

fn errors(result: &OperationResult) -> Markup {
    let errors = result.errors.as_deref().unwrap_or_default();
    html! {
        @if !errors.is_empty() {
            ul.errors {
                @for error in errors.iter().take(ERRORS_MAX) {
                    li { bdi { (text::start(error, VALUE_CHARS_MAX)) } }
                }
                @if errors.len() > ERRORS_MAX {
                    li.muted { (text::counted(count(errors.len() - ERRORS_MAX), "more error", "more errors")) }
                }
            }
        }
    }
}

/// What was found; of more than `items_max` items the rest is at `url`, where there is one.
fn found(result: &OperationResult, items_max: usize, url: &str) -> Markup {
    match &result.elements {
        Value::Null => html! {},
        Value::Object(labels) if !labels.is_empty() && labels.values().all(is_list_of_files) => {
            files(labels, items_max, url)
        }
        Value::String(packed) => html! {
            p.muted { "The result was asked for compressed: " (text::grouped(count(packed.len()))) " characters." }
        },
        other if url.is_empty() => json(other),
        other => html! {
            p { (summary(other)) " " a href=(url) { "Show" } }
        },
    }
}

/// What another module's answer says in a line.
fn summary(elements: &Value) -> Markup {
    html! {
        @match elements {
            Value::Object(fields) => {
                @for (name, value) in fields.iter().filter(|(_, value)| is_plain(value)).take(6) {
                    span.pair { span.muted { bdi { (text::start(name, 60)) } } " " bdi { (text::start(&plain_text(value), 80)) } } " "
                }
            },
            Value::Array(items) => (text::counted(count(items.len()), "item", "items")),
            other => bdi { (text::start(&plain_text(other), 80)) },
        }
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// A number, a text, true or false as people read it.
fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// The form of the module file: a list of files under each label.
fn is_list_of_files(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|files| files.iter().all(|file| file.get("file").is_some_and(Value::is_string)))
}

fn files(labels: &Map<String, Value>, items_max: usize, url: &str) -> Markup {
    let mut left = items_max;
    let mut n_hidden = 0;
    let mut lists = Vec::new();
    for (label, files) in labels {
        // An entry without a path says what was searched in vain.
        let paths: Vec<&Value> =
            files.as_array().into_iter().flatten().filter(|file| !path(file).is_empty()).collect();
        let shown = paths.len().min(left);
        left -= shown;
        n_hidden += paths.len() - shown;
        if shown > 0 {
            lists.push((label, paths.len(), paths.into_iter().take(shown).collect::<Vec<_>>()));
        }
    }
    html! {
        @for (label, n_paths, paths) in &lists {
            div.label {
                h3 { bdi { (text::start(label, 100)) } span.muted { " · " (text::counted(count(*n_paths), "path", "paths")) } }
                ul.paths { @for file in paths { (file_item(file, url.is_empty())) } }
            }
        }
        @if n_hidden > 0 {
            p.muted {
                (text::counted(count(n_hidden), "more path", "more paths"))
                @if url.is_empty() { " in the export of the action" } @else { ": " a href=(url) { "show all" } }
            }
        }
    }
}

fn path(file: &Value) -> &str {
    file.get("file").and_then(Value::as_str).unwrap_or("")
}

/// One path; `is_whole` with its digest.
fn file_item(file: &Value, is_whole: bool) -> Markup {
    let info = |name: &str| file.get("fileinfo").and_then(|info| info.get(name));
    let text_of = |name: &str| info(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    html! {
        li {
            code { bdi { (text::start(path(file), VALUE_CHARS_MAX)) } }
            span.muted {
                @if let Some(size) = info("size").and_then(Value::as_f64) { " " (bytes(size)) }
                @for name in ["mode", "lastmodified"] {
                    @if let Some(said) = text_of(name) { " · " bdi { (text::start(said, 60)) } }
                }
            }
            @if let Some(digest) = text_of("sha256").filter(|_| is_whole) {
                code.digest { "sha256 " bdi { (text::start(digest, 70)) } }
            }
        }
    }
}

/// A file's size; agents may send any number.
fn bytes(size: f64) -> String {
    match size {
        size if !(0.0..1e18).contains(&size) => "size unknown".to_owned(),
        size => format!("{} bytes", crate::views::chart::number_text(size.trunc())),
    }
}

/// Statistics: pairs where all values are plain, else JSON.
fn plain(id: &str, value: &Value) -> Markup {
    match value.as_object().filter(|fields| fields.len() <= 40 && fields.values().all(is_plain)) {
        Some(fields) => html! {
            dl #(id) {
                @for (name, value) in fields {
                    div { dt { bdi { (text::start(name, 60)) } } dd { bdi { (text::start(&plain_text(value), VALUE_CHARS_MAX)) } } }
                }
            }
        },
        None => json(value),
    }
}

fn json(value: &Value) -> Markup {
    // A value that came out of JSON goes into it again.
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    let is_cut = json.chars().nth(JSON_CHARS_MAX).is_some();
    let shown: String = json.chars().take(JSON_CHARS_MAX).collect();
    html! {
        pre tabindex="0" { "\n" (text::runs(&shown).into_iter().map(|(_, run)| run).collect::<String>()) }
        @if is_cut { p.muted { "The rest is in the export of the action." } }
    }
}

/// The export of an action's results in a format, `json` or `csv`.
pub fn export_url(action_id: i64, format: &str) -> String {
    links::link(&format!("{}/results", super::action_url(action_id)), [("format", format)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        Results::read(Some(json.to_owned()), 10_000).brief(2, "/x").into_string()
    }

    #[test]
    fn paths_stand_under_their_labels_and_the_rest_is_counted() {
        let file = |path: &str| {
            format!(r#"{{"file":"{path}","search":{{}},"fileinfo":{{"size":12,"mode":"-rw"}}}}"#)
        };
        let json = format!(
            r#"[{{"foundanything":true,"success":true,"elements":{{"a":[{}],"b":[{},{},{}]}},"statistics":null,"errors":null}}]"#,
            file(""),
            file("/etc/hosts"),
            file("/<b>"),
            file("/c")
        );
        let page = shown(&json);
        assert!(
            page.contains("/etc/hosts") && page.contains("12 bytes") && page.contains("/&lt;b&gt;"),
            "{page}"
        );
        assert!(!page.contains(">a<") && page.contains("1 more path"), "{page}");
    }

    #[test]
    fn any_answer_can_be_shown() {
        let result = |elements: &str| {
            format!(
                r#"[{{"foundanything":true,"success":true,"elements":{elements},"statistics":[1],"errors":["e"]}}]"#
            )
        };
        for elements in
            ["null", "1", "\"x\"", "[]", "{}", r#"{"a":1}"#, r#"{"a":[]}"#, r#"{"a":[{"file":1}]}"#]
        {
            let results = Results::read(Some(result(elements)), 10_000);
            assert!(matches!(results, Results::Read(_)), "{elements}");
            assert!(results.brief(1, "/x").into_string().contains("<li><bdi>e</bdi></li>"));
            assert!(results.whole(1).into_string().contains("Statistics"));
        }
        assert!(matches!(Results::read(Some("[".into()), 10), Results::Unreadable(_)));
        assert!(matches!(Results::read(Some("[] ".into()), 2), Results::TooLong(3)));
        assert!(shown("[]").is_empty());
    }
}
