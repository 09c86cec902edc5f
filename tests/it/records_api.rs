// SPDX-License-Identifier: Apache-2.0
//! `/api/records`: filters, paging, formats, entity tags, refusals; the CSV export; health.

use crate::support::{Answer, Server, record_fields, with};
use std::io::Read;

/// A server with 12 records: id N has event N, severity (N-1)%4+1, alternating classes, machines, builds.
fn filled() -> Server {
    let server = Server::start();
    for n in 1..=12_u64 {
        let severity = ((n - 1) % 4 + 1).to_string();
        let class = if n % 2 == 0 { "org.clearlinux/crash/clr" } else { "org.clearlinux/heartbeat/ping" };
        let mut fields = with(record_fields(n), "severity", Some(&severity));
        fields = with(fields, "classification", Some(class));
        fields = with(
            fields,
            "machine_id",
            Some(if n <= 6 { "machine one" } else { "00000000000000000000000000000002" }),
        );
        fields = with(fields, "build", Some(if n % 3 == 0 { "100" } else { "90" }));
        // Captured some days apart; the last one by a clock that is far ahead.
        if n == 7 || n == 8 {
            fields =
                with(fields, "creation_timestamp", Some(if n == 7 { "1577880000" } else { "1580558400" }));
            fields = with(fields, "host_type", Some("ACME|Anvil & Co|1"));
        }
        if n == 1 {
            fields = with(fields, "creation_timestamp", Some("253402300799"));
        }
        if n == 5 {
            fields.push(("X-CLR-External".into(), "true".into()));
        }
        let answer = server.post(&fields, format!("payload {n}\nsecond, \"line\"").as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    server
}

fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let records = answer.json();
    records["records"].as_array().unwrap().iter().map(|record| record["id"].as_i64().unwrap()).collect()
}

#[test]
fn every_filter_finds_exactly_its_records_newest_first() {
    let server = filled();
    let cases: &[(&str, &[i64])] = &[
        ("", &[12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("limit=3", &[12, 11, 10]),
        ("limit=3&from_id=10", &[9, 8, 7]),
        ("from_id=1", &[]),
        ("severity=2", &[10, 6, 2]),
        ("severity=7", &[]),
        ("severity=-1", &[]),
        ("classification=org.clearlinux%2Fcrash%2Fclr&severity=2", &[10, 6, 2]),
        ("classification=org.clearlinux%2Fcrash%2F*", &[12, 10, 8, 6, 4, 2]),
        ("classification=org.clearlinux%2F*&limit=1", &[12]),
        ("classification=org.clear*", &[]),
        ("classification_in=org.clearlinux/crash/clr&severity=2", &[10, 6, 2]),
        ("classification_in=org.clearlinux/heartbeat/ping,org.clearlinux/crash/clr&limit=3", &[12, 11, 10]),
        ("classification_in=a/b/c,org.clearlinux/heartbeat/ping&limit=2", &[11, 9]),
        ("classification_in=org.clearlinux/crash/*,org.clearlinux/crash", &[]),
        ("classification_in=org.clearlinux/crash/clr&classification=org.clearlinux/heartbeat/*", &[]),
        (
            "classification_in=a/b/c,org.clearlinux/crash/clr&classification=org.clearlinux/*&limit=2",
            &[12, 10],
        ),
        ("machine_id=machine+one&limit=2", &[6, 5]),
        ("machine_id=00000000000000000000000000000002&severity=4", &[12, 8]),
        ("machine_id=nobody", &[]),
        ("build=100", &[12, 9, 6, 3]),
        ("build=100&system_name=clear-linux-os", &[12, 9, 6, 3]),
        ("system_name=debian", &[]),
        ("system_name=%22%22", &[]),
        ("data_source=external", &[5]),
        ("data_source=internal&limit=2", &[12, 11]),
        ("event_id=0000000000000000000000000000000b", &[11]),
        ("event_id=unknown", &[]),
        ("payload=ad%20(1%7C2)%5Cn", &[2, 1]),
        ("payload=payload&not_payload=1", &[9, 8, 7, 6, 5, 4, 3, 2]),
        ("created_in_days=1&limit=1", &[12]),
        ("created_in_sec=3600&severity=1", &[9, 5, 1]),
        ("from_date=2020-01-01&to_date=2020-12-31", &[]),
        ("from_date=2020-01-01&limit=2", &[12, 11]),
        ("to_date=2020-01-01", &[]),
        ("captured_from=2020-01-01&captured_to=2020-01-01", &[7]),
        ("captured_to=2020-02-01", &[8, 7]),
        ("captured_to=2020-01-31&host_type=ACME%7CAnvil%20%26%20Co%7C1", &[7]),
        ("captured_from=2030-01-01", &[]),
        ("captured_from=2021-01-01&severity=1&captured_to=9998-01-01", &[9, 5, 1]),
        ("host_type=ACME", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&server.get(&format!("/api/records?{query}"))), *expected, "{query}");
    }
}

#[test]
fn a_broken_unknown_or_repeated_parameter_is_a_400_that_names_it() {
    let server = Server::start();
    let long = "x".repeat(300);
    let cases = [
        ("classification", long.as_str()),
        ("classification_in", ""),
        ("classification_in", "a/b/c,"),
        ("classification_in", long.as_str()),
        ("severity", "high"),
        ("machine_id", &long[..33]),
        ("build", &long),
        ("created_in_days", "soon"),
        ("created_in_sec", "1.5"),
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "ten"),
        ("from_id", "-1"),
        ("data_source", "both"),
        ("payload", "%28"),
        ("not_payload", "%5B"),
        ("from_date", "2020-1-1"),
        ("to_date", "2020-02-30"),
        ("colour", "red"),
    ];
    for (name, value) in cases {
        let answer = server.get(&format!("/api/records?{name}={value}"));
        assert_eq!(answer.status, 400, "{name}={value}");
        assert!(answer.message().contains(name), "{}", answer.message());
    }
    assert_eq!(server.get("/api/records?severity=1&severity=1").status, 400);
}

#[test]
fn pages_link_to_the_next_until_the_end() {
    let server = filled();
    let mut target = "/api/records?limit=5&classification=org.clearlinux/*".to_owned();
    let mut all = Vec::new();
    loop {
        let answer = server.get(&target);
        all.extend(ids(&answer));
        let Some(link) = answer.header("link") else { break };
        assert!(link.ends_with("; rel=\"next\""), "{link}");
        target = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(all, (1..=12).rev().collect::<Vec<_>>());
}

#[test]
fn the_same_rows_come_as_lines_of_json_and_csv() {
    let server = filled();
    let accept = |kind: &str| vec![("Accept".to_owned(), kind.to_owned())];
    let answer = server.request("GET", "/api/records?limit=2", &accept("application/x-ndjson"), b"");
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<serde_json::Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(serde_json::json!({ "records": lines }), server.get("/api/records?limit=2").json());

    let answer = server.request("GET", "/api/records?limit=2", &accept("text/csv"), b"");
    let mut csv = csv::Reader::from_reader(answer.body.as_slice());
    let rows: Vec<std::collections::HashMap<String, String>> =
        csv.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["payload"], "payload 12\nsecond, \"line\"");
    assert_eq!(rows[0]["ts_capture"], "2026-11-21 02:27:21 UTC");
}

#[test]
fn an_entity_tag_stays_until_something_new_matches() {
    let server = filled();
    let target = "/api/records?severity=1";
    let first = server.get(target);
    let tag = first.header("etag").unwrap().to_owned();
    let conditional = [("If-None-Match".to_owned(), tag.clone())];
    assert_eq!(server.request("GET", target, &conditional, b"").status, 304);
    let csv = [conditional[0].clone(), ("Accept".to_owned(), "text/csv".to_owned())];
    assert_eq!(server.request("GET", target, &csv, b"").status, 200, "the tag is of the JSON");
    server.post(&with(record_fields(20), "severity", Some("3")), b"other");
    assert_eq!(server.request("HEAD", target, &conditional, b"").status, 304);
    server.post(&with(record_fields(21), "severity", Some("1")), b"new");
    let answer = server.request("HEAD", target, &conditional, b"");
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("etag"), Some(tag.as_str()));
}

