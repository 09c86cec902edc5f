// SPDX-License-Identifier: Apache-2.0
//! What the pages show: the samples, parameters, links, and text that would break a page.

use super::{ask, page, panel, panels, put, run, view, word};
use crate::support::{Server, record_fields, with};
use muster::custom::SAMPLES;

#[test]
fn the_samples_show_a_demo() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let (code, _, err) = run(&["demo", "--records", "8000", "--machines", "300", "--data", word(&data_dir)]);
    assert_eq!((code, err.as_str()), (0, ""));
    let server = Server::start_on(&data_dir);
    for (name, _) in SAMPLES {
        let answer = page(&server, name);
        assert_eq!(answer.status, 200);
        let html = answer.text();
        assert!(!html.contains("notice error") && !html.contains("No rows."), "{name}: {html}");
        assert!(html.contains(&format!("href=\"/views/{name}\" aria-current=\"page\"")), "{html}");
        for panel in panels(&server, name) {
            assert!(panel["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{name}: {panel}");
        }
    }
    // Each link of the page of updates leads to records.
    let html = page(&server, "updates").text();
    let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let links: Vec<String> =
        links.filter(|link| link.starts_with("/records")).map(|link| link.replace("&amp;", "&")).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links.iter().take(8) {
        let answer = server.get(link);
        assert_eq!(answer.status, 200, "{link}");
        assert!(!answer.text().contains("No record matches"), "{link}");
    }
    let numbers = &panels(&server, "updates")[0]["rows"][0];
    let days = panels(&server, "updates")[1]["rows"].as_array().unwrap().clone();
    let sum = |column: usize| days.iter().map(|day| day[column].as_i64().unwrap()).sum::<i64>();
    assert_eq!((numbers[0].as_i64(), numbers[1].as_i64()), (Some(sum(1)), Some(sum(2))));
}

#[test]
fn a_second_demo_leaves_changed_samples_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hello = dir.path().join("views/hello.toml");
    std::fs::create_dir_all(hello.parent().unwrap()).unwrap();
    std::fs::write(&hello, "mine").unwrap();
    let demo = |more: &[&str]| {
        run(&[&["demo", "--records", "50", "--machines", "5", "--data", word(dir.path())], more].concat()).0
    };
    assert_eq!(demo(&[]), 0);
    assert_eq!(std::fs::read_to_string(&hello).unwrap(), "mine");
    let updates = dir.path().join("views/updates.toml");
    std::fs::remove_file(&updates).unwrap();
    assert_eq!(demo(&["--into-existing"]), 0);
    assert!(!updates.exists());
}

const PARAMETERS: &str = "
[[parameter]]
name = 'build'
type = 'text'
default = '41890'

[[parameter]]
name = 'least'
label = 'At least'
type = 'integer'

[[parameter]]
name = 'kind'
type = 'choice'
choices_sql = '''VALUES (1, 'one'), (2, 'two')'''
";

