// SPDX-License-Identifier: Apache-2.0
//! The types of values, by which Postgres would refuse a target: a text in quotes takes the type of its
//! neighbour, everything else has its own.

use super::interval;
use super::operand::{Operand, parse_number};
use super::tokens::{Place, fault};
use super::tree::{Column, Time, Value};
use crate::error::Result;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Time,
    Json,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "a number",
            Kind::Time => "a time",
            Kind::Json => "JSON",
        }
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Column(column) => match column {
            Column::Id | Column::Pid => Kind::Number,
            Column::Starttime | Column::Heartbeattime | Column::Refreshtime => Kind::Time,
            Column::Environment | Column::Tags => Kind::Json,
            Column::Name
            | Column::Queueloc
            | Column::Mode
            | Column::Version
            | Column::Status
            | Column::Loadername => Kind::Text,
        },
        Value::Json(path) if path.as_text => Kind::Text,
        Value::Json(_) => Kind::Json,
        Value::Text(_) => Kind::Text,
        Value::Number(_) => Kind::Number,
        Value::Time(_) => Kind::Time,
    }
}

/// True for two values of one type.
pub(super) fn same_kind(left: &Value, right: &Value) -> bool {
    kind(left) == kind(right)
}

/// Both sides of a comparison in one type; `place` is that of the operator.
pub(super) fn unify(left: &Operand, right: Operand, place: Place) -> Result<(Value, Value)> {
    let (left_kind, right_kind) = (kind(&left.value), kind(&right.value));
    if left_kind == Kind::Json || right_kind == Kind::Json {
        return Err(fault(place, "JSON cannot be compared; ->> and #>> make text of it"));
    }
    if left_kind == right_kind {
        return Ok((left.value.clone(), right.value));
    }
    if let Value::Text(text) = &right.value {
        return Ok((left.value.clone(), take_kind(text, left_kind, right.place)?));
    }
    if let Value::Text(text) = &left.value {
        return Ok((take_kind(text, right_kind, left.place)?, right.value));
    }
    let (left, right) = (left_kind.name(), right_kind.name());
    Err(fault(place, &format!("{left} cannot be compared with {right}; a text stands in single quotes")))
}

fn take_kind(text: &str, wanted: Kind, place: Place) -> Result<Value> {
    match wanted {
        Kind::Number => {
            parse_number(text).map(Value::Number).ok_or_else(|| fault(place, "this text is not a number"))
        }
        Kind::Time => {
            interval::parse_moment(text).map(|unix_micros| Value::Time(Time::At { unix_micros })).ok_or_else(
                || fault(place, "this text is not a time like '2026-01-31' or '2026-01-31T23:59:59Z'"),
            )
        }
        Kind::Text | Kind::Json => Ok(Value::Text(text.to_owned())),
    }
}

/// The value, where it is a text and so can match a pattern.
pub(super) fn text(operand: &Operand, operator: &str, place: Place) -> Result<Value> {
    match kind(&operand.value) {
        Kind::Text => Ok(operand.value.clone()),
        Kind::Json => Err(fault(place, "patterns apply to text; ->> and #>> make text of JSON")),
        other => Err(fault(place, &format!("{operator} applies to text, this is {}", other.name()))),
    }
}
