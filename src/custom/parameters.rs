// SPDX-License-Identifier: Apache-2.0
//! From an address to the values that a view's queries are given.

use crate::custom::definition::{Bound, Choices, Definition, Parameter, ParameterKind, RESERVED};
use crate::custom::value::Value;
use crate::model::filter::{ParameterError, shortened};
use crate::model::pairs::Pairs;
use crate::model::time::{DAY_SECS, date_text, parse_date};

/// Most characters of a value.
const VALUE_CHARS_MAX: usize = 1_000;

/// What an address gives to a view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Each parameter as the form shows it, in the order of the file.
    pub texts: Vec<String>,
    /// What the queries are given, the reserved ones first.
    pub bound: Bound,
    /// Parameters that break their rule; then no query may be run.
    pub errors: Vec<ParameterError>,
}

/// Reads the parameters of an address. What is not given is the default; what is given empty is NULL, or the
/// empty text. `now` is Unix seconds.
pub fn read_parameters(definition: &Definition, pairs: &Pairs, now: i64) -> Given {
    let mut given = Given { bound: reserved(now), ..Given::default() };
    for (index, (name, _)) in pairs.0.iter().enumerate() {
        let is_known = definition.parameters.iter().any(|parameter| parameter.name == *name);
        if !is_known {
            given.refuse(name, "is not a parameter of this view");
        } else if pairs.0[..index].iter().any(|(earlier, _)| earlier == name) {
            given.refuse(name, "must be given once");
        }
    }
    for parameter in &definition.parameters {
        let text = match pairs.first(&parameter.name) {
            Some(text) if parameter.kind == ParameterKind::Text => text.to_owned(),
            Some(text) => text.trim().to_owned(),
            None => default_text(parameter, now),
        };
        match value(&parameter.kind, &text) {
            Ok(value) => given.bound.push((parameter.name.clone(), value)),
            Err(rule) => given.refuse(&parameter.name, &rule),
        }
        given.texts.push(text);
    }
    given
}

impl Given {
    fn refuse(&mut self, name: &str, rule: &str) {
        let message = format!("{} {rule}", shortened(name));
        self.errors.push(ParameterError { parameter: name.to_owned(), message });
    }
}

fn reserved(now: i64) -> Bound {
    let values = [Value::Integer(now), Value::Text(date_text(now))];
    RESERVED.iter().map(|name| (*name).to_owned()).zip(values).collect()
}

/// Refuses a default that breaks the parameter's own rule. Err: what is wrong.
pub fn check_default(parameter: &Parameter) -> Result<(), String> {
    if parameter.default.is_empty() {
        return Ok(());
    }
    let text = default_text(parameter, 0);
    value(&parameter.kind, &text).map(drop).map_err(|rule| format!("default {rule}"))
}

/// The default as it would stand in an address: the day of a relative one, the first of the choices where
/// none is said.
fn default_text(parameter: &Parameter, now: i64) -> String {
    match &parameter.kind {
        ParameterKind::Date => relative_day(&parameter.default, now).unwrap_or(parameter.default.clone()),
        ParameterKind::Choice(Choices::List(choices)) if parameter.default.is_empty() => {
            choices.first().cloned().unwrap_or_default()
        }
        _ => parameter.default.clone(),
    }
}

/// The day that `today` or `today-30` means.
fn relative_day(text: &str, now: i64) -> Option<String> {
    let rest = text.strip_prefix("today")?;
    let days_back: i64 = match rest.strip_prefix('-') {
        Some(days) if (1..=5).contains(&days.len()) && days.bytes().all(|b| b.is_ascii_digit()) => {
            days.parse().ok()?
        }
        None if rest.is_empty() => 0,
        _ => return None,
    };
    Some(date_text(now.saturating_sub(days_back * DAY_SECS)))
}

