// SPDX-License-Identifier: Apache-2.0
//! Removing what has lain long enough, and temporary files of runs that ended in the middle.

use crate::error::Result;
use crate::spool::{Place, Spool, TEMPORARY_DIR, cannot};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Another process writes a file in far less than this.
const TEMPORARY_SECS_MAX: i64 = 3_600;

impl Spool {
    /// Removes files that came to `place` before `before` (Unix seconds), at most `most` at once; how many were
    /// removed.
    pub fn clean(&self, place: Place, before: i64, most: usize) -> Result<usize> {
        let mut removed = 0;
        for name in self.list(place)? {
            if removed == most {
                break;
            }
            let path = self.dir().join(place.path()).join(name?);
            let found = match fs::symlink_metadata(&path) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(cannot("look at", &path, error)),
            };
            // Not by the time of writing: whoever drops a file may have set that.
            if found.ctime() < before {
                let gone = if found.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                gone.map_err(|error| cannot("remove", &path, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes temporary files whose process is gone, or that nobody can still be writing at `now`.
    pub fn clean_temporary(&self, now: i64) -> Result<usize> {
        let dir = self.dir().join(TEMPORARY_DIR);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(cannot("read", &dir, error)),
        };
        let mut removed = 0;
        for entry in entries {
            let entry = entry.map_err(|error| cannot("read", &dir, error))?;
            let path = entry.path();
            let is_old =
                fs::symlink_metadata(&path).is_ok_and(|found| found.mtime() + TEMPORARY_SECS_MAX < now);
            if is_old || self.is_left_over(&entry.file_name().to_string_lossy()) {
                fs::remove_file(&path).map_err(|error| cannot("remove", &path, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// True where the process that a temporary name tells of is gone. In a container each run has the same number.
    fn is_left_over(&self, name: &str) -> bool {
        let mut parts = name.split('-');
        let (Some(process), Some(run)) = (parts.next(), parts.next()) else { return false };
        if process.parse::<u32>().is_err() || run == self.run() {
            return false;
        }
        process == std::process::id().to_string() || !Path::new("/proc").join(process).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_and_no_more_than_asked() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Spool::new(parent.path().join("spool"));
        spool.make().unwrap();
        let done = parent.path().join("spool/action/done");
        for name in ["1.json", "2.json", "3.json"] {
            fs::write(done.join(name), "{}").unwrap();
        }
        let written = fs::metadata(done.join("1.json")).unwrap().ctime();
        assert_eq!(spool.clean(Place::ActionDone, written, 10).unwrap(), 0);
        assert_eq!(spool.clean(Place::ActionDone, written + 10, 2).unwrap(), 2);
        assert_eq!(spool.clean(Place::ActionDone, written + 10, 2).unwrap(), 1);
    }

    #[test]
    fn temporary_files_of_ended_runs_go_and_those_of_this_one_stay() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Spool::new(parent.path().join("spool"));
        spool.make().unwrap();
        let dir = parent.path().join("spool/tmp");
        let (own, dead) = (std::process::id(), 4_194_305);
        let names = [
            (format!("{own}-{}-1", spool.run()), true),
            (format!("{own}-00aa-1"), false),
            (format!("{dead}-00aa-1"), false),
            ("1-00aa-1".to_owned(), true),
            ("odd".to_owned(), true),
        ];
        for (name, _) in &names {
            fs::write(dir.join(name), "").unwrap();
        }
        let now = fs::metadata(&dir).unwrap().mtime();
        assert_eq!(spool.clean_temporary(now).unwrap(), 2);
        for (name, stays) in &names {
            assert_eq!(dir.join(name).exists(), *stays, "{name}");
        }
        assert_eq!(spool.clean_temporary(now + 2 * TEMPORARY_SECS_MAX).unwrap(), 3);
    }
}
