// SPDX-License-Identifier: Apache-2.0
//! Thousands of commands: none is lost, and it does not take long.

use super::{Fleet, action, wait_for};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Commands of the test; `MUSTER_MANY` says another number.
const COMMANDS: usize = 2_000;
const WORKERS: usize = 32;

#[test]
fn thousands_of_commands_are_made_fetched_answered_and_stored() {
    let n = std::env::var("MUSTER_MANY").map_or(COMMANDS, |n| n.parse().unwrap());
    let fleet = Fleet::start(n);
    let begun = Instant::now();
    let id = fleet.submit(&action("many"));
    let until = begun + Duration::from_secs(120);
    while fleet.status(id) != "inflight" {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    let prepared = begun.elapsed();
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut agent = fleet.agent(1);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > n {
                        return;
                    }
                    (agent.n, agent.instance) = (number, format!("start-of-{number}"));
                    let ids = agent.fetch_ids();
                    assert_eq!(ids.len(), 1, "agent {number}");
                    assert_eq!(agent.succeed(ids[0])["is_repeated"], false);
                }
            });
        }
    });
    let answered = begun.elapsed();
    fleet.wait_for_status(id, "completed");
    eprintln!(
        "{n} commands: prepared after {prepared:?}, answered after {answered:?}, over after {:?}",
        begun.elapsed()
    );
    assert_eq!(fleet.counters(id), [0, 0, n as i64, 0, 0, 0, 0]);
    wait_for("files", || fleet.files("command/done").len() == n);
    fleet.assert_counters_true();
    fleet.assert_spool_clean();
}

#[test]
fn a_thousand_waiting_agents_have_answered_within_seconds() {
    const AGENTS: usize = 1_000;
    let fleet = Fleet::start_with(AGENTS, Some("[http]\nconnections_max = 2200\n"));
    let (mut longest, signed) = (Duration::ZERO, action("all"));
    std::thread::scope(|scope| {
        let agents: Vec<_> = (1..=AGENTS)
            .map(|n| {
                let mut agent = fleet.agent(n);
                let run = move || {
                    let commands = agent.fetch(60).0;
                    assert_eq!(commands.len(), 1, "agent {n}");
                    agent.succeed(commands[0]["command"]["id"].as_i64().unwrap());
                    Instant::now()
                };
                std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, run).unwrap()
            })
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        let id = fleet.submit(&signed);
        for agent in agents {
            longest = longest.max(agent.join().unwrap() - begun);
        }
        fleet.wait_for_status(id, "completed");
        assert_eq!(fleet.counters(id), [0, 0, AGENTS as i64, 0, 0, 0, 0]);
    });
    eprintln!("{AGENTS} waiting agents: all answers stored after {longest:?}");
    // 5 seconds are promised; a debug build beside other tests gets more.
    assert!(longest < Duration::from_secs(20), "{longest:?}");
    fleet.assert_spool_clean();
}
