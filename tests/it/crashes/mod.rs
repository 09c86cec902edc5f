// SPDX-License-Identifier: Apache-2.0
//! Crashes from the post to the page: guilties, the blacklist, forms, hostile payloads. The real binary.

mod blacklist;
mod counted;
mod forms;
mod hostile;
mod lists;
mod record;
mod render;

use crate::support::{Answer, Server, record_fields, with};
use crate::views::html::{Element, read_document};
use std::time::{Duration, Instant};

/// The class of crashes of programs.
pub const PROGRAM: &str = "org.clearlinux/crash/clr";

/// A crash as it is posted.
pub struct Crash<'a> {
    pub event: u64,
    pub classification: &'a str,
    pub build: &'a str,
    pub machine_id: &'a str,
    pub payload: &'a str,
}

impl Default for Crash<'_> {
    fn default() -> Self {
        Crash { event: 1, classification: PROGRAM, build: "41890", machine_id: "a1", payload: "" }
    }
}

/// Posts a crash and returns its record's id.
pub fn post(server: &Server, crash: &Crash<'_>) -> i64 {
    let mut fields = record_fields(crash.event);
    for (name, value) in [
        ("classification", crash.classification),
        ("build", crash.build),
        ("machine_id", crash.machine_id),
        ("severity", "3"),
    ] {
        fields = with(fields, name, Some(value));
    }
    let answer = server.post(&fields, crash.payload.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

/// The payload of a crash of a program with these frames, `function - [module]`, top first.
pub fn payload(frames: &[&str]) -> String {
    let mut text = "Process: /usr/bin/app\nPID: 7\nSignal: 11\n\nBacktrace (TID 7):\n".to_owned();
    for (number, frame) in frames.iter().enumerate() {
        text.push_str(&format!("#{number} {frame}\n"));
    }
    text
}

/// Posts a crash of a program with these frames.
pub fn post_frames(server: &Server, event: u64, frames: &[&str]) -> i64 {
    post(server, &Crash { event, payload: &payload(frames), ..Crash::default() })
}

/// A page that is well-formed and was answered with 200.
pub fn page(server: &Server, path: &str) -> Vec<Element> {
    page_with(server, path, &[], 200)
}

/// A page that is well-formed and was answered with `status`.
pub fn page_with(server: &Server, path: &str, fields: &[(String, String)], status: u16) -> Vec<Element> {
    let answer = server.request("GET", path, fields, b"");
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    read_document(&answer.text())
}

/// The fields of a request that a proxy passed on, so that it counts as not local.
pub fn proxied() -> Vec<(String, String)> {
    vec![("X-Forwarded-For".to_owned(), "192.0.2.7".to_owned())]
}

/// What a form of this server sends back.
pub fn token(server: &Server) -> String {
    // The fixed part of the page: the reset goes through the preview.
    let elements = page(server, "/crashes/blacklist/preview?add=no_such_function_seen");
    let token = elements.iter().find(|e| e.attribute("name") == Some("csrf_token"));
    token.unwrap().attribute("value").unwrap().to_owned()
}

/// Sends a form with its token.
pub fn send(server: &Server, path: &str, values: &[(&str, &str)]) -> Answer {
    let token = token(server);
    // First, as in the forms: of one that is too long the end is cut.
    let values: Vec<_> = [("csrf_token", token.as_str())].iter().chain(values).copied().collect();
    send_form(server, path, &values, &[])
}

/// Sends a form as it is.
pub fn send_form(server: &Server, path: &str, values: &[(&str, &str)], more: &[(String, String)]) -> Answer {
    let body: Vec<String> =
        values.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let mut fields = more.to_vec();
    for (name, value) in [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    server.request("POST", path, &fields, body.join("&").as_bytes())
}

/// Percent-encodes everything but letters and digits.
pub fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Changes the blacklist and waits until stored crashes follow.
pub fn change(server: &Server, values: &[(&str, &str)]) -> String {
    let answer = send(server, "/crashes/blacklist", values);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let until = Instant::now() + Duration::from_secs(20);
    while !server.get("/api/crashes/blacklist").json()["recompute"].is_null() {
        assert!(Instant::now() < until, "stored crashes do not follow the list");
        std::thread::sleep(Duration::from_millis(20));
    }
    answer.header("location").unwrap().to_owned()
}

/// Function and module of each guilty of an answer of the API, with its crashes.
pub fn guilties(answer: &Answer) -> Vec<(String, String, i64)> {
    let json = answer.json();
    let rows = json["guilties"].as_array().unwrap_or_else(|| panic!("{}", answer.text()));
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, "function"), text(row, "module"), row["crashes"].as_i64().unwrap()))
        .collect()
}

/// The functions of the guilties of the past days.
pub fn functions(server: &Server) -> Vec<String> {
    guilties(&server.get("/api/crashes")).into_iter().map(|(function, ..)| function).collect()
}

/// The number of the guilty with this function.
pub fn guilty_id(server: &Server, function: &str) -> i64 {
    let json = server.get("/api/crashes/overall").json();
    let rows = json["guilties"].as_array().unwrap();
    let row = rows.iter().find(|row| row["function"] == function);
    row.unwrap_or_else(|| panic!("{function} is not among {json}"))["id"].as_i64().unwrap()
}

/// Every address that a page links to.
pub fn links(elements: &[Element]) -> Vec<&str> {
    elements.iter().filter_map(|e| e.attribute("href")).collect()
}

/// True where some element's whole text holds `part`.
pub fn says(elements: &[Element], part: &str) -> bool {
    elements.iter().any(|element| element.name == "main" && element.text.contains(part))
}
