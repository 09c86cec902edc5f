// SPDX-License-Identifier: Apache-2.0
//! The server is killed in the middle of everything: afterwards each action and command is in one state, in the
//! database and in the spool.

use super::{Fleet, action, action_at, wait_for};
use crate::hostile::random::Random;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const ROUNDS: usize = 10;
const AGENTS: usize = 60;
const WORKERS: usize = 6;

/// Agents fetch and answer until `is_over` or the server is gone; which answers were confirmed.
fn work(fleet: &Fleet, worker: usize, is_over: &AtomicBool, confirmed: &Mutex<BTreeSet<i64>>) {
    let mut round = 0;
    while !is_over.load(Ordering::SeqCst) {
        round += 1;
        std::thread::sleep(Duration::from_millis(20));
        let Ok(connection) = crate::support::Connection::open(fleet.server.address) else { return };
        let mut agent = super::SimulatedAgent { connection, n: 1, instance: String::new() };
        for n in (1..=AGENTS).filter(|n| n % WORKERS == worker) {
            // Started anew each time: what was fetched before a kill is fetched again.
            (agent.n, agent.instance) = (n, format!("{worker}-{round}"));
            let Ok(answer) = agent.try_fetch(0) else { return };
            if answer.status != 200 {
                assert_eq!(answer.status, 503, "{}", answer.text());
                continue;
            }
            for entry in answer.json()["commands"].as_array().unwrap() {
                let id = entry["command"]["id"].as_i64().unwrap();
                let body = serde_json::json!({"id": id, "status": "success", "results": [super::found()]});
                match agent.post("/api/v1/agent/results", &super::key(n), &body) {
                    // To a cancelled one it is late.
                    Ok(answer) if answer.status == 200 && answer.json()["is_late"] == true => {}
                    Ok(answer) if answer.status == 200 => drop(confirmed.lock().unwrap().insert(id)),
                    Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                    Err(_) => return,
                }
            }
        }
    }
}

/// Ends the workers also where the test fails.
struct OverAtLast<'a>(&'a AtomicBool);

