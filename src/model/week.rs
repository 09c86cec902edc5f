// SPDX-License-Identifier: Apache-2.0
//! ISO weeks: Monday to Sunday, UTC. A week belongs to the year of its Thursday.

use crate::model::time::{DAY_SECS, date_text};
use chrono::{DateTime, Datelike, NaiveDate};
use serde::Serialize;
use std::ops::Range;

/// The day of Unix time that is a Monday, before 1970-01-01, a Thursday.
const FIRST_MONDAY: i64 = -3;

/// A week, by its number since the one of 1970-01-01, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Week(pub i64);

impl Week {
    /// The week of a time in Unix seconds.
    pub fn of(at: i64) -> Week {
        Week((at.div_euclid(DAY_SECS) - FIRST_MONDAY).div_euclid(7))
    }

    /// The first second of its Monday.
    pub fn begins_at(self) -> i64 {
        (self.0.saturating_mul(7) + FIRST_MONDAY).saturating_mul(DAY_SECS)
    }

    /// Monday and Sunday as `YYYY-MM-DD`.
    pub fn dates(self) -> (String, String) {
        (date_text(self.begins_at()), date_text(self.begins_at() + 6 * DAY_SECS))
    }

    /// ISO year and number of the week in it, 1 to 53. (0, 0) outside the calendar.
    pub fn year_and_number(self) -> (i32, u32) {
        let thursday = DateTime::from_timestamp(self.begins_at() + 3 * DAY_SECS, 0);
        thursday.map_or((0, 0), |at| (at.iso_week().year(), at.iso_week().week()))
    }

    /// The weeks of an ISO year, 52 or 53; none outside the calendar.
    pub fn of_year(year: i32) -> Range<i64> {
        let first = |year: i32| {
            // 4 January is always in the first week.
            let day = NaiveDate::from_ymd_opt(year, 1, 4).and_then(|date| date.and_hms_opt(0, 0, 0));
            day.map(|day| Week::of(day.and_utc().timestamp()).0)
        };
        match (first(year), first(year.saturating_add(1))) {
            (Some(first), Some(end)) => first..end,
            _ => 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_date;

    #[test]
    fn weeks_are_those_of_the_calendar() {
        let cases = [
            ("1970-01-01", 1970, 1, "1969-12-29"),
            ("2021-01-03", 2020, 53, "2020-12-28"),
            ("2021-01-04", 2021, 1, "2021-01-04"),
            ("2024-12-30", 2025, 1, "2024-12-30"),
            ("2027-01-01", 2026, 53, "2026-12-28"),
            ("9999-12-31", 9999, 52, "9999-12-27"),
        ];
        for (date, year, number, monday) in cases {
            let week = Week::of(parse_date(date).unwrap());
            assert_eq!(week.year_and_number(), (year, number), "{date}");
            assert_eq!(week.dates().0, monday, "{date}");
            assert!(Week::of_year(year).contains(&week.0), "{date}");
        }
        assert_eq!(Week::of_year(2020).count(), 53);
        assert_eq!(Week::of_year(2021).count(), 52);
    }
}
