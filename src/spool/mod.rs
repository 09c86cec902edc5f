// SPDX-License-Identifier: Apache-2.0
//! The spool: actions and commands as files that people and scripts can read, moved between directories as their
//! state changes. The database is authoritative; nothing here knows it.
//!
//! ```text
//! action/   new  inflight  done  invalid     ACTIONID.json
//! command/  ready  inflight  returned  done  ACTIONID-COMMANDID.json
//! tmp/      what is being written; a file gets to its place whole, by renaming
//! ```

mod clean;
mod dropped;
mod group;
mod name;
mod sweep;
mod write;

pub use dropped::{Dropped, DroppedState};
pub use name::{Name, Place};
pub use sweep::Sweeping;
pub use write::NewFile;

use crate::error::{Error, Result};
use crate::model::record::hex;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File, Permissions, ReadDir};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The group that may drop actions, where there is one of this name.
const DROP_GROUP: &str = "muster";
/// Where files are written before they get to their place.
const TEMPORARY_DIR: &str = "tmp";
/// The longest wait for the turn of another process, and how often it is looked for.
const TURN_WAIT: Duration = Duration::from_secs(10);
const TURN_LOOK: Duration = Duration::from_millis(2);
/// Permissions of directories.
const DIR_MODE: u32 = 0o750;
/// Permissions of `action/new` where [`DROP_GROUP`] exists and may be given to it.
const DROP_DIR_MODE: u32 = 0o770;

/// The spool of a data directory. Its methods may be called by several threads and processes; who moves a thing from
/// one state to the next holds the turn meanwhile.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    /// Tells the temporary files of this run of the program from those of others.
    run: String,
    next: AtomicU64,
    turn: Mutex<()>,
    bin: sweep::Bin,
}

impl Spool {
    /// The spool at `dir`; nothing is made yet.
    pub fn new(dir: PathBuf) -> Spool {
        let mut run = [0; 4];
        if let Err(error) = getrandom::fill(&mut run) {
            // The process id alone tells runs apart then, which is enough but for a restart in a container.
            log::warn!("The system has no random numbers: {error}");
        }
        Spool {
            dir,
            run: hex(&run),
            next: AtomicU64::new(1),
            turn: Mutex::new(()),
            bin: sweep::Bin::default(),
        }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directories that are missing. Busy where one cannot be made.
    pub fn make(&self) -> Result<()> {
        let gid = group::id_of(DROP_GROUP);
        let mut dirs = vec![self.dir.clone(), self.dir.join("action"), self.dir.join("command")];
        dirs.push(self.dir.join(TEMPORARY_DIR));
        dirs.extend(Place::ALL.iter().map(|place| self.place_dir(*place)));
        for dir in &dirs {
            let is_drop_dir = *dir == self.place_dir(Place::ActionNew);
            make_dir(dir, gid, is_drop_dir).map_err(|error| cannot("make", dir, error))?;
        }
        Ok(())
    }

    /// The right to move things from one state to the next. Held over the writing of new files, the change of the
    /// database and the removal of old files, so that nobody takes a half-way point for a difference, nor writes what
    /// another process has made untrue meanwhile.
    pub fn turn(&self) -> Turn<'_> {
        let of_process = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a directory there is nothing to move.
        let dir = File::open(&self.dir).ok().filter(locked);
        Turn { _dir: dir, _of_process: of_process }
    }

    /// The names in a place, in no order; those that are not UTF-8 with replacement characters. A missing directory is
    /// empty.
    pub fn list(&self, place: Place) -> Result<Listing> {
        let dir = self.place_dir(place);
        match std::fs::read_dir(&dir) {
            Ok(entries) => Ok(Listing { dir, entries: Some(entries) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listing { dir, entries: None }),
            Err(error) => Err(cannot("read", &dir, error)),
        }
    }

    /// True where a place has a file of this name that is not empty.
    pub fn contains(&self, place: Place, name: Name) -> Result<bool> {
        let path = self.path(place, name);
        match std::fs::symlink_metadata(&path) {
            Ok(found) => Ok(found.is_file() && found.len() > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot("look at", &path, error)),
        }
    }

    /// What a file holds; none where it is gone, is no regular file, or is larger than `bytes_max`. Busy where it cannot
    /// be read.
    pub fn read(&self, place: Place, name: Name, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        let path = self.path(place, name);
        let file = match dropped::open_unfollowed(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(cannot("read", &path, error));
            }
            Err(error) => {
                log::debug!("Cannot open {}: {error}", path.display());
                return Ok(None);
            }
        };
        let found = file.metadata().map_err(|error| cannot("look at", &path, error))?;
        if !found.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| cannot("read", &path, error))?;
        Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
    }

    /// Free bytes on its file system as an unprivileged process may use them, and its size.
    pub fn free_and_total_bytes(&self) -> Result<(u64, u64)> {
        let stat =
            rustix::fs::statvfs(&self.dir).map_err(|error| cannot("look at", &self.dir, error.into()))?;
        Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
    }

    /// The path of a file.
    pub fn path(&self, place: Place, name: Name) -> PathBuf {
        self.place_dir(place).join(name.to_string())
    }

    fn bin(&self) -> &sweep::Bin {
        &self.bin
    }

    fn place_dir(&self, place: Place) -> PathBuf {
        self.dir.join(place.path())
    }
}

/// The turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Locked among processes.
    _dir: Option<File>,
    _of_process: MutexGuard<'a, ()>,
}

/// Takes the lock of a spool among processes. One that was stopped with it in its hands must not hold up all others.
fn locked(dir: &File) -> bool {
    let until = Instant::now() + TURN_WAIT;
    loop {
        match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return true,
            Err(_) if Instant::now() < until => std::thread::sleep(TURN_LOOK),
            Err(error) => {
                log::warn!("Another process keeps the spool to itself; it is not waited for: {error}");
                return false;
            }
        }
    }
}

/// The names of a directory.
#[derive(Debug)]
pub struct Listing {
    dir: PathBuf,
    entries: Option<ReadDir>,
}

impl Iterator for Listing {
    type Item = Result<std::ffi::OsString>;

    fn next(&mut self) -> Option<Result<std::ffi::OsString>> {
        let entry = self.entries.as_mut()?.next()?;
        Some(entry.map(|entry| entry.file_name()).map_err(|error| cannot("read", &self.dir, error)))
    }
}

/// Makes one directory where it is missing; one that is there is left as its admin wants it.
fn make_dir(dir: &Path, gid: Option<u32>, is_drop_dir: bool) -> io::Result<()> {
    match DirBuilder::new().mode(DIR_MODE).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A parent is missing: that of a spool outside the data directory.
            DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
        }
        Err(error) => return Err(error),
    }
    // The umask may have taken the group's part away.
    std::fs::set_permissions(dir, Permissions::from_mode(DIR_MODE))?;
    let Some(gid) = gid else { return Ok(()) };
    match std::os::unix::fs::chown(dir, None, Some(gid)) {
        Ok(()) if is_drop_dir => std::fs::set_permissions(dir, Permissions::from_mode(DROP_DIR_MODE)),
        Ok(()) => Ok(()),
        // Only members may give something to a group; without that nobody else can drop actions.
        Err(error) => {
            log::debug!("Cannot give {} to the group {DROP_GROUP}: {error}", dir.display());
            Ok(())
        }
    }
}

/// Not now: a full disk, a missing right. Tried again, it may go.
fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::busy("The spool cannot be used at the moment; see the server's log")
        .because(format!("cannot {what} {}: {error}", path.display()))
}
