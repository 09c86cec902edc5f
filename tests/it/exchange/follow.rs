// SPDX-License-Identifier: Apache-2.0
//! `muster export --follow`: every record at least once, whoever is killed.

use super::{command, count, done, fill, muster, plain, stderr};
use crate::support::{Server, record_fields};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn post(server: &Server, events: std::ops::Range<u64>) {
    let mut connection = crate::support::Connection::open(server.address).unwrap();
    for event in events {
        let answer = connection.request("POST", "/", &record_fields(event), b"x").unwrap();
        assert_eq!(answer.status, 201);
    }
}

/// Event ids in a file of NDJSON, with how often each came; a line that a kill cut in two is left out.
fn events(file: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
        if let Ok(row) = serde_json::from_str::<serde_json::Value>(line) {
            *found.entry(row["event_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    found
}

fn wait_for(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < until, "it did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn stop(mut child: Child) -> Option<i32> {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn what_is_stored_comes_out_also_after_kills_and_while_the_server_rests() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let out = directory.path().join("out");
    let start = || {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&out).unwrap();
        command(&data, &["export", "--follow", "sink", "--from-start"])
            .stdout(Stdio::from(file))
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let server = Server::start_on(&data);
    post(&server, 0..30);
    let mut follower = start();
    wait_for(|| events(&out).len() == 30);
    post(&server, 30..60);
    follower.kill().unwrap();
    follower.wait().unwrap();
    post(&server, 60..90);
    let follower = start();
    wait_for(|| events(&out).len() == 90);
    drop(server);
    let server = Server::start_on(&data);
    post(&server, 90..100);
    wait_for(|| events(&out).len() == 100);
    assert_eq!(stop(follower), Some(0));
    // A stop in order leaves the cursor at the end: nothing comes twice.
    let told = done(&muster(&data, &["export", "--follow", "sink", "--once"]));
    assert_eq!(told, "");
    assert!(done(&muster(&data, &["export", "--cursors"])).contains("sink: behind record 100 since"));
}

#[test]
fn a_command_that_fails_gets_its_batch_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(2500));
    let out = directory.path().join("out");
    let append = format!("cat >> '{}'", out.display());
    let batch = |to: &str| {
        muster(&data, &["export", "--follow=a.b-c", "--from-start", "--once", "--batch=1000", "--to", to])
    };
    for failing in ["head -n 3 >/dev/null; exit 3", "kill -9 $$", &format!("{append}; false")] {
        let output = batch(failing);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("its records come again"), "{}", stderr(&output));
        assert_eq!(count(&data, "SELECT record_id FROM export_cursors"), 0);
    }
    // The end of a pipeline knows nothing of its beginning.
    let output = batch("head -c 10 | cat >/dev/null");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("has not read all of its records"), "{}", stderr(&output));
    assert_eq!(count(&data, "SELECT record_id FROM export_cursors"), 0);
    std::fs::remove_file(&out).unwrap();
    assert!(batch(&append).status.success());
    let found = events(&out);
    assert_eq!(found.len(), 2500);
    assert!(found.values().all(|times| *times == 1));
    assert!(batch("exit 9").status.success(), "without news no command is run");
}

#[test]
fn cursors_are_made_listed_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(10));
    assert!(done(&muster(&data, &["export", "--cursors"])).contains("no export cursors"));
    assert_eq!(done(&muster(&data, &["export", "--follow", "n", "--once"])), "", "it begins with what comes");
    fill(&data, &plain(12)[10..]);
    let csv = done(&muster(
        &data,
        &["export", "--follow", "n", "--once", "--format", "csv", "--filter", "severity=4"],
    ));
    assert_eq!(csv.split("\r\n").count(), 3, "{csv}");
    for bad in ["", "a/b", "../x", "a b", "\u{1b}"] {
        assert_eq!(muster(&data, &["export", "--follow", bad]).status.code(), Some(2), "{bad}");
    }
    for words in [
        &["export", "--once"][..],
        &["export", "--follow", "n", "--output", "x"],
        &["export", "--follow", "n", "--cursors"],
        &["export", "--follow", "n", "--batch", "0"],
        &["export", "--follow", "n", "--from-now", "--from-start"],
        &["export", "--format", "xml"],
        &["export", "--forget", "nobody"],
    ] {
        assert_eq!(muster(&data, words).status.code(), Some(2), "{words:?}");
    }
    done(&muster(&data, &["export", "--forget", "n"]));
    assert_eq!(count(&data, "SELECT count(*) FROM export_cursors"), 0);
    assert_eq!(
        count(
            &data,
            "SELECT count(*) FROM audit WHERE action IN ('export_cursor.add', 'export_cursor.forget')"
        ),
        2
    );
}

#[test]
fn records_that_were_deleted_before_are_passed_over_and_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(10));
    done(&muster(&data, &["export", "--follow", "n", "--from-start", "--once"]));
    fill(&data, &plain(20)[10..]);
    let connection = crate::store::database(&data);
    connection.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM payloads WHERE record_id BETWEEN 12 AND 14; DELETE FROM records WHERE id BETWEEN 12 AND 14").unwrap();
    drop(connection);
    let output = muster(&data, &["export", "--follow", "n", "--once"]);
    assert_eq!(done(&output).lines().count(), 7);
    assert!(
        stderr(&output).contains("3 records up to 20 were deleted before n could be given them"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn two_that_use_one_cursor_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::start_on(&data);
    let follow = || {
        command(&data, &["export", "--follow", "n"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = [follow(), follow()];
    wait_for(|| count(&data, "SELECT count(*) FROM export_cursors") == 1);
    // Both have begun once each has looked twice.
    std::thread::sleep(Duration::from_millis(1500));
    post(&server, 0..5);
    let ended = children.map(|mut child| {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        child.try_wait().unwrap().map(|status| status.code()).unwrap_or_else(|| {
            child.kill().unwrap();
            child.wait().unwrap();
            None
        })
    });
    assert_eq!(ended.iter().filter(|code| **code == Some(1)).count(), 1, "{ended:?}");
}

#[test]
fn damage_in_one_record_does_not_keep_the_others_back() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(1200));
    let connection = crate::store::database(&data);
    let damage = "UPDATE payloads SET payload = x'ffff' WHERE record_id IN (2, 500, 1200)";
    assert_eq!(connection.execute(damage, []).unwrap(), 3);
    drop(connection);
    for (words, code) in
        [(&["export"][..], 1), (&["export", "--follow", "n", "--from-start", "--once", "--to", "cat"], 0)]
    {
        let output = muster(&data, words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1197, "{words:?}");
        for id in [2, 500, 1200] {
            assert!(stderr(&output).contains(&format!("Record {id} is damaged")), "{}", stderr(&output));
        }
        assert!(!stderr(&output).contains("were deleted"), "{}", stderr(&output));
    }
    assert_eq!(count(&data, "SELECT record_id FROM export_cursors"), 1200);
}
