// SPDX-License-Identifier: Apache-2.0
//! The fleet bench: heartbeats, questions about many agents, an action to agents that wait; all of the release binary.
//!
//! ```text
//! cargo bench --bench fleet                    # everything, two minutes
//! cargo bench --bench fleet -- --quick         # a look: seconds
//! ```
//!
//! | argument | what | default |
//! |---|---|---|
//! | `--agents N` | agents of the database that is asked | 100,000 |
//! | `--beating N` | agents that beat | 10,000 |
//! | `--waiting N` | agents that wait for an action | 1,000 |
//! | `--seconds N` | length of a measurement of heartbeats | 5 |
//! | `--paced-seconds N` | length of the measurement at the pace of a fleet | 20 |
//! | `--requests N` | requests for each question, 5 for those that take half a second | 40 |
//! | `--dir DIR` | where the databases go | the system's temporary directory |
//! | `--no-beats`, `--no-questions`, `--no-action` | leave out a part | |
//! | `--quick` | 2,000 agents, 500 beating, 100 waiting, 1 s, 3 s, 5 requests | |
//!
//! An answer that is not as it should be, a result that is missing, or a second row of one agent makes the bench fail
//! at its end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench fails like a test"
)]

mod action;
mod beats;
#[path = "../pages/client.rs"]
#[allow(dead_code, reason = "what only the pages bench asks")]
mod client;
#[path = "../load/disk.rs"]
mod disk;
#[path = "../../tests/it/support/gpg.rs"]
#[allow(dead_code, reason = "what only tests sign")]
mod gpg;
#[path = "../load/load.rs"]
mod load;
mod queries;
mod rates;
#[path = "../load/request.rs"]
#[allow(dead_code, reason = "only its reading of answers is used")]
mod record_request;
mod request;
#[path = "../load/server.rs"]
#[allow(dead_code, reason = "what only the load bench starts")]
mod server;

use action::Signer;
use muster::clock::Clock;
use muster::demo::DemoOptions;
use rates::ms;
use server::{Muster, Target};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// What the command line asks for.
struct Options {
    agents: usize,
    beating: u64,
    waiting: u64,
    seconds: f64,
    paced_seconds: f64,
    requests: usize,
    dir: PathBuf,
    has_beats: bool,
    has_questions: bool,
    has_action: bool,
}

fn main() -> ExitCode {
    let options = options(std::env::args().skip(1));
    let scratch = tempfile::Builder::new().prefix("muster-bench").tempdir_in(&options.dir).unwrap();
    print_conditions(scratch.path());
    let mut is_whole = true;
    if options.has_beats {
        let dir = scratch.path().join("beats");
        let muster = Muster::start("muster", &dir);
        is_whole &= beats::run(muster.process(), options.beating, options.seconds);
        is_whole &= beats::one_agent_at_once(muster.process().address, &dir);
        is_whole &= beats::paced(muster.process(), options.beating, options.paced_seconds);
        muster.stop_and_compare();
    }
    if options.has_questions {
        let dir = scratch.path().join("questions");
        make_demo(&dir, options.agents);
        let api_key = investigator(&dir, None);
        let muster = Muster::start("muster, large", &dir);
        is_whole &= queries::run(muster.process(), &api_key, options.agents, options.requests);
        muster.stop_and_compare();
    }
    if options.has_action {
        let dir = scratch.path().join("action");
        let signer = Signer::new();
        let api_key = investigator(&dir, Some(&signer.public_key()));
        let connections = (4 * options.waiting).to_string();
        let muster = Muster::start_with("muster", &dir, &[("MUSTER_HTTP_CONNECTIONS_MAX", &connections)]);
        is_whole &= action::run(muster.process(), &signer, &api_key, options.waiting);
        muster.stop_and_compare();
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
        "fdatasync p50 {}, p99 {}; {processors} processors, load average {}\n",
        ms(p50),
        ms(p99),
        busy.split(' ').next().unwrap_or("unknown")
    );
}

fn make_demo(dir: &Path, agents: usize) {
    let options = DemoOptions {
        records: 20_000,
        agents: Some(agents),
        ..DemoOptions::new(dir.to_owned(), Clock::system())
    };
    let began = Instant::now();
    muster::demo::run(&options, &mut |_| {}).unwrap();
    let bytes = std::fs::metadata(dir.join("muster.db")).unwrap().len();
    println!(
        "demo: {agents} agents and 20000 records in {:.1} s, {} MB",
        began.elapsed().as_secs_f64(),
        bytes >> 20
    );
}

/// Adds an investigator who may everything, and gives the API key.
fn investigator(dir: &Path, public_key: Option<&str>) -> String {
    let mut arguments = vec!["add", "--name", "Bench", "--permissions", "all"];
    let key_file = dir.with_extension("asc");
    if let Some(public_key) = public_key {
        std::fs::write(&key_file, public_key).unwrap();
        arguments.extend(["--key", key_file.to_str().unwrap()]);
    }
    muster_says(dir, &arguments);
    let said = muster_says(dir, &["apikey", "Bench"]);
    let is_key = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    said.split_whitespace().find(is_key).unwrap_or_else(|| panic!("no key in {said:?}")).to_owned()
}

fn muster_says(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("investigator").args(arguments).arg("--data").arg(dir);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        agents: 100_000,
        beating: 10_000,
        waiting: 1_000,
        seconds: 5.0,
        paced_seconds: 20.0,
        requests: 40,
        dir: std::env::temp_dir(),
        has_beats: true,
        has_questions: true,
        has_action: true,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--agents" => options.agents = value().parse().unwrap(),
            "--beating" => options.beating = value().parse().unwrap(),
            "--waiting" => options.waiting = value().parse().unwrap(),
            "--seconds" => options.seconds = value().parse().unwrap(),
            "--paced-seconds" => options.paced_seconds = value().parse().unwrap(),
            "--requests" => options.requests = value().parse().unwrap(),
            "--dir" => options.dir = value().into(),
            "--no-beats" => options.has_beats = false,
            "--no-questions" => options.has_questions = false,
            "--no-action" => options.has_action = false,
            "--quick" => {
                (options.agents, options.beating, options.waiting) = (2_000, 500, 100);
                (options.seconds, options.paced_seconds, options.requests) = (1.0, 3.0, 5);
            }
            // cargo says this to every bench.
            "--bench" => {}
            _ => panic!("{argument} is not known; the table at the top of benches/fleet/main.rs tells all"),
        }
    }
    options
}
