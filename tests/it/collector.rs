// SPDX-License-Identifier: Apache-2.0
//! Taking records in: what the real clients send, every answer of the collector, re-sending, quarantine.

use crate::support::{Server, TID, record_fields, with};
use serde_json::Value;

/// Every file is a request as a real client sent it.
fn wire_samples() -> Vec<(String, Vec<u8>)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/wire");
    let mut samples: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    samples.sort();
    assert!(samples.len() >= 48);
    samples
}

/// What a sample promises: its fields by the API's names, read by other means than the server's.
fn expected(request: &[u8]) -> Vec<(&'static str, Value)> {
    let split = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&request[..split]).into_owned();
    let body = &request[split + 4..];
    let names = [
        ("classification", "classification"),
        ("machine_id", "machine_id"),
        ("host_type", "machine_type"),
        ("build", "build"),
        ("kernel_version", "kernel_version"),
        ("arch", "arch"),
        ("system_name", "system_name"),
        ("board_name", "board_name"),
        ("cpu_model", "cpu_model"),
        ("bios_version", "bios_version"),
        ("event_id", "event_id"),
    ];
    let mut values = Vec::new();
    if head.contains("application/json") {
        let object: Value = serde_json::from_slice(body).unwrap();
        for (sent, stored) in names {
            let text = object[sent].as_str().unwrap_or("").trim();
            let is_quoted = sent == "build" || sent == "system_name";
            let text = if is_quoted { text.trim_matches('"') } else { text };
            values.push((stored, Value::from(text)));
        }
        values.push(("payload", object["payload"].as_str().unwrap_or("").into()));
    } else {
        for (sent, stored) in names {
            let line = head.lines().find_map(|line| line.strip_prefix(&format!("{sent}: "))).unwrap_or("");
            let is_quoted = sent == "build" || sent == "system_name";
            let text = if is_quoted { line.trim().trim_matches('"') } else { line.trim() };
            if sent == "host_type" && text.contains('\u{fffd}') {
                continue;
            }
            values.push((stored, Value::from(text)));
        }
        values.push(("payload", String::from_utf8_lossy(body).into_owned().into()));
    }
    values
}

#[test]
fn every_request_of_a_real_client_is_stored_faithfully() {
    let server = Server::start();
    for (name, request) in wire_samples() {
        let mut connection = server.connect();
        connection.send(&request).unwrap();
        let answer = connection.answer(false).unwrap();
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
        let posted = answer.json();
        let stored = server.get(&format!("/api/records/{}", posted["id"])).json();
        assert_eq!(posted, stored, "{name}");
        for (field, value) in expected(&request) {
            assert_eq!(stored[field], value, "{name}: {field}");
        }
    }
    assert_eq!(server.count_records(), wire_samples().len());
}

#[test]
fn latin_1_of_the_firmware_becomes_text() {
    let server = Server::start();
    let mut connection = server.connect();
    let mut request = b"POST / HTTP/1.1\r\nHost: x\r\n".to_vec();
    for (name, value) in with(record_fields(1), "board_name", None) {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"board_name: M\xfcnchen \xae\x1b\tx\r\nContent-Length: 0\r\n\r\n");
    connection.send(&request).unwrap();
    let answer = connection.answer(false).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["board_name"], "München ®  x");
}

#[test]
fn the_three_paths_take_records_and_the_root_leads_to_them() {
    let server = Server::start();
    for (event, path) in ["/", "/v2/collector", "/v3/collector"].into_iter().enumerate() {
        let answer = server.request("POST", path, &record_fields(event as u64), b"x");
        assert_eq!(answer.status, 201, "{path}");
    }
    let answer = server.get("/");
    assert_eq!((answer.status, answer.header("location")), (302, Some("/records")));
    let answer = server.get("/v2/collector");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = server.get("/telemetryui/records?severity=4");
    assert_eq!((answer.status, answer.header("location")), (302, Some("/records?severity=4")));
}

#[test]
fn refusals_name_the_rule_and_change_nothing() {
    let server = Server::start();
    let cases = [
        ("record_format_version", Some("9"), 400),
        ("classification", Some("a/b"), 400),
        ("severity", Some("7"), 400),
        ("machine_id", None, 400),
        ("creation_timestamp", Some("1e20"), 400),
        ("arch", Some("x86-64"), 400),
        ("host_type", None, 400),
        ("build", Some("12.5"), 400),
        ("kernel_version", Some("six"), 400),
        ("payload_format_version", Some("-1"), 400),
        ("system_name", None, 400),
        ("event_id", Some("x"), 400),
        ("X-Telemetry-TID", Some("00000000-0000-0000-0000-000000000000"), 400),
        ("X-Telemetry-TID", None, 400),
    ];
    for (name, value, status) in cases {
        let answer = server.post(&with(record_fields(1), name, value), b"x");
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert!(answer.message().contains(name), "{name}: {}", answer.message());
    }
    let answer = server.post(&with(record_fields(1), "record_format_version", None), b"x");
    assert_eq!(answer.status, 415, "{}", answer.text());
    assert_eq!(server.post(&record_fields(1), &vec![b'x'; 300 * 1024 + 1]).status, 413);
    assert_eq!(server.post(&record_fields(1), &vec![b'x'; 300 * 1024]).status, 201);
    assert_eq!(server.count_records(), 1);
}

