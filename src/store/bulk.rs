// SPDX-License-Identifier: Apache-2.0
//! Loading many records at once: with secondary indexes built afterwards where the database is new and nobody else
//! uses it, through large transactions where not.

use crate::error::{Error, Result};
use crate::model::record::NewRecord;
use crate::store::record_insert::{InsertState, PreparedRecord, insert_record};
use crate::store::{open, recents};
use rusqlite::Connection;
use std::path::Path;

/// Records of one transaction. Between two, posts to a running server get their turn.
const TRANSACTION_RECORDS: usize = 5_000;

/// A load in progress. [`BulkLoad::finish`] must end it: dropping it leaves out the records of the last transaction,
/// and the indexes of a new database, which the next start refuses.
#[derive(Debug)]
pub struct BulkLoad {
    connection: Connection,
    state: InsertState,
    pending: usize,
    indexes: Vec<String>,
}

impl BulkLoad {
    /// Begins to load into the database of `data_dir`, which exists. `is_alone`: it has no records, and the caller
    /// holds its lock; then indexes are built afterwards.
    pub fn begin(data_dir: &Path, is_alone: bool) -> Result<BulkLoad> {
        let connection = open::open_writer(&open::database_path(data_dir))?;
        let indexes = if is_alone { drop_indexes(&connection)? } else { Vec::new() };
        if is_alone {
            // What is not finished is begun anew, so durability waits for the end; and sorting millions of keys in memory
            // would take hundreds of MB.
            connection.execute_batch(
                "PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA temp_store = FILE",
            )?;
        }
        connection.execute_batch("PRAGMA wal_autocheckpoint = 4000")?;
        Ok(BulkLoad { connection, state: InsertState::default(), pending: 0, indexes })
    }

    /// Adds a record as if received at `received_at`. Ascending times load fastest and search fastest afterwards.
    pub fn insert(&mut self, record: NewRecord, received_at: i64) -> Result<()> {
        if self.pending == 0 {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            // Another process may have written since the last transaction.
            self.state = InsertState::default();
            recents::begin_load(&self.connection)?;
        }
        insert_record(&self.connection, &mut self.state, &PreparedRecord::new(&record)?, received_at)?;
        self.pending += 1;
        if self.pending == TRANSACTION_RECORDS { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        if self.pending > 0 {
            self.state.flush(&self.connection)?;
            recents::end_load(&self.connection)?;
            self.connection.execute_batch("COMMIT")?;
            self.pending = 0;
        }
        Ok(())
    }

    /// Commits the rest, builds the indexes and makes everything durable. `progress` is told what begins.
    pub fn finish(mut self, mut progress: impl FnMut(&str)) -> Result<()> {
        self.commit()?;
        for sql in &self.indexes {
            progress("building indexes");
            self.connection.execute_batch(sql)?;
        }
        progress("making it durable");
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 && !self.indexes.is_empty() {
            return Err(Error::busy("Somebody reads the database; the load is stored, but in the log still"));
        }
        Ok(())
    }
}

/// Drops the secondary indexes of `records` and returns the statements that make them.
fn drop_indexes(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'records' AND sql IS NOT NULL",
    )?;
    let indexes = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX \"{name}\""))?;
    }
    Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
}
