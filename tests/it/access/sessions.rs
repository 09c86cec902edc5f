// SPDX-License-Identifier: Apache-2.0
//! How sessions and API tokens last and end, and that nothing keeps a secret.

use super::*;
use crate::support::client::Connection;
use std::time::{Duration, Instant};

#[test]
fn what_takes_something_from_an_account_ends_its_sessions() {
    let server = start("");
    add(&server, "ada", "admin");
    let data = server.data_dir.clone();
    for words in [
        &["role", "vic", "operator"][..],
        &["password", "vic"],
        &["disable", "vic"],
        &["remove", "vic"],
        &["logout", "vic"],
        &["logout", "--all"],
    ] {
        add(&server, "vic", "viewer");
        let (first, second, token) =
            (login(&server, "vic"), login(&server, "vic"), token(&server, "vic", "read"));
        assert!(counts(&server, &first) && counts(&server, &second));
        printed(&run(&data, words));
        assert!(!counts(&server, &first) && !counts(&server, &second), "{words:?}");
        let keeps_token = !matches!(words[0], "disable" | "remove");
        let status = server.request("GET", "/api/records", &bearer(&token), b"").status;
        assert_eq!(status == 200, keeps_token, "{words:?}");
        if words[0] != "remove" {
            printed(&run(&data, &["remove", "vic"]));
        }
    }
    let actions = "SELECT count(DISTINCT action) FROM audit WHERE action IN ('account.add', 'account.role',
        'account.password', 'account.disable', 'account.remove', 'account.logout', 'token.add', 'session.login')";
    assert_eq!(count(&server, actions), 8);
}

