// SPDX-License-Identifier: Apache-2.0
//! From stored action to stored results: the scheduler, the spool, the agents' API. Agents are put into the tables;
//! everything else is the real binary's work.

mod agents;
mod drops;
mod kills;
mod lifecycle;
mod many;

use crate::support::server::Options;
use crate::support::{Answer, Connection, Gpg, Server};
use muster::clock::Clock;
use muster::model::action::Action;
use muster::model::investigator::Permissions;
use muster::pgp::PublicKey;
use muster::store::database_path;
use rusqlite::params;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One key that all tests share: making it is slow.
fn signer() -> &'static (Gpg, String) {
    static SIGNER: OnceLock<(Gpg, String)> = OnceLock::new();
    SIGNER.get_or_init(|| {
        let gpg = Gpg::new();
        let fingerprint = gpg.key("Bob Kelso", "ed25519");
        (gpg, fingerprint)
    })
}

fn now() -> i64 {
    Clock::system().now()
}

/// A server with agents.
struct Fleet {
    server: Server,
    directory: tempfile::TempDir,
    options: Place,
}

/// How the server of a fleet is started, and where its spool is.
#[derive(Clone)]
struct Place {
    config: Option<String>,
    wrapper: Vec<String>,
    spool: PathBuf,
}

/// The key of the n-th agent's endpoint.
fn key(n: usize) -> String {
    format!("the-key-of-endpoint-{n}")
}

fn queueloc(n: usize) -> String {
    format!("linux.a{n}.example.net")
}

impl Fleet {
    /// A server, one investigator, and agents 1 to `n_agents`, each with a bound key and online.
    fn start(n_agents: usize) -> Fleet {
        Fleet::start_with(n_agents, None)
    }

    fn start_with(n_agents: usize, config: Option<&str>) -> Fleet {
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().join("data/spool");
        let place = Place { config: config.map(str::to_owned), wrapper: Vec::new(), spool };
        Fleet::start_at(n_agents, directory, place)
    }

    fn start_at(n_agents: usize, directory: tempfile::TempDir, options: Place) -> Fleet {
        let server = start(&directory.path().join("data"), &options);
        let fleet = Fleet { server, directory, options };
        let mut database = fleet.database();
        let transaction = database.transaction().unwrap();
        plant_investigator(&transaction);
        plant_agents(&transaction, n_agents);
        transaction.commit().unwrap();
        fleet
    }

    /// Kills the server and starts it again.
    fn restart(&mut self) {
        self.server.kill();
        self.server = start(&self.data_dir(), &self.options);
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(database_path(&self.data_dir())).unwrap();
        connection.busy_timeout(Duration::from_secs(20)).unwrap();
        connection
    }

