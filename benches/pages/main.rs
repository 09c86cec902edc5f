// SPDX-License-Identifier: Apache-2.0
//! The pages bench: how fast every page and every aggregate answers on a large database, beside a small one, and how
//! fast stored crashes follow a changed blacklist.
//!
//! ```text
//! cargo bench --bench pages                    # everything, some minutes
//! cargo bench --bench pages -- --quick         # a look: seconds
//! ```
//!
//! | argument | what | default |
//! |---|---|---|
//! | `--records N` | records in the large database | 1,000,000 |
//! | `--data DIR` | a database that `muster demo` made, instead; with posts it is written to | |
//! | `--small N` | records in the small one | 10,000 |
//! | `--requests N` | requests for each address, 8 at most for those that look at every record | 40 |
//! | `--dir DIR` | where the databases go | the system's temporary directory |
//! | `--with-posts` | the large one takes records meanwhile, half of what 8 connections can post | |
//! | `--all` | a row for each address, not only for the slowest of a page and for what breaks a budget | |
//! | `--crashes N` | crashes in the database whose blacklist is changed | 100,000 |
//! | `--no-pages`, `--no-recompute` | leave out a half | |
//! | `--quick` | 20,000 records, 2,000 in the small one, 5 requests, 5,000 crashes | |
//!
//! Each page is asked for with parameters that a person would click, chosen from what the database holds; its JSON
//! twin with the same. Both servers are asked in turn over one kept connection each. An answer other than 200 stands
//! in the table and makes the bench fail at its end; a broken budget is marked with `!`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench fails like a test"
)]

mod client;
mod database;
#[path = "../load/disk.rs"]
mod disk;
mod facts;
mod measure;
mod posts;
mod recompute;
#[path = "../load/server.rs"]
#[allow(dead_code, reason = "what only the load bench starts")]
mod server;
mod table;
mod variants;

use client::Client;
use facts::Facts;
use posts::Posting;
use server::{Muster, Target};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use table::{Conditions, grouped, ms};

/// How long posts are counted before half of them is the pace.
const PACE_AFTER: Duration = Duration::from_secs(3);

/// What the command line asks for.
struct Options {
    records: u64,
    data: Option<PathBuf>,
    small: u64,
    requests: usize,
    dir: PathBuf,
    has_posts: bool,
    shows_all: bool,
    crashes: u64,
    has_pages: bool,
    has_recompute: bool,
}

fn main() -> ExitCode {
    let options = options(std::env::args().skip(1));
    let scratch = tempfile::Builder::new().prefix("muster-bench").tempdir_in(&options.dir).unwrap();
    print_conditions(scratch.path());
    let mut is_whole = true;
    if options.has_pages {
        is_whole &= pages(&options, scratch.path());
    }
    if options.has_recompute {
        is_whole &= recompute::run(&scratch.path().join("crashes"), options.crashes);
    }
    print_conditions(scratch.path());
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the figures depend on: the disk, and what else the machine does.
fn print_conditions(scratch: &Path) {
    let (p50, p99) = disk::fdatasync_times(scratch);
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "fdatasync: p50 {} ms, p99 {} ms; {processors} processors, load average {}\n",
        ms(p50),
        ms(p99),
        busy.split(' ').next().unwrap_or("unknown")
    );
}

/// Measures the pages; false where one did not answer as it should.
fn pages(options: &Options, scratch: &Path) -> bool {
    let large_dir = match &options.data {
        Some(dir) => dir.clone(),
        None => demo(&scratch.join("large"), options.records),
    };
    let small_dir = demo(&scratch.join("small"), options.small);
    let mut large = Muster::start("muster, large", &large_dir);
    let small = Muster::start("muster, small", &small_dir);
    let mut clients = [large.process().address, small.process().address].map(Client::new);
    let [at_large, at_small] = &mut clients;
    let facts = [Facts::ask(at_large), Facts::ask(at_small)];
    let wanted = variants::variants(at_large, &facts[0]);
    let pairs = measure::pairs(wanted, &variants::variants(at_small, &facts[1]));
    let conditions = Conditions {
        records: facts[0].newest_id(),
        small_records: facts[1].newest_id(),
        has_posts: options.has_posts,
        shows_all: options.shows_all,
    };
    let posting = options.has_posts.then(|| start_posts(&mut large));
    let measured = measure::measure(&pairs, at_large, at_small, options.requests);
    let mut is_whole = true;
    if let Some(posting) = posting {
        let posted = posting.stop();
        large.add_stored(posted.posts.len() as u64);
        is_whole = posted.n_errors == 0;
    }
    is_whole &= table::print(&measured, conditions);
    // Servers that stop wait for kept connections.
    drop(clients);
    for muster in [small, large] {
        muster.stop_and_compare();
    }
    println!();
    is_whole
}

fn demo(dir: &Path, records: u64) -> PathBuf {
    let took = database::make_demo(dir, records);
    println!("{} records of a demo in {:.1} s\n", grouped(records as i64), took.as_secs_f64());
    dir.to_owned()
}

/// Posts for a while as fast as it goes, and from then on half as fast.
fn start_posts(muster: &mut Muster) -> Posting {
    let address = muster.process().address;
    let whole = Posting::start(address, database::other_fleet(), None);
    std::thread::sleep(PACE_AFTER);
    let posted = whole.stop();
    let rate = posted.posts.len() as f64 / PACE_AFTER.as_secs_f64();
    muster.add_stored(posted.posts.len() as u64);
    println!(
        "posts: {}/s over 8 connections, {}/s from here on\n",
        grouped(rate as i64),
        grouped(rate as i64 / 2)
    );
    // What was posted already would be taken for sent again.
    let rest = database::other_fleet().skip(posted.posts.len() + 10_000);
    Posting::start(address, rest, Some(rate / 2.0))
}

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        records: 1_000_000,
        data: None,
        small: 10_000,
        requests: 40,
        dir: std::env::temp_dir(),
        has_posts: false,
        shows_all: false,
        crashes: 100_000,
        has_pages: true,
        has_recompute: true,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            // Cargo passes this one to every bench.
            "--bench" => {}
            "--records" => options.records = value().parse().expect("--records takes a number"),
            "--data" => options.data = Some(value().into()),
            "--small" => options.small = value().parse().expect("--small takes a number"),
            "--requests" => options.requests = value().parse().expect("--requests takes a number"),
            "--dir" => options.dir = value().into(),
            "--with-posts" => options.has_posts = true,
            "--all" => options.shows_all = true,
            "--crashes" => options.crashes = value().parse().expect("--crashes takes a number"),
            "--no-pages" => options.has_pages = false,
            "--no-recompute" => options.has_recompute = false,
            "--quick" => {
                (options.records, options.small, options.requests) = (20_000, 2_000, 5);
                options.crashes = 5_000;
            }
            other => panic!("unknown argument {other}; the head of benches/pages/main.rs names all"),
        }
    }
    options
}