#[test]
fn parameters_are_bound_shown_and_refused() {
    let server = Server::start();
    server.post_record(1, "payload");
    let sql = "SELECT build, typeof(:least), :kind, :build FROM export_records WHERE build = :build";
    put(&server, "p", &(view("table", sql) + PARAMETERS));
    let rows = |query: &str| {
        let answer = server.get(&format!("/api/views/p{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["panels"][0]["rows"].to_string()
    };
    assert_eq!(rows(""), r#"[["41890","null","","41890"]]"#);
    assert_eq!(rows("?least=3&kind=2"), r#"[["41890","integer","2","41890"]]"#);
    assert_eq!(rows("?build="), "[]");
    assert_eq!(rows("?build=%27%20OR%201%20--"), "[]");

    let html = server.get("/views/p?least=3&kind=2&build=%22%3E%3Cb%3E").text();
    assert!(
        html.contains("value=\"&quot;&gt;&lt;b&gt;\"") && html.contains("<option value=\"2\" selected>two")
    );
    for (query, expected) in [
        ("least=x", "least must be a whole number, not x"),
        ("other=1", "other is not a parameter of this view"),
        ("build=1&build=2", "build must be given once"),
    ] {
        let answer = server.get(&format!("/views/p?{query}"));
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(expected) && !answer.text().contains("<table"), "{}", answer.text());
        let answer = server.get(&format!("/api/views/p?{query}"));
        assert_eq!((answer.status, answer.message().as_str()), (400, expected));
    }
}

#[test]
fn every_way_of_showing_is_shown() {
    let server = Server::start();
    let rows = "VALUES ('a', 3, 1), ('b', 2, 5)";
    let mut text = view("table", rows);
    for show in ["columns", "stacked columns", "bars", "lines"] {
        text += &panel(show, rows);
    }
    text += &panel("pie", "VALUES ('a', 3), ('b', 2)");
    text += &panel("number", "SELECT 1234567 AS records, NULL AS missing, 'x' AS word");
    text += &panel("table", "SELECT 1 WHERE 0");
    text += &panel("bars", "SELECT 1, 2 WHERE 0");
    put(&server, "all", &text);
    let html = page(&server, "all").text();
    assert!(!html.contains("notice error"), "{html}");
    assert_eq!(html.matches("<figure").count(), 6);
    assert_eq!(html.matches("<desc").count(), 5, "{html}");
    assert!(html.contains("1,234,567") && html.contains("No rows."), "{html}");
}

#[test]
fn many_series_of_a_stack_are_summed_up() {
    let server = Server::start();
    let rows = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x LIMIT 60) SELECT 'day', n AS s, n FROM x";
    put(&server, "many", &view("stacked columns", rows).replace("sql =", "series = 's'\nsql ="));
    let html = page(&server, "many").text();
    // The sum of 1 to 52.
    assert!(html.contains("other") && html.contains("1,378") && !html.contains("notice error"), "{html}");
}

#[test]
fn a_panel_with_a_mistake_leaves_the_others() {
    let server = Server::start();
    let text = view("table", "SELECT 1,\n  mistyped\nFROM export_records")
        + &panel("pie", "SELECT 1")
        + &panel("table", "SELECT 'alive'");
    put(&server, "mixed", &text);
    let answer = page(&server, "mixed");
    assert_eq!(answer.status, 200);
    let html = answer.text();
    // The query's second line is the eighth of the file.
    assert!(html.contains("line 8: no such column: mistyped"), "{html}");
    assert!(html.contains("A chart needs at least two columns") && html.contains("alive"), "{html}");
    let panels = panels(&server, "mixed");
    assert_eq!((panels[0]["line"].as_i64(), panels[2]["rows"][0][0].as_str()), (Some(8), Some("alive")));
    page(&server, "mixed");
    assert_eq!(server.log().matches("no such column: mistyped").count(), 1, "{}", server.log());
    assert!(server.log().contains("Custom view mixed.toml, panel Panel: line 8: no such column: mistyped"));
}

#[test]
fn what_comes_from_outside_stays_text() {
    let server = Server::start();
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{0}";
    let fields = with(record_fields(1), "host_type", Some("</td><script>alert(2)</script>"));
    assert_eq!(server.post(&fields, hostile.as_bytes()).status, 201);
    let quoted = "\"<script>alert(3)</script>\"";
    let rows = format!(
        "SELECT payload AS {quoted}, host_type FROM export_records JOIN export_payloads ON record_id = id"
    );
    let chart = format!("SELECT payload, 3 AS {quoted} FROM export_payloads");
    let series = format!("SELECT 'x', payload AS {quoted}, 1 FROM export_payloads");
    let text = "tab = '<b>tab</b>'\ntitle = '</title><script>alert(4)</script>'\nabout = '<i>about</i>'\n"
        .to_owned()
        + "[[parameter]]\nname = 'p'\nlabel = '<u>label</u>'\ntype = 'choice'\n"
        + "choices_sql = 'SELECT host_type, payload FROM export_records JOIN export_payloads ON record_id = id'\n"
        + &panel("table", &rows)
        + &panel("columns", &chart)
        + &panel("pie", &chart)
        + &panel("number", &rows)
        + &panel("table", "SELECT \"<script>alert(5)</script>\"").replace("'Panel'", "'<s>panel</s>'")
        + &panel("bars", &series)
            .replace("show =", "series = '<script>alert(3)</script>'\nunit = '<q>'\nshow =")
        + "link = '/records?payload={<script>alert(3)</script>}'\n";
    // The last link has signs that no link may have.
    put(&server, "h", &text);
    assert!(page(&server, "h").text().contains("A link must not hold"), "{}", page(&server, "h").text());
    put(&server, "h", text.trim_end().rsplit_once('\n').unwrap().0);
    let html = page(&server, "h").text();
    assert!(html.contains("no such column"), "{html}");
    for tag in ["<script>alert", "<img", "<b>", "<i>", "<u>", "<s>", "<q>", "\u{202e}", "\u{0}"] {
        assert!(!html.contains(tag), "{tag}: {html}");
    }
    assert_eq!(html.matches("<script").count(), 1);
    assert!(server.get("/records").text().contains("&lt;b&gt;tab&lt;/b&gt;"));
    assert_eq!(ask(&server, "SELECT payload FROM export_payloads")["rows"][0][0], hostile);
}

#[test]
fn links_lead_nowhere_else() {
    let server = Server::start();
    for link in [
        "javascript:alert(1)",
        "//example.org/",
        "https://example.org/",
        "/\\\\example.org",
        "data:text/html,x",
    ] {
        put(&server, "l", &(view("table", "SELECT 1") + &format!("link = '{link}'\n")));
        let html = page(&server, "l").text();
        assert!(
            html.contains("line 9, column 8: A link must begin with one /") && !html.contains("<table"),
            "{html}"
        );
    }
    let sql = "SELECT '' AS a, 'example.org' AS b UNION ALL SELECT 'x', 'javascript:alert(1)'";
    put(&server, "l", &(view("table", sql) + "link = '/{a}/{b}'\nlinks = { b = '/records?build={b}' }\n"));
    let html = page(&server, "l").text();
    assert!(!html.contains("href=\"//") && !html.contains("href=\"javascript"), "{html}");
    assert!(html.contains("href=\"/x/javascript%3Aalert%281%29\""), "{html}");
}
