// SPDX-License-Identifier: Apache-2.0
//! Queries that must not do what they want: their panels say so, in time, in little memory, and records still
//! arrive.

use super::{ask, page, panel, panels, put, view};
use crate::support::Server;
use std::time::{Duration, Instant};

/// The server may take so much in all.
const MEMORY_KIB_MAX: u64 = 150 << 10;

const ENDLESS: &str = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)";
const MANY: &str = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x LIMIT 3200)";

fn error(server: &Server, sql: &str) -> String {
    let panel = ask(server, sql);
    panel["error"].as_str().unwrap_or_else(|| panic!("{sql}: {panel}")).to_owned()
}

#[test]
fn what_a_query_may_not_do_is_refused() {
    let server = Server::start();
    server.post_record(1, "secret");
    let file = server.data_dir.join("made");
    let cases = [
        (
            "SELECT * FROM records".to_owned(),
            "The table records is not open to custom views; they read export_records",
        ),
        ("SELECT * FROM main.records".to_owned(), "What begins with main. is not open"),
        (
            "WITH export_records AS (SELECT value FROM meta) SELECT * FROM export_records".to_owned(),
            "The table meta",
        ),
        (
            "WITH export_records AS (SELECT * FROM quarantine) SELECT 1 FROM export_records".to_owned(),
            "The table quarantine",
        ),
        ("SELECT * FROM sqlite_schema".to_owned(), "not open"),
        ("INSERT INTO meta VALUES ('a', 'b')".to_owned(), "only reads"),
        ("DELETE FROM records".to_owned(), "only reads"),
        ("WITH x AS (SELECT 1) DELETE FROM records".to_owned(), "only reads"),
        ("CREATE TABLE x (y)".to_owned(), "only reads"),
        ("CREATE TEMP VIEW export_records AS SELECT 1".to_owned(), "only reads"),
        (format!("ATTACH \"{}\" AS x", file.display()), "only reads"),
        (format!("VACUUM INTO \"{}\"", file.display()), "only reads"),
        ("PRAGMA query_only = 0".to_owned(), "only reads"),
        ("PRAGMA writable_schema = 1".to_owned(), "only reads"),
        ("BEGIN IMMEDIATE".to_owned(), "only reads"),
        ("SELECT 1; SELECT 2".to_owned(), "one statement"),
        ("SELECT 1; DELETE FROM records".to_owned(), "only reads"),
        ("-- nothing".to_owned(), "only reads"),
        ("/* nothing */".to_owned(), "only reads"),
        ("SELECT load_extension('x')".to_owned(), "The function load_extension is not open"),
        ("SELECT fts3_tokenizer('simple')".to_owned(), "The function fts3_tokenizer is not open"),
        ("SELECT readfile('/etc/passwd')".to_owned(), "no such function: readfile"),
        ("SELECT randomblob(1000000000)".to_owned(), "The function randomblob is not open"),
        ("SELECT printf('%999999999d', 1)".to_owned(), "too big"),
        (
            format!("WITH t0 AS (SELECT 1) {} SELECT count(*) FROM t39", doubled()),
            "name one another too often",
        ),
    ];
    for (sql, expected) in cases {
        let message = error(&server, &sql);
        assert!(message.contains(expected), "{sql}: {message}");
    }
    assert!(!file.exists());
    assert_eq!(server.count_records(), 1);
    assert!(page(&server, "asked").text().contains("notice error"));
    assert!(!server.log().contains(" ERROR "), "{}", server.log());
}

fn doubled() -> String {
    (1..40).map(|n| format!(", t{n} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", n - 1)).collect()
}

