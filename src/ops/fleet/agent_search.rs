// SPDX-License-Identifier: Apache-2.0
//! Agents searched by a form: each filled field is a condition of the target language, and all of them must hold.

use crate::error::Result;
use crate::model::agent::AgentStatus;
use crate::model::filter::ParameterError;
use crate::model::pairs::Pairs;
use crate::ops::App;
use crate::store::fleet::{AgentPage, AgentRow, Moment};
use crate::target::{self, Column, Comparison, Condition, Hop, JsonColumn, JsonPath, Value};

/// The parameters, in the order of the form.
pub const PARAMETERS: [&str; 7] = ["name", "queueloc", "version", "os", "status", "tag", "target"];
/// Characters of a field other than the target, which has a bound of its own.
const FIELD_CHARS_MAX: usize = 1_024;

/// Agents found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those of the page, the last heartbeat first.
    pub agents: Vec<AgentRow>,
    /// How many there are on all pages.
    pub n_agents: usize,
}

/// The condition that a query asks for; none where it asks for all agents.
///
/// `name`, `queueloc`, `version` and `os` (its word or its name) are found anywhere in the text, or are `ILIKE`
/// patterns where they hold a `%`; case does not matter. `tag` is `NAME` or `NAME=VALUE`, exactly. Fails with the
/// parameter that is wrong.
pub fn parse(query: &Pairs) -> Result<Option<Condition>, ParameterError> {
    let mut all = Vec::new();
    for parameter in PARAMETERS {
        let Some(text) = query.filled(parameter) else { continue };
        let condition = condition(parameter, text)
            .map_err(|message| ParameterError { parameter: parameter.to_owned(), message })?;
        match condition {
            Condition::And(parts) => all.extend(parts),
            one => all.push(one),
        }
    }
    Ok(match all.len() {
        0 | 1 => all.pop(),
        _ => Some(Condition::And(all)),
    })
}

fn condition(parameter: &str, text: &str) -> Result<Condition, String> {
    if parameter == "target" {
        return target::parse(text).map_err(|error| error.message().to_owned());
    }
    if text.chars().nth(FIELD_CHARS_MAX).is_some() {
        return Err(format!("{parameter} has at most {FIELD_CHARS_MAX} characters"));
    }
    Ok(match parameter {
        "name" => like(Value::Column(Column::Name), text),
        "queueloc" => like(Value::Column(Column::Queueloc), text),
        "version" => like(Value::Column(Column::Version), text),
        "os" => {
            Condition::Or(["os", "ident"].map(|key| like(json(JsonColumn::Environment, key), text)).to_vec())
        }
        "status" => {
            let status = AgentStatus::from_word(text).ok_or_else(|| {
                let words: Vec<&str> = AgentStatus::ALL.iter().map(|status| status.word()).collect();
                format!("status must be one of {}", words.join(", "))
            })?;
            equal(Value::Column(Column::Status), status.word())
        }
        _ => tag(text)?,
    })
}

fn tag(text: &str) -> Result<Condition, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("tag must be NAME or NAME=VALUE".to_owned());
    }
    let at = json(JsonColumn::Tags, name);
    Ok(match value {
        Some(value) => equal(at, value),
        None => Condition::Not(Box::new(Condition::IsNull(at))),
    })
}

fn equal(left: Value, text: &str) -> Condition {
    Condition::Compare { left, comparison: Comparison::Equal, right: Value::Text(text.to_owned()) }
}

fn json(column: JsonColumn, key: &str) -> Value {
    Value::Json(JsonPath { column, hops: vec![Hop::Key(key.to_owned())], as_text: true })
}

/// `ILIKE`, anywhere in the text where there is no `%`.
fn like(value: Value, text: &str) -> Condition {
    let pattern = match text.contains('%') {
        true => text.to_owned(),
        false => format!("%{}%", text.replace('\\', r"\\").replace('_', r"\_")),
    };
    Condition::Like { value, pattern, ignore_case: true }
}

