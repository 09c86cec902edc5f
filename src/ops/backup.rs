// SPDX-License-Identifier: Apache-2.0
//! A backup: a proved copy of the database beside a running server, with its SHA-256, under a name that appears only
//! once all is on the disk. The spool is not in it: its files follow the rows, and the first start after a restore
//! writes them anew.

use crate::error::{Error, Result};
use crate::model::record::hex;
use crate::model::time::file_text;
use crate::store::backup::{
    CopyRoom, companions, copy_bytes, copy_database, note_backed_up, sync_file_and_directory,
};
use crate::store::{Lock, Watch, database_path, disk_figures};
use rustix::fs::statvfs;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock of those who make a backup, which a server does not mind.
const LOCK_NAME: &str = "backup.lock";

/// Bytes of a file that are digested at once.
const READ_BYTES: usize = 1 << 20;
/// Free bytes beyond the copy itself that a backup asks for.
const SPARE_BYTES: u64 = 16 << 20;
/// Before and behind the time in the name of a backup in a directory.
const NAME_PARTS: (&str, &str) = ("muster-", ".backup");
/// Behind the name of what is not finished.
const PART: &str = ".muster-part";

/// What is wanted.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// Where the database is.
    pub data_dir: PathBuf,
    /// The file, or a directory in which a name is made of the time.
    pub target: PathBuf,
    /// Whether a file that is there is replaced.
    pub is_forced: bool,
    /// How many backups stay in the directory, this one among them; none keeps all.
    pub keep: Option<usize>,
    /// Free bytes of the database's disk below which the copy gives way.
    pub disk_reserve_bytes: u64,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupDone {
    /// The file; its SHA-256 is beside it, see [`checksum_path`].
    pub path: PathBuf,
    /// Records in it.
    pub records: i64,
    /// Its length.
    pub bytes: u64,
    /// Older backups that gave way.
    pub removed: Vec<PathBuf>,
}

/// The file with the SHA-256 of a backup, in the form of sha256sum.
pub fn checksum_path(path: &Path) -> PathBuf {
    with_ending(path, ".sha256")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes a backup. Kinds: Usage where the target is refused, Busy where there is no room, another backup is being made
/// or it was stopped (nothing is left behind then), Corrupt where the database is damaged.
pub fn run(options: &BackupOptions, now: i64, watch: &mut Watch<'_>) -> Result<BackupDone> {
    let path = target(options, now)?;
    let _lock = Lock::take_named(&options.data_dir, LOCK_NAME, "muster backup")?;
    let directory = parent(&path);
    remove_stale(options, &path)?;
    let reserve = reserve_bytes(options, directory);
    let bytes = copy_bytes(&database_path(&options.data_dir));
    refuse_without_room(directory, bytes.saturating_add(reserve.unwrap_or(0)))?;
    let parts = Parts::of(&path);
    let room = CopyRoom { reserve_bytes: options.disk_reserve_bytes, is_same_disk: reserve.is_some() };
    let copied = copy_database(&options.data_dir, room, &parts.copy, watch)?;
    watch.tell(0, copied.bytes, "digesting");
    let digest = digest_of(&mut open(&parts.copy)?, copied.bytes, watch)?;
    put_in_place(&path, &parts, &digest).map_err(|error| {
        Error::busy(format!("Cannot write {}; make room for it", path.display())).because(error)
    })?;
    if let Err(error) = note_backed_up(&options.data_dir, now) {
        log::warn!("The database does not know of this backup: {}", error.with_causes());
    }
    let removed = match options.keep {
        Some(keep) => remove_oldest(directory, keep, &path)?,
        None => Vec::new(),
    };
    Ok(BackupDone { path, records: copied.records, bytes: copied.bytes, removed })
}

/// The free bytes that the server keeps, where the backup goes to the disk on which it keeps them.
fn reserve_bytes(options: &BackupOptions, directory: &Path) -> Option<u64> {
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    let is_same_disk = device(directory).is_some_and(|one| device(&options.data_dir) == Some(one));
    let disk = disk_figures(&options.data_dir, options.disk_reserve_bytes).filter(|_| is_same_disk)?;
    Some(disk.reserve_bytes)
}

/// The path to write, once it is clear that it may be written.
fn target(options: &BackupOptions, now: i64) -> Result<PathBuf> {
    let target = &options.target;
    let is_directory = target.is_dir();
    if options.keep.is_some() && !is_directory {
        return Err(Error::usage(format!("--keep needs a directory, which {} is not", target.display())));
    }
    if options.keep == Some(0) {
        return Err(Error::usage("--keep needs at least 1: the backup that is made"));
    }
    let path = match is_directory {
        true => target.join(format!("{}{}{}", NAME_PARTS.0, file_text(now), NAME_PARTS.1)),
        false => target.clone(),
    };
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Err(Error::usage(format!("{} is no name of a file", path.display())));
    };
    if name.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Error::usage("The name of a backup must have no control characters and no \\"));
    }
    if would_be_a_database(&path, &options.data_dir) {
        return Err(Error::usage(format!(
            "{name} in the data directory would be taken for a database; name the backup otherwise"
        )));
    }
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() => Err(Error::usage(format!("{} is not a file", path.display()))),
        Ok(_) if !options.is_forced => {
            Err(Error::usage(format!("{} exists; add --force to replace it", path.display())))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(&path).because(error)),
        _ => Ok(path),
    }
}

