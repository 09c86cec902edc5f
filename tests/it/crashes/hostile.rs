// SPDX-License-Identifier: Apache-2.0
//! Payloads that would break a page, or make it too large.

use super::*;

/// No page is larger, in bytes.
const PAGE_BYTES_MAX: usize = 2_300_000;
/// A little less than the limit of a payload.
const PAYLOAD_BYTES_MAX: usize = (300 << 10) - 100;

fn filled(head: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        let next = line(number);
        if text.len() + next.len() > PAYLOAD_BYTES_MAX {
            break;
        }
        text.push_str(&next);
    }
    text
}

/// Name and payload.
fn payloads() -> Vec<(&'static str, String)> {
    let head = "Process: /x\nPID: 1\nSignal: 11\n\nBacktrace (TID 1):\n";
    let whole = payload(&["deep() - [m] - a.c:1", "main() - [m]"]);
    vec![
        ("frames", filled(head, |n| format!("#{n} f{n}() - [m]\n"))),
        ("short frames", filled(head, |_| "#0 a\n".to_owned())),
        ("one frame again", filled(head, |n| format!("#{n} recursive() - [m] - x.c:1\n"))),
        ("threads", filled(head, |n| format!("Backtrace (TID {n}):\n#0 f - [m]\n"))),
        ("html", filled(head, |n| format!("#{n} <script>\"&'</td>{n} - [<b>] - \"><i>:1\n"))),
        ("angles", filled(head, |n| format!("#{n} {} - [{}]\n", "<".repeat(400), ">".repeat(400)))),
        ("one long line", filled(&format!("{head}#0 "), |_| "x".to_owned())),
        ("one long symbol", filled(&format!("{head}#0 _Z"), |_| "N1a".to_owned())),
        ("nested symbol", filled(&format!("{head}#0 _Z1f"), |_| "PFvS_".to_owned())),
        ("signs", filled(head, |n| format!("#{n} a\u{1}b\u{202e}c - [\u{1}]\n"))),
        ("nothing but signs", filled("x\n", |_| "a\u{1}".to_owned())),
        ("lone hashes", filled(head, |_| "#\n".to_owned())),
        ("huge numbers", filled(head, |_| "#99999999999999999999999 f - [m]\n".to_owned())),
        ("carriage returns", whole.replace('\n', "\r\n")),
        ("cut", whole[..whole.len() - 9].to_owned()),
        (
            "brackets",
            format!("{head}#0 operator[] - [ - [x] - ] - [[m]] - a - [b] - c:1\n#1 - []\n#2  - [m]\n"),
        ),
        (
            "modules",
            filled("Crash Report:\nReason: x\nModules : ", |n| format!("m{n} ")) + "\n#1 f - [kernel]\n",
        ),
        ("registers", filled("Crash Report:\nReason: x\n", |n| format!("Register R{n}: Zero\n"))),
    ]
}

#[test]
fn a_hostile_payload_breaks_no_page_and_makes_none_too_large() {
    let server = Server::start();
    for (event, (name, payload)) in payloads().into_iter().enumerate() {
        let class =
            if name == "modules" || name == "registers" { "org.clearlinux/kernel/bug" } else { PROGRAM };
        let crash =
            Crash { event: event as u64, classification: class, payload: &payload, ..Crash::default() };
        let id = post(&server, &crash);
        for query in ["", "?tried=1", "?tried=1&never=0&never=1&never=499"] {
            let answer = server.get(&format!("/records/{id}{query}"));
            assert_eq!(answer.status, 200, "{name}");
            assert!(answer.body.len() < PAGE_BYTES_MAX, "{name}: {} bytes", answer.body.len());
            read_document(&answer.text());
        }
    }
    for path in [
        "/crashes",
        "/crashes?kind=kernel",
        "/crashes/overall",
        "/crashes/overall?skip=10",
        "/crashes/blacklist?search=a",
    ] {
        page(&server, path);
    }
    for path in ["/api/crashes/overall", "/api/crashes/overall?skip=10"] {
        for guilty in server.get(path).json()["guilties"].as_array().unwrap() {
            let id = guilty["id"].as_i64().unwrap();
            page(&server, &format!("/crashes/guilty_details/{id}"));
            let answer = server.get(&format!("/crashes/guilty_details/{id}/backtraces"));
            assert!(answer.status == 200 && answer.body.len() < PAGE_BYTES_MAX, "{}", answer.body.len());
            read_document(&answer.text());
        }
    }
}

#[test]
fn what_is_left_out_is_told() {
    let server = Server::start();
    let mut text = payload(&[]);
    (0..700).for_each(|n| text.push_str(&format!("#{n} f{n}() - [m]\n")));
    for thread in 0..60 {
        text.push_str(&format!("\nBacktrace (TID {thread}):\n"));
        (0..210).for_each(|n| text.push_str(&format!("#{n} g - [m]\n")));
    }
    let id = post(&server, &Crash { payload: &text, ..Crash::default() });
    let elements = page(&server, &format!("/records/{id}"));
    for part in [
        "200 more frames are left out",
        "60 other threads",
        "10 more threads are left out",
        "10 more frames are left out",
        "Only the first 60 different functions have a box",
    ] {
        assert!(says(&elements, part), "{part}");
    }
    let rows = elements.iter().filter(|e| e.name == "td" && e.has_class("function"));
    assert_eq!(rows.count(), 500);
    let listed = elements.iter().filter(|e| e.name == "ol" && e.has_class("frames"));
    assert_eq!(listed.count(), 50);
}

#[test]
fn fifty_backtraces_of_many_long_frames_fit_a_page_and_the_rest_follows() {
    let server = Server::start();
    for event in 0..53 {
        let mut text = payload(&["hot() - [m]"]);
        (1..250).for_each(|n| text.push_str(&format!("#{n} f{event}_{n}{} - [m]\n", "::<x>".repeat(50))));
        post(&server, &Crash { event, payload: &text, ..Crash::default() });
    }
    let path = format!("/crashes/guilty_details/{}/backtraces", guilty_id(&server, "hot()"));
    let answer = server.get(&path);
    assert!(answer.status == 200 && answer.body.len() < PAGE_BYTES_MAX, "{}", answer.body.len());
    let elements = read_document(&answer.text());
    assert!(says(&elements, "left out here") && says(&elements, "53 different backtraces"));
    assert!(links(&elements).contains(&format!("{path}?skip=50").as_str()));
    assert_eq!(server.get(&format!("/api{path}?skip=50")).json()["backtraces"].as_array().unwrap().len(), 3);
}
