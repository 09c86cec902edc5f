// SPDX-License-Identifier: Apache-2.0
//! The pages of counts and charts in a browser: what they show is what is stored, and everybody can use them.

use super::driver::Browser;
use super::fleet::{Fleet, post_fleet};
use super::{CONTRAST, ENTER, N_ROWS, TAB};
use crate::support::Server;
use muster::guilty::blacklist::ENTRY_CHARS_MAX;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Every mark with an address: its title and its address.
pub const MARKS: &str = "return [...document.querySelectorAll('figure.chart svg a')]
    .map((mark) => [mark.querySelector('title').textContent, mark.getAttribute('href')])";
/// The links in the tables of numbers, in the same form.
const NUMBERS: &str = "return [...document.querySelectorAll('.numbers td a')]
    .map((link) => [': ' + link.textContent, link.getAttribute('href')])";
/// The figures that are not seen, or whose marks are not.
pub const UNSEEN: &str = "return [...document.querySelectorAll('figure.chart')].filter((figure) => {
    const drawing = figure.querySelector('.plot > svg, .pie > svg');
    const place = drawing?.getBoundingClientRect();
    if (!place || place.width < 200 || place.height < 30) return true;
    const marks = [...drawing.querySelectorAll('[class^=series-]')]
      .map((mark) => mark.getBoundingClientRect());
    return !marks.length || marks.some((box) => box.width < 1 || box.height < 1);
  }).map((figure) => figure.id)";

/// The innermost elements that reach beyond the screen, those in boxes that scroll left out.
pub const WIDE: &str =
    "const isWide = (e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
  return [...document.querySelectorAll('main *')].filter((e) => isWide(e) && ![...e.children].some(isWide))
    .filter((e) => !e.closest('.sheet, .plot, pre'))
    .map((e) => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 30)).slice(0, 20)";

/// The pages of counts: their addresses, and how many charts each has.
const PAGES: [(&str, usize); 9] = [
    ("/builds", 1),
    ("/builds?system_name=fedora", 1),
    ("/stats", 2),
    ("/mce", 4),
    ("/thermal", 1),
    ("/thermal?weeks=13", 1),
    ("/population", 5),
    ("/population?system_name=fedora", 5),
    ("/crashes/guilty_details/GUILTY", 1),
];

/// The addresses of [`PAGES`], with the guilty of most crashes.
fn pages(server: &Server) -> Vec<(String, usize)> {
    let top = server.get("/api/crashes/overall").json()["guilties"][0]["id"].to_string();
    PAGES.iter().map(|(path, n_charts)| (path.replace("GUILTY", &top), *n_charts)).collect()
}

/// Pages without charts, and those where there is nothing to show.
fn more_pages(server: &Server) -> Vec<String> {
    let crashes = server.get("/api/crashes/overall").json();
    let top = &crashes["guilties"][0]["id"];
    let newest = |class: &str| {
        let found = server.get(&format!("/api/records?classification={class}&limit=1")).json();
        found["records"][0]["id"].to_string()
    };
    let odd = format!("{}/{}", "W".repeat(64), "b".repeat(256));
    let of_odd_build = server.get(&format!("/api/crashes/build/{odd}")).json();
    let odd_guilties = of_odd_build["guilties"].as_array().unwrap();
    assert_eq!(odd_guilties.len(), 3, "{of_odd_build}");
    let of_guilty = |guilty: &Value| {
        let page = format!("/crashes/guilty_details/{}", guilty["id"]);
        [format!("{page}/backtraces"), page]
    };
    let mut pages: Vec<String> = odd_guilties.iter().flat_map(of_guilty).collect();
    pages.extend([
        "/builds?system_name=nobody".to_owned(),
        "/builds?system_name=odd".to_owned(),
        "/mce?year=2001".to_owned(),
        "/mce?machines=100".to_owned(),
        "/thermal?year=2001&weeks=53".to_owned(),
        "/population?system_name=nobody".to_owned(),
        "/stats?all=1".to_owned(),
        "/crashes".to_owned(),
        "/crashes?kind=kernel&days=30".to_owned(),
        "/crashes?skip=10".to_owned(),
        "/crashes/overall".to_owned(),
        "/crashes/build/clear-linux-os/41880".to_owned(),
        format!("/crashes/build/{odd}"),
        format!("/crashes/blacklist/preview?add={}", "W".repeat(ENTRY_CHARS_MAX)),
        format!("/crashes/guilty_details/{top}/backtraces"),
        "/crashes/blacklist".to_owned(),
        "/crashes/blacklist?search=W".to_owned(),
        "/crashes/blacklist/preview?add=list_find&remove=nothing&defaults=off".to_owned(),
        "/crashes/blacklist/preview?reset=1".to_owned(),
        format!("/records/{}", newest("org.clearlinux/crash/clr")),
        format!("/records/{}?tried=1&never=0", newest("org.clearlinux/crash/clr")),
        format!("/records/{}", newest("org.clearlinux/kernel/bug")),
        format!("/records/{}", newest("org.clearlinux/mce/corrected")),
    ]);
    pages
}

