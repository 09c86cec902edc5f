// SPDX-License-Identifier: Apache-2.0
//! Offline and double agents: what is listed is what the operator's SQL of old finds in the same rows.

use super::{agent_command, beat, database, taken};
use crate::support::Server;
use muster::clock::Clock;
use muster::model::time::rfc3339;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Agents whose last heartbeats lie on both sides of every window, several of a name and of an endpoint.
fn fill(connection: &Connection, agents: i64) {
    let now = Clock::system().now();
    connection
        .execute_batch(
            "INSERT INTO agent_versions (version) VALUES ('1');
             INSERT INTO environments (digest, environment) VALUES (x'00', '{\"os\":\"linux\",\"aws\":{}}');
             INSERT INTO tag_sets (digest, tags) VALUES (x'00', '{}')",
        )
        .unwrap();
    let mut state = 7_u64;
    let mut random = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % most) as i64
    };
    // Far enough from the edges of the windows that no second of this test matters.
    let ages = [10, 200, 400, 550, 700, 3_600, 29 * 86_400, 31 * 86_400];
    for id in 1..=agents {
        let (endpoint, name) = (random(agents as u64 / 2) + 1, random(agents as u64 / 2) + 1);
        let heartbeat_at = now - ages[random(ages.len() as u64) as usize];
        let queueloc = format!("q{endpoint}");
        connection.execute("INSERT OR IGNORE INTO endpoints (queueloc) VALUES (?1)", [&queueloc]).unwrap();
        let name = format!("host{name}.net");
        connection.execute("INSERT OR IGNORE INTO agent_names (name) VALUES (?1)", [&name]).unwrap();
        connection
            .execute(
                "INSERT INTO agents (endpoint_id, pid, mode, publicip, addresses)
                 SELECT id, ?2, 'daemon', '::1', '[]' FROM endpoints WHERE queueloc = ?1",
                rusqlite::params![queueloc, id],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO agent_states SELECT e.id, ?3, ?4, ?4, n.id, 1, 1, 1, ?5
                 FROM endpoints e, agent_names n WHERE e.queueloc = ?1 AND n.name = ?2",
                rusqlite::params![queueloc, name, id, heartbeat_at, i64::from(random(10) == 0)],
            )
            .unwrap();
    }
    connection
        .execute_batch(
            "CREATE TEMP VIEW seen AS SELECT n.name, e.queueloc, s.heartbeat_at AS heartbeattime
             FROM agent_states s JOIN agent_names n ON n.id = s.name_id JOIN endpoints e ON e.id = s.endpoint_id",
        )
        .unwrap();
}

/// The operator's queries, with the same words where the dialects agree.
const OFFLINE: &str = "SELECT DISTINCT(name) FROM seen
    WHERE name IN (SELECT DISTINCT(name) FROM seen WHERE heartbeattime >= unixepoch() - ?1 * 86400)
    AND name NOT IN (SELECT DISTINCT(name) FROM seen WHERE heartbeattime >= unixepoch() - ?2 * 60)
    ORDER BY name";
const DOUBLE: &str = "SELECT COUNT(queueloc), queueloc FROM seen WHERE heartbeattime >= unixepoch() - ?1 * 60
    GROUP BY queueloc HAVING COUNT(queueloc) > 1 ORDER BY count(queueloc) DESC, queueloc";

