// SPDX-License-Identifier: Apache-2.0
//! The charts of machine checks.

use crate::ops::machine_checks::{BuildChecks, ClassReports, MachineChecks, StatusReports, WeekChecks};
use crate::store::MACHINE_CHECK_CLASSES;
use crate::views::chart::{self, Category, Data, Mark, OTHER, Series, Shape};
use crate::views::mce::{classification_of, records_between, records_of_year};
use crate::views::switch::build_conditions;
use maud::Markup;

/// Builds that the chart shows, those with most reports.
const BUILDS_MAX: usize = 60;

/// The year's reports by week, the classes on top of each other.
pub fn weeks(data: &MachineChecks) -> Markup {
    let category = |week: &WeekChecks| Category {
        label: format!("W{:02}", week.week),
        title: format!("{} W{:02} ({} to {})", week.year, week.week, week.from_date, week.to_date),
    };
    let mark = |week: &WeekChecks, class: usize| {
        let link = |classification: &str| {
            records_between(&week.from_date, &week.to_date, &[("classification", classification)])
        };
        class_mark(week.reports, class, link)
    };
    let chart = Data {
        title: "Reports per week".to_owned(),
        about: "By the time at which the machine captured them, in ISO weeks from Monday to Sunday."
            .to_owned(),
        category_noun: "Week".to_owned(),
        unit: "reports".to_owned(),
        categories: data.weeks.iter().map(category).collect(),
        series: class_series(|class| data.weeks.iter().map(|week| mark(week, class)).collect()),
    };
    chart::figure("weeks", Shape::StackedColumns, &chart)
}

/// The year's reports by class.
pub fn classes(data: &MachineChecks) -> Markup {
    let mark = |class: usize| {
        class_mark(data.reports, class, |classification| {
            records_between(&data.from_date, &data.to_date, &[("classification", classification)])
        })
    };
    let chart = Data {
        title: "Reports per class".to_owned(),
        about: "Corrected by the hardware, or uncorrected: action optional (SRAO) or required (SRAR), or none (UCNA)."
            .to_owned(),
        category_noun: "Class".to_owned(),
        unit: "reports".to_owned(),
        categories: MACHINE_CHECK_CLASSES.into_iter().map(Category::new).collect(),
        series: vec![Series {
            name: "Reports".to_owned(),
            marks: (0..MACHINE_CHECK_CLASSES.len()).map(mark).collect(),
        }],
    };
    chart::figure("classes", Shape::Pie, &chart)
}

/// The year's reports by build, the classes on top of each other.
pub fn builds(data: &MachineChecks) -> Markup {
    let builds = most_frequent(&data.builds);
    let systems: std::collections::BTreeSet<_> = builds.iter().map(|build| &build.name.system_name).collect();
    let category = |build: &&BuildChecks| Category {
        label: build.name.build.clone(),
        title: format!("{} {}", build.name.system_name, build.name.build).trim().to_owned(),
    };
    let mark = |build: &BuildChecks, class: usize| {
        class_mark(build.reports, class, |classification| {
            let mut conditions = vec![("classification", classification)];
            conditions.extend(build_conditions(&build.name.system_name, &build.name.build));
            records_between(&data.from_date, &data.to_date, &conditions)
        })
    };
    let about = match (builds.len() < data.builds.len(), systems.len()) {
        (true, _) => format!("The {} of {} builds with most reports.", builds.len(), data.builds.len()),
        (false, 1) => "The builds that the machines ran, oldest first.".to_owned(),
        (false, _) => "The builds that the machines ran, by system, oldest first.".to_owned(),
    };
    let chart = Data {
        title: "Reports per build".to_owned(),
        about,
        category_noun: "Build".to_owned(),
        unit: "reports".to_owned(),
        categories: builds.iter().map(category).collect(),
        series: class_series(|class| builds.iter().map(|build| mark(build, class)).collect()),
    };
    chart::figure("builds", Shape::StackedColumns, &chart)
}

/// The builds with most reports, in the order in which they came.
fn most_frequent(builds: &[BuildChecks]) -> Vec<&BuildChecks> {
    let mut by_reports: Vec<(usize, &BuildChecks)> = builds.iter().enumerate().collect();
    by_reports.sort_by_key(|(_, build)| std::cmp::Reverse(build.reports.all));
    by_reports.truncate(BUILDS_MAX);
    by_reports.sort_by_key(|(index, _)| *index);
    by_reports.into_iter().map(|(_, build)| build).collect()
}

/// The year's reports by status code, most frequent first.
pub fn statuses(data: &MachineChecks) -> Markup {
    let mut categories: Vec<Category> = data.statuses.iter().map(status_category).collect();
    let mut marks: Vec<Mark> = data.statuses.iter().map(|status| status_mark(data, status)).collect();
    if data.statuses_other > 0 {
        categories.push(Category { label: OTHER.to_owned(), title: "All other status codes".to_owned() });
        marks.push(Mark { value: data.statuses_other as f64, link: None });
    }
    let chart = Data {
        title: "Reports per status code".to_owned(),
        about: "The lower half of the status register: what failed and where.".to_owned(),
        category_noun: "Status".to_owned(),
        unit: "reports".to_owned(),
        categories,
        series: vec![Series { name: "Reports".to_owned(), marks }],
    };
    chart::figure("statuses", Shape::Bars, &chart)
}

fn status_category(status: &StatusReports) -> Category {
    match status.status.as_str() {
        "" => Category { label: "none".to_owned(), title: "Without a status code".to_owned() },
        code => Category::new(code),
    }
}

fn status_mark(data: &MachineChecks, status: &StatusReports) -> Mark {
    if status.status.is_empty() {
        return Mark { value: status.reports as f64, link: None };
    }
    // Codes are counted in lower case, however they were sent; the name of the register stands before them.
    let pattern = format!("STATUS.*(?i:{}) MCGSTATUS", regex::escape(&status.status));
    Mark::count(status.reports, records_of_year(data, &[("payload", &pattern)]))
}

/// A series for each class, with the marks that `marks` makes of its index.
fn class_series(marks: impl Fn(usize) -> Vec<Mark>) -> Vec<Series> {
    let series = |(class, name): (usize, &str)| Series { name: name.to_owned(), marks: marks(class) };
    MACHINE_CHECK_CLASSES.into_iter().enumerate().map(series).collect()
}

/// The reports of one class, with the link that `link` makes of its classification.
fn class_mark(reports: ClassReports, class: usize, link: impl Fn(&str) -> String) -> Mark {
    Mark::count(reports.by_class()[class], link(&classification_of(MACHINE_CHECK_CLASSES[class])))
}
