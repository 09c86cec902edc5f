// SPDX-License-Identifier: Apache-2.0
//! Copying the database while others write it, and proving that a copy is whole.
//!
//! All pages are read in one snapshot, held by a transaction that only reads, so the copy never starts anew however
//! much is written meanwhile. Until it is made the log cannot start anew, so this is quick and the proof comes after.

use crate::error::{Error, Kind, Result};
use crate::store::checkpoint::{WAL_BYTES_THRESHOLD, wal_bytes};
use crate::store::disk::Reserve;
use crate::store::watch::Watch;
use crate::store::{inspect, meta, open};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages between two looks at the wish to stop and at the log: 8 MB.
const STEP_PAGES: std::ffi::c_int = 2_000;
/// The log may grow to this size, or to that of the database where that is more, while a copy is made.
const WAL_BYTES_MAX: u64 = 1 << 30;
/// Between two tries where another process has the file for itself.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// So many tries.
const BUSY_TRIES_MAX: u32 = 100;

/// What must be the same in a copy and in the snapshot that it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Census {
    version: i64,
    records: i64,
    payloads: i64,
    /// The greatest id of each table.
    sequences: Vec<(String, i64)>,
}

impl Census {
    fn take(connection: &Connection) -> Result<Census> {
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
        let mut sequences = connection.prepare("SELECT name, seq FROM sqlite_sequence ORDER BY name")?;
        let rows = sequences.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Census {
            version: open::pragma(connection, "user_version")?,
            records: count("SELECT count(*) FROM records")?,
            payloads: count("SELECT count(*) FROM payloads")?,
            sequences: rows.collect::<rusqlite::Result<_>>()?,
        })
    }
}

/// A copy that was made and proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Records in it.
    pub records: i64,
    /// Its length.
    pub bytes: u64,
}

/// What a copy leaves to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRoom {
    /// Free bytes of the database's disk that the server keeps.
    pub reserve_bytes: u64,
    /// True where the copy is on that disk too.
    pub is_same_disk: bool,
}

/// The bytes that a copy of the database at `path` takes, at most.
pub fn copy_bytes(path: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    length(path) + length(&open::wal_path(path))
}

/// Files that SQLite may put beside a database file.
pub fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

/// Copies the database of a data directory, also while a server writes it, to the new file `to`, and proves the copy.
/// Sessions are left out: who was logged in is not to be again once it is restored. The copy is not synced. Corrupt
/// where the database is damaged, Busy where it was stopped or the log grew too long meanwhile.
pub fn copy_database(data_dir: &Path, room: CopyRoom, to: &Path, watch: &mut Watch<'_>) -> Result<Copied> {
    let from = open::database_path(data_dir);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| unwritable(to, error))?;
    let bounds = Bounds {
        wal: open::wal_path(&from),
        wal_bytes_max: WAL_BYTES_MAX.max(fs::metadata(&from).map_or(0, |file| file.len())),
        reserve: Reserve::new(data_dir, room.reserve_bytes),
        is_same_disk: room.is_same_disk,
    };
    let census = copy_pages(&from, to, &bounds, watch).map_err(|error| watch.or_stopped(error))?;
    leave_out_sessions(to)?;
    let found = prove(to, watch)?;
    if found != census {
        return Err(Error::internal(format!(
            "The copy {} is not what it was made of: {census:?}, {found:?}",
            to.display()
        )));
    }
    Ok(Copied { records: census.records, bytes: fs::metadata(to).map_or(0, |file| file.len()) })
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::usage(format!(
        "Cannot write {}; it is written by the owner of the data directory, who must be allowed to",
        path.display()
    ))
    .because(error)
}

struct Bounds {
    wal: PathBuf,
    wal_bytes_max: u64,
    reserve: Reserve,
    is_same_disk: bool,
}

impl Bounds {
    /// Busy where the log, which must wait for the copy, or the copy itself takes too much of the disk.
    fn check(&self) -> Result<()> {
        let bytes = wal_bytes(&self.wal);
        if self.is_same_disk && !self.reserve.has_room() {
            return Err(Error::busy(
                "The disk fills meanwhile, and the server needs what is left; free some space, or back up to another",
            ));
        }
        if bytes > self.wal_bytes_max || (bytes > 2 * WAL_BYTES_THRESHOLD && !self.reserve.has_room()) {
            return Err(Error::busy(
                "Too much is written to the database meanwhile; try again when there is less to do or more disk",
            ));
        }
        Ok(())
    }
}

