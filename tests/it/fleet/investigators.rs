// SPDX-License-Identifier: Apache-2.0
//! Investigators on the command line and on their page.

use super::mig::{
    Api, add, add_with_api_key, database, encoded, field, get_with_key, get_with_token, ids, keys, muster,
    muster_with, printed, token,
};
use crate::support::{Answer, Server};
use crate::views::html::read_document;
use std::process::{Command, Output};

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs `muster investigator …` on a data directory without a server.
fn alone(data: &std::path::Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("investigator").args(words).arg("--data").arg(data);
    command.env_remove("STATE_DIRECTORY").output().unwrap()
}

#[test]
fn the_first_one_makes_the_database_and_no_other_command_does() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for words in [&["list"][..], &["show", "1"], &["disable", "1"], &["remove", "1"], &["apikey", "1"]] {
        let (code, text) = said(&alone(&data, words));
        assert_eq!(code, Some(2), "{words:?}");
        assert!(text.contains(data.to_str().unwrap()) && !data.exists(), "{text}");
    }
    let key = dir.path().join("ada.asc");
    std::fs::write(&key, keys().gpg.public_key(&keys().ada)).unwrap();
    let words = ["add", "--name", "Ada", "--permissions", "admin", "--key", key.to_str().unwrap()];
    let text = printed(&alone(&data, &words));
    assert_eq!(text, format!("Added investigator 1, Ada, {}\n", keys().ada));
    assert!(data.join("muster.db").exists());
    // What was added before the first start is let in after it.
    let server = Server::start_on(&data);
    assert_eq!(get_with_token(&server, "/api/v1/dashboard", &token(&keys().ada)).status, 200);
}

#[test]
fn all_commands_work_while_the_server_runs() {
    let server = Server::start();
    let ada = add(&server, "Ada", &keys().ada, "admin");
    let (kim, kim_key) = add_with_api_key(&server, "Kim", "search,dashboard");
    assert_eq!((ada, kim), (1, 2));
    let list = printed(&muster(&server, &["list"]));
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["1", "active", keys().ada.as_str(), "admin", "Ada"]);
    assert_eq!(lines[1], ["2", "active", "no", "public", "key", "API", "key", "search,dashboard", "Kim"]);
    let shown = printed(&muster(&server, &["show", &keys().ada.to_lowercase()]));
    assert!(shown.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") && shown.contains("Permissions  admin"));
    assert!(printed(&muster(&server, &["permissions", "Kim", "all"])).contains(" all "));
    assert_eq!(get_with_key(&server, "/api/v1/search?type=investigator", &kim_key).status, 200);
    assert!(printed(&muster(&server, &["disable", "2"])).contains("disabled"));
    assert_eq!(get_with_key(&server, "/api/v1/dashboard", &kim_key).status, 401);
    assert!(printed(&muster(&server, &["enable", "Kim"])).contains("active"));
    assert!(printed(&muster(&server, &["apikey", "Kim", "--disable"])).contains("no API key"));
    assert_eq!(printed(&muster(&server, &["remove", "Kim"])), "Removed investigator 2, Kim\n");
    // Its id is not given again.
    assert_eq!(add_with_api_key(&server, "Lee", "none").0, 3);
}

