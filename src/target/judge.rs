// SPDX-License-Identifier: Apache-2.0
//! A target judged over one agent's facts in memory: an agent does so itself, because it trusts nobody.

use super::interval;
use super::pattern::{is_like, regex};
use super::tree::{Column, Comparison, Condition, Hop, JsonColumn, JsonPath, Number, Time, Value};
use crate::error::{Error, Result};
use regex::Regex;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cmp::Ordering;

/// What one agent is known to be. Times are in microseconds since the Unix epoch.
///
/// Four facts may be unknown, because only the server keeps them: none there means unknown, not NULL.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The moment of asking, which is `NOW()`.
    pub now_micros: i64,
    /// The id, where it is known.
    pub id: Option<i64>,
    /// The agent's name.
    pub name: String,
    /// Its endpoint.
    pub queueloc: String,
    /// `daemon` or `checkin`.
    pub mode: String,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: i64,
    /// When it started.
    pub starttime_micros: i64,
    /// When the server heard of it last, where that is known.
    pub heartbeattime_micros: Option<i64>,
    /// When it refreshed its environment, where that is known.
    pub refreshtime_micros: Option<i64>,
    /// Its status, where it is known.
    pub status: Option<String>,
    /// The loader that installed it; none is NULL.
    pub loadername: Option<String>,
    /// What it found out about its host.
    pub environment: Json,
    /// What its configuration calls it.
    pub tags: Json,
}

/// What a value is for one agent.
enum Datum<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    Micros(i64),
    Json,
}

/// A condition whose regular expressions are compiled, to be judged over many agents.
#[derive(Debug)]
pub struct Prepared {
    condition: Condition,
    regexes: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    pattern: String,
    ignore_case: bool,
    regex: Regex,
}

impl Prepared {
    /// Compiles what the condition needs. Invalid where a regular expression cannot be used, which [`super::parse`]
    /// has refused before.
    pub fn new(condition: Condition) -> Result<Prepared> {
        let mut regexes = Vec::new();
        compile(&condition, &mut regexes)?;
        Ok(Prepared { condition, regexes })
    }

    /// The same for a `NOW()` that is known already: what is reckoned from it is reckoned once.
    pub fn at(mut condition: Condition, now_micros: i64) -> Result<Prepared> {
        fix_times(&mut condition, now_micros);
        Prepared::new(condition)
    }

    /// As [`Condition::matches`].
    pub fn matches(&self, facts: &Facts) -> Result<Option<bool>> {
        judge(&self.condition, facts, &self.regexes)
    }
}

fn fix_times(condition: &mut Condition, now_micros: i64) {
    let fix = |value: &mut Value| {
        if let Value::Time(Time::Ago(length)) = value
            // Outside of the calendar it stays, and says so when it is judged.
            && let Some(unix_micros) = interval::before(now_micros, *length)
        {
            *value = Value::Time(Time::At { unix_micros });
        }
    };
    match condition {
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter_mut().for_each(|part| fix_times(part, now_micros));
        }
        Condition::Not(inner) => fix_times(inner, now_micros),
        Condition::Compare { left, right, .. } => [left, right].into_iter().for_each(fix),
        Condition::Between { value, low, high } => [value, low, high].into_iter().for_each(fix),
        Condition::In { value, list } => std::iter::once(value).chain(list).for_each(fix),
        Condition::Like { .. }
        | Condition::Matches { .. }
        | Condition::IsNull(_)
        | Condition::FollowUp { .. } => {}
    }
}

fn compile(condition: &Condition, regexes: &mut Vec<Compiled>) -> Result<()> {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter().try_for_each(|part| compile(part, regexes))
        }
        Condition::Not(inner) => compile(inner, regexes),
        Condition::Matches { pattern, ignore_case, .. } => {
            let regex = regex(pattern, *ignore_case)?;
            regexes.push(Compiled { pattern: pattern.clone(), ignore_case: *ignore_case, regex });
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Condition {
    /// Whether the condition holds for the agent: none is SQL's NULL, which selects it as little as false
    /// does. Fails where that depends on something that is not known here, and says on what.
    pub fn matches(&self, facts: &Facts) -> Result<Option<bool>> {
        judge(self, facts, &[])
    }
}

fn judge(condition: &Condition, facts: &Facts, regexes: &[Compiled]) -> Result<Option<bool>> {
    match condition {
        Condition::And(parts) => chain(parts, facts, regexes, false),
        Condition::Or(parts) => chain(parts, facts, regexes, true),
        Condition::Not(inner) => Ok(judge(inner, facts, regexes)?.map(|holds| !holds)),
        Condition::Compare { left, comparison, right } => {
            let order = order(&facts.get(left)?, &facts.get(right)?);
            Ok(order.map(|order| comparison.accepts(order)))
        }
        Condition::Between { value, low, high } => {
            let value = facts.get(value)?;
            let from = order(&value, &facts.get(low)?).map(|order| order != Ordering::Less);
            let to = order(&value, &facts.get(high)?).map(|order| order != Ordering::Greater);
            Ok(match (from, to) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            })
        }
        Condition::In { value, list } => {
            let value = facts.get(value)?;
            let mut is_in = value.is_some();
            if is_in {
                is_in = false;
                for item in list {
                    is_in = is_in || order(&value, &facts.get(item)?) == Some(Ordering::Equal);
                }
            }
            Ok(value.map(|_| is_in))
        }
        Condition::Like { value, pattern, ignore_case } => {
            Ok(facts.text(value)?.map(|text| is_like(&text, pattern, *ignore_case)))
        }
        Condition::Matches { value, pattern, ignore_case } => {
            let Some(text) = facts.text(value)? else { return Ok(None) };
            let is_it = |c: &&Compiled| c.ignore_case == *ignore_case && c.pattern == *pattern;
            Ok(Some(match regexes.iter().find(is_it) {
                Some(compiled) => compiled.regex.is_match(&text),
                None => regex(pattern, *ignore_case)?.is_match(&text),
            }))
        }
        Condition::IsNull(value) => Ok(Some(facts.get(value)?.is_none())),
        Condition::FollowUp { .. } => {
            Err(unknown("the results of another action, which only the server has"))
        }
    }
}