    fn number(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn text(&self, sql: &str) -> String {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn spool(&self) -> PathBuf {
        self.options.spool.clone()
    }

    /// The files of a place of the spool, in order.
    fn files(&self, place: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.spool().join(place))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// How many files each place has that has some.
    fn counts(&self) -> BTreeMap<&'static str, usize> {
        const PLACES: [&str; 8] = [
            "action/new",
            "action/inflight",
            "action/done",
            "action/invalid",
            "command/ready",
            "command/inflight",
            "command/returned",
            "command/done",
        ];
        PLACES.iter().map(|place| (*place, self.files(place).len())).filter(|(_, n)| *n > 0).collect()
    }

    fn file(&self, path: &str) -> Value {
        let text = std::fs::read_to_string(self.spool().join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Drops a file into the spool, whole.
    fn drop_file(&self, name: &str, bytes: &[u8]) {
        let aside = self.spool().join(name);
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, self.spool().join("action/new").join(name)).unwrap();
    }

    /// Drops an action and waits until it has a row; its id.
    fn submit(&self, action: &Action) -> i64 {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("drop-{}.json", NEXT.fetch_add(1, Ordering::Relaxed));
        wait_for("the spool", || self.spool().join("action/new").is_dir());
        self.drop_file(&name, action.to_json().unwrap().as_bytes());
        let sql = "SELECT coalesce((SELECT id FROM actions WHERE name = ?1), 0)";
        let mut id = 0;
        wait_for("the action's row", || {
            id = self.database().query_row(sql, [&action.name], |row| row.get(0)).unwrap();
            id > 0
        });
        id
    }

    fn status(&self, action_id: i64) -> String {
        let code = self.number(&format!("SELECT status FROM actions WHERE id = {action_id}"));
        muster::model::command::ActionStatus::from_code(code).unwrap().word().to_owned()
    }

    fn wait_for_status(&self, action_id: i64, status: &str) {
        wait_for(status, || self.status(action_id) == status);
    }

    /// The counters of an action: prepared, sent, success, failed, timeout, cancelled, expired.
    fn counters(&self, action_id: i64) -> [i64; 7] {
        let sql =
            "SELECT prepared, sent, success, failed, timeout, cancelled, expired FROM actions WHERE id = ?1";
        self.database()
            .query_row(sql, [action_id], |row| {
                let mut counters = [0; 7];
                for (n, counter) in counters.iter_mut().enumerate() {
                    *counter = row.get(n)?;
                }
                Ok(counters)
            })
            .unwrap()
    }

    /// The counters are those of the rows, and each command is there once.
    fn assert_counters_true(&self) {
        let wrong = self.number(
            "SELECT count(*) FROM actions a WHERE
               prepared <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 1)
               OR sent <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 2)
               OR success <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 3)
               OR failed <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 4)
               OR timeout <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 5)
               OR cancelled <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 6)
               OR expired <> (SELECT count(*) FROM commands WHERE action_id = a.id AND status = 7)",
        );
        assert_eq!(wrong, 0, "counters of actions differ from their commands");
        let double = "SELECT count(*) FROM (SELECT 1 FROM commands GROUP BY action_id, endpoint_id HAVING count(*) > 1)";
        assert_eq!(self.number(double), 0, "an endpoint has a command twice");
    }

    /// `muster spool …`: exit code and output.
    fn muster(&self, words: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(words)
            .arg("--data")
            .arg(self.data_dir())
            .env_remove("STATE_DIRECTORY")
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    fn assert_spool_clean(&self) {
        let (code, text) = self.muster(&["spool", "check"]);
        assert_eq!(code, 0, "{text}");
    }

    fn agent(&self, n: usize) -> SimulatedAgent {
        SimulatedAgent { connection: self.server.connect(), n, instance: format!("start-of-{n}") }
    }
}

fn start(data_dir: &Path, place: &Place) -> Server {
    let server = Server::start_with(Options {
        data_dir: Some(data_dir.to_owned()),
        config: place.config.clone(),
        wrapper: place.wrapper.clone(),
        ..Options::default()
    });
    wait_for("the spool", || place.spool.join("command/done").is_dir());
    server
}

/// Waits at most a minute: the machine may be busy with other tests.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn plant_investigator(database: &rusqlite::Connection) {
    let (gpg, fingerprint) = signer();
    let armored = gpg.public_key(fingerprint);
    let key = PublicKey::read(armored.as_bytes()).unwrap();
    let sql = "INSERT INTO investigators
        (name, fingerprint, public_key, is_active, created_at, modified_at, permissions)
        VALUES ('Bob Kelso', ?1, ?2, 1, 1, 2, ?3)";
    database.execute(sql, params![key.fingerprint(), armored, Permissions::DEFAULT.mask()]).unwrap();
    let id = database.last_insert_rowid();
    for key_id in key.key_ids() {
        let key_id = u64::from_str_radix(&key_id, 16).unwrap().to_be_bytes();
        let sql = "INSERT INTO investigator_keys (key_id, investigator_id) VALUES (?1, ?2)";
        database.execute(sql, params![&key_id[..], id]).unwrap();
    }
}