#[test]
fn a_record_sent_again_is_stored_once_and_another_of_its_event_beside_it() {
    let server = Server::start();
    let first = server.post(&record_fields(7), b"payload").json();
    let again = server.post(&record_fields(7), b"payload");
    assert_eq!((again.status, again.json()), (201, first.clone()));
    let other = server.post(&record_fields(7), b"other payload").json();
    assert_ne!(first["id"], other["id"]);
    assert_eq!(server.count_records(), 2);
    // Records without an event id cannot be told apart: each post is a record.
    let version_3 = with(record_fields(7), "record_format_version", Some("3"));
    for _ in 0..2 {
        assert_eq!(server.post(&version_3, b"payload").status, 201);
    }
    assert_eq!(server.count_records(), 4);
}

#[test]
fn a_record_sent_again_is_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start_on(directory.path());
    let id = server.post_record(9, "x");
    assert_eq!(server.stop(), Some(0));
    let server = Server::start_on(directory.path());
    assert_eq!(server.post_record(9, "x"), id);
    assert_eq!(server.count_records(), 1);
}

#[test]
fn an_unattended_sender_s_bad_record_goes_into_quarantine_and_can_be_admitted() {
    let server = Server::start();
    let unattended = with(record_fields(1), "User-Agent", None);
    let answer = server.post(&with(unattended.clone(), "arch", Some("no way")), b"keep\0me");
    assert_eq!((answer.status, answer.json()["quarantined"].as_bool()), (200, Some(true)));
    assert!(answer.message().contains("arch"));
    let answer = server.post(&with(unattended.clone(), "X-Telemetry-TID", Some("unknown")), b"x");
    assert_eq!(answer.status, 400);
    let answer = server.post(&unattended, &vec![b'y'; 400 * 1024]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = [("Content-Type", "application/json"), ("X-Telemetry-TID", TID)];
    let json = json.map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(server.post(&json, b"{not json").status, 200);
    assert_eq!(server.count_records(), 0);

    let list = server.get("/records/quarantine").text();
    assert!(list.contains("arch must be"), "{list}");
    let page = server.get("/records/quarantine/1").text();
    assert!(page.contains("no way") && page.contains("127.0.0.1"));
    let token = page.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut form = format!("csrf_token={token}&payload_as_sent=true");
    for (name, value) in record_fields(1).iter().filter(|(name, _)| !name.contains('-')) {
        form.push_str(&format!("&{name}={}", value.replace('|', "%7C").replace(' ', "+")));
    }
    let fields = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let bad = form.replace("arch=x86_64", "arch=still+bad");
    let answer = server.request("POST", "/records/quarantine/1/admit", &fields, bad.as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("still bad"));
    let form = format!("{form}&arch=x86_64");
    let answer = server.request("POST", "/records/quarantine/1/admit", &fields, form.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.text());
    let record = server.get(&format!("/api{}", answer.header("location").unwrap())).json();
    assert_eq!(record["payload"], "keep\0me");
    assert_eq!(server.get("/records/quarantine/1").status, 404);
    let drop = format!("csrf_token={token}");
    let answer = server.request("POST", "/records/quarantine/2/drop", &fields, drop.as_bytes());
    assert_eq!(answer.status, 303);
    assert_eq!(server.get("/records/quarantine/2").status, 404);
}

#[test]
fn the_quarantine_policy_is_a_setting() {
    for (policy, with_agent, without_agent) in
        [("all", 200, 200), ("none", 400, 400), ("unattended", 400, 200)]
    {
        let config = format!("[ingest]\nquarantine = \"{policy}\"\n");
        let server = Server::start_with(crate::support::server::Options {
            config: Some(config),
            ..Default::default()
        });
        let bad = with(record_fields(1), "severity", Some("9"));
        assert_eq!(server.post(&bad, b"").status, with_agent, "{policy}");
        assert_eq!(server.post(&with(bad, "User-Agent", None), b"").status, without_agent, "{policy}");
    }
}
