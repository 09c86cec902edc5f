// SPDX-License-Identifier: Apache-2.0
//! The canonical form of a target: what [`super::parse`] reads as the same tree again.

use super::interval;
use super::tree::{Comparison, Condition, Hop, JsonPath, Number, Time, Value};
use chrono::DateTime;
use std::fmt::{self, Display, Formatter};

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::And(parts) => {
                write_chain(f, parts, " AND ", |part| matches!(part, Condition::And(_) | Condition::Or(_)))
            }
            Condition::Or(parts) => write_chain(f, parts, " OR ", |part| matches!(part, Condition::Or(_))),
            Condition::Not(inner) => write_negated(f, inner),
            plain => write_plain(f, plain, ""),
        }
    }
}

fn write_chain(
    f: &mut Formatter<'_>,
    parts: &[Condition],
    between: &str,
    needs_parentheses: fn(&Condition) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        match needs_parentheses(part) {
            true => write!(f, "({part})")?,
            false => write!(f, "{part}")?,
        }
    }
    Ok(())
}

fn write_negated(f: &mut Formatter<'_>, inner: &Condition) -> fmt::Result {
    match inner {
        Condition::And(_) | Condition::Or(_) => write!(f, "NOT ({inner})"),
        Condition::Not(_)
        | Condition::Compare { .. }
        | Condition::FollowUp { .. }
        | Condition::Matches { ignore_case: true, .. } => write!(f, "NOT {inner}"),
        plain => write_plain(f, plain, "NOT "),
    }
}

/// A predicate; `not` goes to where the predicate has it.
fn write_plain(f: &mut Formatter<'_>, condition: &Condition, not: &str) -> fmt::Result {
    match condition {
        Condition::Compare { left, comparison, right } => write!(f, "{left} {comparison} {right}"),
        Condition::Between { value, low, high } => write!(f, "{value} {not}BETWEEN {low} AND {high}"),
        Condition::In { value, list } => {
            write!(f, "{value} {not}IN (")?;
            for (index, item) in list.iter().enumerate() {
                write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        }
        Condition::Like { value, pattern, ignore_case } => {
            let operator = if *ignore_case { "ILIKE" } else { "LIKE" };
            write!(f, "{value} {not}{operator} {}", Quoted(pattern))
        }
        Condition::Matches { value, pattern, ignore_case } => {
            let operator = match (not.is_empty(), ignore_case) {
                (true, false) => "~",
                (false, _) => "!~",
                (true, true) => "~*",
            };
            write!(f, "{value} {operator} {}", Quoted(pattern))
        }
        Condition::IsNull(value) => write!(f, "{value} IS {not}NULL"),
        Condition::FollowUp { action_id, found_anything } => write!(
            f,
            "id IN (select agentid from commands, json_array_elements(commands.results) as r \
             where actionid={action_id} and r#>>'{{foundanything}}' = '{found_anything}')"
        ),
        Condition::And(_) | Condition::Or(_) | Condition::Not(_) => write!(f, "({condition})"),
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        })
    }
}

/// A text in single quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Column(column) => f.write_str(column.name()),
            Value::Json(path) => write!(f, "{path}"),
            Value::Text(text) => write!(f, "{}", Quoted(text)),
            Value::Number(Number::Whole(whole)) => write!(f, "{whole}"),
            Value::Number(Number::Decimal(decimal)) => write!(f, "{decimal}"),
            Value::Time(time) => write!(f, "{time}"),
        }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Time::At { unix_micros } => {
                let at = DateTime::from_timestamp_micros(*unix_micros).ok_or(fmt::Error)?;
                let text = at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
                let text = text.strip_suffix(".000000").unwrap_or(&text);
                write!(f, "'{text}Z'")
            }
            Time::Ago(interval) if *interval == Default::default() => f.write_str("NOW()"),
            Time::Ago(interval) => write!(f, "NOW() - interval '{}'", interval::text(*interval)),
        }
    }
}

impl Display for JsonPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.column.column().name())?;
        for (index, hop) in self.hops.iter().enumerate() {
            let longer = if self.as_text && index + 1 == self.hops.len() { ">" } else { "" };
            match hop {
                Hop::Key(key) => write!(f, "->{longer}{}", Quoted(key))?,
                Hop::Index(item) => write!(f, "->{longer}{}{item}", if *item < 0 { " " } else { "" })?,
                Hop::Path(parts) => {
                    let quoted: Vec<String> = parts.iter().map(|part| path_part(part)).collect();
                    write!(f, "#>{longer}{}", Quoted(&format!("{{{}}}", quoted.join(","))))?;
                }
            }
        }
        Ok(())
    }
}

/// A part of a path, in double quotes unless it is plain.
fn path_part(part: &str) -> String {
    let is_plain = !part.is_empty()
        && !part.eq_ignore_ascii_case("null")
        && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    match is_plain {
        true => part.to_owned(),
        false => format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}
