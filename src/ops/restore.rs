// SPDX-License-Identifier: Apache-2.0
//! A backup becomes the database again. Nothing is touched before it is copied beside and proved; the database before is
//! moved aside, never removed. At every moment there is one whole `muster.db`: the old one or the new one.

use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::record::hex;
use crate::model::time::file_text;
use crate::ops::backup::{checksum_path, refuse_without_room, remove};
use crate::store::backup::{companions, sync_file_and_directory};
use crate::store::restore::{HEAD_BYTES, fold, judge_head, make_ready, prove_restorable, sequences};
use crate::store::{Lock, SCHEMA_VERSION, Watch, database_path};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;
/// Most bytes of a checksum file that are read.
const CHECKSUM_BYTES_MAX: u64 = 8 << 10;
/// The copy that is not yet the database. Not a `*.db`.
const PART: &str = "muster.db.restore-part";

/// A backup that is open and looks right so far.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    file: File,
    bytes: u64,
    version: i64,
    /// The SHA-256 that stands beside it.
    digest: Option<String>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreDone {
    /// Records in it.
    pub records: i64,
    /// Its schema; one older than the program's is brought up at the next start.
    pub version: i64,
    /// Where the database is that was there before.
    pub before: Option<PathBuf>,
}

impl Source {
    /// Opens a backup, with the rights of who runs the command. Usage where it cannot be read, Corrupt where its head
    /// already tells that it cannot be restored.
    pub fn open(path: &Path) -> Result<Source> {
        let cannot = |error: std::io::Error| {
            Error::usage(format!("Cannot read the backup {}", path.display())).because(error)
        };
        // To open a pipe would wait for who writes into it.
        if !fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(Error::usage(format!("The backup {} is not a file", path.display())));
        }
        let mut file = File::open(path).map_err(cannot)?;
        let found = file.metadata().map_err(cannot)?;
        let [log, ..] = companions(path);
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(refused(
                path,
                &format!(
                    "{} beside it belongs to it: it is a database in use, or a copy of one; make a backup of that",
                    log.display()
                ),
            ));
        }
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(cannot)?;
        let version = judge_head(&head, found.len()).map_err(|error| refused(path, error.message()))?;
        Ok(Source { path: path.to_owned(), file, bytes: found.len(), version, digest: read_digest(path)? })
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(Kind::Corrupt, format!("The backup {} is refused: {why}", path.display()))
}

/// The digest of the checksum file beside a backup; none where there is no such file.
fn read_digest(path: &Path) -> Result<Option<String>> {
    let beside = checksum_path(path);
    let mut text = String::new();
    match File::open(&beside).and_then(|file| file.take(CHECKSUM_BYTES_MAX).read_to_string(&mut text)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Error::usage(format!("Cannot read {}", beside.display())).because(error));
        }
        Ok(_) => {}
    }
    let digest = text.split_whitespace().next().unwrap_or("").trim_start_matches('\\').to_ascii_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refused(path, &format!("{} holds no SHA-256", beside.display())));
    }
    Ok(Some(digest))
}

/// The path, or one with a number where there is such a file: two restores may fall into one second.
fn free_name(path: &Path) -> PathBuf {
    let numbered = |n: u32| PathBuf::from(format!("{}-{n}", path.display()));
    let mut names = std::iter::once(path.to_owned()).chain((2..1_000).map(numbered));
    names.find(|name| fs::symlink_metadata(name).is_err()).unwrap_or_else(|| path.to_owned())
}

/// Puts a backup in the place of the database of `data_dir`, which exists. Kinds: Busy where a server or another program
/// uses the database, where there is no room or it was stopped, Usage where there is a database and `is_forced` is not
/// set, Corrupt where the backup is damaged. After an error the database is as it was.
pub fn run(
    source: Source,
    data_dir: &Path,
    is_forced: bool,
    actor: &Actor,
    now: i64,
    watch: &mut Watch<'_>,
) -> Result<RestoreDone> {
    let _lock = Lock::take(data_dir, "restore")?;
    let database = database_path(data_dir);
    let has_database = fs::symlink_metadata(&database).is_ok();
    refuse_itself(&source, &database)?;
    if has_database && !is_forced {
        return Err(Error::usage(format!(
            "{} exists; add --force to put the backup in its place (it is moved aside, not removed)",
            database.display()
        )));
    }
    let part = Part(data_dir.join(PART));
    part.remove()?;
    refuse_without_room(data_dir, source.bytes)?;
    let (path, version) = (source.path.clone(), source.version);
    copy(source, &part.0, watch)?;
    let records = prove_restorable(&part.0, version, watch).map_err(|error| match error.kind() {
        Kind::Corrupt => refused(&path, error.message()),
        _ => error,
    })?;
    watch.refuse_when_stopped()?;
    let ids = if has_database { ids_of_old(&database)? } else { Vec::new() };
    let aside = free_name(&data_dir.join(format!("muster.db.before-restore-{}", file_text(now))));
    let before = has_database.then(|| aside.clone());
    let audit = Audit::new(actor, "database.restore", format!("database {}", database.display())).after(
        serde_json::json!({ "backup": path.display().to_string(), "records": records, "schema": version,
            "before": before.as_ref().map(|before| before.display().to_string()) }),
    );
    make_ready(&part.0, &ids, now, &audit)?;
    put_in_place(&part.0, &database, &aside).map_err(|error| {
        Error::busy(format!("Cannot put the backup in the place of {}", database.display())).because(error)
    })?;
    Ok(RestoreDone { records, version, before })
}

