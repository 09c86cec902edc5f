// SPDX-License-Identifier: Apache-2.0
//! `muster action` and `muster acl` through the real binary.

use super::*;
use crate::support::Server;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(arguments)
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn the_text_to_sign_is_printed_to_the_byte() {
    for name in ["v1-escapes", "v2-simple"] {
        let data = format!("{}/tests/data/mig/{name}", env!("CARGO_MANIFEST_DIR"));
        let expected = std::fs::read_to_string(format!("{data}.string")).unwrap();
        for ending in ["json", "signed.json", "gojson"] {
            let (code, out, err) = run(&["action", "text", &format!("{data}.{ending}")]);
            assert_eq!((code, out.as_str(), err.as_str()), (0, expected.as_str(), ""), "{name}.{ending}");
        }
    }
    let (code, _, err) = run(&["action", "text", "/nowhere.json"]);
    assert!(code == 2 && err.contains("Cannot read /nowhere.json"), "{err}");
}

#[test]
fn an_action_is_launched_shown_and_cancelled_while_the_server_runs() {
    let config = "[fleet]\nconfirm_above = 2\n";
    let options = crate::support::server::Options { config: Some(config.to_owned()), ..Default::default() };
    let server = Server::start_with(options);
    let data = server.data_dir.to_str().unwrap();
    let config_file = server.data_dir.with_file_name("muster.toml");
    let config = config_file.to_str().unwrap();
    add_investigator(&server.data_dir, "Bob Kelso", &keys().gpg.public_key(&keys().bob));

    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let mut action = unsigned("from the command line");
    // Far ahead, so that the scheduler leaves it alone.
    action.validfrom.unix_secs += 3_000;
    action.expireafter.unix_secs += 3_000;
    let (json, armored) = (file("action.json"), file("action.asc"));
    std::fs::write(&json, action.to_json().unwrap()).unwrap();
    let (code, text, _) = run(&["action", "text", &json]);
    assert_eq!((code, text.as_str()), (0, action.signed_text().unwrap().as_str()));
    std::fs::write(&armored, keys().gpg.sign(&keys().bob, &text)).unwrap();

    let submit = ["action", "submit", &json, "--data", data, "--config", config];
    let (code, _, err) = run(&submit);
    assert!(code == 2 && err.contains("action pgpsignatures is empty"), "{err}");
    let signed: Vec<&str> = submit.into_iter().chain(["--signature", &armored]).collect();
    Connection::open(database_path(&server.data_dir))
        .unwrap()
        .execute_batch(&super::stored::agents_sql(3, now()))
        .unwrap();
    let (code, out, _) = run(&["action", "preview", &json, "--data", data]);
    assert_eq!((code, out.as_str()), (0, "3 agents\n  host0000\n  host0001\n  host0002\n"));
    let (code, _, err) = run(&["action", "preview", "--target", "nonsense", "--data", data]);
    assert!(code == 2 && err.contains("nonsense"), "{err}");
    let (code, _, err) = run(&signed);
    assert!(code == 1 && err.contains("matches 3 agents, more than fleet.confirm_above (2)"), "{err}");
    let confirmed: Vec<&str> = signed.into_iter().chain(["--yes"]).collect();
    let (code, out, err) = run(&confirmed);
    assert_eq!((code, out.as_str()), (0, "Action 1 is pending; its target matches 3 agents now\n"), "{err}");
    let (code, _, err) = run(&confirmed);
    assert!(code == 1 && err.contains("was accepted before, as action 1"), "{err}");

    let (code, out, _) = run(&["action", "list", "--data", data]);
    assert!(code == 0 && out.contains("from the command line") && out.lines().count() == 1, "{out}");
    let (code, out, _) = run(&["action", "list", "--status", "completed", "--data", data]);
    assert_eq!((code, out.as_str()), (0, ""));
    let (code, _, err) = run(&["action", "list", "--status", "done", "--data", data]);
    assert!(code == 2 && err.contains("must be one of pending, scheduled"), "{err}");
    let (code, out, _) = run(&["action", "show", "1", "--data", data]);
    assert!(code == 0 && out.contains(&format!("signed by   Bob Kelso ({})", keys().bob)), "{out}");
    let (code, out, _) = run(&["action", "show", "1", "--json", "--data", data]);
    assert_eq!(code, 0);
    let shown = Action::from_json(out.as_bytes()).unwrap();
    assert_eq!((shown.known_id(), shown.signed_text().unwrap()), (Some(1), text));

    let (code, _, err) = run(&["action", "cancel", "1", "--reason", " ", "--data", data]);
    assert!(code == 2 && err.contains("why the action is cancelled"), "{err}");
    let (code, out, _) = run(&["action", "cancel", "1", "--reason", "not needed", "--data", data]);
    assert_eq!((code, out.as_str()), (0, "Action 1 is cancelled, with 0 of its commands\n"));
    let (code, out, _) = run(&["action", "show", "1", "--data", data]);
    assert!(code == 0 && out.contains("cancelled: not needed"), "{out}");
    let (code, _, err) = run(&["action", "show", "2", "--data", data]);
    assert!(code == 2 && err.contains("Action ID '2' not found"), "{err}");
}