fn all_pages(server: &Server) -> Vec<String> {
    let pages = pages(server).into_iter().map(|(path, _)| path).chain(more_pages(server));
    pages.map(|path| server.url(&path)).collect()
}

pub const OPEN_ALL: &str = "for (const details of document.querySelectorAll('details')) details.open = true";

#[test]
fn charts_are_seen_and_each_mark_leads_to_what_it_counts() {
    let server = Server::start();
    post_fleet(&server);
    let browser = Browser::start();
    let mut checked = HashSet::new();
    for (path, n_charts) in pages(&server) {
        browser.open(&server.url(&path));
        assert_eq!(browser.elements("figure.chart svg[role]").len(), n_charts, "{path}");
        assert_eq!(browser.run(UNSEEN), json!([]), "{path}");
        let marks = browser.run(MARKS);
        assert!(marks.as_array().unwrap().len() > 1, "{path} has marks");
        for mark in marks.as_array().unwrap().iter().chain(browser.run(NUMBERS).as_array().unwrap()) {
            let (title, address) = (mark[0].as_str().unwrap(), mark[1].as_str().unwrap());
            if checked.insert((value_of(title), address.to_owned())) {
                assert_eq!(
                    count_behind(&server, &path, address),
                    value_of(title),
                    "{path}: {title} {address}"
                );
            }
        }
        browser.assert_quiet();
    }
    assert!(checked.len() > 60, "{}", checked.len());
}

/// The number at the end of a mark's title.
pub fn value_of(title: &str) -> i64 {
    let value = title.rsplit(": ").next().unwrap();
    value.chars().take_while(|c| *c != ' ').filter(|c| *c != ',').collect::<String>().parse().unwrap()
}

/// How much the API counts where an address leads.
pub fn count_behind(server: &Server, path: &str, address: &str) -> i64 {
    let found = server.get(&format!("/api{address}"));
    assert_eq!(found.status, 200, "{address}: {}", found.text());
    let found = found.json();
    let Some(records) = found["records"].as_array() else { return found["crashes"].as_i64().unwrap() };
    let machines: HashSet<&str> =
        records.iter().map(|record| record["machine_id"].as_str().unwrap()).collect();
    (if path.starts_with("/population") { machines.len() } else { records.len() }) as i64
}

#[test]
fn a_click_on_a_mark_shows_its_records() {
    let server = Server::start();
    post_fleet(&server);
    let browser = Browser::start();
    for page in ["/builds", "/stats", "/thermal?weeks=13", "/mce"] {
        browser.open(&server.url(page));
        let title = browser.run(MARKS)[0][0].clone();
        // A segment is clicked in its middle, which a slice may not cover: the first is the greatest here.
        browser.click("figure.chart svg a [class^=series-]");
        browser.wait_for("location.pathname == '/records'");
        assert_eq!(browser.number(N_ROWS), value_of(title.as_str().unwrap()).min(50), "{page}: {title}");
        browser.assert_quiet();
    }
}

#[test]
fn no_page_of_counts_scrolls_sideways_on_a_phone() {
    let server = Server::start();
    post_fleet(&server);
    let browser = Browser::start();
    for width in [360, 700, 1000] {
        browser.set_width(width);
        for page in all_pages(&server) {
            browser.open(&page);
            browser.run(OPEN_ALL);
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= i64::from(width), "{page} needs {needed} of {width}: {}", browser.run(WIDE));
        }
    }
}

#[test]
fn every_text_and_mark_of_counts_is_readable_in_light_and_dark() {
    let server = Server::start();
    post_fleet(&server);
    let browser = Browser::start();
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme);
        for page in all_pages(&server) {
            browser.open(&page);
            browser.run(OPEN_ALL);
            assert_eq!(browser.run(CONTRAST), json!([]), "{scheme} {page}");
        }
    }
}

#[test]
fn the_pages_of_counts_run_nothing_that_was_sent_and_keep_to_the_policy() {
    let server = Server::start();
    let browser = Browser::start();
    for is_empty in [true, false] {
        if !is_empty {
            post_fleet(&server);
        }
        let paths = if is_empty {
            ["/builds", "/stats", "/mce", "/thermal", "/population", "/crashes", "/crashes/blacklist"]
                .map(|path| server.url(path))
                .to_vec()
        } else {
            all_pages(&server)
        };
        for page in paths {
            browser.open(&page);
            let title = browser.run("return document.title");
            assert!(title.as_str().unwrap().ends_with(" · muster"), "{title}");
            assert_eq!(browser.run("return document.querySelectorAll('h1').length"), json!(1), "{page}");
            browser.assert_quiet();
        }
    }
}

