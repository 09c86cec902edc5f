// SPDX-License-Identifier: Apache-2.0
//! Actions over MIG's API, from their submission to the spool.

use super::*;
use crate::crashes::encoded;
use crate::support::{Answer, Server};
use std::process::Command;
use std::sync::Barrier;

fn muster(server: &Server, words: &[&str]) -> String {
    let data = server.data_dir.to_str().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_muster")).args(words).args(["--data", data]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A server that knows Bob, and Bob's API key.
fn with_bob() -> (Server, String) {
    let server = Server::start();
    let file = server.data_dir.join("bob.asc");
    std::fs::write(&file, keys().gpg.public_key(&keys().bob)).unwrap();
    muster(&server, &["investigator", "add", "--name", "Bob Kelso", "--key", file.to_str().unwrap()]);
    let key = muster(&server, &["investigator", "apikey", "Bob Kelso"]).trim().to_owned();
    (server, key)
}

fn post(server: &Server, key: &str, json: &str) -> Answer {
    let fields = [("X-MIGAPIKEY", key), ("Content-Type", "application/x-www-form-urlencoded")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = format!("action={}", encoded(json));
    server.request("POST", "/api/v1/action/create/", &fields, body.as_bytes())
}

fn far_ahead(name: &str) -> Action {
    let mut action = unsigned(name);
    action.validfrom.unix_secs += 3_000;
    action.expireafter.unix_secs += 3_000;
    action
}

#[test]
fn sixty_four_posts_of_one_action_make_one() {
    let (server, key) = with_bob();
    let json = by_bob(far_ahead("posted")).to_json().unwrap();
    let start = Barrier::new(64);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let post = || {
            start.wait();
            post(&server, &key, &json).status
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(post)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses[0], 202, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    // Nothing of the others is left in the spool, also not for the scheduler to find later.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    for (place, expected) in [("action/new", 1), ("action/invalid", 0), ("action/done", 0)] {
        let names: Vec<_> = std::fs::read_dir(server.data_dir.join("spool").join(place)).unwrap().collect();
        assert_eq!(names.len(), expected, "{place}: {names:?}");
    }
    assert_eq!(muster(&server, &["action", "list"]).lines().count(), 1);
}

#[test]
fn refusals_have_their_status_and_never_500() {
    let (server, key) = with_bob();
    let good = far_ahead("refused");
    let statuses = [
        ("{", 400),
        ("[]", 400),
        (&good.to_json().unwrap(), 400),
        (&sign(good.clone(), &[&keys().stranger]).to_json().unwrap(), 403),
        (&by_bob(Action { target: "1=1; --".to_owned(), ..good.clone() }).to_json().unwrap(), 400),
        (&by_bob(good).to_json().unwrap().replace("\"id\":0", "\"id\":77"), 202),
    ];
    for (json, status) in statuses {
        let answer = post(&server, &key, json);
        assert_eq!(answer.status, status, "{json}: {}", answer.text());
        if status == 202 {
            assert!(answer.text().contains("action ID 1"), "{}", answer.text());
        }
    }
    muster(&server, &["investigator", "disable", "Bob Kelso"]);
    let answer = post(&server, &key, &by_bob(far_ahead("too late")).to_json().unwrap());
    assert_eq!(answer.status, 401, "{}", answer.text());
}
