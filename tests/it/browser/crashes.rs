// SPDX-License-Identifier: Apache-2.0
//! What an admin does with crashes, by clicking: the blacklist there and back, reset, hiding, comments,
//! ticks.

use super::driver::Browser;
use super::fleet::{CRASH_ABORT, CRASH_C, Fleet};
use crate::support::Server;
use muster::guilty::blacklist::ENTRY_CHARS_MAX;
use std::time::{Duration, Instant};

const PREVIEW: &str = "Preview of the blacklist";
const APPLY: &str = "main form[action='/crashes/blacklist'][method=post] button[type=submit]";

/// A server with three crashes of `list_find` and two of `release_buffer`, which were aborted.
fn server() -> Server {
    let server = Server::start();
    let mut fleet = Fleet::new(&server);
    for payload in [CRASH_C, CRASH_C, CRASH_C, CRASH_ABORT, CRASH_ABORT] {
        fleet.crash(payload);
    }
    server
}

/// Waits until the text of an element holds a part; works without JavaScript in the page.
fn wait_for_part(browser: &Browser, selector: &str, part: &str) {
    let start = Instant::now();
    loop {
        let text = browser.text(selector);
        if text.contains(part) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "{selector} never says {part} but {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until stored crashes follow the list.
fn wait_for_recompute(server: &Server) {
    let start = Instant::now();
    while !server.get("/api/crashes/blacklist").json()["recompute"].is_null() {
        assert!(start.elapsed() < Duration::from_secs(15), "the crashes never follow the list");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Applies the change of the preview that is shown, which moves so many crashes.
fn apply(server: &Server, browser: &Browser, moved: &str) {
    browser.wait_for_text("h1", PREVIEW);
    wait_for_part(browser, "main", &format!("{moved} would move to another guilty"));
    browser.click(APPLY);
    browser.wait_for_text("h1", "Blacklist");
    wait_for_recompute(server);
}

/// The guilties and their crashes as the list shows them, most first.
fn guilties(server: &Server, browser: &Browser) -> Vec<(String, String)> {
    browser.open(&server.url("/crashes"));
    browser.wait_for_text("h1", "Crashes of the past 7 days");
    let n_rows = browser.elements("table.guilties tbody tr").len();
    let row = |number: usize| {
        let cell = |cell: &str| browser.text(&format!("table.guilties tbody tr:nth-child({number}) {cell}"));
        (cell("a.guilty").trim_end_matches("()").to_owned(), cell("td.total a"))
    };
    (1..=n_rows).map(row).collect()
}

fn assert_guilties(server: &Server, browser: &Browser, expected: &[(&str, &str)]) {
    let found = guilties(server, browser);
    let found: Vec<(&str, &str)> =
        found.iter().map(|(function, n)| (function.as_str(), n.as_str())).collect();
    assert_eq!(found, expected);
}

const AT_FIRST: &[(&str, &str)] = &[("list_find", "3"), ("release_buffer", "2")];

/// From the list of guilties to one of them, onto the blacklist, and back off it.
fn round_trip(server: &Server, browser: &Browser) {
    assert_guilties(server, browser, AT_FIRST);
    browser.click("table.guilties a.guilty");
    browser.wait_for_text("h1", "Guilty");
    browser.click("main a.button[href*='preview?add=list_find']");
    browser.wait_for_text("h1", PREVIEW);
    wait_for_part(browser, "table.moves tbody", "list_find");
    wait_for_part(browser, "table.moves tbody", "cache_lookup");
    apply(server, browser, "3 stored crashes");
    wait_for_part(browser, "main .notice", "The blacklist was changed");
    assert_eq!(browser.text("#own .entry"), "list_find [/usr/bin/crash_c]");
    assert_guilties(server, browser, &[("cache_lookup", "3"), ("release_buffer", "2")]);
    browser.open(&server.url("/records/1"));
    wait_for_part(browser, "#crash dl", "cache_lookup");
    browser.open(&server.url("/crashes/blacklist"));
    browser.click("#own a.button");
    apply(server, browser, "3 stored crashes");
    assert_eq!(browser.elements("#own .entry").len(), 0);
    assert_guilties(server, browser, AT_FIRST);
}

#[test]
fn a_function_goes_onto_the_blacklist_and_back() {
    let server = server();
    let browser = Browser::start();
    round_trip(&server, &browser);
    browser.assert_quiet();
}

#[test]
fn a_function_goes_onto_the_blacklist_and_back_without_javascript() {
    let server = server();
    round_trip(&server, &Browser::start_without_javascript());
}

#[test]
fn the_blacklist_is_written_searched_switched_and_reset() {
    let server = server();
    let browser = Browser::start();
    let list = server.url("/crashes/blacklist");
    browser.open(&list);
    browser.enter("#entry", "cache_lookup [/nowhere]");
    browser.click("form:has(#entry) button");
    apply(&server, &browser, "0 stored crashes");
    browser.open(&list);
    browser.enter("#search", "list_");
    browser.click("form:has(#search) button");
    wait_for_part(&browser, "table.entries a.guilty", "list_find");
    browser.click("table.entries td.actions a.button:last-of-type");
    apply(&server, &browser, "3 stored crashes");
    browser.open(&list);
    browser.click("#shipped a.button[href*='defaults=off']");
    apply(&server, &browser, "2 stored crashes");
    let without_defaults = &[("cache_lookup", "3"), ("__pthread_kill_implementation", "2")];
    assert_guilties(&server, &browser, without_defaults);
    browser.open(&list);
    assert_eq!(browser.elements("#own .entry").len(), 2);
    browser.click("a.danger");
    browser.wait_for_text(APPLY, "Reset the blacklist");
    // It was only looked at: nothing is changed before the button is pressed.
    assert_guilties(&server, &browser, without_defaults);
    browser.open(&list);
    browser.click("a.danger");
    apply(&server, &browser, "5 stored crashes");
    wait_for_part(&browser, "main .notice", "shipped one again");
    assert_eq!(browser.elements("#own .entry").len(), 0);
    assert_guilties(&server, &browser, AT_FIRST);
    browser.assert_quiet();
}

#[test]
fn one_entry_of_the_shipped_list_is_switched_off_and_on() {
    let server = server();
    let browser = Browser::start();
    for (word, expected) in [("Switch off", "free"), ("Switch on", "release_buffer")] {
        browser.open(&server.url("/crashes/blacklist"));
        let find = format!(
            "return [...document.querySelectorAll('#shipped a.button')]
                .find((button) => button.getAttribute('aria-label') == '{word} free [libc.so.6]')
                .getAttribute('href')"
        );
        let address = browser.run(&find).as_str().unwrap().to_owned();
        browser.open(&server.url(&address));
        apply(&server, &browser, "2 stored crashes");
        assert_guilties(&server, &browser, &[("list_find", "3"), (expected, "2")]);
    }
    browser.assert_quiet();
}

#[test]
fn an_entry_that_cannot_be_one_is_told_beside_its_field() {
    let server = server();
    let browser = Browser::start();
    browser.open(&server.url("/crashes/blacklist"));
    browser.enter("#entry", &"x".repeat(ENTRY_CHARS_MAX + 1));
    browser.click("form:has(#entry) button");
    wait_for_part(&browser, ".field-entry .wrong", &format!("{ENTRY_CHARS_MAX} characters"));
    browser.enter("#entry", "list_find");
    browser.click("form:has(#entry) button");
    apply(&server, &browser, "3 stored crashes");
}

#[test]
fn a_guilty_is_hidden_and_shown_again() {
    let server = server();
    let browser = Browser::start();
    assert_guilties(&server, &browser, AT_FIRST);
    browser.click("table.guilties a.guilty");
    browser.click("form[action$='/hide'] button");
    wait_for_part(&browser, "main .notice", "hidden from the lists now");
    assert_guilties(&server, &browser, &[("release_buffer", "2")]);
    wait_for_part(&browser, "main .heading", "3 of hidden guilties");
    browser.open(&server.url("/crashes/blacklist"));
    wait_for_part(&browser, "#hidden a.guilty", "list_find");
    browser.click("#hidden form button");
    wait_for_part(&browser, "main .notice", "in the lists again");
    assert_eq!(browser.elements("#hidden a.guilty").len(), 0);
    assert_guilties(&server, &browser, AT_FIRST);
    browser.assert_quiet();
}

#[test]
fn a_guilty_gets_a_comment() {
    let server = server();
    let browser = Browser::start();
    assert_guilties(&server, &browser, AT_FIRST);
    browser.click("table.guilties a.guilty");
    browser.wait_for_text("h1", "Guilty");
    let comment = "<b>mended</b> in 41900 & \"later\"";
    browser.enter("#comment", &format!(" {comment} "));
    browser.click("form[action$='/comment'] button");
    wait_for_part(&browser, "main .notice", "The comment was saved");
    browser.open(&server.url("/crashes"));
    assert_eq!(browser.text("td.comment"), comment);
    browser.assert_quiet();
    // A browser holds the limit itself; who goes around it is told.
    browser.click("table.guilties a.guilty");
    browser.wait_for("document.getElementById('comment')");
    browser.run("document.getElementById('comment').removeAttribute('maxlength')");
    browser.enter("#comment", &"x".repeat(81));
    browser.click("form[action$='/comment'] button");
    wait_for_part(&browser, ".field-comment .wrong", "at most 80 characters, this one has 81");
    browser.open(&server.url("/crashes"));
    assert_eq!(browser.text("td.comment"), comment);
}

/// Ticks a frame of record 1, looks at what that would do, and does it for all crashes.
fn tick(server: &Server, browser: &Browser) {
    browser.open(&server.url("/records/1"));
    wait_for_part(browser, ".trace tr.guilty", "list_find");
    browser.click(".trace tbody tr:nth-child(1) input");
    browser.click("#crash form button");
    wait_for_part(browser, "#crash .notice", "it would be: cache_lookup");
    wait_for_part(browser, ".trace tbody tr:nth-child(2)", "would be guilty");
    assert_guilties(server, browser, AT_FIRST);
    browser.open(&server.url("/records/1"));
    browser.click(".trace tbody tr:nth-child(1) input");
    browser.click("#crash form button");
    browser.click("#crash .notice a.button");
    apply(server, browser, "3 stored crashes");
    assert_guilties(server, browser, &[("cache_lookup", "3"), ("release_buffer", "2")]);
    // The box is ticked now; without the tick the function is guilty again.
    browser.open(&server.url("/records/1"));
    wait_for_part(browser, ".trace tbody tr:nth-child(1)", "on the list");
    browser.click(".trace tbody tr:nth-child(1) input");
    browser.click("#crash form button");
    wait_for_part(browser, "#crash .notice", "it would be: list_find");
    browser.click("#crash .notice a.button");
    apply(server, browser, "3 stored crashes");
    assert_guilties(server, browser, AT_FIRST);
}

#[test]
fn frames_of_a_record_are_ticked_tried_and_submitted() {
    let server = server();
    let browser = Browser::start();
    tick(&server, &browser);
    browser.assert_quiet();
}

#[test]
fn frames_are_ticked_without_javascript_too() {
    let server = server();
    tick(&server, &Browser::start_without_javascript());
}