/// The addresses that Tab reaches one after the other, and whether the focus was seen at each.
fn tab_through(browser: &Browser) -> Vec<String> {
    let look = "const e = document.activeElement; if (e == document.body) return null;
        const style = getComputedStyle(e);
        return [e.getAttribute('href') || e.id || e.textContent, style.outlineStyle != 'none']";
    let mut reached = Vec::new();
    loop {
        browser.press(TAB);
        let found = browser.run(look);
        if found == Value::Null {
            return reached;
        }
        assert_eq!(found[1], json!(true), "the focus is seen at {}", found[0]);
        reached.push(found[0].as_str().unwrap().to_owned());
        assert!(reached.len() < 1_000, "Tab never comes to an end");
    }
}

#[test]
fn the_keyboard_reaches_marks_and_the_links_of_tables() {
    let server = Server::start();
    let mut fleet = Fleet::new(&server);
    for build in ["41880", "41880", "41890"] {
        fleet.record("org.clearlinux/mce/corrected", "x").with("build", build).post();
    }
    let browser = Browser::start();
    for page in ["/builds", "/stats", "/mce"] {
        browser.open(&server.url(page));
        browser.run(OPEN_ALL);
        let is_link = |list: &Value| -> HashSet<String> {
            list.as_array().unwrap().iter().map(|mark| mark[1].as_str().unwrap().to_owned()).collect()
        };
        let links = is_link(&browser.run(MARKS));
        assert!(!links.is_empty() && is_link(&browser.run(NUMBERS)) == links, "{page}");
        let reached = tab_through(&browser);
        // Where there are hundreds of marks Tab passes them by, and only the table has stops.
        let least = if page == "/mce" { 1 } else { 2 };
        for link in &links {
            let times = reached.iter().filter(|reached| *reached == link).count();
            assert!(times >= least, "{page}: {link} is reached {times} times: {reached:?}");
        }
    }
    // Enter follows a mark.
    browser.open(&server.url("/builds"));
    browser.run("document.querySelector('figure.chart svg a').focus()");
    browser.press(ENTER);
    browser.wait_for("location.pathname == '/records'");
    assert_eq!(browser.number(N_ROWS), 2);
}

#[test]
fn the_numbers_of_a_chart_open_with_the_keyboard() {
    let server = Server::start();
    server.post_record(1, "x");
    let browser = Browser::start();
    browser.open(&server.url("/builds"));
    assert_eq!(browser.run("return document.querySelector('.numbers').open"), json!(false));
    browser.run("document.querySelector('.numbers summary').focus()");
    browser.press(ENTER);
    browser.wait_for("document.querySelector('.numbers').open");
    assert_eq!(browser.text(".numbers tbody th"), "41890");
    assert_eq!(browser.text(".numbers tbody td"), "1");
}

#[test]
fn switches_work_without_javascript() {
    let server = Server::start();
    post_fleet(&server);
    let browser = Browser::start_without_javascript();
    let link = |part: &str| format!("main .switch a[href*='{part}']:not([aria-current])");
    browser.open(&server.url("/builds"));
    browser.click(&link("system_name=fedora"));
    browser.wait_for_text(".switch a[aria-current] bdi", "fedora");
    browser.click(".numbers summary");
    // In the order of versions: 100 comes after 41.
    browser.wait_for_text(".numbers tbody tr:last-child th", "100");
    browser.click("#builds svg a rect[class^=series-]");
    browser.wait_for_count("#rows > tr", 1);
    browser.open(&server.url("/thermal"));
    browser.click(&link("weeks=13"));
    browser.wait_for_count(".numbers tbody tr", 13);
    browser.open(&server.url("/mce"));
    browser.wait_for_count("table.machines tbody tr", 10);
    browser.click(&link("machines=50"));
    browser.wait_for_count("table.machines tbody tr", 13);
    browser.open(&server.url("/population"));
    browser.click(&link("system_name=fedora"));
    browser.wait_for_text(".switch a[aria-current] bdi", "fedora");
    browser.open(&server.url("/crashes"));
    browser.wait_for_text("td.number", "1");
    browser.click("a[rel=next]");
    browser.wait_for_text("td.number", "11");
    browser.click(&link("days=30"));
    browser.wait_for_text("h1", "Crashes of the past 30 days");
    browser.click(&link("kind=kernel"));
    browser.wait_for_text("h1", "Crashes of the past 30 days");
    browser.wait_for_text(".switch[aria-label=Of] a[aria-current]", "the kernel");
    browser.click("#of option[value='clear-linux-os/41890']");
    browser.click("form.switch button");
    browser.wait_for_text("h1", "Crashes of clear-linux-os 41890");
}