/// The directory of a file.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// True where a file of this name would be taken for a database of the data directory, or for another file that the
/// server keeps there.
pub fn would_be_a_database(path: &Path, data_dir: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    is_same_directory(parent(path), data_dir)
        && (name.ends_with(".db")
            || name.starts_with("muster.db")
            || matches!(&*name, "muster.lock" | "agent-token" | "ballast"))
}

fn is_same_directory(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn unusable(path: &Path) -> Error {
    Error::usage(format!("Cannot use {}; it must be open to the owner of the data directory", path.display()))
}

/// Busy where a directory's disk has no room for so many bytes.
pub(super) fn refuse_without_room(directory: &Path, bytes: u64) -> Result<()> {
    let stat = statvfs(directory).map_err(|error| unusable(directory).because(error))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = bytes.saturating_add(SPARE_BYTES);
    if free < needed {
        return Err(Error::busy(format!(
            "{} has {} MB free and {} MB are needed; free some space",
            directory.display(),
            free / 1_000_000,
            needed.div_ceil(1_000_000)
        )));
    }
    Ok(())
}

/// The unfinished files of a backup; removed when dropped.
struct Parts {
    copy: PathBuf,
    checksum: PathBuf,
}

impl Parts {
    fn of(path: &Path) -> Parts {
        Parts { copy: with_ending(path, PART), checksum: with_ending(&checksum_path(path), PART) }
    }

    fn remove(&self) -> Result<()> {
        let companions = companions(&self.copy);
        for path in [&self.copy, &self.checksum].into_iter().chain(&companions) {
            remove(path)?;
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            log::warn!("{}", error.with_causes());
        }
    }
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::usage(format!("Cannot remove {}", path.display())).because(error))
        }
        _ => Ok(()),
    }
}

/// Removes what a backup that was killed left: nobody else makes one while the lock is held.
fn remove_stale(options: &BackupOptions, path: &Path) -> Result<()> {
    Parts::of(path).remove()?;
    if !options.target.is_dir() {
        return Ok(());
    }
    for (name, stale) in names_in(&options.target)? {
        let is_part = ["", "-wal", "-shm", "-journal"]
            .iter()
            .filter_map(|ending| name.strip_suffix(ending)?.strip_suffix(PART))
            .any(|of| is_backup_name(of.strip_suffix(".sha256").unwrap_or(of)));
        if is_part {
            log::info!("Removing {}, which a backup that was cut off has left", stale.display());
            remove(&stale)?;
        }
    }
    Ok(())
}

fn names_in(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let read = || -> std::io::Result<Vec<(String, PathBuf)>> {
        fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
            .collect()
    };
    read().map_err(|error| unusable(directory).because(error))
}

/// True for the names that are made here: `muster-YYYYMMDD-HHMMSS.backup`.
fn is_backup_name(name: &str) -> bool {
    let middle = name.strip_prefix(NAME_PARTS.0).and_then(|rest| rest.strip_suffix(NAME_PARTS.1));
    middle.is_some_and(|time| {
        time.len() == 15
            && time
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 8 { byte == b'-' } else { byte.is_ascii_digit() })
    })
}

/// Removes all but the newest backups; what was removed. The one just `made` stays, also where a wrong clock gave others
/// a later name.
fn remove_oldest(directory: &Path, keep: usize, made: &Path) -> Result<Vec<PathBuf>> {
    let mut backups = names_in(directory)?;
    backups.retain(|(name, path)| {
        is_backup_name(name) && path.file_name() != made.file_name() && path.is_file()
    });
    backups.sort_unstable();
    backups.truncate((backups.len() + 1).saturating_sub(keep));
    for (_, path) in &backups {
        remove(path)?;
        remove(&checksum_path(path))?;
    }
    Ok(backups.into_iter().map(|(_, path)| path).collect())
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| unusable(path).because(error))
}

/// The SHA-256 of what is left of a file, as hexadecimal digits.
pub(super) fn digest_of(file: &mut File, total: u64, watch: &mut Watch<'_>) -> Result<String> {
    let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; READ_BYTES], 0);
    loop {
        watch.refuse_when_stopped()?;
        let length = file
            .read(&mut buffer)
            .map_err(|error| Error::busy("Cannot read the file while digesting it").because(error))?;
        if length == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..length]);
        done += length as u64;
        watch.tell(done, total, "digesting");
    }
}

/// Gives both files their names, durably. An old checksum goes first: cut off anywhere, none stands beside a file that it
/// is not of.
fn put_in_place(path: &Path, parts: &Parts, digest: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut checksum =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&parts.checksum)?;
    checksum.write_all(format!("{digest}  {name}\n").as_bytes())?;
    checksum.sync_all()?;
    sync_file_and_directory(&parts.copy)?;
    match fs::remove_file(checksum_path(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&parts.copy, path)?;
    fs::rename(&parts.checksum, checksum_path(path))?;
    sync_file_and_directory(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_made_here_are_taken_for_backups() {
        let cases = [
            ("muster-20261121-150000.backup", true),
            ("muster-20261121-150000.backup.sha256", false),
            ("muster-20261121-150000.backup.muster-part", false),
            ("muster-20261121-1500.backup", false),
            ("muster-20261121x150000.backup", false),
            ("muster-before-the-move.backup", false),
            ("muster.db", false),
            ("muster-é0261121-15000.backup", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_backup_name(name), expected, "{name}");
        }
        assert!(is_backup_name(&format!("muster-{}.backup", file_text(1_795_000_000))));
    }
}
