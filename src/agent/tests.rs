// SPDX-License-Identifier: Apache-2.0
//! What runs and what is refused, with keys and signatures that gpg makes; the server's word is the command itself.

use super::judge::{Bundle, Own};
use super::state::State;
use super::work::{Reply, Work};
use crate::clock::Clock;
use crate::model::action::Action;
use crate::target::Facts;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// Long after every key was made.
const NOW: i64 = 1_900_000_000;

/// A home of gpg with keys of its own.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    fn run(&self, words: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("gpg")
            .args(["--batch", "--quiet", "--homedir"])
            .arg(self.home.path())
            .args(["--passphrase", "", "--faked-system-time", "1800000000"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sign(&self, who: &str, text: &str) -> String {
        self.run(&["--armor", "--local-user", who, "--detach-sign"], text.as_bytes())
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
    }
}

/// Armored public keys of alice, bob and mallory, with their fingerprints, and how each signs; gpg signs slowly, so
/// that what one test needs is made once.
struct Keys {
    public: Vec<(&'static str, String, String)>,
    gpg: Gpg,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let gpg = Gpg { home: tempfile::tempdir().unwrap() };
    let public = ["alice", "bob", "mallory"].map(|name| {
        gpg.run(&["--quick-generate-key", name, "ed25519", "sign", "never"], b"");
        let armored = gpg.run(&["--armor", "--export", name], b"");
        let fingerprint = crate::pgp::PublicKey::read(armored.as_bytes()).unwrap().fingerprint().to_owned();
        (name, armored, fingerprint)
    });
    Keys { public: public.into(), gpg }
});

/// An action of one day that ends another agent than this.
fn action(change: Value) -> Value {
    let mut action = json!({
        "name": "test", "target": "environment->>'os' = 'linux'", "syntaxversion": 2,
        "validfrom": "2030-03-17T00:00:00Z", "expireafter": "2030-03-18T00:00:00Z",
        "operations": [{"module": "agentdestroy", "parameters": {"pid": 1, "version": "0"}}],
    });
    put(&mut action, change);
    action
}

fn put(action: &mut Value, change: Value) {
    for (key, value) in change.as_object().unwrap() {
        action[key] = value.clone();
    }
}

fn signed(mut action: Value, signers: &[&str]) -> Value {
    let text = Action::from_json(action.to_string().as_bytes()).unwrap().signed_text().unwrap();
    let signatures: Vec<String> = signers.iter().map(|who| KEYS.gpg.sign(who, &text)).collect();
    action["pgpsignatures"] = json!(signatures);
    action
}

/// An agent without threads and server.
struct Fixture {
    dir: tempfile::TempDir,
    state: State,
    own: Own,
}

impl Fixture {
    /// The keyring has alice and bob, and without an ACL of its own one signature of either is enough.
    fn new(acl: Option<Value>) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let keyring = dir.path().join("bundle/keyring");
        std::fs::create_dir_all(&keyring).unwrap();
        for (name, armored, _) in &KEYS.public[..2] {
            std::fs::write(keyring.join(format!("{name}.asc")), armored).unwrap();
        }
        let of_all = || {
            let weights = KEYS.public[..2].iter().map(|(name, _, fingerprint)| {
                ((*name).to_owned(), json!({"fingerprint": fingerprint, "weight": 1}))
            });
            json!({"default": {"minimumweight": 1, "investigators": Value::from_iter(weights)}})
        };
        let acl = acl.unwrap_or_else(of_all);
        std::fs::write(dir.path().join("bundle/acl.json"), acl.to_string()).unwrap();
        let state = State::open(&dir.path().join("state"), "host").unwrap();
        let facts = Facts {
            now_micros: NOW * 1_000_000,
            id: None,
            name: "host".into(),
            queueloc: "linux.host.1".into(),
            mode: "daemon".into(),
            version: "1".into(),
            pid: 5,
            starttime_micros: NOW * 1_000_000,
            heartbeattime_micros: Some(NOW * 1_000_000),
            refreshtime_micros: Some(NOW * 1_000_000),
            status: Some("online".into()),
            loadername: None,
            environment: json!({"os": "linux", "publicip": "192.0.2.9"}),
            tags: json!({"operator": "IT"}),
        };
        Fixture { dir, state, own: Own { facts, is_public_ip_own: false, trusts_server: false } }
    }

    fn bundle(&self) -> Bundle {
        Bundle::read(&self.bundle_dir()).unwrap().unwrap()
    }

    fn bundle_dir(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    fn try_reply(&self, command: &Value, now: i64) -> crate::error::Result<Reply> {
        let work = Work {
            state: &self.state,
            bundle: &self.bundle(),
            own: &self.own,
            module_most: Duration::from_secs(10),
            clock: &Clock::fixed(now),
        };
        work.reply(command)
    }

    /// The answer to a command with this action.
    fn reply(&self, id: i64, action: &Value) -> Value {
        let reply = self.try_reply(&json!({"id": id, "action": action}), NOW).unwrap();
        serde_json::from_str(&reply.json).unwrap()
    }
}

/// The first error of the first result.
fn first_error(answer: &Value) -> &str {
    answer["results"][0]["errors"][0].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// What the module itself says: so far it comes only where the action was accepted.
const RAN: &str = "another one is meant";

#[test]
fn an_action_runs_where_everything_is_right_and_is_answered_for_each_operation() {
    let fixture = Fixture::new(None);
    let operation = json!({"module": "agentdestroy", "parameters": {"pid": 1, "version": "0"}});
    let own = json!({"module": "agentdestroy",
        "parameters": {"pid": std::process::id(), "version": env!("CARGO_PKG_VERSION")}});
    let unknown = json!({"module": "shell", "parameters": "rm -r /"});
    let answer = fixture.reply(7, &signed(action(json!({"operations": [operation, unknown]})), &["alice"]));
    assert_eq!((&answer["id"], &answer["status"]), (&json!(7), &json!("failed")));
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    assert!(first_error(&answer).contains(RAN), "{answer}");
    assert!(answer["results"][1]["errors"][0].as_str().unwrap().contains("no module shell"), "{answer}");
    let command = json!({"id": 8, "action": signed(action(json!({"operations": [own]})), &["alice", "bob"])});
    let reply = fixture.try_reply(&command, NOW).unwrap();
    assert!(reply.ends_agent && reply.json.contains("\"status\":\"success\""), "{reply:?}");
}

#[test]
fn what_is_not_signed_right_is_refused() {
    let fixture = Fixture::new(None);
    let good = signed(action(json!({})), &["alice"]);
    let forged = |change: Value| {
        let mut action = good.clone();
        put(&mut action, change);
        action
    };
    for (action, part) in [
        (forged(json!({"pgpsignatures": []})), "not signed"),
        (forged(json!({"pgpsignatures": null})), "not signed"),
        (forged(json!({"pgpsignatures": ["nonsense"]})), "not a detached OpenPGP signature"),
        (forged(json!({"pgpsignatures": vec![good["pgpsignatures"][0].clone(); 33]})), "more than 32"),
        (forged(json!({"name": "other"})), "does not match"),
        (forged(json!({"target": "name = 'host'"})), "does not match"),
        (forged(json!({"expireafter": "2030-03-19T00:00:00Z"})), "does not match"),
        (forged(json!({"validfrom": "2030-03-16T00:00:00Z"})), "does not match"),
        (forged(json!({"operations": [{"module": "file", "parameters": {}}]})), "does not match"),
        (forged(json!({"syntaxversion": 1})), "version 2"),
        (forged(json!({"operations": []})), "no operations"),
        (signed(action(json!({})), &["mallory"]), "a key that is not known"),
        (signed(action(json!({})), &["alice", "mallory"]), "a key that is not known"),
        (signed(action(json!({})), &["alice", "alice"]), "twice"),
        (signed(action(json!({"name": "a;target=true"})), &["alice"]), "two ways"),
    ] {
        let answer = fixture.reply(1, &action);
        assert_eq!(answer["status"], "failed");
        assert!(first_error(&answer).contains(part), "{part}: {answer}");
    }
    assert!(first_error(&fixture.reply(1, &good)).contains(RAN));
}

#[test]
fn outside_of_its_time_an_action_is_refused() {
    let fixture = Fixture::new(None);
    let action = signed(action(json!({})), &["alice"]);
    let from = 1_899_936_000;
    for (now, part) in [(from - 1, "not valid before"), (from + 86_400, "expired at"), (from + 86_399, RAN)] {
        let reply = fixture.try_reply(&json!({"id": now, "action": action}), now).unwrap();
        assert!(reply.json.contains(part), "{part}: {reply:?}");
    }
}

#[test]
fn a_target_must_mean_this_agent_by_what_it_knows_itself() {
    let mut fixture = Fixture::new(None);
    let cases = [
        ("queueloc = 'linux.host.1' AND tags->>'operator' = 'IT'", RAN, RAN),
        ("status = 'online' AND heartbeattime > NOW() - interval '5 minutes'", RAN, RAN),
        ("name = 'other'", "does not mean", "does not mean"),
        ("tags->>'nothing' = 'x'", "does not mean", "does not mean"),
        ("name = 'host' OR (SELECT true)", "Refused", "Refused"),
        ("id = 17", "cannot be judged", RAN),
        ("id = 17 AND name = 'other'", "does not mean", "does not mean"),
        ("environment->>'publicip' = '192.0.2.9'", "does not mean", RAN),
        ("environment->>'publicip' IS NULL", "does not mean", "does not mean"),
        (
            "id IN (select agentid from commands, json_array_elements(commands.results) as r \
            where actionid=5 and r#>>'{foundanything}' = 'true')",
            "cannot be judged",
            RAN,
        ),
    ];
    for (number, (target, untrusting, trusting)) in cases.into_iter().enumerate() {
        let number = number as i64;
        let action = signed(action(json!({"target": target})), &["bob"]);
        fixture.own.trusts_server = false;
        let answer = fixture.reply(100 + number, &action);
        assert!(first_error(&answer).contains(untrusting), "{target}: {answer}");
        // The same command, so that what ran is answered again.
        fixture.own.trusts_server = true;
        let answer = fixture.reply(100 + number, &action);
        assert!(first_error(&answer).contains(trusting), "{target}: {answer}");
    }
    fixture.own = Own { is_public_ip_own: true, trusts_server: false, ..fixture.own };
    let own_address = json!({"name": "own address", "target": "environment->>'publicip' = '192.0.2.9'"});
    let own_address = signed(action(own_address), &["alice"]);
    assert!(first_error(&fixture.reply(200, &own_address)).contains(RAN));
}

#[test]
fn every_module_needs_its_weight() {
    let print = |n: usize| KEYS.public[n].2.to_lowercase();
    let acl = json!({
        "default": {"minimumweight": 1, "investigators": {"a": {"fingerprint": print(0), "weight": 1}}},
        "agentdestroy": {"minimumweight": 3, "investigators": {
            "a": {"fingerprint": print(0), "weight": 2}, "b": {"fingerprint": print(1), "weight": 1}}},
    });
    let fixture = Fixture::new(Some(acl));
    let module = |name: &str| json!({"module": name, "parameters": {"pid": 1, "version": "0"}});
    for (id, modules, signers, part) in [
        (1, vec!["agentdestroy"], vec!["alice"], "needs signatures of weight 3"),
        (2, vec!["nothing", "agentdestroy"], vec!["alice"], "needs signatures of weight 3"),
        (3, vec!["nothing"], vec!["bob"], "needs signatures of weight 1"),
        (4, vec!["nothing"], vec!["alice"], "no module nothing"),
        (5, vec!["agentdestroy"], vec!["bob", "alice"], RAN),
    ] {
        let operations: Vec<Value> = modules.iter().map(|name| module(name)).collect();
        let answer = fixture.reply(id, &signed(action(json!({"operations": operations})), &signers));
        assert!(first_error(&answer).contains(part), "{id}: {answer}");
    }
    // What cannot be read must not count as none.
    std::fs::write(fixture.bundle_dir().join("acl.json"), "{").unwrap();
    assert!(Bundle::read(&fixture.bundle_dir()).unwrap_err().message().contains("acl.json"));
}

#[test]
fn a_signed_text_runs_once() {
    let fixture = Fixture::new(None);
    let action = signed(action(json!({"name": "once"})), &["alice"]);
    let first = fixture.reply(11, &action);
    assert!(first_error(&first).contains(RAN));
    let later = fixture.try_reply(&json!({"id": 11, "action": action}), NOW + 999_999).unwrap();
    let later: Value = serde_json::from_str(&later.json).unwrap();
    assert_eq!(later, first, "answered again as before");
    let mut other_words = action.clone();
    put(&mut other_words, json!({"description": {"author": "x"}, "threat": {"family": "y"}, "id": 5}));
    for action in [action, other_words] {
        let answer = fixture.reply(12, &action);
        assert!(first_error(&answer).contains("ran here before"), "{answer}");
    }
}

#[test]
fn what_was_cut_off_is_not_run_again() {
    let fixture = Fixture::new(None);
    let action = signed(action(json!({"name": "cut off"})), &["alice"]);
    fixture.reply(11, &action);
    std::fs::remove_dir_all(fixture.dir.path().join("state/answers")).unwrap();
    assert!(first_error(&fixture.reply(11, &action)).contains("cut off"));
}

#[test]
fn what_cannot_be_remembered_does_not_run() {
    let fixture = Fixture::new(None);
    let ran = fixture.dir.path().join("state/ran");
    std::fs::remove_dir_all(&ran).unwrap();
    std::fs::write(&ran, "").unwrap();
    let answer = fixture.reply(1, &signed(action(json!({})), &["alice"]));
    assert!(first_error(&answer).starts_with("Refused by the agent: Cannot "), "{answer}");
}

#[test]
fn compressed_operations_are_unpacked_and_results_go_as_they_are() {
    let gzip = |json: &Value| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(json.to_string().as_bytes()).unwrap();
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, encoder.finish().unwrap())
    };
    let fixture = Fixture::new(None);
    let own = json!({"pid": std::process::id(), "version": env!("CARGO_PKG_VERSION")});
    let operations = json!([
        {"module": "agentdestroy", "parameters": gzip(&own), "is_compressed": true, "want_compressed": true},
        {"module": "agentdestroy", "parameters": "?", "is_compressed": true},
    ]);
    let answer = fixture.reply(1, &signed(action(json!({"operations": operations})), &["alice"]));
    assert_eq!(answer["results"][0]["success"], true);
    assert!(answer["results"][0]["elements"].as_str().unwrap().starts_with("agent "), "{answer}");
    assert!(answer["results"][1]["errors"][0].as_str().unwrap().contains("base64"), "{answer}");
    assert_eq!(answer["status"], "failed");
}

