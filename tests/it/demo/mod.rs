// SPDX-License-Identifier: Apache-2.0
//! `muster demo`: what it makes would be taken by the collector, tells of the weeks asked for, and spoils nothing.

use muster::clock::Clock;
use muster::demo::{DemoOptions, Progress, Summary, records, run};
use muster::error::{Kind, Result};
use muster::ingest::{Limits, Post, accept};
use muster::model::agent::Liveness;
use muster::model::filter::RecordFilter;
use muster::model::record::NewRecord;
use muster::store::fleet::{ActionQuery, Moment};
use muster::store::{Lock, Missing, PayloadPart, RecordQuery, Store, StoreOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const NOW: i64 = 1_795_228_811;
const WEEK_SECS: i64 = 7 * 86_400;
const TID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

/// Every classification that the views know, and those of others.
const CLASSIFICATIONS: [&str; 22] = [
    "com.example.printing/queue/stuck",
    "org.clearlinux/bert/debug",
    "org.clearlinux/crash/clr",
    "org.clearlinux/crash/clr-build",
    "org.clearlinux/crash/error",
    "org.clearlinux/crash/unknown",
    "org.clearlinux/heartbeat/ping",
    "org.clearlinux/hello/world",
    "org.clearlinux/journal/error",
    "org.clearlinux/kernel/bug",
    "org.clearlinux/kernel/stackoverflow",
    "org.clearlinux/kernel/warning",
    "org.clearlinux/mce/SRAO",
    "org.clearlinux/mce/SRAR",
    "org.clearlinux/mce/UCNA",
    "org.clearlinux/mce/corrected",
    "org.clearlinux/mce/thermal",
    "org.clearlinux/swupd-client/bundleadd",
    "org.clearlinux/swupd-client/update",
    "org.example/app/special",
    "org.example/backup/failed",
    "org.example/sensor/reading",
];

fn options(data_dir: &Path, records: u64) -> DemoOptions {
    DemoOptions { records, machines: 300, ..DemoOptions::new(data_dir.to_owned(), Clock::fixed(NOW)) }
}

fn run_quietly(options: &DemoOptions) -> Result<Summary> {
    run(options, &mut |_| {})
}

fn open(data_dir: &Path) -> Store {
    Store::open(&StoreOptions {
        data_dir: data_dir.to_owned(),
        missing: Missing::Refuse,
        disk_reserve_bytes: 0,
        readers: 2,
        clock: Clock::fixed(NOW),
    })
    .unwrap()
}

/// Reception time and content of all records, oldest first.
fn stored(store: &Store) -> Vec<(i64, NewRecord)> {
    let page = store
        .list_records(&RecordQuery {
            filter: RecordFilter::default(),
            below_id: None,
            above_id: None,
            rows_max: 100_000,
            payload: PayloadPart::Whole,
            search_most: Duration::from_secs(60),
        })
        .unwrap();
    let rows = page.records.into_iter().rev();
    rows.map(|record| (record.received_at, record.content)).collect()
}

#[test]
fn the_same_seed_and_time_make_the_same_records() {
    let with_seed = |seed| {
        let options = DemoOptions { seed, ..options(Path::new("/nowhere"), 2_000) };
        records(&options).unwrap().collect::<Vec<_>>()
    };
    let first = with_seed(7);
    assert_eq!(first.len(), 2_000);
    assert_eq!(first, with_seed(7));
    assert_ne!(first, with_seed(8));
}

#[test]
fn five_thousand_records_hold_every_class_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen: Vec<Progress> = Vec::new();
    let summary = run(&options(dir.path(), 5_000), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!((summary.records, summary.machines), (5_000, 300));
    let whats: BTreeSet<&str> = seen.iter().map(|progress| progress.what.as_str()).collect();
    assert!(
        whats.contains("storing records") && whats.contains("building indexes") && whats.contains("done")
    );
    assert!(
        seen.windows(2).all(|pair| pair[0].done <= pair[1].done) && seen.iter().all(|p| p.total == 5_000)
    );

    let store = open(dir.path());
    assert_eq!(store.count_records().unwrap(), 5_000);
    let rows = stored(&store);
    let classes: BTreeSet<&str> = rows.iter().map(|(_, record)| record.classification.as_str()).collect();
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), CLASSIFICATIONS);
    assert!(rows.is_sorted_by_key(|(received_at, _)| *received_at));
    assert!(rows[0].0 >= NOW - 4 * WEEK_SECS && rows[0].0 < NOW - 3 * WEEK_SECS);
    assert!((NOW - 5..=NOW).contains(&rows[4_999].0));
    assert!(rows.iter().filter(|(received_at, _)| *received_at > NOW - 86_400).count() > 50);
}