#[test]
fn what_would_not_end_is_ended_within_memory() {
    let server = Server::start();
    let long = |n: usize| format!("length(printf('%.900000c', 'x') || '{n}')");
    // Each keeps what it has seen in a table of its own, of which 2 MB stay in memory.
    let distinct = |n: usize| {
        let one = |n: usize| format!("count(DISTINCT printf('%.2000c', 'x') || n * {n})");
        (1..=n).map(one).collect::<Vec<_>>().join(", ")
    };
    let cases = [
        (format!("{ENDLESS} SELECT count(*) FROM x"), "after 2.0 seconds"),
        (format!("{ENDLESS} SELECT n FROM x ORDER BY n DESC"), "after 2.0 seconds"),
        (format!("{MANY} SELECT a.n, b.n FROM x AS a, x AS b ORDER BY random()"), "after 2.0 seconds"),
        (
            format!("{MANY} SELECT DISTINCT a.n * 3300 + b.n FROM x AS a, x AS b ORDER BY 1"),
            "after 2.0 seconds",
        ),
        (
            format!("{ENDLESS} SELECT printf('%.100000c', 'x') || n AS t FROM x ORDER BY t"),
            "after 2.0 seconds",
        ),
        (format!("{ENDLESS} SELECT count(DISTINCT printf('%.9000c', 'x') || n) FROM x"), "after 2.0 seconds"),
        (format!("SELECT {}", vec!["printf('%.900000c', 'x') || random()"; 50].join(", ")), "too big"),
        (format!("SELECT 1 WHERE {}", (0..180).map(long).collect::<Vec<_>>().join(" AND ")), "too big"),
        (format!("{ENDLESS} SELECT {} FROM x", distinct(1)), "after 2.0 seconds"),
        (format!("{ENDLESS} SELECT {} FROM x", distinct(40)), "stopped"),
        (
            format!("{ENDLESS} SELECT {} FROM x", vec![format!("coalesce({})", distinct(30)); 20].join(", ")),
            "stopped",
        ),
    ];
    for (sql, expected) in cases {
        let started = Instant::now();
        let panel = ask(&server, &sql);
        let took = started.elapsed();
        let message = panel["error"].as_str().unwrap_or_else(|| panic!("{sql:.300}: no error"));
        assert!(message.contains(expected), "{sql:.300}: {message}");
        assert!(took < Duration::from_secs(5), "{sql:.300}: {took:?}");
        let (_, most) = server.memory_kib();
        assert!(most < MEMORY_KIB_MAX, "{sql:.300}: {most} KiB");
    }
}

#[test]
fn ten_million_rows_are_a_thousand() {
    let server = Server::start();
    put(&server, "many", &view("table", &format!("{MANY} SELECT a.n, b.n FROM x AS a, x AS b")));
    let panel = panels(&server, "many").remove(0);
    assert_eq!((panel["rows"].as_array().unwrap().len(), panel["cut"].as_str()), (1_000, Some("rows")));
    let html = page(&server, "many").text();
    assert!(html.contains("these are the first 1,000 rows") && html.matches("<tr>").count() == 1_001);
    put(&server, "wide", &view("table", &format!("{ENDLESS} SELECT printf('%.90000c', 'x') FROM x")));
    let panel = panels(&server, "wide").remove(0);
    assert_eq!((panel["rows"].as_array().unwrap().len(), panel["cut"].as_str()), (11, Some("bytes")));
    let html = page(&server, "wide").text();
    assert!(html.contains("these are the first 11 rows") && html.len() < 50_000, "{}", html.len());
}

/// A page of twenty slow queries ends after its ten seconds; meanwhile records are taken and other pages
/// answer.
#[test]
fn slow_pages_hold_up_nobody() {
    let server = Server::start();
    let slow = format!("{ENDLESS} SELECT count(*) FROM x");
    let text = view("table", &slow) + &panel("table", &slow).repeat(19);
    put(&server, "slow", &text);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let pages: Vec<_> = (0..12).map(|_| scope.spawn(|| page(&server, "slow"))).collect();
        std::thread::sleep(Duration::from_millis(300));
        for event in 0..20 {
            let one = Instant::now();
            server.post_record(event, "payload");
            assert_eq!(server.get("/records").status, 200);
            assert!(one.elapsed() < Duration::from_secs(2), "{:?}", one.elapsed());
        }
        for page in pages {
            let answer = page.join().unwrap();
            match answer.status {
                200 => assert!(
                    answer.text().contains("Not run: what stands before it took the 10 seconds of a page")
                ),
                status => assert_eq!(status, 503, "{}", answer.text()),
            }
        }
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let (_, most) = server.memory_kib();
    assert!(most < MEMORY_KIB_MAX, "{most} KiB");
}