/// What the queries are given for a text. Err: the rule that it breaks, to follow the parameter's name.
fn value(kind: &ParameterKind, text: &str) -> Result<Value, String> {
    if text.chars().count() > VALUE_CHARS_MAX {
        return Err(format!("must have at most {VALUE_CHARS_MAX} characters"));
    }
    let shown = shortened(text);
    match kind {
        ParameterKind::Text | ParameterKind::Choice(Choices::Sql(_)) => Ok(Value::Text(text.to_owned())),
        ParameterKind::Choice(Choices::List(choices)) => match choices.iter().any(|choice| choice == text) {
            true => Ok(Value::Text(text.to_owned())),
            false => Err(format!("must be one of the choices, not {shown}")),
        },
        _ if text.is_empty() => Ok(Value::Null),
        ParameterKind::Integer => {
            text.parse().map(Value::Integer).map_err(|_| format!("must be a whole number, not {shown}"))
        }
        ParameterKind::Number => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            number.map(Value::Real).ok_or_else(|| format!("must be a number, not {shown}"))
        }
        ParameterKind::Date => match parse_date(text) {
            Some(_) => Ok(Value::Text(text.to_owned())),
            None => Err(format!("must be a day as YYYY-MM-DD, not {shown}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::parse::parse;

    const DAY_100: i64 = 100 * DAY_SECS + 5;

    fn view(parameters: &str) -> Definition {
        let panel = "[[panel]]\ntitle = 'P'\nshow = 'table'\nsql = 'SELECT 1'\n";
        parse(&format!("tab = 'T'\ntitle = 'T'\n{panel}{parameters}")).unwrap()
    }

    fn given(kind: &str, pairs: &[(&str, &str)]) -> Given {
        let pairs = Pairs(pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect());
        read_parameters(&view(&format!("[[parameter]]\nname = 'p'\n{kind}")), &pairs, DAY_100)
    }

    #[test]
    fn values_are_of_their_kind() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases: &[(&str, Option<&str>, Value)] = &[
            ("type = 'text'", None, text("")),
            ("type = 'text'\ndefault = 'x'", None, text("x")),
            ("type = 'text'\ndefault = 'x'", Some(""), text("")),
            ("type = 'text'", Some(" ' OR 1 "), text(" ' OR 1 ")),
            ("type = 'integer'", None, Value::Null),
            ("type = 'integer'\ndefault = 7", None, Value::Integer(7)),
            ("type = 'integer'\ndefault = 7", Some(""), Value::Null),
            ("type = 'integer'", Some(" -3 "), Value::Integer(-3)),
            ("type = 'number'", Some("1e3"), Value::Real(1000.0)),
            ("type = 'date'", Some("2026-02-28"), text("2026-02-28")),
            ("type = 'date'\ndefault = 'today'", None, text("1970-04-11")),
            ("type = 'date'\ndefault = 'today-30'", None, text("1970-03-12")),
            ("type = 'choice'\nchoices = ['a', 'b']", None, text("a")),
            ("type = 'choice'\nchoices = ['a', 'b']\ndefault = 'b'", None, text("b")),
            ("type = 'choice'\nchoices = ['a', '']", Some(""), text("")),
            ("type = 'choice'\nchoices_sql = 'SELECT 1'", Some("anything"), text("anything")),
        ];
        for (kind, value, expected) in cases {
            let pairs: Vec<_> = value.iter().map(|value| ("p", *value)).collect();
            let given = given(kind, &pairs);
            assert_eq!(given.errors, [], "{kind} {value:?}");
            assert_eq!(given.bound[2], ("p".to_owned(), expected.clone()), "{kind} {value:?}");
        }
        let bound = given("type = 'text'", &[]).bound;
        assert_eq!(bound[0], ("now".to_owned(), Value::Integer(DAY_100)));
        assert_eq!(bound[1], ("today".to_owned(), text("1970-04-11")));
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let long = "x".repeat(1_001);
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: &[Case] = &[
            ("type = 'integer'", &[("p", "1.5")], "p must be a whole number, not 1.5"),
            ("type = 'number'", &[("p", "inf")], "p must be a number, not inf"),
            ("type = 'date'", &[("p", "2026-02-29")], "p must be a day as YYYY-MM-DD"),
            ("type = 'date'", &[("p", "today")], "p must be a day as YYYY-MM-DD"),
            ("type = 'choice'\nchoices = ['a']", &[("p", "b")], "p must be one of the choices, not b"),
            ("type = 'text'", &[("p", &long)], "p must have at most 1000 characters"),
            ("type = 'text'", &[("q", "1")], "q is not a parameter of this view"),
            ("type = 'text'", &[("now", "1")], "now is not a parameter of this view"),
            ("type = 'text'", &[("p", "1"), ("p", "2")], "p must be given once"),
        ];
        for (kind, pairs, expected) in cases {
            let given = given(kind, pairs);
            assert!(given.errors[0].message.starts_with(expected), "{:?}", given.errors);
        }
    }
}
