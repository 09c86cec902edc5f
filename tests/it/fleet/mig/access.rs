// SPDX-License-Identifier: Apache-2.0
//! Who is let in: tokens good and hostile, API keys, permissions of every route.

use super::*;
use crate::support::server::Options;
use std::time::Duration;

const DASHBOARD: &str = "/api/v1/dashboard";

fn refusal(server: &Server, token: &str) -> String {
    let answer = get_with_token(server, DASHBOARD, token);
    assert_eq!(answer.status, 401, "{}", answer.text());
    message(&answer)
}

fn failed(why: &str) -> String {
    format!("Authorization verification failed with error 'verifySignedToken() -> {why}'")
}

#[test]
fn a_token_of_an_active_investigator_is_accepted_once() {
    let server = Server::start();
    add(&server, "Ada", &keys().ada, "all");
    add(&server, "Bob", &keys().bob, "default");
    for fingerprint in [&keys().ada, &keys().bob] {
        let token = token(fingerprint);
        assert_eq!(get_with_token(&server, DASHBOARD, &token).status, 200);
        // A second use is refused, also by another path and after a restart.
        let again = refusal(&server, &token);
        assert_eq!(again, failed("token was used before, make a fresh one for each request"));
        assert_eq!(get_with_token(&server, "/api/v1/search?type=agent", &token).status, 401);
    }
    // The nonce is any text; a time may have a fraction.
    let time = rfc3339(Clock::system().now()).replace('Z', ".25Z");
    assert_eq!(get_with_token(&server, DASHBOARD, &token_of(&keys().ada, &time, "1")).status, 200);
    let seen: i64 =
        database(&server).query_row("SELECT count(*) FROM seen_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn a_used_token_stays_used_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start_on(&dir.path().join("data"));
    add(&server, "Ada", &keys().ada, "all");
    let token = token(&keys().ada);
    assert_eq!(get_with_token(&server, DASHBOARD, &token).status, 200);
    server.kill();
    let server = Server::start_on(&dir.path().join("data"));
    assert_eq!(get_with_token(&server, DASHBOARD, &token).status, 401);
}

#[test]
fn a_used_token_is_remembered_longer_than_it_counts() {
    let server = Server::start();
    add(&server, "Ada", &keys().ada, "all");
    let made = Clock::system().now();
    assert_eq!(get_with_token(&server, DASHBOARD, &token_of(&keys().ada, &rfc3339(made), "1")).status, 200);
    let connection = rusqlite::Connection::open(database_path(&server.data_dir)).unwrap();
    let until: i64 =
        connection.query_row("SELECT max(until_at) FROM seen_tokens", [], |row| row.get(0)).unwrap();
    // The window is ten minutes; whoever is looked at in its last second is written down later.
    assert!(until >= made + 600 + 60, "{made} {until}");
}

#[test]
fn who_shows_nothing_is_refused_before_the_body_is_read() {
    let server = Server::start();
    for path in ["/api/v1/action/create/", "/api/v1/investigator/create/", "/api/v1/loader/new/"] {
        let mut connection = server.connect();
        // The body is told of and never comes.
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n");
        connection.send(head.as_bytes()).unwrap();
        let began = std::time::Instant::now();
        let line = connection.body_line().unwrap();
        assert!(line.contains(" 401 ") && began.elapsed() < Duration::from_secs(3), "{path}: {line}");
    }
}

#[test]
fn hostile_tokens_are_refused_with_migs_words() {
    let config = Some("[limits]\nlogins_per_minute = 0\n".to_owned());
    let server = Server::start_with(Options { config, ..Options::default() });
    add(&server, "Ada", &keys().ada, "all");
    let ada = &keys().ada;
    let now = Clock::system().now();
    let good = token(ada);
    let parts: Vec<&str> = good.split(';').collect();
    let of = |version: &str, time: &str, nonce: &str, signature: &str| {
        format!("{version};{time};{nonce};{signature}")
    };
    let unknown = failed("GetFingerprintFromSignature() -> openpgp: signature made by unknown entity");
    let mismatch =
        failed("GetFingerprintFromSignature() -> openpgp: invalid signature: hash tag doesn't match");
    let out_of_time = failed("token timestamp is not within acceptable time limits");
    let cases = [
        (String::new(), failed("invalid token format")),
        ("1".to_owned(), failed("invalid token format")),
        (format!("{good};"), failed("invalid token format")),
        (token_of(ada, parts[1], "2"), failed("invalid token version, must be 1")),
        (token_of(ada, &rfc3339(now - 700), "1"), out_of_time.clone()),
        (token_of(ada, &rfc3339(now + 700), "1"), out_of_time.clone()),
        (token_of(ada, "1970-01-01T00:00:00Z", "1"), out_of_time),
        (of("1", parts[1], parts[2], ""), failed("GetFingerprintFromSignature() -> EOF")),
        (of("1", parts[1], parts[2], "AAAA=AAAA"), failed("GetFingerprintFromSignature() -> EOF")),
        (of("1", parts[1], "another", parts[3]), mismatch.clone()),
        (of("1", &rfc3339(now - 1), parts[2], parts[3]), mismatch),
        (token(&keys().stranger), unknown),
    ];
    for (index, (token, expected)) in cases.iter().enumerate() {
        // A success between the failures keeps the answers fast.
        if index % 4 == 3 {
            assert_eq!(get_with_token(&server, DASHBOARD, &super::token(ada)).status, 200);
        }
        assert_eq!(refusal(&server, token), *expected, "{token}");
    }
    let time = rfc3339(now).replace('Z', "+00:00");
    assert!(refusal(&server, &token_of(ada, &time, "1")).contains("parsing time"), "{time}");
    // The untouched one was not used up by its variants.
    assert_eq!(get_with_token(&server, DASHBOARD, &good).status, 200);
    let huge = server.request("GET", DASHBOARD, &[field("X-PGPAUTHORIZATION", &"1".repeat(20_000))], b"");
    assert_eq!(huge.status, 431);
    let large = get_with_token(&server, DASHBOARD, &format!("1;{};n;{}", rfc3339(now), "A".repeat(13_000)));
    assert_eq!((large.status, message(&large)), (401, failed("invalid token format")));
}

#[test]
fn a_disabled_investigator_is_refused_from_the_next_request_on() {
    let server = Server::start();
    let id = add(&server, "Ada", &keys().ada, "all").to_string();
    let key = printed(&muster(&server, &["apikey", &id])).trim().to_owned();
    assert_eq!(get_with_key(&server, DASHBOARD, &key).status, 200);
    printed(&muster(&server, &["disable", "Ada"]));
    assert_eq!(get_with_key(&server, DASHBOARD, &key).status, 401);
    let unknown = "GetFingerprintFromSignature() -> openpgp: signature made by unknown entity";
    assert_eq!(refusal(&server, &token(&keys().ada)), failed(unknown));
    printed(&muster(&server, &["enable", &keys().ada]));
    assert_eq!(get_with_key(&server, DASHBOARD, &key).status, 200);
    assert_eq!(get_with_token(&server, DASHBOARD, &token(&keys().ada)).status, 200);
    // A new API key takes the place of the old one; without one only the token counts.
    let second = printed(&muster(&server, &["apikey", &id])).trim().to_owned();
    assert_eq!(get_with_key(&server, DASHBOARD, &key).status, 401);
    assert_eq!(get_with_key(&server, DASHBOARD, &second).status, 200);
    printed(&muster(&server, &["apikey", &id, "--disable"]));
    assert_eq!(get_with_key(&server, DASHBOARD, &second).status, 401);
}

#[test]
fn the_token_alone_decides_where_there_is_one() {
    let api = Api::start();
    let both = |token: &str, key: &str| {
        let fields = [field("X-MIGAPIKEY", key), field("X-PGPAUTHORIZATION", token)];
        api.server.request("GET", DASHBOARD, &fields, b"").status
    };
    assert_eq!(both("x", &api.key), 401);
    assert_eq!(both("", &api.key), 401);
    add(&api.server, "Ada", &keys().ada, "all");
    assert_eq!(both(&token(&keys().ada), "x"), 200);
    let none = api.server.get(DASHBOARD);
    assert_eq!((none.status, message(&none)), (401, "Valid authentication header not found".to_owned()));
    for key in ["", "x", &api.key[1..], &format!("{}x", api.key), &api.key.to_lowercase(), &"k".repeat(5_000)]
    {
        let answer = get_with_key(&api.server, DASHBOARD, key);
        assert_eq!(answer.status, 401, "{key}");
        assert!(message(&answer).starts_with("Authorization verification failed with error '"));
    }
    // The key is nowhere in the file.
    let mut bytes = std::fs::read(database_path(&api.server.data_dir)).unwrap();
    bytes.extend(std::fs::read(api.server.data_dir.join("muster.db-wal")).unwrap_or_default());
    assert!(!bytes.windows(api.key.len()).any(|part| part == api.key.as_bytes()));
}

#[test]
fn who_guesses_too_often_is_not_looked_at_any_more() {
    let api = Api::start();
    for _ in 0..9 {
        assert_eq!(get_with_key(&api.server, DASHBOARD, "guess").status, 401);
        // A key that is good takes no failure back.
        assert_eq!(api.get(DASHBOARD).status, 200);
    }
    assert_eq!(get_with_key(&api.server, DASHBOARD, "guess").status, 401);
    let refused = get_with_key(&api.server, DASHBOARD, "guess");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(message(&refused).contains("Too many attempts have failed"), "{}", refused.text());
    let secs: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&secs), "{secs}");
    assert_eq!(api.get(DASHBOARD).status, 429, "a good key may be the next guess");
    std::thread::sleep(Duration::from_secs(secs));
    assert_eq!(api.get(DASHBOARD).status, 200);
}

