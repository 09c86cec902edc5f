// SPDX-License-Identifier: Apache-2.0
//! Every rule of the protocol, kept and broken.

use super::*;

const TID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

fn good() -> Vec<(String, String)> {
    [
        ("record_format_version", "4"),
        ("classification", "org.clearlinux/hello/world"),
        ("severity", "1"),
        ("machine_id", "5eed0000000000000000000000000001"),
        ("creation_timestamp", "1795228041"),
        ("arch", "x86_64"),
        ("host_type", "Intel Corporation|NUC7i5BNH|J31169-311"),
        ("build", "41890"),
        ("kernel_version", "6.18.44-lts-001"),
        ("payload_format_version", "1"),
        ("system_name", "clear-linux-os"),
        ("board_name", "NUC7i5BNB|Intel Corporation"),
        ("cpu_model", "Intel(R) Core(TM) i5-7260U CPU @ 2.20GHz"),
        ("bios_version", "BNKBL357.86A.0085.2020.1007.1917"),
        ("event_id", "84dcb7c607ee90b2cae721fbcd896b5f"),
        ("X-Telemetry-TID", TID),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn with(name: &str, value: &str) -> Vec<(String, String)> {
    let mut fields = without(name);
    fields.push((name.to_owned(), value.to_owned()));
    fields
}

fn without(name: &str) -> Vec<(String, String)> {
    good().into_iter().filter(|(n, _)| n != name).collect()
}

fn run(fields: &[(String, String)], body: &[u8]) -> Outcome<NewRecord> {
    let limits = Limits { tids: &[TID.to_owned()], payload_bytes_max: 1000 };
    accept(&Post { fields, body, is_body_cut: false }, &limits)
}

fn json(fields: &[(String, String)], payload: &str) -> (Vec<(String, String)>, Vec<u8>) {
    let mut object = serde_json::Map::new();
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('X')) {
        object.insert(name.clone(), value.clone().into());
    }
    object.insert("payload".into(), payload.into());
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("X-Telemetry-TID".to_owned(), TID.to_owned()),
    ];
    (headers, serde_json::to_vec(&object).unwrap())
}

#[test]
fn both_encodings_give_the_same_record() {
    let by_header = run(&good(), b"hello\n").unwrap();
    let (headers, body) = json(&good(), "hello\n");
    assert_eq!(run(&headers, &body).unwrap(), by_header);
    assert_eq!(by_header.payload, "hello\n");
    assert_eq!(by_header.host_type, "Intel Corporation|NUC7i5BNH|J31169-311");
}

#[test]
fn every_broken_rule_is_refused_with_the_name_of_its_field() {
    let long = "x".repeat(400);
    let cases: &[(&str, &[&str])] = &[
        ("record_format_version", &["0", "5", "four", "", "4.0"]),
        ("classification", &["", "a", "a/b", "a/b/c/d", "a//c", "/b/c", "a/b/", "a/\u{1}/c", &long]),
        ("severity", &["", "0", "5", "high", "1.0", "+1"]),
        ("machine_id", &["", &long[..33], "a\u{7}b"]),
        ("creation_timestamp", &["", "-1", "1e20", "253402300800", "1.5", "now", "99999999999999999999"]),
        ("arch", &["", "x86-64", "é", &long[..33]]),
        ("host_type", &["", "\u{1}\u{2}", &long[..250]]),
        ("build", &["", "\"\"", "12a", "1.5", "-1"]),
        ("kernel_version", &["", "6", "6.", ".6", "six.1", "v6.1", "6.1\u{2}"]),
        ("payload_format_version", &["", "-1", "4294967296", "x"]),
        ("system_name", &["", "\"\"", &long[..65], "a\u{1}"]),
        ("board_name", &[&long[..200]]),
        ("cpu_model", &[&long[..200]]),
        ("bios_version", &[&long[..200]]),
        ("event_id", &["", "84DCB7C607EE90B2CAE721FBCD896B5F", "84dc", &long[..32]]),
    ];
    for (name, values) in cases {
        for value in *values {
            let refusal = run(&with(name, value), b"").unwrap_err();
            assert!(
                refusal.message.contains(name) || value.is_empty(),
                "{name}={value}: {}",
                refusal.message
            );
            let (headers, body) = json(&with(name, value), "");
            let refusal = run(&headers, &body).unwrap_err();
            assert!(refusal.message.contains(name), "JSON {name}={value}: {}", refusal.message);
            assert_eq!(refusal.kind, Kind::Invalid);
            assert!(refusal.is_of_record);
        }
    }
}

#[test]
fn each_version_requires_its_own_fields_and_drops_those_of_later_ones() {
    let added: &[(u8, &[&str])] = &[
        (
            1,
            &["classification", "severity", "machine_id", "creation_timestamp", "arch", "host_type", "build"],
        ),
        (1, &["kernel_version"]),
        (2, &["payload_format_version", "system_name"]),
        (4, &["event_id"]),
    ];
    for version in 1..=4_u8 {
        for (since, names) in added {
            for name in *names {
                let fields: Vec<_> = with("record_format_version", &version.to_string())
                    .into_iter()
                    .filter(|(n, _)| n != name)
                    .collect();
                let outcome = run(&fields, b"");
                assert_eq!(outcome.is_err(), version >= *since, "version {version} without {name}");
            }
        }
        let record = run(&with("record_format_version", &version.to_string()), b"").unwrap();
        assert_eq!(record.system_name.is_some(), version >= 2);
        assert_eq!(record.board_name.is_some(), version >= 3);
        assert_eq!(record.event_id.is_some(), version >= 4);
    }
}

