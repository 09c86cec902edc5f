// SPDX-License-Identifier: Apache-2.0
//! Bytes in the fields of a record: control characters, Latin-1, overlong values, repeated names (spec 1.2, 1.3).

use super::{exchange, pairs, record_head, status_of};
use crate::support::{Server, TID, record_fields, with};
use serde_json::{Value, json};

/// Posts a record in which one field has this value, as bytes; its status and what was answered.
fn post_value(server: &Server, event: u64, name: &str, value: &[u8]) -> (u16, Value) {
    let mut bytes = record_head(&with(record_fields(event), name, None));
    bytes.extend_from_slice(format!("{name}: ").as_bytes());
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\nContent-Length: 1\r\n\r\nx");
    let received = exchange(server.address, &bytes);
    let status = status_of(&received);
    let text = String::from_utf8_lossy(&received).into_owned();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text:?}")))
}

#[test]
fn control_bytes_become_spaces_in_strings_of_the_firmware_and_are_refused_elsewhere() {
    let server = Server::start();
    let mut event = 0;
    let mut next = || {
        event += 1;
        event
    };
    let firmware = [
        ("host_type", "machine_type"),
        ("board_name", "board_name"),
        ("cpu_model", "cpu_model"),
        ("bios_version", "bios_version"),
    ];
    for byte in [0x01, 0x07, 0x08, 0x0b, 0x0c, 0x1b, 0x1f, 0x7f, b'\t'] {
        for (sent, shown) in firmware {
            let (status, body) = post_value(&server, next(), sent, &[b'a', byte, b'b']);
            assert_eq!((status, &body[shown]), (201, &json!("a b")), "{sent} with {byte:#x}: {body}");
        }
        for name in ["classification", "machine_id", "kernel_version", "system_name", "arch", "build"] {
            let good = record_fields(0).into_iter().find(|(n, _)| n == name).unwrap().1;
            let (start, end) = good.split_at(good.len() - 1);
            let value = [start.as_bytes(), &[byte], end.as_bytes()].concat();
            let (status, body) = post_value(&server, next(), name, &value);
            assert_eq!(status, 400, "{name} with {byte:#x}: {body}");
            assert!(body["message"].as_str().unwrap().contains(name), "{name} with {byte:#x}: {body}");
        }
    }
    for name in ["host_type", "machine_id", "X-Anything"] {
        let (status, body) = post_value(&server, next(), name, b"a\0b");
        assert_eq!(status, 400, "{name} with NUL: {body}");
        let (status, body) = post_value(&server, next(), name, b"a\rb");
        assert_eq!(status, 400, "{name} with CR: {body}");
    }
}

#[test]
fn bytes_beyond_ascii_are_text() {
    let server = Server::start();
    let cases: [(&[u8], &str); 5] = [
        (b"M\xfcnchen \xae", "München ®"),
        ("München ® 東京".as_bytes(), "München ® 東京"),
        (b"\xe2\x82", "â "),
        (b"\x85\x9f!", "  !"),
        (b"\xff\xfe\xfd", "ÿþý"),
    ];
    for (event, (sent, shown)) in cases.into_iter().enumerate() {
        let (status, body) = post_value(&server, event as u64, "cpu_model", sent);
        assert_eq!((status, &body["cpu_model"]), (201, &json!(shown.trim())), "{sent:?}");
    }
    let (status, body) = post_value(&server, 100, "machine_id", b"h\xf4te");
    assert_eq!((status, &body["machine_id"]), (201, &json!("hôte")), "{body}");
    let (status, body) = post_value(&server, 101, "machine_id", b"a\xc2\x85b");
    assert_eq!(status, 400, "a control character beyond ASCII: {body}");
    // Limits count characters, not bytes.
    let (status, body) = post_value(&server, 102, "machine_id", "é".repeat(32).as_bytes());
    assert_eq!(status, 201, "{body}");
    let (status, body) = post_value(&server, 103, "machine_id", "é".repeat(33).as_bytes());
    assert_eq!(status, 400, "{body}");
}

