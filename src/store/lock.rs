// SPDX-License-Identifier: Apache-2.0
//! `muster.lock`: one server, restore or repair at a time on a data directory; other locks for what runs beside it.

use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// The lock of a data directory.
const NAME: &str = "muster.lock";
/// How long a look at it takes at most.
const LOOK_MOST: Duration = Duration::from_millis(20);

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `data_dir` for `purpose` ("serve"); Busy where another process has it, naming that one.
    pub fn take(data_dir: &Path, purpose: &str) -> Result<Lock> {
        Lock::take_named(data_dir, NAME, &format!("muster {purpose}"))
    }

    /// Takes another lock there, the file `name`, for what may run beside a server but not twice; `holder` is what the
    /// refusal names.
    pub fn take_named(data_dir: &Path, name: &str, holder: &str) -> Result<Lock> {
        let path = data_dir.join(name);
        let mut file = open(&path)?;
        let is_taken = || flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        // Who only looks, see `refuse_held`, has it for microseconds.
        if !is_taken() {
            std::thread::sleep(LOOK_MOST);
            if !is_taken() {
                return Err(held(data_dir, &mut file));
            }
        }
        // On a full disk the name may not be written; the lock itself holds all the same.
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{holder}, process {}", std::process::id()));
        if let Err(error) = written {
            log::warn!("Cannot write the holder's name into {}: {error}", path.display());
        }
        Ok(Lock { _file: file })
    }

    /// Busy where another process has the lock of `data_dir`; it is not taken.
    pub fn refuse_held(data_dir: &Path) -> Result<()> {
        let Ok(mut file) = File::open(data_dir.join(NAME)) else { return Ok(()) };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(()),
            Err(_) => Err(held(data_dir, &mut file)),
        }
    }

    /// Takes the lock `name` there, however long another process has it.
    pub fn wait_for(data_dir: &Path, name: &str) -> Result<Lock> {
        let path = data_dir.join(name);
        let file = open(&path)?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(error) if error == rustix::io::Errno::INTR => {}
                Err(error) => {
                    return Err(Error::usage(format!("Cannot lock {}", path.display())).because(error));
                }
            }
        }
    }
}

fn held(data_dir: &Path, file: &mut File) -> Error {
    let mut other = String::new();
    // Who it is only helps the message; the refusal stands without it.
    let _ = Read::by_ref(file).take(200).read_to_string(&mut other);
    Error::busy(format!(
        "The data directory {} is in use by {}; stop that first",
        data_dir.display(),
        if other.trim().is_empty() { "another muster" } else { other.trim() }
    ))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| Error::new(Kind::Usage, format!("Cannot use {}", path.display())).because(error))
}
