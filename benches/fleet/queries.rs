// SPDX-License-Identifier: Apache-2.0
//! Questions about a large fleet: pages, the fleet's own API, and MIG's.

use crate::client::{Client, Coding};
use crate::rates::{at, ms};
use crate::server::Process;
use std::time::Duration;

/// Requests for what takes a second each.
const SLOW_REQUESTS_MAX: usize = 5;

/// What is asked for; a part after `target=` is a condition, which is escaped here.
const QUESTIONS: &[&str] = &[
    "/api/fleet/offline",
    "/api/fleet/double",
    "/api/v1/dashboard",
    "/api/v1/search?type=agent&limit=100",
    "/api/v1/search?type=agent&status=online&limit=100",
    "/api/v1/search?type=agent&status=online&limit=100&offset=5000",
    "/api/v1/search?type=agent&agentname=%25lt0012%25&limit=100",
    "/api/v1/search?type=agent&agentversion=2026%25&limit=100",
    "/api/v1/search?type=agent&limit=100&target=tags->>'operator'='IT'",
    "/api/v1/search?type=agent&limit=1000000&target=tags->>'operator'='IT'",
    "/api/v1/search?type=agent&limit=100&target=environment->>'ident' LIKE 'Debian%' AND name ~ '^srv.*7'",
    "/api/v1/search?type=agent&limit=100&target=environment->>'publicip' LIKE '10.18.%'",
    "/api/v1/search?type=agent&limit=100&target=heartbeattime > NOW() - interval '5 minutes'",
    "/api/v1/search?type=action&limit=100",
    "/api/v1/search?type=command&actionid=1&foundanything=true&limit=37",
    "/fleet",
    "/fleet/agents",
    "/fleet/agents?status=offline",
    "/fleet/agents?target=tags->>'site'='lyon'",
    "/actions",
    "/actions/1",
    "/actions/new",
    // A form, as the page posts it.
    "POST /actions/new?target=environment->>'os'='linux' AND status='online'",
    "/investigators",
];

/// Asks everything in turn and prints a table; false where an answer is not 200.
pub fn run(process: &Process, api_key: &str, agents: usize, requests: usize) -> bool {
    let mut client = Client::new(process.address);
    println!("\n| question | p50 | p95 | max | KB | |\n|---|---:|---:|---:|---:|---|");
    let csrf_token = csrf_token(&mut client);
    let mut is_whole = true;
    // A page that a small fleet does not have would be a 404.
    let far = |question: &&&str| agents >= 20_000 || !question.contains("offset=");
    for question in QUESTIONS.iter().filter(far) {
        let request = request(process, question, api_key, &csrf_token);
        let mut times = Vec::new();
        let (mut bytes, mut failure) = (0, String::new());
        let mut left = requests + 2;
        while left > 0 {
            match client.send(&request) {
                Ok(answer) => {
                    bytes = answer.body.len();
                    if answer.status != 200 {
                        failure = answer.status.to_string();
                    }
                    times.push(answer.time);
                    let is_slow = answer.time > Duration::from_millis(500);
                    left = if is_slow { left.min(SLOW_REQUESTS_MAX + 1) - 1 } else { left - 1 };
                }
                Err(error) => {
                    failure = error.to_string();
                    left = 0;
                }
            }
            if !failure.is_empty() {
                left = 0;
            }
        }
        // The first two warm the caches.
        let mut counted: Vec<Duration> =
            times.iter().skip(2.min(times.len().saturating_sub(1))).copied().collect();
        counted.sort_unstable();
        let time = |part: f64| at(&counted, part).map_or_else(String::new, |time| ms(*time));
        println!(
            "| `{}` | {} | {} | {} | {} | {failure} |",
            question.replace('|', "\\|"),
            time(0.5),
            time(0.95),
            time(1.0),
            bytes.div_ceil(1_024)
        );
        is_whole &= failure.is_empty();
    }
    let usage = process.usage();
    println!("\nmemory {} MB at the end, {} MB at most", usage.rss_kib / 1_024, usage.rss_max_kib / 1_024);
    is_whole
}

/// What a form of a page proves itself with; empty where there is none.
fn csrf_token(client: &mut Client) -> String {
    let page = client.get("/actions/new", Coding::Plain).map(|answer| answer.text()).unwrap_or_default();
    let token = page.split_once("name=\"csrf_token\"").and_then(|(_, rest)| rest.split('"').nth(1));
    token.unwrap_or_default().to_owned()
}

fn request(process: &Process, question: &str, api_key: &str, csrf_token: &str) -> Vec<u8> {
    let host = process.address;
    let escape =
        |target: &str| rouille::url::form_urlencoded::byte_serialize(target.as_bytes()).collect::<String>();
    let (before, target) = question.split_once("target=").unwrap_or((question, ""));
    if let Some(path) = before.strip_prefix("POST ") {
        let operations = escape(r#"[{"module":"timedrift","parameters":{}}]"#);
        let target = escape(target);
        let body =
            format!("do=check&csrf_token={csrf_token}&name=Bench&operations={operations}&target={target}");
        let path = path.trim_end_matches('?');
        return format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
    }
    let asked = match target {
        "" => before.to_owned(),
        target => format!("{before}target={}", escape(target)),
    };
    format!("GET {asked} HTTP/1.1\r\nHost: {host}\r\nX-MIGAPIKEY: {api_key}\r\n\r\n").into_bytes()
}