#[test]
fn gzip_comes_where_it_is_accepted() {
    let server = filled();
    let fields = [("Accept-Encoding".to_owned(), "br, gzip".to_owned())];
    let answer = server.request("GET", "/api/records", &fields, b"");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, server.get("/api/records").text());
}

#[test]
fn one_record_is_found_or_not() {
    let server = filled();
    assert_eq!(server.get("/api/records/5").json()["external"], true);
    assert_eq!(server.get("/api/records/99").status, 404);
    assert_eq!(server.get("/api/records/x").status, 404);
    let version_1 = with(record_fields(50), "record_format_version", Some("1"));
    let id = server.post(&version_1, b"").json()["id"].clone();
    let record = server.get(&format!("/api/records/{id}")).json();
    for field in
        ["system_name", "payload_format_version", "board_name", "bios_version", "cpu_model", "event_id"]
    {
        assert!(record[field].is_null(), "{field}");
    }
    assert_eq!(record["record_format_version"], 1);
}

#[test]
fn the_browser_s_export_guards_against_formulas() {
    let server = Server::start();
    server.post(&record_fields(1), b"=1+1");
    server.post(&record_fields(2), b"a\"b,\nc");
    let answer = server.get("/records/export/records-20261121.csv?classification=org.clearlinux/*&severity=");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let expected =
        "id,external,server_timestamp,severity,classification,build,machine_id,payload\r\n2,false,";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains(",\"a\"\"b,\nc\"\r\n1,false,"), "{text}");
    assert!(text.ends_with(",'=1+1\r\n"), "{text}");
    assert_eq!(server.get("/records/export/..%2fx.csv").status, 404);
}

#[test]
fn health_unknown_paths_and_methods_are_answered_as_asked() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let html = [("Accept".to_owned(), "text/html".to_owned())];
    let answer = server.request("GET", "/nothing", &html, b"");
    assert_eq!(answer.status, 404);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    let answer = server.get("/nothing");
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")));
    let answer = server.request("DELETE", "/api/records", &[], b"");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    let foreign = [("Host".to_owned(), "evil.example".to_owned())];
    assert_eq!(server.request("GET", "/records", &foreign, b"").status, 421);
}

#[test]
fn a_stream_carries_what_matches_and_nothing_else() {
    let server = Server::start();
    let id = server.post_record(1, "before");
    let mut stream = server.connect();
    let target = format!("/records/stream?severity=4&after_id={id}");
    stream.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    server.post_record(2, "not this");
    server.post(&with(record_fields(3), "severity", Some("4")), b"but this");
    let mut seen = String::new();
    while !seen.contains("but this") {
        seen.push_str(&stream.body_line().unwrap());
    }
    assert!(seen.contains("text/event-stream") && !seen.contains("not this"), "{seen}");
}
