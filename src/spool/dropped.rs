// SPDX-License-Identifier: Apache-2.0
//! Files that people put into `action/new`: read without trust, refused with a reason beside them.

use crate::error::{Error, Result};
use crate::model::action::ACTION_BYTES_MAX;
use crate::model::filter::shortened;
use crate::spool::{Name, Place, Spool, cannot};
use rustix::fs::{Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of a dropped file's name that is kept: with `.reason` it must still be a name.
const NAME_BYTES_MAX: usize = 200;

/// What a dropped file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A regular file, copied.
    Read {
        /// What it holds.
        bytes: Vec<u8>,
        /// By this it is told whether it still grows.
        state: DroppedState,
    },
    /// It cannot be taken, and that will not change.
    Refused(String),
    /// It is not there any more.
    Gone,
}

/// What changes while a file is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedState {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Unix seconds since when it lies there as it is.
    changed_at: i64,
}

impl DroppedState {
    /// Since when the file lies there as it is, in Unix seconds; nobody can set this time.
    pub fn changed_at(self) -> i64 {
        self.changed_at
    }
}

impl Spool {
    /// Copies a file of `action/new`. Links are not followed, and nothing but a regular file of at most
    /// [`ACTION_BYTES_MAX`] is read.
    pub fn read_dropped(&self, name: &OsStr) -> Result<Dropped> {
        let path = self.dir().join(Place::ActionNew.path()).join(name);
        let file = match open_unfollowed(&path) {
            Ok(file) => file,
            Err(error) => return refused_open(&path, error),
        };
        let found = file.metadata().map_err(|error| cannot("look at", &path, error))?;
        if !found.is_file() {
            return Ok(Dropped::Refused("It is not a regular file".to_owned()));
        }
        if found.len() > ACTION_BYTES_MAX as u64 {
            return Ok(Dropped::Refused(format!("It is larger than {ACTION_BYTES_MAX} bytes")));
        }
        let mut bytes = Vec::new();
        let most = ACTION_BYTES_MAX as u64 + 1;
        file.take(most).read_to_end(&mut bytes).map_err(|error| cannot("read", &path, error))?;
        if bytes.len() as u64 == most {
            return Ok(Dropped::Refused(format!("It is larger than {ACTION_BYTES_MAX} bytes")));
        }
        let modified = (found.mtime(), found.mtime_nsec());
        let state = DroppedState {
            inode: found.ino(),
            bytes: bytes.len() as u64,
            modified,
            changed_at: found.ctime(),
        };
        Ok(Dropped::Read { bytes, state })
    }

    /// Moves a file of `action/new` to `action/invalid`, with the reason beside it in `NAME.reason`. What is neither
    /// file nor directory is removed instead: a link there would lead its readers elsewhere.
    pub fn refuse_dropped(&self, name: &OsStr, reason: &str) -> Result<()> {
        let from = self.dir().join(Place::ActionNew.path()).join(name);
        let found = match fs::symlink_metadata(&from) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("look at", &from, error)),
        };
        // A directory could stand in the way of an action of ours, and a long name leaves no room for the reason.
        let is_in_the_way = found.is_dir() && name.to_str().and_then(Name::parse).is_some();
        let kept = match is_in_the_way || name.len() > NAME_BYTES_MAX {
            true => OsString::from(format!("dropped-{}", self.unused_name())),
            false => name.to_owned(),
        };
        let to = self.dir().join(Place::ActionInvalid.path()).join(kept);
        let mut beside = to.clone().into_os_string();
        beside.push(".reason");
        // First the reason: a move that is cut off is done again, a missing reason never written.
        if let Err(error) = self.write_text(Path::new(&beside), &format!("{reason}\n")) {
            log::warn!("No reason is written beside {}: {}", to.display(), error.with_causes());
        }
        let moved = if found.is_file() || found.is_dir() {
            make_way(&to).and_then(|()| fs::rename(&from, &to))
        } else {
            fs::remove_file(&from)
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("move", &from, error)),
            _ => Ok(()),
        }
    }

    /// Writes why an action of ours is invalid beside its file.
    pub fn write_reason(&self, action_id: i64, reason: &str) -> Result<()> {
        let name = format!("{action_id}.json.reason");
        self.write_text(&self.dir().join(Place::ActionInvalid.path()).join(name), &format!("{reason}\n"))
    }

    /// True where a reason lies beside the file of this action in `action/invalid`.
    pub fn has_reason(&self, action_id: i64) -> Result<bool> {
        let path = self.dir().join(Place::ActionInvalid.path()).join(format!("{action_id}.json.reason"));
        path.try_exists().map_err(|error| cannot("look at", &path, error))
    }

    /// Removes a file of `action/new` that was taken; one that is gone is as good as removed.
    pub fn remove_dropped(&self, name: &OsStr) -> Result<()> {
        let path = self.dir().join(Place::ActionNew.path()).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Moves a file of `action/new` out of the way of one of ours with the same name; it is looked at later, under
    /// another name.
    pub fn set_aside_dropped(&self, name: &OsStr) -> Result<()> {
        let dir = self.dir().join(Place::ActionNew.path());
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| {
            Error::internal("The system has no random numbers").because(error.to_string())
        })?;
        let aside = dir.join(format!("aside-{}.json", crate::model::record::hex(&random)));
        match fs::rename(dir.join(name), &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("move", &aside, error)),
            _ => Ok(()),
        }
    }
}

