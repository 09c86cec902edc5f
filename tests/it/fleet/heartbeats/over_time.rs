// SPDX-License-Identifier: Apache-2.0
//! What time makes of agents: statuses, histories, destroyed ones, numbers, double agents. The operations run over a
//! real file with a clock that is set.

use muster::clock::Clock;
use muster::config::Config;
use muster::model::agent::{AgentStatus, Environment};
use muster::model::time::{DAY_SECS, rfc3339};
use muster::ops::App;
use muster::ops::fleet::heartbeat::{Beat, take};
use muster::ops::fleet::statistics;
use muster::store::fleet::AgentRow;
use muster::store::{Missing, Store, StoreOptions, database_path};
use muster::target::TARGET_BYTES_MAX;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

const NOW: i64 = 1_800_000_000;

struct Bench {
    app: App,
    clock: Clock,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(NOW);
        let store = Store::open(&StoreOptions {
            data_dir: dir.path().to_owned(),
            missing: Missing::Create,
            disk_reserve_bytes: 1 << 20,
            readers: 2,
            clock: clock.clone(),
        })
        .unwrap();
        let app = App::new(Config::defaults(dir.path()), clock.clone(), store);
        Bench { app, clock, dir }
    }

    fn at(&self, now: i64) -> &Bench {
        self.clock.set(now);
        self
    }

    fn beat(&self, queueloc: &str, pid: i64, change: impl FnOnce(&mut Value)) {
        let mut beat = json!({
            "name": format!("{queueloc}.net"), "mode": "daemon", "version": "1", "pid": pid,
            "queueLoc": queueloc, "startTime": rfc3339(self.clock.now()),
            "environment": {"init": "systemd", "ident": "Debian", "os": "linux", "arch": "amd64",
                "publicIP": "192.0.2.1", "addresses": ["10.0.0.1/8"]},
            "tags": {"operator": "IT"},
        });
        change(&mut beat);
        let body = beat.to_string();
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        take(&self.app, &Beat { body: body.as_bytes(), authorization: None, token: None, peer }).unwrap();
    }

    fn agent(&self, id: i64) -> Option<AgentRow> {
        self.app.store.agent(id, self.app.config.fleet.liveness().at(self.clock.now())).unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(database_path(self.dir.path())).unwrap()
    }

    fn destroy(&self, id: i64, at: i64) {
        let connection = self.database();
        connection.execute("UPDATE agents SET destroyed_at = ?2 WHERE id = ?1", [id, at]).unwrap();
        connection.execute("UPDATE agent_states SET is_destroyed = 1 WHERE agent_id = ?1", [id]).unwrap();
    }
}

#[test]
fn status_follows_time_alone_and_who_returns_is_online_at_once() {
    let bench = Bench::new();
    bench.beat("a", 1, |_| {});
    for (age_secs, expected) in [
        (0, AgentStatus::Online),
        (600, AgentStatus::Online),
        (601, AgentStatus::Idle),
        (1_200, AgentStatus::Idle),
        (1_201, AgentStatus::Offline),
        (90 * DAY_SECS, AgentStatus::Offline),
    ] {
        assert_eq!(bench.at(NOW + age_secs).agent(1).unwrap().status, expected, "{age_secs}");
    }
    bench.beat("a", 1, |_| {});
    let agent = bench.agent(1).unwrap();
    assert_eq!((agent.status, agent.started_at), (AgentStatus::Online, NOW));
    assert_eq!(agent.heartbeat_at, NOW + 90 * DAY_SECS);
    assert!(bench.agent(2).is_none());
}

#[test]
fn what_changes_is_kept_as_it_was() {
    let bench = Bench::new();
    bench.beat("a", 1, |_| {});
    bench.at(NOW + 300).beat("a", 1, |_| {});
    assert!(bench.app.store.agent_history(1).unwrap().is_empty());
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("addresses", |beat| beat["environment"]["addresses"] = json!(["10.0.0.2/8"])),
        ("publicip", |beat| beat["environment"]["publicIP"] = json!("192.0.2.2")),
        ("environment", |beat| beat["environment"]["ident"] = json!("Debian 13")),
        ("tags", |beat| beat["tags"] = json!([])),
        ("name", |beat| beat["name"] = json!("b.net")),
        ("version", |beat| beat["version"] = json!("2")),
    ];
    for (n, (what, change)) in (1..).zip(changes) {
        let at = NOW + 300 + 300 * n;
        bench.at(at).beat("a", 1, change);
        let history = bench.app.store.agent_history(1).unwrap();
        assert_eq!(history.len() as i64, n, "{what}");
        assert_eq!(history[0].until_at, at, "{what}");
    }
    let agent = bench.agent(1).unwrap();
    assert_eq!((agent.name.as_str(), agent.version.as_str()), ("a.net", "2"));
    let first = bench.app.store.agent_history(1).unwrap().pop().unwrap();
    let expected = Environment {
        init: "systemd".into(),
        ident: "Debian".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        publicip: "192.0.2.1".into(),
        addresses: Some(vec!["10.0.0.1/8".into()]),
        ..Environment::default()
    };
    assert_eq!(first.environment, expected);
    assert_eq!(first.tags, json!({"operator": "IT"}));
    // Mode and refresh time are what they are now.
    bench.beat("a", 1, |beat| {
        beat["version"] = json!("2");
        beat["mode"] = json!("checkin");
        beat["refreshTime"] = json!(rfc3339(NOW + 5));
    });
    let agent = bench.agent(1).unwrap();
    assert_eq!((agent.mode.as_str(), agent.refreshed_at), ("checkin", Some(NOW + 5)));
    assert_eq!(bench.app.store.agent_history(1).unwrap().len(), 6);
    for n in 0..60 {
        bench.beat("a", 1, |beat| beat["version"] = json!(format!("v{n}")));
    }
    let history = bench.app.store.agent_history(1).unwrap();
    assert_eq!((history.len(), history[0].version.as_str()), (50, "v58"));
    let kept: i64 =
        bench.database().query_row("SELECT count(*) FROM agent_history", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 50);
}

