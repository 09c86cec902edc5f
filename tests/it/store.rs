// SPDX-License-Identifier: Apache-2.0
//! The store on a real file: counts, times, re-sent records, bounds, migrations.

use crate::support::tester;
use muster::clock::Clock;
use muster::model::filter::RecordFilter;
use muster::model::quarantine::NewQuarantined;
use muster::model::record::{EventId, NewRecord, Severity};
use muster::store::bulk::BulkLoad;
use muster::store::{Missing, PayloadPart, QuarantineBounds, RecordQuery, Store, StoreOptions};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

pub const NOW: i64 = 1_795_000_000;

pub fn options(data_dir: &Path, clock: &Clock) -> StoreOptions {
    StoreOptions {
        data_dir: data_dir.to_owned(),
        missing: Missing::Create,
        disk_reserve_bytes: 1 << 20,
        readers: 4,
        clock: clock.clone(),
    }
}

pub fn record(number: u64) -> NewRecord {
    NewRecord {
        record_format_version: 4,
        classification: format!("org.clearlinux/class/{}", number % 3),
        severity: Severity::ALL[number as usize % 4],
        machine_id: format!("{:032x}", number % 5),
        captured_at: NOW,
        arch: "x86_64".into(),
        host_type: format!("Vendor|Model {}|1", number % 2),
        build: (100 + number % 4).to_string(),
        kernel_version: "6.1".into(),
        payload_format_version: Some(1),
        system_name: Some("clear-linux-os".into()),
        board_name: Some(String::new()),
        cpu_model: Some("CPU".into()),
        bios_version: Some("1".into()),
        event_id: Some(EventId(u128::from(number).to_be_bytes())),
        is_external: number.is_multiple_of(7),
        payload: format!("payload {number}"),
    }
}

fn query(filter: RecordFilter, rows_max: usize) -> RecordQuery {
    RecordQuery {
        filter,
        below_id: None,
        above_id: None,
        rows_max,
        payload: PayloadPart::Whole,
        search_most: Duration::from_secs(20),
    }
}

pub fn database(data_dir: &Path) -> Connection {
    Connection::open(muster::store::database_path(data_dir)).unwrap()
}

/// Every count that the store keeps, against a recount.
pub fn assert_counts_are_exact(data_dir: &Path) {
    let connection = database(data_dir);
    let recounts = [
        ("classifications", "id", "classification_id"),
        ("builds", "id", "build_id"),
        ("profiles", "id", "profile_id"),
        ("severities", "severity", "severity"),
        ("sources", "is_external", "is_external"),
    ];
    for (table, key, column) in recounts {
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE records <> (SELECT count(*) FROM records r WHERE r.{column} = t.{key})"
        );
        let wrong: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(wrong, 0, "{table}");
    }
    let orphans: i64 = connection
        .query_row("SELECT count(*) FROM pragma_foreign_key_check()", [], |row| row.get(0))
        .unwrap();
    assert_eq!(orphans, 0);
}

#[test]
fn counts_equal_a_recount_after_posts_from_many_threads_and_a_bulk_load() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..100 {
                    // Half of them are sent by two threads at once.
                    let event = if number % 2 == 0 { number } else { thread * 1_000 + number };
                    store.insert_record(&record(event)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.count_records().unwrap(), 8 * 50 + 50);
    let mut load = BulkLoad::begin(directory.path(), false).unwrap();
    for number in 10_000..10_500 {
        load.insert(record(number), NOW + 1).unwrap();
    }
    load.finish(|_| {}).unwrap();
    // The server's own writer learns of strings that another connection wrote.
    store.insert_record(&record(20_000)).unwrap();
    assert_eq!(store.count_records().unwrap(), 951);
    drop(store);
    assert_counts_are_exact(directory.path());
}

#[test]
fn a_new_file_gives_space_back_and_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    store.insert_record(&record(1)).unwrap();
    store.quick_check().unwrap();
    store.tidy(|| true).unwrap();
    drop(store);
    let connection = database(directory.path());
    let auto_vacuum: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).unwrap();
    assert_eq!(auto_vacuum, 2);
    let mut names: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".db"))
        .collect();
    names.sort();
    assert_eq!(names, ["muster.db"]);
}

#[test]
fn times_are_found_also_where_the_clock_was_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let store = Store::open(&options(directory.path(), &clock)).unwrap();
    // Forward, a little back (held), far back (a step), forward again.
    let times = [0, 10, 20, 5, 30, -10_000, -9_990, 40, 50];
    for (number, offset) in times.iter().enumerate() {
        clock.set(NOW + offset);
        store.insert_record(&record(number as u64)).unwrap();
    }
    let found = |from: i64, before: i64| {
        let filter = RecordFilter {
            received_from: Some(NOW + from),
            received_before: Some(NOW + before),
            ..RecordFilter::default()
        };
        let page = store.list_records(&query(filter, 100)).unwrap();
        page.records.iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(found(0, 11), [2, 1]);
    assert_eq!(found(20, 21), [4, 3]);
    assert_eq!(found(-20_000, 0), [7, 6]);
    assert_eq!(found(30, 1_000), [9, 8, 5]);
    assert_eq!(found(60, 1_000), Vec::<i64>::new());
}