/// Usage where the backup is the database itself.
fn refuse_itself(source: &Source, database: &Path) -> Result<()> {
    let same =
        |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    match (source.file.metadata(), fs::metadata(database)) {
        (Ok(one), Ok(other)) if same(&one, &other) => {
            Err(Error::usage(format!("{} is the database itself", source.path.display())))
        }
        _ => Ok(()),
    }
}

/// Copies the backup and compares it with its checksum.
fn copy(mut source: Source, to: &Path, watch: &mut Watch<'_>) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::busy(format!("Cannot copy the backup to {}; is there room?", to.display())).because(error)
    };
    let mut part = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    source.file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; COPY_BYTES], 0);
    loop {
        watch.refuse_when_stopped()?;
        let length = source.file.read(&mut buffer).map_err(failed)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
        part.write_all(&buffer[..length]).map_err(failed)?;
        done += length as u64;
        watch.tell(done, source.bytes, "copying the backup");
    }
    part.sync_all().map_err(failed)?;
    let digest = hex(&hash.finalize());
    match source.digest {
        Some(expected) if expected != digest => Err(refused(
            &source.path,
            &format!(
                "it is not what {} says: its SHA-256 is {digest}",
                checksum_path(&source.path).display()
            ),
        )),
        _ if done != source.bytes => Err(refused(&source.path, "it changed while it was copied")),
        _ => Ok(()),
    }
}

/// Ends the log of the database that gives way, and reads the greatest ids that it has given, so that none is given
/// again; as many as can be read where it is damaged.
fn ids_of_old(database: &Path) -> Result<Vec<(String, i64)>> {
    let unknown = |why: &str| {
        log::warn!(
            "{} {why}; ids that it gave after the backup may be given again, to other records",
            database.display()
        );
        Ok(Vec::new())
    };
    let mut head = [0; 16];
    let is_read = File::open(database).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    if !is_read || &head != b"SQLite format 3\0" {
        // SQLite would remove the log of what it takes for an empty file.
        return unknown("is no database; it is moved aside as it is");
    }
    match fold(database) {
        Ok(()) => {}
        Err(error) if error.kind() == Kind::Busy => return Err(error),
        Err(error) => log::warn!("The log of {} stays apart: {}", database.display(), error.with_causes()),
    }
    match sequences(database) {
        Ok(ids) => Ok(ids),
        Err(error) => unknown(&format!("cannot be read ({})", error.with_causes())),
    }
}

/// The old database gets a second name before the new one takes the first, so there is always one. A log goes aside
/// with it, and one that is there alone too: SQLite would replay it over the new database.
fn put_in_place(part: &Path, database: &Path, before: &Path) -> std::io::Result<()> {
    sync_file_and_directory(part)?;
    match fs::hard_link(database, before) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for (old, aside) in companions(database).iter().zip(companions(before)) {
        // The index of a log is made anew by whoever reads it.
        let is_index = old.as_os_str().as_encoded_bytes().ends_with(b"-shm");
        match if is_index { fs::remove_file(old) } else { fs::rename(old, &aside) } {
            Ok(()) if !is_index => log::warn!("Moved {} to {}", old.display(), aside.display()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // The names are durable before the new database has its own: no log may come back beside it.
    sync_file_and_directory(part)?;
    fs::rename(part, database)?;
    sync_file_and_directory(database)
}

/// The copy; removed when dropped, unless it has become the database.
struct Part(PathBuf);

impl Part {
    fn remove(&self) -> Result<()> {
        remove(&self.0)?;
        companions(&self.0).iter().try_for_each(|path| remove(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            log::warn!("{}", error.with_causes());
        }
    }
}

/// True where the next start brings the restored file up.
pub fn is_older(done: &RestoreDone) -> bool {
    done.version < SCHEMA_VERSION
}
