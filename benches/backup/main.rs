// SPDX-License-Identifier: Apache-2.0
//! The backup bench: how many posts get through while `muster backup` copies the database beside them, and how long
//! the log grows.
//!
//! ```text
//! cargo bench --bench backup                        # 1,000,000 records, some minutes
//! cargo bench --bench backup -- --records 50000     # a look
//! ```
//!
//! | argument | what | default |
//! |---|---|---|
//! | `--records N` | records of the demonstration fleet, over six weeks | 1,000,000 |
//! | `--rounds N` | measurements, with and without a backup in turn | 3 |
//! | `--dir DIR` | where the database and the backups go | the system's temporary directory |
//!
//! Sixty-four threads post records of the demonstration fleet into the store of this process as fast as they become
//! durable. Fewer posts than half of those without a backup break the budget, are marked with `!`, and make the bench
//! fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench fails like a test"
)]

use muster::clock::Clock;
use muster::demo::{self, DemoOptions};
use muster::model::record::{EventId, NewRecord};
use muster::store::{Missing, Store, StoreOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Threads that post.
const POSTERS: usize = 64;
/// Different records that are posted, each again and again with another event id.
const SAMPLES: usize = 20_000;
/// Between two looks at the log.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// After a backup: how long the log may take to be emptied.
const SETTLE: Duration = Duration::from_secs(5);

/// What one measurement gave.
struct Measured {
    posts_per_sec: f64,
    longest: Duration,
    wal_bytes_max: u64,
    took: Duration,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let records = value("--records").map_or(1_000_000, |n| n.parse().expect("--records takes a number"));
    let rounds = value("--rounds").map_or(3, |n| n.parse().expect("--rounds takes a number"));
    let parent = value("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent).unwrap();
    let data_dir = directory.path().join("data");
    let clock = Clock::system();
    let mut options = DemoOptions::new(data_dir.clone(), clock.clone());
    (options.records, options.agents, options.weeks) = (records, Some(0), 6);
    demo::run(&options, &mut |_| {}).unwrap();
    let samples: Vec<NewRecord> = demo::records(&DemoOptions { seed: 2, ..options })
        .unwrap()
        .take(SAMPLES)
        .map(|(record, _)| record)
        .collect();
    let store = Store::open(&StoreOptions {
        data_dir: data_dir.clone(),
        missing: Missing::Refuse,
        disk_reserve_bytes: 64_000_000,
        readers: 4,
        clock,
    })
    .unwrap();
    println!("{records} records, {} MB\n", std::fs::metadata(store.path()).unwrap().len() >> 20);
    println!("| what | took | posts/s | longest post | log at most |");
    println!("|---|---|---|---|---|");
    let next = AtomicU64::new(0);
    let mut is_kept = true;
    for round in 0..rounds {
        let alone = measure(&store, &samples, &next, || std::thread::sleep(Duration::from_secs(5)));
        print_row("posts alone", &alone, "");
        let target = directory.path().join(format!("{round}.backup"));
        let beside = measure(&store, &samples, &next, || backup(&data_dir, &target));
        let is_enough = beside.posts_per_sec * 2.0 >= alone.posts_per_sec;
        is_kept &= is_enough;
        print_row("beside a backup", &beside, if is_enough { "" } else { " !" });
        let after = measure(&store, &samples, &next, || std::thread::sleep(SETTLE));
        print_row("after it", &after, "");
        std::fs::remove_file(target).unwrap();
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_row(what: &str, measured: &Measured, mark: &str) {
    println!(
        "| {what} | {:.1} s | {:.0}{mark} | {:.0} ms | {} MB |",
        measured.took.as_secs_f64(),
        measured.posts_per_sec,
        measured.longest.as_secs_f64() * 1e3,
        measured.wal_bytes_max >> 20
    );
}

fn backup(data_dir: &Path, target: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["backup", "--data"])
        .arg(data_dir)
        .arg(target)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// Posts while `work` runs.
fn measure(store: &Store, samples: &[NewRecord], next: &AtomicU64, work: impl FnOnce()) -> Measured {
    let (is_over, posts, wal_bytes_max) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let longest_ns = AtomicU64::new(0);
    let wal = store.path().with_extension("db-wal");
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..POSTERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let mut record = samples[number as usize % samples.len()].clone();
                    record.event_id = record.event_id.map(|_| EventId(u128::from(number).to_be_bytes()));
                    let sent = Instant::now();
                    store.insert_record(&record).unwrap();
                    longest_ns.fetch_max(sent.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    posts.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let bytes = std::fs::metadata(&wal).map_or(0, |wal| wal.len());
                wal_bytes_max.fetch_max(bytes, Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        work();
        is_over.store(true, Ordering::Relaxed);
    });
    let took = began.elapsed();
    Measured {
        posts_per_sec: posts.into_inner() as f64 / took.as_secs_f64(),
        longest: Duration::from_nanos(longest_ns.into_inner()),
        wal_bytes_max: wal_bytes_max.into_inner(),
        took,
    }
}
