// SPDX-License-Identifier: Apache-2.0
//! Retention and deletion on the real binary: what goes, what stays, and that every count is exact afterwards.

mod chosen;
mod daily;
mod fleet;
mod new_values;
mod rules;
mod running;
mod size;

use crate::derived::{DUMPS, dump, make_version_1, mixed};
use crate::store::{assert_counts_are_exact, database, options};
use muster::clock::Clock;
use muster::model::record::NewRecord;
use muster::model::time::DAY_SECS;
use muster::store::Store;
use muster::store::bulk::BulkLoad;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A data directory with a configuration beside it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(config: &str) -> Place {
        let place = Place { directory: tempfile::tempdir().unwrap() };
        place.configure(config);
        let store = Store::open(&options(&place.data_dir(), &Clock::system())).unwrap();
        drop(store);
        place
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.config(), config).unwrap();
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("muster.toml")
    }

    /// Loads records with their reception times, which ascend.
    fn load(&self, records: impl IntoIterator<Item = (NewRecord, i64)>) {
        let mut load = BulkLoad::begin(&self.data_dir(), false).unwrap();
        for (record, received_at) in records {
            load.insert(record, received_at).unwrap();
        }
        load.finish(|_| {}).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(words).arg("--data").arg(self.data_dir()).arg("--config").arg(self.config());
        command.env_remove("STATE_DIRECTORY").stdin(Stdio::null());
        command
    }

    /// Exit status, standard output, standard error.
    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    /// The same where it is to succeed: its output.
    fn run_well(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run(words);
        assert_eq!(code, 0, "{words:?}: {out}{err}");
        out
    }

    fn number(&self, sql: &str) -> i64 {
        database(&self.data_dir()).query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn ids(&self) -> Vec<i64> {
        let connection = database(&self.data_dir());
        let mut statement = connection.prepare("SELECT id FROM records ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Action, subject and what is noted as after, of each entry of the audit log.
    fn audit(&self) -> Vec<(String, String, String)> {
        let connection = database(&self.data_dir());
        let mut statement =
            connection.prepare("SELECT action, subject, coalesce(after, '') FROM audit ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// The mix of all classes over the days before now, oldest first, several a day, captured by its offset from then.
fn aged(days: i64, per_day: u64) -> Vec<(NewRecord, i64)> {
    let now = Clock::system().now();
    let mut records = Vec::new();
    for day in (0..days).rev() {
        for n in 0..per_day {
            let number = (days - day) as u64 * per_day + n;
            let received_at = now - day * DAY_SECS - 3_600 + n as i64;
            let mut record = mixed(number);
            record.captured_at += received_at - crate::store::NOW;
            records.push((record, received_at));
        }
    }
    records
}

/// Every count against a recount, everything derived against a rebuild from the records that are left, and no string
/// that nothing uses. The file is of an older version for a moment: nobody else may have it open.
fn assert_all_exact(data_dir: &Path) {
    assert_counts_are_exact(data_dir);
    let clock = Clock::system();
    let today = clock.now() / DAY_SECS;
    let store = Store::open(&options(data_dir, &clock)).unwrap();
    store.fold_heartbeats(today).unwrap();
    drop(store);
    let connection = database(data_dir);
    for sql in [
        "SELECT count(*) FROM payloads WHERE record_id NOT IN (SELECT id FROM records)",
        "SELECT count(*) FROM records WHERE id NOT IN (SELECT record_id FROM payloads)",
        "SELECT count(*) FROM recent_records WHERE record_id NOT IN (SELECT id FROM records)",
        "SELECT count(*) FROM backtraces WHERE crashes = 0",
        "SELECT count(*) FROM functions WHERE backtraces = 0",
    ] {
        assert_eq!(connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{sql}");
    }
    let machines = "SELECT group_concat(year || hex(machine_id) || records) FROM
        (SELECT * FROM machine_check_machines ORDER BY year, machine_id)";
    let machines_of =
        || -> Option<String> { database(data_dir).query_row(machines, [], |row| row.get(0)).unwrap() };
    let (before, machines_before) = (dump(data_dir), machines_of());
    drop(connection);
    let copy = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(data_dir.join("muster.db")).unwrap();
    std::fs::write(copy.path().join("muster.db"), bytes).unwrap();
    make_version_1(copy.path());
    let store = Store::open(&options(copy.path(), &clock)).unwrap();
    store.fold_heartbeats(today).unwrap();
    drop(store);
    let after = dump(copy.path());
    for ((before, after), sql) in before.iter().zip(&after).zip(DUMPS) {
        assert_eq!(before, after, "{sql}");
    }
    let rebuilt: Option<String> = database(copy.path()).query_row(machines, [], |row| row.get(0)).unwrap();
    assert_eq!(machines_before, rebuilt);
}
