// SPDX-License-Identifier: Apache-2.0
//! The pages in a real browser against the real server.

mod access;
mod aggregates;
mod crashes;
mod custom;
mod driver;
mod fleet;
mod fleet_pages;

use crate::support::{Server, record_fields, with};
use driver::Browser;
use serde_json::json;
use std::time::{Duration, Instant};

/// Finds the texts that are hard to read.
const CONTRAST: &str = include_str!("contrast.js");
const N_ROWS: &str = "document.querySelectorAll('#rows > tr').length";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Posts a record of a severity; its id.
fn post(server: &Server, event: u64, severity: &str, payload: &str) -> i64 {
    let fields = with(record_fields(event), "severity", Some(severity));
    let answer = server.post(&fields, payload.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

/// Posts records, each of another event.
fn post_many(server: &Server, n_records: u64) {
    let mut connection = server.connect();
    for event in 0..n_records {
        let answer = connection.request("POST", "/", &record_fields(1_000 + event), b"hello\n").unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

/// A record whose every text is as long, or as odd, as the rules allow.
fn post_odd(server: &Server) -> i64 {
    let long = |count| "W".repeat(count);
    let mut fields = record_fields(9_999);
    for (name, value) in [
        ("classification", format!("org.example/{}/x", long(100))),
        ("host_type", long(249)),
        ("build", long(256).replace('W', "w")),
        ("system_name", long(64)),
        ("cpu_model", "\"><script>document.title='broken'</script>".to_owned()),
        ("board_name", "\u{202e}gpj.exe".to_owned()),
        ("X-CLR-External", "true".to_owned()),
    ] {
        fields = with(fields, name, Some(&value));
    }
    let payload = format!("\n<script>document.title='broken'</script>\0\x1b[31m\u{202e}{}\n", long(3_000));
    let answer = server.post(&fields, payload.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

/// Posts what the rules refuse, as the real client does: without `User-Agent`.
fn quarantine(server: &Server, payload: &[u8]) {
    let fields = with(with(record_fields(1), "severity", Some("9")), "User-Agent", None);
    let answer = server.post(&fields, payload);
    assert_eq!(
        (answer.status, answer.json()["quarantined"].as_bool()),
        (200, Some(true)),
        "{}",
        answer.text()
    );
}

#[test]
fn records_are_shown_and_filtered() {
    let server = Server::start();
    (0..4).for_each(|event| _ = post(&server, event, "1", "calm"));
    post(&server, 4, "3", "alarm");
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    assert_eq!(browser.number(N_ROWS), 5);
    assert!(browser.text("#rows > tr:first-child").contains("alarm"), "newest first");
    browser.run("document.getElementById('severity').value = '3'");
    browser.click(".filter button");
    browser.wait_for("document.readyState == 'complete' && document.querySelector('.chips')");
    assert_eq!(browser.url(), server.url("/records?severity=3"), "empty fields are not in the address");
    assert_eq!(browser.number(N_ROWS), 1);
    assert!(browser.text(".chips").contains("high"));
    browser.click(".chips a");
    browser.wait_for("!document.querySelector('.chips')");
    assert_eq!(browser.number(N_ROWS), 5);
    browser.click("#rows .class a");
    browser.wait_for("document.getElementById('payload')");
    assert_eq!(browser.text("#payload"), "alarm");
    browser.assert_quiet();
    browser.open(&server.url("/records?payload=("));
    assert!(browser.text(".field-payload .wrong").contains("unclosed group"));
}

#[test]
fn load_more_appends_the_next_rows() {
    let server = Server::start();
    post_many(&server, 120);
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    for n_rows in [50, 100, 120] {
        browser.wait_for(&format!("{N_ROWS} == {n_rows}"));
        if n_rows < 120 {
            browser.click("#pager a.more");
        }
    }
    assert_eq!(browser.number("document.querySelectorAll('#pager a').length"), 0);
    assert_eq!(
        browser.number("new Set([...document.querySelectorAll('#rows > tr')].map((row) => row.id)).size"),
        120
    );
    assert_eq!(browser.url(), server.url("/records"));
    browser.assert_quiet();
}

#[test]
fn the_stream_shows_new_records_of_the_filter() {
    let server = Server::start();
    let browser = Browser::start();
    browser.open(&server.url("/records?severity=3"));
    assert_eq!(browser.elements("#empty").len(), 1);
    browser.click("#stream button");
    browser.wait_for("document.querySelector('#stream button[aria-pressed=true]:not(.waiting)')");
    post(&server, 1, "1", "calm");
    let start = Instant::now();
    post(&server, 2, "3", "alarm");
    browser.wait_for(&format!("{N_ROWS} == 1"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(browser.text("#rows").contains("alarm"));
    assert_eq!(browser.elements("#empty").len(), 0);
    assert_eq!(browser.text("#stream button"), "Live · 1 new");
    // Off and on again: what came meanwhile is shown, and nothing twice.
    browser.click("#stream button");
    post(&server, 3, "3", "second alarm");
    browser.click("#stream button");
    browser.wait_for(&format!("{N_ROWS} == 2"));
    assert!(browser.text("#rows > tr:first-child").contains("second alarm"));
    browser.assert_quiet();
}

#[test]
fn the_stream_keeps_at_most_500_rows_and_load_more_goes_on_after_them() {
    let server = Server::start();
    post_many(&server, 10);
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    browser.click("#stream button");
    browser.wait_for("document.querySelector('#stream button[aria-pressed=true]:not(.waiting)')");
    // One event of the stream carries only so many rows: let each part arrive.
    let mut connection = server.connect();
    for event in 0..560_u64 {
        connection.request("POST", "/", &record_fields(event), b"streamed\n").unwrap();
        if event % 80 == 79 {
            let n_rows = (10 + event + 1).min(500);
            browser.wait_for(&format!("{N_ROWS} == {n_rows}"));
        }
    }
    browser.wait_for("document.getElementById('record-570')");
    assert_eq!(browser.number(N_ROWS), 500);
    browser.click("#pager a.more");
    browser.wait_for(&format!("{N_ROWS} == 550"));
    browser.click("#pager a.more");
    browser.wait_for(&format!("{N_ROWS} == 570"));
    browser.assert_quiet();
}

#[test]
fn every_page_works_without_javascript() {
    let server = Server::start();
    post_many(&server, 60);
    let id = post(&server, 1, "3", "alarm");
    quarantine(&server, b"x");
    let browser = Browser::start_without_javascript();
    browser.open(&server.url("/records"));
    assert_eq!(browser.elements("#rows > tr").len(), 50);
    assert_eq!(browser.elements("#stream button").len(), 0, "no switch that does nothing");
    browser.click("#pager a.more");
    browser.wait_for_count("#rows > tr", 11);
    browser.open(&server.url("/records"));
    browser.click("#severity option[value='3']");
    browser.click(".filter button");
    browser.wait_for_count("#rows > tr", 1);
    browser.click("#rows .class a");
    browser.wait_for_text("h1", &format!("Record {id}"));
    assert_eq!(browser.text("#payload"), "alarm");
    browser.open(&server.url("/records/quarantine"));
    browser.click(".posts a");
    browser.enter("#severity", "2");
    browser.click(".correction button");
    browser.wait_for_text("h1", &format!("Record {}", id + 1));
}

#[test]
fn a_post_in_quarantine_is_corrected_and_admitted_or_dropped() {
    let server = Server::start();
    quarantine(&server, b"\nfirst\0line\r\n");
    quarantine(&server, b"second");
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    browser.click(".about a");
    browser.wait_for("document.querySelector('.posts')");
    assert_eq!(browser.number("document.querySelectorAll('.posts tbody tr').length"), 2);
    browser.open(&server.url("/records/quarantine/1"));
    browser.click(".correction button");
    browser.wait_for("document.querySelector('.field-severity .wrong')");
    assert!(!browser.complaints().is_empty(), "a form with an error answers with an error");
    browser.enter("#severity", "2");
    browser.click(".correction button");
    browser.wait_for("location.pathname == '/records/1'");
    // What a text area cannot hold came through, because the payload was left as sent.
    let stored = server.get("/api/records/1").json();
    assert_eq!(stored["payload"], "\nfirst\0line\r\n");
    browser.open(&server.url("/records/quarantine/2"));
    browser.click(".drop summary");
    browser.click(".drop button");
    browser.wait_for("location.pathname == '/records/quarantine' && document.querySelector('.empty')");
    browser.assert_quiet();
}

/// Every page there is, with ordinary and with odd content.
fn pages(server: &Server) -> Vec<String> {
    post_many(server, 60);
    let id = post_odd(server);
    quarantine(server, format!("<script>\0{}", "W".repeat(3_000)).as_bytes());
    let query = "severity=7&machine_id=WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW&payload=WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";
    [
        "/records".to_owned(),
        format!("/records?{query}"),
        "/records?from_id=40".to_owned(),
        format!("/records/{id}"),
        "/records/1".to_owned(),
        "/records/quarantine".to_owned(),
        "/records/quarantine/1".to_owned(),
    ]
    .map(|path| server.url(&path))
    .to_vec()
}

#[test]
fn no_page_scrolls_sideways_on_a_phone() {
    let server = Server::start();
    let browser = Browser::start();
    let pages = pages(&server);
    for width in [360, 700, 1000, 1280] {
        browser.set_width(width);
        for page in pages.iter().chain([&server.url("/records?from_date=WWWWWWWW"), &server.url("/nothing")])
        {
            browser.open(page);
            browser.run("for (const details of document.querySelectorAll('details')) details.open = true");
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= i64::from(width), "{page} needs {needed} of {width}");
        }
    }
}

#[test]
fn every_text_is_readable_in_light_and_dark() {
    let server = Server::start();
    for (event, severity) in (0..).zip(["1", "2", "3", "4"]) {
        post(&server, event, severity, "x");
    }
    let browser = Browser::start();
    let mut pages = pages(&server);
    pages.extend(["/records?payload=(&severity=3", "/nothing"].map(|path| server.url(path)));
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme);
        for page in &pages {
            browser.open(page);
            browser.run("for (const details of document.querySelectorAll('details')) details.open = true");
            assert_eq!(browser.run(CONTRAST), json!([]), "{scheme} {page}");
        }
        grounds.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(grounds[0], grounds[1]);
}

#[test]
fn hostile_content_runs_nothing_and_breaks_no_policy() {
    let server = Server::start();
    let browser = Browser::start();
    for page in pages(&server) {
        browser.open(&page);
        let title = browser.run("return document.title");
        assert!(title.as_str().unwrap().ends_with(" · muster"), "{title}");
        browser.assert_quiet();
    }
    // The page is sealed: an inline script that came in after all would not run.
    browser.run("const s = document.createElement('script'); s.textContent = 'document.title = \"broken\"'; document.body.append(s)");
    assert_ne!(browser.run("return document.title"), json!("broken"));
    assert!(browser.complaints().iter().any(|line| line.contains("Content Security Policy")));
}

#[test]
fn the_keyboard_reaches_everything_and_skips_the_bar() {
    let server = Server::start();
    server.post_record(1, "x");
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    browser.press(TAB);
    assert_eq!(browser.run("return document.activeElement.textContent"), json!("Skip to the content"));
    browser.press(ENTER);
    assert_eq!(browser.run("return document.activeElement.id"), json!("main"));
    let mut reached = Vec::new();
    loop {
        browser.press(TAB);
        if browser.run("return document.activeElement == document.body") == json!(true) {
            break;
        }
        let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(outline, json!("none"), "the focus is seen");
        let name = "const e = document.activeElement; return e.id || e.textContent";
        reached.push(browser.run(name).as_str().unwrap().to_owned());
    }
    for name in
        ["Live", "Export as CSV", "classification", "machine_id", "Filter", "More filters", "hello/world"]
    {
        assert!(reached.iter().any(|r| r == name), "{name} is not among {reached:?}");
    }
}

#[test]
fn the_payload_is_copied_whole() {
    let server = Server::start();
    let id = server.post_record(1, "one\ntwo\n");
    let browser = Browser::start();
    browser.open(&server.url(&format!("/records/{id}")));
    browser.click("#copy button");
    browser.wait_for("document.querySelector('#copy button').textContent == 'Copied'");
    browser.assert_quiet();
}