#[test]
fn what_does_not_fit_is_refused_with_a_remedy() {
    let server = Server::start();
    add(&server, "Ada", &keys().ada, "all");
    let (twin, _) = add_with_api_key(&server, "Twin", "none");
    add_with_api_key(&server, "Twin", "none");
    let pgp = |name: &str| format!("{}/tests/data/mig/pgp/{name}", env!("CARGO_MANIFEST_DIR"));
    let add_file = |name: &str| {
        let file = pgp(name);
        said(&muster(&server, &["add", "--name", "X", "--key", &file]))
    };
    for (name, expected) in [
        ("expired.asc", "has expired"),
        ("revoked.asc", "is revoked"),
        ("dsa.asc", "its algorithm is none of RSA, ECDSA and EdDSA"),
        ("certonly.asc", "is not one that may sign"),
        ("two.asc", "it is more than one key"),
        ("text", "it does not begin with"),
        ("nothing.asc", "Cannot read"),
    ] {
        let (code, text) = add_file(name);
        assert_eq!(code, Some(2), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
    let ada = keys().gpg.public_key(&keys().ada);
    let again = muster_with(&server, &["add", "--name", "Ada 2", "--key", "-"], ada.as_bytes());
    let (code, text) = said(&again);
    assert_eq!(code, Some(1));
    assert!(text.contains("Fingerprint already exists in database"), "{text}");
    for (words, code, expected) in [
        (&["show", "9"][..], 2, "Investigator ID '9' not found"),
        (
            &["show", "Nobody"],
            2,
            "There is no investigator Nobody; name one by id, fingerprint or whole name",
        ),
        (&["show", "Twin"], 2, "2 investigators are called Twin; name one by its id"),
        (&["permissions", "Ada", "root"], 2, "\"root\" is no permission"),
        (&["add", "--name", " "], 2, "Investigator name must not be empty"),
    ] {
        let (found, text) = said(&muster(&server, words));
        assert_eq!(found, Some(code), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
    }
    // Binary keys are as good as armored ones; subkeys that sign count for the primary key.
    for name in ["rsa2048.key", "subkey.asc", "nistp256.asc"] {
        let (code, text) = add_file(name);
        assert_eq!(code, Some(0), "{name}: {text}");
    }
    let key_ids: i64 =
        database(&server).query_row("SELECT count(*) FROM investigator_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(key_ids, 5);
    database(&server)
        .execute_batch(&format!(
            "INSERT INTO acl_modules VALUES ('file', 1); INSERT INTO acl_weights VALUES ('file', {twin}, 1)"
        ))
        .unwrap();
    let (code, text) = said(&muster(&server, &["remove", &twin.to_string()]));
    assert_eq!(code, Some(1));
    assert!(text.contains("the ACL gives it weights; disable it instead"), "{text}");
}

/// The page as a browser on this host gets it; every page must be well-formed.
fn page(server: &Server, path: &str) -> String {
    let answer = server.request("GET", path, &[field("Accept", "text/html")], b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    read_document(&answer.text());
    answer.text()
}

fn submit(server: &Server, path: &str, values: &[(&str, &str)], fields: &[(String, String)]) -> Answer {
    let text = page(server, "/investigators");
    let token =
        text.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut form = vec![("csrf_token", token.as_str())];
    form.extend(values);
    let mut head =
        vec![field("Accept", "text/html"), field("Content-Type", "application/x-www-form-urlencoded")];
    head.extend_from_slice(fields);
    server.request("POST", path, &head, encoded(&form).as_bytes())
}

#[test]
fn the_page_adds_changes_and_removes() {
    let server = Server::start();
    assert!(page(&server, "/investigators").contains("There are none yet"));
    let key = keys().gpg.public_key(&keys().ada);
    let values =
        [("name", "Ada <b>"), ("key", key.as_str()), ("permission", "search"), ("permission", "dashboard")];
    let added = submit(&server, "/investigators", &values, &[]);
    assert_eq!((added.status, added.header("location")), (303, Some("/investigators/1?done=added")));
    let text = page(&server, "/investigators/1?done=added");
    assert!(text.contains("Ada &lt;b&gt;") && text.contains(&keys().ada) && text.contains("was added"));
    assert!(page(&server, "/investigators").contains("2 of 19"));

    let made = submit(&server, "/investigators/1/apikey", &[("apikey", "active")], &[]);
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")));
    read_document(&made.text());
    let api_key = made.text().split("id=\"api_key\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(get_with_key(&server, "/api/v1/dashboard", &api_key).status, 200);
    assert!(!page(&server, "/investigators/1").contains(&api_key));

    let changed = submit(&server, "/investigators/1/permissions", &[("permission", "search")], &[]);
    assert_eq!(changed.status, 303);
    assert_eq!(get_with_key(&server, "/api/v1/dashboard", &api_key).status, 401);
    assert_eq!(
        ids(&get_with_key(&server, "/api/v1/search?type=investigator", &api_key), "investigator"),
        [1]
    );
    assert_eq!(submit(&server, "/investigators/1/status", &[("status", "disabled")], &[]).status, 303);
    assert_eq!(get_with_key(&server, "/api/v1/search", &api_key).status, 401);
    assert!(page(&server, "/investigators").contains("showed no valid token or API key"));
    let cleared = submit(&server, "/investigators/1/apikey", &[("apikey", "disabled")], &[]);
    assert_eq!(cleared.header("location"), Some("/investigators/1?done=cleared"));

    for (values, expected) in [
        (vec![("name", ""), ("key", "")], "Investigator name must not be empty"),
        (vec![("name", "Zed"), ("key", key.as_str())], "already exists in database"),
        (vec![("name", "Zed"), ("key", "nonsense")], "This is not a public key that can be used"),
    ] {
        let refused = submit(&server, "/investigators", &values, &[]);
        assert_eq!(refused.status, 400);
        read_document(&refused.text());
        assert!(refused.text().contains(expected), "{expected}");
        assert!(refused.text().contains(&format!("value=\"{}\"", values[0].1)));
    }
    database(&server)
        .execute_batch(
            "INSERT INTO acl_modules VALUES ('file', 1); INSERT INTO acl_weights VALUES ('file', 1, 1)",
        )
        .unwrap();
    let kept = submit(&server, "/investigators/1/remove", &[], &[]);
    assert_eq!(kept.status, 409);
    assert!(kept.text().contains("disable it instead"));
    database(&server).execute_batch("DELETE FROM acl_modules").unwrap();
    let removed = submit(&server, "/investigators/1/remove", &[], &[]);
    assert_eq!(removed.header("location"), Some("/investigators?done=removed"));
    let left: i64 =
        database(&server).query_row("SELECT count(*) FROM investigators", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn the_page_is_for_local_eyes_and_its_own_forms_only() {
    let api = Api::start();
    let server = &api.server;
    let proxied = [field("Accept", "text/html"), field("X-Forwarded-For", "192.0.2.9")];
    for path in ["/investigators", "/investigators/1"] {
        let answer = server.request("GET", path, &proxied, b"");
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text().contains("Root"));
    }
    let foreign = [field("Origin", "http://evil.example")];
    let forms = [
        ("/investigators", ("name", "Eve")),
        ("/investigators/1/status", ("status", "disabled")),
        ("/investigators/1/permissions", ("permission", "search")),
        ("/investigators/1/apikey", ("apikey", "disabled")),
        ("/investigators/1/remove", ("x", "y")),
    ];
    for (path, value) in forms {
        assert_eq!(submit(server, path, &[value], &foreign).status, 403, "{path}");
        assert_eq!(submit(server, path, &[value], &proxied[1..]).status, 403, "{path}");
        let without = server.request("POST", path, &[], encoded(&[value]).as_bytes());
        assert_eq!(without.status, 403, "{path}");
        assert_eq!(submit(server, path.replace('1', "9").as_str(), &[value], &foreign).status, 403);
    }
    assert_eq!(submit(server, "/investigators/9/status", &[("status", "active")], &[]).status, 404);
    assert_eq!(submit(server, "/investigators/1/status", &[("status", "gone")], &[]).status, 400);
    assert_eq!(api.get("/api/v1/investigator?investigatorid=1").status, 200);
}
