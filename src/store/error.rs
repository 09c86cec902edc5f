// SPDX-License-Identifier: Apache-2.0
//! What an SQLite error means for the caller, decided by its extended result code, never by its text.

use crate::error::{Error, Kind};
use rusqlite::ErrorCode;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => (Kind::Conflict, "It contradicts what is stored"),
            Some(ErrorCode::DiskFull) => {
                (Kind::Busy, "The disk is full; free some space or purge old records")
            }
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
