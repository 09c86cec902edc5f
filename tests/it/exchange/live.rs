// SPDX-License-Identifier: Apache-2.0
//! Imports beside a running server, and imports that are killed.

use super::{command, contents, count, done, exported, muster};
use crate::store::assert_counts_are_exact;
use crate::support::{Server, record_fields};
use std::path::Path;
use std::time::{Duration, Instant};

/// A file of so many records.
fn demo(directory: &Path, records: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let from = directory.join("from");
    done(&muster(
        &from,
        &["demo", "--records", records, "--machines", "50", "--weeks", "3", "--agents", "0"],
    ));
    let file = directory.join("demo.ndjson");
    done(&muster(&from, &["export", "--output", file.to_str().unwrap()]));
    (from, file)
}

/// Rows that break a rule, one behind each 300 lines.
fn with_bad_rows(text: &str, end: &str, bad: impl Fn(usize) -> String) -> String {
    let mut all = String::new();
    for (at, line) in text.split_terminator(end).enumerate() {
        all.push_str(line);
        all.push_str(end);
        if at % 300 == 299 {
            all.push_str(&bad(at));
        }
    }
    all
}

/// The records of NDJSON as the original's table.
fn copy_text(ndjson: &str) -> String {
    let names = [
        ("architecture", "arch"),
        ("bios_version", "bios_version"),
        ("board_name", "board_name"),
        ("build", "build"),
        ("classification", "classification"),
        ("cpu_model", "cpu_model"),
        ("event_id", "event_id"),
        ("external", "external"),
        ("host_type", "machine_type"),
        ("kernel_version", "kernel_version"),
        ("machine_id", "machine_id"),
        ("payload_version", "payload_format_version"),
        ("record_version", "record_format_version"),
        ("severity", "severity"),
        ("system_name", "system_name"),
        ("timestamp_client", "ts_capture"),
        ("timestamp_server", "ts_reception"),
        ("payload", "payload"),
    ];
    let mut text = format!("COPY records ({}) FROM stdin;\n", names.map(|(name, _)| name).join(", "));
    for line in ndjson.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let cells = names.map(|(_, name)| match &row[name] {
            serde_json::Value::String(cell) => {
                cell.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
            }
            serde_json::Value::Bool(is) => if *is { "t" } else { "f" }.to_owned(),
            serde_json::Value::Null => "\\N".to_owned(),
            other => other.to_string(),
        });
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text + "\\.\n"
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (from, file) = demo(directory.path(), "4000");
    let ndjson = std::fs::read_to_string(&file).unwrap();
    let csv = done(&muster(&from, &["export", "--format", "csv"]));
    let json_rows = with_bad_rows(&ndjson, "\n", |at| format!("{{\"bad\":{at}}}\n"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, json_rows.as_bytes()).unwrap();
    let files = [
        ("csv", with_bad_rows(&csv, "\r\n", |at| format!("bad,{at}\r\n")).into_bytes()),
        ("ndjson.gz", gzip.finish().unwrap()),
        ("sql", with_bad_rows(&copy_text(&ndjson), "\n", |at| format!("bad\t{at}\n")).into_bytes()),
        ("ndjson", json_rows.into_bytes()),
    ];
    let mut expected = contents(&from);
    expected.sort();
    for (ending, bytes) in files {
        let path = directory.path().join(format!("file.{ending}"));
        std::fs::write(&path, bytes).unwrap();
        killed_twice(&directory.path().join(format!("to-{ending}")), path.to_str().unwrap(), &expected);
    }
}

/// Imports a file of 4,000 records and rows that break a rule, and is killed twice on the way.
fn killed_twice(to: &Path, path: &str, expected: &[String]) {
    done(&muster(to, &["demo", "--records", "1", "--agents", "0", "--machines", "1"]));
    for _ in 0..2 {
        let before = stored(to);
        let mut child = command(to, &["import", path])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while stored(to) < before + 300 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stored(to) < 4_000, "{path}: it was over before it was killed");
    }
    let output = muster(to, &["import", path]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", super::stderr(&output));
    let is_told = said.contains("went on at byte") && said.contains("4000 rows stored, 0 known, 13 rejected");
    assert!(is_told, "{path}: {said}{}", super::stderr(&output));
    let mut found = contents(to);
    assert_eq!(found.len(), 4_001);
    found.retain(|row| expected.binary_search(row).is_ok());
    assert_eq!(found, expected, "{path}");
    assert_counts_are_exact(to);
    // Each rejected row is there once.
    let rejects = std::fs::read_to_string(format!("{path}.rejects")).unwrap();
    let mut bad: Vec<&str> =
        rejects.lines().filter(|line| line.starts_with("bad") || line.starts_with("{\"bad")).collect();
    let all = bad.len();
    bad.sort_unstable();
    bad.dedup();
    assert_eq!((all, bad.len()), (13, 13), "{path}");
    // It is done: once more, it begins anew and finds all known.
    let again = muster(to, &["import", path]);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains("0 rows stored, 4000 known"), "{said}");
}

fn stored(data: &Path) -> i64 {
    count(data, "SELECT coalesce(max(rows_stored), 0) FROM imports")
}

#[test]
fn posts_go_on_while_a_file_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let (_, file) = demo(directory.path(), "3000");
    let server = Server::start();
    let mut child = command(&server.data_dir, &["import", file.to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (mut posts, mut longest) = (0, Duration::ZERO);
    let mut connection = crate::support::Connection::open(server.address).unwrap();
    while child.try_wait().unwrap().is_none() {
        let began = Instant::now();
        let answer = connection.request("POST", "/", &record_fields(posts), b"during the import").unwrap();
        longest = longest.max(began.elapsed());
        assert_eq!(answer.status, 201, "{}", answer.text());
        posts += 1;
    }
    assert!(child.wait().unwrap().success());
    assert!(posts > 5, "{posts}");
    // Far more than a machine that does nothing else needs; a writer that is shut out waits for five seconds.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert_eq!(exported(&server.data_dir).len() as u64, 3_000 + posts);
    assert_counts_are_exact(&server.data_dir);
}