#[test]
fn sessions_end_by_themselves_and_by_their_buttons() {
    let server = start("");
    add(&server, "ada", "admin");
    let (first, second) = (login(&server, "ada"), login(&server, "ada"));
    // Using a session moves its end on, not each time.
    let ends = || count(&server, "SELECT max(until_at) FROM sessions");
    database(&server).execute("UPDATE sessions SET until_at = until_at - 40000", []).unwrap();
    let before = ends();
    assert!(counts(&server, &first) && ends() > before);
    let page = read_document(&server.request("GET", "/account", &cookie(&first), b"").text());
    let buttons: Vec<&str> = page
        .iter()
        .filter(|e| e.attribute("name") == Some("session"))
        .filter_map(|e| e.attribute("value"))
        .collect();
    assert_eq!(buttons.len(), 2);
    for digest in ["", "zz", "0", &"0".repeat(64), &"é".repeat(32)] {
        let status = send_own(&server, "/account/sessions", &first, &[("session", digest)]).status;
        assert!(matches!(status, 400 | 404), "{digest}: {status}");
    }
    for digest in buttons {
        if counts(&server, &first) && counts(&server, &second) {
            let answer = send_own(&server, "/account/sessions", &first, &[("session", digest)]);
            assert_eq!(answer.status, 303);
        }
    }
    assert!(counts(&server, &first) != counts(&server, &second));
    let third = login(&server, "ada");
    let answer = send_own(&server, "/logout", &third, &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/login")));
    assert!(answer.header("set-cookie").unwrap().contains("muster_session=; Path=/; Max-Age=0"));
    assert!(!counts(&server, &third));
    // No more than fifty; the oldest ends.
    let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
      INSERT INTO sessions SELECT randomblob(32), 1, i, 9999999999, 'x', 'y' FROM n";
    database(&server).execute(insert, []).unwrap();
    let last = login(&server, "ada");
    assert_eq!(count(&server, "SELECT count(*) FROM sessions WHERE account_id = 1"), 50);
    assert!(counts(&server, &last));
}

#[test]
fn a_stream_ends_with_the_session_that_opened_it() {
    let server = start("[access]\nread = \"login\"\n");
    add(&server, "ada", "admin");
    add(&server, "vic", "viewer");
    let (vic, token) = (login(&server, "vic"), token(&server, "vic", "records"));
    let mut streams: Vec<_> = [cookie(&vic), bearer(&token)]
        .iter()
        .map(|fields| {
            let mut connection = server.connect();
            let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("GET /records/stream HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            connection.send(head.as_bytes()).unwrap();
            assert!(connection.body_line().unwrap().contains("200"));
            connection
        })
        .collect();
    printed(&run(&server.data_dir, &["disable", "vic"]));
    let start = Instant::now();
    for connection in &mut streams {
        // The last chunk has no bytes.
        while connection.body_line().unwrap() != "0" {}
    }
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    assert_eq!(server.request("HEAD", "/records/stream", &cookie(&vic), b"").status, 401);
}

#[test]
fn a_stream_hands_out_nothing_once_who_listens_may_not() {
    let server = start("[access]\nread = \"login\"\n");
    for name in ["ada", "vic", "out"] {
        add(&server, name, "admin");
    }
    let [ada, vic, out] = ["ada", "vic", "out"].map(|name| login(&server, name));
    let mut streams = [&ada, &vic, &out].map(|secret| {
        let mut connection = server.connect();
        let head = format!(
            "GET /records/stream HTTP/1.1\r\nHost: localhost\r\nCookie: muster_session={secret}\r\n\r\n"
        );
        connection.send(head.as_bytes()).unwrap();
        while !connection.body_line().unwrap().contains("retry") {}
        connection
    });
    let rows = |streams: &mut [Connection]| -> Vec<bool> {
        let row = |stream: &mut Connection| loop {
            match stream.body_line().unwrap() {
                line if line.starts_with("data: ") => return true,
                line if line == "0" => return false,
                _ => {}
            }
        };
        streams.iter_mut().map(row).collect()
    };
    server.post_record(1, "before");
    assert_eq!(rows(&mut streams), [true; 3]);
    printed(&run(&server.data_dir, &["disable", "vic"]));
    assert_eq!(send_own(&server, "/logout", &out, &[]).status, 303);
    server.post_record(2, "after");
    assert_eq!(rows(&mut streams), [true, false, false]);
}

#[test]
fn api_tokens_end_and_their_use_is_noted() {
    let server = start("");
    add(&server, "ada", "admin");
    let token = token(&server, "ada", "read");
    assert!(token.starts_with("mst_") && token.len() == 68, "{token}");
    let get = |token: &str| server.request("GET", "/fleet", &bearer(token), b"").status;
    assert_eq!((get(&token), get(&format!("{token}0")), get(&token[..67]), get("")), (200, 401, 401, 401));
    assert_eq!(count(&server, "SELECT count(*) FROM api_tokens WHERE used_at > 1700000000"), 1);
    assert!(printed(&run(&server.data_dir, &["tokens", "ada"])).contains("used 20"));
    database(&server).execute("UPDATE api_tokens SET until_at = 5", []).unwrap();
    assert_eq!(get(&token), 401);
    assert!(printed(&run(&server.data_dir, &["tokens"])).contains("ended"));
    // No more than a hundred.
    let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
      INSERT INTO api_tokens (digest, account_id, name, scope, created_at) SELECT randomblob(32), 1, 'x', 1, 1 FROM n";
    database(&server).execute(insert, []).unwrap();
    let output = run(&server.data_dir, &["token", "ada", "--for", "one more"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("as many as can be"));
    printed(&run(&server.data_dir, &["revoke", "1"]));
    assert_eq!(run(&server.data_dir, &["revoke", "1"]).status.code(), Some(2));
}

#[test]
fn no_secret_is_kept_anywhere_and_a_kill_loses_nothing() {
    let mut server = start("");
    add(&server, "ada", "admin");
    let (secret, token) = (login(&server, "ada"), token(&server, "ada", "write"));
    try_login(&server, "ada", "a wrong password");
    try_login(&server, "a mistyped password", PASSWORD);
    assert!(counts(&server, &secret));
    let made = printed(&run(&server.data_dir, &["add", "bob", "--generate"]));
    let made = made.split("Password: ").nth(1).unwrap().trim().to_owned();
    let log = server.log();
    server.kill();
    let mut kept = log.into_bytes();
    for entry in std::fs::read_dir(&server.data_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            kept.extend(std::fs::read(path).unwrap());
        }
    }
    for text in [PASSWORD, &secret, &token, &made, "a wrong password", "a mistyped password"] {
        let is_kept = kept.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!is_kept, "{text} is kept");
    }
    let server = Server::start_on(&server.data_dir.clone());
    assert!(counts(&server, &secret));
    assert_eq!(server.request("GET", "/fleet", &bearer(&token), b"").status, 200);
    assert_eq!(send(&server, "/login", &[], &[("name", "bob"), ("password", &made)]).status, 303);
}
