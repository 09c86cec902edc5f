// SPDX-License-Identifier: Apache-2.0
//! Upgrades by several processes at once, beside a server, and on a disk without room.

use super::{database, muster, names, query, run, word};
use muster::store::{Lock, SCHEMA_VERSION};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A data directory with the database of an older version.
fn old(version: i64) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let frozen = format!("{}/tests/data/schema/v{version}.sql", env!("CARGO_MANIFEST_DIR"));
    let connection = Connection::open(database(&data)).unwrap();
    connection.execute_batch(&std::fs::read_to_string(frozen).unwrap()).unwrap();
    (directory, data)
}

fn version(file: &Path) -> i64 {
    query(file, "PRAGMA user_version")
}

#[test]
fn several_at_once_upgrade_once() {
    for round in 0..5 {
        let (_directory, data) = old(1);
        let children: Vec<_> = (0..4)
            .map(|_| {
                muster(&["purge", "--dry-run", "--data", word(&data)])
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let said: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
        assert!(outputs.iter().all(|output| output.status.success()), "{round}: {said}");
        assert_eq!(said.matches("Upgrading ").count(), 1, "{round}: {said}");
        assert_eq!(version(&database(&data)), SCHEMA_VERSION);
        assert_eq!(version(&data.join("muster.db.before-upgrade-from-1")), 1);
        assert!(!names(&data).iter().any(|name| name.ends_with("part")), "{:?}", names(&data));
    }
}

#[test]
fn a_command_does_not_upgrade_under_a_server() {
    let (_directory, data) = old(SCHEMA_VERSION - 1);
    // The older server that runs, as far as a newer command sees it.
    let server = Lock::take(&data, "serve").unwrap();
    let (code, said) = run(&["purge", "--dry-run", "--data", word(&data)]);
    assert!(code == 1 && said.contains("its server brings it to schema"), "{code}: {said}");
    assert!(said.contains("in use by muster serve"), "{said}");
    assert_eq!(version(&database(&data)), SCHEMA_VERSION - 1);
    drop(server);
    let (code, said) = run(&["purge", "--dry-run", "--data", word(&data)]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(version(&database(&data)), SCHEMA_VERSION);
}