#[test]
fn requests_without_credentials_are_no_guesses_and_many_good_ones_at_once_pass() {
    let api = Api::start();
    for _ in 0..30 {
        assert_eq!(api.server.get(DASHBOARD).status, 401);
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(|| api.get(DASHBOARD).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // Guesses at once are no more than one after the other.
    let n_evaluated = std::thread::scope(|scope| {
        let guess = || get_with_key(&api.server, DASHBOARD, "guess").status;
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(guess)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|status| *status == 401).count()
    });
    assert!((10..=11).contains(&n_evaluated), "{n_evaluated}");
}

/// Every route with the permission that it needs.
const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/search", "search"),
    ("GET", "/api/v1/action?actionid=99", "action"),
    ("POST", "/api/v1/action/create/", "action_create"),
    ("GET", "/api/v1/command?commandid=99", "command"),
    ("GET", "/api/v1/agent?agentid=99", "agent"),
    ("GET", "/api/v1/dashboard", "dashboard"),
    ("GET", "/api/v1/loader?loaderid=1", "loader"),
    ("POST", "/api/v1/loader/status/", "loader_status"),
    ("POST", "/api/v1/loader/expect/", "loader_expect"),
    ("POST", "/api/v1/loader/key/", "loader_key"),
    ("POST", "/api/v1/loader/new/", "loader_new"),
    ("GET", "/api/v1/manifest?manifestid=1", "manifest"),
    ("POST", "/api/v1/manifest/sign/", "manifest_sign"),
    ("POST", "/api/v1/manifest/status/", "manifest_status"),
    ("POST", "/api/v1/manifest/new/", "manifest_new"),
    ("GET", "/api/v1/manifest/loaders/?manifestid=1", "manifest_loaders"),
    ("GET", "/api/v1/investigator?investigatorid=99", "investigator"),
    ("POST", "/api/v1/investigator/create/", "investigator_create"),
    ("POST", "/api/v1/investigator/update/", "investigator_update"),
];

