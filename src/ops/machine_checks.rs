// SPDX-License-Identifier: Apache-2.0
//! Machine check exceptions by week, build, status and machine: `/mce` and `/api/mce`.

use crate::error::{Error, Result};
use crate::model::build::BuildName;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::week::Week;
use crate::ops::App;
use crate::ops::thermal::YEARS;
use crate::store::{MachineCheckMachine, MachineChecks as Stored};
use serde::Serialize;

/// Most status codes that are listed; the others are summed up.
pub const STATUSES_MAX: usize = 20;

/// What `machines` may be; the first where nothing is asked.
pub const MACHINES: [&str; 4] = ["10", "50", "100", "all"];

/// Rows for each of [`MACHINES`]. More than 1,000 are asked for page by page, with `from`.
const MACHINES_MAX: [usize; 4] = [10, 50, 100, 1_000];

/// The farthest that `from` goes.
const FROM_MAX: i64 = 100_000_000;

/// What `/mce` shows and `/api/mce` answers: the reports captured in one ISO year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MachineChecks {
    /// The ISO year.
    pub year: i32,
    /// The years that have reports and the current one, newest first.
    pub years: Vec<i32>,
    /// The first day of the year's first week, `YYYY-MM-DD`, UTC.
    pub from_date: String,
    /// The last day of its last week.
    pub to_date: String,
    /// Reports of each class and of all.
    pub reports: ClassReports,
    /// Every week in turn, also those without reports, up to today.
    pub weeks: Vec<WeekChecks>,
    /// By system, then in the order of versions.
    pub builds: Vec<BuildChecks>,
    /// The [`STATUSES_MAX`] most frequent status codes, most frequent first.
    pub statuses: Vec<StatusReports>,
    /// Reports with a status code that is not listed.
    pub statuses_other: i64,
    /// How many machines have reports, also those that are not listed.
    pub machines_total: i64,
    /// Of the machines with most reports so many are left out.
    pub machines_from: usize,
    /// Machines by number of reports, most first.
    pub machines: Vec<MachineReports>,
    /// The `from` of the next machines; null where these are the last, or where not all were asked for.
    pub machines_next_from: Option<usize>,
    /// Which of [`MACHINES`] was asked for.
    #[serde(skip)]
    pub machines_choice: usize,
}

/// How many reports of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassReports {
    /// All four together.
    pub all: i64,
    /// `org.clearlinux/mce/corrected`.
    pub corrected: i64,
    /// `org.clearlinux/mce/SRAO`: uncorrected, action optional.
    #[serde(rename = "SRAO")]
    pub srao: i64,
    /// `org.clearlinux/mce/SRAR`: uncorrected, action required.
    #[serde(rename = "SRAR")]
    pub srar: i64,
    /// `org.clearlinux/mce/UCNA`: uncorrected, no action.
    #[serde(rename = "UCNA")]
    pub ucna: i64,
}

impl ClassReports {
    fn new([corrected, srao, srar, ucna]: [i64; 4]) -> ClassReports {
        ClassReports { all: corrected + srao + srar + ucna, corrected, srao, srar, ucna }
    }

    /// In the order of [`crate::store::MACHINE_CHECK_CLASSES`].
    pub fn by_class(self) -> [i64; 4] {
        [self.corrected, self.srao, self.srar, self.ucna]
    }
}

/// A week and the reports captured in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WeekChecks {
    /// ISO year.
    pub year: i32,
    /// Number in its year, 1 to 53.
    pub week: u32,
    /// Its Monday, `YYYY-MM-DD`, UTC.
    pub from_date: String,
    /// Its Sunday.
    pub to_date: String,
    /// How many.
    pub reports: ClassReports,
}

/// A build and the reports of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildChecks {
    /// The build and its system.
    #[serde(flatten)]
    pub name: BuildName,
    /// How many.
    pub reports: ClassReports,
}

/// A status code and its reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatusReports {
    /// Eight hexadecimal digits in lower case, however they were sent; empty for reports that have none.
    pub status: String,
    /// How many.
    pub reports: i64,
}

/// A machine and its reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MachineReports {
    /// The sender's machine id.
    pub machine_id: String,
    /// All of it.
    pub reports: i64,
    /// By build, by system and then in the order of versions.
    pub builds: Vec<BuildReports>,
}

/// A build and how many reports of one machine are of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildReports {
    /// The build and its system.
    #[serde(flatten)]
    pub name: BuildName,
    /// How many.
    pub reports: i64,
}

/// The parameters of the address: `year`, an ISO year, without it the current one; `machines`, how many of
/// them are listed; with `machines=all` also `from`, how many are left out before those that are listed.
pub const PARAMETERS: &[&str] = &["year", "machines", "from"];

