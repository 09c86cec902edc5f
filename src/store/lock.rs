// SPDX-License-Identifier: Apache-2.0
//! `muster.lock`: one server, restore or repair at a time on a data directory.

use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `data_dir` for `purpose` ("serve"); Busy where another process has it, naming that one.
    pub fn take(data_dir: &Path, purpose: &str) -> Result<Lock> {
        Lock::take_file(data_dir, "muster.lock", purpose)
    }

    /// Takes the lock of those who make a backup, which a server does not mind; Busy where another one is being made.
    pub fn take_for_backup(data_dir: &Path) -> Result<Lock> {
        Lock::take_file(data_dir, "backup.lock", "backup")
    }

    fn take_file(data_dir: &Path, name: &str, purpose: &str) -> Result<Lock> {
        let path = data_dir.join(name);
        let cannot = |error: std::io::Error| {
            Error::new(Kind::Usage, format!("Cannot use {}", path.display())).because(error)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(cannot)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // Who it is only helps the message; the refusal stands without it.
            let _ = Read::by_ref(&mut file).take(200).read_to_string(&mut holder);
            return Err(Error::busy(format!(
                "The data directory {} is in use by {}; stop that first",
                data_dir.display(),
                if holder.trim().is_empty() { "another muster" } else { holder.trim() }
            )));
        }
        // On a full disk the name may not be written; the lock itself holds all the same.
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "muster {purpose}, process {}", std::process::id()));
        if let Err(error) = written {
            log::warn!("Cannot write the holder's name into {}: {error}", path.display());
        }
        Ok(Lock { _file: file })
    }
}