fn copy_pages(from: &Path, to: &Path, bounds: &Bounds, watch: &mut Watch<'_>) -> Result<Census> {
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(Duration::from_secs(5))?;
    source.execute_batch("PRAGMA mmap_size = 0; BEGIN")?;
    watch.guard(&source)?;
    // The first reading makes the snapshot.
    let census = Census::take(&source)?;
    let mut copy = Connection::open(to)?;
    // What is cut off is thrown away, so nothing has to survive before the one sync at the end.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    let backup = Backup::new(&source, &mut copy)?;
    let mut tries = 0;
    loop {
        watch.refuse_when_stopped()?;
        bounds.check()?;
        match backup.step(STEP_PAGES)? {
            StepResult::Done => return Ok(census),
            StepResult::More => {
                let progress = backup.progress();
                let (total, left) = (progress.pagecount.unsigned_abs(), progress.remaining.unsigned_abs());
                watch.tell(u64::from(total.saturating_sub(left)), u64::from(total), "copying pages");
            }
            _ if tries < BUSY_TRIES_MAX => {
                tries += 1;
                std::thread::sleep(BUSY_PAUSE);
            }
            _ => return Err(Error::busy("The database is held by another program; try again")),
        }
    }
}

/// Notes in the database that a backup was made, also beside a server: `muster doctor` and the figures tell how old it is.
pub fn note_backed_up(data_dir: &Path, now: i64) -> Result<()> {
    let connection = open::open_writer(&open::database_path(data_dir))?;
    meta::set_meta(&connection, inspect::BACKED_UP_AT, &now.to_string())
}

/// Notes likewise that the whole file was read without finding damage.
pub fn note_checked(data_dir: &Path, now: i64) -> Result<()> {
    let connection = open::open_writer(&open::database_path(data_dir))?;
    meta::set_meta(&connection, inspect::CHECKED_AT, &now.to_string())
}

/// Takes sessions out of a copy, and the copy out of the mode in which it needs a log beside it.
fn leave_out_sessions(path: &Path) -> Result<()> {
    let copy = Connection::open(path)?;
    // What is deleted is overwritten too.
    copy.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON")?;
    delete_sessions(&copy)
}

/// Deletes the sessions of a file, which has the table from schema 4 on.
pub(crate) fn delete_sessions(connection: &Connection) -> Result<()> {
    if connection.table_exists(None, "sessions")? {
        connection.execute("DELETE FROM sessions", [])?;
    }
    Ok(())
}

/// Reads the whole file that nobody else uses: Corrupt where a page, an index or a reference is broken.
fn prove(path: &Path, watch: &mut Watch<'_>) -> Result<Census> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF")?;
    prove_sound(&connection, watch)?;
    Census::take(&connection).map_err(|error| watch.or_stopped(error))
}

/// Searches a file for damage on this connection: Corrupt with the first finding, Busy where it was stopped.
pub(crate) fn prove_sound(connection: &Connection, watch: &mut Watch<'_>) -> Result<()> {
    watch.guard(connection)?;
    let mut findings = damages(connection, 1, watch)?;
    match findings.pop() {
        Some(finding) => Err(Error::new(Kind::Corrupt, finding)),
        None => Ok(()),
    }
}

/// What is damaged, the first `most` findings, a sentence each; Busy where it was stopped.
pub(crate) fn damages(connection: &Connection, most: usize, watch: &mut Watch<'_>) -> Result<Vec<String>> {
    let pages = open::pragma(connection, "page_count").map_err(|error| watch.or_stopped(error.into()))?;
    let pages = pages.unsigned_abs();
    watch.tell(0, pages, "checking pages and indexes");
    let mut findings = match integrity(connection, most) {
        Ok(findings) => findings,
        // Some damage ends the search itself.
        Err(error) if error.kind() == Kind::Corrupt => vec![error.with_causes()],
        Err(error) => return Err(watch.or_stopped(error)),
    };
    watch.tell(pages / 2, pages, "checking references");
    if findings.is_empty() {
        findings = broken_references(connection, most).map_err(|error| watch.or_stopped(error))?;
    }
    Ok(findings)
}

fn integrity(connection: &Connection, most: usize) -> Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({most})"))?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut findings = rows.collect::<rusqlite::Result<Vec<String>>>()?;
    findings.retain(|finding| finding != "ok");
    Ok(findings)
}

fn broken_references(connection: &Connection, most: usize) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check() LIMIT ?1")?;
    let rows = statement.query_map([most as i64], |row| {
        let (table, id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let which = id.map_or_else(|| "a row".to_owned(), |id| format!("row {id}"));
        Ok(format!("{which} of {table} points to a row of {parent} that is not there"))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes a file and its name durable.
pub fn sync_file_and_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