/// Reads the counts that `query` asks for; Invalid where a parameter breaks its rule.
pub fn load(app: &App, query: &Pairs) -> Result<MachineChecks> {
    let parameters = Parameters::new(query, PARAMETERS)?;
    let this_week = Week::of(app.clock.now());
    let current_year = this_week.year_and_number().0;
    let asked = parameters.integer("year", (*YEARS.start()).into(), (*YEARS.end()).into())?;
    let year = asked.and_then(|year| i32::try_from(year).ok()).unwrap_or(current_year);
    let machines_choice = parameters.choice("machines", &MACHINES)?.unwrap_or(0);
    let from = parameters.integer("from", 0, FROM_MAX)?.and_then(|from| usize::try_from(from).ok());
    let is_paged = machines_choice == MACHINES.len() - 1;
    if from.is_some() && !is_paged {
        return Err(Error::invalid("from is for machines=all only"));
    }
    let from = from.unwrap_or(0);
    let rows_max = MACHINES_MAX[machines_choice];

    let stored = app.store.machine_checks(year, STATUSES_MAX)?;
    let machines = app.store.machine_check_machines(year, from, rows_max)?;
    let next_from = from + machines.len();
    let has_more = usize::try_from(stored.machines).is_ok_and(|total| next_from < total);
    let listed: i64 = stored.statuses.iter().map(|(_, reports)| reports).sum();
    let week_days = Week::of_year(year);
    Ok(MachineChecks {
        year,
        years: years(app.store.machine_check_years()?, current_year),
        from_date: Week(week_days.start).dates().0,
        to_date: Week(week_days.end - 1).dates().1,
        reports: class_totals(&stored),
        weeks: weeks(year, this_week, &stored.weeks),
        statuses_other: (stored.reports - listed).max(0),
        machines_total: stored.machines,
        machines_from: from,
        machines_next_from: (is_paged && has_more && !machines.is_empty()).then_some(next_from),
        machines_choice,
        machines: machines.into_iter().map(machine_reports).collect(),
        builds: stored
            .builds
            .into_iter()
            .map(|(name, reports)| BuildChecks { name, reports: ClassReports::new(reports) })
            .collect(),
        statuses: stored
            .statuses
            .into_iter()
            .map(|(status, reports)| StatusReports { status, reports })
            .collect(),
    })
}

/// The years with reports and the current one, newest first.
fn years(mut years: Vec<i32>, current_year: i32) -> Vec<i32> {
    years.push(current_year);
    years.sort_unstable_by(|a, b| b.cmp(a));
    years.dedup();
    years
}

fn class_totals(stored: &Stored) -> ClassReports {
    let mut totals = [0; 4];
    for (_, reports) in &stored.weeks {
        totals.iter_mut().zip(reports).for_each(|(total, reports)| *total += reports);
    }
    ClassReports::new(totals)
}

/// Every week of the year up to this week, and later ones that have reports: clocks may be a day ahead.
fn weeks(year: i32, this_week: Week, counted: &[(Week, [i64; 4])]) -> Vec<WeekChecks> {
    let end = counted.last().map_or(this_week, |(week, _)| this_week.max(*week)).0 + 1;
    let numbers = Week::of_year(year);
    (numbers.start..numbers.end.min(end))
        .map(|number| {
            let week = Week(number);
            let reports = counted.iter().find(|(at, _)| *at == week).map_or([0; 4], |(_, reports)| *reports);
            let ((year, number), (from_date, to_date)) = (week.year_and_number(), week.dates());
            WeekChecks { year, week: number, from_date, to_date, reports: ClassReports::new(reports) }
        })
        .collect()
}

fn machine_reports(machine: MachineCheckMachine) -> MachineReports {
    let builds = machine.builds.into_iter().map(|(name, reports)| BuildReports { name, reports });
    MachineReports { machine_id: machine.machine_id, reports: machine.reports, builds: builds.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_date;

    #[test]
    fn weeks_are_without_gaps_and_end_today() {
        let this_week = Week::of(parse_date("2026-02-11").unwrap());
        let counted = [(Week(this_week.0 - 2), [1, 2, 3, 4])];
        let listed = weeks(2026, this_week, &counted);
        let all: Vec<_> = listed.iter().map(|week| (week.week, week.reports.all)).collect();
        assert_eq!(all, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 10), (6, 0), (7, 0)]);
        assert_eq!(weeks(2025, this_week, &[]).len(), 52);
        assert_eq!(weeks(2020, this_week, &[]).len(), 53);
        assert_eq!(weeks(2027, this_week, &[]).len(), 0);
        let ahead = [(Week(this_week.0 + 1), [1, 0, 0, 0])];
        assert_eq!(weeks(2026, this_week, &ahead).last().map(|week| week.week), Some(8));
    }

    #[test]
    fn the_current_year_can_always_be_chosen() {
        assert_eq!(years(vec![], 2026), [2026]);
        assert_eq!(years(vec![2026, 2024], 2026), [2026, 2024]);
        assert_eq!(years(vec![2024, 2021], 2026), [2026, 2024, 2021]);
    }
}
