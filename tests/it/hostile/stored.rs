// SPDX-License-Identifier: Apache-2.0
//! What the API lists, and whether it keeps the rules of a record (spec section 1.3), written anew for the test.

use crate::support::Server;
use serde_json::Value;

/// Every stored record, newest first, page by page.
pub fn all_records(server: &Server) -> Vec<Value> {
    let mut records: Vec<Value> = Vec::new();
    loop {
        let from = records.last().map_or(String::new(), |last| format!("&from_id={}", last["id"]));
        let answer = server.get(&format!("/api/records?limit=5000{from}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let has_next = answer.header("link").is_some();
        let page = answer.json()["records"].as_array().unwrap().clone();
        assert!(!has_next || !page.is_empty(), "a page that leads on has rows");
        records.extend(page);
        if !has_next {
            return records;
        }
    }
}

/// Panics where a stored record breaks a rule.
pub fn assert_keeps_the_rules(record: &Value) {
    let broken = broken_rules(record);
    assert!(broken.is_empty(), "stored against the rules {broken:?}: {record}");
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or("")
}

fn is_printable(text: &str, least: usize, most: usize) -> bool {
    let n = text.chars().count();
    n >= least && n <= most && !text.chars().any(char::is_control)
}

fn is_made_of(text: &str, is_allowed: impl Fn(u8) -> bool, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(is_allowed)
}

/// Whether the firmware's strings are as the version has them.
fn has_firmware(record: &Value, version: i64) -> bool {
    ["board_name", "cpu_model", "bios_version"].into_iter().all(|name| {
        let is_text = record[name].is_string() && is_printable(text(record, name), 0, 199);
        if version >= 3 { is_text } else { record[name].is_null() }
    })
}

fn broken_rules(record: &Value) -> Vec<&'static str> {
    let version = record["record_format_version"].as_i64().unwrap_or(0);
    let of = |name| text(record, name);
    let classification = of("classification");
    let parts: Vec<&str> = classification.split('/').collect();
    let is_clear = of("system_name") == "clear-linux-os";
    let is_build = |byte: u8| {
        byte.is_ascii_digit() || !is_clear && (byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let kernel = of("kernel_version");
    let minor = kernel.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let checks = [
        ("record_format_version", (1..=4).contains(&version)),
        (
            "classification",
            is_printable(classification, 5, 140)
                && parts.len() == 3
                && parts.iter().all(|part| !part.is_empty()),
        ),
        ("severity", record["severity"].as_i64().is_some_and(|severity| (1..=4).contains(&severity))),
        ("machine_id", is_printable(of("machine_id"), 1, 32)),
        ("ts_capture", of("ts_capture").ends_with(" UTC") && of("ts_capture").len() == 23),
        ("ts_reception", of("ts_reception").ends_with(" UTC") && of("ts_reception").len() == 23),
        ("arch", is_made_of(of("arch"), |byte| byte.is_ascii_alphanumeric() || byte == b'_', 32)),
        ("machine_type", is_printable(of("machine_type"), 0, 249)),
        ("build", is_made_of(of("build"), is_build, 256)),
        (
            "kernel_version",
            kernel.starts_with(|c: char| c.is_ascii_digit())
                && minor.starts_with('.')
                && minor[1..].starts_with(|c: char| c.is_ascii_digit())
                && is_printable(kernel, 3, 256),
        ),
        (
            "payload_format_version",
            (version >= 2)
                == record["payload_format_version"].as_u64().is_some_and(|n| n <= u64::from(u32::MAX)),
        ),
        (
            "system_name",
            if version >= 2 {
                is_printable(of("system_name"), 1, 64)
            } else {
                record["system_name"].is_null()
            },
        ),
        ("board_name, cpu_model or bios_version", has_firmware(record, version)),
        (
            "event_id",
            if version == 4 {
                of("event_id").len() == 32 && of("event_id").bytes().all(is_hex)
            } else {
                record["event_id"].is_null()
            },
        ),
        ("payload", record["payload"].is_string() && of("payload").len() <= 2 * 300 * 1024),
        ("external", record["external"].is_boolean()),
    ];
    checks.into_iter().filter(|(_, is_kept)| !is_kept).map(|(name, _)| name).collect()
}
