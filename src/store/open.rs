// SPDX-License-Identifier: Apache-2.0
//! Opening the database file: look at it without touching it, create or migrate it, and make connections.
//!
//! | pragma | value | why |
//! |---|---|---|
//! | auto_vacuum | INCREMENTAL | purging gives space back; only a new file can have it, and before WAL is set |
//! | journal_mode | WAL | readers and the writer do not wait for each other |
//! | synchronous | FULL | a commit is on the disk when it returns |
//! | wal_autocheckpoint | 0 | `checkpoint` does it where no post waits |
//! | busy_timeout | 5 s | commands of other processes write the same file |
//! | foreign_keys | ON | a row never points to nothing |
//! | mmap_size | 0 | an I/O error stays an error instead of a SIGBUS |
//! | query_only | ON for readers | a reader that writes is a bug |
//! | trusted_schema | OFF | the file cannot make us call a function |

use crate::error::{Error, Kind, Result};
use crate::model::time::rfc3339;
use crate::store::{Lock, fleet, migrate, payload, read};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema version that this program writes, in `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 4;
/// `PRAGMA application_id` of our files: "must".
pub(crate) const APPLICATION_ID: i64 = 0x6d75_7374;
/// The whole current schema.
pub const SCHEMA: &str = include_str!("../../schema.sql");
/// The lock of whoever brings an older file up.
const UPGRADE_LOCK: &str = "muster.upgrade.lock";
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Page cache of the writer in KiB: its hot pages are the tails of the indexes.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of each reader in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Whether a missing database may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make the directory and the file.
    Create,
    /// Refuse, naming the path that was looked at.
    Refuse,
}

/// What is in a data directory, seen without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Of the current version, but a bulk load was cut off before it built the indexes.
    WithoutIndexes,
    Version(i64),
}

/// The database file of a data directory.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("muster.db")
}

/// Makes sure that a current, sound database is there, creating or migrating it. Kinds: Usage where it is missing and
/// may not be made or the directory cannot be used, Corrupt where it is newer, foreign or damaged (then it is untouched).
pub fn prepare(data_dir: &Path, missing: Missing) -> Result<()> {
    let path = database_path(data_dir);
    match look(&path)? {
        Found::Nothing if missing == Missing::Refuse => Err(Error::usage(format!(
            "There is no database at {}; start the server once, or name its data directory with --data",
            path.display()
        ))),
        Found::Nothing => create(data_dir, &path),
        Found::Version(version) if version > SCHEMA_VERSION => Err(newer(data_dir, &path, version)),
        Found::Version(SCHEMA_VERSION) => keep_log(&path),
        Found::WithoutIndexes => build_missing_indexes(&path).and_then(|()| keep_log(&path)),
        Found::Version(version) if version < 1 => Err(damaged(&path, "it has no version of ours")),
        Found::Version(_) => {
            bring_up(data_dir, &path)?;
            match look(&path)? {
                Found::Version(SCHEMA_VERSION) => keep_log(&path),
                _ => Err(Error::internal(format!("The upgrade of {} did not take", path.display()))),
            }
        }
    }
}

/// Brings an older file up, unless another process has done so while this one waited for it.
fn bring_up(data_dir: &Path, path: &Path) -> Result<()> {
    let _lock = Lock::wait_for(data_dir, UPGRADE_LOCK)?;
    match look_once(path)? {
        Found::Version(version) if (1..SCHEMA_VERSION).contains(&version) => migrate::bring_up(path, version),
        _ => Ok(()),
    }
}

/// Busy where opening the database would bring it up while a server, which then is an older one, uses it.
pub fn refuse_upgrade_beside_server(data_dir: &Path) -> Result<()> {
    match look(&database_path(data_dir))? {
        Found::Version(version) if (1..SCHEMA_VERSION).contains(&version) => {
            Lock::refuse_held(data_dir).map_err(|error| {
                Error::busy(format!(
                    "The database is of schema {version}; its server brings it to schema {SCHEMA_VERSION} when it is \
                     restarted with this program"
                ))
                .because(error)
            })
        }
        _ => Ok(()),
    }
}

/// Refuses a database that [`prepare`] would refuse, without touching anything; a missing one is fine.
pub fn refuse_unfit(data_dir: &Path) -> Result<()> {
    let path = database_path(data_dir);
    match look(&path)? {
        Found::Version(version) if version > SCHEMA_VERSION => Err(newer(data_dir, &path, version)),
        Found::Version(version) if version < 1 => Err(damaged(&path, "it has no version of ours")),
        _ => Ok(()),
    }
}

/// Opens the file, reads one row, and closes it.
pub fn read_once(path: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.query_row("SELECT coalesce(max(id), 0) FROM records", [], |_| Ok(()))?;
    Ok(())
}

/// Puts a file that came here as a copy into WAL mode, which its head tells.
fn keep_log(path: &Path) -> Result<()> {
    let mut head = [0; 20];
    let is_read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if is_read.is_ok() && head[18..] == [2, 2] {
        return Ok(());
    }
    let connection = open_writer(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    Ok(())
}

fn newer(data_dir: &Path, path: &Path, version: i64) -> Error {
    let mut message = format!(
        "Database {} is newer (schema {version}) than this program (schema {SCHEMA_VERSION}); install the newer program",
        path.display()
    );
    let copies = (1..=SCHEMA_VERSION).rev().map(|of| (of, migrate::copy_path(data_dir, of)));
    let found =
        copies.into_iter().find_map(|(of, copy)| fs::metadata(&copy).ok().map(|file| (of, copy, file)));
    if let Some((of, copy, file)) = found {
        let made_at = file.mtime();
        message.push_str(&format!(
            ", or go back to the copy of schema {of} made before the upgrade on {}: muster restore {} --force --data {} \
             (what came since is lost)",
            rfc3339(made_at),
            shell_word(&copy),
            shell_word(data_dir)
        ));
    }
    Error::new(Kind::Corrupt, message)
}

/// A path as a word for a shell.
fn shell_word(path: &Path) -> String {
    let path = path.to_string_lossy();
    match path.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        true => path.into_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// Looks at the file through a connection that neither writes nor checkpoints. What seems damaged is looked at once
/// more: another process may just bring the file up, and without a lock two moments of it may have been read.
fn look(path: &Path) -> Result<Found> {
    match look_once(path) {
        Err(error) if error.kind() == Kind::Corrupt => {
            let data_dir = path.parent().unwrap_or(Path::new("."));
            let is_upgraded = data_dir.join(UPGRADE_LOCK).exists();
            let _lock = is_upgraded.then(|| Lock::wait_for(data_dir, UPGRADE_LOCK)).transpose()?;
            look_once(path)
        }
        outcome => outcome,
    }
}

fn look_once(path: &Path) -> Result<Found> {
    let cannot = |error: std::io::Error| {
        Error::usage(format!("Cannot read {}; check its owner and permissions", path.display()))
            .because(error)
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(cannot(error)),
    };
    let mut header = Vec::new();
    file.by_ref().take(16).read_to_end(&mut header).map_err(cannot)?;
    let has_wal = fs::metadata(wal_path(path)).is_ok_and(|wal| wal.len() > 0);
    if header.is_empty() && !has_wal {
        log::warn!("Database {} is empty; it is taken as a new one", path.display());
        return Ok(Found::Nothing);
    }
    if !header.is_empty() && header != b"SQLite format 3\0" {
        return Err(damaged(path, "it is not a database"));
    }
    let connection = open_to_look(path, has_wal)?;
    let unreadable = |error: rusqlite::Error| match Error::from(error) {
        error if error.kind() == Kind::Corrupt => damaged(path, "it cannot be read").because(error),
        error => error,
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unreadable)?;
    if tables == 0 {
        return Ok(Found::Nothing);
    }
    let id: i64 = pragma(&connection, "application_id").map_err(unreadable)?;
    if id != APPLICATION_ID {
        return Err(damaged(path, "it is a database of another program"));
    }
    let version = pragma(&connection, "user_version").map_err(unreadable)?;
    if version == SCHEMA_VERSION {
        let missing = missing_statements(&connection).map_err(unreadable)?;
        match missing {
            Some(missing) if missing.is_empty() => {}
            Some(missing) if missing.iter().all(|sql| is_index(sql)) => {
                return Ok(Found::WithoutIndexes);
            }
            _ => return Err(damaged(path, "its tables are not those of this version")),
        }
        for sql in [
            "SELECT count(*) FROM meta",
            "SELECT coalesce(max(id), 0) FROM records",
            "SELECT coalesce(max(record_id), 0) FROM payloads",
        ] {
            connection.query_row(sql, [], |_| Ok(())).map_err(unreadable)?;
        }
    }
    Ok(Found::Version(version))
}

/// Opens a file to read it alone. `has_wal`: a log is beside it, which counts too.
pub fn open_to_look(path: &Path, has_wal: bool) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Without a log nothing beside the file counts, and `immutable` leaves no trace at all.
    let uri = format!("file:{}{}", uri_path(path), if has_wal { "" } else { "?immutable=1" });
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn uri_path(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// The write-ahead log of a database file.
pub fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        format!("Database {} is refused and left untouched: {why}; restore a backup", path.display()),
    )
}

fn create(data_dir: &Path, path: &Path) -> Result<()> {
    make_data_dir(data_dir)?;
    make_private(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // In another order auto_vacuum silently stays off.
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        let file_id = random_hex()?;
        transaction.execute("INSERT INTO meta (name, value) VALUES ('file_id', ?1)", [file_id])?;
        transaction.execute("INSERT INTO meta (name, value) VALUES ('deletions', '0')", [])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Makes the file, readable by its owner alone, where it is missing; SQLite gives its log the same permissions.
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::usage(format!("Cannot make the database {}", path.display())).because(error))
        }
        _ => Ok(()),
    }
}

/// Makes the data directory, readable by its owner alone, where it is missing.
fn make_data_dir(data_dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|error| {
        Error::usage(format!("Cannot make the data directory {}", data_dir.display())).because(error)
    })
}

/// 32 random hexadecimal digits.
pub(crate) fn random_hex() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))?;
    Ok(crate::model::record::hex(&bytes))
}

/// Reads one whole number of a pragma.
pub fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Lets a connection that writes wait for its turn beside other processes, as long as [`BUSY_TIMEOUT`]. It looks each
/// millisecond: SQLite itself looks ever less often, up to each 100 ms, and so misses the moments that a purge leaves.
pub fn wait_for_turns(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|tries| {
        std::thread::sleep(Duration::from_millis(1));
        u128::from(tries.unsigned_abs()) < BUSY_TIMEOUT.as_millis()
    }))
}

/// Opens a connection that writes.
pub fn open_writer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    wait_for_turns(&connection)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
    )?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    payload::add_functions(&connection)?;
    fleet::add_functions(&connection)?;
    Ok(connection)
}

/// Makes the pool of readers.
pub fn open_readers(path: &Path, readers: u32) -> Result<r2d2::Pool<r2d2_sqlite::SqliteConnectionManager>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let manager =
        r2d2_sqlite::SqliteConnectionManager::file(path).with_flags(flags).with_init(prepare_reader);
    r2d2::Pool::builder()
        .max_size(readers)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(Duration::from_secs(5))
        .build(manager)
        .map_err(|error| Error::busy(format!("Cannot open {} for reading", path.display())).because(error))
}

/// Keeps SQLite from planning a statement anew whenever other values are bound: with statistics in the file it would,
/// and a search of many short statements took 250 ms instead of 10 (measured).
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn prepare_reader(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
    )?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    keep_plans(connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    payload::add_functions(connection)?;
    fleet::add_functions(connection)?;
    read::add_time_limit(connection)
}

/// The schema of a file, one normalized statement a line, in order of name.
pub fn schema_of(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|sql| sql.map(|sql| normalized(&sql))).collect()
}

fn is_index(sql: &str) -> bool {
    sql.starts_with("CREATE INDEX") || sql.starts_with("CREATE UNIQUE INDEX")
}

/// The statements of the indexes that a file lacks.
pub(crate) fn missing_indexes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut missing = missing_statements(connection)?.unwrap_or_default();
    missing.retain(|sql| is_index(sql));
    Ok(missing)
}

/// The URI by which a file is attached for reading only.
pub(crate) fn read_only_uri(path: &Path) -> String {
    format!("file:{}?mode=ro", uri_path(path))
}

/// True where a file has tables or indexes that schema.sql does not know, or lacks a table.
pub(crate) fn is_foreign_schema(connection: &Connection) -> rusqlite::Result<bool> {
    let missing = missing_statements(connection)?;
    Ok(missing.is_none_or(|missing| missing.iter().any(|sql| !is_index(sql))))
}

/// The statements of schema.sql that a file lacks; none where it has others too.
fn missing_statements(connection: &Connection) -> rusqlite::Result<Option<Vec<String>>> {
    let here = schema_of(connection)?;
    let reference = reference_schema()?;
    let is_foreign = here.iter().any(|sql| !reference.contains(sql));
    Ok((!is_foreign).then(|| reference.into_iter().filter(|sql| !here.contains(sql)).collect()))
}

fn build_missing_indexes(path: &Path) -> Result<()> {
    let connection = open_writer(path)?;
    // Sorting millions of keys in memory would take hundreds of MB.
    connection.execute_batch("PRAGMA temp_store = FILE")?;
    let missing = missing_statements(&connection)?.unwrap_or_default();
    log::warn!("Building {} indexes that an unfinished load left out", missing.len());
    for sql in missing {
        connection.execute_batch(&sql)?;
    }
    Ok(())
}

/// The schema that schema.sql makes.
pub fn reference_schema() -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    schema_of(&connection)
}

/// A statement without comments and with single spaces: a comment may change without a migration.
fn normalized(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or(""));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}
