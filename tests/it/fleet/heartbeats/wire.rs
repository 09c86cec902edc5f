// SPDX-License-Identifier: Apache-2.0
//! Heartbeats over the wire: good, many at once, hostile.

use super::{agent_command, beat, database, number, post, send, taken};
use crate::support::Server;
use crate::support::server::Options;
use serde_json::{Value, json};
use std::sync::Barrier;

#[test]
fn a_heartbeat_makes_one_agent_that_stays_the_same() {
    let mut server = Server::start();
    let answer = post(&server, &[], beat("a", 10).to_string().as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"error\":null}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    // The path that MIG's agent makes of a configured address with a slash.
    let body = beat("a", 10).to_string();
    assert_eq!(server.request("POST", "/api/v1//heartbeat", &[], body.as_bytes()).status, 200);
    taken(&server, &[("Host", "any.name")], &beat("a", 11));
    let data_dir = server.data_dir.clone();
    server.kill();
    let connection = database(&data_dir);
    assert_eq!(number(&connection, "SELECT count(*) FROM agents"), 2);
    assert_eq!(number(&connection, "SELECT count(*) FROM endpoints"), 1);
    assert_eq!(number(&connection, "SELECT count(*) FROM environments"), 1);
    drop(connection);
    let ids = |text: String| -> Vec<i64> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|agent| agent["id"].as_i64().unwrap()).collect()
    };
    let before = ids(agent_command(&data_dir, &["list", "--json"]).1);
    assert_eq!(before.len(), 2);
    let server = Server::start_on(&data_dir);
    taken(&server, &[], &beat("a", 10));
    taken(&server, &[], &beat("a", 11));
    let mut after = ids(agent_command(&data_dir, &["list", "--json"]).1);
    after.sort_unstable();
    assert_eq!(after, [1, 2]);
    let (status, shown, _) = agent_command(&data_dir, &["show", "1", "--json"]);
    let agent: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(status, 0);
    assert_eq!(agent["queueloc"], "a");
    assert_eq!(agent["environment"]["publicip"], "127.0.0.1");
    assert_eq!(agent["environment"]["addresses"], json!(["10.0.0.1/8"]));
    assert_eq!(agent["tags"], json!({"operator": "IT"}));
    assert_eq!(agent["status"], "online");
    assert_eq!(agent["destructiontime"], "9998-01-11T11:11:11Z");
    let (status, shown, _) = agent_command(&data_dir, &["show", "1"]);
    assert!(status == 0 && shown.contains("Debian 12 bookworm, linux amd64"), "{shown}");
    assert_eq!(agent_command(&data_dir, &["show", "99"]).0, 2);
}

#[test]
fn sixty_four_first_heartbeats_at_once_make_one_agent() {
    let server = Server::start();
    let body = beat("race", 7).to_string();
    let barrier = Barrier::new(64);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut connection = server.connect();
                barrier.wait();
                let answer = connection.request("POST", "/api/v1/heartbeat", &[], body.as_bytes()).unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
            });
        }
    });
    let connection = database(&server.data_dir);
    for table in ["agents", "agent_states", "endpoints", "agent_names", "environments", "tag_sets"] {
        assert_eq!(number(&connection, &format!("SELECT count(*) FROM {table}")), 1, "{table}");
    }
    assert_eq!(number(&connection, "SELECT count(*) FROM agent_history"), 0);
}

#[test]
fn hostile_heartbeats_are_refused_and_change_nothing() {
    let server = Server::start();
    let with = |name: &str, value: Value| {
        let mut beat = beat("q", 1);
        beat[name] = value;
        beat.to_string().into_bytes()
    };
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let good = beat("q", 1).to_string();
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("no JSON", b"name=x&pid=1".to_vec()),
        ("no object", b"[1,2]".to_vec()),
        ("null", b"null".to_vec()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("deep", deep(100_000).into_bytes()),
        ("deep in a tag", with("tags", json!("@")).to_vec()),
        ("NUL", with("queueLoc", json!("q\0"))),
        ("lines", with("name", json!("q\r\nx: y"))),
        ("long queueloc", with("queueLoc", json!("q".repeat(2_049)))),
        ("old", with("startTime", json!("2020-01-01T00:00:00Z"))),
        ("numbers", with("pid", json!(1e300))),
    ];
    cases.push((
        "deep in an unknown field",
        good.replacen('{', &format!("{{\"x\":{},", deep(50_000)), 1).into(),
    ));
    cases
        .push(("random bytes", (0..4_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()));
    for (what, body) in cases {
        let answer = post(&server, &[], &body);
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(
            answer.json()["error"].as_str().unwrap().contains("request body"),
            "{what}: {}",
            answer.text()
        );
        assert!(answer.body.len() < 1_000, "{what}");
    }
    for (n_bytes, status) in [(10 << 20, 413), ((256 << 10) + 1, 413)] {
        let answer = post(&server, &[], &vec![b' '; n_bytes]);
        assert_eq!(answer.status, status);
        assert!(answer.json()["error"].as_str().unwrap().contains("262144 bytes"), "{}", answer.text());
    }
    let mut large = good.clone();
    large.push_str(&" ".repeat((256 << 10) - good.len()));
    assert_eq!(number(&database(&server.data_dir), "SELECT count(*) FROM endpoints"), 0);
    assert_eq!(post(&server, &[], large.as_bytes()).status, 200);
    let (status, error) = send(&server, &[], &json!({"name": "x", "pid": "y"}));
    assert_eq!(status, 400);
    assert!(
        error.starts_with("Missing fields in request body: missing field(s): mode, version, queueLoc")
            && error.contains("bad field(s): pid"),
        "{error}"
    );
    // What Go would make of bytes that are no UTF-8.
    let mut latin = beat("latin", 2).to_string().replace("IT", "I?").into_bytes();
    let at = latin.iter().rposition(|byte| *byte == b'?').unwrap();
    latin[at] = 0xe9;
    assert_eq!(post(&server, &[], &latin).status, 200);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn no_more_agents_are_kept_than_allowed() {
    let config = "[fleet]\nagents_max = 2\n".to_owned();
    let server = Server::start_with(Options { config: Some(config), ..Options::default() });
    taken(&server, &[], &beat("a", 1));
    taken(&server, &[], &beat("b", 1));
    let answer = post(&server, &[], beat("c", 1).to_string().as_bytes());
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(answer.json()["error"].as_str().unwrap().contains("fleet.agents_max"), "{}", answer.text());
    assert_eq!(send(&server, &[], &beat("a", 2)).0, 503);
    taken(&server, &[], &beat("a", 1));
    let connection = database(&server.data_dir);
    assert_eq!(number(&connection, "SELECT count(*) FROM endpoints"), 2);
    assert_eq!(number(&connection, "SELECT count(*) FROM agents"), 2);
}
