// SPDX-License-Identifier: Apache-2.0
//! `muster purge` by age and rules.

use super::{Place, aged, assert_all_exact};
use crate::store::database;
use muster::model::record::NewRecord;
use muster::model::time::DAY_SECS;

const RULES: &str = r#"[retention]
days = 35
rules = ["severity=4 days=60", "classification=org.clearlinux/crash/* days=50", "severity=1 days=5",
         "machine_id=00000000000000000000000000000003 days=0", "classification=org.clearlinux/mce/thermal days=10"]
"#;

/// What the rules above come to, written down anew: days, 0 for ever.
fn days_of(record: &NewRecord) -> i64 {
    if record.machine_id.ends_with("03") {
        return 0;
    }
    let mut days = Vec::new();
    match record.severity.number() {
        4 => days.push(60),
        1 => days.push(5),
        _ => {}
    }
    if record.classification.starts_with("org.clearlinux/crash/") {
        days.push(50);
    }
    if record.classification == "org.clearlinux/mce/thermal" {
        days.push(10);
    }
    days.into_iter().max().unwrap_or(35)
}

#[test]
fn what_the_rules_say_goes_and_every_count_is_exact() {
    let place = Place::new(RULES);
    let records = aged(80, 12);
    let now = muster::clock::Clock::system().now();
    let stays = |(record, at): &(NewRecord, i64)| {
        let days = days_of(record);
        days == 0 || *at >= now - days * DAY_SECS
    };
    let expected: Vec<i64> =
        (1..).zip(&records).filter(|(_, record)| stays(record)).map(|(id, _)| id).collect();
    let n = records.len();
    let n_going = n - expected.len();
    assert!(expected.len() > 100 && n_going > 100);
    place.load(records);
    let bytes = std::fs::metadata(place.data_dir().join("muster.db")).unwrap().len();

    let out = place.run_well(&["purge", "--dry-run"]);
    assert!(out.starts_with(&format!("Would remove {n_going} records\n")), "{out}");
    assert_eq!((place.ids().len(), place.audit().len()), (n, 0));
    assert_eq!(place.number("SELECT count(*) FROM meta WHERE name = 'purged_at'"), 0);

    let by_rule = |out: &str| -> Vec<String> { out.lines().skip(1).take(6).map(str::to_owned).collect() };
    let told = by_rule(&out);
    let out = place.run_well(&["purge"]);
    assert!(out.starts_with(&format!("Removed {n_going} records\n")), "{out}");
    assert_eq!(by_rule(&out), told);
    assert!(told[0].contains("no rule, days=35") && told[4].trim_start().starts_with("0  machine_id="));
    assert_eq!(place.ids(), expected);
    let audit = place.audit();
    assert_eq!((audit.len(), audit[0].0.as_str()), (1, "record.purge"));
    assert!(audit[0].2.contains(&format!("\"records\":{n_going}")), "{audit:?}");
    assert_eq!(place.number("PRAGMA freelist_count"), 0);
    assert!(std::fs::metadata(place.data_dir().join("muster.db")).unwrap().len() < bytes);
    assert_all_exact(&place.data_dir());

    // Nothing is left to do, and nothing is noted.
    assert!(place.run_well(&["purge"]).starts_with("Removed 0 records\n"));
    assert_eq!(place.audit().len(), 1);
}

#[test]
fn without_days_nothing_goes_and_when_all_goes_ids_go_on() {
    let place = Place::new("[retention]\ndays = 0\n");
    let days_ago = |(record, at): (NewRecord, i64)| (record, at - 2 * DAY_SECS);
    place.load(aged(400, 1).into_iter().map(days_ago));
    assert!(place.run_well(&["purge"]).starts_with("Removed 0 records\n"));
    assert_eq!(place.ids().len(), 400);
    // Strings that nothing uses go with the last record; what an admin said of a function stays.
    let kept = "UPDATE functions SET comment = 'known' WHERE id = (SELECT min(id) FROM functions)";
    database(&place.data_dir()).execute(kept, []).unwrap();
    place.configure("[retention]\ndays = 1\nrules = [\"severity=4 days=1\"]\n");
    assert!(place.run_well(&["purge"]).starts_with("Removed 400 records\n"));
    for table in [
        "records",
        "payloads",
        "classifications",
        "builds",
        "profiles",
        "crashes",
        "backtraces",
        "crash_days",
        "crash_totals",
        "crash_builds",
        "machine_check_weeks",
        "machine_check_builds",
        "machine_check_statuses",
        "machine_check_machines",
        "machine_check_machine_builds",
        "heartbeats",
        "population",
        "clock_steps",
    ] {
        assert_eq!(place.number(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(place.number("SELECT count(*) FROM functions"), 1);
    place.load(aged(1, 1));
    assert_eq!(place.ids(), [401]);
}

#[test]
fn what_a_wrong_clock_received_goes_by_its_own_time() {
    let place = Place::new("[retention]\ndays = 30\n");
    let now = muster::clock::Clock::system().now();
    let ages = [90, 80, 5, 70, 60, 3, 2, 95, 1];
    let records: Vec<_> = ages
        .iter()
        .enumerate()
        .map(|(n, days)| (crate::derived::mixed(n as u64), now - days * DAY_SECS))
        .collect();
    place.load(records);
    assert!(place.number("SELECT count(*) FROM clock_steps") > 0);
    place.run_well(&["purge"]);
    assert_eq!(place.ids(), [3, 6, 7, 9]);
}

#[test]
fn a_dry_run_counts_old_entries_of_the_audit_log() {
    let place = Place::new("");
    let now = muster::clock::Clock::system().now();
    for days in [800, 800, 700] {
        database(&place.data_dir())
            .execute(
                "INSERT INTO audit (changed_at, actor, origin, action, subject) VALUES (?1, 'a', '', 'x.y', 'z')",
                [now - days * DAY_SECS],
            )
            .unwrap();
    }
    let told = place.run_well(&["purge", "--dry-run"]);
    assert!(told.contains("Would remove 2 entries of the audit log"), "{told}");
    assert_eq!(place.audit().len(), 3);
    let told = place.run_well(&["purge"]);
    assert!(told.contains("Removed 2 entries of the audit log"), "{told}");
    assert_eq!(place.audit().len(), 1);
}
