// SPDX-License-Identifier: Apache-2.0
//! The agents' API: keys, leases, long polls, answers of all sorts.

use super::{Fleet, SimulatedAgent, action, action_of, found, key, queueloc, wait_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn only_a_bound_key_fetches_and_only_its_own_commands() {
    let fleet = Fleet::start(2);
    let id = fleet.submit(&action("keys"));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let wish = json!({"queueloc": queueloc(1), "instance": "i"});
    let path = "/api/v1/agent/commands";
    for (body, key, status) in [
        (wish.clone(), key(2), 401),
        (wish.clone(), "no-such-key-at-all".to_owned(), 401),
        (json!({"queueloc": "linux.unknown", "instance": "i"}), key(1), 401),
        (json!({"queueloc": queueloc(1)}), key(1), 400),
        (json!({"queueloc": queueloc(1), "instance": ""}), key(1), 400),
        (json!({"queueloc": queueloc(1), "instance": "a b"}), key(1), 400),
        (json!({"queueloc": queueloc(1), "instance": "i", "wait": -1}), key(1), 400),
        (json!([]), key(1), 400),
    ] {
        let answer = agent.post(path, &key, &body).unwrap();
        assert_eq!(answer.status, status, "{body} {key}: {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
    }
    let bare = fleet.server.request("POST", path, &[], wish.to_string().as_bytes());
    assert_eq!(bare.status, 401, "{}", bare.text());
    let long = json!({"queueloc": "x".repeat(70_000), "instance": "i"});
    assert_eq!(agent.post(path, &key(1), &long).unwrap().status, 413);
    let ids = fleet.agent(1).fetch_ids();
    assert_eq!(ids.len(), 1);
    assert_ne!(fleet.agent(2).fetch_ids(), ids);
}

#[test]
fn hostile_answers_change_nothing() {
    let fleet = Fleet::start(2);
    let id = fleet.submit(&action("hostile"));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    let path = "/api/v1/agent/results";
    let answer =
        |status: &str, results: Value| json!({"id": command_id, "status": status, "results": results});
    let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    let mut result = found();
    result["elements"] = deep;
    let good = answer("success", json!([found()]));
    for (body, key, status) in [
        (good.clone(), key(2), 403),
        (good.clone(), "no-such-key-at-all".to_owned(), 401),
        (json!({"id": 99_999, "status": "success", "results": []}), key(1), 404),
        (answer("success", json!([])), key(1), 400),
        (answer("success", json!([found(), found()])), key(1), 400),
        (answer("sent", json!([found()])), key(1), 400),
        (answer("cancelled", json!([found()])), key(1), 400),
        (answer("success", json!({"a": 1})), key(1), 400),
        (answer("success", json!([result])), key(1), 400),
        (json!({"status": "success"}), key(1), 400),
    ] {
        let answer = agent.post(path, &key, &body).unwrap();
        assert_eq!(answer.status, status, "{body:.100}: {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
    }
    let bare = fleet.server.request("POST", path, &[], good.to_string().as_bytes());
    assert_eq!(bare.status, 401);
    let mut huge = fleet.agent(1);
    let fields = [("Authorization".to_owned(), format!("Bearer {}", key(1)))];
    let body = vec![b' '; (8 << 20) + 1];
    assert_eq!(huge.connection.request("POST", path, &fields, &body).unwrap().status, 413);
    assert_eq!(fleet.counters(id), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(fleet.files("command/returned").len(), 0);
    // NUL and text that is no Unicode are stored.
    let raw = format!(
        r#"{{"id":{command_id},"status":"success","results":[{{"foundanything":false,"success":true,
        "elements":{{"x":"a\u0000b\ud800"}},"statistics":[],"errors":["\u0000"]}}]}}"#
    );
    let stored = agent.connection.request("POST", path, &fields, raw.as_bytes()).unwrap();
    assert_eq!(stored.status, 200, "{}", stored.text());
    let file = fleet.file(&format!("command/done/{id}-{command_id}.json"));
    assert_eq!(file["results"][0]["elements"]["x"], "a\u{0}b\u{fffd}");
    assert_eq!(fleet.number(&format!("SELECT found FROM commands WHERE id = {command_id}")), 2);
    fleet.assert_spool_clean();
}

