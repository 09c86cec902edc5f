// SPDX-License-Identifier: Apache-2.0
//! An action from its beginning to its end, with its files at each step.

use super::{Fleet, Place, action, action_at, action_of, found, wait_for};
use crate::disk::small_disk::SmallDisk;
use serde_json::json;
use std::collections::BTreeMap;

fn counts(expected: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    expected.iter().copied().collect()
}

#[test]
fn files_follow_an_action_to_its_end() {
    let fleet = Fleet::start(3);
    let id = fleet.submit(&action("life"));
    fleet.wait_for_status(id, "inflight");
    assert_eq!(fleet.counters(id), [3, 0, 0, 0, 0, 0, 0]);
    wait_for("files", || fleet.counts() == counts(&[("action/inflight", 1), ("command/ready", 3)]));
    let file = fleet.file(&format!("action/inflight/{id}.json"));
    assert_eq!((file["id"].as_i64(), file["status"].as_str()), (Some(id), Some("inflight")));
    fleet.assert_spool_clean();

    let mut first = fleet.agent(1);
    let (commands, _) = first.fetch(0);
    let command = &commands[0]["command"];
    let command_id = command["id"].as_i64().unwrap();
    assert_eq!(commands[0]["attempt"], 1);
    assert!(commands[0]["leased_until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(command["action"]["pgpsignatures"].as_array().unwrap().len(), 1);
    assert_eq!(command["action"]["name"], "life");
    assert_eq!(command["agent"]["name"], "a1.example.net");
    assert_eq!(command["status"], "sent");
    assert_eq!(fleet.counters(id), [2, 1, 0, 0, 0, 0, 0]);
    assert_eq!(
        fleet.counts(),
        counts(&[("action/inflight", 1), ("command/ready", 2), ("command/inflight", 1)])
    );
    assert_eq!(fleet.file(&format!("command/inflight/{id}-{command_id}.json")), *command);

    assert_eq!(first.succeed(command_id), json!({"error": null, "is_late": false, "is_repeated": false}));
    assert_eq!(fleet.counters(id), [2, 0, 1, 0, 0, 0, 0]);
    assert_eq!(fleet.counts(), counts(&[("action/inflight", 1), ("command/ready", 2), ("command/done", 1)]));
    let file = fleet.file(&format!("command/done/{id}-{command_id}.json"));
    assert_eq!((&file["status"], &file["results"]), (&json!("success"), &json!([found()])));
    fleet.assert_spool_clean();

    for (n, status) in [(2, "failed"), (3, "timeout")] {
        let mut agent = fleet.agent(n);
        let command_id = agent.fetch_ids()[0];
        assert_eq!(agent.answer(command_id, status, json!([])).status, 200);
        let results = fleet.file(&format!("command/done/{id}-{command_id}.json"))["results"].clone();
        assert_eq!(results.as_array().unwrap().len(), 1, "one for each operation");
    }
    fleet.wait_for_status(id, "completed");
    assert_eq!(fleet.counters(id), [0, 0, 1, 1, 1, 0, 0]);
    wait_for("files", || fleet.counts() == counts(&[("action/done", 1), ("command/done", 3)]));
    let file = fleet.file(&format!("action/done/{id}.json"));
    assert_eq!(file["status"], "completed");
    assert_eq!(file["counters"], json!({"sent": 3, "done": 3, "success": 1, "failed": 1, "timeout": 1}));
    fleet.assert_counters_true();
    fleet.assert_spool_clean();
}

#[test]
fn what_has_no_agents_or_no_sense_is_invalid_with_the_reason_beside_it() {
    let fleet = Fleet::start(1);
    let id = fleet.submit(&action_at("nobody", "name = 'nobody'", -60, 600));
    fleet.wait_for_status(id, "invalid");
    let reason = "no agent matches the target";
    assert_eq!(fleet.text(&format!("SELECT reason FROM actions WHERE id = {id}")), reason);
    wait_for("the reason", || fleet.files("action/invalid").len() == 2);
    let beside = std::fs::read_to_string(fleet.spool().join(format!("action/invalid/{id}.json.reason")));
    assert_eq!(beside.unwrap().trim(), reason);
    assert_eq!(fleet.file(&format!("action/invalid/{id}.json"))["status"], "invalid");
    assert!(fleet.files("action/new").is_empty());
    fleet.assert_spool_clean();
}

#[test]
fn an_action_waits_for_its_time_and_ends_with_it() {
    let fleet = Fleet::start(2);
    let id = fleet.submit(&action_at("later", "status = 'online'", 3, 5));
    fleet.wait_for_status(id, "scheduled");
    assert_eq!(fleet.file(&format!("action/new/{id}.json"))["status"], "scheduled");
    fleet.assert_spool_clean();
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    fleet.wait_for_status(id, "completed");
    assert_eq!(fleet.counters(id), [0, 0, 0, 0, 0, 0, 2]);
    wait_for("files", || fleet.counts() == counts(&[("action/done", 1), ("command/done", 2)]));
    assert_eq!(fleet.file(&format!("command/done/{id}-{command_id}.json"))["status"], "expired");
    // An answer after the end is kept, and changes nothing else.
    assert_eq!(agent.succeed(command_id)["is_late"], true);
    assert_eq!(agent.succeed(command_id), json!({"error": null, "is_late": false, "is_repeated": true}));
    assert_eq!(fleet.counters(id), [0, 0, 0, 0, 0, 0, 2]);
    let sql = format!("SELECT is_late * 100 + status * 10 + found FROM commands WHERE id = {command_id}");
    assert_eq!(fleet.number(&sql), 171);
    assert_eq!(fleet.file(&format!("command/done/{id}-{command_id}.json"))["results"], json!([found()]));
    // Nothing of it is given out any more.
    assert_eq!(fleet.agent(2).fetch_ids(), Vec::<i64>::new());
    fleet.assert_counters_true();
    fleet.assert_spool_clean();
}

#[test]
fn an_action_that_expires_while_the_server_is_down_is_over_after_the_start() {
    let mut fleet = Fleet::start(2);
    let scheduled = fleet.submit(&action_at("never", "status = 'online'", 2, 1));
    let running = fleet.submit(&action_at("half", "status = 'online'", -60, 63));
    fleet.wait_for_status(running, "inflight");
    fleet.server.kill();
    std::thread::sleep(std::time::Duration::from_secs(4));
    fleet.restart();
    fleet.wait_for_status(running, "completed");
    fleet.wait_for_status(scheduled, "invalid");
    let reason = fleet.text(&format!("SELECT reason FROM actions WHERE id = {scheduled}"));
    assert_eq!(reason, "expired before it could run");
    fleet.assert_counters_true();
    wait_for("files", || fleet.files("command/done").len() == 2);
    fleet.assert_spool_clean();
}

#[test]
fn files_follow_a_cancelled_action() {
    let fleet = Fleet::start(3);
    let id = fleet.submit(&action("stop"));
    fleet.wait_for_status(id, "inflight");
    let mut agent = fleet.agent(1);
    let command_id = agent.fetch_ids()[0];
    // Another process does it, while the server runs.
    let (code, text) = fleet.muster(&["action", "cancel", &id.to_string(), "--reason", "a mistake"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(fleet.counters(id), [0, 0, 0, 0, 0, 3, 0]);
    assert_eq!(fleet.counts(), counts(&[("action/done", 1), ("command/done", 3)]));
    assert_eq!(fleet.file(&format!("action/done/{id}.json"))["status"], "cancelled");
    fleet.assert_spool_clean();
    assert_eq!(agent.fetch_ids(), Vec::<i64>::new());
    assert_eq!(agent.succeed(command_id)["is_late"], true);
    assert_eq!(fleet.counters(id), [0, 0, 0, 0, 0, 3, 0]);
    assert_eq!(fleet.counts(), counts(&[("action/done", 1), ("command/done", 3)]));
    fleet.assert_counters_true();
}

#[test]
fn an_action_too_large_for_the_disk_is_invalid_and_others_run() {
    let disk = SmallDisk::mount(24 << 20);
    let place = Place {
        config: Some(format!("[fleet]\nspool = {:?}\n", disk.path().join("spool"))),
        wrapper: disk.wrapper(),
        spool: disk.seen_from_outside().join("spool"),
    };
    let fleet = Fleet::start_at(4, tempfile::tempdir().unwrap(), place);
    // Four times 3 MiB, twice, are as much as the disk has.
    let long = format!(r#"[{{"module": "ping", "parameters": {{"note": "{}"}}}}]"#, "x".repeat(3 << 20));
    let id = fleet.submit(&action_of("large", "status = 'online'", (-60, 600), &long));
    fleet.wait_for_status(id, "invalid");
    let reason = fleet.text(&format!("SELECT reason FROM actions WHERE id = {id}"));
    assert!(reason.starts_with("4 commands need 24 MiB in the spool"), "{reason}");
    assert_eq!(fleet.number("SELECT count(*) FROM commands"), 0);
    let id = fleet.submit(&action_of("one", "name = 'a1.example.net'", (-60, 600), &long));
    fleet.wait_for_status(id, "inflight");
    assert_eq!(fleet.agent(1).fetch_ids().len(), 1);
    assert_eq!(fleet.files("command/inflight").len(), 1);
}

#[test]
fn results_are_exported_what_found_something_first() {
    let fleet = Fleet::start(3);
    let id = fleet.submit(&action("export"));
    fleet.wait_for_status(id, "inflight");
    for n in [1, 2] {
        let mut agent = fleet.agent(n);
        let command_id = agent.fetch_ids()[0];
        let mut result = found();
        result["foundanything"] = json!(n == 2);
        result["elements"] = json!("=1+1 \"quoted\"\nline");
        assert_eq!(agent.answer(command_id, "success", json!([result])).status, 200);
    }
    let json = fleet.server.get(&format!("/actions/{id}/results")).json();
    assert_eq!(json["action"], id);
    let commands = json["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 3);
    assert_eq!(commands[0]["agent"]["name"], "a2.example.net");
    assert_eq!(commands[0]["results"][0]["foundanything"], true);
    assert_eq!((&commands[2]["status"], &commands[2]["results"]), (&json!("prepared"), &json!(null)));
    let answer = fleet.server.get(&format!("/actions/{id}/results?format=csv"));
    assert!(answer.header("content-disposition").unwrap().contains(&format!("action-{id}.csv")));
    let text = answer.text();
    let mut lines = text.split("\r\n");
    assert!(lines.next().unwrap().starts_with("command,agent,name,"));
    assert!(lines.next().unwrap().contains(",a2.example.net,"), "{text}");
    assert_eq!(fleet.server.get("/actions/999/results").status, 404);
    assert_eq!(fleet.server.get(&format!("/actions/{id}/results?format=xml")).status, 400);
    let proxied = [("X-Forwarded-For".to_owned(), "192.0.2.1".to_owned())];
    assert_eq!(fleet.server.request("GET", &format!("/actions/{id}/results"), &proxied, b"").status, 403);
}
