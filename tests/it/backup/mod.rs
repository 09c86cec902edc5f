// SPDX-License-Identifier: Apache-2.0
//! Backup, restore and check, by the real binary on real files.

mod check;
mod restore;
mod taken;
mod upgrade;

use crate::support::Server;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program with these words.
fn muster(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(words).env_remove("STATE_DIRECTORY").stdin(Stdio::null());
    command
}

/// Exit status, and everything that it said.
fn run(words: &[&str]) -> (i32, String) {
    let output = muster(words).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

/// What a run that must be well said.
fn done(words: &[&str]) -> String {
    let (code, said) = run(words);
    assert_eq!(code, 0, "{words:?}: {said}");
    said
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Backs `data` up to `file`, which must be well.
fn backup(data: &Path, file: &Path) -> String {
    done(&["backup", "--data", word(data), word(file)])
}

/// A data directory with so many records, whose server has stopped.
fn filled(records: u64) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut server = Server::start_on(&data);
    for event in 0..records {
        server.post_record(event, &format!("payload {event}"));
    }
    assert_eq!(server.stop(), Some(0));
    (directory, data)
}

/// A small demo: records of all classes, agents, actions.
fn demo(records: u64) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    done(&["demo", "--data", word(&data), "--records", &records.to_string(), "--machines", "200"]);
    (directory, data)
}

fn query<T: rusqlite::types::FromSql>(file: &Path, sql: &str) -> T {
    Connection::open(file).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn database(data: &Path) -> PathBuf {
    data.join("muster.db")
}

/// Names of the files of a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
