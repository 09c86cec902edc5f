// SPDX-License-Identifier: Apache-2.0
//! The real agent: against a server in the wrong hands, and with a real one.

mod process;
mod real;
mod rogue;

use process::{GPG, Home, find, in_secs, sign, signed};
use rogue::Rogue;
use serde_json::{Value, json};
use std::time::Duration;

const LINUX: &str = "environment->>'os' = 'linux'";

/// The first error of the first result.
fn first_error(answer: &Value) -> &str {
    answer["results"][0]["errors"][0].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn an_agent_beats_whole_and_stays_the_same_after_a_restart() {
    let (rogue, home) = (Rogue::start(), Home::new());
    std::fs::write(home.path("token"), "a-token\n").unwrap();
    let token = home.path("token");
    let words = ["--tag", "operator=IT", "--tag", "site=a=b", "--token-file", token.to_str().unwrap()];
    let mut agent = home.start(&rogue.url(), &words);
    let (fields, beat) = rogue.wait_for("a heartbeat", |said| said.heartbeats.first().cloned());
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let key = field("authorization").unwrap();
    assert!(key.len() == 7 + 64 && key.starts_with("Bearer "), "{key}");
    assert_eq!(field("x-muster-token").as_deref(), Some("a-token"));
    for name in ["name", "version", "startTime", "refreshTime"] {
        assert!(!beat[name].as_str().unwrap().is_empty(), "{name}: {beat}");
    }
    assert_eq!((&beat["mode"], &beat["pid"]), (&json!("daemon"), &json!(agent.pid())));
    assert_eq!(beat["queueLoc"], home.queueloc());
    assert!(home.queueloc().starts_with("linux."));
    let environment = &beat["environment"];
    for name in ["init", "ident", "os", "arch"] {
        assert!(!environment[name].as_str().unwrap().is_empty(), "{name}: {beat}");
    }
    assert_eq!((&environment["publicIP"], &environment["isProxied"]), (&json!("192.0.2.77"), &json!(false)));
    assert!(environment["modules"].as_array().unwrap().contains(&json!("file")));
    for tag in [json!({"name": "operator", "value": "IT"}), json!({"name": "site", "value": "a=b"})] {
        assert!(beat["tags"].as_array().unwrap().contains(&tag), "{beat}");
    }
    let poll = rogue.wait_for("a poll", |said| said.polls.first().cloned());
    assert_eq!((&poll["queueloc"], &poll["wait"]), (&beat["queueLoc"], &json!(50)));
    rogue.wait_for("a second heartbeat", |said| said.heartbeats.get(1).map(drop));

    // One at a time, and the poll that hangs does not keep it.
    let mut other = home.start(&rogue.url(), &[]);
    assert_eq!(other.wait(), Some(1));
    assert!(home.log().contains("Another agent runs"), "{}", home.log());
    let (code, took) = agent.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");
    let before = rogue.said().heartbeats.len();
    let agent = home.start(&rogue.url(), &[]);
    let (fields, again) = rogue.wait_for("a heartbeat", |said| said.heartbeats.get(before).cloned());
    assert!(fields.contains(&("authorization".into(), key)));
    assert_eq!((&again["queueLoc"], &again["pid"]), (&beat["queueLoc"], &json!(agent.pid())));
    let second = rogue.wait_for("another instance", |said| said.polls.last().cloned());
    rogue.wait_for("another instance", |said| {
        (said.polls.last()?["instance"] != poll["instance"]).then_some(())
    });
    assert_eq!(second["instance"].as_str().unwrap().len(), 32);
}

#[test]
fn a_server_in_the_wrong_hands_can_neither_forge_nor_redirect_nor_replay() {
    let (rogue, home) = (Rogue::start(), Home::new());
    std::fs::write(home.path("wanted"), "x").unwrap();
    let found = find(&home.path(""), "^wanted$");
    let _agent = home.start(&rogue.url(), &[]);
    let good = signed("good", LINUX, found.clone());
    let answer = rogue.ask(1, &good);
    assert_eq!(answer["status"], "success", "{answer}");
    assert_eq!(answer["results"][0]["foundanything"], true, "{answer}");

    let mut forged = good.clone();
    forged["operations"][0]["parameters"]["searches"]["s"]["names"] = json!(["^shadow$"]);
    let mut redirected = signed("redirected", "name = 'another'", found.clone());
    assert!(first_error(&rogue.ask(2, &redirected)).contains("does not mean this agent"));
    redirected["target"] = json!(LINUX);
    let mut prolonged = good.clone();
    prolonged["expireafter"] = json!(in_secs(90_000));
    let expired = sign(json!({
        "name": "expired", "target": LINUX, "syntaxversion": 2, "operations": found,
        "validfrom": in_secs(-60), "expireafter": in_secs(-1),
    }));
    let mut unsigned = good.clone();
    unsigned["name"] = json!("unsigned");
    unsigned["pgpsignatures"] = json!([]);
    let stranger = GPG.0.key("stranger", "ed25519");
    let mut by_stranger = signed("stranger", LINUX, found.clone());
    let text = muster::model::action::Action::from_json(by_stranger.to_string().as_bytes()).unwrap();
    let signature = GPG.0.sign_one_line(&stranger, &text.signed_text().unwrap());
    by_stranger["pgpsignatures"] = json!([signature]);
    let follow_up = "id IN (select agentid from commands, json_array_elements(commands.results) as r \
        where actionid=1 and r#>>'{foundanything}' = 'true')";
    for (id, action, part) in [
        (3, forged, "does not match"),
        (4, redirected, "does not match"),
        (5, prolonged, "does not match"),
        (6, expired, "expired"),
        (7, unsigned, "not signed"),
        (8, by_stranger, "a key that is not known"),
        (9, good.clone(), "ran here before"),
        (10, signed("by id", "id = 5", found.clone()), "cannot be judged"),
        (11, signed("follow-up", follow_up, found.clone()), "cannot be judged"),
    ] {
        let answer = rogue.ask(id, &action);
        assert_eq!(answer["status"], "failed");
        assert!(first_error(&answer).contains(part), "{part}: {answer}");
    }
    // Nothing of it made it take less: what is right still runs, and what ran is answered as before.
    let last = rogue.ask(12, &signed("last", LINUX, found));
    assert_eq!(last["status"], "success", "{last}");
    assert_eq!(rogue.ask(1, &good), answer);
}

#[test]
fn a_key_that_is_taken_away_counts_at_once() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let _agent = home.start(&rogue.url(), &[]);
    let found = find(&home.path(""), "^state$");
    assert_eq!(rogue.ask(1, &signed("before", LINUX, found.clone()))["status"], "success");
    let other = GPG.0.key("other", "ed25519");
    let keyring = home.path("bundle/keyring");
    std::fs::write(keyring.join("other.asc"), GPG.0.public_key(&other)).unwrap();
    std::fs::remove_file(keyring.join("investigator.asc")).unwrap();
    home.write_acl(&other);
    let answer = rogue.ask(2, &signed("after", LINUX, found));
    assert!(first_error(&answer).contains("a key that is not known"), "{answer}");
}

