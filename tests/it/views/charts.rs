// SPDX-License-Identifier: Apache-2.0
//! The pages of charts: hostile text, empty states, and that each number leads to its records.

use super::{HOSTILE, document, links};
use muster::model::build::BuildName;
use muster::ops::builds::{BuildRecords, Builds, SystemRecords};
use muster::ops::machine_checks::{
    BuildChecks, BuildReports, ClassReports, MachineChecks, MachineReports, StatusReports, WeekChecks,
};
use muster::ops::population::{BuildMachines, Period, Population, SystemMachines};
use muster::ops::stats::{ClassificationRecords, PlatformRecords, Stats};
use muster::ops::thermal::{Thermal, WeekReports};
use muster::views::{Page, builds, mce, population, stats, thermal};

fn builds_data(text: &str, n_builds: usize) -> Builds {
    let build = |index: usize| BuildRecords {
        system_name: text.into(),
        build: format!("{text}{index}"),
        records: 1 + i64::try_from(index).unwrap(),
    };
    Builds {
        system_name: text.into(),
        records: 1_000,
        builds_total: n_builds,
        builds: (0..n_builds).map(build).collect(),
        systems: [text, "", "fedora"]
            .map(|name| SystemRecords { system_name: name.into(), records: 3 })
            .to_vec(),
        is_all: false,
    }
}

fn stats_data(text: &str, n_rows: usize) -> Stats {
    let classification =
        |index: usize| ClassificationRecords { classification: format!("{text}/{text}/{index}"), records: 9 };
    let platform = |index: usize| PlatformRecords { host_type: format!("{text}|{index}"), records: 9 };
    Stats {
        records: 9 * i64::try_from(n_rows).unwrap(),
        classifications_total: n_rows,
        classifications: (0..n_rows).map(classification).collect(),
        platforms_total: n_rows + 1,
        platforms: (0..n_rows).map(platform).collect(),
    }
}

fn reports(count: i64) -> ClassReports {
    ClassReports { all: 4 * count, corrected: count, srao: count, srar: count, ucna: count }
}

fn mce_data(text: &str) -> MachineChecks {
    let name = BuildName { system_name: text.into(), build: text.into() };
    let week = |week: u32| WeekChecks {
        year: 2026,
        week,
        from_date: format!("2026-01-{week:02}"),
        to_date: format!("2026-02-{week:02}"),
        reports: reports(week.into()),
    };
    let machine = MachineReports {
        machine_id: text.into(),
        reports: 12,
        builds: vec![BuildReports { name: name.clone(), reports: 12 }; 12],
    };
    MachineChecks {
        year: 2026,
        years: vec![2026, 2024],
        from_date: "2025-12-29".into(),
        to_date: "2027-01-03".into(),
        reports: reports(30),
        weeks: (1..=9).map(week).collect(),
        builds: vec![BuildChecks { name, reports: reports(30) }; 3],
        statuses: [text, ""].map(|status| StatusReports { status: status.into(), reports: 5 }).to_vec(),
        statuses_other: 7,
        machines_total: 2_000,
        machines_from: 0,
        machines: vec![machine; 12],
        machines_next_from: Some(1_000),
        machines_choice: 3,
    }
}

fn thermal_data(count: i64) -> Thermal {
    let week = |week: u32| WeekReports {
        year: 2026,
        week,
        from_date: "2026-02-09".into(),
        to_date: "2026-02-15".into(),
        reports: count,
    };
    Thermal { year: 2026, current_year: 2026, reports: 5 * count, weeks: (3..8).map(week).collect() }
}

fn population_data(text: &str, n_builds: usize) -> Population {
    let build = |index: usize| BuildMachines { build: format!("{text}{index}"), internal: 2, external: 3 };
    let period = |days: Option<i64>| Period {
        days,
        from_date: days.map(|_| "2026-02-09".into()),
        builds_total: n_builds,
        builds: (0..n_builds).map(build).collect(),
    };
    Population {
        system_name: text.into(),
        periods: [None, Some(14), Some(7), Some(3), Some(1)].map(period).to_vec(),
        systems: vec![SystemMachines { system_name: text.into(), machines: 5 }],
        is_all: false,
    }
}

fn pages(text: &str, n_rows: usize) -> Vec<Page> {
    vec![
        builds::render(&builds_data(text, n_rows)),
        stats::render(&stats_data(text, n_rows)),
        mce::render(&mce_data(text)),
        thermal::render(&thermal_data(3)),
        population::render(&population_data(text, n_rows)),
    ]
}