#[test]
fn the_acl_is_changed_without_a_server() {
    let bench = Bench::new();
    let data = bench.dir.path().to_str().unwrap();
    add_investigator(bench.dir.path(), "Kim", &keys().gpg.public_key(&keys().stranger));
    let acl = |words: &[&str]| {
        let words: Vec<&str> = ["acl"].iter().chain(words).chain(&["--data", data]).copied().collect();
        run(&words)
    };
    let (code, out, _) = acl(&["show"]);
    assert!(code == 0 && out.starts_with("No ACL is configured"), "{out}");
    let (code, out, err) =
        acl(&["set", "default", "--minimum", "2", "--weight", "Bob Kelso=1", "--weight=2=1"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("default needs 2\n") && out.contains(&keys().kim), "{out}");
    let (code, _, err) = acl(&["set", "file", "--minimum", "1", "--weight", "Kim=1"]);
    assert!(code == 2 && err.contains("\"Kim\" can mean investigators 2"), "{err}");
    let (code, out, _) = acl(&["set", "file", "--minimum", "9", "--weight", "2=1", "--weight", "3=2"]);
    assert!(code == 0 && out.contains("all together have 3: nobody can use it"), "{out}");
    let (code, out, _) = acl(&["export"]);
    assert_eq!(code, 0);
    assert!(out.contains(&format!("Kim ({})", keys().kim)), "{out}");
    let file = bench.dir.path().join("acl.json");
    std::fs::write(&file, out).unwrap();
    let (code, out, _) = acl(&["remove", "file"]);
    assert_eq!((code, out.as_str()), (0, "Removed the entry file\n"));
    let (code, _, err) = acl(&["remove", "file"]);
    assert!(code == 2 && err.contains("The ACL has no entry \"file\""), "{err}");
    let (code, out, _) = acl(&["import", file.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (0, "Imported 2 entries\n"));
}

#[test]
fn a_bundle_is_written_for_agents() {
    let bench = Bench::new();
    let data = bench.dir.path().to_str().unwrap();
    let dir = bench.dir.path().join("agent");
    let dir = dir.to_str().unwrap();
    let (code, out, err) = run(&["agent", "bundle", dir, "--data", data]);
    assert_eq!(code, 0, "{err}");
    let expected = "2 keys in the keyring, no ACL is configured, so one signature of them suffices\n";
    assert_eq!(out, format!("{dir}: {expected}"));
    let (code, _, err) = run(&["agent", "bundle", data, "--data", data]);
    assert!(code == 2 && err.contains("which is no part of a bundle"), "{err}");
}
