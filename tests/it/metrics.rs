// SPDX-License-Identifier: Apache-2.0
//! `/metrics`: the format, by a strict reader and by promtool where it is installed, and that the figures are right.

use crate::support::fleet::FleetFile;
use crate::support::server::Options;
use crate::support::{Server, record_fields, with};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

/// The samples by name and labels. Panics where the text breaks a rule of the format or of good names.
fn read(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut families = BTreeSet::new();
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && families.insert(name.to_owned()), "{line}");
            assert!(name.starts_with("muster_"), "{line}");
            let next = lines.next().unwrap();
            (family, kind) = (
                name.to_owned(),
                next.strip_prefix(&format!("# TYPE {name} ")).unwrap_or_else(|| panic!("{next}")).to_owned(),
            );
            assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{next}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let name = series.split('{').next().unwrap();
        let of_family = match kind.as_str() {
            "histogram" => name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}")),
            _ => {
                name.strip_prefix(&family).filter(|rest| rest.is_empty()).unwrap_or_else(|| panic!("{line}"))
            }
        };
        assert!(["", "_bucket", "_sum", "_count"].contains(&of_family), "{line}");
        if let Some(labels) = series.strip_prefix(name).and_then(|rest| rest.strip_prefix('{')) {
            let labels = labels.strip_suffix("\"}").unwrap_or_else(|| panic!("{line}"));
            for pair in labels.split("\",") {
                let (label, text) = pair.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
                assert!(!text.contains(['"', '\n']), "{line}");
            }
        }
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

fn scrape(server: &Server) -> BTreeMap<String, f64> {
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    read(&answer.text())
}

