// SPDX-License-Identifier: Apache-2.0
//! Lengths of time and moments, as Postgres reads them in UTC.

use super::tree::Interval;
use chrono::{DateTime, Months, NaiveDate, NaiveDateTime};

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// Months and days of the longest interval: a thousand years.
const MONTHS_MAX: i64 = 12_000;
const MICROS_MAX: i64 = 366_000 * DAY_MICROS;

/// `5 minutes`, `1 day 02:30:00`, `-1.5 hours`, `2 years 3 mons`; none where it is no such length or longer
/// than a thousand years.
pub(super) fn parse(text: &str) -> Option<Interval> {
    let (mut months, mut micros) = (0_i64, 0_i64);
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let (sign, size) = match word.as_bytes()[0] {
            b'-' => (-1, &word[1..]),
            b'+' => (1, &word[1..]),
            _ => (1, word),
        };
        if size.contains(':') {
            micros = micros.checked_add(sign * parse_clock(size)?)?;
            continue;
        }
        let digits = size.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, unit) = size.split_at(digits);
        let unit = if unit.is_empty() { words.next()? } else { unit };
        match unit_of(unit)? {
            Unit::Months(factor) => {
                let whole: i64 = number.parse().ok()?;
                months = months.checked_add(sign * whole.checked_mul(factor)?)?;
            }
            Unit::Micros(factor) => micros = micros.checked_add(sign * parse_decimal(number, factor)?)?,
        }
    }
    let is_bounded = months.abs() <= MONTHS_MAX && micros.checked_abs()? <= MICROS_MAX;
    is_bounded.then_some(Interval { months: i32::try_from(months).ok()?, micros })
}

enum Unit {
    Months(i64),
    Micros(i64),
}

fn unit_of(word: &str) -> Option<Unit> {
    Some(match word.to_ascii_lowercase().as_str() {
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Unit::Micros(1),
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Unit::Micros(1_000),
        "second" | "seconds" | "s" | "sec" | "secs" => Unit::Micros(SECOND_MICROS),
        "minute" | "minutes" | "m" | "min" | "mins" => Unit::Micros(MINUTE_MICROS),
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Micros(HOUR_MICROS),
        "day" | "days" | "d" => Unit::Micros(DAY_MICROS),
        "week" | "weeks" | "w" => Unit::Micros(7 * DAY_MICROS),
        "month" | "months" | "mon" | "mons" => Unit::Months(1),
        "year" | "years" | "y" | "yr" | "yrs" => Unit::Months(12),
        _ => return None,
    })
}

/// `number` times `factor`, exactly; digits that are finer than a microsecond are dropped.
fn parse_decimal(number: &str, factor: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 || fraction.len() > 9 {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: i64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    let part = i128::from(part) * i128::from(factor) / i128::from(scale);
    whole.checked_mul(factor)?.checked_add(i64::try_from(part).ok()?)
}

/// `02:30` or `02:30:00.5`.
fn parse_clock(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let is_whole = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_whole(hours) || !is_whole(minutes) {
        return None;
    }
    let (minutes, seconds) = (parse_decimal(minutes, MINUTE_MICROS)?, parse_decimal(seconds, SECOND_MICROS)?);
    if minutes >= HOUR_MICROS || seconds >= MINUTE_MICROS {
        return None;
    }
    parse_decimal(hours, HOUR_MICROS)?.checked_add(minutes + seconds)
}

/// The canonical form of an interval that is not zero; each unit has its own sign.
pub(super) fn text(interval: Interval) -> String {
    let mut rest = interval.micros;
    let mut parts = Vec::new();
    let mut push = |size: i64, unit: &str| {
        if size != 0 {
            parts.push(format!("{size} {unit}{}", if size.abs() == 1 { "" } else { "s" }));
        }
    };
    push(i64::from(interval.months), "month");
    for (micros, unit) in [
        (DAY_MICROS, "day"),
        (HOUR_MICROS, "hour"),
        (MINUTE_MICROS, "minute"),
        (SECOND_MICROS, "second"),
        (1, "microsecond"),
    ] {
        push(rest / micros, unit);
        rest %= micros;
    }
    match parts.is_empty() {
        true => "0 seconds".to_owned(),
        false => parts.join(" "),
    }
}

/// The moment that lies an interval before another, in microseconds; none outside of the calendar.
pub(super) fn before(unix_micros: i64, interval: Interval) -> Option<i64> {
    let at = DateTime::from_timestamp_micros(unix_micros)?;
    let months = Months::new(interval.months.unsigned_abs());
    let at = match interval.months >= 0 {
        true => at.checked_sub_months(months)?,
        false => at.checked_add_months(months)?,
    };
    at.timestamp_micros().checked_sub(interval.micros)
}

/// `2026-01-31`, `2026-01-31 23:59[:59[.5]]`, with or without `Z`, `+02`, `+02:00` or ` UTC`, `T` instead of
/// the space; without a zone it is UTC. None where it is no such moment of the years 1 to 9999.
pub(super) fn parse_moment(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let date_text = text.get(..10)?;
    let is_date = date_text.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let date = is_date.then(|| NaiveDate::parse_from_str(date_text, "%Y-%m-%d").ok())??;
    if date < NaiveDate::from_ymd_opt(1, 1, 1)? {
        return None;
    }
    let midnight = NaiveDateTime::from(date).and_utc().timestamp_micros();
    let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else { return Some(midnight) };
    let clock = rest.strip_prefix([' ', 'T'])?;
    let end = clock.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(end);
    let micros = parse_clock(clock).filter(|micros| *micros < DAY_MICROS)?;
    midnight.checked_add(micros)?.checked_sub(parse_zone(zone.trim_ascii())?)
}

/// Microseconds east of UTC.
fn parse_zone(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") || zone.eq_ignore_ascii_case("UTC") {
        return Some(0);
    }
    let sign = match zone.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let is_shaped = matches!(zone.len(), 3 | 5 | 6)
        && (zone.len() != 6 || zone.as_bytes()[3] == b':')
        && matches!(digits.len(), 2 | 4)
        && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_shaped {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    (hours < 16 && minutes < 60).then_some(sign * (hours * HOUR_MICROS + minutes * MINUTE_MICROS))
}
