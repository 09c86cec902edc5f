// SPDX-License-Identifier: Apache-2.0
//! Free disk space: how much there is, and a small file of ours that gives some back when a start needs it.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the ballast file holds back: enough for the shared-memory file of SQLite, without which a database in
/// WAL mode cannot even be read.
const BALLAST_BYTES: u64 = 1 << 20;
/// Below so many free bytes the disk is short: the log stays small, deletions go in small steps and have the ballast.
pub const SHORT_BYTES: u64 = 64 << 20;

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

    /// Bytes that are free; none where the file system cannot be asked.
    pub fn free_bytes(&self) -> Option<u64> {
        free_and_total_bytes(&self.data_dir).ok().map(|(free, _)| free)
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
    /// How many use its room at the moment.
    n_lent: AtomicUsize,
}

/// The room of the ballast, let go for what makes room; taken again when this is dropped, where there is room then.
#[derive(Debug)]
pub struct Lent<'a>(&'a Ballast);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.n_lent.fetch_sub(1, Ordering::SeqCst);
        self.0.hold();
    }
}

impl Ballast {
    /// The ballast of a data directory, held or not.
    pub fn of(data_dir: &Path) -> Ballast {
        Ballast { path: data_dir.join("ballast"), n_lent: AtomicUsize::new(0) }
    }

    /// Gives its blocks back where there is no room without them: a start that is refused then leaves every file as it
    /// was.
    pub fn release(&self) {
        self.release_below(BALLAST_BYTES);
    }

    /// Gives its blocks back where the disk is short, until what is returned is dropped.
    pub fn lend(&self) -> Lent<'_> {
        self.n_lent.fetch_add(1, Ordering::SeqCst);
        self.release_below(SHORT_BYTES);
        Lent(self)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let data_dir = self.path.parent().unwrap_or(Path::new("."));
        free_and_total_bytes(data_dir).map(|(free, _)| free)
    }

    fn release_below(&self, bytes: u64) {
        if self.free_bytes().is_ok_and(|free| free >= bytes) {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("Cannot remove {}: {error}", self.path.display());
            }
            _ => {}
        }
    }

    /// Takes the blocks again where they are not held; false where there is no room for them, or where their room is
    /// in use.
    pub fn hold(&self) -> bool {
        if self.n_lent.load(Ordering::SeqCst) > 0 {
            return false;
        }
        if fs::metadata(&self.path).is_ok_and(|file| file.len() >= BALLAST_BYTES) {
            return true;
        }
        // As much stays free: a command of another process may be making room with just that.
        if self.free_bytes().is_ok_and(|free| free < 2 * BALLAST_BYTES) {
            return false;
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