#[test]
fn every_route_needs_its_own_permission_and_no_other() {
    let api = Api::start();
    let (id, key) = add_with_api_key(&api.server, "Kim", "none");
    let all: Vec<&str> = ROUTES.iter().map(|(_, _, permission)| *permission).collect();
    assert_eq!(all.len(), 19);
    for (method, path, permission) in ROUTES {
        let ask = || api.server.request(method, path, &[field("X-MIGAPIKEY", &key)], b"");
        let others: Vec<&str> = all.iter().copied().filter(|other| other != permission).collect();
        printed(&muster(&api.server, &["permissions", &id.to_string(), &others.join(",")]));
        let answer = ask();
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(message(&answer), "Insufficient permissions to access endpoint");
        printed(&muster(&api.server, &["permissions", &id.to_string(), permission]));
        let answer = ask();
        let expected = match *permission {
            "dashboard" => 200,
            word if word.starts_with("loader") || word.starts_with("manifest") => 501,
            "search" | "action" | "command" | "agent" | "investigator" => 404,
            _ => 400,
        };
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text());
        collection(&answer);
        assert_eq!(api.server.request(method, path, &[], b"").status, 401);
        get_with_key(&api.server, DASHBOARD, &api.key);
    }
}

#[test]
fn what_is_open_needs_nothing() {
    let server = Server::start();
    add(&server, "Ada", &keys().ada, "none");
    let alive = server.get("/api/v1/heartbeat");
    assert_eq!(alive.status, 200);
    let item = &alive.json()["collection"]["items"][0];
    assert_eq!((&item["href"], &item["data"][0]["name"]), (&"/api/v1/heartbeat".into(), &"heartbeat".into()));
    assert_eq!(item["data"][0]["value"], "gatorz say hi");
    for path in ["/api/v1/ip", "/api/v1//ip", "/api/v1/ip/"] {
        let ip = server.get(path);
        assert_eq!((ip.status, ip.text()), (200, "127.0.0.1".to_owned()), "{path}");
    }
    for fingerprint in [keys().ada.clone(), keys().ada.to_lowercase()] {
        let key = server.get(&format!("/api/v1/publickey/{fingerprint}"));
        assert_eq!(key.status, 200);
        let read = muster::pgp::PublicKey::read(&key.body).unwrap();
        assert_eq!(read.fingerprint(), keys().ada);
    }
    let missing = server.get("/api/v1/publickey/0123");
    let text = "Invalid Fingerprint : No PublicKey found for fingerprint '0123'";
    assert_eq!((missing.status, missing.text()), (404, text.to_owned()));
    // A client knows the server by any name.
    let fields = [field("Host", "migapi.example:1664")];
    assert_eq!(server.request("GET", "/api/v1/ip", &fields, b"").status, 200);
    let answer = server.request("GET", DASHBOARD, &fields, b"");
    assert_eq!(answer.json()["collection"]["href"], "http://migapi.example:1664/api/v1/dashboard");
}

