// SPDX-License-Identifier: Apache-2.0
//! Whether an action may run here: judged by the agent's own keyring, ACL, clock and facts. What the server says of an
//! action counts for nothing.

use crate::error::{Error, Kind, Result};
use crate::model::acl::Acl;
use crate::model::action::Action;
use crate::model::filter::shortened;
use crate::pgp::{DetachedSignature, KEY_BYTES_MAX, PublicKey};
use crate::target::{self, Facts};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Keys of a keyring; a larger one is refused.
const KEYS_MAX: usize = 1_000;
/// Signatures of one action; each may be a verification.
const SIGNATURES_MAX: usize = 32;
/// Bytes of an ACL.
const ACL_BYTES_MAX: u64 = 4 << 20;
/// The only version of actions that there is.
const SYNTAX_VERSION: u16 = 2;

/// The keys and weights by which this agent judges, copied to it by hand.
#[derive(Debug)]
pub struct Bundle {
    keys: Vec<PublicKey>,
    acl: Acl,
    left_out: Vec<String>,
}

/// This agent as targets see it.
#[derive(Clone, Debug)]
pub struct Own {
    /// What the agent knows by itself and the address that the server told.
    pub facts: Facts,
    /// The public address is one of this machine's, so that the server could not invent it.
    pub is_public_ip_own: bool,
    /// Believe the server where a target asks for what the agent does not know.
    pub trusts_server: bool,
}

impl Bundle {
    /// Reads `keyring/*` and `acl.json`. None where there is no key. A key that cannot be read is left out; an ACL
    /// that is missing or cannot be read is an error, because without it less would be demanded.
    pub fn read(dir: &Path) -> Result<Option<Bundle>> {
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        for path in key_files(&dir.join("keyring"))? {
            match read(&path, KEY_BYTES_MAX as u64).and_then(|bytes| PublicKey::read(&bytes)) {
                Ok(key) => keys.push(key),
                Err(error) => left_out.push(format!("The key {} is left out: {error}", path.display())),
            }
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let path = dir.join("acl.json");
        let bytes = read(&path, ACL_BYTES_MAX)?;
        let acl = serde_json::from_slice(&bytes).map_err(|error| unreadable(&path).because(error))?;
        Ok(Some(Bundle { keys, acl, left_out }))
    }

    /// Which keys are left out and why.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// True where there are files of keys, readable or not.
    pub fn has_key_files(dir: &Path) -> Result<bool> {
        Ok(!key_files(&dir.join("keyring"))?.is_empty())
    }

    /// What it consists of, for the log.
    pub fn describe(&self) -> String {
        let keys = if self.keys.len() == 1 { "key" } else { "keys" };
        format!("{} {keys} and an ACL of {} entries", self.keys.len(), self.acl.0.len())
    }

    /// The fingerprints of who signed `text`. Forbidden where a signature is not by a key of the keyring that may sign
    /// now, where one signed twice, or where there is none.
    fn signers(&self, action: &Action, text: &str, now: i64) -> Result<Vec<String>> {
        let signatures = action.pgpsignatures.as_deref().unwrap_or_default();
        if signatures.is_empty() {
            return Err(forbidden("The action is not signed"));
        }
        if signatures.len() > SIGNATURES_MAX {
            return Err(forbidden(format!("The action has more than {SIGNATURES_MAX} signatures")));
        }
        let mut signers = Vec::new();
        for signature in signatures {
            let verified = DetachedSignature::read(signature.as_bytes())
                .and_then(|signature| signature.verify(text.as_bytes(), &self.keys, now))
                .map_err(|refusal| forbidden(refusal.to_string()))?;
            if signers.contains(&verified.fingerprint) {
                let message = format!("The key {} signed the action twice", verified.fingerprint);
                return Err(forbidden(message));
            }
            signers.push(verified.fingerprint);
        }
        Ok(signers)
    }
}

/// Judges an action whose signed text is `text`; the fingerprints of its signers, where it may run at `now`. Forbidden
/// with the reason where it may not.
pub fn judge(action: &Action, text: &str, bundle: &Bundle, own: &Own, now: i64) -> Result<Vec<String>> {
    if action.syntaxversion != SYNTAX_VERSION {
        return Err(forbidden(format!("The action is not of version {SYNTAX_VERSION}")));
    }
    let operations = action.operations.as_deref().unwrap_or_default();
    if operations.is_empty() {
        return Err(forbidden("The action has no operations"));
    }
    // Name and target stand unescaped in the signed text: with these words in one of them the same text could be read
    // as another name with another target.
    let is_ambiguous = |part: &str| part.contains(";target=") || part.contains(";validfrom=");
    if is_ambiguous(&action.name) || is_ambiguous(&action.target) {
        return Err(forbidden("The action's name or target can be read in two ways"));
    }
    if now < action.validfrom.unix_secs {
        return Err(forbidden(format!("The action is not valid before {}", action.validfrom)));
    }
    if now >= action.expireafter.unix_secs {
        return Err(forbidden(format!("The action expired at {}", action.expireafter)));
    }
    let signers = bundle.signers(action, text, now)?;
    bundle.acl.judge(operations.iter().map(|operation| operation.module.as_str()), &signers)?;
    own.check_meant(&action.target)?;
    Ok(signers)
}

impl Own {
    /// Refuses a target that does not mean this agent, or of which that cannot be said.
    fn check_meant(&self, target: &str) -> Result<()> {
        let condition = target::parse(target)?;
        let mut views = vec![self.facts.clone()];
        if !self.is_public_ip_own && !self.trusts_server {
            // What the server told must not decide: with and without it the answer has to be yes.
            let mut without = self.facts.clone();
            if let Some(environment) = without.environment.as_object_mut() {
                environment.remove("publicip");
            }
            views.push(without);
        }
        for facts in &views {
            match condition.matches(facts) {
                Ok(Some(true)) => {}
                Ok(_) => {
                    let message = format!("The target does not mean this agent: {}", shortened(target));
                    return Err(forbidden(message));
                }
                Err(_) if self.trusts_server => {}
                Err(error) => return Err(forbidden(error.message())),
            }
        }
        Ok(())
    }
}

fn forbidden(message: impl Into<String>) -> Error {
    Error::new(Kind::Forbidden, message)
}

fn unreadable(path: &Path) -> Error {
    Error::usage(format!("Cannot read {}; write it anew with `muster agent bundle`", path.display()))
}

/// The files of the keyring by name; none where there is no such directory.
fn key_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir).because(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(dir).because(error))?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.is_file() {
            paths.push(path);
        }
    }
    if paths.len() > KEYS_MAX {
        return Err(Error::usage(format!("{} has more than {KEYS_MAX} keys", dir.display())));
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path).because(error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::usage(format!("{} is larger than {bytes_max} bytes", path.display())));
    }
    Ok(bytes)
}
