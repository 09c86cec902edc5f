// SPDX-License-Identifier: Apache-2.0
//! Times as text. Everything is UTC; inside the program a time is Unix seconds.

use chrono::{DateTime, NaiveDate, SecondsFormat};

/// The seconds of a UTC day.
pub const DAY_SECS: i64 = 86_400;

/// Last second that a time may have: the end of the year 9999.
pub const TIME_MAX: i64 = 253_402_300_799;

/// `YYYY-MM-DD HH:MM:SS UTC`, the form of the records API. A time that no calendar has is its number.
pub fn utc_text(at: i64) -> String {
    match DateTime::from_timestamp(at, 0) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => at.to_string(),
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339).
pub fn rfc3339(at: i64) -> String {
    match DateTime::from_timestamp(at, 0) {
        // Lists have tens of thousands; a format string is read anew for each.
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
        None => at.to_string(),
    }
}

/// `YYYY-MM-DD`.
pub fn date_text(at: i64) -> String {
    match DateTime::from_timestamp(at, 0) {
        Some(time) => time.format("%Y-%m-%d").to_string(),
        None => at.to_string(),
    }
}

/// `YYYYMMDD-HHMMSS`, for names of files: they sort by time.
pub fn file_text(at: i64) -> String {
    match DateTime::from_timestamp(at, 0) {
        Some(time) => time.format("%Y%m%d-%H%M%S").to_string(),
        None => at.to_string(),
    }
}

/// The first second of a day written `YYYY-MM-DD`; none where it is no such day.
pub fn parse_date(text: &str) -> Option<i64> {
    let is_shaped = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = is_shaped.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

/// How long ago in one unit: `just now`, `5 min ago`, `3 h ago`, `12 d ago`; a time to come is `in the future`.
pub fn age_text(at: i64, now: i64) -> String {
    match now - at {
        secs if secs < -60 => "in the future".to_owned(),
        secs if secs < 60 => "just now".to_owned(),
        secs if secs < 3_600 => format!("{} min ago", secs / 60),
        secs if secs < 2 * DAY_SECS => format!("{} h ago", secs / 3_600),
        secs => format!("{} d ago", secs / DAY_SECS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(parse_date("2015-09-30"), Some(1_443_571_200));
        for bad in ["", "2015-9-30", "2015-02-29", "2015-09-30 ", "+2015-9-30", "20150930ab"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_written_as_the_api_promises() {
        assert_eq!(utc_text(1_443_573_575), "2015-09-30 00:39:35 UTC");
        assert_eq!(utc_text(TIME_MAX), "9999-12-31 23:59:59 UTC");
        assert_eq!(age_text(100, 400), "5 min ago");
    }
}
