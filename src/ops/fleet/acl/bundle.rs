// SPDX-License-Identifier: Apache-2.0
//! The directory that is copied to agents: the keys that they trust, and the ACL.

use super::{effective, to_json};
use crate::error::{Error, Result};
use crate::ops::App;
use crate::pgp::PublicKey;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// What a bundle holds, by its file names.
const ACL_FILE: &str = "acl.json";
const KEYRING_DIR: &str = "keyring";
/// Where a bundle is put together before it takes the place of an older one.
const NEW_SUFFIX: &str = ".new";
const OLD_SUFFIX: &str = ".old";

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Keys of active investigators that can sign now.
    pub keys: usize,
    /// Keys that were left out because they are revoked or expired.
    pub unusable_keys: usize,
    /// Entries of the ACL; 0 where none is configured, and the rule of the server is written as one.
    pub acl_entries: usize,
}

/// Writes `keyring/FINGERPRINT.asc` for every active investigator with a key, and `acl.json`, into `dir`, which is made
/// or, where it is a bundle already, replaced. It is put together beside it and renamed, so that nobody ever sees half
/// of one. Invalid where `dir` holds something else.
pub fn write_bundle(app: &App, dir: &Path) -> Result<Bundle> {
    refuse_foreign(dir)?;
    let (new, old) = (beside(dir, NEW_SUFFIX)?, beside(dir, OLD_SUFFIX)?);
    for leftover in [&new, &old] {
        remove_bundle(leftover)?;
    }
    let bundle = write_new(app, &new)?;
    if dir.exists() {
        fs::rename(dir, &old).map_err(cannot(dir))?;
    }
    fs::rename(&new, dir).map_err(cannot(dir))?;
    remove_bundle(&old)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_dir(parent)?;
    Ok(bundle)
}

fn write_new(app: &App, new: &Path) -> Result<Bundle> {
    let keyring = new.join(KEYRING_DIR);
    fs::create_dir_all(&keyring).map_err(cannot(&keyring))?;
    let mut bundle = Bundle { keys: 0, unusable_keys: 0, acl_entries: app.store.acl()?.len() };
    for row in app.store.list_investigators()?.into_iter().filter(|row| row.is_active) {
        let Some(armored) = row.public_key else { continue };
        let key = PublicKey::read(armored.as_bytes())?;
        match key.check_usable(app.clock.now()) {
            Ok(()) => {
                let path = keyring.join(format!("{}.asc", key.fingerprint()));
                write_file(&path, key.armored().as_bytes())?;
                bundle.keys += 1;
            }
            Err(refusal) => {
                log::warn!("The key of investigator {} is left out: {refusal}", row.id);
                bundle.unusable_keys += 1;
            }
        }
    }
    write_file(&new.join(ACL_FILE), to_json(&effective(app)?)?.as_bytes())?;
    sync_dir(&keyring)?;
    sync_dir(new)?;
    Ok(bundle)
}

/// Refuses a directory that holds anything that a bundle does not.
fn refuse_foreign(dir: &Path) -> Result<()> {
    let Some(names) = names_in(dir)? else { return Ok(()) };
    let is_known = |name: &String| name == ACL_FILE || name == KEYRING_DIR;
    let is_key = |name: &String| name.ends_with(".asc");
    let foreign = match names.iter().find(|name| !is_known(name)) {
        Some(name) => Some(name.clone()),
        None => names_in(&dir.join(KEYRING_DIR))?.unwrap_or_default().into_iter().find(|name| !is_key(name)),
    };
    match foreign {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "{} holds {name:?}, which is no part of a bundle; name a new directory",
            dir.display()
        ))),
    }
}

/// The names in a directory; none where there is nothing.
fn names_in(dir: &Path) -> Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(dir)(error)),
    };
    let names: std::io::Result<Vec<String>> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    names.map(Some).map_err(cannot(dir))
}

/// Removes what an earlier run left; never more than a bundle.
fn remove_bundle(dir: &Path) -> Result<()> {
    refuse_foreign(dir)?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot(dir)(error)),
        _ => Ok(()),
    }
}

/// `dir` with something after its name.
fn beside(dir: &Path, suffix: &str) -> Result<std::path::PathBuf> {
    let name = dir
        .file_name()
        .ok_or_else(|| Error::invalid(format!("{} is no name for a directory of its own", dir.display())))?;
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(dir.with_file_name(name))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(cannot(path))
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(cannot(dir))
}

fn cannot(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::invalid(format!("Cannot write the bundle at {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_something_else_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("bundle");
        refuse_foreign(&dir).unwrap();
        fs::create_dir_all(dir.join("keyring")).unwrap();
        fs::write(dir.join("acl.json"), "{}").unwrap();
        fs::write(dir.join("keyring/AA.asc"), "").unwrap();
        refuse_foreign(&dir).unwrap();
        fs::write(dir.join("keyring/notes.txt"), "").unwrap();
        assert!(refuse_foreign(&dir).unwrap_err().message().contains("notes.txt"));
        fs::remove_file(dir.join("keyring/notes.txt")).unwrap();
        fs::write(dir.join("precious"), "").unwrap();
        assert!(remove_bundle(&dir).unwrap_err().message().contains("precious"));
        assert!(dir.join("precious").exists());
    }
}
