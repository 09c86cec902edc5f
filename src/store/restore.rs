// SPDX-License-Identifier: Apache-2.0
//! What a file must be to take the place of the database, and what is changed in it before it does.

use crate::error::{Error, Kind, Result};
use crate::model::audit::Audit;
use crate::store::audit::insert_audit;
use crate::store::backup::{damages, delete_sessions};
use crate::store::meta::set_meta;
use crate::store::open::{self, APPLICATION_ID, SCHEMA_VERSION};
use crate::store::watch::Watch;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Bytes of the head of a database file.
pub const HEAD_BYTES: usize = 100;
/// How long somebody who still uses the old database may take to leave it.
const LEAVE_MOST: Duration = Duration::from_secs(2);

/// Judges the head of a file of so many bytes; the schema version that it says. Corrupt, with the reason, where it is no
/// database, cut short, another program's or newer.
pub fn judge_head(head: &[u8], file_bytes: u64) -> Result<i64> {
    let refused = |why: String| Err(Error::new(Kind::Corrupt, why));
    if head.len() < HEAD_BYTES || !head.starts_with(b"SQLite format 3\0") {
        return refused("it is not a database".to_owned());
    }
    let number =
        |at: usize| head[at..at + 4].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // Two bytes hold the size; 1 stands for 65536.
    let page_bytes = match number(16) >> 16 {
        1 => 65_536,
        bytes => bytes,
    };
    let whole_bytes = page_bytes * number(28);
    if number(68) != APPLICATION_ID.unsigned_abs() {
        return refused("it is a database of another program".to_owned());
    }
    if file_bytes != whole_bytes {
        return refused(format!("it has {file_bytes} bytes and should have {whole_bytes}"));
    }
    let version = number(60) as i64;
    if version > SCHEMA_VERSION {
        return refused(format!(
            "it is newer (schema {version}) than this program (schema {SCHEMA_VERSION}); install the newer program"
        ));
    }
    match version {
        0 => refused("it has no version of ours".to_owned()),
        version => Ok(version),
    }
}

/// Reads a whole file that nobody else uses; how many records it has. Corrupt where it is damaged, or has other tables
/// than its version.
pub fn prove_restorable(path: &Path, version: i64, watch: &mut Watch<'_>) -> Result<i64> {
    prove(path, version, watch).map_err(|error| match (error.kind(), std::error::Error::source(&error)) {
        // What SQLite says of any file advises to restore a backup.
        (Kind::Corrupt, Some(cause)) => Error::new(Kind::Corrupt, format!("it is damaged: {cause}")),
        _ => error,
    })
}

fn prove(path: &Path, version: i64, watch: &mut Watch<'_>) -> Result<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF")?;
    watch.guard(&connection)?;
    if let Some(finding) = damages(&connection, 1, watch)?.pop() {
        return Err(Error::new(Kind::Corrupt, format!("it is damaged: {finding}")));
    }
    let has_our_tables = version < SCHEMA_VERSION || !open::is_foreign_schema(&connection)?;
    let records = connection.query_row("SELECT count(*) FROM records", [], |row| row.get(0));
    match (has_our_tables, records) {
        (true, Ok(records)) => Ok(records),
        (true, Err(error)) => Err(watch.or_stopped(error.into())),
        (false, _) => Err(Error::new(Kind::Corrupt, "its tables are not those of its version")),
    }
}

/// The greatest ids that the tables of a database have had, its log among it. Corrupt where it is too damaged.
pub fn sequences(path: &Path) -> Result<Vec<(String, i64)>> {
    let has_log = open::wal_path(path).exists();
    let connection = open::open_to_look(path, has_log)?;
    let mut statement = connection.prepare("SELECT name, seq FROM sqlite_sequence")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes a proved file ready to be the database: nobody is logged in, it is known as another file than the one that it
/// was copied from, no id of the database before is used again, and the log of changes tells of it.
pub fn make_ready(path: &Path, before: &[(String, i64)], now: i64, audit: &Audit) -> Result<()> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON")?;
    let transaction = connection.transaction()?;
    delete_sessions(&transaction)?;
    set_meta(&transaction, "file_id", &open::random_hex()?)?;
    for (table, id) in before {
        transaction.execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", (table, id))?;
        transaction.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2
             WHERE EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)
               AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
            (table, id),
        )?;
    }
    if transaction.table_exists(None, "audit")? {
        insert_audit(&transaction, now, audit)?;
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA journal_mode = WAL")?;
    connection.close().map_err(|(_, error)| error.into())
}

/// Puts what is in the log of a database into its file and ends the log, so that the file is all there is. Busy where
/// somebody uses it, Corrupt where it is damaged.
pub fn fold(path: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LEAVE_MOST)?;
    connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA synchronous = FULL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    match mode.as_str() {
        "delete" => Ok(()),
        _ => Err(Error::busy(format!("Another program uses {}; end it first", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(application: u32, version: u32, page_bytes: u16, pages: u32) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        head[..16].copy_from_slice(b"SQLite format 3\0");
        head[16..18].copy_from_slice(&page_bytes.to_be_bytes());
        head[28..32].copy_from_slice(&pages.to_be_bytes());
        head[60..64].copy_from_slice(&version.to_be_bytes());
        head[68..72].copy_from_slice(&application.to_be_bytes());
        head
    }

    #[test]
    fn heads_are_judged() {
        let ours = APPLICATION_ID as u32;
        let newest = SCHEMA_VERSION as u32;
        assert_eq!(judge_head(&head(ours, 1, 4096, 3), 3 * 4096).unwrap(), 1);
        assert_eq!(judge_head(&head(ours, newest, 1, 2), 2 * 65_536).unwrap(), SCHEMA_VERSION);
        for (head, bytes, says) in [
            (vec![], 0, "not a database"),
            (head(ours, 1, 4096, 3)[..99].to_vec(), 99, "not a database"),
            (vec![7; 4096], 4096, "not a database"),
            (head(1, 1, 4096, 3), 3 * 4096, "another program"),
            (head(ours, 1, 4096, 3), 2 * 4096, "has 8192 bytes and should have 12288"),
            (head(ours, 1, 4096, 3), 4 * 4096, "should have"),
            (head(ours, newest + 1, 4096, 3), 3 * 4096, "newer"),
            (head(ours, u32::MAX, 4096, 3), 3 * 4096, "newer"),
            (head(ours, 0, 4096, 3), 3 * 4096, "no version"),
        ] {
            let error = judge_head(&head, bytes).unwrap_err();
            assert!(error.kind() == Kind::Corrupt && error.message().contains(says), "{error}");
        }
    }
}