fn plant_agents(database: &rusqlite::Connection, n_agents: usize) {
    let environment =
        r#"{"init":"systemd","ident":"Debian 12","os":"linux","arch":"amd64","isproxied":false,"aws":{}}"#;
    let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        database.prepare_cached(sql).unwrap().execute(values).unwrap();
        database.last_insert_rowid()
    };
    let version = execute("INSERT INTO agent_versions (version) VALUES ('1.0')", &[]);
    let environment =
        execute("INSERT INTO environments (digest, environment) VALUES (x'00', ?1)", &[&environment]);
    let tags = execute("INSERT INTO tag_sets (digest, tags) VALUES (x'00', '{\"operator\":\"IT\"}')", &[]);
    for n in 1..=n_agents {
        let digest: [u8; 32] = Sha256::digest(key(n).as_bytes()).into();
        let sql = "INSERT INTO endpoints (queueloc, key_digest, bound_at) VALUES (?1, ?2, 1)";
        let endpoint = execute(sql, &[&queueloc(n), &&digest[..]]);
        let name = execute("INSERT INTO agent_names (name) VALUES (?1)", &[&format!("a{n}.example.net")]);
        let sql = "INSERT INTO agents (endpoint_id, pid, mode, publicip, addresses)
            VALUES (?1, 4000, 'daemon', '192.0.2.1', '[]')";
        let agent = execute(sql, &[&endpoint]);
        let sql =
            "INSERT INTO agent_states (endpoint_id, agent_id, heartbeat_at, started_at, name_id, version_id,
            environment_id, tags_id) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)";
        execute(sql, &[&endpoint, &agent, &now(), &name, &version, &environment, &tags]);
    }
}

/// An action for all agents of Debian, signed; valid from `from_secs` from now for `for_secs`.
fn action_at(name: &str, target: &str, from_secs: i64, for_secs: i64) -> Action {
    let operations = r#"[{"module": "ping", "parameters": {"count": 1}}]"#;
    action_of(name, target, (from_secs, for_secs), operations)
}

fn action_of(name: &str, target: &str, (from_secs, for_secs): (i64, i64), operations: &str) -> Action {
    let time = |at| muster::model::time::rfc3339(at);
    let json = format!(
        r#"{{"name": {name:?}, "target": {target:?}, "validfrom": "{}", "expireafter": "{}",
            "operations": {operations}, "syntaxversion": 2}}"#,
        time(now() + from_secs),
        time(now() + from_secs + for_secs)
    );
    let mut action = Action::from_json(json.as_bytes()).unwrap();
    let (gpg, fingerprint) = signer();
    action.pgpsignatures = Some(vec![gpg.sign_one_line(fingerprint, &action.signed_text().unwrap())]);
    action
}

fn action(name: &str) -> Action {
    action_at(name, "environment->>'os' = 'linux'", -60, 3_600)
}

/// An agent as the server sees one.
struct SimulatedAgent {
    connection: Connection,
    n: usize,
    instance: String,
}

impl SimulatedAgent {
    fn post(&mut self, path: &str, key: &str, body: &Value) -> std::io::Result<Answer> {
        let fields = [("Authorization".to_owned(), format!("Bearer {key}"))];
        self.connection.request("POST", path, &fields, body.to_string().as_bytes())
    }

    fn try_fetch(&mut self, wait_secs: u64) -> std::io::Result<Answer> {
        let body = json!({"queueloc": queueloc(self.n), "instance": self.instance, "wait": wait_secs});
        self.post("/api/v1/agent/commands", &key(self.n), &body)
    }

    /// The commands, each with its attempt, and for how long the agent is to wait. As an agent does, it comes again
    /// where the server is busy for the moment.
    fn fetch(&mut self, wait_secs: u64) -> (Vec<Value>, u64) {
        let mut answer = self.try_fetch(wait_secs).unwrap();
        for _ in 0..3 {
            if answer.status != 503 {
                break;
            }
            assert!(answer.header("retry-after").is_some(), "{}", answer.text());
            std::thread::sleep(std::time::Duration::from_secs(1));
            answer = self.try_fetch(wait_secs).unwrap();
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        (json["commands"].as_array().unwrap().clone(), json["poll_secs"].as_u64().unwrap())
    }

    /// Fetches without waiting; the ids of the commands.
    fn fetch_ids(&mut self) -> Vec<i64> {
        self.fetch(0).0.iter().map(|entry| entry["command"]["id"].as_i64().unwrap()).collect()
    }

    fn answer(&mut self, id: i64, status: &str, results: Value) -> Answer {
        let key = key(self.n);
        let body =
            json!({"id": id, "status": status, "results": results, "finishtime": "2026-01-01T00:00:00Z"});
        self.post("/api/v1/agent/results", &key, &body).unwrap()
    }

    /// A success of one operation that found something.
    fn succeed(&mut self, id: i64) -> Value {
        let answer = self.answer(id, "success", json!([found()]));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// What an operation gives that found something.
fn found() -> Value {
    json!({"foundanything": true, "success": true, "elements": {"a": 1}, "statistics": null, "errors": null})
}
