// SPDX-License-Identifier: Apache-2.0
//! The real agent, `muster agent run`, with a directory of its own.

use crate::support::Gpg;
use muster::model::action::Action;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// gpg with an investigator's key, one for all tests here.
pub static GPG: LazyLock<(Gpg, String)> = LazyLock::new(|| {
    let gpg = Gpg::new();
    let fingerprint = gpg.key("investigator", "ed25519");
    (gpg, fingerprint)
});

/// State, keyring and log of one agent.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// With a keyring of the one investigator.
    pub fn new() -> Home {
        let home = Home::without_keys();
        let keyring = home.path("bundle/keyring");
        std::fs::create_dir_all(&keyring).unwrap();
        std::fs::write(keyring.join("investigator.asc"), GPG.0.public_key(&GPG.1)).unwrap();
        home.write_acl(&GPG.1);
        home
    }

    /// The ACL under which one signature by this key is enough for everything.
    pub fn write_acl(&self, fingerprint: &str) {
        let weights = serde_json::json!({"someone": {"fingerprint": fingerprint, "weight": 1}});
        let acl = serde_json::json!({"default": {"minimumweight": 1, "investigators": weights}});
        std::fs::write(self.path("bundle/acl.json"), acl.to_string()).unwrap();
    }

    pub fn without_keys() -> Home {
        Home { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    pub fn queueloc(&self) -> String {
        std::fs::read_to_string(self.path("state/queueloc")).unwrap().trim().to_owned()
    }

    /// Starts the agent; its log is added to that of those before.
    pub fn start(&self, url: &str, words: &[&str]) -> Agent {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["agent", "run", "--server", url, "--heartbeat-secs", "2"])
            .args([Path::new("--state"), &self.path("state"), Path::new("--bundle"), &self.path("bundle")])
            .args(words)
            .env_remove("STATE_DIRECTORY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Agent { child, log: self.path("log") }
    }
}

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; the exit code and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
        (self.wait(), begun.elapsed())
    }

    /// Waits until it ends by itself; the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(90);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the agent does not end");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the agent ---\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// RFC 3339 of so many seconds from now.
pub fn in_secs(secs: i64) -> String {
    (chrono::DateTime::from_timestamp(now() + secs, 0).unwrap()).to_rfc3339()
}

fn now() -> i64 {
    muster::clock::Clock::system().now()
}

/// An action of an hour, signed by the investigator.
pub fn signed(name: &str, target: &str, operations: Value) -> Value {
    sign(json!({
        "name": name, "target": target, "syntaxversion": 2, "operations": operations,
        "validfrom": in_secs(-60), "expireafter": in_secs(3_600),
    }))
}

/// The same action with the investigator's signature.
pub fn sign(mut action: Value) -> Value {
    let text = Action::from_json(action.to_string().as_bytes()).unwrap().signed_text().unwrap();
    action["pgpsignatures"] = json!([GPG.0.sign_one_line(&GPG.1, &text)]);
    action
}

/// One operation that looks for a file by its name.
pub fn find(directory: &Path, name: &str) -> Value {
    json!([{"module": "file", "parameters": {"searches": {"s": {"paths": [directory], "names": [name]}}}}])
}
