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

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (from, file) = demo(directory.path(), "4000");
    let to = directory.path().join("to");
    done(&muster(&to, &["demo", "--records", "1", "--agents", "0", "--machines", "1"]));
    let path = file.to_str().unwrap();
    for _ in 0..2 {
        let before = stored(&to);
        let mut child = command(&to, &["import", path]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while stored(&to) < before + 300 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stored(&to) < 4_000, "it was over before it was killed");
    }
    let said = done(&muster(&to, &["import", path]));
    assert!(
        said.contains("went on at byte") && said.contains("4000 rows stored, 0 known, 0 rejected"),
        "{said}"
    );
    let mut expected = contents(&from);
    let mut found = contents(&to);
    assert_eq!(found.len(), 4_001);
    found.retain(|row| expected.binary_search(row).is_ok());
    expected.sort();
    assert_eq!(found, expected);
    assert_counts_are_exact(&to);
    // It is done: once more, it begins anew and finds all known.
    let again = done(&muster(&to, &["import", path]));
    assert!(again.contains("0 rows stored, 4000 known"), "{again}");
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
