// SPDX-License-Identifier: Apache-2.0
//! Backups that are put back, and those that must not be.

use super::{backup, database, demo, done, filled, muster, names, query, run, word};
use crate::support::Server;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a data directory holds, but for the lock.
fn contents(data: &Path) -> Vec<(String, Vec<u8>)> {
    let kept =
        |name: &String| !name.ends_with(".lock") && !name.ends_with("-shm") && data.join(name).is_file();
    names(data)
        .into_iter()
        .filter(kept)
        .map(|name| (name.clone(), std::fs::read(data.join(name)).unwrap()))
        .collect()
}

#[test]
fn a_backup_goes_into_a_new_directory_and_a_server_goes_on_with_it() {
    let (directory, data) = filled(7);
    let file = directory.path().join("b");
    backup(&data, &file);
    let new = directory.path().join("new/data");
    let said = done(&["restore", word(&file), "--data", word(&new)]);
    assert!(said.contains("7 records"), "{said}");
    let mode = std::fs::metadata(&new)
        .map(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()))
        .unwrap();
    assert_eq!(mode & 0o777, 0o700);
    let id = |data: &Path| query::<String>(&database(data), "SELECT value FROM meta WHERE name = 'file_id'");
    assert_ne!(id(&data), id(&new));
    let audited: String = query(&database(&new), "SELECT action FROM audit ORDER BY id DESC LIMIT 1");
    assert_eq!(audited, "database.restore");
    let server = Server::start_on(&new);
    assert_eq!(server.count_records(), 7);
    assert_eq!(server.post_record(100, "after"), 8);
    assert_eq!(query::<String>(&database(&new), "PRAGMA journal_mode"), "wal");
}

#[test]
fn an_existing_database_stays_unless_told_and_is_moved_aside_then() {
    let (directory, data) = filled(5);
    let file = directory.path().join("b");
    backup(&data, &file);
    let mut server = Server::start_on(&data);
    for event in 100..110 {
        server.post_record(event, "later");
    }
    let (code, said) = run(&["restore", word(&file), "--force", "--data", word(&data)]);
    assert!(
        code == 1 && said.contains("in use by muster serve") && said.contains(&server.pid().to_string()),
        "{said}"
    );
    assert_eq!(server.count_records(), 15);
    // What is in the log only goes along.
    server.kill();
    let before = contents(&data);
    let (code, said) = run(&["restore", word(&file), "--data", word(&data)]);
    assert!(code == 2 && said.contains("add --force"), "{said}");
    assert_eq!(contents(&data), before);
    let said = done(&["restore", word(&file), "--force", "--data", word(&data)]);
    let aside = names(&data).into_iter().find(|name| name.starts_with("muster.db.before-restore-")).unwrap();
    assert!(said.contains("5 records") && said.contains(&aside), "{said}");
    assert_eq!(query::<i64>(&data.join(aside), "SELECT count(*) FROM records"), 15);
    let mut server = Server::start_on(&data);
    assert_eq!(server.count_records(), 5);
    // No id is given twice.
    assert_eq!(server.post_record(200, "new"), 16);
    assert_eq!(server.stop(), Some(0));
    done(&["check", "--data", word(&data)]);
}

#[test]
fn one_that_cannot_be_read_is_moved_aside_with_its_log() {
    let (directory, data) = filled(3);
    let file = directory.path().join("b");
    backup(&data, &file);
    std::fs::write(database(&data), "garbage, not a database at all").unwrap();
    std::fs::write(data.join("muster.db-wal"), "its log").unwrap();
    let said = done(&["restore", word(&file), "--force", "--data", word(&data)]);
    assert!(said.contains("is no database") && said.contains("may be given again"), "{said}");
    let all = names(&data);
    let aside: Vec<&String> =
        all.iter().filter(|name| name.starts_with("muster.db.before-restore-")).collect();
    assert!(aside.len() == 2 && aside[1].ends_with("-wal"), "{all:?}");
    assert_eq!(Server::start_on(&data).count_records(), 3);
}

