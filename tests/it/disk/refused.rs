// SPDX-License-Identifier: Apache-2.0
//! Data directories that must not be used: exit status 2, a clear message, and every file as it was.

use super::small_disk::contents;
use crate::support::Server;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A directory as a server leaves it that was killed (with a log) or stopped (without).
fn used_directory(is_killed: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start_on(directory.path());
    for event in 0..200 {
        server.post_record(event, &format!("payload {event} {}", "x".repeat(2_000)));
    }
    if is_killed {
        server.kill();
    } else {
        assert_eq!(server.stop(), Some(0));
    }
    directory
}

/// Starts a server that must refuse; what it says, and its exit status.
fn refused_start(directory: &Path, wrapper: &[&str]) -> (Option<i32>, String) {
    let mut words: Vec<&str> = wrapper.to_vec();
    words.push(env!("CARGO_BIN_EXE_muster"));
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed().as_secs() > 30 {
            let _ = child.kill();
            panic!(
                "it did not refuse: {}",
                String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr)
            );
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The files that count: not the lock, which says who holds it, nor the index of the log, which is made anew.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let named = contents(directory)
        .into_iter()
        .map(|(path, bytes)| (path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
    named.filter(|(name, _)| name != "muster.lock" && !name.ends_with("-shm")).collect()
}

fn assert_refused(directory: &Path, says: &str) {
    let before = files(directory);
    for _ in 0..2 {
        let (code, log) = refused_start(directory, &[]);
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains(says) && log.contains("muster.db"), "{says:?} is not in: {log}");
        assert!(!log.contains("panic") && log.lines().count() < 10, "{log}");
        let after = files(directory);
        let names =
            |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{says}");
        for ((name, bytes), (_, now)) in before.iter().zip(&after) {
            assert!(bytes == now, "{says}: {name} has changed ({} bytes, now {})", bytes.len(), now.len());
        }
    }
}

#[test]
fn a_database_that_is_garbage_is_refused_untouched() {
    for garbage in
        [&b"this is not a database, but somebody's notes\n"[..], &[0; 8192], b"SQLite format 3\0", b"x"]
    {
        for is_killed in [false, true] {
            let directory = used_directory(is_killed);
            std::fs::write(directory.path().join("muster.db"), garbage).unwrap();
            assert_refused(directory.path(), "refused and left untouched");
        }
    }
}

#[test]
fn a_database_that_is_cut_short_or_overwritten_in_its_midst_is_refused_untouched() {
    let directory = used_directory(false);
    let path = directory.path().join("muster.db");
    let whole = std::fs::read(&path).unwrap();
    for length in [50, 100, 4096, whole.len() / 2, whole.len() - 4096] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_refused(directory.path(), "refused and left untouched");
    }
    // The page of the tables' definitions.
    let mut broken = whole.clone();
    broken[100..4096].fill(0xa5);
    std::fs::write(&path, &broken).unwrap();
    assert_refused(directory.path(), "refused and left untouched");
    // Restored, it starts, and all is there.
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(Server::start_on(directory.path()).count_records(), 200);
}

/// Runs SQL on a database and leaves what it changed in the log.
fn change(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("muster.db")).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_refused_untouched_also_where_only_the_log_says_so() {
    for is_killed in [false, true] {
        let directory = used_directory(is_killed);
        change(directory.path(), "PRAGMA user_version = 4711");
        assert!(std::fs::metadata(directory.path().join("muster.db-wal")).unwrap().len() > 0);
        assert_refused(directory.path(), "newer (schema 4711)");
        let connection = Connection::open(directory.path().join("muster.db")).unwrap();
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        assert_refused(directory.path(), "newer (schema 4711)");
    }
}

#[test]
fn a_database_of_another_program_or_with_other_tables_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    change(directory.path(), "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')");
    assert_refused(directory.path(), "another program");
    for sql in ["DROP TABLE payloads", "ALTER TABLE records ADD COLUMN mood TEXT", "CREATE TABLE extra (x)"] {
        let directory = used_directory(false);
        change(directory.path(), sql);
        assert_refused(directory.path(), "refused and left untouched");
    }
}

/// True where a test as root can act as somebody else.
fn as_nobody() -> Option<[&'static str; 4]> {
    rustix::process::geteuid().is_root().then_some([
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ])
}

#[test]
fn a_directory_that_cannot_be_used_is_named_and_left_as_it_is() {
    let directory = used_directory(false);
    let wrapper = as_nobody();
    let wrapper = wrapper.as_ref().map_or(&[][..], |words| &words[..]);
    let program = env!("CARGO_BIN_EXE_muster");
    let before = contents(directory.path());
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    let can_run = wrapper.is_empty()
        || Command::new(wrapper[0])
            .args(&wrapper[1..])
            .args([program, "--version"])
            .output()
            .unwrap()
            .status
            .success();
    assert!(can_run, "{program} cannot be run by others than root");
    let (code, log) = refused_start(directory.path(), wrapper);
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains(&directory.path().display().to_string()), "{log}");
    assert_eq!(contents(directory.path()), before);

    let file = directory.path().join("a file");
    std::fs::write(&file, "x").unwrap();
    let (code, log) = refused_start(&file, &[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("a file") && log.contains("not a directory"), "{log}");
    let (code, log) = refused_start(&file.join("below"), &[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("a file/below"), "{log}");

    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("muster.db")).unwrap();
    let (code, log) = refused_start(directory.path(), &[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("muster.db"), "{log}");
}

#[test]
fn a_second_server_says_who_has_the_directory() {
    let server = Server::start();
    let (code, log) = refused_start(&server.data_dir, &[]);
    assert!(matches!(code, Some(1 | 2)), "{code:?}: {log}");
    assert!(log.contains("in use by muster serve") && log.contains(&server.pid().to_string()), "{log}");
    server.post_record(1, "the first goes on");
}
