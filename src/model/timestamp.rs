// SPDX-License-Identifier: Apache-2.0
//! Times as MIG's JSON has them: RFC 3339 with up to nanoseconds and the offset in which they were written.

use crate::error::{Error, Result};
use crate::model::go_json::{GoJson, push_string};
use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use serde::de::{Deserialize, Deserializer, Error as _};
use std::fmt;

/// A time of MIG's JSON. Go writes it back in the offset in which it came, so that is kept.
///
/// The default is Go's zero time, `0001-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Unix seconds, rounded down.
    pub unix_secs: i64,
    /// The rest of the second, 0 to 999,999,999.
    pub nanos: u32,
    /// Seconds east of UTC of the written form; whole minutes.
    pub offset_secs: i32,
}

impl Timestamp {
    /// Go's zero time: not set.
    pub const ZERO: Timestamp = Timestamp::utc(-62_135_596_800);
    /// MIG's "not yet started" (the year 9, as MIG reads it back).
    pub const NOT_STARTED: Timestamp = Timestamp::utc(-61_882_231_729);
    /// MIG's "not yet finished" (the year 9998, as MIG reads it back).
    pub const NOT_FINISHED: Timestamp = Timestamp::utc(253_340_133_071);

    /// A time in UTC, without a part of a second.
    pub const fn utc(unix_secs: i64) -> Timestamp {
        Timestamp { unix_secs, nanos: 0, offset_secs: 0 }
    }

    /// The seconds of a real time; none for the zero time and for MIG's two stand-ins.
    pub fn known_secs(self) -> Option<i64> {
        let stand_ins = [Timestamp::ZERO, Timestamp::NOT_STARTED, Timestamp::NOT_FINISHED];
        let is_known = stand_ins.iter().all(|stand_in| stand_in.unix_secs != self.unix_secs);
        is_known.then_some(self.unix_secs)
    }

    /// Reads `2006-01-02T15:04:05[.999999999](Z|+07:00)`; none where it is no such time. Digits past
    /// nanoseconds are dropped.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        let shape = b"0000-00-00T00:00:00";
        let is_shaped = bytes.len() > shape.len()
            && shape.iter().zip(bytes).all(|(s, b)| if *s == b'0' { b.is_ascii_digit() } else { s == b });
        if !is_shaped {
            return None;
        }
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
        let date = NaiveDate::from_ymd_opt(number(0, 4)?.try_into().ok()?, number(5, 7)?, number(8, 10)?)?;
        let local = date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
        let (nanos, zone) = split_fraction(text.get(19..)?)?;
        let offset_secs = parse_offset(zone)?;
        let unix_secs = local.and_utc().timestamp() - i64::from(offset_secs);
        Some(Timestamp { unix_secs, nanos, offset_secs })
    }
}

/// The nanoseconds of `.5Z` and what follows them.
fn split_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, zone) = rest.split_at(len);
    let kept = digits.get(..len.min(9))?;
    let nanos = kept.parse::<u32>().ok()? * 10_u32.pow(9 - u32::try_from(kept.len()).ok()?);
    Some((nanos, zone))
}

fn parse_offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let bytes = zone.as_bytes();
    let is_shaped =
        bytes.len() == 6 && bytes[3] == b':' && [1, 2, 4, 5].iter().all(|&at| bytes[at].is_ascii_digit());
    if !is_shaped {
        return None;
    }
    let (hours, minutes): (i32, i32) = (zone[1..3].parse().ok()?, zone[4..6].parse().ok()?);
    let secs = (hours < 24 && minutes < 60).then_some(hours * 3_600 + minutes * 60)?;
    match bytes[0] {
        b'+' => Some(secs),
        b'-' => Some(-secs),
        _ => None,
    }
}

impl Default for Timestamp {
    fn default() -> Timestamp {
        Timestamp::ZERO
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.unix_secs.saturating_add(i64::from(self.offset_secs));
        let time = DateTime::from_timestamp(local, 0).ok_or(fmt::Error)?;
        let (year, month, day) = (time.year(), time.month(), time.day());
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        write!(f, "T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        let minutes = self.offset_secs.abs() / 60;
        match self.offset_secs {
            0 => f.write_str("Z"),
            secs => write!(f, "{}{:02}:{:02}", if secs < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
        }
    }
}

impl GoJson for Timestamp {
    fn encode(&self, out: &mut String) -> Result<()> {
        let local = self.unix_secs.checked_add(i64::from(self.offset_secs));
        let year = local.and_then(|local| DateTime::from_timestamp(local, 0)).map(|time| time.year());
        if !year.is_some_and(|year| (0..=9999).contains(&year)) {
            return Err(Error::invalid("A time of the action is outside the years 0 to 9999"));
        }
        push_string(out, &self.to_string());
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let start: String = text.chars().take(40).collect();
        Timestamp::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("{start:?} is no time like 2006-01-02T15:04:05Z")))
    }
}
