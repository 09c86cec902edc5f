// SPDX-License-Identifier: Apache-2.0
//! Retention of the fleet: rows and files of what is over, agents that are gone.

use crate::support::fleet::FleetFile;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

fn command(file: &FleetFile, words: &[&str]) -> Command {
    let config = file.data_dir().with_extension("toml");
    std::fs::write(&config, "[retention]\ndays = 0\nfleet_days = 30\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("purge").args(words).arg("--data").arg(file.data_dir()).arg("--config").arg(&config);
    command
}

fn purge(file: &FleetFile, words: &[&str]) -> String {
    let output = command(file, words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const COUNTERS: [&str; 7] = ["prepared", "sent", "success", "failed", "timeout", "cancelled", "expired"];

fn assert_counters_are_exact(file: &FleetFile) {
    for (counter, status) in COUNTERS.iter().zip(1..) {
        let sql = format!(
            "SELECT count(*) FROM actions a WHERE {counter} <>
             (SELECT count(*) FROM commands c WHERE c.action_id = a.id AND c.status = {status})"
        );
        assert_eq!(file.count(&sql), 0, "{counter}");
    }
    assert_eq!(file.count("SELECT count(*) FROM pragma_foreign_key_check()"), 0);
}

/// Writes a file for each command that is over, as the spool keeps it; the ids and the files.
fn write_answers(file: &FleetFile) -> Vec<(i64, PathBuf)> {
    let directory = file.data_dir().join("spool/command/done");
    std::fs::create_dir_all(&directory).unwrap();
    let connection = file.database();
    let mut statement = connection.prepare("SELECT action_id, id FROM commands WHERE status > 2").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
    rows.map(|row| {
        let (action_id, id) = row.unwrap();
        let path = directory.join(format!("{action_id}-{id}.json"));
        std::fs::write(&path, "{}").unwrap();
        (id, path)
    })
    .collect()
}

/// A file of each command that is there, and none of those that are gone.
fn assert_answers_follow(file: &FleetFile, answered: &[(i64, PathBuf)]) {
    for (id, path) in answered {
        let is_there = file.count(&format!("SELECT count(*) FROM commands WHERE id = {id}")) == 1;
        assert_eq!(path.exists(), is_there, "{}", path.display());
    }
}

#[test]
fn a_purge_that_is_killed_leaves_exact_counters_and_the_next_one_goes_on() {
    let file = FleetFile::new(300);
    file.database()
        .execute_batch(
            "UPDATE actions SET created_at = created_at - 8640000, started_at = started_at - 8640000,
               finished_at = finished_at - 8640000;
             UPDATE commands SET prepared_at = prepared_at - 8640000, finished_at = finished_at - 8640000",
        )
        .unwrap();
    let answered = write_answers(&file);
    let n_commands = || file.count("SELECT count(*) FROM commands WHERE status > 2");
    let over = "SELECT count(*) FROM actions WHERE status >= 5 AND prepared = 0 AND sent = 0";
    let mut n_cut = 0;
    for _ in 0..3 {
        let before = n_commands();
        let mut child = command(&file, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while n_commands() == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _ = child.kill();
        child.wait().unwrap();
        n_cut += i64::from(file.count(over) > 0);
        assert_counters_are_exact(&file);
        let noted = "SELECT coalesce(sum(json_extract(after, '$.commands')), 0) FROM audit
            WHERE action = 'fleet.purge'";
        assert_eq!(file.count(noted) + n_commands(), answered.len() as i64);
    }
    assert!(n_cut > 0, "no purge was cut off in the middle");
    purge(&file, &[]);
    assert_eq!(file.count(over), 0);
    assert_counters_are_exact(&file);
    // Files that a kill left are found to be too many.
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["check", "--repair", "--data"])
        .arg(file.data_dir())
        .output()
        .unwrap();
    assert!(output.status.code().is_some(), "{output:?}");
    assert_answers_follow(&file, &answered);
}

#[test]
fn what_is_over_goes_with_its_files_and_what_is_open_stays() {
    let file = FleetFile::new(60);
    assert!(file.count("SELECT count(*) FROM actions WHERE status >= 5") > 2);
    let newest = file.count("SELECT max(id) FROM actions");
    // Everything but one action lies a hundred days back.
    let connection = file.database();
    let kept = file.count("SELECT max(id) FROM actions WHERE status >= 5");
    for sql in [
        "UPDATE actions SET created_at = created_at - 8640000, started_at = started_at - 8640000,
           finished_at = finished_at - 8640000 WHERE id <> ?1",
        "UPDATE commands SET prepared_at = prepared_at - 8640000, finished_at = finished_at - 8640000
           WHERE action_id <> ?1",
        "UPDATE agent_states SET heartbeat_at = heartbeat_at - 8640000 WHERE agent_id % 3 = 0 AND ?1",
        "UPDATE endpoints SET key_digest = NULL, may_bind = 0 WHERE id % 2 = 0 AND ?1",
    ] {
        connection.execute(sql, [kept]).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts)
             VALUES ('q', 'p', 'r', 1, 2, 3), ('q', 'p', 's', 1, unixepoch(), 3)",
        )
        .unwrap();
    assert_counters_are_exact(&file);
    let over = "SELECT count(*) FROM actions WHERE status >= 5 AND finished_at < unixepoch() - 2592000";
    let (n_over, n_open) = (file.count(over), file.count("SELECT count(*) FROM actions WHERE status < 5"));
    let n_commands = file.count(
        "SELECT count(*) FROM commands WHERE action_id IN
           (SELECT id FROM actions WHERE status >= 5 AND finished_at < unixepoch() - 2592000)",
    );
    assert!(n_over > 1 && n_commands > 0);
    let sql = "SELECT min(id) FROM actions WHERE status >= 5 AND finished_at < unixepoch() - 2592000";
    let name = format!("{}.json", file.count(sql));
    let spooled = file.data_dir().join("spool/action/done").join(name);
    std::fs::create_dir_all(spooled.parent().unwrap()).unwrap();
    std::fs::write(&spooled, "{}").unwrap();
    let answered = write_answers(&file);
    assert!(answered.len() as i64 >= n_commands, "{} {n_commands}", answered.len());

    let told = purge(&file, &["--dry-run"]);
    assert!(told.contains(&format!("Would remove {n_over} actions, {n_commands} commands, ")), "{told}");
    assert_eq!(file.count(over), n_over);
    let told = purge(&file, &[]);
    assert!(told.contains(&format!("Removed {n_over} actions, {n_commands} commands, ")), "{told}");
    assert!(!spooled.exists());
    assert_answers_follow(&file, &answered);
    assert_eq!(file.count(over), 0);
    assert_eq!(file.count("SELECT count(*) FROM actions WHERE status < 5"), n_open);
    assert_eq!(file.count(&format!("SELECT count(*) FROM actions WHERE id = {kept}")), 1);
    assert_counters_are_exact(&file);
    // Silent agents stay only where a command of theirs does.
    let silent = "SELECT count(*) FROM agent_states s WHERE heartbeat_at < unixepoch() - 2592000
        AND agent_id NOT IN (SELECT agent_id FROM commands)";
    assert_eq!(file.count(silent), 0);
    assert!(file.count("SELECT count(*) FROM agents") > 20);
    let empty = "SELECT count(*) FROM endpoints WHERE key_digest IS NULL AND may_bind = 0
        AND id NOT IN (SELECT endpoint_id FROM agents)";
    assert_eq!(file.count(empty), 0);
    assert_eq!(file.count("SELECT count(*) FROM enrolment_refusals WHERE last_at < 1000"), 0);
    assert_eq!(file.count("SELECT count(*) FROM audit WHERE action = 'fleet.purge'"), 1);
    // The numbers of actions are never used again.
    assert_eq!(file.count("SELECT seq FROM sqlite_sequence WHERE name = 'actions'"), newest);
}