#[test]
fn a_log_that_stands_alone_is_moved_aside_too() {
    let (directory, data) = filled(3);
    let file = directory.path().join("b");
    backup(&data, &file);
    let mut server = Server::start_on(&data);
    for event in 100..110 {
        server.post_record(event, "later");
    }
    server.kill();
    let log = data.join("muster.db-wal");
    let bytes = std::fs::read(&log).unwrap();
    assert!(!bytes.is_empty());
    std::fs::remove_file(database(&data)).unwrap();
    let said = done(&["restore", word(&file), "--data", word(&data)]);
    assert!(said.contains("3 records") && said.contains("Moved"), "{said}");
    let aside = names(&data).into_iter().find(|name| name.contains(".before-restore-")).unwrap();
    assert!(aside.ends_with("-wal"), "{aside}");
    assert_eq!(std::fs::read(data.join(aside)).unwrap(), bytes);
    let mut server = Server::start_on(&data);
    assert_eq!(server.count_records(), 3);
    assert_eq!(server.stop(), Some(0));
    done(&["check", "--data", word(&data)]);
}

/// A backup with its bytes changed, without its checksum.
fn changed(directory: &Path, name: &str, bytes: Vec<u8>) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn damaged_foreign_and_newer_backups_are_refused_and_nothing_is_touched() {
    let (directory, data) = filled(300);
    let file = directory.path().join("b");
    backup(&data, &file);
    let whole = std::fs::read(&file).unwrap();
    let here = directory.path();
    let edit = |name: &str, at: usize, with: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        changed(here, name, bytes)
    };
    let root: i64 = query(&file, "SELECT rootpage FROM sqlite_schema WHERE name = 'records__severity'");
    let at = (root as usize - 1) * 4096;
    let mut cases = vec![
        (changed(here, "empty", Vec::new()), "not a database"),
        (changed(here, "text", b"hello".repeat(2_000)), "not a database"),
        (changed(here, "zeros", vec![0; 8192]), "not a database"),
        (changed(here, "cut", whole[..whole.len() / 2].to_vec()), "should have"),
        (changed(here, "page", whole[..whole.len() - 4096].to_vec()), "should have"),
        (changed(here, "longer", [whole.clone(), vec![0; 10]].concat()), "should have"),
        (edit("foreign", 68, b"note"), "another program"),
        (edit("newer", 60, &4711_u32.to_be_bytes()), "newer (schema 4711)"),
        (edit("zero", 60, &0_u32.to_be_bytes()), "no version"),
        (edit("index", at + 50, &[0xa5; 3_000]), "damaged"),
        (edit("schema", 110, &[0xa5; 900]), "refused"),
        (here.join("missing"), "Cannot read"),
        (here.to_owned(), "not a file"),
    ];
    for (name, sql) in [
        (
            "reference",
            "DELETE FROM payloads WHERE record_id = 1; PRAGMA foreign_keys = OFF; DELETE FROM records WHERE id = 2",
        ),
        ("other-table", "CREATE TABLE extra (x)"),
        ("no-table", "DROP TABLE quarantine"),
    ] {
        let path = changed(here, name, whole.clone());
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        cases.push((path, "refused"));
    }
    let wrong_sum = changed(here, "sum", whole.clone());
    std::fs::write(here.join("sum.sha256"), format!("{}  sum\n", "0".repeat(64))).unwrap();
    let no_sum = changed(here, "nosum", whole.clone());
    std::fs::write(here.join("nosum.sha256"), "rubbish").unwrap();
    let log = changed(here, "log", whole.clone());
    std::fs::write(here.join("log-wal"), "x").unwrap();
    cases.extend([(wrong_sum, "SHA-256"), (no_sum, "holds no SHA-256"), (log, "log-wal")]);

    let before = contents(&data);
    let new = here.join("new");
    for (path, says) in &cases {
        for target in [&data, &new] {
            let (code, said) = run(&["restore", word(path), "--force", "--data", word(target)]);
            assert!(code == 2 && said.contains(says), "{}: {code}: {said}", path.display());
            assert!(!said.contains("panic"), "{said}");
        }
        assert_eq!(contents(&data), before, "{}", path.display());
        assert!(!database(&new).exists());
    }
    let (code, said) = run(&["restore", word(&database(&data)), "--force", "--data", word(&data)]);
    assert!(code == 2 && said.contains("the database itself"), "{said}");
    done(&["restore", word(&file), "--force", "--data", word(&data)]);
}

