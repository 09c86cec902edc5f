// SPDX-License-Identifier: Apache-2.0
//! `muster send` and `muster demo` as a person uses them.

use super::{muster, outcome, run, word};
use crate::support::Server;
use std::fs::File;

#[test]
fn send_stores_a_record_in_either_encoding() {
    let server = Server::start();
    let url = format!("http://{}", server.address);
    let (code, out, err) = run(&["send", "--url", &url]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("Stored as record 1: {url}/records/1\n"));

    let dir = tempfile::tempdir().unwrap();
    let payload = dir.path().join("payload");
    std::fs::write(&payload, b"caf\xe9 \x00 <b>").unwrap();
    let arguments = [
        "send",
        "--encoding=json",
        "--json",
        "--external",
        "--severity",
        "4",
        "--machine-id",
        "m1",
        "--file",
        "-",
        "--classification=org.example/a/b",
        "--url",
        &url,
    ];
    let (code, out, err) = outcome(muster(&arguments).stdin(File::open(&payload).unwrap()));
    assert_eq!(code, 0, "{err}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["severity"], 4);
    assert_eq!(answer["machine_id"], "m1");
    assert_eq!(answer["classification"], "org.example/a/b");
    assert_eq!(answer["external"], true);
    assert_eq!(answer["payload"], "café \u{0} <b>");
}

#[test]
fn send_says_what_the_server_refused() {
    let server = Server::start();
    let url = format!("http://{}", server.address);
    let (code, _, err) = run(&["send", "--url", &url, "--severity=9"]);
    assert_eq!(code, 2);
    assert!(err.contains("severity") && err.contains('9'), "{err}");
    let (code, _, err) = run(&["send", "--url", &url, "--payload=a", "--file=b"]);
    assert_eq!(code, 2);
    assert!(err.contains("not both"), "{err}");
    let (code, _, err) = run(&["send", "--url", &url, "--file=/nowhere/at/all"]);
    assert_eq!(code, 2);
    assert!(err.contains("/nowhere/at/all"), "{err}");
    drop(server);
    let (code, _, err) = run(&["send", "--url", &url]);
    assert_eq!(code, 1, "{err}");
}

#[test]
fn demo_refuses_a_database_with_records_unless_told() {
    let server = Server::start();
    server.post_record(1, "mine");
    let data = word(&server.data_dir).to_owned();
    let arguments =
        ["demo", "--config=/dev/null", "--data", &data, "--records=50", "--machines=3", "--weeks=1"];
    let (code, _, err) = run(&arguments);
    assert_eq!(code, 2);
    assert!(err.contains("--into-existing"), "{err}");
    assert_eq!(server.count_records(), 1);
    let (code, out, err) = run(&[&arguments[..], &["--into-existing"]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("Stored 50 records"), "{out}");
    assert_eq!(server.count_records(), 51);
}
