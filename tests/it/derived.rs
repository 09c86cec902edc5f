// SPDX-License-Identifier: Apache-2.0
//! What the store keeps beside records (crashes, machine checks, heartbeats) equals what the records hold, whatever
//! happened on the way: against a rebuild from a file of the version before it was kept.

use crate::store::{NOW, database, options, record};
use crate::support::tester;
use muster::clock::Clock;
use muster::guilty::blacklist::Entry;
use muster::model::crash::CrashKind;
use muster::model::record::NewRecord;
use muster::model::time::DAY_SECS;
use muster::store::bulk::BulkLoad;
use muster::store::{BacktraceQuery, BlacklistChange, CrashScope, Store, TopGuilties};
use rusqlite::Connection;
use std::path::Path;

/// Every derived row, ids of functions and backtraces replaced by what they stand for.
pub const DUMPS: [&str; 12] = [
    "SELECT * FROM crash_builds",
    "SELECT d.kind, d.received_day, f.name, f.module, d.build_id, d.crashes FROM crash_days d
       LEFT JOIN functions f ON f.id = d.guilty_id",
    "SELECT d.kind, f.name, f.module, d.build_id, d.crashes FROM crash_totals d
       LEFT JOIN functions f ON f.id = d.guilty_id",
    "SELECT b.digest, b.kind, f.name, f.module, b.crashes, b.newest_record_id FROM backtraces b
       LEFT JOIN functions f ON f.id = b.guilty_id",
    "SELECT name, module, backtraces FROM functions",
    "SELECT c.record_id, b.digest, c.build_id, c.received_day, c.machine_id FROM crashes c
       JOIN backtraces b ON b.id = c.backtrace_id",
    "SELECT * FROM machine_check_weeks",
    "SELECT * FROM machine_check_builds",
    "SELECT * FROM machine_check_statuses",
    "SELECT * FROM machine_check_machine_builds",
    "SELECT * FROM heartbeats",
    "SELECT * FROM population",
];

pub fn dump(data_dir: &Path) -> Vec<Vec<String>> {
    let connection = database(data_dir);
    DUMPS.iter().map(|sql| rows(&connection, sql)).collect()
}

fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows: Vec<String> = statement
        .query_map([], |row| {
            let values = (0..columns).map(|index| format!("{:?}", row.get_ref(index).unwrap()));
            Ok(values.collect::<Vec<_>>().join(" | "))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    rows.sort();
    rows
}

/// Takes everything derived out of a file, as if it were of version 1.
pub fn make_version_1(data_dir: &Path) {
    let connection = database(data_dir);
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let frozen =
        std::fs::read_to_string(format!("{}/tests/data/schema/v1.sql", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let tables =
        rows(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    for table in tables {
        let name = table.trim_start_matches("Text([").trim_end_matches("])");
        let bytes: Vec<u8> = name.split(", ").map(|byte| byte.parse().unwrap()).collect();
        let name = String::from_utf8(bytes).unwrap();
        if !frozen.contains(&format!("CREATE TABLE {name} ")) {
            connection.execute_batch(&format!("DROP TABLE {name}")).unwrap();
        }
    }
    connection
        .execute_batch(
            "DELETE FROM meta WHERE name IN ('blacklist_defaults', 'guilties_follow', 'recompute');
             PRAGMA user_version = 1",
        )
        .unwrap();
}

fn payload(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/payloads/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The `number`th of a mix of all classes that something is derived from, and of others.
pub fn mixed(number: u64) -> NewRecord {
    let (classification, payload) = match number % 12 {
        0 | 1 => ("crash/clr", payload("crash-c.txt").replace("1793", &number.to_string())),
        2 => (
            "crash/clr",
            payload("crash-abort.txt").replace("crash_abort.c:3", &format!("x.c:{}", number % 5)),
        ),
        3 => ("crash/clr", payload("crash-stripped.txt")),
        4 => ("crash/clr", "nothing that could be read".to_owned()),
        5 => ("kernel/bug", payload("klog-gpf.txt")),
        6 => ("kernel/warning", payload("klog-warn_on.txt")),
        7 => (
            "mce/corrected",
            payload("mce-corrected.txt").replace("000f0005", &format!("{:08x}", number % 7)),
        ),
        8 => (["mce/SRAO", "mce/UCNA"][number as usize / 12 % 2], "no status".to_owned()),
        9 => ("mce/thermal", payload("mce-thermal.txt")),
        10 => ("heartbeat/ping", "hello\n".to_owned()),
        _ => ("hello/world", "hello\n".to_owned()),
    };
    let offsets = [0, -DAY_SECS, -3 * DAY_SECS, -20 * DAY_SECS, -400 * DAY_SECS, DAY_SECS / 2, 9 * DAY_SECS];
    NewRecord {
        classification: format!("org.clearlinux/{classification}"),
        captured_at: NOW + offsets[number as usize % offsets.len()],
        payload,
        machine_id: format!("{:032x}", number % 11),
        ..record(number)
    }
}

fn filled(data_dir: &Path, clock: &Clock) -> Store {
    let store = Store::open(&options(data_dir, clock)).unwrap();
    for day in 0..3 {
        clock.set(NOW + day * DAY_SECS);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..120 {
                        let number = day as u64 * 480 + thread * 120 + number;
                        store.insert_record(&mixed(number)).unwrap();
                    }
                });
            }
        });
    }
    store
}