/// Opens a file that others may have put there: no link is followed, and nothing is waited for.
pub(super) fn open_unfollowed(path: &Path) -> io::Result<File> {
    // Opening a FIFO would wait for whoever writes to it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// What stood in `action/invalid` under the same name is replaced; a directory would be in the way.
fn make_way(to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(to),
        Ok(_) => fs::remove_file(to),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn refused_open(path: &Path, error: io::Error) -> Result<Dropped> {
    let why = match error.kind() {
        io::ErrorKind::NotFound => return Ok(Dropped::Gone),
        io::ErrorKind::PermissionDenied => "The server may not read it; give it to the server's group",
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => "It is a symbolic link",
        // A socket, a device without driver.
        _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            "It is not a regular file"
        }
        _ => {
            log::debug!("Cannot open {}: {error}", shortened(&path.to_string_lossy()));
            return Err(cannot("open", path, error));
        }
    };
    Ok(Dropped::Refused(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Spool::new(parent.path().join("spool"));
        spool.make().unwrap();
        let new = parent.path().join("spool/action/new");
        fs::write(new.join("good"), "{}").unwrap();
        fs::write(new.join("huge"), vec![b' '; ACTION_BYTES_MAX + 1]).unwrap();
        symlink("/etc/passwd", new.join("link")).unwrap();
        fs::create_dir(new.join("directory")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, new.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        let read = |name: &str| spool.read_dropped(OsStr::new(name)).unwrap();
        assert!(matches!(read("good"), Dropped::Read { bytes, .. } if bytes == b"{}"));
        let invalid = parent.path().join("spool/action/invalid");
        for name in ["huge", "link", "directory", "fifo"] {
            assert!(matches!(read(name), Dropped::Refused(_)), "{name}");
            spool.refuse_dropped(OsStr::new(name), "why").unwrap();
            assert_eq!(fs::read_to_string(invalid.join(format!("{name}.reason"))).unwrap(), "why\n");
            let is_kept = fs::symlink_metadata(invalid.join(name)).is_ok();
            assert_eq!(is_kept, matches!(name, "huge" | "directory"), "{name}");
        }
        // What could stand in the way of a file of ours, or leaves no room for the reason, gets another name.
        let long = "b".repeat(252);
        fs::create_dir(new.join("578.json")).unwrap();
        fs::write(new.join(&long), "x").unwrap();
        for name in ["578.json", &long] {
            spool.refuse_dropped(OsStr::new(name), "why").unwrap();
            assert!(!new.join(name).exists() && !invalid.join(name).exists(), "{name}");
        }
        let reasons = fs::read_dir(&invalid).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
            name.starts_with("dropped-") && name.ends_with(".reason")
        });
        assert_eq!(reasons.count(), 2);
        assert_eq!(read("missing"), Dropped::Gone);
        assert_eq!(spool.list(Place::ActionNew).unwrap().count(), 1);
    }
}
