// SPDX-License-Identifier: Apache-2.0
//! Who may bring an agent: keys that bind, the token, unbinding.

use super::{agent_command, beat, database, number, send, taken};
use crate::support::Server;
use crate::support::server::Options;
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

const KEY: (&str, &str) = ("Authorization", "Bearer 0123456789abcdef-one");
const OTHER: (&str, &str) = ("Authorization", "Bearer 0123456789abcdef-two");

fn start(enrol: &str) -> Server {
    let config = format!("[fleet]\nenrol = \"{enrol}\"\n");
    Server::start_with(Options { config: Some(config), ..Options::default() })
}

fn refused(server: &Server, fields: &[(&str, &str)], queueloc: &str, why: &str) {
    let (status, error) = send(server, fields, &beat(queueloc, 1));
    assert_eq!(status, 401, "{error}");
    assert!(error.starts_with("Agent is not authorized to upload heartbeats: "), "{error}");
    assert!(error.contains(why), "{error}");
}

fn refusals(connection: &Connection) -> Vec<(String, String, i64)> {
    let mut statement =
        connection.prepare("SELECT queueloc, reason, attempts FROM enrolment_refusals ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn the_first_key_of_an_endpoint_binds() {
    let server = Server::start();
    assert!(server.log().contains("fleet.enrol is open"));
    taken(&server, &[KEY], &beat("a", 1));
    taken(&server, &[KEY], &beat("a", 2));
    refused(&server, &[], "a", "Authorization: Bearer KEY");
    refused(&server, &[OTHER], "a", "muster agent unbind");
    refused(&server, &[OTHER], "a", "muster agent unbind");
    refused(&server, &[("Authorization", "Basic xyz")], "a", "Bearer");
    refused(&server, &[("Authorization", "Bearer short")], "new", "16 to 512");
    // Known without a key: none binds any more.
    taken(&server, &[], &beat("b", 1));
    refused(&server, &[KEY], "b", "muster agent unbind");
    taken(&server, &[], &beat("b", 1));
    let connection = database(&server.data_dir);
    let expected = [
        ("a", "no key, though its endpoint has one", 1),
        ("a", "another key than its endpoint's", 2),
        ("a", "what it shows is no key", 1),
        ("new", "what it shows is no key", 1),
        ("b", "a key, though its endpoint was known without one", 1),
    ];
    let expected = expected.map(|(queueloc, reason, n)| (queueloc.to_owned(), reason.to_owned(), n));
    assert_eq!(refusals(&connection), expected);
    assert_eq!(number(&connection, "SELECT count(*) FROM endpoints"), 2);
    let stored: Vec<u8> = connection
        .query_row("SELECT key_digest FROM endpoints WHERE queueloc = 'a'", [], |row| row.get(0))
        .unwrap();
    assert!(stored.len() == 32 && !String::from_utf8_lossy(&stored).contains("0123456789abcdef"));
}

#[test]
fn behind_a_proxy_a_new_key_needs_the_token_by_itself() {
    for config in [
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n",
        "[http]\nbase_path = \"/muster\"\n",
        "[access]\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"127.0.0.1\"]\n",
    ] {
        let server = Server::start_with(Options { config: Some(config.to_owned()), ..Options::default() });
        assert!(server.log().contains("fleet.enrol is token"), "{config}");
        let through = ("X-Forwarded-For", "192.0.2.7");
        refused(&server, &[KEY, through], "a", "X-Muster-Token");
        refused(&server, &[KEY], "a", "X-Muster-Token");
        let token = agent_command(&server.data_dir, &["token"]).1;
        taken(&server, &[KEY, through, ("X-Muster-Token", token.trim())], &beat("a", 1));
        taken(&server, &[KEY, through], &beat("a", 2));
    }
}

#[test]
fn an_admin_lets_another_key_bind_beside_the_running_server() {
    let server = start("closed");
    assert_eq!(agent_command(&server.data_dir, &["unbind", "a"]).0, 2);
    refused(&server, &[KEY], "a", "fleet.enrol is closed");
    refused(&server, &[], "a", "fleet.enrol is closed");
    let data_dir = server.data_dir.clone();
    database(&data_dir).execute("INSERT INTO endpoints (queueloc) VALUES ('a')", []).unwrap();
    taken(&server, &[], &beat("a", 1));
    refused(&server, &[KEY], "a", "was known without a key");
    assert_eq!(agent_command(&data_dir, &["unbind", "a"]).0, 0);
    taken(&server, &[KEY], &beat("a", 1));
    refused(&server, &[OTHER], "a", "another key");
    assert_eq!(agent_command(&data_dir, &["unbind", "a"]).0, 0);
    taken(&server, &[], &beat("a", 1));
    taken(&server, &[OTHER], &beat("a", 1));
    refused(&server, &[KEY], "a", "another key");
    // Bound again: once is once.
    refused(&server, &[], "a", "Authorization: Bearer KEY");
}

#[test]
fn a_new_key_needs_the_token_where_that_is_asked() {
    let server = start("token");
    let (status, token, _) = agent_command(&server.data_dir, &["token"]);
    let token = token.trim();
    assert_eq!((status, token.len()), (0, 48));
    let file = std::fs::metadata(server.data_dir.join("agent-token")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    taken(&server, &[], &beat("keyless", 1));
    refused(&server, &[KEY], "a", "X-Muster-Token");
    refused(&server, &[KEY, ("X-Muster-Token", "")], "a", "X-Muster-Token");
    refused(&server, &[KEY, ("X-Muster-Token", &token[1..])], "a", "X-Muster-Token");
    taken(&server, &[KEY, ("X-Muster-Token", token)], &beat("a", 1));
    taken(&server, &[KEY], &beat("a", 1));
    // Not even the token binds a key to what was known without one.
    refused(&server, &[KEY, ("X-Muster-Token", token)], "keyless", "muster agent unbind");
    let (status, renewed, _) = agent_command(&server.data_dir, &["token", "--renew"]);
    assert!(status == 0 && renewed.trim() != token);
    assert_eq!(agent_command(&server.data_dir, &["token"]).1, renewed);
    refused(&server, &[KEY, ("X-Muster-Token", token)], "b", "X-Muster-Token");
    taken(&server, &[KEY, ("X-Muster-Token", renewed.trim())], &beat("b", 1));
    taken(&server, &[KEY], &beat("a", 1));
}

#[test]
fn wrong_keys_are_limited_and_good_ones_of_the_same_address_are_not_held_up() {
    let server = start("token");
    let token = agent_command(&server.data_dir, &["token"]).1;
    let token = ("X-Muster-Token", token.trim());
    taken(&server, &[KEY, token], &beat("a", 1));
    for _ in 0..10 {
        refused(&server, &[OTHER, ("X-Muster-Token", "guess")], "a", "another key");
    }
    let (status, error) = send(&server, &[OTHER], &beat("a", 1));
    assert!(status == 429 && error.contains("Too many attempts have failed"), "{status} {error}");
    // Nothing is looked at: neither is there one more refusal in the list.
    let connection = database(&server.data_dir);
    assert_eq!(number(&connection, "SELECT sum(attempts) FROM enrolment_refusals"), 10);
    let fetch = |key: (&str, &str)| {
        let fields = [(key.0.to_owned(), key.1.to_owned())];
        let wish = b"{\"queueloc\":\"a\",\"instance\":\"i\"}";
        server.request("POST", "/api/v1/agent/commands", &fields, wish).status
    };
    let answer = |key: (&str, &str)| {
        let fields = [(key.0.to_owned(), key.1.to_owned())];
        server.request("POST", "/api/v1/agent/results", &fields, b"{\"id\":1,\"status\":\"success\"}").status
    };
    assert_eq!((fetch(OTHER), answer(OTHER)), (429, 429));
    // Everybody else behind this address goes on: those that are bound, that have the token, that show nothing.
    for n in 1..=30 {
        taken(&server, &[KEY], &beat("a", n));
        assert_eq!(fetch(KEY), 200);
        let new = format!("Bearer 0123456789abcdef-new-{n}");
        taken(&server, &[("Authorization", &new), token], &beat(&format!("new{n}"), 1));
    }
    taken(&server, &[], &beat("keyless", 1));
    assert_eq!(
        server.request("GET", "/api/v1/dashboard", &[("X-MIGAPIKEY".into(), "x".into())], b"").status,
        401
    );
}

#[test]
fn of_many_first_keys_one_binds() {
    let server = Server::start();
    let barrier = Barrier::new(16);
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|n| {
                let (server, barrier) = (&server, &barrier);
                scope.spawn(move || {
                    let key = format!("Bearer 0123456789abcdef-{n}");
                    barrier.wait();
                    let (status, _) = send(server, &[("Authorization", &key)], &beat("race", 1));
                    assert!(status == 200 || status == 401);
                    usize::from(status == 200)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 1);
    let connection = database(&server.data_dir);
    assert_eq!(number(&connection, "SELECT sum(attempts) FROM enrolment_refusals"), 15);
    assert_eq!(number(&connection, "SELECT count(*) FROM agents"), 1);
}

#[test]
fn the_list_of_refusals_is_bounded() {
    let server = start("closed");
    let connection = database(&server.data_dir);
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts)
             SELECT 'q' || i, '::1', 'r', 0, 1000 - i, 1 FROM n",
        )
        .unwrap();
    refused(&server, &[], "new", "closed");
    refused(&server, &[], "newer", "closed");
    assert_eq!(number(&connection, "SELECT count(*) FROM enrolment_refusals"), 1_000);
    assert_eq!(
        number(&connection, "SELECT count(*) FROM enrolment_refusals WHERE queueloc IN ('q999', 'q1000')"),
        0
    );
    assert_eq!(number(&connection, "SELECT count(*) FROM enrolment_refusals WHERE queueloc LIKE 'new%'"), 2);
}