/// AND (`decisive` false) and OR (`decisive` true): one decisive part settles it, whatever the others are;
/// only then do unknown parts matter, and then NULL.
fn chain(parts: &[Condition], facts: &Facts, regexes: &[Compiled], decisive: bool) -> Result<Option<bool>> {
    let mut failure = None;
    let mut has_null = false;
    for part in parts {
        match judge(part, facts, regexes) {
            Ok(Some(holds)) if holds == decisive => return Ok(Some(decisive)),
            Ok(Some(_)) => {}
            Ok(None) => has_null = true,
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok((!has_null).then_some(!decisive)),
    }
}

impl Comparison {
    /// True where two values in this order compare so.
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// The order of two values of one type; none where one is NULL.
fn order(left: &Option<Datum<'_>>, right: &Option<Datum<'_>>) -> Option<Ordering> {
    match (left.as_ref()?, right.as_ref()?) {
        (Datum::Text(left), Datum::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Datum::Number(left), Datum::Number(right)) => order_of_numbers(*left, *right),
        (Datum::Micros(left), Datum::Micros(right)) => Some(left.cmp(right)),
        // The tree has no other pairs.
        _ => None,
    }
}

fn order_of_numbers(left: Number, right: Number) -> Option<Ordering> {
    let float = |number: Number| match number {
        // Ids and process ids are below 2^53, where this is exact.
        Number::Whole(whole) => whole as f64,
        Number::Decimal(decimal) => decimal,
    };
    match (left, right) {
        (Number::Whole(left), Number::Whole(right)) => Some(left.cmp(&right)),
        _ => float(left).partial_cmp(&float(right)),
    }
}

fn unknown(what: &str) -> Error {
    Error::invalid(format!("The target asks for {what}; it cannot be judged here"))
}

impl Facts {
    fn text<'a>(&'a self, value: &'a Value) -> Result<Option<Cow<'a, str>>> {
        Ok(match self.get(value)? {
            Some(Datum::Text(text)) => Some(text),
            _ => None,
        })
    }

    fn get<'a>(&'a self, value: &'a Value) -> Result<Option<Datum<'a>>> {
        match value {
            Value::Column(column) => self.column(*column),
            Value::Json(path) => Ok(self.json(path)),
            Value::Text(text) => Ok(Some(Datum::Text(Cow::Borrowed(text)))),
            Value::Number(number) => Ok(Some(Datum::Number(*number))),
            Value::Time(Time::At { unix_micros }) => Ok(Some(Datum::Micros(*unix_micros))),
            Value::Time(Time::Ago(length)) => {
                let at = interval::before(self.now_micros, *length);
                at.map(|at| Some(Datum::Micros(at))).ok_or_else(|| unknown("a time outside of the calendar"))
            }
        }
    }

    fn column(&self, column: Column) -> Result<Option<Datum<'_>>> {
        fn text(text: &str) -> Datum<'_> {
            Datum::Text(Cow::Borrowed(text))
        }
        let known = |micros: Option<i64>| {
            micros.ok_or_else(|| unknown(&format!("{}, which is not known", column.name())))
        };
        Ok(Some(match column {
            Column::Id => Datum::Number(Number::Whole(known(self.id)?)),
            Column::Pid => Datum::Number(Number::Whole(self.pid)),
            Column::Name => text(&self.name),
            Column::Queueloc => text(&self.queueloc),
            Column::Mode => text(&self.mode),
            Column::Version => text(&self.version),
            Column::Starttime => Datum::Micros(self.starttime_micros),
            Column::Heartbeattime => Datum::Micros(known(self.heartbeattime_micros)?),
            Column::Refreshtime => Datum::Micros(known(self.refreshtime_micros)?),
            Column::Status => match &self.status {
                Some(status) => text(status),
                None => return Err(unknown("status, which is not known")),
            },
            Column::Loadername => match &self.loadername {
                Some(name) => text(name),
                None => return Ok(None),
            },
            Column::Environment | Column::Tags => Datum::Json,
        }))
    }

    fn json(&self, path: &JsonPath) -> Option<Datum<'_>> {
        let mut at = match path.column {
            JsonColumn::Environment => &self.environment,
            JsonColumn::Tags => &self.tags,
        };
        for hop in &path.hops {
            at = match hop {
                Hop::Key(key) => at.as_object()?.get(key)?,
                Hop::Index(index) => item(at.as_array()?, i64::from(*index))?,
                Hop::Path(parts) => {
                    let mut inner = at;
                    for part in parts {
                        inner = match inner {
                            Json::Object(fields) => fields.get(part)?,
                            Json::Array(items) => {
                                item(items, part.trim_ascii_start().parse::<i32>().ok()?.into())?
                            }
                            _ => return None,
                        };
                    }
                    inner
                }
            };
        }
        if !path.as_text {
            return Some(Datum::Json);
        }
        match at {
            Json::Null => None,
            Json::String(text) => Some(Datum::Text(Cow::Borrowed(text))),
            other => Some(Datum::Text(Cow::Owned(other.to_string()))),
        }
    }
}

/// An item of an array, negative from its end.
fn item(items: &[Json], index: i64) -> Option<&Json> {
    let len = i64::try_from(items.len()).ok()?;
    let at = if index < 0 { len + index } else { index };
    items.get(usize::try_from(at).ok()?)
}