#[test]
fn hostile_text_never_breaks_a_page_of_charts() {
    for text in HOSTILE.into_iter().chain(["", "41890"]) {
        for n_rows in [1, 70] {
            pages(text, n_rows).iter().for_each(|page| _ = document(page));
        }
    }
}

#[test]
fn a_page_without_numbers_says_what_would_fill_it() {
    let empty = [
        (builds::render(&Builds::default()), "No record yet"),
        (builds::render(&builds_data("x", 0)), "No records of this system"),
        (stats::render(&Stats::default()), "No record yet"),
        (mce::render(&MachineChecks { year: 2026, ..MachineChecks::default() }), "No machine checks in 2026"),
        (thermal::render(&thermal_data(0)), "No thermal events"),
        (population::render(&Population::default()), "No heartbeat yet"),
        (population::render(&population_data("x", 0)), "No heartbeats of this system"),
    ];
    for (page, sentence) in empty {
        let elements = document(&page);
        assert!(elements.iter().any(|e| e.name == "h2" && e.text == sentence), "{sentence}");
        assert!(elements.iter().all(|e| e.name != "figure"), "{sentence}");
    }
}

#[test]
fn every_number_leads_to_its_records() {
    let expected: [&[&str]; 5] = [
        &["/records?system_name=os&build=os0"],
        &["/records?classification=os/os/0", "/records?host_type=os%7C0"],
        &[
            "/records?classification=org.clearlinux/mce/SRAO&captured_from=2026-01-09&captured_to=2026-02-09",
            "/records?classification=org.clearlinux/mce/UCNA&captured_from=2025-12-29&captured_to=2027-01-03",
            "/records?classification=org.clearlinux/mce/corrected&system_name=os&build=os&captured_from=2025-12-29&captured_to=2027-01-03",
            "/records?classification_in=org.clearlinux/mce/corrected%2Corg.clearlinux/mce/SRAO%2Corg.clearlinux/mce/SRAR%2Corg.clearlinux/mce/UCNA&payload=STATUS.*%28%3Fi:os%29%20MCGSTATUS&captured_from=2025-12-29&captured_to=2027-01-03",
            "/records?classification_in=org.clearlinux/mce/corrected%2Corg.clearlinux/mce/SRAO%2Corg.clearlinux/mce/SRAR%2Corg.clearlinux/mce/UCNA&machine_id=os&captured_from=2025-12-29&captured_to=2027-01-03",
            "/mce?year=2026&machines=all&from=1000#machines",
        ],
        &[
            "/records?classification=org.clearlinux/mce/thermal&captured_from=2026-02-09&captured_to=2026-02-15",
        ],
        &[
            "/records?classification=org.clearlinux/heartbeat/ping&system_name=os&build=os0&data_source=internal",
            "/records?classification=org.clearlinux/heartbeat/ping&system_name=os&build=os0&data_source=external&captured_from=2026-02-09",
        ],
    ];
    for (page, expected) in pages("os", 3).iter().zip(expected) {
        let elements = document(page);
        let links = links(&elements);
        for link in expected {
            assert!(links.contains(link), "{} lacks {link} among {links:#?}", page.title);
        }
    }
}

#[test]
fn a_status_code_is_searched_for_as_text() {
    let elements = document(&mce::render(&mce_data("0(f+")));
    assert!(links(&elements).iter().any(|link| link.contains("0%5C%28f%5C%2B%29%20MCGSTATUS&")));
}

#[test]
fn what_a_chart_leaves_out_is_in_a_table_and_one_link_away() {
    let elements = document(&builds::render(&builds_data("os", 100)));
    let records = links(&elements).into_iter().filter(|link| link.starts_with("/records?")).count();
    // 60 marks, 60 rows of their table, 100 rows of two links each.
    assert_eq!(records, 60 + 60 + 200);
    assert!(links(&elements).contains(&"/builds?system_name=os&all=1"));
    let all = Builds { is_all: true, ..builds_data("os", 100) };
    let elements = document(&builds::render(&all));
    assert_eq!(links(&elements).into_iter().filter(|link| link.starts_with("/records?")).count(), 200);
}

#[test]
fn records_without_a_system_can_be_chosen() {
    let elements = document(&builds::render(&builds_data("", 3)));
    let links = links(&elements);
    assert!(links.contains(&"/builds?system_name=%22%22"));
    assert!(links.contains(&"/records?system_name=%22%22&build=0"));
}
