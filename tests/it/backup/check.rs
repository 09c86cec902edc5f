// SPDX-License-Identifier: Apache-2.0
//! Differences that are planted, found and mended.

use super::{backup, database, demo, done, filled, query, run, word};
use crate::support::Server;
use rusqlite::Connection;
use std::path::Path;

fn plant(data: &Path, sql: &str) {
    let connection = Connection::open(database(data)).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[test]
fn every_planted_difference_is_found_and_mended() {
    let (_directory, data) = demo(2_000);
    assert!(done(&["check", "--data", word(&data)]).contains("as it should be"));
    // Writes the spool too.
    done(&["check", "--repair", "--data", word(&data)]);
    assert!(done(&["check", "--data", word(&data)]).contains("as it should be"));
    let planted = [
        ("UPDATE classifications SET records = records + 1 WHERE id = 1", "by classification"),
        ("UPDATE builds SET records = 0", "by build"),
        ("UPDATE profiles SET records = records - 1 WHERE id = 2", "by profile"),
        ("UPDATE severities SET records = 7 WHERE severity = 1", "by severity"),
        ("UPDATE sources SET records = records + 3", "by source"),
        (
            "DELETE FROM crash_days WHERE received_day = (SELECT min(received_day) FROM crash_days)",
            "crashes by day",
        ),
        ("UPDATE crash_totals SET crashes = crashes + 1", "crashes by guilty"),
        ("INSERT INTO crash_builds VALUES (1, 9999, 5)", "crashes by build"),
        (
            "UPDATE backtraces SET newest_record_id = 0 WHERE id = (SELECT max(id) FROM backtraces)",
            "crashes by backtrace",
        ),
        ("DELETE FROM crashes WHERE record_id = (SELECT max(record_id) FROM crashes)", "crashes: "),
        ("UPDATE backtraces SET guilty_id = NULL WHERE guilty_id IS NOT NULL", "guilties"),
        (
            "UPDATE functions SET backtraces = backtraces + 1 WHERE id = (SELECT min(id) FROM functions)",
            "backtraces by function",
        ),
        (
            "DELETE FROM machine_check_weeks WHERE week = (SELECT max(week) FROM machine_check_weeks)",
            "weeks of machine checks",
        ),
        ("UPDATE machine_check_statuses SET records = records + 1", "machine checks by status"),
        ("UPDATE heartbeats SET records = records + 1", "heartbeats"),
        ("UPDATE population SET machines = machines + 1", "last heartbeat"),
        ("UPDATE actions SET success = success + 1 WHERE id = 1", "commands by action"),
        (
            "UPDATE agent_states SET is_destroyed = 1 - is_destroyed WHERE agent_id = 2",
            "2 states that are not",
        ),
        ("INSERT INTO agent_states VALUES (999, 999, 1, 1, 1, 1, 1, 1, 0)", "2 states that are not"),
        ("UPDATE records SET received_at = received_at - 500000 WHERE id = 2000", "1 records that are older"),
        ("DROP INDEX records__severity; DROP INDEX agents__endpoint_id_pid", "index is missing"),
    ];
    // Each alone would be two runs more; one that is not found is missing in what is said of all.
    for few in [&planted[..10], &planted[10..15], &planted[15..20], &planted[20..]] {
        few.iter().for_each(|(sql, _)| plant(&data, sql));
        let (code, said) = run(&["check", "--data", word(&data)]);
        assert!(code == 1 && said.contains("--repair"), "{code}: {said}");
        let mended = done(&["check", "--repair", "--data", word(&data)]);
        assert!(mended.contains("as it should be"), "{mended}");
        for (sql, says) in few {
            assert!(said.contains(says) && mended.contains(says), "{sql}: {said}{mended}");
        }
        let said = done(&["check", "--data", word(&data)]);
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let audited: i64 = query(&database(&data), "SELECT count(*) FROM audit WHERE action = 'check.repair'");
    assert!(audited >= 4, "{audited}");
}

#[test]
fn a_spool_that_differs_is_found_and_mended() {
    let (_directory, data) = demo(2_000);
    done(&["check", "--repair", "--data", word(&data)]);
    let done_dir = data.join("spool/action/done");
    let file = std::fs::read_dir(&done_dir).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&file).unwrap();
    let (code, said) = run(&["check", "--data", word(&data)]);
    assert!(code == 1 && said.contains("spool: action/done"), "{said}");
    assert!(done(&["check", "--repair", "--data", word(&data)]).contains("(mended)"));
    assert!(file.exists());
    done(&["check", "--data", word(&data)]);
    assert_eq!(query::<i64>(&database(&data), "SELECT count(*) FROM audit WHERE subject = 'spool'"), 2);
}

#[test]
fn what_cannot_be_mended_is_told_with_the_way_back() {
    let (directory, data) = filled(300);
    let file = directory.path().join("b");
    backup(&data, &file);
    plant(&data, "DELETE FROM payloads WHERE record_id = 7");
    for words in [&["check"][..], &["check", "--repair"]] {
        let mut words = words.to_vec();
        words.extend(["--data", word(&data)]);
        let (code, said) = run(&words);
        assert!(
            code == 2 && said.contains("without a payload") && said.contains("muster restore FILE"),
            "{said}"
        );
    }
    // A page of the records is overwritten.
    let root: i64 =
        query(&database(&data), "SELECT rootpage FROM sqlite_schema WHERE name = 'records__build_id'");
    let mut bytes = std::fs::read(database(&data)).unwrap();
    let at = (root as usize - 1) * 4096;
    bytes[at + 20..at + 4_000].fill(0x77);
    std::fs::write(database(&data), bytes).unwrap();
    let (code, said) = run(&["check", "--data", word(&data)]);
    assert!(code == 2 && said.contains("muster restore FILE"), "{code}: {said}");
    done(&["restore", "--force", word(&file), "--data", word(&data)]);
    done(&["check", "--data", word(&data)]);
}

#[test]
fn a_check_goes_beside_a_server_and_mending_does_not() {
    let server = Server::start();
    std::thread::scope(|scope| {
        let posts = scope.spawn(|| {
            for event in 0..200 {
                server.post_record(event, "x");
            }
        });
        while !posts.is_finished() {
            done(&["check", "--data", word(&server.data_dir)]);
        }
    });
    let (code, said) = run(&["check", "--repair", "--data", word(&server.data_dir)]);
    assert!(code == 1 && said.contains("in use by muster serve"), "{said}");
}

#[test]
fn a_payload_that_cannot_be_unpacked_is_found() {
    let (_directory, data) = demo(2_000);
    plant(&data, "UPDATE payloads SET payload = x'00112233' WHERE record_id IN (7, 9)");
    let (code, said) = run(&["check", "--data", word(&data)]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("payloads: 2 cannot be read, that of record 7 first"), "{said}");
    assert!(said.contains("restore a backup"), "{said}");
}