#[test]
fn every_limit_is_exact() {
    let server = Server::start();
    let text = |n: usize| "x".repeat(n);
    let class = |n: usize| format!("a/b/{}", "c".repeat(n - 4));
    let digits = |n: usize| "7".repeat(n);
    let cases: [(&str, String, String); 11] = [
        ("classification", class(140), class(141)),
        ("machine_id", text(32), text(33)),
        ("creation_timestamp", "253402300799".into(), "253402300800".into()),
        ("arch", text(32), text(33)),
        ("host_type", text(249), text(250)),
        ("build", digits(256), digits(257)),
        ("payload_format_version", "4294967295".into(), "4294967296".into()),
        ("system_name", text(64), text(65)),
        ("board_name", text(199), text(200)),
        ("event_id", "0".repeat(32), "0".repeat(33)),
        ("severity", "4".into(), "5".into()),
    ];
    for (event, (name, good, bad)) in cases.into_iter().enumerate() {
        let event = event as u64;
        let (status, body) = post_value(&server, event, name, good.as_bytes());
        assert_eq!(status, 201, "{name}: {body}");
        let (status, body) = post_value(&server, event, name, bad.as_bytes());
        assert_eq!(status, 400, "{name}: {body}");
        assert!(body["message"].as_str().unwrap().contains(name), "{body}");
    }
}

#[test]
fn a_field_given_twice_is_refused_in_whatever_spelling() {
    let server = Server::start();
    for second in [
        "severity: 2",
        "Severity: 2",
        "SEVERITY: 1",
        "machine-id: x",
        "Machine_Id: x",
        "x-telemetry_tid: x",
        "x_clr-external: true\r\nX-CLR-External: true",
    ] {
        let mut bytes = record_head(&record_fields(1));
        bytes.extend_from_slice(format!("{second}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        assert_eq!(status_of(&exchange(server.address, &bytes)), 400, "{second}");
    }
    assert_eq!(server.count_records(), 0);
}

fn post_json(server: &Server, body: &[u8]) -> (u16, Value) {
    let fields =
        pairs(&[("Content-Type", "application/json"), ("X-Telemetry-TID", TID), ("User-Agent", "x")]);
    let answer = server.post(&fields, body);
    (answer.status, answer.json())
}

fn good_json() -> Value {
    let mut object = json!({"payload": "x"});
    for (name, value) in record_fields(1).into_iter().filter(|(name, _)| !name.contains('-')) {
        object[name] = value.into();
    }
    object
}

#[test]
fn json_that_is_no_record_is_refused_and_never_stored() {
    let server = Server::start();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{".to_vec(),
        b"{}".to_vec(),
        b"{}{}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"severity\": \"\\ud800\"}".to_vec(),
        b"{\"severity\": 1, \"severity\": 2}".to_vec(),
        deep.clone().into_bytes(),
        format!("{{\"payload\": {deep}}}").into_bytes(),
        format!("{{\"unknown\": {deep}}}").into_bytes(),
    ];
    for body in bodies {
        let (status, answer) = post_json(&server, &body);
        assert_eq!(status, 400, "{:?}: {answer}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        assert!(answer["message"].as_str().unwrap().len() < 500, "{answer}");
    }
    let changes = [
        ("severity", json!(1.5)),
        ("severity", json!(true)),
        ("severity", json!([1])),
        ("severity", json!({"a": 1})),
        ("severity", Value::Null),
        ("creation_timestamp", json!(1e20)),
        ("creation_timestamp", json!(-1)),
        ("machine_id", json!("a\u{0}b")),
        ("machine_id", json!("a\nb")),
        ("classification", json!("a/b\u{85}/c")),
        ("payload", json!({"a": 1})),
        ("event_id", json!("")),
    ];
    for (name, value) in changes {
        let mut object = good_json();
        object[name] = value.clone();
        let (status, answer) = post_json(&server, object.to_string().as_bytes());
        assert_eq!(status, 400, "{name} = {value}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(name), "{answer}");
    }
    assert_eq!(server.count_records(), 0);
    let mut object = good_json();
    object["host_type"] = json!("a\u{0}\u{1b}[2J\u{7f}b");
    object["payload"] = json!("NUL \u{0} and \u{1f} survive, \u{10ffff} too");
    object["severity"] = json!(3);
    let (status, answer) = post_json(&server, object.to_string().as_bytes());
    assert_eq!((status, &answer["machine_type"]), (201, &json!("a  [2J b")), "{answer}");
    assert_eq!(server.get("/api/records/1").json()["payload"], object["payload"]);
}