#[test]
fn absent_firmware_strings_are_empty_and_control_bytes_in_them_are_spaces() {
    let record = run(&without("board_name"), b"").unwrap();
    assert_eq!(record.board_name.as_deref(), Some(""));
    let record = run(&with("cpu_model", "a\u{1b}b\u{0}c® é"), b"").unwrap();
    assert_eq!(record.cpu_model.as_deref(), Some("a b c® é"));
}

#[test]
fn quotes_of_os_release_are_stripped() {
    let mut fields = with("system_name", "\"opensuse-leap\"");
    fields.retain(|(name, _)| name != "build");
    fields.push(("BUILD".into(), "\"15.5\"\n".into()));
    let record = run(&fields, b"").unwrap();
    assert_eq!((record.system_name.as_deref(), record.build.as_str()), (Some("opensuse-leap"), "15.5"));
}

#[test]
fn a_header_that_comes_twice_is_refused_in_every_spelling() {
    let mut fields = good();
    fields.push(("Machine-Id".into(), "x".into()));
    assert!(run(&fields, b"").unwrap_err().message.contains("machine_id"));
    let mut fields = good();
    fields.push(("x_telemetry_tid".into(), TID.into()));
    assert!(run(&fields, b"").is_err());
}

#[test]
fn the_encoding_is_told_by_the_headers_alone() {
    let record = run(&with("Content-Type", "application/x-www-form-urlencoded"), b"a=b").unwrap();
    assert_eq!(record.payload, "a=b");
    let fields = vec![("X-Telemetry-TID".to_owned(), TID.to_owned())];
    assert_eq!(run(&fields, b"{}").unwrap_err().kind, Kind::UnsupportedMedia);
    assert!(!run(&with("X-Telemetry-TID", "other"), b"").unwrap_err().is_of_record);
    assert!(run(&without("X-Telemetry-TID"), b"").unwrap_err().message.contains("X-Telemetry-TID"));
}

#[test]
fn a_payload_keeps_every_byte() {
    assert_eq!(run(&good(), b"a\0\x1b\r\n\xc3\xa4").unwrap().payload, "a\0\u{1b}\r\nä");
    assert_eq!(run(&good(), b"\xe4\x00").unwrap().payload, "ä\0");
    assert_eq!(run(&good(), b"").unwrap().payload, "");
    let (headers, body) = json(&good(), "a\0ä\u{b}");
    assert_eq!(run(&headers, &body).unwrap().payload, "a\0ä\u{b}");
    let latin = String::from_utf8(body).unwrap().chars().map(|c| c as u32 as u8).collect::<Vec<_>>();
    assert_eq!(run(&headers, &latin).unwrap().payload, "a\0ä\u{b}");
}

#[test]
fn a_payload_over_the_limit_is_too_large_in_both_encodings() {
    let (headers, body) = json(&good(), &"\u{b}".repeat(1000));
    assert!(run(&headers, &body).is_ok());
    let (headers, body) = json(&good(), &"\u{b}".repeat(1001));
    assert_eq!(run(&headers, &body).unwrap_err().kind, Kind::TooLarge);
    assert_eq!(run(&good(), &[b'x'; 1001]).unwrap_err().kind, Kind::TooLarge);
    assert!(run(&good(), &[0xe4; 1000]).is_ok());
}

#[test]
fn json_numbers_keep_the_digits_that_were_sent() {
    let (headers, body) = json(&good(), "x");
    let text = String::from_utf8(body).unwrap();
    let text = text.replace("\"5eed0000000000000000000000000001\"", "12345678901234567890123456789012");
    let text = text.replace("\"payload\":\"x\"", "\"payload\":1.10");
    let record = run(&headers, text.as_bytes()).unwrap();
    assert_eq!(record.machine_id, "12345678901234567890123456789012");
    assert_eq!(record.payload, "1.10");
}

#[test]
fn json_values_may_be_numbers_and_null_is_empty() {
    let (headers, _) = json(&good(), "");
    let body = br#"{"record_format_version":4,"classification":"a/b/c","severity":2,"machine_id":7,
      "creation_timestamp":1795228041,"arch":"x86_64","host_type":"Intel","build":41890,"kernel_version":"6.1",
      "payload_format_version":1,"system_name":"clear-linux-os","board_name":null,"bios_version":"",
      "event_id":"84dcb7c607ee90b2cae721fbcd896b5f","unknown":[1]}"#;
    let record = run(&headers, body).unwrap();
    assert_eq!((record.machine_id.as_str(), record.board_name.as_deref()), ("7", Some("")));
    for bad in ["", "[]", "{", "{\"severity\":[1]}", "{\"severity\":1,\"severity\":2}", "null", "\u{feff}{}"]
    {
        let refusal = run(&headers, bad.as_bytes()).unwrap_err();
        assert!(refusal.is_of_record && refusal.kind == Kind::Invalid, "{bad}");
    }
    let deep = format!("{{\"severity\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(run(&headers, deep.as_bytes()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_post_makes_it_panic(fields in proptest::collection::vec(("[a-z_X-]{0,20}", ".{0,40}"), 0..20), body: Vec<u8>) {
        let mut all: Vec<(String, String)> = fields;
        all.push(("X-Telemetry-TID".into(), TID.into()));
        let _ = run(&all, &body);
        all.push(("Content-Type".into(), "application/json".into()));
        let _ = run(&all, &body);
        let _ = known_values(&all, &body);
    }
}