#[test]
fn what_ran_before_a_crash_is_answered_again_and_not_run_again() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let action = signed("once", LINUX, find(&home.path(""), "^mark$"));
    rogue.said().results_dropped = 1;
    let mut agent = home.start(&rogue.url(), &[]);
    let first = rogue.ask(1, &action);
    agent.kill();
    assert_eq!(first["results"][0]["foundanything"], false);
    // If it ran again, it would find this.
    std::fs::write(home.path("mark"), "").unwrap();
    let before = rogue.said().heartbeats.len();
    let mut agent = home.start(&rogue.url(), &[]);
    rogue.wait_for("a heartbeat", |said| said.heartbeats.get(before).map(drop));
    assert_eq!(rogue.ask(1, &action), first);
    agent.kill();
    // Without the answer, it is known only that it began.
    std::fs::remove_dir_all(home.path("state/answers")).unwrap();
    let _agent = home.start(&rogue.url(), &[]);
    assert!(first_error(&rogue.ask(1, &action)).contains("cut off"));
}

#[test]
fn results_that_the_server_refuses_are_answered_with_the_reason() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let _agent = home.start(&rogue.url(), &[]);
    rogue.said().results_refused = 1;
    let answer = rogue.ask(1, &signed("refused", LINUX, find(&home.path(""), "^state$")));
    assert_eq!(answer["status"], "success", "{answer}");
    let again = rogue.wait_for("another answer", |said| said.results.get(1).cloned());
    assert_eq!((&again["id"], &again["status"]), (&answer["id"], &json!("failed")));
    assert!(first_error(&again).contains("too deep"), "{again}");
    assert_eq!(again["finishtime"], answer["finishtime"]);
}

