// SPDX-License-Identifier: Apache-2.0
//! Two real agents and a real server, whose database is then in the wrong hands.

use super::process::{Agent, GPG, Home, find, in_secs, sign, signed};
use super::{LINUX, first_error};
use crate::support::Server;
use crate::support::server::Options;
use muster::store::database_path;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The codes of src/model/command.rs.
const INFLIGHT: i64 = 4;
const COMPLETED: i64 = 5;
const SUCCESS: i64 = 3;
const FAILED: i64 = 4;

/// A server with the investigator, and agents whose keyrings are the server's bundle.
struct Fleet {
    server: Server,
    dir: tempfile::TempDir,
    homes: Vec<Home>,
    agents: Vec<Agent>,
}

impl Fleet {
    fn start(config: &str, agents: usize) -> Fleet {
        let options = Options { config: Some(config.to_owned()), ..Options::default() };
        let server = Server::start_with(options);
        let dir = tempfile::tempdir().unwrap();
        let mut fleet = Fleet { server, dir, homes: Vec::new(), agents: Vec::new() };
        let key = fleet.file("key.asc", &GPG.0.public_key(&GPG.1));
        fleet.run(&["investigator", "add", "--name", "Bob Kelso", "--key", &key]);
        for number in 0..agents {
            let home = Home::without_keys();
            fleet.run(&["agent", "bundle", home.path("bundle").to_str().unwrap()]);
            std::fs::write(home.path("wanted"), "x").unwrap();
            let token = home.path("token");
            std::fs::write(&token, fleet.run(&["agent", "token"])).unwrap();
            let tag = format!("number={number}");
            let words = ["--tag", &tag, "--token-file", token.to_str().unwrap()];
            fleet.agents.push(home.start(&fleet.server.url(""), &words));
            fleet.homes.push(home);
        }
        fleet.wait_for("bound agents", |database| {
            let sql = "SELECT count(*) FROM agents a JOIN endpoints e ON e.id = a.endpoint_id \
                WHERE e.key_digest IS NOT NULL";
            let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
            (count == agents as i64).then_some(())
        });
        fleet
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What a subcommand prints, on the server's database.
    fn run(&self, words: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(words)
            .args([Path::new("--data"), &self.server.data_dir])
            .env_remove("STATE_DIRECTORY")
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn database(&self) -> Connection {
        let database = Connection::open(database_path(&self.server.data_dir)).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database
    }

    fn wait_for<T>(&self, what: &str, look: impl Fn(&Connection) -> Option<T>) -> T {
        let database = self.database();
        let until = Instant::now() + Duration::from_secs(90);
        while Instant::now() < until {
            if let Some(found) = look(&database) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: it did not come\n{}", self.server.log());
    }

    /// Launches an action from the command line and waits until it is over; its id.
    fn launch(&self, action: &Value) -> i64 {
        let path = self.file("action.json", &action.to_string());
        let said = self.run(&["action", "submit", &path]);
        let id = said.split(' ').nth(1).and_then(|word| word.parse().ok());
        let id: i64 = id.unwrap_or_else(|| panic!("{said}"));
        self.wait_for("the end of the action", |database| {
            let sql = "SELECT status FROM actions WHERE id = ?1";
            let status: i64 = database.query_row(sql, [id], |row| row.get(0)).unwrap();
            (status >= COMPLETED).then_some(())
        });
        id
    }

    /// Status and results of the commands of an action.
    fn answers(&self, action_id: i64) -> Vec<(i64, Value)> {
        let database = self.database();
        let sql = "SELECT status, results FROM commands WHERE action_id = ?1 ORDER BY id";
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([action_id], |row| {
            let results: Option<String> = row.get(1)?;
            Ok((row.get(0)?, results.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Puts an action for all agents into the database, as if the server had checked it; its id.
    fn slip_in(&self, action: &Value) -> i64 {
        let database = self.database();
        let now = muster::clock::Clock::system().now();
        database
            .execute(
                "INSERT INTO actions (name, target, threat_family, valid_from, expire_after, document, \
                 signed_digest, status, created_at, started_at, prepared) \
                 VALUES (?1, ?2, '', ?3 - 60, ?3 + 3600, ?4, zeroblob(32), ?5, ?3, ?3, ?6)",
                params![
                    action["name"].as_str(),
                    action["target"].as_str(),
                    now,
                    action.to_string(),
                    INFLIGHT,
                    self.agents.len() as i64
                ],
            )
            .unwrap();
        let id = database.last_insert_rowid();
        let sql = "INSERT INTO commands (action_id, agent_id, endpoint_id, status, prepared_at) \
            SELECT ?1, id, endpoint_id, 1, ?2 FROM agents";
        database.execute(sql, params![id, now]).unwrap();
        id
    }
}

#[test]
fn two_agents_do_what_is_signed_and_a_taken_over_server_gets_nothing_else_done() {
    let fleet = Fleet::start("[fleet]\nenrol = \"token\"\n", 2);
    let everywhere = || {
        let paths: Vec<_> = fleet.homes.iter().map(|home| home.path("")).collect();
        let search = json!({"paths": paths, "names": ["^wanted$"]});
        json!([{"module": "file", "parameters": {"searches": {"s": search}}}])
    };
    let good = signed("good", LINUX, everywhere());
    let answers = fleet.answers(fleet.launch(&good));
    assert_eq!(answers.len(), 2);
    for (status, results) in &answers {
        assert_eq!((*status, &results[0]["foundanything"]), (SUCCESS, &json!(true)), "{results}");
    }

    // One of the two, by its own tag.
    let own = find(&fleet.homes[1].path(""), "^wanted$");
    let answers = fleet.answers(fleet.launch(&signed("one", "tags->>'number' = '1'", own)));
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].1[0]["foundanything"], true);

    let mut forged = good.clone();
    forged["operations"] = find(Path::new("/etc"), "^passwd$");
    let expired = sign(json!({
        "name": "expired", "target": LINUX, "syntaxversion": 2, "operations": everywhere(),
        "validfrom": in_secs(-60), "expireafter": in_secs(-1),
    }));
    let mut unsigned = good.clone();
    unsigned["name"] = json!("unsigned");
    unsigned["pgpsignatures"] = json!([]);
    let slipped_in = [
        (forged, "does not match"),
        (good, "ran here before"),
        (signed("elsewhere", "name = 'elsewhere'", everywhere()), "does not mean this agent"),
        (expired, "expired"),
        (unsigned, "not signed"),
    ]
    .map(|(action, part)| (fleet.slip_in(&action), part));
    // Wakes the agents, who then fetch all of it.
    let last = fleet.answers(fleet.launch(&signed("last", LINUX, everywhere())));
    assert!(last.iter().all(|(status, _)| *status == SUCCESS), "{last:?}");
    for (id, part) in slipped_in {
        let answers = fleet.wait_for(part, |_| {
            let answers = fleet.answers(id);
            answers.iter().all(|(status, _)| *status >= SUCCESS).then_some(answers)
        });
        assert_eq!(answers.len(), 2);
        for (status, results) in answers {
            let answer = json!({"results": results});
            assert_eq!(status, FAILED, "{answer}");
            assert!(first_error(&answer).contains(part), "{part}: {answer}");
        }
    }
}

#[test]
fn an_agent_gets_what_waited_for_it_and_comes_back_after_the_server() {
    let mut fleet = Fleet::start("", 1);
    let action = signed("while away", LINUX, find(&fleet.homes[0].path(""), "^wanted$"));
    fleet.agents[0].kill();
    let path = fleet.file("action.json", &action.to_string());
    fleet.run(&["action", "submit", &path]);
    fleet.wait_for("a command", |database| {
        // Sent, where the server has not noticed yet that nobody is at the other end of the poll.
        let sql = "SELECT count(*) FROM commands WHERE status <= 2";
        (database.query_row(sql, [], |row| row.get(0)) == Ok(1)).then_some(())
    });
    fleet.agents[0] = fleet.homes[0].start(&fleet.server.url(""), &[]);
    fleet.wait_for("the answer", |_| (fleet.answers(1).first()?.0 == SUCCESS).then_some(()));
    // The server stops while the agent polls; the agent stays, and stops at once when told.
    assert_eq!(fleet.server.stop(), Some(0));
    let until = Instant::now() + Duration::from_secs(90);
    while !fleet.homes[0].log().contains("No commands can be fetched") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(fleet.homes[0].log().contains("Nobody listens"), "{}", fleet.homes[0].log());
    let (code, took) = fleet.agents[0].stop();
    assert!(code == Some(0) && took < Duration::from_secs(15), "{code:?} {took:?}");
}