fn offline_by_sql(connection: &Connection, days: i64, minutes: i64) -> Vec<String> {
    let mut statement = connection.prepare(OFFLINE).unwrap();
    statement.query_map([days, minutes], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn double_by_sql(connection: &Connection, minutes: i64) -> Vec<(i64, String)> {
    let mut statement = connection.prepare(DOUBLE).unwrap();
    let rows = statement.query_map([minutes], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn texts(list: &Value, name: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[test]
fn offline_and_double_agents_are_those_of_the_operators_sql() {
    let server = Server::start();
    let connection = database(&server.data_dir);
    // Enough that both ways of finding the names are gone.
    for (agents, windows) in [(400, [(30, 5), (30, 60), (1, 5), (32, 1), (30, 10)]), (6_000, [(30, 5); 5])] {
        connection
            .execute_batch(
                "DROP VIEW IF EXISTS seen; DELETE FROM agent_states; DELETE FROM agents; DELETE FROM endpoints;
                 DELETE FROM agent_names; DELETE FROM agent_versions; DELETE FROM environments;
                 DELETE FROM tag_sets; DELETE FROM sqlite_sequence; BEGIN",
            )
            .unwrap();
        fill(&connection, agents);
        connection.execute_batch("COMMIT").unwrap();
        for (days, minutes) in windows {
            let expected = offline_by_sql(&connection, days, minutes);
            assert!(!expected.is_empty());
            let found = server.get(&format!("/api/fleet/offline?days={days}&minutes={minutes}")).json();
            assert_eq!(texts(&found["offline"], "name"), expected, "{days} days, {minutes} minutes");
        }
        for minutes in [10, 5, 60] {
            let expected = double_by_sql(&connection, minutes);
            assert!(!expected.is_empty());
            let found = server.get(&format!("/api/fleet/double?minutes={minutes}")).json();
            let pairs: Vec<(i64, String)> = found["double"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| (item["count"].as_i64().unwrap(), item["queueloc"].as_str().unwrap().to_owned()))
                .collect();
            assert_eq!(pairs, expected, "{minutes} minutes");
        }
    }
    // The same from the command line, and without words the operator's windows.
    let (status, lines, _) = agent_command(&server.data_dir, &["offline"]);
    let names: Vec<&str> = lines.lines().map(|line| line.split("  ").nth(1).unwrap()).collect();
    assert_eq!((status, names), (0, offline_by_sql(&connection, 30, 5).iter().map(String::as_str).collect()));
    let (status, lines, _) = agent_command(&server.data_dir, &["double"]);
    let found: Vec<(i64, String)> = lines
        .lines()
        .map(|line| line.trim().split("  ").map(str::to_owned).collect::<Vec<_>>())
        .map(|cells| (cells[0].parse().unwrap(), cells[1].clone()))
        .collect();
    assert_eq!((status, found), (0, double_by_sql(&connection, 10)));
    assert_eq!(agent_command(&server.data_dir, &["double", "--minutes", "0"]).0, 2);
}

#[test]
fn lists_are_json_or_csv() {
    let server = Server::start();
    for (queueloc, pid) in [("q1", 1), ("q1", 2), ("q2", 3), ("=q3", 4), ("=q3", 5)] {
        let mut beat = beat(queueloc, pid);
        beat["name"] = json!(format!("host{pid}"));
        taken(&server, &[], &beat);
    }
    let connection = database(&server.data_dir);
    let long_ago = Clock::system().now() - 40 * 86_400;
    connection.execute("UPDATE agent_states SET heartbeat_at = ?1 WHERE agent_id = 3", [long_ago]).unwrap();
    let long_ago = rfc3339(long_ago);
    let double = server.get("/api/fleet/double").json();
    let expected = json!({"double": [
        {"queueloc": "=q3", "count": 2, "names": ["host4", "host5"]},
        {"queueloc": "q1", "count": 2, "names": ["host1", "host2"]},
    ]});
    assert_eq!(double, expected);
    assert_eq!(server.get("/api/fleet/offline").json(), json!({"offline": []}));
    assert_eq!(
        server.get("/api/fleet/offline?days=3650").json(),
        json!({"offline": [{"name": "host3", "last_heartbeat": long_ago}]})
    );
    let csv = server.get("/api/fleet/double?format=csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.text(), "count,queueloc,names\r\n2,'=q3,host4 host5\r\n2,q1,host1 host2\r\n");
    let accept = [("Accept".to_owned(), "text/csv".to_owned())];
    assert_eq!(server.request("GET", "/api/fleet/double", &accept, b"").text(), csv.text());
    let offline = server.get("/api/fleet/offline?days=3650&format=csv").text();
    assert_eq!(offline, format!("name,last_heartbeat\r\nhost3,{long_ago}\r\n"));
    assert_eq!(agent_command(&server.data_dir, &["double", "--csv"]).1, csv.text());
    for bad in [
        "offline?days=0",
        "offline?minutes=x",
        "double?minutes=-1",
        "double?format=xml",
        "statistics?days=401",
    ] {
        let answer = server.get(&format!("/api/fleet/{bad}"));
        assert_eq!(answer.status, 400, "{bad}");
        assert!(!answer.message().is_empty());
    }
}

#[test]
fn what_is_known_of_the_fleet_is_told_to_this_host_alone() {
    let server = Server::start();
    taken(&server, &[], &beat("a", 1));
    let proxied = [("X-Forwarded-For".to_owned(), "192.0.2.1".to_owned())];
    for path in ["offline", "double", "statistics"] {
        let path = format!("/api/fleet/{path}");
        let answer = server.request("GET", &path, &proxied, b"");
        assert_eq!(answer.status, 403, "{path}");
        assert!(
            answer.message().contains("open only to a browser on the server itself"),
            "{}",
            answer.text()
        );
        assert_eq!(server.get(&path).status, 200, "{path}");
        let rebound = [("Host".to_owned(), "evil.example".to_owned())];
        assert_eq!(server.request("GET", &path, &rebound, b"").status, 421, "{path}");
    }
    let statistics = server.get("/api/fleet/statistics").json();
    assert_eq!(statistics["now"]["online_agents"], 1);
    assert_eq!(statistics["now"]["online_by_version"], json!([["1.0", 1]]));
    assert_eq!(statistics["history"], json!([]));
    // Agents beat through proxies as well.
    let fields: BTreeMap<&str, &str> = [("X-Forwarded-For", "192.0.2.1")].into();
    taken(&server, &fields.into_iter().collect::<Vec<_>>(), &beat("a", 1));
}

#[test]
fn agents_are_listed_by_what_they_are() {
    let server = Server::start();
    taken(&server, &[], &beat("alpha", 1));
    let mut other = beat("beta", 2);
    other["version"] = json!("2.0");
    other["tags"] = json!({"operator": "OPS"});
    taken(&server, &[], &other);
    let list = |words: &[&str]| -> (i32, Vec<String>) {
        let (status, lines, _) = agent_command(&server.data_dir, &[&["list"], words].concat());
        (status, lines.lines().map(|line| line.split("  ").last().unwrap().to_owned()).collect())
    };
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &["beta", "alpha"]),
        (&["--name", "ALPHA"], &["alpha"]),
        (&["--queueloc", "bet%"], &["beta"]),
        (&["--version", "2.0"], &["beta"]),
        (&["--tag", "operator=IT"], &["alpha"]),
        (&["--status", "online", "--os", "linux", "--limit", "5"], &["beta", "alpha"]),
        (&["--status", "offline"], &[]),
        (&["--target", "pid = 1"], &["alpha"]),
    ];
    for (words, expected) in cases {
        assert_eq!(list(words), (0, expected.iter().map(|name| (*name).to_owned()).collect()), "{words:?}");
    }
    assert_eq!(list(&["--limit", "1"]).1.len(), 2, "one agent, and how many there are");
    assert_eq!(list(&["--status", "asleep"]).0, 2);
    assert_eq!(list(&["--target", "pid = "]).0, 2);
}
