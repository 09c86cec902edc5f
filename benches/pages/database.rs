// SPDX-License-Identifier: Apache-2.0
//! The databases that are measured: a believable fleet's, and one of crashes alone with thousands of different
//! backtraces.

use muster::clock::Clock;
use muster::demo::DemoOptions;
use muster::guilty::Trace;
use muster::model::record::{EventId, NewRecord, Severity};
use muster::store::bulk::BulkLoad;
use muster::store::{Lock, Missing, Store, StoreOptions};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Payloads as the crash probe sent them; every crash of the crash database is one of these with other frames.
const SAMPLES: [&str; 4] = [
    include_str!("../../tests/data/payloads/crash-abort.txt"),
    include_str!("../../tests/data/payloads/crash-c.txt"),
    include_str!("../../tests/data/payloads/crash-cpp.txt"),
    include_str!("../../tests/data/payloads/crash-stripped.txt"),
];

/// Different backtraces of the crash database.
pub const BACKTRACES: u64 = 5_000;
/// Functions that are guilty in it once [`CULPRIT`] is not any more.
const FUNCTIONS: u64 = 300;
/// A function near the top of every backtrace of the crash database: guilty of all, until it is in the blacklist.
/// Above it, in every second backtrace, is [`ABORT`].
pub const CULPRIT: &str = "report_fault [/usr/lib64/libfault.so.1]";
/// A function of the shipped list.
const ABORT: &str = "abort() - [libc.so.6] - ./stdlib/abort.c:79";

/// A fleet's records over six weeks that end now; how long it took.
pub fn make_demo(dir: &Path, records: u64) -> Duration {
    let began = Instant::now();
    muster::demo::run(&demo_options(dir, records), &mut |_| {}).unwrap();
    began.elapsed()
}

fn demo_options(dir: &Path, records: u64) -> DemoOptions {
    DemoOptions { records, weeks: 6, ..DemoOptions::new(dir.to_owned(), Clock::system()) }
}

/// Records of another fleet of the same kind, for posting: more than a bench can post.
pub fn other_fleet() -> impl Iterator<Item = NewRecord> + Send {
    let options = DemoOptions { seed: 2, ..demo_options(Path::new(""), 20_000_000) };
    muster::demo::records(&options).unwrap().map(|(record, _)| record)
}

/// Fills the database in `dir` with crashes of programs.
pub fn make_crashes(dir: &Path, records: u64) {
    let options = StoreOptions {
        data_dir: dir.to_owned(),
        missing: Missing::Create,
        disk_reserve_bytes: 0,
        readers: 1,
        clock: Clock::system(),
    };
    Store::open(&options).unwrap().stop();
    let _lock = Lock::take(dir, "bench").unwrap();
    let mut load = BulkLoad::begin(dir, true).unwrap();
    let fleet = muster::demo::records(&demo_options(dir, records)).unwrap();
    for (number, (record, received_at)) in (0..).zip(fleet) {
        load.insert(crash(record, number), received_at).unwrap();
    }
    load.finish(|_| {}).unwrap();
}

/// Crashes for posting, like those of the crash database.
pub fn new_crashes() -> impl Iterator<Item = NewRecord> + Send {
    // The top bit keeps their event ids apart from those that are stored.
    (1 << 63..).zip(other_fleet()).map(|(number, record)| crash(record, number))
}

fn crash(record: NewRecord, number: u64) -> NewRecord {
    let mixed = mix(number);
    // Some backtraces are frequent and many are rare, as in life.
    let part = (mixed >> 11) as f64 / (1u64 << 53) as f64;
    let variant = (part.powi(3) * BACKTRACES as f64) as u64;
    NewRecord {
        classification: "org.clearlinux/crash/clr".to_owned(),
        severity: Severity::High,
        payload_format_version: record.payload_format_version.map(|_| 1),
        event_id: record
            .event_id
            .map(|_| EventId((u128::from(mixed) << 64 | u128::from(number)).to_le_bytes())),
        payload: payload(variant, number),
        ..record
    }
}

/// A sample with some frames of our own on top.
fn payload(variant: u64, number: u64) -> String {
    let sample = SAMPLES[(variant % SAMPLES.len() as u64) as usize];
    let mut text = String::with_capacity(sample.len() + 600);
    let head = sample.find("#0 ").unwrap();
    text.push_str(&sample[..head]);
    let (culprit, module) = CULPRIT.split_once(' ').unwrap();
    let mut frames: Vec<String> = Vec::new();
    if variant.is_multiple_of(2) {
        frames.push(ABORT.to_owned());
    }
    frames.push(format!("{culprit}() - {module} - src/fault.c:{}", 10 + number % 7));
    for place in 0..1 + mix(variant) % 8 {
        let function = if place == 0 { variant % FUNCTIONS } else { mix(variant ^ place << 32) % FUNCTIONS };
        let (module, line) = (function % 40, number % 900);
        frames.push(format!("step_{function}() - [/usr/lib64/libpart{module}.so.3] - src/step.c:{line}"));
    }
    let parsed = Trace::parse(sample);
    let below = parsed.crashing().iter().map(|frame| format!("{} - [{}]", frame.function, frame.module));
    for (place, frame) in frames.into_iter().chain(below).enumerate() {
        writeln!(text, "#{place} {frame}").unwrap();
    }
    text
}

/// A number that looks random.
fn mix(number: u64) -> u64 {
    let mixed =
        (number ^ number >> 30).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) ^ mixed >> 31
}
