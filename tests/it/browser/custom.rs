// SPDX-License-Identifier: Apache-2.0
//! Custom views in a browser: the shipped samples, one with every shape and hostile text, and one that is
//! broken.

use super::CONTRAST;
use super::aggregates::{MARKS, OPEN_ALL, UNSEEN, WIDE, count_behind, value_of};
use super::driver::Browser;
use super::fleet::{Fleet, MEMORY_ERROR, SWUPD_FAILED, SWUPD_UPDATE};
use crate::support::Server;
use serde_json::json;
use std::fmt::Write;

const SAMPLES: [(&str, &str); 3] = [
    ("hello", include_str!("../../../assets/views/hello.toml")),
    ("updates", include_str!("../../../assets/views/updates.toml")),
    ("corrected-memory-errors", include_str!("../../../assets/views/corrected-memory-errors.toml")),
];

const SCRIPT: &str = "<script>document.title='broken'</script>";

/// A view with every shape, every kind of parameter, and text that no page expects.
fn odd_view() -> String {
    let mut view = format!(
        r#"
        tab = "<script>x</script>"
        title = "{SCRIPT} {wide}"
        about = "{SCRIPT}"
        parameter = [
          {{ name = "text", label = "{SCRIPT}", type = "text", default = "<b>" }},
          {{ name = "number", label = "Number", type = "number", default = 1.5 }},
          {{ name = "integer", label = "Integer", type = "integer", default = 3 }},
          {{ name = "day", label = "Day", type = "date", default = "2026-01-01" }},
          {{ name = "choice", label = "Choice", type = "choice", default = "a", choices = ["a", "{wide}"] }},
        ]
        "#,
        wide = "W".repeat(90),
    );
    let cell = format!(
        "'{}' AS \"<i>wide</i>\", '{wide}' AS w, :text AS given, NULL AS void",
        SCRIPT.replace('\'', "''"),
        wide = "W".repeat(400)
    );
    let rows = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9)
        SELECT '<b>' || i || '</b> and a longer name' AS name, i * i AS one, 90 - i AS \"<i>two</i>\" FROM n";
    let shapes = ["columns", "stacked columns", "bars", "lines"].map(|show| (show, rows.to_owned()));
    let others = [
        ("pie", format!("SELECT name, one FROM ({rows})")),
        ("table", format!("SELECT {cell}, * FROM ({rows})")),
        ("number", "SELECT 1234567 AS count, 0.5 AS part".to_owned()),
        ("table", "SELECT * FROM records".to_owned()),
        ("table", "SELECT 1 WHERE 0".to_owned()),
    ];
    for (show, sql) in shapes.into_iter().chain(others) {
        let title = format!("{show} {SCRIPT}");
        writeln!(
            view,
            "[[panel]]\ntitle = \"{title}\"\nabout = \"x\"\nshow = \"{show}\"\nsql = '''\n{sql}\n'''"
        )
        .unwrap();
    }
    view
}

/// A server with views and something to show in them.
fn server() -> Server {
    let server = Server::start();
    let views = server.data_dir.join("views");
    std::fs::create_dir_all(&views).unwrap();
    for (name, text) in SAMPLES {
        std::fs::write(views.join(format!("{name}.toml")), text).unwrap();
    }
    std::fs::write(views.join("odd.toml"), odd_view()).unwrap();
    std::fs::write(views.join("broken.toml"), format!("tab = 1\n\"{SCRIPT}\" = 2\n[[panel")).unwrap();
    let mut fleet = Fleet::new(&server);
    for (number, payload) in [SWUPD_UPDATE, SWUPD_UPDATE, SWUPD_FAILED].into_iter().enumerate() {
        let record = fleet.record("org.clearlinux/swupd-client/update", payload);
        record.with("machine_id", &format!("{number:032x}")).post();
        fleet.record("org.clearlinux/hello/world", "hello").post();
    }
    for machine in [1, 1, 1, 2] {
        let record = fleet.record("org.clearlinux/mce/corrected", MEMORY_ERROR);
        record.with("machine_id", &format!("{machine:032x}")).post();
    }
    server
}

const PAGES: [&str; 6] = [
    "/views/hello",
    "/views/updates",
    "/views/corrected-memory-errors",
    "/views/odd",
    "/views/odd?number=many&day=never",
    "/views/broken",
];

#[test]
fn custom_views_have_tabs_and_run_nothing() {
    let server = server();
    let browser = Browser::start();
    browser.open(&server.url("/records"));
    let tabs = browser.run(
        "return [...document.querySelectorAll('header nav a[href^=\"/views/\"]')].map((a) => a.textContent)",
    );
    assert_eq!(tabs.as_array().unwrap().len(), 5, "{tabs}");
    assert!(tabs.to_string().contains("Memory errors"), "{tabs}");
    for page in PAGES {
        browser.open(&server.url(page));
        let title = browser.run("return document.title");
        assert!(title.as_str().unwrap().ends_with(" · muster"), "{title}");
        assert_eq!(
            browser.run("return document.querySelectorAll('main script, main b, main i').length"),
            json!(0)
        );
        assert_eq!(browser.run(UNSEEN), json!([]), "{page}");
        // A form with an error answers with an error, which the console tells.
        let complaints = browser.complaints();
        assert_eq!(complaints.len(), usize::from(page.contains("number=many")), "{complaints:?}");
    }
    browser.open(&server.url("/views/odd"));
    assert_eq!(browser.elements("figure.chart").len(), 5);
    assert_eq!(browser.elements("#panel-8 .notice").len(), 1, "a query that may not be shows what is wrong");
    assert_eq!(browser.text("dl.large dd"), "1,234,567");
}

#[test]
fn marks_and_numbers_of_custom_views_lead_to_what_they_count() {
    let server = server();
    let browser = Browser::start();
    let numbers = "return [...document.querySelectorAll('dl.large a')]
        .map((a) => [': ' + a.textContent, a.getAttribute('href')])";
    for (page, script, n_links) in
        [("/views/corrected-memory-errors", MARKS, 2), ("/views/updates", numbers, 2)]
    {
        browser.open(&server.url(page));
        let links = browser.run(script);
        assert_eq!(links.as_array().unwrap().len(), n_links, "{page}: {links}");
        for link in links.as_array().unwrap() {
            let (title, address) = (link[0].as_str().unwrap(), link[1].as_str().unwrap());
            assert_eq!(count_behind(&server, page, address), value_of(title), "{page}: {title} {address}");
        }
    }
}

#[test]
fn custom_views_fit_a_phone_and_are_readable_in_light_and_dark() {
    let server = server();
    let browser = Browser::start();
    browser.set_width(360);
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme);
        for page in PAGES {
            browser.open(&server.url(page));
            browser.run(OPEN_ALL);
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= 360, "{page} needs {needed} of 360: {}", browser.run(WIDE));
            assert_eq!(browser.run(CONTRAST), json!([]), "{scheme} {page}");
        }
    }
}

#[test]
fn the_form_of_a_custom_view_works_without_javascript() {
    let server = server();
    let browser = Browser::start_without_javascript();
    browser.open(&server.url("/views/corrected-memory-errors"));
    browser.wait_for_count("#panel-1 svg a", 2);
    browser.enter("main form.filter input[name=least]", "2");
    browser.click("main form.filter button");
    browser.wait_for_count("#panel-1 svg a", 1);
    assert!(browser.url().contains("least=2"));
}
