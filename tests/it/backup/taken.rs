// SPDX-License-Identifier: Apache-2.0
//! Backups while others write, their names, their refusals, and what is left of one that is cut off.

use super::{backup, database, demo, done, filled, muster, names, query, run, word};
use crate::disk::small_disk::SmallDisk;
use crate::support::server::Options;
use crate::support::{Server, record_fields};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_and_posts_go_on() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let (is_over, newest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (server, is_over, newest) = (&server, &is_over, &newest);
            scope.spawn(move || {
                let mut connection = server.connect();
                let mut event = thread << 32;
                while !is_over.load(Ordering::SeqCst) {
                    event += 1;
                    let answer =
                        connection.request("POST", "/", &record_fields(event), &[b'x'; 700]).unwrap();
                    assert_eq!(answer.status, 201);
                    newest.fetch_max(answer.json()["id"].as_u64().unwrap(), Ordering::SeqCst);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        for round in 0..3 {
            let before = newest.load(Ordering::SeqCst);
            assert!(before > 0);
            let file = directory.path().join(format!("{round}.backup"));
            backup(&server.data_dir, &file);
            let after = newest.load(Ordering::SeqCst);
            let max: i64 = query(&file, "SELECT max(id) FROM records");
            let count: i64 = query(&file, "SELECT count(*) FROM records JOIN payloads ON record_id = id");
            assert_eq!(max, count);
            assert!(count as u64 >= before && after > before, "{before} {count} {after}");
            assert_eq!(query::<String>(&file, "PRAGMA integrity_check"), "ok");
            assert_eq!(query::<String>(&file, "PRAGMA journal_mode"), "delete");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let sum =
        Command::new("sha256sum").args(["-c", "0.backup.sha256"]).current_dir(directory.path()).output();
    if let Ok(output) = sum {
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(names(directory.path()).len(), 6, "{:?}", names(directory.path()));
    // The log is emptied once nobody reads for long any more.
    for event in 0..50 {
        server.post_record((9 << 32) + event, "more");
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = std::fs::metadata(server.data_dir.join("muster.db-wal")).unwrap().len();
    assert!(log < 64 << 20, "{log}");
}

#[test]
fn nobody_is_logged_in_in_a_backup_and_accounts_stay() {
    let (directory, data) = filled(1);
    Connection::open(database(&data))
        .unwrap()
        .execute_batch(
            "INSERT INTO accounts (name, role, created_at, modified_at) VALUES ('alice', 3, 1, 1);
             INSERT INTO sessions VALUES (x'DEADBEEFCAFE0123456789DEADBEEFCAFE', 1, 1, 9999999999, '10.0.0.1', 'Mozilla')",
        )
        .unwrap();
    let file = directory.path().join("b");
    backup(&data, &file);
    assert_eq!(query::<i64>(&file, "SELECT count(*) FROM sessions"), 0);
    assert_eq!(query::<i64>(&file, "SELECT count(*) FROM accounts"), 1);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|six| six == b"\xde\xad\xbe\xef\xca\xfe"), "its digest is still there");
    assert_eq!(query::<i64>(&database(&data), "SELECT count(*) FROM sessions"), 1);
}

#[test]
fn names_in_a_directory_are_made_of_the_time_and_only_the_newest_stay() {
    let (directory, data) = filled(2);
    let backups = directory.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    for name in [
        "muster-20200101-000000.backup",
        "muster-20200101-000000.backup.sha256",
        "muster-20210101-000000.backup",
        "muster-by-hand.backup",
        "muster-20220101-000000.backup.muster-part",
        "muster-20220101-000000.backup.muster-part-journal",
        "notes",
    ] {
        std::fs::write(backups.join(name), "x").unwrap();
    }
    let said = done(&["backup", "--data", word(&data), "--keep", "2", word(&backups)]);
    assert!(
        said.contains("2 records") && said.contains("Removed") && said.contains("muster-20200101"),
        "{said}"
    );
    let left = names(&backups);
    assert_eq!(left.len(), 5, "{left:?}");
    assert_eq!(left[0], "muster-20210101-000000.backup");
    assert!(left[1].starts_with("muster-20") && left[2] == format!("{}.sha256", left[1]), "{left:?}");
    assert_eq!(left[3..], ["muster-by-hand.backup", "notes"]);
}

#[test]
fn the_one_just_made_stays_whatever_the_others_are_called() {
    let (directory, data) = filled(2);
    let backups = directory.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    for year in [2998, 2999] {
        std::fs::write(backups.join(format!("muster-{year}0101-000000.backup")), "x").unwrap();
    }
    let said = done(&["backup", "--data", word(&data), "--keep", "2", word(&backups)]);
    assert!(said.contains("Removed") && said.contains("muster-29980101"), "{said}");
    let left = names(&backups);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left[0].starts_with("muster-20") && left[1] == format!("{}.sha256", left[0]), "{left:?}");
    assert_eq!(left[2], "muster-29990101-000000.backup");
}

#[test]
fn a_backup_and_a_check_are_told_by_doctor_and_metrics() {
    let (directory, data) = filled(1);
    let told = |about: &str| {
        let (_, said) = run(&["doctor", "--data", word(&data)]);
        said.lines().find(|line| line.contains(about)).unwrap().to_owned()
    };
    assert!(told("backups:").contains("none was made"));
    backup(&data, &directory.path().join("b"));
    assert!(told("backups:").starts_with("ok    backups: the newest was made"), "{}", told("backups:"));
    assert!(told("integrity:").contains("not yet"));
    done(&["check", "--data", word(&data)]);
    assert!(told("integrity:").contains("no damage was found"), "{}", told("integrity:"));
    // Also beside a server.
    let server = Server::start();
    let figure = || {
        let text = server.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with("muster_backup_timestamp_seconds "));
        line.map(|line| line.split(' ').nth(1).unwrap().parse::<f64>().unwrap())
    };
    assert_eq!(figure(), None);
    backup(&server.data_dir, &directory.path().join("c"));
    let now = muster::clock::Clock::system().now() as f64;
    assert!(figure().is_some_and(|at| at > now - 100.0 && at <= now), "{:?}", figure());
    assert_eq!(server.post_record(1, "after"), 1);
}

#[test]
fn a_backup_to_the_disk_of_the_database_leaves_the_reserve() {
    let disk = SmallDisk::mount(64 << 20);
    let server = Server::start_with(Options {
        data_dir: Some(disk.path()),
        wrapper: disk.wrapper(),
        ..Options::default()
    });
    server.post_record(1, "x");
    let words = [word(&disk.path().join("b")).to_owned(), "--data".to_owned(), word(&disk.path()).to_owned()];
    let back_up = || {
        let wrapper = disk.wrapper();
        let mut command = Command::new(&wrapper[0]);
        command.args(&wrapper[1..]).arg(env!("CARGO_BIN_EXE_muster")).arg("backup").args(&words);
        let output = command.env_remove("STATE_DIRECTORY").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Enough for the copy, and the reserve of a tenth is not.
    disk.fill_until("filler", 22 << 20);
    let (code, said) = back_up();
    assert!(code == 1 && said.contains("free some space"), "{code}: {said}");
    server.post_record(2, "x");
    disk.free("filler");
    let (code, said) = back_up();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn targets_that_must_not_be_written_are_refused() {
    let (directory, data) = filled(1);
    let file = directory.path().join("there");
    std::fs::write(&file, "mine").unwrap();
    let missing = directory.path().join("missing/x");
    let in_data = data.join("copy.db");
    let odd = directory.path().join("a\nb");
    for (words, says) in [
        (vec![word(&file)], "add --force"),
        (vec![word(&missing)], "missing"),
        (vec![word(&in_data)], "taken for a database"),
        (vec![word(&database(&data)), "--force"], "taken for a database"),
        (vec![word(&odd)], "control characters"),
        (vec!["/dev/stdout", "--force"], "is not a file"),
        (vec![word(&file), "--keep", "3"], "needs a directory"),
        (vec![word(directory.path()), "--keep", "0"], "at least 1"),
    ] {
        let mut all = vec!["backup", "--data", word(&data)];
        all.extend(words);
        let (code, said) = run(&all);
        assert!(code == 2 && said.contains(says), "{all:?}: {code}: {said}");
    }
    let (code, said) = run(&["backup", "--data", word(directory.path()), word(&file)]);
    assert!(code == 2 && said.contains("There is no database"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    done(&["backup", "--data", word(&data), "--force", word(&file)]);
    assert_eq!(query::<i64>(&file, "SELECT count(*) FROM records"), 1);
    assert_eq!(
        names(directory.path()),
        ["data", "data.toml", "there", "there.sha256"]
            .iter()
            .filter(|n| directory.path().join(n).exists())
            .copied()
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_backup_that_is_stopped_or_killed_leaves_nothing_that_looks_like_one() {
    let (directory, data) = demo(30_000);
    let backups = directory.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    let target = backups.join("b");
    let mut finished = 0;
    for (round, signal) in ["INT", "KILL"].iter().cycle().take(10).enumerate() {
        let mut child = muster(&["backup", "--data", word(&data), word(&target)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(30 * (round as u64 / 2 + 1)));
        let _ = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
        let status = child.wait().unwrap();
        if target.exists() {
            finished += 1;
            assert_eq!(query::<String>(&target, "PRAGMA integrity_check"), "ok");
            std::fs::remove_file(&target).unwrap();
            let _ = std::fs::remove_file(backups.join("b.sha256"));
        } else if *signal == "INT" && status.code().is_some() {
            assert_eq!(names(&backups), Vec::<String>::new(), "round {round}");
        }
    }
    assert!(finished < 10, "none was cut off");
    backup(&data, &target);
    assert_eq!(names(&backups), ["b", "b.sha256"]);
}

#[test]
fn a_damaged_database_gives_no_backup() {
    let (directory, data) = filled(300);
    let path = database(&data);
    let pages: i64 = query(&path, "SELECT rootpage FROM sqlite_schema WHERE name = 'records__severity'");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (pages as usize - 1) * 4096;
    bytes[at + 100..at + 3_000].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let target = directory.path().join("b");
    let (code, said) = run(&["backup", "--data", word(&data), word(&target)]);
    assert!(code == 2 && !target.exists(), "{code}: {said}");
}