#[test]
fn two_programs_of_mig_that_start_in_one_second_may_read_with_the_same_token() {
    let server = Server::start();
    let id = add(&server, "Ada", &keys().ada, "all");
    let used = token(&keys().ada);
    let ask = |method: &str, path: &str, agent: &str| {
        let form = [("id", id.to_string()), ("status", "disabled".to_owned())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let fields = [
            field("X-PGPAUTHORIZATION", &used),
            field("User-Agent", agent),
            field("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let body = if method == "POST" { encoded(&form) } else { String::new() };
        server.request(method, path, &fields, body.as_bytes()).status
    };
    let mig = "MIG Client agent-search-20190913";
    assert_eq!(ask("GET", DASHBOARD, mig), 200);
    assert_eq!(ask("GET", "/api/v1/search?type=investigator", mig), 200);
    // What changes something takes a token of its own, and other programs make fresh ones.
    assert_eq!(ask("POST", "/api/v1/investigator/update/", mig), 401);
    assert_eq!(ask("GET", DASHBOARD, "curl/8"), 401);
}

#[test]
fn failures_of_the_gate_are_told_in_migs_form_and_quoted_once() {
    let server = Server::start();
    let answer = server.request("DELETE", "/api/v1/dashboard", &[], b"");
    assert_eq!(answer.status, 405);
    assert!(answer.json()["collection"]["error"]["message"].as_str().unwrap().contains("DELETE"));
    let text = server.get("/api/v1/publickey/a%20b").text();
    assert!(text.ends_with("fingerprint 'a%20b'") || text.ends_with("fingerprint 'a b'"), "{text}");
}
