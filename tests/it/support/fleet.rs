// SPDX-License-Identifier: Apache-2.0
//! A fleet as `muster demo` makes it, with texts in it that would break a page if anything let them.

use super::Server;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Text that is long, turned around, and markup.
pub const HOSTILE: &str = "\"><script>document.title='broken'</script>\u{202e}\u{0}";

/// A data directory with a fleet; removed when dropped.
pub struct FleetFile {
    directory: tempfile::TempDir,
}

impl FleetFile {
    /// With so many agents.
    pub fn new(n_agents: usize) -> FleetFile {
        let file = FleetFile { directory: tempfile::tempdir().unwrap() };
        let status = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["demo", "--records", "600", "--machines", "40", "--weeks", "1"])
            .args(["--agents", &n_agents.to_string(), "--data"])
            .arg(file.data_dir())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        file
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn database(&self) -> Connection {
        open(&self.data_dir())
    }

    /// What a query counts.
    pub fn count(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Puts hostile text wherever somebody else can write.
    pub fn make_hostile(&self) {
        let long = format!("{}{HOSTILE}", "W".repeat(900)).replace('\0', "");
        let results = format!(
            r#"[{{"foundanything":true,"success":false,"elements":{{{0}:[{{"file":{0},"fileinfo":{{"mode":{0},"size":-1,"lastmodified":{0},"sha256":{0}}}}}],"b":[]}},"statistics":{{{0}:{0}}},"errors":[{0}]}}]"#,
            serde_json::to_string(&long).unwrap()
        );
        let connection = self.database();
        for (sql, value) in [
            (
                "UPDATE agent_names SET name = ?1 WHERE id = (SELECT name_id FROM agent_states ORDER BY heartbeat_at DESC, agent_id DESC LIMIT 1)",
                &long,
            ),
            (
                "UPDATE endpoints SET queueloc = ?1 WHERE id = (SELECT endpoint_id FROM agent_states ORDER BY heartbeat_at DESC, agent_id DESC LIMIT 1)",
                &long,
            ),
            ("UPDATE agent_versions SET version = substr(?1, 830) WHERE id = 1", &long),
            ("UPDATE agents SET publicip = ?1, addresses = json_array(?1) WHERE id % 7 = 0", &long),
            (
                "UPDATE environments SET environment = json_set(environment, '$.ident', ?1, '$.os', ?1, '$.init', ?1) WHERE id = 1",
                &long,
            ),
            (
                "UPDATE tag_sets SET tags = json_set(tags, '$.operator', ?1, '$.W' || hex(zeroblob(60)), ?1) WHERE id = 1",
                &long,
            ),
            ("UPDATE investigators SET name = ?1 WHERE id = 1", &long),
            (
                "UPDATE actions SET name = ?1, target = ?1, reason = ?1 WHERE id = (SELECT max(action_id) FROM commands)",
                &long,
            ),
            (
                "UPDATE actions SET document = json_set(document, '$.description.author', ?1, '$.threat.ref', ?1, '$.operations[0].parameters', json_object(?1, ?1)) WHERE id = (SELECT max(action_id) FROM commands)",
                &long,
            ),
            ("UPDATE commands SET results = ?1, found = 1 WHERE status = 3 AND id % 3 = 0", &results),
            ("UPDATE commands SET results = '{' || ?1 WHERE status = 3 AND id % 3 = 1", &results),
            (
                "INSERT INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts) VALUES (?1, ?1, ?1, 1, 2, 3)",
                &long,
            ),
        ] {
            connection.execute(sql, [value]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    pub fn serve(&self) -> Server {
        Server::start_on(&self.data_dir())
    }
}

fn open(data_dir: &Path) -> Connection {
    let connection = Connection::open(muster::store::database_path(data_dir)).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

/// The address of every page of agents and actions, with rows and without.
pub fn pages(file: &FleetFile) -> Vec<String> {
    let connection = file.database();
    let ids = |sql: &str| -> Vec<i64> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut pages: Vec<String> = [
        "/fleet",
        "/fleet?days=30",
        "/fleet/agents",
        "/fleet/agents?offset=100000",
        "/fleet/agents?name=nobody%25&queueloc=x&version=1&os=linux&tag=a%3Db&status=online",
        "/fleet/agents?target=WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
        "/fleet/agents?target=status%20%3D%20%27online%27",
        "/actions",
        "/actions?status=invalid",
        "/actions?status=pending&from_id=1",
    ]
    .map(str::to_owned)
    .to_vec();
    pages.extend(ids("SELECT id FROM actions").iter().map(|id| format!("/actions/{id}")));
    pages.extend(
        ids("SELECT agent_id FROM agent_states ORDER BY heartbeat_at DESC, agent_id DESC LIMIT 2")
            .iter()
            .map(|id| format!("/fleet/agents/{id}")),
    );
    pages.extend(
        ids("SELECT agent_id FROM agent_history GROUP BY agent_id LIMIT 1")
            .iter()
            .map(|id| format!("/fleet/agents/{id}")),
    );
    let of_commands = "SELECT min(id) FROM commands GROUP BY status, found, id % 3";
    for id in ids(of_commands) {
        let action_id: i64 = connection
            .query_row("SELECT action_id FROM commands WHERE id = ?1", [id], |row| row.get(0))
            .unwrap();
        pages.push(format!("/actions/{action_id}/commands/{id}"));
    }
    pages
}
