// SPDX-License-Identifier: Apache-2.0
//! docs/custom-views.md says what the program does, and the public SQL views are what it promises.

use super::{ask, panels, put, run, word};
use crate::support::Server;
use muster::custom::{KEYS, MARKS_MAX, PANELS_MAX, PARAMETERS_MAX, Show};
use muster::ops::custom::{PAGE_MOST, QUERY_MOST, ROWS_MAX};
use muster::store::{CUSTOM_FUNCTIONS, EXPORT_VIEWS};

const DOCS: &str = include_str!("../../../docs/custom-views.md");

/// The public interface. A change here is a new major version, but for columns at the end.
const COLUMNS: [(&str, &str); 4] = [
    (
        "export_records",
        "id INTEGER, received_at INTEGER, captured_at INTEGER, received_day TEXT, captured_day TEXT, \
         classification TEXT, severity INTEGER, system_name TEXT, build TEXT, machine_id TEXT, event_id TEXT, \
         host_type TEXT, board_name TEXT, cpu_model TEXT, bios_version TEXT, kernel_version TEXT, arch TEXT, \
         is_external INTEGER, record_format_version INTEGER, payload_format_version INTEGER",
    ),
    ("export_payloads", "record_id INTEGER, payload TEXT"),
    ("export_classification_counts", "classification TEXT, records INTEGER"),
    ("export_build_counts", "system_name TEXT, build TEXT, records INTEGER"),
];

/// The rows of the table that stands after `before`: the first two cells, without their quotes.
fn table(before: &str) -> Vec<(String, String)> {
    let (_, after) =
        DOCS.split_once(before).unwrap_or_else(|| panic!("{before} is not in the documentation"));
    let rows =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
        (cells.next().unwrap(), cells.next().unwrap())
    };
    rows.skip(2).map(cells).collect()
}

#[test]
fn the_public_views_are_as_documented() {
    let server = Server::start();
    server.post_record(7, &"a long payload\n".repeat(1_000));
    assert_eq!(COLUMNS.map(|(view, _)| view), EXPORT_VIEWS);
    for (view, columns) in COLUMNS {
        let names = ask(&server, &format!("SELECT * FROM {view}"))["columns"].clone();
        let names: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let types: Vec<String> = names.iter().map(|name| format!("upper(typeof({name}))")).collect();
        let found = ask(&server, &format!("SELECT {} FROM {view}", types.join(", ")))["rows"][0].clone();
        let found = names.iter().zip(found.as_array().unwrap());
        let found: Vec<String> =
            found.map(|(name, kind)| format!("{name} {}", kind.as_str().unwrap())).collect();
        assert_eq!(found.join(", "), columns, "{view}");
        let written = table(&format!("`{view}`, "));
        let written: Vec<String> = written.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        assert_eq!(written.join(", "), columns, "{view} in the documentation");
    }
}

#[test]
fn the_public_views_hold_what_was_sent() {
    let server = Server::start();
    let payload = "a long payload\n".repeat(1_000);
    let id = server.post_record(7, &payload);
    let record = server.get(&format!("/api/records/{id}")).json();
    let sql = "SELECT machine_id, event_id, classification, build, system_name, host_type, captured_at, captured_day,
      received_at - unixepoch(received_day), is_external, payload
      FROM export_records JOIN export_payloads ON record_id = id";
    let row = ask(&server, sql)["rows"][0].clone();
    for (column, field) in
        ["machine_id", "event_id", "classification", "build", "system_name", "machine_type"]
            .iter()
            .enumerate()
    {
        assert_eq!(row[column], record[field], "{field}");
    }
    assert_eq!((row[6].as_i64(), row[7].as_str()), (Some(1_795_228_041), Some("2026-11-21")));
    assert!((0..86_400).contains(&row[8].as_i64().unwrap()));
    assert_eq!((row[9].as_i64(), row[10].as_str()), (Some(0), Some(payload.as_str())));
    assert_eq!(
        ask(&server, "SELECT * FROM export_build_counts")["rows"].to_string(),
        r#"[["clear-linux-os","41890",1]]"#
    );
    let counts = ask(&server, "SELECT * FROM export_classification_counts")["rows"].to_string();
    assert_eq!(counts, r#"[["org.clearlinux/hello/world",1]]"#);
}

#[test]
fn every_key_word_and_function_is_documented() {
    for ((what, keys), before) in KEYS.iter().zip(["\nThe view:", "\nA parameter:", "\nA panel:"]) {
        let written: Vec<String> = table(before).into_iter().map(|(key, _)| key).collect();
        assert_eq!(written, *keys, "{what}");
    }
    let shows: String =
        table("| `links` |").into_iter().map(|(show, _)| show.replace('`', "") + ", ").collect();
    assert_eq!(shows, Show::ALL.map(|(word, _)| format!("{word}, ")).concat());
    let (_, functions) = DOCS.split_once("<summary>All functions</summary>").unwrap();
    let functions: Vec<&str> =
        functions.split("</details>").next().unwrap().split('`').skip(1).step_by(2).collect();
    assert_eq!(functions, CUSTOM_FUNCTIONS);
}

#[test]
fn the_limits_are_as_documented() {
    let limits = table("## Limits");
    let limit = |what: &str| limits.iter().find(|(name, _)| name == what).unwrap().1.clone();
    assert_eq!(limit("the time of a query"), format!("{} seconds", QUERY_MOST.as_secs()));
    assert_eq!(limit("all queries of a page"), format!("{} seconds", PAGE_MOST.as_secs()));
    assert!(ROWS_MAX == 1_000 && limit("rows that are kept of a query").starts_with("1,000"));
    assert!(MARKS_MAX == 5_000 && limit("values of a chart").starts_with("5,000"));
    assert!(DOCS.contains(&format!("`[[parameter]]`, at most {PARAMETERS_MAX}")));
    assert!(DOCS.contains(&format!("`[[panel]]`, 1 to {PANELS_MAX}")));
}

#[test]
fn the_worked_example_works() {
    let example = DOCS.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let (code, ..) = run(&["demo", "--records", "3000", "--machines", "100", "--data", word(&data_dir)]);
    assert_eq!(code, 0);
    let server = Server::start_on(&data_dir);
    put(&server, "crashes-per-day", example);
    for panel in panels(&server, "crashes-per-day") {
        assert!(panel["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{panel}");
    }
    let html = super::page(&server, "crashes-per-day").text();
    assert!(html.contains("<svg") && !html.contains("notice error"), "{html}");
}
