// SPDX-License-Identifier: Apache-2.0
//! Brings an older file to the current schema, one version at a time, after a copy.
//!
//! A step is frozen once released. It runs with its change of `user_version` in one IMMEDIATE transaction, so that
//! a file is always of exactly one version.

use crate::error::{Error, Result};
use crate::store::backup::sync_file_and_directory;
use crate::store::derived::rebuild::rebuild;
use crate::store::disk::free_and_total_bytes;
use crate::store::open::{self, SCHEMA_VERSION};
use crate::store::recompute::mark_followed;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};

/// One step up.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version that the step leads to.
    pub to: i64,
    /// What it runs; the text of `src/store/migrations/000N_what.sql`.
    pub sql: &'static str,
    /// What SQL cannot do, after it and in the same transaction.
    pub then: fn(&Connection) -> Result<()>,
}

/// All steps, ascending; the first leads to version 2.
pub const MIGRATIONS: &[Migration] = &[
    Migration { to: 2, sql: include_str!("migrations/0002_derived.sql"), then: derive },
    Migration { to: 3, sql: include_str!("migrations/0003_fleet.sql"), then: |_| Ok(()) },
    Migration { to: 4, sql: include_str!("migrations/0004_years.sql"), then: |_| Ok(()) },
];

/// Counts what the records hold of crashes, machine checks and heartbeats.
fn derive(connection: &Connection) -> Result<()> {
    rebuild(connection, |id| log::warn!("Upgrading: counted the records up to {id}"))?;
    // The list was the shipped one all along, so nothing has to follow it any more.
    mark_followed(connection)
}

/// Where the copy of a file of `version` is put before the upgrade. Not a `*.db`: muster.db is the only one.
pub fn copy_path(data_dir: &Path, version: i64) -> PathBuf {
    data_dir.join(format!("muster.db.before-upgrade-from-{version}"))
}

/// Copies the file at `path`, which has `version`, and brings it to the current version.
pub fn bring_up(path: &Path, version: i64) -> Result<()> {
    let mut connection = open::open_writer(path)?;
    let data_dir = path.parent().unwrap_or(Path::new("."));
    copy_before(&connection, &copy_path(data_dir, version))?;
    log::warn!("Upgrading {} from schema {version} to {SCHEMA_VERSION}", path.display());
    run(&mut connection, MIGRATIONS, version)?;
    log::warn!("Upgraded {}", path.display());
    Ok(())
}

fn copy_before(connection: &Connection, copy: &Path) -> Result<()> {
    let temporary = copy.with_extension("part");
    let failed = |error: std::io::Error| {
        Error::busy(format!("Cannot write the copy {} before the upgrade; make room for it", copy.display()))
            .because(error)
    };
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    refuse_without_room(connection, copy)?;
    let copied = connection
        .execute("VACUUM INTO ?1", [temporary.to_string_lossy()])
        .map_err(Error::from)
        .and_then(|_| sync_file_and_directory(&temporary).map_err(failed))
        .and_then(|()| std::fs::rename(&temporary, copy).map_err(failed))
        .and_then(|()| sync_file_and_directory(copy).map_err(failed));
    if copied.is_err() {
        // What is half written takes the room that the next try needs. The error itself says more than this one.
        let _ = std::fs::remove_file(&temporary);
        return copied;
    }
    log::info!("Copied the database to {} before the upgrade", copy.display());
    Ok(())
}

/// Busy where the disk has no room for the copy: the pages in use.
fn refuse_without_room(connection: &Connection, copy: &Path) -> Result<()> {
    let pages = open::pragma(connection, "page_count")? - open::pragma(connection, "freelist_count")?;
    let needed = (pages * open::pragma(connection, "page_size")?).unsigned_abs();
    let directory = copy.parent().unwrap_or(Path::new("."));
    match free_and_total_bytes(directory) {
        Ok((free, _)) if free < needed => Err(Error::busy(format!(
            "Upgrading needs {} MB for a copy of the database in {}, which has {} MB free; make room for it",
            needed.div_ceil(1_000_000),
            directory.display(),
            free / 1_000_000
        ))),
        _ => Ok(()),
    }
}

/// Runs the steps above `version`, each in a transaction of its own.
pub fn run(connection: &mut Connection, migrations: &[Migration], version: i64) -> Result<()> {
    for step in migrations.iter().filter(|step| step.to > version) {
        // A step that rebuilds a table needs this off before its transaction begins; inside it is ignored.
        connection.execute_batch("PRAGMA foreign_keys = OFF")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step.sql)?;
        (step.then)(&transaction)?;
        transaction.pragma_update(None, "user_version", step.to)?;
        let broken: Option<String> = {
            let mut check = transaction.prepare("PRAGMA foreign_key_check")?;
            let mut rows = check.query([])?;
            rows.next()?.map(|row| row.get(0)).transpose()?
        };
        if let Some(table) = broken {
            return Err(Error::internal(format!("The upgrade to schema {} breaks table {table}", step.to)));
        }
        transaction.commit()?;
        connection.execute_batch("PRAGMA foreign_keys = ON")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        open::pragma(connection, "user_version").unwrap()
    }

    #[test]
    fn steps_run_in_order_and_a_failing_one_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7); PRAGMA user_version = 1")
            .unwrap();
        let nothing = |_: &Connection| Ok(());
        let good = Migration { to: 2, sql: "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 1", then: nothing };
        let bad =
            Migration { to: 3, sql: "UPDATE a SET x = 8; INSERT INTO missing VALUES (1)", then: nothing };
        assert!(run(&mut connection, &[good, bad], 1).is_err());
        assert_eq!(version(&connection), 2);
        let row: (i64, i64) =
            connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (7, 1));
    }

    #[test]
    fn every_version_has_a_step() {
        let steps: Vec<i64> = MIGRATIONS.iter().map(|step| step.to).collect();
        let expected: Vec<i64> = std::iter::successors(Some(2), |version| Some(version + 1))
            .take_while(|version| *version <= SCHEMA_VERSION)
            .collect();
        assert_eq!(steps, expected);
    }
}