#[test]
fn derived_rows_equal_a_rebuild_from_an_older_file() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let store = filled(directory.path(), &clock);
    // A list that moves guilties, and back.
    let change = BlacklistChange {
        add: vec![Entry::parse("list_find").unwrap(), Entry::parse("dev_watchdog [kernel]").unwrap()],
        set_default_on: Some(false),
        ..BlacklistChange::default()
    };
    for change in [change, BlacklistChange { is_reset: true, ..BlacklistChange::default() }] {
        store.change_blacklist(&change, &tester()).unwrap();
        while store.recompute_step().unwrap() {}
    }
    let today = (NOW + 2 * DAY_SECS) / DAY_SECS;
    store.fold_heartbeats(today).unwrap();
    drop(store);
    let before = dump(directory.path());
    assert!(before.iter().all(|rows| !rows.is_empty()));
    make_version_1(directory.path());
    let store = Store::open(&options(directory.path(), &clock)).unwrap();
    assert_eq!(store.recompute_progress().unwrap(), None);
    store.fold_heartbeats(today).unwrap();
    drop(store);
    let after = dump(directory.path());
    for ((before, after), sql) in before.iter().zip(&after).zip(DUMPS) {
        assert_eq!(before, after, "{sql}");
    }
}

fn scope(kind: CrashKind) -> CrashScope {
    CrashScope { kind, since_day: None, system_name: None, build: None }
}

fn crashes_of(top: &TopGuilties, name: &str) -> i64 {
    top.rows.iter().filter(|row| row.guilty.shown.trim_end_matches("()") == name).map(|row| row.crashes).sum()
}

#[test]
fn a_changed_blacklist_moves_exactly_what_its_preview_said() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let store = filled(directory.path(), &clock);
    let top = store.top_guilties(&scope(CrashKind::Program), 0, 50).unwrap();
    let (list_find, release_buffer) = (crashes_of(&top, "list_find"), crashes_of(&top, "release_buffer"));
    assert!(list_find > release_buffer && release_buffer > 0, "{top:?}");
    let change =
        BlacklistChange { add: vec![Entry::parse("list_find").unwrap()], ..BlacklistChange::default() };
    let moves = store.preview_blacklist(&store.blacklist().unwrap().changed(&change)).unwrap();
    assert_eq!(moves.len(), 1);
    assert_eq!(moves[0].crashes, list_find);
    assert_eq!(moves[0].to.as_ref().unwrap().shown, "cache_lookup()");
    store.change_blacklist(&change, &tester()).unwrap();
    // A crash that comes before the stored ones have followed is laid at the new door at once.
    store
        .insert_record(&NewRecord {
            payload: payload("crash-c.txt").replace("main()", "other()"),
            ..mixed(100_000 * 12)
        })
        .unwrap();
    assert!(store.recompute_progress().unwrap().is_some());
    while store.recompute_step().unwrap() {}
    assert_eq!(store.recompute_progress().unwrap(), None);
    let top = store.top_guilties(&scope(CrashKind::Program), 0, 50).unwrap();
    assert_eq!(crashes_of(&top, "list_find"), 0);
    assert_eq!(crashes_of(&top, "cache_lookup"), list_find + 1);
    assert_eq!(crashes_of(&top, "release_buffer"), release_buffer);
    assert!(store.preview_blacklist(&store.blacklist().unwrap()).unwrap().is_empty());
}

