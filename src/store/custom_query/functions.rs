// SPDX-License-Identifier: Apache-2.0
//! Text functions in place of those of SQLite that take time in the product of their arguments' lengths: one
//! call on two texts of a megabyte would run for minutes, and nothing can interrupt a single call.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::collections::HashSet;

/// The longest text that a query may make or read, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_000_000;

/// Gives a connection `instr`, `replace`, and `trim`, `ltrim` and `rtrim` with two arguments, in linear time.
pub fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("instr", 2, flags, |context| {
        Ok(both(context).and_then(|(text, part)| {
            let at = text.find(part.as_ref());
            at.map_or(Some(0), |at| i64::try_from(text[..at].chars().count() + 1).ok())
        }))
    })?;
    connection.create_scalar_function("replace", 3, flags, replace)?;
    connection.create_scalar_function("trim", 2, flags, |context| {
        Ok(trimmed(context, |text, is_trimmed| text.trim_matches(is_trimmed)))
    })?;
    connection.create_scalar_function("ltrim", 2, flags, |context| {
        Ok(trimmed(context, |text, is_trimmed| text.trim_start_matches(is_trimmed)))
    })?;
    connection.create_scalar_function("rtrim", 2, flags, |context| {
        Ok(trimmed(context, |text, is_trimmed| text.trim_end_matches(is_trimmed)))
    })
}

fn replace(context: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let Some((text, part)) = both(context) else { return Ok(None) };
    if part.is_empty() {
        return Ok(Some(text.into_owned()));
    }
    let Some(with) = text_of(context.get_raw(2)) else { return Ok(None) };
    // Counted before it is made: a million times a megabyte would not fit.
    let n_parts = text.matches(part.as_ref()).count();
    let bytes =
        text.len().saturating_sub(n_parts * part.len()).saturating_add(n_parts.saturating_mul(with.len()));
    if bytes > TEXT_BYTES_MAX {
        return Err(rusqlite::Error::UserFunctionError("string or blob too big".into()));
    }
    Ok(Some(text.replace(part.as_ref(), &with)))
}

type IsTrimmed<'a> = &'a dyn Fn(char) -> bool;

fn trimmed(
    context: &Context<'_>,
    trim: impl for<'t> Fn(&'t str, IsTrimmed<'_>) -> &'t str,
) -> Option<String> {
    let (text, signs) = both(context)?;
    let signs: HashSet<char> = signs.chars().collect();
    Some(trim(&text, &|c| signs.contains(&c)).to_owned())
}

/// The first two arguments as texts; none where one is NULL.
fn both<'a>(context: &'a Context<'_>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    Some((text_of(context.get_raw(0))?, text_of(context.get_raw(1))?))
}

fn text_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Cow::Owned(number.to_string())),
        ValueRef::Real(number) => Some(Cow::Owned(real_text(number))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

/// A number with as few digits as tell it and always a point, as SQLite writes one.
fn real_text(number: f64) -> String {
    if !number.is_finite() {
        return if number > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let exponent = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    if (-4.0..16.0).contains(&exponent) {
        let text = number.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let point = if digits.contains('.') { "" } else { ".0" };
            let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |rest| ("-", rest));
            format!("{digits}{point}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::types::Value;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        connection
    }

    /// Calls with few arguments of every kind: ours answer what SQLite's own answer.
    #[test]
    fn they_answer_as_those_of_sqlite() {
        let (ours, theirs) = (connection(), Connection::open_in_memory().unwrap());
        let values = [
            "NULL",
            "''",
            "'a'",
            "'ab'",
            "'abcab'",
            "'äb😀b'",
            "'b'",
            "' b '",
            "12",
            "-1",
            "0",
            "1.5",
            "2.0",
            "0.1+0.2",
            "1e20",
            "-1.25e-7",
            "123456789012345678.0",
            "9e999",
            "0.0",
        ];
        for name in ["instr", "trim", "ltrim", "rtrim"] {
            for a in values {
                for b in values {
                    same(&ours, &theirs, &format!("{name}({a}, {b})"));
                }
            }
        }
        for a in values {
            for b in values {
                for c in ["''", "'x'", "'bb'", "NULL", "7"] {
                    same(&ours, &theirs, &format!("replace({a}, {b}, {c})"));
                }
            }
        }
    }

    fn same(ours: &Connection, theirs: &Connection, call: &str) {
        let value = |connection: &Connection| -> Value {
            connection.query_row(&format!("SELECT {call}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(value(ours), value(theirs), "{call}");
    }

    #[test]
    fn long_arguments_take_no_longer_than_reading_them() {
        let connection = connection();
        let long = "a".repeat(TEXT_BYTES_MAX);
        let half = format!("{}b", "a".repeat(TEXT_BYTES_MAX / 2));
        let started = std::time::Instant::now();
        let found: i64 =
            connection.query_row("SELECT instr(?1, ?2)", [&long, &half], |row| row.get(0)).unwrap();
        assert_eq!(found, 0);
        let signs: String = (0..200_000).filter_map(char::from_u32).chain(['a']).collect();
        let left: String =
            connection.query_row("SELECT trim(?1, ?2)", [&long, &signs], |row| row.get(0)).unwrap();
        assert_eq!(left, "");
        let refused = connection.query_row("SELECT replace(?1, 'a', ?1)", [&long], |_| Ok(()));
        assert!(refused.unwrap_err().to_string().contains("too big"));
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
