// SPDX-License-Identifier: Apache-2.0
//! What every command does before it uses a data directory: see that it is there, and become its owner where root runs
//! the command, so that no file of root's is left that the service cannot write.

use crate::error::{Error, Kind, Result};
use crate::store::Missing;
use rustix::process::geteuid;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Prepares the data directory. To be called while the process has one thread: only that one becomes the owner.
/// Usage where it is missing and may not be made, is no directory or cannot be used.
pub fn prepare(dir: &Path, missing: Missing) -> Result<()> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => become_owner(dir, found.uid(), found.gid()),
        Ok(_) => Err(Error::usage(format!("The data directory {} is not a directory", dir.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && missing == Missing::Create => make(dir),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::usage(format!(
            "There is no data directory {}; start the server once, or name the right one with --data",
            dir.display()
        ))),
        Err(error) => Err(unusable(dir).because(error)),
    }
}

fn make(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        Error::usage(format!("Cannot make the data directory {}", dir.display())).because(error)
    })
}

fn unusable(dir: &Path) -> Error {
    Error::usage(format!("Cannot use the data directory {}; check its owner and permissions", dir.display()))
}

fn become_owner(dir: &Path, user: u32, group: u32) -> Result<()> {
    if !geteuid().is_root() || user == 0 {
        return Ok(());
    }
    let (uid, gid) = (rustix::process::Uid::from_raw(user), rustix::process::Gid::from_raw(group));
    // Groups first: once we are no longer root we may not give them up.
    set_thread_groups(&[gid])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|error| {
            let message =
                format!("Cannot become the owner of {} (user {user}, group {group})", dir.display());
            Error::new(Kind::Usage, message).because(error)
        })?;
    log::debug!("Running as user {user}, group {group}, the owner of {}", dir.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_named_where_it_may_not_be_made() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("missing");
        let error = prepare(&dir, Missing::Refuse).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error.message().contains(&dir.display().to_string()) && error.message().contains("--data"),
            "{error}"
        );
        assert!(!dir.exists());
        prepare(&dir, Missing::Create).unwrap();
        prepare(&dir, Missing::Refuse).unwrap();
    }
}