#[test]
fn following_a_changed_blacklist_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let open = || Store::open(&options(directory.path(), &clock)).unwrap();
    let store = open();
    while store.recompute_step().unwrap() {}
    drop(store);
    let mut load = BulkLoad::begin(directory.path(), true).unwrap();
    for number in 0..1_300 {
        let payload = payload("crash-c.txt").replace("process_request", &format!("request_{number}"));
        load.insert(NewRecord { payload, ..mixed(number * 12) }, NOW).unwrap();
    }
    load.finish(|_| {}).unwrap();
    let change = BlacklistChange {
        add: vec![Entry::parse("list_find").unwrap(), Entry::parse("cache_lookup").unwrap()],
        ..BlacklistChange::default()
    };
    let store = open();
    store.change_blacklist(&change, &tester()).unwrap();
    assert!(store.recompute_step().unwrap());
    let progress = store.recompute_progress().unwrap().unwrap();
    assert!(progress.done > 0 && progress.done < progress.total, "{progress:?}");
    drop(store);
    let store = open();
    assert_eq!(store.recompute_progress().unwrap(), Some(progress));
    while store.recompute_step().unwrap() {}
    let top = store.top_guilties(&scope(CrashKind::Program), 0, 2_000).unwrap();
    assert_eq!((top.guilties, top.crashes, crashes_of(&top, "list_find")), (1_300, 1_300, 0));
    drop(store);
    let sql = "SELECT count(*) FROM crash_days WHERE crashes <> 1";
    assert_eq!(database(directory.path()).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn details_and_backtraces_add_up_to_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path(), &Clock::fixed(NOW));
    for kind in CrashKind::ALL {
        let top = store.top_guilties(&scope(kind), 0, 50).unwrap();
        let shown: i64 = top.rows.iter().map(|row| row.crashes).sum();
        assert_eq!(shown + top.without_guilty, top.crashes);
        let days = CrashScope { since_day: Some(NOW / DAY_SECS), ..scope(kind) };
        assert_eq!(store.top_guilties(&days, 0, 50).unwrap().crashes, top.crashes);
        for row in &top.rows {
            assert_eq!(row.by_build.iter().sum::<i64>(), row.crashes);
            let builds = store.guilty_builds(row.guilty.id, 2).unwrap();
            assert_eq!(builds.iter().map(|build| build.crashes).sum::<i64>(), row.crashes);
            let all = BacktraceQuery { guilty_id: row.guilty.id, rows_max: 50, ..BacktraceQuery::default() };
            let page = store.list_backtraces(&all).unwrap();
            assert_eq!(page.crashes, row.crashes);
            assert_eq!(page.rows.iter().map(|row| row.crashes).sum::<i64>(), row.crashes);
            let machine = builds[0].top_machines[0].clone();
            let of_machine = BacktraceQuery {
                machine_id: Some(machine.0),
                build: Some(builds[0].build.build.clone()),
                system_name: Some(builds[0].build.system_name.clone()),
                ..all
            };
            assert_eq!(store.list_backtraces(&of_machine).unwrap().crashes, machine.1);
        }
    }
}

#[test]
fn hidden_guilties_leave_the_list_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path(), &Clock::fixed(NOW));
    let top = store.top_guilties(&scope(CrashKind::Program), 0, 50).unwrap();
    let first = top.rows[0].clone();
    assert!(store.set_guilty_hidden(first.guilty.id, true, &tester()).unwrap());
    assert!(store.set_guilty_comment(first.guilty.id, "known", &tester()).unwrap());
    assert!(!store.set_guilty_hidden(1_000_000, true, &tester()).unwrap());
    let without = store.top_guilties(&scope(CrashKind::Program), 0, 50).unwrap();
    assert!(without.rows.iter().all(|row| row.guilty.id != first.guilty.id));
    assert_eq!((without.hidden, without.crashes), (first.crashes, top.crashes));
    let hidden = store.list_hidden_guilties().unwrap();
    assert_eq!((hidden.len(), hidden[0].1, hidden[0].0.comment.as_str()), (1, first.crashes, "known"));
    store.set_guilty_hidden(first.guilty.id, false, &tester()).unwrap();
    assert_eq!(store.top_guilties(&scope(CrashKind::Program), 0, 50).unwrap().rows.len(), top.rows.len());
}

#[test]
fn a_population_counts_each_machine_once_and_by_its_last_day() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let store = Store::open(&options(directory.path(), &clock)).unwrap();
    let beat = |number: u64, machine: u64, days_back: i64, is_external: bool| {
        let heartbeat = NewRecord {
            classification: "org.clearlinux/heartbeat/ping".into(),
            machine_id: format!("{machine:032x}"),
            captured_at: NOW - days_back * DAY_SECS,
            build: "100".into(),
            is_external,
            ..record(number)
        };
        store.insert_record(&heartbeat).unwrap();
    };
    // Machine 1 today, out of order; 2 five days ago, twice; 3 a year ago; 4 external yesterday; 5 by a wrong clock.
    for (number, (machine, days_back, is_external)) in [
        (1, 3, false),
        (1, 0, false),
        (1, 9, false),
        (2, 5, false),
        (2, 5, false),
        (3, 365, false),
        (4, 1, true),
        (5, -30, false),
    ]
    .into_iter()
    .enumerate()
    {
        beat(number as u64, machine, days_back, is_external);
    }
    let today = NOW / DAY_SECS;
    let count = |days: Option<i64>| {
        let builds = store.population("clear-linux-os", days.map(|days| today - days + 1)).unwrap();
        builds.first().map_or((0, 0), |build| (build.internal, build.external))
    };
    let expected = [
        (None, (4, 1)),
        (Some(14), (3, 1)),
        (Some(7), (3, 1)),
        (Some(3), (2, 1)),
        (Some(2), (2, 1)),
        (Some(1), (2, 0)),
    ];
    for (days, expected) in expected {
        assert_eq!(count(days), expected, "{days:?}");
    }
    assert_eq!(store.population_by_system().unwrap(), [("clear-linux-os".to_owned(), 5)]);
    // A month later all are folded, and still counted over all.
    assert!(store.fold_heartbeats(today + 30).unwrap() > 0);
    assert_eq!(store.fold_heartbeats(today + 30).unwrap(), 0);
    assert_eq!(count(None), (4, 1));
    let recent = store.population("clear-linux-os", Some(today + 17)).unwrap();
    assert!(recent.is_empty(), "{recent:?}");
}
