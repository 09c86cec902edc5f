// SPDX-License-Identifier: Apache-2.0
//! The pages of agents and actions in a browser: what they show leads on, and everybody can use them.

use super::aggregates::{MARKS, OPEN_ALL, WIDE, value_of};
use super::driver::Browser;
use super::{CONTRAST, ENTER};
use crate::support::Server;
use crate::support::fleet::{FleetFile, pages};
use serde_json::json;

/// A server with a fleet in which others wrote what they could, and the addresses of its pages.
fn hostile() -> (FleetFile, Server, Vec<String>) {
    let file = FleetFile::new(120);
    file.make_hostile();
    let paths = pages(&file);
    let server = file.serve();
    let urls = paths.iter().map(|path| server.url(path)).collect();
    (file, server, urls)
}

#[test]
fn the_numbers_of_the_fleet_lead_to_what_they_count() {
    let file = FleetFile::new(300);
    let server = file.serve();
    let browser = Browser::start();
    browser.open(&server.url("/fleet?days=30"));
    let numbers = server.get("/api/fleet/statistics").json()["now"].clone();
    let online = numbers["online_agents"].as_i64().unwrap();
    assert!(online > 0, "{numbers}");
    assert_eq!(browser.text(".tiles dd a"), online.to_string());
    assert_eq!(browser.elements("figure.chart svg[role]").len(), 4);
    let marks = browser.run(MARKS);
    assert!(marks.as_array().unwrap().len() > 2, "{marks}");
    for mark in marks.as_array().unwrap() {
        let (title, address) = (mark[0].as_str().unwrap(), mark[1].as_str().unwrap());
        let page = server.get(address).text();
        let expected = value_of(title);
        let noun = if expected == 1 { "agent" } else { "agents" };
        assert!(page.contains(&format!("{expected} {noun} found")), "{title} {address}");
    }
    browser.click(".tiles dd a");
    browser.wait_for("location.pathname == '/fleet/agents'");
    assert_eq!(browser.text("tbody tr:first-child td.state"), "online");
    browser.assert_quiet();
}

#[test]
fn agents_are_searched_and_one_is_opened_without_javascript() {
    let file = FleetFile::new(200);
    let server = file.serve();
    let browser = Browser::start_without_javascript();
    browser.open(&server.url("/fleet/agents"));
    browser.wait_for_count("table.agents tbody tr", 50);
    browser.click("a[rel=next]");
    browser.wait_for_count("a[rel=prev]", 1);
    browser.enter("#target", "pid = 'x'");
    browser.click("form.search button");
    browser.wait_for_count("#wrong-target", 1);
    assert!(browser.text("#wrong-target").starts_with("Target, character 7"));
    browser.enter("#target", "status = 'online'");
    browser.click("form.search button");
    browser.wait_for_text("table.agents tbody tr:first-child td.state", "online");
    let name = browser.text("table.agents tbody tr:first-child td.name");
    browser.click("table.agents tbody tr:first-child td.name a");
    browser.wait_for_text(".about strong", &name);
    browser.open(&server.url("/actions"));
    browser.click(".switch a[href*='completed']");
    browser.wait_for_text(".switch a[aria-current]", "completed");
    browser.click("td.name a");
    browser.wait_for_count("ul.commands", 1);
    browser.click(".counters a[href*='success']");
    browser.wait_for_text(".counters a[aria-current] .status", "success");
}

#[test]
fn the_keyboard_cancels_an_action() {
    let file = FleetFile::new(120);
    let id = file.count("SELECT max(id) FROM actions WHERE status = 4");
    let server = file.serve();
    let browser = Browser::start();
    browser.open(&server.url(&format!("/actions/{id}?live=0")));
    browser.run("document.querySelector('.drop summary').focus()");
    browser.press(ENTER);
    browser.wait_for("document.querySelector('.drop').open");
    browser.enter("#reason", "a wrong regular expression");
    browser.press(ENTER);
    browser.wait_for("document.querySelector('.notice.warning')");
    assert!(browser.text(".notice.warning").contains("a wrong regular expression"));
    assert_eq!(browser.text(".about .status"), "cancelled");
    browser.assert_quiet();
}

#[test]
fn no_page_of_the_fleet_scrolls_sideways_on_a_phone() {
    let (_file, _server, urls) = hostile();
    let browser = Browser::start();
    for width in [360, 700, 1000] {
        browser.set_width(width);
        for url in &urls {
            browser.open(url);
            browser.run(OPEN_ALL);
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= i64::from(width), "{url} needs {needed} of {width}: {}", browser.run(WIDE));
        }
    }
}

#[test]
fn every_text_of_the_fleet_is_readable_and_nothing_that_was_sent_runs() {
    let (_file, _server, urls) = hostile();
    let browser = Browser::start();
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme);
        for url in &urls {
            browser.open(url);
            browser.run(OPEN_ALL);
            assert_eq!(browser.run(CONTRAST), json!([]), "{scheme} {url}");
            let title = browser.run("return document.title");
            assert!(title.as_str().unwrap().ends_with(" · muster"), "{title}");
            // A target that is wrong answers 400, of which the console tells.
            if !url.contains("target=W") {
                browser.assert_quiet();
            } else {
                browser.complaints();
            }
        }
    }
}
