// SPDX-License-Identifier: Apache-2.0
//! Heartbeats, statuses, offline and double agents, enrolment.

mod enrolment;
mod lists;
mod over_time;
mod wire;

use crate::support::{Answer, Server};
use muster::clock::Clock;
use muster::model::time::rfc3339;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// A good heartbeat of now.
fn beat(queueloc: &str, pid: i64) -> Value {
    let now = rfc3339(Clock::system().now());
    json!({
        "name": format!("{queueloc}.example.net"), "mode": "daemon", "version": "1.0", "pid": pid,
        "queueLoc": queueloc, "startTime": now, "refreshTime": now,
        "environment": {
            "init": "systemd", "ident": "Debian 12 bookworm", "os": "linux", "arch": "amd64",
            "isProxied": false, "addresses": ["10.0.0.1/8"], "publicIP": "127.0.0.1", "modules": ["file"],
        },
        "tags": [{"name": "operator", "value": "IT"}],
    })
}

/// Posts a body as a heartbeat.
fn post(server: &Server, fields: &[(&str, &str)], body: &[u8]) -> Answer {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    server.request("POST", "/api/v1/heartbeat", &fields, body)
}

/// The status of a heartbeat, and the error that it is answered with.
fn send(server: &Server, fields: &[(&str, &str)], beat: &Value) -> (u16, String) {
    let answer = post(server, fields, beat.to_string().as_bytes());
    (answer.status, answer.json()["error"].as_str().unwrap_or("").to_owned())
}

fn taken(server: &Server, fields: &[(&str, &str)], beat: &Value) {
    let (status, error) = send(server, fields, beat);
    assert_eq!((status, error.as_str()), (200, ""));
}

fn database(data_dir: &Path) -> Connection {
    let connection = Connection::open(muster::store::database_path(data_dir)).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Exit status, standard output and standard error of `muster agent …` on the data directory.
fn agent_command(data_dir: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("agent").args(words).arg("--data").arg(data_dir);
    let output = command.stdin(Stdio::null()).env_remove("STATE_DIRECTORY").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
