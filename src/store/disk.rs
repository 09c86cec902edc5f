// SPDX-License-Identifier: Apache-2.0
//! Free disk space: how much there is, and a small file of ours that gives some back when a start needs it.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that the ballast file holds back: enough for the shared-memory file of SQLite, without which a database in
/// WAL mode cannot even be read.
const BALLAST_BYTES: u64 = 1 << 20;

/// Free bytes on the file system of `path`, as an unprivileged process may use them, and its size.
pub fn free_and_total_bytes(path: &Path) -> io::Result<(u64, u64)> {
    let stat = statvfs(path)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// Free bytes that are kept: `bytes`, on a small file system a tenth of it.
pub fn reserve_of(bytes: u64, total_bytes: u64) -> u64 {
    bytes.min(total_bytes / 10)
}

/// Watches the free space of the data directory against the reserve.
#[derive(Clone, Debug)]
pub struct Reserve {
    data_dir: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// Refuses posts once less than `bytes` are free; on a small file system once less than a tenth is.
    pub fn new(data_dir: &Path, bytes: u64) -> Reserve {
        Reserve { data_dir: data_dir.to_owned(), bytes }
    }

    /// True where there is room for new records. A file system that cannot be asked counts as full.
    pub fn has_room(&self) -> bool {
        match free_and_total_bytes(&self.data_dir) {
            Ok((free, total)) => free >= reserve_of(self.bytes, total),
            Err(error) => {
                log::warn!("Cannot ask {} for its free space: {error}", self.data_dir.display());
                false
            }
        }
    }
}

/// The ballast file: blocks kept aside while there is room, let go when a start finds none.
#[derive(Debug)]
pub struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// The ballast of a data directory, held or not.
    pub fn of(data_dir: &Path) -> Ballast {
        Ballast { path: data_dir.join("ballast") }
    }

    /// Gives its blocks back where there is no room without them: a start that is refused then leaves every file as it
    /// was.
    pub fn release(&self) {
        let data_dir = self.path.parent().unwrap_or(Path::new("."));
        if free_and_total_bytes(data_dir).is_ok_and(|(free, _)| free >= BALLAST_BYTES) {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("Cannot remove {}: {error}", self.path.display());
            }
            _ => {}
        }
    }

    /// Takes the blocks again where they are not held; false where there is no room for them.
    pub fn hold(&self) -> bool {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() >= BALLAST_BYTES) {
            return true;
        }
        let held = File::create(&self.path)
            .and_then(|file| fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES).map_err(Into::into));
        if held.is_err() {
            // A file without its blocks is no use.
            let _ = fs::remove_file(&self.path);
        }
        held.is_ok()
    }
}