#[test]
fn the_fleet_is_mixed_as_real_ones_are() {
    let made: Vec<(NewRecord, i64)> = records(&options(Path::new("/nowhere"), 20_000)).unwrap().collect();
    let count = |is_so: &dyn Fn(&NewRecord) -> bool| made.iter().filter(|(record, _)| is_so(record)).count();
    for version in 1..=4 {
        assert!(count(&|record| record.record_format_version == version) > 0, "version {version}");
    }
    assert!(count(&|record| record.record_format_version == 4) > 17_000);
    assert!((500..5_000).contains(&count(&|record| record.is_external)));
    assert!(count(&|record| record.captured_at > NOW + 86_400) < 1_000);
    let late = made.iter().filter(|(record, received_at)| received_at - record.captured_at > 300).count();
    assert!((100..6_000).contains(&late), "{late}");
    let distinct =
        |key: &dyn Fn(&NewRecord) -> String| made.iter().map(|(r, _)| key(r)).collect::<BTreeSet<_>>().len();
    assert!(distinct(&|record| record.host_type.clone()) > 25);
    assert!(distinct(&|record| record.system_name.clone().unwrap_or_default()) > 5);
    assert!(distinct(&|record| record.machine_id.clone()) > 1_000, "ids rotate");
    let clear = |record: &NewRecord| record.system_name.as_deref() == Some("clear-linux-os");
    assert!(distinct(&|record| if clear(record) { record.build.clone() } else { String::new() }) > 20);
}

#[test]
fn one_machine_s_memory_dies_and_one_build_crashes() {
    let made: Vec<(NewRecord, i64)> = records(&options(Path::new("/nowhere"), 60_000)).unwrap().collect();
    let most_of = |classification: &str, key: &dyn Fn(&NewRecord) -> String| {
        let mut counts = BTreeMap::<String, usize>::new();
        for (record, _) in made.iter().filter(|(record, _)| record.classification == classification) {
            *counts.entry(key(record)).or_default() += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        (counts[0], counts[1])
    };
    let (dying, next) = most_of("org.clearlinux/mce/corrected", &|record| record.machine_id.clone());
    assert!(dying > 5 * next, "{dying} {next}");
    let (bad, next) = most_of("org.clearlinux/crash/clr", &|record| record.build.clone());
    assert!(bad > next, "{bad} {next}");
}

#[test]
fn a_database_with_records_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    run_quietly(&options(dir.path(), 500)).unwrap();
    let before = stored(&open(dir.path()));
    let error = run_quietly(&options(dir.path(), 500)).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(
        error.message().contains("500 records") && error.message().contains("--into-existing"),
        "{error}"
    );
    assert_eq!(stored(&open(dir.path())), before);
}

#[test]
fn into_existing_adds_other_records_also_beside_a_server() {
    let dir = tempfile::tempdir().unwrap();
    run_quietly(&options(dir.path(), 500)).unwrap();
    let lock = Lock::take(dir.path(), "serve").unwrap();
    let server = open(dir.path());
    run_quietly(&DemoOptions { into_existing: true, ..options(dir.path(), 700) }).unwrap();
    assert_eq!(server.count_records().unwrap(), 1_200);
    let rows = stored(&server);
    let events: BTreeSet<_> =
        rows.iter().filter_map(|(_, record)| record.event_id).map(|id| id.to_string()).collect();
    let with_event = rows.iter().filter(|(_, record)| record.event_id.is_some()).count();
    // A crash and the line of the journal about it share their event.
    assert!(events.len() > with_event * 9 / 10, "{} {with_event}", events.len());
    drop(lock);
}

#[test]
fn an_empty_database_that_a_server_holds_is_filled_only_when_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = Store::open(&StoreOptions {
        data_dir: dir.path().to_owned(),
        missing: Missing::Create,
        disk_reserve_bytes: 0,
        readers: 2,
        clock: Clock::fixed(NOW),
    })
    .unwrap();
    let _lock = Lock::take(dir.path(), "serve").unwrap();
    assert_eq!(run_quietly(&options(dir.path(), 300)).unwrap_err().kind(), Kind::Busy);
    assert_eq!(server.count_records().unwrap(), 0);
    run_quietly(&DemoOptions { into_existing: true, ..options(dir.path(), 300) }).unwrap();
    assert_eq!(server.count_records().unwrap(), 300);
}