#[test]
fn a_destroyed_agent_is_passed_over_for_a_while_and_then_is_a_new_one() {
    let bench = Bench::new();
    bench.beat("a", 1, |_| {});
    bench.destroy(1, NOW + 10);
    bench.at(NOW + 100).beat("a", 1, |beat| beat["version"] = json!("2"));
    let agent = bench.agent(1).unwrap();
    assert_eq!(
        (agent.status, agent.heartbeat_at, agent.version.as_str()),
        (AgentStatus::Destroyed, NOW, "1")
    );
    assert!(bench.agent(2).is_none());
    // Another process of that endpoint is an agent of its own.
    bench.beat("a", 2, |_| {});
    assert_eq!(bench.agent(2).unwrap().status, AgentStatus::Online);
    bench.at(NOW + 10 + 600).beat("a", 1, |_| {});
    let agent = bench.agent(3).unwrap();
    assert_eq!((agent.pid, agent.status), (1, AgentStatus::Online));
    assert_eq!(bench.agent(1).unwrap().status, AgentStatus::Destroyed);
}

#[test]
fn numbers_are_taken_and_thinned_out() {
    let bench = Bench::new();
    bench.beat("a", 1, |_| {});
    bench.beat("b", 1, |beat| beat["environment"]["os"] = json!("darwin"));
    bench.beat("b", 2, |beat| beat["version"] = json!("2"));
    let numbers = statistics::now(&bench.app).unwrap();
    assert_eq!((numbers.online_agents, numbers.online_endpoints, numbers.new_endpoints), (3, 2, 2));
    assert_eq!((numbers.double_endpoints, numbers.flapping_endpoints), (1, 1));
    assert_eq!(numbers.online_by_version, [("1".to_owned(), 2), ("2".to_owned(), 1)]);
    assert_eq!(numbers.online_by_os, [("linux".to_owned(), 2), ("darwin".to_owned(), 1)]);
    bench.at(NOW + 900);
    let numbers = statistics::now(&bench.app).unwrap();
    assert_eq!((numbers.idle_agents, numbers.idle_endpoints, numbers.online_agents), (3, 2, 0));
    bench.at(NOW + DAY_SECS);
    let numbers = statistics::now(&bench.app).unwrap();
    assert_eq!((numbers.disappeared_endpoints, numbers.new_endpoints), (2, 0));
    bench.at(NOW + 8 * DAY_SECS);
    assert_eq!(statistics::now(&bench.app).unwrap(), Default::default());
    // Three days by the minute, then thinned.
    let from = NOW - NOW.rem_euclid(3_600) + 10 * DAY_SECS;
    bench
        .database()
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 3 * 24 * 60)
             INSERT INTO agent_statistics SELECT ?1 + i * 60, i, 0, 0, 0, 0, 0, 0, 0 FROM n",
            [from],
        )
        .unwrap();
    bench.at(from + 3 * DAY_SECS + 30);
    statistics::take(&bench.app).unwrap();
    statistics::thin(&bench.app).unwrap();
    let history = bench.app.store.fleet_history(0).unwrap();
    let times: Vec<i64> = history.iter().map(|sample| sample.taken_at).collect();
    assert_eq!(times.len(), 24 + 2 * 24 * 60 + 1, "an hour each for a day, a minute each for two, and now");
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(times[..24].iter().all(|at| at % 3_600 == 0));
    assert_eq!(*times.last().unwrap(), from + 3 * DAY_SECS);
    bench.at(from + 500 * DAY_SECS);
    statistics::thin(&bench.app).unwrap();
    assert!(bench.app.store.fleet_history(0).unwrap().is_empty());
}

#[test]
fn two_agents_that_both_go_on_are_double_and_a_restart_is_not() {
    let bench = Bench::new();
    bench.beat("it's", 1, |_| {});
    bench.at(NOW + 300).beat("it's", 2, |beat| beat["version"] = json!("2"));
    assert!(statistics::doubles(&bench.app).unwrap().is_empty(), "a restart");
    bench.at(NOW + 400).beat("it's", 1, |_| {});
    assert!(statistics::doubles(&bench.app).unwrap().is_empty(), "the younger beat once");
    bench.at(NOW + 600).beat("it's", 2, |beat| beat["version"] = json!("2"));
    let doubles = statistics::doubles(&bench.app).unwrap();
    assert_eq!(doubles.len(), 1);
    let double = &doubles[0];
    assert_eq!((double.older.id, double.younger.id), (1, 2));
    let action = &double.action;
    assert_eq!(action.target, "queueloc='it''s'");
    assert!(action.target.len() < TARGET_BYTES_MAX && muster::target::parse(&action.target).is_ok());
    let operation = &action.operations.as_ref().unwrap()[0];
    assert_eq!(operation.module, "agentdestroy");
    assert_eq!(operation.parameters, json!({"pid": 1, "version": "1"}));
    assert_eq!(action.validfrom.unix_secs, NOW + 540);
    assert_eq!(action.expireafter.unix_secs, NOW + 600 + 1_800);
    statistics::warn_of_doubles(&bench.app).unwrap();
    bench.destroy(1, NOW + 601);
    assert!(statistics::doubles(&bench.app).unwrap().is_empty());
}
