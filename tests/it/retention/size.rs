// SPDX-License-Identifier: Apache-2.0
//! `retention.database_bytes_max`: the oldest of the least severity go first, what is kept for ever stays, the page
//! says so.

use super::{Place, assert_all_exact};
use crate::store::record;
use crate::support::Server;
use crate::support::server::Options;
use muster::clock::Clock;
use muster::model::record::{NewRecord, Severity};
use muster::model::time::DAY_SECS;

/// Records of all severities with payloads that do not shrink.
fn large(n: u64) -> Vec<(NewRecord, i64)> {
    let now = Clock::system().now();
    let mut seed = 1_u64;
    let mut text = || {
        let words = (0..1_200).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{seed:016x}")
        });
        words.collect::<String>()
    };
    (0..n)
        .map(|number| (NewRecord { payload: text(), ..record(number) }, now - 1_000 + number as i64))
        .collect()
}

fn config(bytes_max: i64, rules: &str) -> String {
    format!("[retention]\ndays = 0\ndatabase_bytes_max = {bytes_max}\nrules = [{rules}]\n")
}

fn used(place: &Place) -> i64 {
    (place.number("PRAGMA page_count") - place.number("PRAGMA freelist_count"))
        * place.number("PRAGMA page_size")
}

fn page(place: &Place, config: &str) -> String {
    let server = Server::start_with(Options {
        data_dir: Some(place.data_dir()),
        config: Some(config.to_owned()),
        ..Options::default()
    });
    server.get("/records").text()
}

#[test]
fn strings_of_their_own_do_not_drive_out_the_severe() {
    let place = Place::new("");
    let now = Clock::system().now();
    let severity = |number| Severity::from_number(number).unwrap();
    place
        .load(large(300).into_iter().map(|(record, at)| (NewRecord { severity: severity(4), ..record }, at)));
    let severe = used(&place);
    let long = "x".repeat(240);
    let flood = |number: u64| NewRecord {
        severity: severity(1),
        host_type: format!("{long}a{number:05}"),
        board_name: Some(format!("{long}b{number:05}")),
        cpu_model: Some(format!("{long}c{number:05}")),
        bios_version: Some(format!("{long}d{number:05}")),
        ..record(number)
    };
    place.load((1_000..9_000).map(|number| (flood(number), now - 600 + (number / 100) as i64)));
    assert!(used(&place) > severe * 3, "{} {severe}", used(&place));
    place.configure(&config(severe * 2, ""));
    place.run_well(&["purge"]);
    assert!(used(&place) <= severe * 2);
    assert_eq!(place.number("SELECT count(*) FROM records WHERE severity = 4"), 300);
    assert_all_exact(&place.data_dir());
}

#[test]
fn the_oldest_of_the_least_severity_go_first() {
    let place = Place::new("");
    place.load(large(1_000));
    let limit = used(&place) * 2 / 3;
    let config = config(limit, "\"machine_id=00000000000000000000000000000001 days=0\"");
    place.configure(&config);
    assert!(page(&place, &config).contains("Beyond the limit the oldest records"));
    let out = place.run_well(&["purge", "--dry-run"]);
    assert!(out.contains("for retention.database_bytes_max, roughly"), "{out}");
    assert_eq!(place.ids().len(), 1_000);
    place.run_well(&["purge"]);
    assert!(used(&place) <= limit && used(&place) > limit / 2, "{} {limit}", used(&place));
    assert!(place.audit()[0].1.contains("retention.database_bytes_max"));
    // A quarter is of severity 1: but for those of the machine, all of them went before any of severity 3.
    let spared = "machine_id <> x'00000000000000000000000000000001'";
    assert_eq!(place.number(&format!("SELECT count(*) FROM records WHERE severity = 1 AND {spared}")), 0);
    assert_eq!(place.number("SELECT count(*) FROM records WHERE severity >= 3"), 500);
    assert_eq!(place.number(&format!("SELECT count(*) FROM records WHERE NOT {spared}")), 200);
    let (first_left, n_gone) = (
        place.number(&format!("SELECT min(id) FROM records WHERE severity = 2 AND {spared}")),
        1_000 - place.ids().len(),
    );
    assert!(first_left > 2 && n_gone > 200, "{first_left} {n_gone}");
    assert_eq!(
        place.number(&format!(
            "SELECT count(*) FROM records WHERE severity = 2 AND {spared} AND id > {first_left}"
        )) + 1,
        place.number(&format!("SELECT count(*) FROM records WHERE severity = 2 AND {spared}"))
    );
    assert_all_exact(&place.data_dir());
    let page = page(&place, &config);
    assert_eq!(page.contains("Beyond the limit"), used(&place) * 100 >= limit * 90);
}

