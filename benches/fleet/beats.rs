// SPDX-License-Identifier: Apache-2.0
//! Heartbeats: how many a second, what they cost at the pace of a real fleet, and that one agent stays one.

use crate::load::{Load, Mode, connect, measure};
use crate::rates::{at, ms};
use crate::request::{self, Answers, Request};
use crate::server::Process;
use muster::clock::Clock;
use muster::model::agent::Liveness;
use muster::store::fleet::Moment;
use muster::store::{Missing, Store, StoreOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Connections of the first measurement, and agents that come at once in the second.
const CONNECTIONS: usize = 64;
/// Connections that carry the beats of a paced fleet.
const PACED_CONNECTIONS: usize = 4;
/// The number of the agent that comes 64 times at once.
const ONE: u64 = 9_999_999;

/// Heartbeats of `agents` agents over 64 kept connections: first all of them new, then as fast as they go.
pub fn run(process: &Process, agents: u64, seconds: f64) -> bool {
    request::set_agents(agents);
    let began = Instant::now();
    let mut load = Load::default();
    // All of them once, so that what is measured afterwards knows them.
    while load.n_created < agents && load.n_errors == 0 && began.elapsed() < Duration::from_secs(120) {
        let next = measure(process.address, Mode::KeepAlive, CONNECTIONS, Duration::from_millis(500));
        load.n_created += next.n_created;
        load.n_errors += next.n_errors;
        load.first_error = load.first_error.take().or(next.first_error);
        load.micros.extend(next.micros);
    }
    print("first heartbeats, in part known ones", load, began.elapsed());
    let (began, before) = (Instant::now(), process.usage());
    let load = measure(process.address, Mode::KeepAlive, CONNECTIONS, Duration::from_secs_f64(seconds));
    let cpu = process.usage().cpu - before.cpu;
    let is_whole = load.n_errors == 0;
    println!(
        "CPU of the server meanwhile: {:.0} %",
        100.0 * cpu.as_secs_f64() / began.elapsed().as_secs_f64()
    );
    print(&format!("heartbeats of {agents} agents over {CONNECTIONS} connections"), load, began.elapsed());
    is_whole
}

fn print(what: &str, mut load: Load, elapsed: Duration) {
    load.micros.sort_unstable();
    let time = |part: f64| ms(Duration::from_micros(at(&load.micros, part).copied().unwrap_or(0).into()));
    let rate = if load.rate > 0.0 { load.rate } else { load.n_created as f64 / elapsed.as_secs_f64() };
    println!(
        "{what}: {rate:.0}/s, p50 {}, p99 {}, {} stored, {} errors {}",
        time(0.5),
        time(0.99),
        load.n_created,
        load.n_errors,
        load.first_error.unwrap_or_default()
    );
}

/// Sixty-four first heartbeats of one agent at once: true where that makes one row.
pub fn one_agent_at_once(address: SocketAddr, data_dir: &Path) -> bool {
    let barrier = Barrier::new(CONNECTIONS);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..CONNECTIONS)
            .map(|client| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut stream = connect(address, client).unwrap();
                    let mut request = Request::new(client, true);
                    barrier.wait();
                    stream.write_all(request.of(ONE)).unwrap();
                    Answers::default().read(&mut stream).unwrap_or(0)
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let stored = statuses.iter().filter(|status| **status == 200).count();
    let rows = count(data_dir, &format!("name='{}'", request::name(ONE)));
    println!("{CONNECTIONS} first heartbeats of one agent at once: {stored} answered 200, {rows} rows");
    rows == 1 && stored == CONNECTIONS
}

/// How many agents there are of which a condition holds.
fn count(data_dir: &Path, condition: &str) -> usize {
    let clock = Clock::system();
    let now = clock.now();
    let store = Store::open(&StoreOptions {
        data_dir: data_dir.to_owned(),
        missing: Missing::Refuse,
        disk_reserve_bytes: 0,
        readers: 1,
        clock,
    })
    .unwrap();
    let thresholds = Liveness { period_secs: 300, offline_after_secs: 1_200 }.at(now);
    let condition = muster::target::parse(condition).unwrap();
    let page = store.agents_where(Some(&condition), Moment { now, thresholds }, 0, 1).unwrap();
    store.stop();
    page.n_agents
}

/// What `agents` agents that beat once a minute cost the server.
pub fn paced(process: &Process, agents: u64, seconds: f64) -> bool {
    let rate = agents as f64 / 60.0;
    let (began, before) = (Instant::now(), process.usage());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..PACED_CONNECTIONS)
            .map(|client| {
                let address = process.address;
                scope.spawn(move || beat_in_pace(address, client, rate / PACED_CONNECTIONS as f64, seconds))
            })
            .collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    let elapsed = began.elapsed().as_secs_f64();
    let after = process.usage();
    times.sort_unstable();
    let time = |part: f64| ms(at(&times, part).copied().unwrap_or_default());
    println!(
        "{agents} agents that beat every minute ({:.0}/s sent over {elapsed:.0} s): CPU of the server {:.1} % of one processor, \
         p50 {}, p99 {}, {} KB written a second, memory {} MB",
        times.len() as f64 / elapsed,
        100.0 * (after.cpu - before.cpu).as_secs_f64() / elapsed,
        time(0.5),
        time(0.99),
        ((after.written_bytes - before.written_bytes) as f64 / elapsed / 1_024.0).round(),
        after.rss_kib / 1_024,
    );
    times.len() as f64 >= 0.95 * rate * seconds
}

fn beat_in_pace(address: SocketAddr, client: usize, rate: f64, seconds: f64) -> Vec<Duration> {
    let mut stream = connect(address, client).unwrap();
    let (mut request, mut answers) = (Request::new(client, true), Answers::default());
    let began = Instant::now();
    let mut times = Vec::new();
    for number in 0..(rate * seconds) as u64 {
        let due = Duration::from_secs_f64(number as f64 / rate);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let sent_at = Instant::now();
        stream.write_all(request.next()).unwrap();
        if answers.read(&mut stream).unwrap() != 200 {
            return times;
        }
        times.push(sent_at.elapsed());
    }
    times
}