#[test]
fn large_results_come_back_whole() {
    let fleet = Fleet::start(1);
    let id = fleet.submit(&action("large"));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    let mut result = found();
    result["elements"] = json!("frame ".repeat(1 << 20));
    let answer = agent.answer(command_id, "success", json!([result]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(fleet.number("SELECT length(results) FROM commands") < 1 << 20, "it is stored deflated");
    let exported = fleet.server.get(&format!("/actions/{id}/results")).json();
    assert_eq!(exported["commands"][0]["results"][0], result);
}

#[test]
fn a_command_is_leased_to_one_start_of_its_agent() {
    let fleet = Fleet::start(1);
    let id = fleet.submit(&action("lease"));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    assert_eq!(agent.fetch_ids(), Vec::<i64>::new(), "it has it");
    // Started anew: it gets it again, and again.
    for attempt in 2..=6 {
        agent.instance = format!("start-{attempt}");
        let (commands, _) = agent.fetch(0);
        assert_eq!(commands[0]["command"]["id"], command_id);
        assert_eq!(commands[0]["attempt"], attempt);
    }
    // Two that take it from each other must not go on so.
    agent.instance = "start-of-1".to_owned();
    assert_eq!(agent.fetch_ids(), Vec::<i64>::new());
    // When the lease is over, anybody gets it.
    fleet.database().execute("UPDATE commands SET leased_until = unixepoch() - 1", []).unwrap();
    agent.instance = "start-6".to_owned();
    assert_eq!(agent.fetch(0).0[0]["attempt"], 7);
    assert_eq!(fleet.counters(id), [0, 1, 0, 0, 0, 0, 0]);
    // A second answer changes nothing.
    assert_eq!(agent.succeed(command_id)["is_repeated"], false);
    let again = agent.answer(command_id, "failed", json!([])).json();
    assert_eq!(again, json!({"error": null, "is_late": false, "is_repeated": true}));
    assert_eq!(fleet.counters(id), [0, 0, 1, 0, 0, 0, 0]);
    fleet.wait_for_status(id, "completed");
    fleet.assert_spool_clean();
}

#[test]
fn a_long_poll_is_woken_by_a_command_and_by_the_stop() {
    let mut fleet = Fleet::start(2);
    std::thread::scope(|scope| {
        let mut waiting = fleet.agent(1);
        let poll = scope.spawn(move || {
            let (commands, poll_secs) = waiting.fetch(30);
            (commands.len(), poll_secs, Instant::now())
        });
        std::thread::sleep(Duration::from_millis(300));
        let id = fleet.submit(&action("wake"));
        fleet.wait_for_status(id, "inflight");
        let ready = Instant::now();
        let (n, poll_secs, woken) = poll.join().unwrap();
        assert_eq!((n, poll_secs), (1, 0));
        assert!(woken < ready + Duration::from_secs(1), "woken {:?} after", woken - ready);
    });
    let begun = Instant::now();
    assert_eq!(fleet.agent(2).fetch(1).0.len(), 1);
    assert_eq!(fleet.agent(2).fetch(1), (Vec::new(), 0));
    assert!(begun.elapsed() >= Duration::from_secs(1) && begun.elapsed() < Duration::from_secs(5));
    let mut waiting = fleet.agent(2);
    let poll = std::thread::spawn(move || waiting.fetch(60));
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    assert_eq!(fleet.server.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "the stop took {:?}", begun.elapsed());
    assert_eq!(poll.join().unwrap().0, Vec::<Value>::new());
}

#[test]
fn where_no_place_is_free_a_poll_is_answered_at_once() {
    let config = "[http]\nconnections_max = 8\n[fleet]\npoll_secs = 7\n";
    let fleet = Fleet::start_with(6, Some(config));
    let waiting: Vec<_> = (1..=4)
        .map(|n| {
            let mut agent = fleet.agent(n);
            std::thread::spawn(move || agent.fetch(3))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    assert_eq!(fleet.agent(5).fetch(30), (Vec::new(), 7));
    assert!(begun.elapsed() < Duration::from_secs(1));
    for poll in waiting {
        assert_eq!(poll.join().unwrap(), (Vec::new(), 0));
    }
    // The same start that asks anew ends its earlier wait.
    let mut first: SimulatedAgent = fleet.agent(1);
    let earlier = std::thread::spawn(move || first.fetch(30));
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    assert_eq!(fleet.agent(1).fetch(1), (Vec::new(), 0));
    assert_eq!(earlier.join().unwrap(), (Vec::new(), 7));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_agent_that_was_told_to_end_is_destroyed() {
    let fleet = Fleet::start(2);
    let operations = r#"[{"module": "agentdestroy", "parameters": {"pid": 4000, "version": "1.0"}}]"#;
    let id = fleet.submit(&action_of("end", "queueloc LIKE '%'", (-60, 600), operations));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    agent.succeed(command_id);
    let mut other = fleet.agent(2);
    let command_id = other.fetch_ids()[0];
    assert_eq!(other.answer(command_id, "failed", json!([])).status, 200);
    let destroyed = "SELECT group_concat(endpoint_id) FROM agents WHERE destroyed_at IS NOT NULL";
    wait_for("the end", || fleet.status(id) == "completed");
    assert_eq!(fleet.text(destroyed), "1");
}

#[test]
fn nothing_is_given_to_an_agent_that_has_gone() {
    let fleet = Fleet::start(1);
    for is_waiting in [false, true] {
        let mut agent = fleet.agent(1);
        agent.instance = format!("gone-{is_waiting}");
        let body = json!({"queueloc": queueloc(1), "instance": agent.instance, "wait": 30}).to_string();
        let head = format!(
            "POST /api/v1/agent/commands HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            key(1),
            body.len()
        );
        agent.connection.send(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(700));
        drop(agent);
        let id = fleet.submit(&action(&format!("for the living {is_waiting}")));
        fleet.wait_for_status(id, "inflight");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(fleet.counters(id), [1, 0, 0, 0, 0, 0, 0], "it waits for who comes");
        let mut agent = fleet.agent(1);
        agent.instance = format!("gone-{is_waiting}");
        let ids = agent.fetch_ids();
        assert_eq!(ids.len(), 1);
        agent.succeed(ids[0]);
        fleet.wait_for_status(id, "completed");
    }
}