impl Drop for OverAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Cancels the action that came last, once there is one that runs.
fn cancel_one(fleet: &Fleet) {
    for _ in 0..100 {
        let sql = "SELECT coalesce(max(id), 0) FROM actions WHERE status IN (3, 4)";
        let id = fleet.number(sql);
        if id > 0 {
            // It may be over before this comes to it.
            fleet.muster(&["action", "cancel", &id.to_string(), "--reason", "a kill"]);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn after_kills_in_the_middle_everything_is_in_one_state() {
    let mut fleet = Fleet::start(AGENTS);
    let mut random = Random::new(6);
    let confirmed = Mutex::new(BTreeSet::new());
    let mut n_actions = 0;
    for round in 0..ROUNDS {
        let names: Vec<String> = (0..2).map(|n| format!("kill-{round}-{n}")).collect();
        let signed: Vec<_> = names.iter().map(|name| action(name)).collect();
        n_actions += signed.len();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _over = OverAtLast(&is_over);
            for worker in 0..WORKERS {
                let (fleet, is_over, confirmed) = (&fleet, &is_over, &confirmed);
                scope.spawn(move || work(fleet, worker, is_over, confirmed));
            }
            for (n, action) in signed.iter().enumerate() {
                fleet.drop_file(&format!("{round}-{n}.json"), action.to_json().unwrap().as_bytes());
            }
            let pause = Duration::from_millis(100 + random.below(1_400) as u64);
            if round % 3 == 2 {
                // Somebody cancels meanwhile, in a process of its own that is not killed.
                scope.spawn(|| cancel_one(&fleet));
            }
            std::thread::sleep(pause);
            fleet.server.signal("KILL");
        });
        fleet.restart();
        // What was confirmed is there.
        let database = fleet.database();
        for id in confirmed.lock().unwrap().iter() {
            let sql = "SELECT status FROM commands WHERE id = ?1";
            let status: i64 = database.query_row(sql, [id], |row| row.get(0)).unwrap();
            assert_eq!(status, 3, "round {round}: command {id}");
        }
        fleet.assert_counters_true();
        fleet.assert_spool_clean();
    }
    // All is finished, and agrees.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = OverAtLast(&is_over);
        for worker in 0..WORKERS {
            let (fleet, is_over, confirmed) = (&fleet, &is_over, &confirmed);
            scope.spawn(move || work(fleet, worker, is_over, confirmed));
        }
        wait_for("all to be over", || {
            fleet.number("SELECT count(*) FROM actions WHERE status IN (5, 7)") == n_actions as i64
        });
    });
    let completed =
        "SELECT count(*) FROM commands WHERE action_id IN (SELECT id FROM actions WHERE status = 5)";
    let n_completed = fleet.number("SELECT count(*) FROM actions WHERE status = 5");
    assert!(n_completed as usize > n_actions / 2, "{n_completed} of {n_actions} actions were completed");
    assert_eq!(fleet.number(completed), n_completed * AGENTS as i64);
    assert_eq!(fleet.number(&format!("{completed} AND status <> 3")), 0);
    assert_eq!(fleet.number("SELECT count(*) FROM commands WHERE status NOT IN (3, 6)"), 0);
    let commands = fleet.number("SELECT count(*) FROM commands");
    fleet.assert_counters_true();
    wait_for("files", || fleet.files("command/done").len() as i64 == commands);
    fleet.assert_spool_clean();
    assert_eq!(fleet.server.stop(), Some(0));
    assert_eq!(std::fs::read_dir(fleet.spool().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_difference_is_told_and_mended() {
    let mut fleet = Fleet::start(3);
    let id = fleet.submit(&action("differs"));
    let later = fleet.submit(&action_at("later", "status = 'online'", 600, 600));
    fleet.wait_for_status(id, "inflight");
    fleet.wait_for_status(later, "scheduled");
    fleet.agent(1).fetch_ids();
    assert_eq!(fleet.server.stop(), Some(0));
    let spool = fleet.spool();
    let ready = fleet.files("command/ready");
    std::fs::remove_file(spool.join("command/ready").join(&ready[0])).unwrap();
    std::fs::copy(spool.join("command/ready").join(&ready[1]), spool.join("command/done").join(&ready[1]))
        .unwrap();
    std::fs::write(spool.join(format!("action/done/{id}.json")), "{}").unwrap();
    std::fs::write(spool.join("command/inflight/7-999.json"), "{}").unwrap();
    std::fs::write(spool.join(format!("action/new/{later}.json")), "").unwrap();
    let (code, text) = fleet.muster(&["spool", "check"]);
    assert_eq!(code, 1, "{text}");
    for line in [
        format!("command/ready/{} is missing", ready[0]),
        format!("command/done/{} is one too many: the command is prepared", ready[1]),
        format!("action/done/{id}.json is one too many: the action is inflight"),
        "command/inflight/7-999.json is one too many: there is no such command".to_owned(),
        format!("action/new/{later}.json is missing"),
    ] {
        assert!(text.contains(&line), "{line} in:\n{text}");
    }
    let (code, text) = fleet.muster(&["spool", "check", "--repair"]);
    assert_eq!(code, 0, "{text}");
    fleet.assert_spool_clean();
    fleet.restart();
    let (code, text) = fleet.muster(&["spool", "check", "--repair"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("in use by"), "{text}");
}

#[test]
fn a_file_that_says_something_else_is_told_and_mended() {
    let mut fleet = Fleet::start(4);
    let id = fleet.submit(&action("untrue"));
    let later = fleet.submit(&action_at("later", "status = 'online'", 600, 600));
    fleet.wait_for_status(id, "inflight");
    fleet.wait_for_status(later, "scheduled");
    for n in 1..=3 {
        let mut agent = fleet.agent(n);
        let command_id = agent.fetch_ids()[0];
        agent.succeed(command_id);
    }
    wait_for("files", || fleet.files("command/done").len() == 3);
    assert_eq!(fleet.server.stop(), Some(0));
    fleet.assert_spool_clean();
    let spool = fleet.spool();
    let done = fleet.files("command/done");
    let ready = fleet.files("command/ready");
    let forged = [
        (format!("command/done/{}", done[0]), "\"foundanything\":true", "\"foundanything\":false"),
        (format!("command/done/{}", done[1]), "\"status\":\"success\"", "\"status\":\"failed\""),
        (format!("command/ready/{}", ready[0]), "{", "{{"),
        (format!("action/inflight/{id}.json"), "\"count\":1", "\"count\":2"),
        (format!("action/new/{later}.json"), "\"target\":\"", "\"target\":\"NOT "),
    ];
    let text_of = |path: &str| std::fs::read_to_string(spool.join(path)).unwrap();
    let before: Vec<String> = forged.iter().map(|(path, ..)| text_of(path)).collect();
    for ((path, from, to), text) in forged.iter().zip(&before) {
        let changed = text.replacen(from, to, 1);
        assert_ne!(&changed, text, "{path}");
        std::fs::write(spool.join(path), changed).unwrap();
    }
    let (code, text) = fleet.muster(&["spool", "check"]);
    assert_eq!(code, 1, "{text}");
    for (path, ..) in &forged {
        assert!(
            text.contains(&format!("{path} says something else than the database")),
            "{path} in:\n{text}"
        );
    }
    assert!(text.contains(", 5 different"), "{text}");
    assert_eq!(fleet.muster(&["check"]).0, 1);
    let (code, text) = fleet.muster(&["check", "--repair"]);
    assert_eq!(code, 0, "{text}");
    fleet.assert_spool_clean();
    let results_of = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["results"].clone();
    for ((path, ..), text) in forged.iter().zip(&before) {
        assert_eq!(results_of(&text_of(path)), results_of(text), "{path}");
    }
}
