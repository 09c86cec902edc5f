// SPDX-License-Identifier: Apache-2.0
//! Writing so that a file is whole or not there: temporary file, fsync, rename, fsync of the directory.

use crate::error::Result;
use crate::spool::{Name, Place, Spool, TEMPORARY_DIR, cannot};
use rustix::fs::syncfs;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Permissions of files.
const FILE_MODE: u32 = 0o640;
/// From so many files on, the file system is synced once instead of each file: 1,000 files take 0.15 s so, one by one
/// 0.4 s, and 10 s where others keep the disk busy (measured, ext4).
const FILES_SYNCED_TOGETHER: usize = 4;

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Its directory.
    pub place: Place,
    /// Its name.
    pub name: Name,
    /// What it holds.
    pub text: String,
}

impl Spool {
    /// Writes files durably; one that is there is replaced. Busy where one cannot be written: some of the others may be
    /// in their places then.
    pub fn write(&self, files: &[NewFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let mut temporary = Vec::with_capacity(files.len());
        let outcome = self.write_through(files, &mut temporary);
        if outcome.is_err() {
            for path in temporary {
                // Those in their place are no longer there; of the rest a later start removes what stays.
                let _ = fs::remove_file(path);
            }
        }
        outcome
    }

    fn write_through(&self, files: &[NewFile], temporary: &mut Vec<PathBuf>) -> Result<()> {
        let is_synced_together = files.len() >= FILES_SYNCED_TOGETHER;
        for file in files {
            let (path, mut open) = self.open_temporary()?;
            temporary.push(path.clone());
            let mut written = open.write_all(file.text.as_bytes());
            if !is_synced_together {
                written = written.and_then(|()| open.sync_all());
            }
            written.map_err(|error| cannot("write", &path, error))?;
        }
        if is_synced_together {
            self.sync_all()?;
        }
        for (file, path) in files.iter().zip(&*temporary) {
            let to = self.path(file.place, file.name);
            self.put_in_place(path, &to).map_err(|error| cannot("write", &to, error))?;
        }
        self.sync_dirs(files.iter().map(|file| file.place))
    }

    /// Renames a temporary file; a directory that somebody removed is made again.
    fn put_in_place(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && from.exists() => {
                self.make().map_err(|error| io::Error::other(error.with_causes().to_string()))?;
                fs::rename(from, to)
            }
            outcome => outcome,
        }
    }

    /// Writes a text beside a file of a place: why it was refused.
    pub(super) fn write_text(&self, path: &Path, text: &str) -> Result<()> {
        let (temporary, mut open) = self.open_temporary()?;
        let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_all());
        let renamed = written.and_then(|()| fs::rename(&temporary, path));
        if renamed.is_err() {
            // What stays nevertheless a later start removes.
            let _ = fs::remove_file(&temporary);
        }
        renamed.map_err(|error| cannot("write", path, error))
    }

    /// A name that nothing of this run has: which process of which run, and a number.
    pub(super) fn unused_name(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{}-{number}", std::process::id(), self.run)
    }

    /// A new temporary file.
    fn open_temporary(&self) -> Result<(PathBuf, File)> {
        let mut is_made = false;
        loop {
            let path = self.temporary_path();
            match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_made => {
                    // Nobody has used this spool before, or somebody cleared it.
                    is_made = true;
                    self.make()?;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot("write", &path, error)),
            }
        }
    }

    /// The part of temporary names that is this run's own.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    fn sync_all(&self) -> Result<()> {
        let synced = File::open(self.dir()).and_then(|dir| Ok(syncfs(dir)?));
        synced.map_err(|error| cannot("sync", self.dir(), error))
    }

    fn sync_dirs(&self, places: impl Iterator<Item = Place>) -> Result<()> {
        for place in places.collect::<BTreeSet<Place>>() {
            let path = self.dir().join(place.path());
            let synced = File::open(&path).and_then(|dir| dir.sync_all());
            synced.map_err(|error| cannot("sync", &path, error))?;
        }
        Ok(())
    }

    /// Moves files from one place to another as they are; one that is not there is passed over. Like removing, it is
    /// not made durable: the next start moves a file again that a power failure brought back.
    pub fn rename(&self, names: &[Name], from: Place, to: Place) -> Result<()> {
        for name in names {
            let path = self.path(from, *name);
            match fs::rename(&path, self.path(to, *name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot("move", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes files; one that is not there is as good as removed. Not made durable: a file that comes back after a
    /// power failure is found to be one too many at the next start.
    pub fn remove(&self, files: &[(Place, Name)]) -> Result<()> {
        for (place, name) in files {
            let path = self.path(*place, *name);
            let removed = match self.bin().takes() {
                true => {
                    let aside = self.temporary_path();
                    fs::rename(&path, &aside).map(|()| self.bin().throw(aside))
                }
                false => fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A path of a temporary file; its name says which process of which run made it.
    fn temporary_path(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.dir().join(TEMPORARY_DIR).join(format!("{}-{}-{number}", std::process::id(), self.run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(place: Place, id: i64, text: &str) -> NewFile {
        NewFile { place, name: Name::Action(id), text: text.to_owned() }
    }

    #[test]
    fn few_and_many_files_get_to_their_places_and_nothing_is_left() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Spool::new(parent.path().join("spool"));
        for n in [1, FILES_SYNCED_TOGETHER as i64 + 3] {
            let files: Vec<NewFile> =
                (1..=n).map(|id| file(Place::ActionNew, id, &format!("{n} {id}"))).collect();
            spool.write(&files).unwrap();
            for id in 1..=n {
                let path = spool.path(Place::ActionNew, Name::Action(id));
                assert_eq!(fs::read_to_string(&path).unwrap(), format!("{n} {id}"));
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
            }
            assert_eq!(fs::read_dir(parent.path().join("spool/tmp")).unwrap().count(), 0);
        }
        spool.rename(&[Name::Action(1), Name::Action(99)], Place::ActionNew, Place::ActionDone).unwrap();
        assert!(spool.contains(Place::ActionDone, Name::Action(1)).unwrap());
        assert!(!spool.contains(Place::ActionNew, Name::Action(1)).unwrap());
        spool.remove(&[(Place::ActionDone, Name::Action(1)), (Place::ActionDone, Name::Action(98))]).unwrap();
        assert_eq!(spool.list(Place::ActionDone).unwrap().count(), 0);
    }

    #[test]
    fn a_removed_directory_is_made_again_and_what_cannot_be_written_leaves_no_temporary_file() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Spool::new(parent.path().join("spool"));
        spool.make().unwrap();
        let ready = parent.path().join("spool/command/ready");
        fs::remove_dir(parent.path().join("spool/action/new")).unwrap();
        spool.write(&[file(Place::ActionNew, 1, "again")]).unwrap();
        assert!(spool.contains(Place::ActionNew, Name::Action(1)).unwrap());
        fs::remove_dir(&ready).unwrap();
        fs::write(&ready, "no directory").unwrap();
        let name = Name::Command { action_id: 1, id: 1 };
        let lost = NewFile { place: Place::CommandReady, name, text: String::new() };
        assert!(spool.write(&[lost]).is_err());
        assert_eq!(fs::read_dir(parent.path().join("spool/tmp")).unwrap().count(), 0);
    }
}