#[test]
fn a_record_is_known_again_for_a_day_and_then_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(NOW);
    let store = Store::open(&options(directory.path(), &clock)).unwrap();
    let first = store.insert_record(&record(1)).unwrap();
    clock.set(NOW + 80_000);
    store.insert_record(&record(2)).unwrap();
    assert_eq!(store.delete_recent_records_before(NOW + 1).unwrap(), 1);
    assert!(!store.insert_record(&record(2)).unwrap().is_new);
    let again = store.insert_record(&record(1)).unwrap();
    assert!(again.is_new && again.id != first.id);
    let mut other = record(2);
    other.payload.push('!');
    assert!(store.insert_record(&other).unwrap().is_new);
}

#[test]
fn a_search_out_of_time_says_how_far_it_came_and_goes_on_from_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    drop(store);
    let mut load = BulkLoad::begin(directory.path(), true).unwrap();
    for number in 0..30_000 {
        load.insert(record(number), NOW + number as i64).unwrap();
    }
    load.finish(|_| {}).unwrap();
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    let filter = RecordFilter { payload: Some("payload 7$".into()), ..RecordFilter::default() };
    let mut asked = RecordQuery { search_most: Duration::ZERO, ..query(filter, 10) };
    let page = store.list_records(&asked).unwrap();
    assert!(page.records.is_empty() && page.searched_back_to.is_some());
    asked.search_most = Duration::from_millis(3);
    let (mut found, mut rounds) = (Vec::new(), 0);
    loop {
        let page = store.list_records(&asked).unwrap();
        found.extend(page.records.iter().map(|record| record.id));
        asked.below_id = page.next_below_id;
        rounds += 1;
        if asked.below_id.is_none() || rounds > 10_000 {
            break;
        }
        if page.searched_back_to.is_some() && rounds > 100 {
            asked.search_most = Duration::from_secs(1);
        }
    }
    assert_eq!(found, [8]);
}

#[test]
fn quarantine_stays_within_its_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    let post = |size: usize| NewQuarantined {
        reason: "r".into(),
        peer: "p".into(),
        head: Vec::new(),
        body: vec![b'x'; size],
        is_body_cut: false,
    };
    let bounds = QuarantineBounds { rows_max: 3, bytes_max: 1_000 };
    for _ in 0..5 {
        store.insert_quarantined(post(10), bounds).unwrap();
    }
    let ids = |store: &Store| -> Vec<i64> {
        store.list_quarantined(None, 10).unwrap().iter().map(|post| post.id).collect()
    };
    assert_eq!(ids(&store), [5, 4, 3]);
    store.insert_quarantined(post(990), bounds).unwrap();
    assert_eq!(ids(&store), [6, 5]);
    assert!(store.delete_quarantined(6, &tester()).unwrap());
    assert!(!store.delete_quarantined(6, &tester()).unwrap());
    store.insert_quarantined(post(1), bounds).unwrap();
    assert_eq!(ids(&store), [7, 5]);
}

#[test]
fn an_unfinished_load_is_mended_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap());
    let mut load = BulkLoad::begin(directory.path(), true).unwrap();
    load.insert(record(1), NOW).unwrap();
    drop(load);
    let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
    store.insert_record(&record(2)).unwrap();
    let filter = RecordFilter { machine_id: Some(format!("{:032x}", 2)), ..RecordFilter::default() };
    assert_eq!(store.list_records(&query(filter, 10)).unwrap().records.len(), 1);
}

/// Files of every released schema version, with rows in them: tests/data/schema/vN.sql, never changed.
#[test]
fn files_of_every_version_open_with_their_rows() {
    for version in 1..=muster::store::SCHEMA_VERSION {
        let directory = tempfile::tempdir().unwrap();
        let path = format!("{}/tests/data/schema/v{version}.sql", env!("CARGO_MANIFEST_DIR"));
        let frozen = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        database(directory.path()).execute_batch(&frozen).unwrap();
        let store = Store::open(&options(directory.path(), &Clock::fixed(NOW))).unwrap();
        assert_eq!(store.count_records().unwrap(), 3, "version {version}");
        let records = store.list_records(&query(RecordFilter::default(), 10)).unwrap().records;
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].content.payload, "third");
        assert_eq!(records[2].content.machine_id, "000000000000000000000000000000ab");
        store.insert_record(&record(1)).unwrap();
        store.quick_check().unwrap();
        drop(store);
        assert_counts_are_exact(directory.path());
        assert_eq!(schema(&database(directory.path())), fresh_schema(), "version {version}");
    }
}

fn schema(connection: &Connection) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let plain = |sql: String| {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap().to_owned());
        lines.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    rows.map(|sql| plain(sql.unwrap())).collect()
}

fn fresh_schema() -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../schema.sql")).unwrap();
    schema(&connection)
}
