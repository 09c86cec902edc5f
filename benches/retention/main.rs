// SPDX-License-Identifier: Apache-2.0
//! The retention bench: how long posts wait while records are purged, first by the server itself, then by a command
//! beside it.
//!
//! ```text
//! cargo bench --bench retention                        # 1,000,000 records, some minutes
//! cargo bench --bench retention -- --records 50000     # a look
//! ```
//!
//! | argument | what | default |
//! |---|---|---|
//! | `--records N` | records of the demonstration fleet, over six weeks | 1,000,000 |
//! | `--dir DIR` | where the database goes | the system's temporary directory |
//!
//! One thread posts into the store of this process, a record every two milliseconds, each waited for until it is
//! durable. The older half goes by `ops::purge` in this process, all but the last day by `muster purge`. A post that
//! waits longer than 100 ms breaks the budget, is marked with `!`, and makes the bench fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench fails like a test"
)]

use muster::clock::Clock;
use muster::config::{Config, Flags};
use muster::demo::{self, DemoOptions};
use muster::model::audit::Actor;
use muster::model::record::{EventId, NewRecord, Severity};
use muster::ops::App;
use muster::ops::purge::{Mode, purge};
use muster::store::{Missing, Store, StoreOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What no post may wait longer than.
const BUDGET: Duration = Duration::from_millis(100);
/// Between two posts.
const POST_EVERY: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let records = value("--records").map_or(1_000_000, |n| n.parse().expect("--records takes a number"));
    let parent = value("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent).unwrap();
    let data_dir = directory.path().join("data");
    let clock = Clock::system();
    let mut options = DemoOptions::new(data_dir.clone(), clock.clone());
    (options.records, options.agents, options.weeks) = (records, Some(0), 6);
    let began = Instant::now();
    demo::run(&options, &mut |_| {}).unwrap();
    println!("Loaded {records} records in {:.1} s, {}", began.elapsed().as_secs_f64(), size(&data_dir));
    let config = |days: u32| {
        let path = directory.path().join("muster.toml");
        std::fs::write(&path, format!("[retention]\ndays = {days}\n")).unwrap();
        path
    };
    let app = open(&data_dir, &config(21));
    println!("| what | removed | took | posts | median | 99 % | longest |");
    println!("|---|---|---|---|---|---|---|");
    let alone = measure(&app, "nothing", || std::thread::sleep(Duration::from_secs(5)));
    let inside = measure(&app, "purge in the server", || {
        let actor = Actor::job("bench");
        purge(&app, &actor, Mode::Apply, &mut |_, _, _| true).unwrap();
    });
    println!("\nThe file: {}\n", size(&data_dir));
    let path = config(1);
    let beside = measure(&app, "`muster purge` beside it", || {
        let status = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["purge", "--data"])
            .arg(&data_dir)
            .arg("--config")
            .arg(&path)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    });
    println!("\nThe file: {}", size(&data_dir));
    if [alone, inside, beside].into_iter().max() > Some(BUDGET) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn size(data_dir: &Path) -> String {
    let bytes = std::fs::metadata(data_dir.join("muster.db")).unwrap().len();
    format!("{} MB", bytes >> 20)
}

fn open(data_dir: &Path, config: &Path) -> App {
    let flags = Flags::new(config.to_str(), data_dir.to_str());
    let config = Config::load(&flags, &[]).unwrap().config;
    let clock = Clock::system();
    let store = Store::open(&StoreOptions {
        data_dir: data_dir.to_owned(),
        missing: Missing::Refuse,
        disk_reserve_bytes: config.disk_reserve_bytes,
        readers: config.readers,
        clock: clock.clone(),
    })
    .unwrap();
    App::new(config, clock, store)
}

/// Posts while `work` runs and prints a row; the longest wait.
fn measure(app: &App, what: &str, work: impl FnOnce()) -> Duration {
    let is_over = AtomicBool::new(false);
    let before = app.store.count_records().unwrap();
    let began = Instant::now();
    let mut waits = std::thread::scope(|scope| {
        let posting = scope.spawn(|| post_until(app, &is_over));
        work();
        is_over.store(true, Ordering::Relaxed);
        posting.join().unwrap()
    });
    let took = began.elapsed();
    let removed = before + waits.len() as i64 - app.store.count_records().unwrap();
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100];
    let ms = |wait: Duration| format!("{:.1} ms", wait.as_secs_f64() * 1e3);
    let mark = if at(100) > BUDGET { " !" } else { "" };
    println!(
        "| {what} | {removed} | {:.1} s | {} | {} | {} | {}{mark} |",
        took.as_secs_f64(),
        waits.len(),
        ms(at(50)),
        ms(at(99)),
        ms(at(100)),
    );
    at(100)
}

fn post_until(app: &App, is_over: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    let first = u128::from(std::process::id()) << 64 | u128::from(app.clock.now().unsigned_abs()) << 32;
    while !is_over.load(Ordering::Relaxed) {
        let record = record(first + waits.len() as u128, app.clock.now());
        let began = Instant::now();
        app.store.insert_record(&record).unwrap();
        waits.push(began.elapsed());
        std::thread::sleep(POST_EVERY);
    }
    waits
}

fn record(number: u128, now: i64) -> NewRecord {
    NewRecord {
        record_format_version: 4,
        classification: "org.clearlinux/hello/world".into(),
        severity: Severity::ALL[(number % 4) as usize],
        machine_id: format!("{:032x}", number % 500),
        captured_at: now,
        arch: "x86_64".into(),
        host_type: "Vendor|Model|1".into(),
        build: "41890".into(),
        kernel_version: "6.1".into(),
        payload_format_version: Some(1),
        system_name: Some("clear-linux-os".into()),
        board_name: Some("Board|Vendor".into()),
        cpu_model: Some("CPU".into()),
        bios_version: Some("1".into()),
        event_id: Some(EventId(number.to_be_bytes())),
        is_external: false,
        payload: "a payload\n".repeat(50),
    }
}
