// SPDX-License-Identifier: Apache-2.0
//! The load bench: how fast the release binary takes records in, beside a server that does nothing.
//!
//! ```text
//! cargo bench --bench load                     # everything, some minutes
//! cargo bench --bench load -- --quick          # a look: seconds
//! ```
//!
//! | argument | what | default |
//! |---|---|---|
//! | `--seconds N` | length of one measurement | 3 |
//! | `--rounds N` | measurements of each cell; the median is shown | 3 |
//! | `--connections N` | only this many connections | 1, 8 and 64 |
//! | `--preload N` | records in the second database | 1,000,000 |
//! | `--dir DIR` | where the databases go: the disk that is measured | the system's temporary directory |
//! | `--data DIR` | a database that `muster demo` made, instead of the preload; it is written to | |
//! | `--no-storm` | leave out the storms | |
//! | `--only-storm` | nothing but the storms, each on a new database | |
//! | `--quick` | 1 round of 1 s, 20,000 records preloaded, a small storm | |
//!
//! Every record has its own event id and the time of now, as from a fleet of real clients. The servers run side by side
//! and are measured in turn, so that a noisy machine is noisy for all. After each server has stopped, the records
//! in its database are counted against the 201s.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench fails like a test"
)]

mod disk;
mod load;
mod report;
mod request;
mod server;
mod storm;

use load::{Mode, measure};
use report::{Cell, Row};
use server::{Idle, Muster, Target};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the command line asks for.
struct Options {
    seconds: f64,
    rounds: usize,
    connections: Vec<usize>,
    preload: u64,
    dir: PathBuf,
    data: Option<PathBuf>,
    has_storm: bool,
    is_only_storm: bool,
    storm_clients: usize,
}

fn main() {
    if let Ok(kind) = std::env::var(server::IDLE_VARIABLE) {
        server::run_idle(&kind);
        return;
    }
    let options = options(std::env::args().skip(1));
    let scratch = tempfile::Builder::new().prefix("muster-bench").tempdir_in(&options.dir).unwrap();
    print_conditions(&options.dir, scratch.path());
    if options.is_only_storm {
        let mut plain = Muster::start("muster, new", &scratch.path().join("plain"));
        storm::run(&mut plain, options.storm_clients);
        plain.stop_and_compare();
        storm_over_tls(&options, scratch.path());
        return;
    }
    let full_dir = match &options.data {
        Some(dir) => dir.clone(),
        None => preload(&scratch.path().join("full"), options.preload),
    };
    let preloaded = server::count_records(&full_dir);
    let mut empty = Muster::start("muster, empty", &scratch.path().join("empty"));
    let mut full = Muster::start(&format!("muster, {} records", report::grouped(preloaded)), &full_dir);
    let pool = Idle::start("rouille, pool of 8", "pool");
    let default = Idle::start("rouille, default", "default");

    let mut rows = Vec::new();
    for mode in [Mode::KeepAlive, Mode::NewConnection] {
        for &connections in &options.connections {
            let targets: [&mut dyn Target; 4] = [&mut empty, &mut full, &mut Ref(&pool), &mut Ref(&default)];
            rows.extend(measure_in_turn(&options, mode, connections, targets));
        }
    }
    report::print_table(&rows);
    if options.has_storm {
        storm::run(&mut empty, options.storm_clients);
    }
    for muster in [empty, full] {
        muster.stop_and_compare();
    }
    if options.has_storm {
        storm_over_tls(&options, scratch.path());
    }
    print_conditions(&options.dir, scratch.path());
}

/// On a server of its own, whose memory is then the storm's.
fn storm_over_tls(options: &Options, scratch: &Path) {
    let data_dir = scratch.join("tls");
    let mut muster = Muster::start_tls("muster over TLS", &data_dir);
    storm::run_tls(&mut muster, options.storm_clients, &data_dir.join("tls/ca.pem"));
    muster.stop_and_compare();
}

/// What the figures depend on: the disk, and what else the machine does.
fn print_conditions(dir: &Path, scratch: &Path) {
    let (p50, p99) = disk::fdatasync_times(scratch);
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "fdatasync on {}: p50 {}, p99 {}; {processors} processors, load average {}\n",
        dir.display(),
        ms(p50),
        ms(p99),
        busy.split(' ').next().unwrap_or("unknown")
    );
}

/// An idle server as a target: it has nothing to keep.
struct Ref<'a>(&'a Idle);

impl Target for Ref<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn process(&self) -> &server::Process {
        &self.0.process
    }

    fn add_stored(&mut self, _: u64) {}
}

fn measure_in_turn(
    options: &Options,
    mode: Mode,
    connections: usize,
    mut targets: [&mut dyn Target; 4],
) -> Vec<Row> {
    let mut cells: Vec<Vec<Cell>> = targets.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (target, cells) in targets.iter_mut().zip(&mut cells) {
            let before = target.process().usage();
            let own_before = server::own_cpu();
            let began = Instant::now();
            let duration = Duration::from_secs_f64(options.seconds);
            let address = target.process().address;
            let load = measure(address, mode, connections, duration);
            let elapsed = began.elapsed();
            target.add_stored(load.n_created);
            let after = target.process().usage();
            cells.push(Cell::new(
                load,
                &before,
                &after,
                (server::own_cpu() - own_before).div_f64(elapsed.as_secs_f64()),
            ));
        }
    }
    let rows: Vec<Row> = targets
        .iter()
        .zip(cells)
        .map(|(target, cells)| Row::median(target.name(), mode, connections, &cells))
        .collect();
    for row in &rows {
        eprintln!("{}", row.line());
    }
    rows
}

fn preload(dir: &Path, records: u64) -> PathBuf {
    use muster::demo::{DemoOptions, run};
    let options = DemoOptions { records, ..DemoOptions::new(dir.to_owned(), muster::clock::Clock::system()) };
    let began = Instant::now();
    run(&options, &mut |_| {}).unwrap();
    let took = began.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(dir.join("muster.db")).unwrap().len();
    println!(
        "demo: {} records in {took:.1} s, {} records/s with indexes, {} bytes each on the disk\n",
        report::grouped(records),
        report::grouped((records as f64 / took) as u64),
        bytes / records.max(1)
    );
    dir.to_owned()
}

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        seconds: 3.0,
        rounds: 3,
        connections: vec![1, 8, 64],
        preload: 1_000_000,
        dir: std::env::temp_dir(),
        data: None,
        has_storm: true,
        is_only_storm: false,
        storm_clients: 500,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            // Cargo passes this one to every bench.
            "--bench" => {}
            "--seconds" => options.seconds = value().parse().expect("--seconds takes a number"),
            "--rounds" => options.rounds = value().parse().expect("--rounds takes a number"),
            "--connections" => {
                options.connections = vec![value().parse().expect("--connections takes a number")]
            }
            "--preload" => options.preload = value().parse().expect("--preload takes a number"),
            "--dir" => options.dir = value().into(),
            "--data" => options.data = Some(value().into()),
            "--only-storm" => options.is_only_storm = true,
            "--no-storm" => options.has_storm = false,
            "--quick" => {
                (options.seconds, options.rounds, options.preload) = (1.0, 1, 20_000);
                (options.connections, options.storm_clients) = (vec![8, 64], 50);
            }
            other => panic!("unknown argument {other}; the head of benches/load/main.rs names all"),
        }
    }
    options
}

/// A duration in milliseconds.
fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