#[test]
fn what_was_imported_from_long_ago_goes_before_what_came_today() {
    let place = Place::new("");
    let mut records = large(1_000);
    for (number, (record, received_at)) in records.iter_mut().enumerate() {
        record.severity = Severity::Low;
        // The later half is history, as an import stores it beside what is there; one in it is of today.
        if number >= 500 && number != 600 {
            *received_at -= 1_000_000;
        }
    }
    place.load(records);
    let limit = used(&place) * 3 / 4;
    place.configure(&config(limit, ""));
    place.run_well(&["purge"]);
    let ids = place.ids();
    assert!((600..800).contains(&ids.len()), "{}", ids.len());
    assert_eq!(ids[..500], (1..=500).collect::<Vec<i64>>());
    // Of the history the newest stay, and the one of today.
    assert_eq!(ids[500], 601);
    let n_history = ids.len() as i64 - 501;
    assert_eq!(ids[501..], (1_001 - n_history..=1_000).collect::<Vec<i64>>());
    assert_all_exact(&place.data_dir());
}

#[test]
fn a_goal_that_cannot_be_reached_is_told() {
    let place = Place::new("");
    place.load(large(1_000));
    let limit = used(&place) / 2;
    let config = config(limit, "\"classification=org.clearlinux/* days=0\"");
    place.configure(&config);
    let (code, out, err) = place.run(&["purge"]);
    assert_eq!(code, 0);
    assert!(out.contains("stays") && err.contains("kept for ever by rules"), "{out}{err}");
    assert_eq!(place.ids().len(), 1_000);
    assert!(page(&place, &config).contains("It cannot be made smaller"));
    // With room it is forgotten.
    let roomy = config.replace(&limit.to_string(), &(limit * 10).to_string());
    place.configure(&roomy);
    place.run_well(&["purge"]);
    assert_eq!(place.number("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'database_bytes_over'"), 0);
    assert!(!page(&place, &roomy).contains("retention.database_bytes_max"));
}

/// What an output says for the age, for the size, and of the limit.
fn told(out: &str) -> (u64, u64, bool) {
    let number = |what: &str| {
        let line = out.lines().find(|line| line.contains(what));
        line.map_or(0, |line| line.split_whitespace().next().unwrap().parse().unwrap())
    };
    (
        number("no rule, days="),
        number("for retention.database_bytes_max"),
        out.contains("over retention.data"),
    )
}

#[test]
fn a_dry_run_tells_about_what_goes() {
    // Days without a rule, rules, the limit in hundredths of what is used; whether any goes for the size, and whether
    // the limit stays missed.
    let cases = [
        // Age alone brings it under.
        ("10", "", 60, false, false),
        // Age and some more.
        ("15", "", 40, true, false),
        ("0", "", 60, true, false),
        // Severities 2 to 4 are kept for ever.
        ("0", "\"severity=2 days=0\",\"severity=3 days=0\",\"severity=4 days=0\"", 50, true, true),
        ("0", "\"classification=org.* days=0\"", 50, false, true),
    ];
    let place = Place::new("");
    let now = Clock::system().now();
    let aged = large(1_000).into_iter().zip(0_i64..);
    place.load(aged.map(|((record, _), n)| (record, now - (1_000 - n) * DAY_SECS / 50 - 3_600)));
    let whole = std::fs::read(place.data_dir().join("muster.db")).unwrap();
    for (days, rules, percent, is_any, is_missed) in cases {
        std::fs::write(place.data_dir().join("muster.db"), &whole).unwrap();
        let limit = used(&place) * percent / 100;
        place.configure(&config(limit, rules).replace("days = 0", &format!("days = {days}")));
        let before = place.run_well(&["purge", "--dry-run"]);
        let after = place.run_well(&["purge"]);
        let ((age, size, missed), (age_after, size_after, missed_after)) = (told(&before), told(&after));
        assert_eq!((age, missed), (age_after, missed_after), "{before}{after}");
        assert_eq!((size > 0, missed), (is_any, is_missed), "{before}{after}");
        assert!(size.abs_diff(size_after) <= 100 && age + size <= 1_000, "{before}{after}");
        assert_eq!(before.starts_with("Would remove about"), is_any, "{before}");
    }
}