#[test]
fn backups_of_every_version_are_restored_and_brought_up() {
    for version in 1..=muster::store::SCHEMA_VERSION {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("old");
        let frozen = format!("{}/tests/data/schema/v{version}.sql", env!("CARGO_MANIFEST_DIR"));
        Connection::open(&file).unwrap().execute_batch(&std::fs::read_to_string(frozen).unwrap()).unwrap();
        let log = directory.path().join("old-wal");
        assert!(!log.exists() || std::fs::metadata(log).unwrap().len() == 0);
        let data = directory.path().join("data");
        let said = done(&["restore", word(&file), "--data", word(&data)]);
        assert!(said.contains("3 records"), "{said}");
        let is_told = said.contains(&format!("up from schema {version}"));
        assert_eq!(is_told, version < muster::store::SCHEMA_VERSION, "{said}");
        let mut server = Server::start_on(&data);
        assert_eq!(server.count_records(), 3);
        server.post_record(1, "new");
        assert_eq!(server.stop(), Some(0));
        // The rows of a frozen file are made up: what is derived in them is not what their payloads give.
        done(&["check", "--repair", "--data", word(&data)]);
        let said = done(&["check", "--data", word(&data)]);
        assert!(said.contains("as it should be"), "{said}");
    }
}

#[test]
fn the_way_back_from_a_newer_database_is_named_and_works() {
    let (directory, data) = filled(4);
    let copy = data.join(format!("muster.db.before-upgrade-from-{}", muster::store::SCHEMA_VERSION));
    backup(&data, &directory.path().join("b"));
    std::fs::copy(directory.path().join("b"), &copy).unwrap();
    Connection::open(database(&data)).unwrap().execute_batch("PRAGMA user_version = 4711").unwrap();
    let (code, said) = run(&["check", "--data", word(&data)]);
    assert_eq!(code, 2, "{said}");
    let (_, command) = said.split_once("muster restore ").unwrap();
    let (command, _) = command.split_once(" (").unwrap();
    let said = Command::new("sh")
        .arg("-c")
        .arg(format!("{} restore {command}", env!("CARGO_BIN_EXE_muster")))
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(Server::start_on(&data).count_records(), 4);
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let (directory, data) = demo(20_000);
    let file = directory.path().join("b");
    backup(&data, &file);
    let other = directory.path().join("other");
    let mut server = Server::start_on(&other);
    server.post_record(1, "old");
    assert_eq!(server.stop(), Some(0));
    let (mut old, mut new) = (0, 0);
    for round in 0..14_u64 {
        let mut child = muster(&["restore", word(&file), "--force", "--data", word(&other)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 * (round + 1)));
        let _ = child.kill();
        child.wait().unwrap();
        let mut server = Server::start_on(&other);
        match server.count_records() {
            1 => old += 1,
            n => {
                assert!(n > 1, "{n}");
                new += 1;
            }
        }
        assert_eq!(server.stop(), Some(0));
        done(&["check", "--data", word(&other)]);
    }
    assert!(old > 0, "{old} {new}");
    done(&["restore", word(&file), "--force", "--data", word(&other)]);
    assert!(!names(&other).iter().any(|name| name.contains("part")), "{:?}", names(&other));
    assert_eq!(query::<i64>(&database(&other), "SELECT count(*) FROM records"), 20_000);
}