/// The agents for which a condition holds, those of a page: `limit` after `offset`, the last heartbeat first.
pub fn search(app: &App, condition: Option<&Condition>, offset: usize, limit: usize) -> Result<Found> {
    let now = app.clock.now();
    let thresholds = app.config.fleet.liveness().at(now);
    let AgentPage { ids, n_agents } =
        app.store.agents_where(condition, Moment { now, thresholds }, offset, limit)?;
    Ok(Found { agents: app.store.agents(&ids, thresholds)?, n_agents })
}

/// The parameter that finds the agents with a tag, and what it is to be: `tag`, or `target` where the tag does not fit
/// there; none where it fits nowhere.
pub fn of_tag(name: &str, value: &str) -> Option<(&'static str, String)> {
    let tag = format!("{name}={value}");
    let is_whole = !name.is_empty() && !name.contains('=') && name == name.trim() && value == value.trim();
    if is_whole && tag.chars().nth(FIELD_CHARS_MAX).is_none() {
        return Some(("tag", tag));
    }
    let target = format!("tags->>{} = {}", quoted(name), quoted(value));
    target::parse(&target).is_ok().then_some(("target", target))
}

/// A text as a literal of the target language.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Option<Condition>, ParameterError> {
        parse(&Pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
    }

    #[test]
    fn fields_are_conditions_of_the_target_language() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("name", "web")], "name ILIKE '%web%'"),
            (&[("name", "web%")], "name ILIKE 'web%'"),
            (&[("queueloc", "a_b\\c'")], r"queueloc ILIKE '%a\_b\\c''%'"),
            (&[("version", " 1.0 "), ("status", "Online")], "version ILIKE '%1.0%' AND status = 'online'"),
            (&[("os", "x")], "environment->>'os' ILIKE '%x%' OR environment->>'ident' ILIKE '%x%'"),
            (&[("tag", "site=north = 2")], "tags->>'site' = 'north = 2'"),
            (&[("tag", "site")], "tags->>'site' IS NOT NULL"),
            (
                &[("target", "pid = 1 AND mode = 'daemon'"), ("name", "a")],
                "name ILIKE '%a%' AND pid = 1 AND mode = 'daemon'",
            ),
        ];
        for (pairs, expected) in cases {
            let expected = target::parse(expected).unwrap();
            assert_eq!(asked(pairs).unwrap(), Some(expected), "{pairs:?}");
        }
        assert_eq!(asked(&[("name", " "), ("page", "2")]).unwrap(), None);
    }

    #[test]
    fn the_agents_of_any_tag_are_found_where_a_query_can_ask_for_them() {
        let long = "x".repeat(1_100);
        let cases = [
            ("site", "north", Some("tag")),
            ("site", "", Some("tag")),
            ("site", "a=b", Some("tag")),
            ("a=b", "c", Some("target")),
            ("site", " north", Some("target")),
            ("it's", "'quoted' ", Some("target")),
            ("", "x", Some("target")),
            ("site", long.as_str(), Some("target")),
            ("site", &"y".repeat(9_000), None),
        ];
        for (name, value, parameter) in cases {
            let found = of_tag(name, value);
            assert_eq!(found.as_ref().map(|(parameter, _)| *parameter), parameter, "{name}: {value}");
            let Some((parameter, text)) = found else { continue };
            let expected = equal(json(JsonColumn::Tags, name), value);
            assert_eq!(asked(&[(parameter, &text)]).unwrap(), Some(expected), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(2_000);
        let cases = [
            ("status", "gone", "status must be one of online, idle, offline, destroyed"),
            ("tag", "=x", "tag must be NAME or NAME=VALUE"),
            ("name", long.as_str(), "name has at most 1024 characters"),
            ("target", "name == 'x'", "Target, character 6"),
        ];
        for (parameter, value, message) in cases {
            let error = asked(&[(parameter, value)]).unwrap_err();
            assert_eq!(error.parameter, parameter);
            assert!(error.message.starts_with(message), "{}", error.message);
        }
    }

    #[test]
    fn a_quoted_text_is_one_literal() {
        let read = target::parse(&format!("name = {}", quoted("o'neil \\ %"))).unwrap();
        assert_eq!(read, equal(Value::Column(Column::Name), "o'neil \\ %"));
    }
}