#[test]
fn an_agent_outlives_whatever_its_server_answers() {
    let (rogue, home) = (Rogue::start(), Home::new());
    {
        let mut said = rogue.said();
        let body = |bytes: &[u8]| {
            [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()).as_bytes(), bytes].concat()
        };
        said.raw.extend([
            b"".to_vec(),
            b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno".to_vec(),
            body(b"{\"commands\": [{\"command\": {\"id\": \"x\"}}, 7, {}]}"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_vec(),
        ]);
    }
    let _agent = home.start(&rogue.url(), &[]);
    let answer = rogue.ask(1, &signed("after all", LINUX, find(&home.path(""), "^state$")));
    assert_eq!(answer["status"], "success", "{answer}");
    assert!(rogue.said().raw.is_empty());
}

#[test]
fn endless_answers_are_not_taken_into_memory() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"commands\":[\"".to_vec();
    endless.resize(80 << 20, b'x');
    let mut many = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"commands\":[0".to_vec();
    many.extend(b",0".repeat(15 << 20));
    many.extend(b"]}");
    rogue.said().raw.extend([endless, many]);
    let agent = home.start(&rogue.url(), &[]);
    let answer = rogue.ask(1, &signed("after all", LINUX, find(&home.path(""), "^state$")));
    assert_eq!(answer["status"], "success", "{answer}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let most_kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(most_kib < 120 * 1024, "{most_kib} KiB");
}

#[test]
fn a_module_that_takes_too_long_is_ended_and_the_next_command_is_done() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let _agent = home.start(&rogue.url(), &["--module-timeout-secs", "1"]);
    let slow = json!([{"module": "file", "parameters": {"searches": {"s": {"paths": ["/usr", "/root", "/opt"],
        "contents": ["this is found nowhere at all, but in the text of a test"]}}}}]);
    let answer = rogue.ask(1, &signed("slow", LINUX, slow));
    assert_eq!(answer["status"], "timeout", "{answer}");
    let answer = rogue.ask(2, &signed("quick", LINUX, find(&home.path(""), "^state$")));
    assert_eq!(answer["status"], "success", "{answer}");
}

#[test]
fn an_action_for_its_process_ends_the_agent_once_the_answer_is_delivered() {
    let (rogue, home) = (Rogue::start(), Home::new());
    let mut agent = home.start(&rogue.url(), &[]);
    let end = |pid: u32| json!([{"module": "agentdestroy", "parameters": {"pid": pid, "version": env!("CARGO_PKG_VERSION")}}]);
    // The module ran and says that it did not do it: that is an answer, as in MIG.
    let answer = rogue.ask(1, &signed("another", LINUX, end(agent.pid() + 1)));
    assert_eq!((&answer["status"], &answer["results"][0]["success"]), (&json!("success"), &json!(false)));
    assert!(!first_error(&answer).is_empty(), "{answer}");
    rogue.said().results_dropped = 1;
    let action = signed("this one", LINUX, end(agent.pid()));
    let answer = rogue.ask(2, &action);
    assert_eq!(answer["status"], "success", "{answer}");
    // Delivered at the second attempt; only then it ends.
    assert_eq!(agent.wait(), Some(0));
    assert_eq!(rogue.said().results.len(), 3);
}

#[test]
fn without_keys_an_agent_only_beats() {
    let (rogue, home) = (Rogue::start(), Home::without_keys());
    let mut agent = home.start(&rogue.url(), &[]);
    rogue.wait_for("two heartbeats", |said| said.heartbeats.get(1).map(drop));
    assert!(rogue.said().polls.is_empty());
    assert!(home.log().contains("only beats"), "{}", home.log());
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn what_cannot_be_right_is_refused_at_the_start() {
    let home = Home::new();
    for (words, part) in [
        (&["--heartbeat-secs", "0"][..], "--heartbeat-secs"),
        (&["--tag", "x"], "name=value"),
        (&["--ca", "/etc/hostname"], "certificates"),
    ] {
        let mut agent = home.start("http://127.0.0.1:1", words);
        assert_eq!(agent.wait(), Some(2));
        assert!(home.log().contains(part), "{}", home.log());
    }
    std::fs::write(home.path("bundle/acl.json"), "{").unwrap();
    let mut agent = home.start("http://127.0.0.1:1", &[]);
    assert_eq!(agent.wait(), Some(2));
    assert!(home.log().contains("acl.json"), "{}", home.log());
}
