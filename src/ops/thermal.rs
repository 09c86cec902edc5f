// SPDX-License-Identifier: Apache-2.0
//! Thermal events by week: `/thermal` and `/api/thermal`.

use crate::error::Result;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::week::Week;
use crate::ops::App;
use serde::Serialize;

/// The classification of thermal events.
pub const CLASSIFICATION: &str = "org.clearlinux/mce/thermal";

/// The numbers of weeks that may be asked for; the first where nothing is asked.
pub const WEEKS: [&str; 4] = ["5", "13", "26", "53"];

/// The years of which pages by year may be asked; of thermal events none after the current one.
pub const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// What `/thermal` shows and `/api/thermal` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Thermal {
    /// The ISO year of the last week.
    pub year: i32,
    /// The ISO year of today.
    pub current_year: i32,
    /// All events of these weeks.
    pub reports: i64,
    /// Every week in turn, also those without events.
    pub weeks: Vec<WeekReports>,
}

/// A week and what was captured in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WeekReports {
    /// ISO year.
    pub year: i32,
    /// Number in its year, 1 to 53.
    pub week: u32,
    /// Its Monday, `YYYY-MM-DD`, UTC.
    pub from_date: String,
    /// Its Sunday.
    pub to_date: String,
    /// How many events.
    pub reports: i64,
}

/// The parameters of the address: `weeks`, how many; `year`, an ISO year whose last weeks are asked for,
/// without it the current one. The last week of the current year is that of today.
pub const PARAMETERS: &[&str] = &["weeks", "year"];

/// Reads the counts that `query` asks for; Invalid where a parameter breaks its rule.
pub fn load(app: &App, query: &Pairs) -> Result<Thermal> {
    let parameters = Parameters::new(query, PARAMETERS)?;
    let n_weeks = [5, 13, 26, 53][parameters.choice("weeks", &WEEKS)?.unwrap_or(0)];
    let this_week = Week::of(app.clock.now());
    let last = last_week(asked_year(&parameters, this_week)?, this_week);
    let first = Week(last.0 - (n_weeks - 1));
    let counts = app.store.thermal_weeks(first, last)?;
    let weeks = (first.0..=last.0).map(|number| {
        let week = Week(number);
        let reports = counts.iter().find(|(counted, _)| *counted == week).map_or(0, |(_, reports)| *reports);
        week_reports(week, reports)
    });
    Ok(Thermal {
        year: last.year_and_number().0,
        current_year: this_week.year_and_number().0,
        reports: counts.iter().map(|(_, reports)| reports).sum(),
        weeks: weeks.collect(),
    })
}

fn week_reports(week: Week, reports: i64) -> WeekReports {
    let ((year, number), (from_date, to_date)) = (week.year_and_number(), week.dates());
    WeekReports { year, week: number, from_date, to_date, reports }
}

/// The year that is asked for; Invalid for one to come, which has no week yet.
fn asked_year(parameters: &Parameters<'_>, this_week: Week) -> Result<Option<i32>> {
    let current_year = this_week.year_and_number().0.clamp(*YEARS.start(), *YEARS.end());
    let year = parameters.integer("year", (*YEARS.start()).into(), current_year.into())?;
    Ok(year.and_then(|year| i32::try_from(year).ok()))
}

/// The last week of a year, or this week where that is earlier or no year is given.
fn last_week(year: Option<i32>, this_week: Week) -> Week {
    let last = year.and_then(|year| Week::of_year(year).next_back()).map(Week);
    last.map_or(this_week, |last| last.min(this_week))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_date;

    #[test]
    fn a_past_year_ends_with_its_last_week_and_this_one_today() {
        let this_week = Week::of(parse_date("2026-02-11").unwrap());
        let cases = [(None, (2026, 7)), (Some(2026), (2026, 7)), (Some(2020), (2020, 53))];
        for (year, expected) in cases {
            assert_eq!(last_week(year, this_week).year_and_number(), expected, "{year:?}");
        }
        let week = week_reports(this_week, 3);
        assert_eq!((week.from_date.as_str(), week.to_date.as_str()), ("2026-02-09", "2026-02-15"));
    }

    #[test]
    fn a_year_to_come_is_refused_and_the_years_possible_are_named() {
        let asked = |today: &str, year: &str| {
            let pairs = Pairs(vec![("year".to_owned(), year.to_owned())]);
            let this_week = Week::of(parse_date(today).unwrap());
            let year = Parameters::new(&pairs, PARAMETERS).and_then(|found| asked_year(&found, this_week));
            year.map_err(|error| (error.kind().http_status(), error.message().to_owned()))
        };
        let refused =
            |last: i32, year: &str| Err((400, format!("year must be from 1970 to {last}, not {year}")));
        let cases = [
            ("2026-02-11", "", Ok(None)),
            ("2026-02-11", "1970", Ok(Some(1970))),
            ("2026-02-11", "2026", Ok(Some(2026))),
            ("2026-02-11", "2027", refused(2026, "2027")),
            ("2026-02-11", "9999", refused(2026, "9999")),
            ("2026-02-11", "1969", refused(2026, "1969")),
            // 1 January 2027 is in the last week of 2026, 30 December 2024 in the first of 2025.
            ("2027-01-01", "2027", refused(2026, "2027")),
            ("2024-12-30", "2025", Ok(Some(2025))),
        ];
        for (today, year, expected) in cases {
            assert_eq!(asked(today, year), expected, "{today} {year}");
        }
    }
}
