// SPDX-License-Identifier: Apache-2.0
//! The crash on the page of a record: its guilty, and what ticks would make of it.

use super::*;

const FRAMES: &[&str] = &[
    "reporter() - [lib.so] - r.c:1",
    "_ZN3app7culpritEv() - [app] - c.cpp:2",
    "reporter() - [lib.so] - r.c:9",
    "main() - [app]",
    "__libc_start_main@@GLIBC_2.34() - [libc.so.6]",
    "_start() - [app]",
];

/// The boxes of the page: value, and whether it is ticked and can be.
fn boxes(elements: &[Element]) -> Vec<(Option<&str>, bool, bool)> {
    let is_box = |e: &&Element| e.attribute("type") == Some("checkbox");
    let state = |e: &'_ Element| (e.attribute("checked").is_some(), e.attribute("disabled").is_some());
    elements.iter().filter(is_box).map(|e| (e.attribute("value"), state(e).0, state(e).1)).collect()
}

fn marked(elements: &[Element]) -> Vec<&str> {
    let tags = elements.iter().filter(|e| e.has_class("tag") && e.has_class("guilty"));
    tags.map(|e| e.text.as_str()).collect()
}

#[test]
fn a_record_shows_its_guilty_its_frames_and_the_line_in_its_payload() {
    let server = Server::start();
    let id = post_frames(&server, 1, FRAMES);
    post_frames(&server, 2, FRAMES);
    let guilty = guilty_id(&server, "reporter()");
    let elements = page(&server, &format!("/records/{id}"));
    assert!(links(&elements).contains(&format!("/crashes/guilty_details/{guilty}").as_str()));
    assert!(says(&elements, "2 crashes have this backtrace") && says(&elements, "SIGSEGV"));
    assert_eq!(marked(&elements), ["guilty"]);
    let line = elements.iter().find(|e| e.name == "mark").unwrap();
    assert_eq!(line.text, "#0 reporter() - [lib.so] - r.c:1");
    // Read by people, with the sent form in the title; as sent in the payload.
    let function = elements.iter().find(|e| e.name == "bdi" && e.text == "app::culprit()").unwrap();
    assert_eq!(function.attribute("title"), Some("_ZN3app7culpritEv()"));
    assert!(elements.iter().any(|e| e.name == "pre" && e.text.contains("#1 _ZN3app7culpritEv() - [app]")));
    // The second frame of a function has no box of its own; the fixed two cannot be changed.
    let expected = [
        (Some("0"), false, false),
        (Some("1"), false, false),
        (Some("3"), false, false),
        (None, true, true),
        (None, true, true),
    ];
    assert_eq!(boxes(&elements), expected);
    assert!(links(&elements).contains(&"/records?host_type=Intel%20Corporation%7CNUC7i5BNH%7CJ31169-311"));
}

#[test]
fn ticks_show_the_guilty_that_this_record_would_have_and_lead_to_the_preview() {
    let server = Server::start();
    let id = post_frames(&server, 1, FRAMES);
    let elements = page(&server, &format!("/records/{id}?tried=1&never=0"));
    assert_eq!(marked(&elements), ["guilty now", "would be guilty"]);
    assert_eq!(boxes(&elements)[0], (Some("0"), true, false));
    let preview = "/crashes/blacklist/preview?add=reporter%20%5Blib.so%5D";
    assert!(links(&elements).contains(&preview), "{:#?}", links(&elements));
    // The page itself changed nothing.
    assert_eq!(functions(&server), ["reporter()"]);
    assert!(says(&page(&server, preview), "1 stored crash would move"));
    change(&server, &[("add", "reporter")]);

    // Now the list holds it; a form without the tick asks to take it out, in whichever way it is held.
    let elements = page(&server, &format!("/records/{id}"));
    assert_eq!(boxes(&elements)[0], (Some("0"), true, false));
    let elements = page(&server, &format!("/records/{id}?tried=1"));
    assert_eq!(marked(&elements), ["would be guilty", "guilty now"]);
    assert!(
        links(&elements).contains(&"/crashes/blacklist/preview?remove=reporter"),
        "{:#?}",
        links(&elements)
    );
    let elements = page(&server, &format!("/records/{id}?tried=1&never=0&never=99&never=x"));
    assert!(says(&elements, "nothing would change"));
}

