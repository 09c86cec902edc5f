// SPDX-License-Identifier: Apache-2.0
//! Logging in, acting and logging out in a browser; the pages about accounts are for everybody.

use super::aggregates::{OPEN_ALL, WIDE};
use super::driver::Browser;
use super::{CONTRAST, ENTER};
use crate::access::{PASSWORD, add, start, token};
use crate::support::Server;
use serde_json::json;

const PAGES: [&str; 6] =
    ["/login?looked=1", "/account", "/accounts", "/accounts/1", "/accounts/2", "/nothing"];

fn log_in(browser: &Browser, server: &Server, next: &str) {
    browser.open(&server.url(&format!("/login?looked=1&next={next}")));
    browser.enter("#name", "ada");
    browser.enter("#password", PASSWORD);
    browser.press(ENTER);
}

fn server() -> Server {
    let server = start("");
    add(&server, "ada", "admin");
    add(&server, &"W".repeat(64), "viewer");
    token(&server, "ada", "read");
    server
}

#[test]
fn one_logs_in_acts_and_logs_out() {
    let server = server();
    let browser = Browser::start();
    // Who is led to the form comes back to the page.
    browser.open(&server.url("/fleet"));
    browser.wait_for("location.pathname == '/login' && location.search.includes('looked')");
    assert_eq!(browser.run("return document.activeElement.id"), json!("name"));
    browser.enter("#name", "ada");
    browser.enter("#password", "not the password");
    browser.press(ENTER);
    browser.wait_for("document.querySelector('.notice.error')");
    assert_eq!(browser.run("return document.activeElement.id"), json!("password"));
    assert!(!browser.complaints().is_empty(), "a form with an error answers with an error");
    browser.enter("#password", PASSWORD);
    browser.press(ENTER);
    browser.wait_for("location.pathname == '/fleet'");
    assert!(browser.text(".foot").contains("ada (admin)"));
    assert_eq!(browser.run("return document.cookie"), json!(""), "no script reads the cookie");
    assert!(browser.text(".bar").contains("Accounts"));
    browser.open(&server.url("/accounts"));
    browser.enter("#add #name", "bob");
    browser.click("#add button");
    browser.wait_for("document.getElementById('made_up')");
    assert_eq!(browser.text("#made_up").len(), 24);
    browser.open(&server.url("/account"));
    browser.click(".heading .actions button");
    browser.wait_for("location.pathname == '/login'");
    browser.open(&server.url("/accounts"));
    browser.wait_for("location.pathname == '/login'");
    browser.assert_quiet();
}

#[test]
fn a_link_of_another_site_finds_who_is_logged_in() {
    let server = server();
    let browser = Browser::start();
    log_in(&browser, &server, "/fleet");
    browser.wait_for("location.pathname == '/fleet'");
    // Another site: the same host by another name is one to a browser.
    let link = server.url("/accounts").replace("127.0.0.1", "localhost");
    browser.open(&link);
    browser.wait_for("location.pathname == '/login'");
    let go = format!("location.href = '{}'", server.url("/accounts"));
    browser.run(&go);
    browser.wait_for("location.hostname == '127.0.0.1' && location.pathname == '/accounts'");
}

#[test]
fn logging_in_works_without_javascript() {
    let server = server();
    let browser = Browser::start_without_javascript();
    log_in(&browser, &server, "/account");
    browser.wait_for_text("h1", "Your account");
    browser.click("form[action='/account/logout'] button");
    browser.wait_for_text("h1", "Log in");
}

#[test]
fn the_pages_of_accounts_fit_a_phone_and_are_readable() {
    let server = server();
    let browser = Browser::start();
    log_in(&browser, &server, "/account");
    browser.wait_for("location.pathname == '/account'");
    for width in [360, 1280] {
        browser.set_width(width);
        for page in PAGES {
            browser.open(&server.url(page));
            browser.run(OPEN_ALL);
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= i64::from(width), "{page} needs {needed} of {width}: {}", browser.run(WIDE));
        }
    }
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme);
        for page in PAGES {
            browser.open(&server.url(page));
            browser.run(OPEN_ALL);
            assert_eq!(browser.run(CONTRAST), json!([]), "{scheme} {page}");
        }
    }
}
