// SPDX-License-Identifier: Apache-2.0
//! An action to many agents that wait: from its submission until the results of all are stored.

use crate::client::Client;
use crate::gpg::Gpg;
use crate::rates::{at, ms};
use crate::request::{self, Request};
use crate::server::Process;
use muster::model::action::{Action, Operation};
use muster::model::timestamp::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long an agent waits for commands at a time, in seconds.
const WAIT_SECS: u64 = 45;
/// Threads that wait need little.
const STACK_BYTES: usize = 256 << 10;

/// Makes a key for signing; its fingerprint is needed to sign, its armor to add the investigator.
pub struct Signer {
    gpg: Gpg,
    fingerprint: String,
}

impl Signer {
    /// A signer with a key that ends with the bench.
    pub fn new() -> Signer {
        let gpg = Gpg::new();
        let fingerprint = gpg.key("Bench", "ed25519");
        Signer { gpg, fingerprint }
    }

    /// The public key in armor.
    pub fn public_key(&self) -> String {
        self.gpg.public_key(&self.fingerprint)
    }

    fn action(&self) -> String {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let mut action = Action {
            name: "Bench".into(),
            target: "tags->>'site'='bench'".into(),
            validfrom: Timestamp::utc(now - 60),
            expireafter: Timestamp::utc(now + 900),
            operations: Some(vec![Operation {
                module: "file".into(),
                parameters: json!({"searches": {"s1": {"paths": ["/etc"], "names": ["^hosts$"]}}}),
                ..Operation::default()
            }]),
            syntaxversion: 2,
            ..Action::default()
        };
        let text = action.signed_text().unwrap();
        action.pgpsignatures = Some(vec![self.gpg.sign_one_line(&self.fingerprint, &text)]);
        action.to_json().unwrap()
    }
}

/// What one agent saw.
struct Answered {
    fetched_at: Instant,
    stored_at: Instant,
}

/// Submits an action to `agents` agents that wait, each on a connection of its own; false where a result is missing.
pub fn run(process: &Process, signer: &Signer, api_key: &str, agents: u64) -> bool {
    let address = process.address;
    let mut client = Client::new(address);
    for number in 0..agents {
        assert_eq!(client.send(Request::new(0, true).of(number)).unwrap().status, 200, "a heartbeat");
    }
    let begun = Barrier::new(agents as usize + 1);
    let (submitted_at, id, answered) = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..agents)
            .map(|number| {
                let begun = &begun;
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, move || agent(address, number, begun)).unwrap()
            })
            .collect();
        begun.wait();
        // All have sent their question when the last answer of the server to this is here.
        std::thread::sleep(Duration::from_secs(3));
        let submitted_at = Instant::now();
        let id = submit(&mut client, address, api_key, &signer.action());
        let answered: Vec<Option<Answered>> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        (submitted_at, id, answered)
    });
    let since = |times: Vec<Instant>| {
        let mut times: Vec<Duration> =
            times.into_iter().map(|time| time.saturating_duration_since(submitted_at)).collect();
        times.sort_unstable();
        times
    };
    let fetched = since(answered.iter().flatten().map(|one| one.fetched_at).collect());
    let stored = since(answered.iter().flatten().map(|one| one.stored_at).collect());
    let counters = counters(&mut client, address, api_key, id);
    let time = |times: &[Duration], part: f64| at(times, part).map_or_else(String::new, |time| ms(*time));
    println!(
        "\nan action to {agents} waiting agents: {} fetched (p50 {}, last {}), {} results stored (p50 {}, last {}); \
         counters {counters}; memory {} MB at most",
        fetched.len(),
        time(&fetched, 0.5),
        time(&fetched, 1.0),
        stored.len(),
        time(&stored, 0.5),
        time(&stored, 1.0),
        process.usage().rss_max_kib / 1_024,
    );
    stored.len() as u64 == agents && counters["success"].as_u64() == Some(agents)
}

/// Waits for a command, answers it, and tells when; none where none came within a minute and a half.
fn agent(address: SocketAddr, number: u64, begun: &Barrier) -> Option<Answered> {
    let mut client = Client::new(address);
    let wish = json!({"queueloc": request::queueloc(number), "instance": format!("bench-{number}"),
        "wait": WAIT_SECS});
    let wish = post("/api/v1/agent/commands", address, number, &wish.to_string());
    begun.wait();
    for _ in 0..2 {
        let answer = client.send(&wish).ok()?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let given: Value = serde_json::from_slice(&answer.body).ok()?;
        let Some(command) = given["commands"].get(0) else {
            std::thread::sleep(Duration::from_secs(given["poll_secs"].as_u64().unwrap_or(0)));
            continue;
        };
        let fetched_at = Instant::now();
        let results = json!({
            "id": command["command"]["id"],
            "status": "success",
            "finishtime": request::now_text(),
            "results": [{"foundanything": true, "success": true, "errors": null,
                "statistics": {"filescount": 240, "openfailed": 0, "totalhits": 1, "exectime": "4.2ms"},
                "elements": {"s1": [{"file": "/etc/hosts", "search": {"paths": ["/etc"], "options": {}},
                    "fileinfo": {"size": 220, "mode": "-rw-r--r--", "lastmodified": "2026-01-01 00:00:00 +0000 UTC"}}]}}],
        });
        let answer =
            client.send(&post("/api/v1/agent/results", address, number, &results.to_string())).ok()?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        return Some(Answered { fetched_at, stored_at: Instant::now() });
    }
    None
}

fn post(path: &str, address: SocketAddr, number: u64, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        request::key(number),
        body.len()
    )
    .into_bytes()
}

fn submit(client: &mut Client, address: SocketAddr, api_key: &str, action: &str) -> u64 {
    let body =
        rouille::url::form_urlencoded::Serializer::new(String::new()).append_pair("action", action).finish();
    let request = format!(
        "POST /api/v1/action/create/ HTTP/1.1\r\nHost: {address}\r\nX-MIGAPIKEY: {api_key}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = client.send(request.as_bytes()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
    let json: Value = serde_json::from_slice(&answer.body).unwrap();
    let id = &json["collection"]["items"][0]["data"][0]["value"]["id"];
    id.as_u64().unwrap_or_else(|| panic!("{json}"))
}

fn counters(client: &mut Client, address: SocketAddr, api_key: &str, id: u64) -> Value {
    let request = format!(
        "GET /api/v1/action?actionid={id} HTTP/1.1\r\nHost: {address}\r\nX-MIGAPIKEY: {api_key}\r\n\r\n"
    );
    let answer = client.send(request.as_bytes()).unwrap();
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json["collection"]["items"][0]["data"][0]["value"]["counters"].clone()
}