#[test]
fn ticks_of_rust_functions_are_those_of_their_paths() {
    let server = Server::start();
    let fmt = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE() - [app]";
    let frames = [fmt, "_ZN3app3run17h0123456789abcdefE() - [app]", "_ZN3foo3barEv() - [app]"];
    let id = post_frames(&server, 1, &frames);
    change(&server, &[("add", "core::panicking::panic_fmt [app]")]);
    let preview = |ticks: &str| {
        let elements = page(&server, &format!("/records/{id}?tried=1{ticks}"));
        let is_preview = |link: &&str| link.starts_with("/crashes/blacklist/preview?");
        links(&elements).into_iter().find(is_preview).map(str::to_owned)
    };
    let start = "/crashes/blacklist/preview?";
    assert_eq!(preview("&never=0"), None);
    let entry = "core::panicking::panic_fmt";
    // The shipped list may have it too, in any module.
    let removed = preview("").unwrap();
    assert!(removed.starts_with(&format!("{start}remove={entry}%20%5Bapp%5D")), "{removed}");
    assert!(!removed.contains("add=") && !removed.contains("17h"), "{removed}");
    assert_eq!(preview("&never=0&never=1"), Some(format!("{start}add=app::run%20%5Bapp%5D")));
    assert_eq!(preview("&never=0&never=2"), Some(format!("{start}add=_ZN3foo3barEv%20%5Bapp%5D")));
}

#[test]
fn a_kernel_oops_shows_its_headers_and_a_crash_without_frames_says_so() {
    let server = Server::start();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads/klog-bug.txt");
    let oops = std::fs::read_to_string(path).unwrap();
    let class = "org.clearlinux/kernel/bug";
    let id = post(&server, &Crash { classification: class, payload: &oops, ..Crash::default() });
    let elements = page(&server, &format!("/records/{id}"));
    for part in
        ["unable to handle kernel paging request", "PF          O 3.", "modules loaded", "EFLAGS: Non-zero"]
    {
        assert!(says(&elements, part), "{part}");
    }
    assert_eq!(marked(&elements), ["guilty"]);
    for (event, payload) in [(2, "Process: /x\nPID: 1\n"), (3, ""), (4, "#0 f - [m]")] {
        let id = post(&server, &Crash { event, payload, ..Crash::default() });
        let elements = page(&server, &format!("/records/{id}"));
        assert!(says(&elements, "No guilty was found") && says(&elements, "The payload has no frames"));
    }
    // A class without backtraces has no such section.
    let class = "org.clearlinux/crash/unknown";
    let id = post(
        &server,
        &Crash { event: 5, classification: class, payload: &payload(FRAMES), ..Crash::default() },
    );
    let elements = page(&server, &format!("/records/{id}"));
    assert!(!elements.iter().any(|e| e.attribute("id") == Some("crash")));
}

#[test]
fn so_many_ticks_that_no_address_could_hold_them_are_cut_and_told() {
    let server = Server::start();
    let frames: Vec<String> = (0..90).map(|n| format!("f{n}_{}() - [m]", "é".repeat(400))).collect();
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let id = post_frames(&server, 1, &frames);
    let elements = page(&server, &format!("/records/{id}"));
    assert_eq!(boxes(&elements).len(), 60);
    let ticks: String = (0..60).map(|n| format!("&never={n}")).collect();
    let elements = page(&server, &format!("/records/{id}?tried=1{ticks}"));
    assert!(says(&elements, "have no room in one preview"));
    let all = links(&elements);
    let preview = all.iter().find(|link| link.contains("/preview?")).unwrap();
    page(&server, preview);
}
