// SPDX-License-Identifier: Apache-2.0
//! What an SQLite error means for the caller, decided by its extended result code, never by its text.

use crate::error::{Error, Kind};
use rusqlite::{ErrorCode, ffi};
use std::fmt;
use std::path::Path;

/// What is told where SQLite finds no room, also to a purge, which has had the ballast then.
const DISK_FULL: &str =
    "The disk is full; free some space (2 MB are enough to purge or delete records) and try again";

/// Why an error of a full disk is one, for all who waited for the same transaction.
#[derive(Debug)]
struct NoRoom(String);

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoRoom {}

/// The error that names the database whose disk is full.
pub fn of_full_disk(database: &Path, error: &Error) -> Error {
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Error::busy(DISK_FULL).because(NoRoom(format!("There is no room for {}: {why}", database.display())))
}

/// True where SQLite found no room on the disk.
fn is_disk_full(error: &rusqlite::Error) -> bool {
    // The shared memory of the log is a file too, and its growing fails in a way of its own.
    let is_shm = error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
    is_shm || error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// True where SQLite found no room on the disk, and for what [`of_full_disk`] makes of that.
pub fn is_of_full_disk(error: &Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(|source| source.is::<NoRoom>() || source.downcast_ref().is_some_and(is_disk_full))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => (Kind::Conflict, "It contradicts what is stored"),
            _ if is_disk_full(&error) => (Kind::Busy, DISK_FULL),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (Kind::Busy, "The database is held by another program; try again")
            }
            Some(ErrorCode::OperationInterrupted) => (Kind::Busy, "The search took too long; narrow it"),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                (Kind::Busy, "The database cannot be read or written at the moment")
            }
            Some(ErrorCode::ReadOnly) => (
                Kind::Busy,
                "The database cannot be written; the data directory and what is in it must be this user's, on a disk \
                 that is not read-only",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                (Kind::Corrupt, "The database is damaged; restore a backup")
            }
            _ => (Kind::Internal, "A database statement failed"),
        };
        Error::new(kind, message).because(error)
    }
}