#[test]
fn whatever_a_server_sends_is_answered_or_passed_over() {
    let fixture = Fixture::new(None);
    for command in
        [json!(null), json!([]), json!({}), json!({"id": "7"}), json!({"id": 0}), json!({"id": -1})]
    {
        assert!(fixture.try_reply(&command, NOW).is_err(), "{command}");
    }
    for action in [json!(null), json!(7), json!({"operations": 7}), json!({"validfrom": "soon"})] {
        let answer = fixture.reply(1, &action);
        assert!(first_error(&answer).contains("Refused by the agent"), "{answer}");
    }
    let many = json!({"operations": vec![json!({"module": "x"}); 100_000]});
    assert!(fixture.reply(1, &many).to_string().len() < 1 << 20);
}

#[test]
fn without_a_key_there_is_no_bundle() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Bundle::read(dir.path()).unwrap().is_none());
    std::fs::create_dir(dir.path().join("keyring")).unwrap();
    std::fs::write(dir.path().join("keyring/.hidden.asc"), &KEYS.public[0].1).unwrap();
    assert!(!Bundle::has_key_files(dir.path()).unwrap());
    std::fs::write(dir.path().join("keyring/broken.asc"), "nonsense").unwrap();
    assert!(Bundle::has_key_files(dir.path()).unwrap());
    assert!(Bundle::read(dir.path()).unwrap().is_none());
    std::fs::write(dir.path().join("keyring/good.asc"), &KEYS.public[0].1).unwrap();
    // Without the ACL less would be demanded.
    assert!(Bundle::read(dir.path()).unwrap_err().message().contains("acl.json"));
    std::fs::write(dir.path().join("acl.json"), "{}").unwrap();
    let bundle = Bundle::read(dir.path()).unwrap().unwrap();
    assert!(bundle.left_out().len() == 1 && bundle.describe().starts_with("1 key and an ACL of 0 entries"));
}
