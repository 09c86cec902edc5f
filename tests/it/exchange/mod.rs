// SPDX-License-Identifier: Apache-2.0
//! `muster export` and `muster import`: nothing lost, nothing twice, whatever happens on the way.

mod follow;
mod live;
mod original;
mod property;
mod rejects;
mod round_trip;

use crate::store::{NOW, options, record};
use muster::clock::Clock;
use muster::model::record::NewRecord;
use muster::store::Store;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with these arguments, `--data` last.
pub fn muster(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

pub fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).arg("--data").arg(data).env_remove("STATE_DIRECTORY").stdin(Stdio::null());
    command
}

/// What it printed; it must have ended with 0.
pub fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every record in NDJSON.
pub fn exported(data: &Path) -> Vec<Value> {
    done(&muster(data, &["export"])).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same without ids, in order of the text: what must be equal after an import.
pub fn contents(data: &Path) -> Vec<String> {
    let mut rows: Vec<String> = exported(data)
        .into_iter()
        .map(|mut row| {
            row.as_object_mut().unwrap().remove("id");
            row.to_string()
        })
        .collect();
    rows.sort();
    rows
}

/// Stores records as received one second after the other.
pub fn fill(data: &Path, records: &[NewRecord]) {
    let clock = Clock::fixed(NOW);
    let store = Store::open(&options(data, &clock)).unwrap();
    for (index, record) in records.iter().enumerate() {
        clock.set(NOW + index as i64);
        store.insert_record(record).unwrap();
    }
    store.stop();
}

/// So many records that differ.
pub fn plain(n: u64) -> Vec<NewRecord> {
    (0..n).map(record).collect()
}

pub fn count(data: &Path, sql: &str) -> i64 {
    crate::store::database(data).query_row(sql, [], |row| row.get(0)).unwrap()
}