#[test]
fn options_out_of_bounds_are_refused() {
    let base = options(Path::new("/nowhere"), 10);
    for bad in [
        DemoOptions { records: 0, ..base.clone() },
        DemoOptions { machines: 0, ..base.clone() },
        DemoOptions { machines: 2_000_000, ..base.clone() },
        DemoOptions { agents: Some(2_000_000), ..base.clone() },
        DemoOptions { weeks: 0, ..base.clone() },
        DemoOptions { weeks: 10_000, ..base.clone() },
    ] {
        assert_eq!(run_quietly(&bad).unwrap_err().kind(), Kind::Usage, "{bad:?}");
        assert_eq!(records(&bad).err().map(|error| error.kind()), Some(Kind::Usage));
    }
    assert!(!Path::new("/nowhere").exists());
    for machines in [1, 2, 5] {
        let small = DemoOptions { machines, records: 3_000, ..base.clone() };
        assert_eq!(records(&small).unwrap().count(), 3_000);
    }
}

/// The record as the header encoding carries it.
fn header_fields(record: &NewRecord) -> Vec<(String, String)> {
    let mut fields = vec![
        ("record_format_version", record.record_format_version.to_string()),
        ("classification", record.classification.clone()),
        ("severity", record.severity.number().to_string()),
        ("machine_id", record.machine_id.clone()),
        ("creation_timestamp", record.captured_at.to_string()),
        ("arch", record.arch.clone()),
        ("host_type", record.host_type.clone()),
        ("build", record.build.clone()),
        ("kernel_version", record.kernel_version.clone()),
        ("X-Telemetry-TID", TID.to_owned()),
    ];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    add("payload_format_version", record.payload_format_version.map(|version| version.to_string()));
    add("system_name", record.system_name.clone());
    add("board_name", record.board_name.clone());
    add("cpu_model", record.cpu_model.clone());
    add("bios_version", record.bios_version.clone());
    add("event_id", record.event_id.map(|id| id.to_string()));
    add("X-CLR-External", record.is_external.then(|| "true".to_owned()));
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn the_collector_would_take_every_record_as_it_is() {
    let (mut n_payload_bytes, mut n_records) = (0, 0);
    for (record, _) in records(&options(Path::new("/nowhere"), 20_000)).unwrap() {
        let fields = header_fields(&record);
        let post = Post { fields: &fields, body: record.payload.as_bytes(), is_body_cut: false };
        let limits = Limits { tids: &[TID.to_owned()], payload_bytes_max: 300 << 10 };
        assert_eq!(accept(&post, &limits).unwrap(), record);
        n_payload_bytes += record.payload.len();
        n_records += 1;
    }
    // The mean that the disk budget is measured with.
    assert!((150..900).contains(&(n_payload_bytes / n_records)), "{}", n_payload_bytes / n_records);
}

#[test]
fn the_fleet_has_agents_investigators_and_actions() {
    let dir = tempfile::tempdir().unwrap();
    let options = DemoOptions { agents: Some(400), ..options(dir.path(), 5_000) };
    assert_eq!(run_quietly(&options).unwrap().agents, 400);
    let store = open(dir.path());
    let moment =
        Moment { now: NOW, thresholds: Liveness { period_secs: 300, offline_after_secs: 1_200 }.at(NOW) };
    assert_eq!(store.agents_where(None, moment, 0, 1).unwrap().n_agents, 400);
    let count = |target: &str| {
        let target = muster::target::parse(target).unwrap();
        store.target_agents(&target, moment, Some(1)).unwrap().n_agents
    };
    let (online, idle) = (count("status='online'"), count("status='idle'"));
    assert!(online > 200 && (5..60).contains(&idle), "{online} {idle}");
    assert!(count("tags->>'site'='lyon' AND version LIKE '2026%'") > 20);
    let actions = store.list_actions(&ActionQuery { rows_max: 100, ..ActionQuery::default() }).unwrap();
    let statuses: BTreeSet<&str> = actions.iter().map(|action| action.status.word()).collect();
    assert_eq!(
        statuses.into_iter().collect::<Vec<_>>(),
        ["cancelled", "completed", "inflight", "invalid", "scheduled"]
    );
    for action in &actions {
        let json = action.to_action().unwrap();
        assert_eq!(json.pgpsignatures.unwrap().len(), action.signers.len());
        assert!(muster::target::parse(&action.target).is_ok(), "{}", action.target);
        let is_open = action.counters.open() > 0;
        assert_eq!(is_open, action.status.word() == "inflight", "{}", action.name);
    }
    // Machines and agents meet under the id that the records have.
    let machines: BTreeSet<String> =
        stored(&store).into_iter().map(|(_, record)| record.machine_id).collect();
    let known = machines.iter().filter(|id| count(&format!("tags->>'machine_id'='{id}'")) > 0).count();
    assert!(known > 10, "{known}");
    store.stop();
    // A second demo adds others.
    run_quietly(&DemoOptions { into_existing: true, agents: Some(30), ..options.clone() }).unwrap();
    assert_eq!(open(dir.path()).agents_where(None, moment, 0, 1).unwrap().n_agents, 430);
}