#[test]
fn posts_records_and_requests_are_counted() {
    let server = Server::start();
    let before = scrape(&server);
    for outcome in ["new", "resent", "quarantined", "refused", "failed"] {
        assert_eq!(before[&format!("muster_posts_total{{outcome=\"{outcome}\"}}")], 0.0);
    }
    assert_eq!(before["muster_records"], 0.0);
    let external = with(record_fields(3), "X-Telemetry-TID", Some("6907c830-eed9-4ce9-81ae-76daf8d88f0e"));
    for event in [1, 2, 1] {
        server.post_record(event, "hello");
    }
    assert!(server.post(&external, b"").status >= 400);
    let broken = with(record_fields(4), "severity", Some("9"));
    assert_eq!(server.post(&broken, b"").status, 400);
    assert_eq!(server.post(&with(broken, "User-Agent", None), b"").status, 200);
    assert_eq!(server.get("/nothing").status, 404);
    let after = scrape(&server);
    let expected = [
        ("muster_posts_total{outcome=\"new\"}", 2.0),
        ("muster_posts_total{outcome=\"resent\"}", 1.0),
        ("muster_posts_total{outcome=\"quarantined\"}", 1.0),
        ("muster_posts_total{outcome=\"refused\"}", 2.0),
        ("muster_posts_total{outcome=\"failed\"}", 0.0),
        ("muster_records", 2.0),
        ("muster_records_by_severity{severity=\"low\"}", 2.0),
        ("muster_records_by_severity{severity=\"critical\"}", 0.0),
        ("muster_quarantine_posts", 1.0),
        // Two that were refused, and one path that leads nowhere.
        ("muster_requests_total{status=\"4xx\"}", 3.0),
        // The first scrape, three records and the post that is kept aside.
        ("muster_requests_total{status=\"2xx\"}", 5.0),
        ("muster_requests_total{status=\"5xx\"}", 0.0),
        // What is refused by its path alone takes no time worth counting.
        ("muster_request_seconds_count", 7.0),
        ("muster_connections_refused_total", 0.0),
        ("muster_writer_failures_total", 0.0),
        ("muster_agents", 0.0),
        ("muster_accounts", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(after.get(name), Some(&value), "{name}");
    }
    let sources = ["internal", "external"]
        .map(|source| after[&format!("muster_records_by_source{{source=\"{source}\"}}")]);
    assert_eq!(sources.iter().sum::<f64>(), 2.0);
    assert!(after["muster_writer_commits_total"] >= 4.0, "{after:#?}");
    assert!(after["muster_quarantine_bytes"] > 100.0 && after["muster_database_bytes"] > 100_000.0);
    assert!(after["muster_process_resident_bytes"] > 1e6 && after["muster_process_threads"] > 3.0);
    assert!(after["muster_disk_free_bytes"] <= after["muster_disk_bytes"]);
    assert!(after["muster_connections"] >= 1.0 && after["muster_connections"] < 20.0);
    let (_, resident_most) = server.memory_kib();
    assert!(after["muster_process_resident_bytes"] <= (resident_most * 1024) as f64);
}

#[test]
fn failed_authentications_and_streams_show() {
    let server = Server::start();
    let wrong = [("Authorization".to_owned(), "Bearer nothing".to_owned())];
    assert_eq!(server.request("GET", "/records", &wrong, b"").status, 401);
    let mut stream = server.connect();
    stream.send(b"GET /records/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while !stream.body_line().unwrap().is_empty() {}
    let seen = scrape(&server);
    assert_eq!(seen["muster_authentication_failures_total"], 1.0);
    assert_eq!(seen["muster_streams"], 1.0);
}

#[test]
fn a_fleet_shows_in_figures_that_are_those_of_its_pages() {
    let file = FleetFile::new(60);
    let server = file.serve();
    let seen = scrape(&server);
    assert_eq!(seen["muster_agents"], file.count("SELECT count(*) FROM agents") as f64);
    let open = file.count("SELECT count(*) FROM commands WHERE status <= 2") as f64;
    assert_eq!(seen["muster_commands_open"], open);
    let of_open = "SELECT count(*) FROM commands WHERE status = 3
        AND action_id IN (SELECT id FROM actions WHERE status <= 4)";
    let success = seen["muster_commands_of_open_actions{status=\"success\"}"];
    assert_eq!(success, file.count(of_open) as f64);
    let in_flight = file.count("SELECT count(*) FROM actions WHERE status = 4") as f64;
    assert_eq!(seen["muster_actions_open{status=\"inflight\"}"], in_flight);
    let taken_at = file.count("SELECT max(taken_at) FROM agent_statistics") as f64;
    assert_eq!(seen["muster_fleet_sample_timestamp_seconds"], taken_at);
}

#[test]
fn who_may_not_read_records_sees_no_figures() {
    let server = Server::start_with(Options {
        config: Some("[access]\nread = \"login\"\n".to_owned()),
        ..Options::default()
    });
    // A request through a proxy is not local.
    let proxied = [("X-Forwarded-For".to_owned(), "192.0.2.1".to_owned())];
    assert_eq!(server.request("GET", "/metrics", &proxied, b"").status, 403);
    assert_eq!(server.get("/metrics").status, 200);
    // Open for records alone.
    let server = Server::start();
    let outside = server.request("GET", "/metrics", &proxied, b"").text();
    assert!(outside.contains("muster_records ") && server.get("/metrics").text().contains("muster_agents "));
    for of_the_fleet in
        ["muster_agents", "muster_commands", "muster_actions", "muster_accounts", "muster_sessions"]
    {
        assert!(!outside.contains(of_the_fleet), "{of_the_fleet}");
    }
}

#[test]
fn without_the_database_the_rest_is_told() {
    let server = Server::start();
    server.post_record(1, "hello");
    let database = rusqlite::Connection::open(server.data_dir.join("muster.db")).unwrap();
    let before = scrape(&server);
    assert_eq!((before["muster_database_readable"], before["muster_records"]), (1.0, 1.0));
    assert!(!before.contains_key("muster_purge_timestamp_seconds"));
    let ran = "INSERT OR REPLACE INTO meta (name, value) VALUES ('purged_at', '1795228041')";
    database.execute(ran, []).unwrap();
    assert_eq!(scrape(&server)["muster_purge_timestamp_seconds"], 1_795_228_041.0);
    // As good as damaged, for the one query that needs it.
    database.execute("ALTER TABLE quarantine RENAME TO elsewhere", []).unwrap();
    let after = scrape(&server);
    assert_eq!(after["muster_database_readable"], 0.0);
    assert_eq!(after["muster_posts_total{outcome=\"new\"}"], 1.0);
    for name in ["muster_disk_free_bytes", "muster_connections", "muster_authentication_failures_total"] {
        assert!(after.contains_key(name), "{name}");
    }
    for name in ["muster_records", "muster_database_bytes", "muster_agents"] {
        assert!(!after.contains_key(name), "{name}");
    }
}

#[test]
fn promtool_finds_nothing_to_complain_of_where_it_is_installed() {
    let server = FleetFile::new(20);
    let server = server.serve();
    let text = server.get("/metrics").text();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = promtool.spawn() else {
        eprintln!("promtool is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn the_limit_of_the_size_is_told_where_there_is_one() {
    assert!(!scrape(&Server::start()).contains_key("muster_database_bytes_max"));
    let server = Server::start_with(Options {
        config: Some("[retention]\ndatabase_bytes_max = \"5 MiB\"\n".to_owned()),
        ..Options::default()
    });
    let database = rusqlite::Connection::open(server.data_dir.join("muster.db")).unwrap();
    let told = |server| {
        let figures = scrape(server);
        (figures["muster_database_bytes_max"], figures["muster_database_bytes_over"])
    };
    assert_eq!(told(&server), (f64::from(5 << 20), 0.0));
    let missed = "INSERT OR REPLACE INTO meta (name, value) VALUES ('database_bytes_over', '77')";
    database.execute(missed, []).unwrap();
    assert_eq!(told(&server), (f64::from(5 << 20), 77.0));
}
