// SPDX-License-Identifier: Apache-2.0
//! Actions: submission, signatures, the ACL, targets, cancelling.

mod acl;
mod cancelling;
mod command_line;
mod pages;
mod posted;
mod refused;
mod stored;

use crate::support::Gpg;
use crate::support::tester;
use muster::clock::Clock;
use muster::config::{Config, Flags};
use muster::error::{Kind, Result};
use muster::model::action::Action;
use muster::model::investigator::Permissions;
use muster::ops::App;
use muster::ops::fleet::submit::{Origin, Submitter, submit};
use muster::pgp::PublicKey;
use muster::store::fleet::ActionRow;
use muster::store::{Missing, Store, StoreOptions, database_path};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::OnceLock;

/// Three keys that all tests share: making them is slow.
struct Keys {
    gpg: Gpg,
    bob: String,
    kim: String,
    stranger: String,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let gpg = Gpg::new();
        let bob = gpg.key("Bob Kelso", "rsa2048");
        let kim = gpg.key("Kim", "ed25519");
        let stranger = gpg.key("Stranger", "nistp256");
        Keys { gpg, bob, kim, stranger }
    })
}

/// The real time: gpg signs with it.
fn now() -> i64 {
    Clock::system().now()
}

/// The operations over a database file, with a clock that stands.
struct Bench {
    app: App,
    clock: Clock,
    dir: tempfile::TempDir,
    bob: i64,
    kim: i64,
}

impl Bench {
    /// With Bob and Kim, both with the default permissions, and no ACL.
    fn new() -> Bench {
        Bench::at(now())
    }

    fn at(now: i64) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(now);
        let data = dir.path().to_str().unwrap();
        let config = Config::load(&Flags::new(None, Some(data)), &[]).unwrap().config;
        let store = Store::open(&StoreOptions {
            data_dir: dir.path().to_owned(),
            missing: Missing::Create,
            disk_reserve_bytes: 1 << 20,
            readers: 4,
            clock: clock.clone(),
        })
        .unwrap();
        let app = App::new(config, clock.clone(), store);
        app.spool.make().unwrap();
        let bob = add_investigator(dir.path(), "Bob Kelso", &keys().gpg.public_key(&keys().bob));
        let kim = add_investigator(dir.path(), "Kim", &keys().gpg.public_key(&keys().kim));
        Bench { app, clock, dir, bob, kim }
    }

    fn database(&self) -> Connection {
        Connection::open(database_path(self.dir.path())).unwrap()
    }

    fn execute(&self, sql: &str) {
        self.database().execute_batch(sql).unwrap();
    }

    fn submit(&self, action: &Action) -> Result<ActionRow> {
        let actor = tester();
        submit(&self.app, action, &Submitter { investigator_id: None, origin: Origin::CommandLine, actor })
    }

    /// The refusal's kind and text.
    fn refusal(&self, action: &Action) -> (Kind, String) {
        match self.submit(action) {
            Ok(row) => panic!("accepted as action {}: {action:?}", row.id),
            Err(error) => (error.kind(), error.message().to_owned()),
        }
    }

    fn count_actions(&self) -> i64 {
        self.database().query_row("SELECT count(*) FROM actions", [], |row| row.get(0)).unwrap()
    }
}

/// Puts an investigator with the default permissions straight into the tables.
fn add_investigator(data_dir: &Path, name: &str, armored: &str) -> i64 {
    let key = PublicKey::read(armored.as_bytes()).unwrap();
    let connection = Connection::open(database_path(data_dir)).unwrap();
    connection
        .execute(
            "INSERT INTO investigators (name, fingerprint, public_key, is_active, created_at, modified_at, permissions)
             VALUES (?1, ?2, ?3, 1, 1, 2, ?4)",
            params![name, key.fingerprint(), armored, Permissions::DEFAULT.mask()],
        )
        .unwrap();
    let id = connection.last_insert_rowid();
    for key_id in key.key_ids() {
        let key_id = u64::from_str_radix(&key_id, 16).unwrap().to_be_bytes();
        let sql = "INSERT INTO investigator_keys (key_id, investigator_id) VALUES (?1, ?2)";
        connection.execute(sql, params![&key_id[..], id]).unwrap();
    }
    id
}

/// A good action without signatures, valid now; `name` makes it differ from others.
fn unsigned(name: &str) -> Action {
    unsigned_at(name, now())
}

fn unsigned_at(name: &str, now: i64) -> Action {
    let time = |at| muster::model::time::rfc3339(at);
    let json = format!(
        r#"{{"name": {name:?}, "target": "status='online'", "validfrom": "{}", "expireafter": "{}",
            "threat": {{"family": "test"}}, "operations": [{{"module": "ping", "parameters": {{"count": 1}}}}],
            "syntaxversion": 2}}"#,
        time(now - 60),
        time(now + 600)
    );
    Action::from_json(json.as_bytes()).unwrap()
}

/// Signs in MIG's one line, replacing what signatures there were.
fn sign(mut action: Action, fingerprints: &[&str]) -> Action {
    let text = action.signed_text().unwrap();
    let sign = |fingerprint: &&str| keys().gpg.sign_one_line(fingerprint, &text);
    action.pgpsignatures = Some(fingerprints.iter().map(sign).collect());
    action
}

fn by_bob(action: Action) -> Action {
    sign(action, &[&keys().bob])
}
