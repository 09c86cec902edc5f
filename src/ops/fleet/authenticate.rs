// SPDX-License-Identifier: Apache-2.0
//! Who asks the API: signed tokens and API keys, with a limit on failures.
//!
//! Nothing that decides access is remembered here: a disabled investigator is refused from the next request on. What
//! is remembered are the failures of an address, for [`crate::ops::attempts`].

use crate::error::{Error, Kind, Result};
use crate::model::investigator::Permission;
use crate::ops::App;
use crate::pgp::{PublicKey, Token};
use crate::store::fleet::{InvestigatorRow, SeenToken, TokenOutcome};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Bytes of an API key that are looked at; ours have 32.
const API_KEY_BYTES_MAX: usize = 256;
/// Keys that one token may name; each costs a reading and a verification.
const KEYS_MAX: usize = 16;

/// How old a token may be that a second program of the same host made in the same second.
const TWIN_SECS_MAX: i64 = 10;

/// A token is remembered so much longer than it counts: between the look at its time and the transaction that takes it
/// some seconds may go by.
const REMEMBERED_LONGER_SECS: i64 = 120;

const NOTHING_SHOWN: &str = "Valid authentication header not found";

/// What a request shows of who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// `X-PGPAUTHORIZATION`. Where it is there, it alone decides.
    pub pgp_token: Option<&'a str>,
    /// `X-MIGAPIKEY`.
    pub api_key: Option<&'a str>,
    /// The address that sent it.
    pub peer: IpAddr,
    /// True for what one of MIG's clients asks where a repetition changes nothing. Two of these programs that start in
    /// the same second make the same tokens, because their nonces begin with the second.
    pub may_be_twin: bool,
}

impl Credentials<'_> {
    /// True where there is neither a token nor a key.
    pub fn is_nothing(&self) -> bool {
        self.pgp_token.is_none() && self.api_key.is_none()
    }
}

/// What a request without a token and a key is answered; it is counted.
pub fn refuse_bare(app: &App) -> Error {
    app.attempts.note_bare();
    Error::new(Kind::Unauthorized, NOTHING_SHOWN)
}

/// Finds the active investigator who sent a request. Unauthorized, with the texts that MIG's clients know, where there
/// is none; TooOften where too many from there have failed. Busy where the store cannot say.
pub fn authenticate(app: &App, shown: &Credentials<'_>) -> Result<InvestigatorRow> {
    if shown.is_nothing() {
        return Err(refuse_bare(app));
    }
    let trial = app.attempts.begin(shown.peer, None)?;
    let outcome = match (shown.pgp_token, shown.api_key) {
        (Some(token), _) => by_token(app, token, shown),
        (None, key) => by_api_key(app, key.unwrap_or_default()),
    };
    if matches!(&outcome, Err(error) if error.kind() == Kind::Unauthorized) {
        trial.fail();
    }
    outcome
}

/// Refuses an investigator who has not this permission; Unauthorized, as in MIG.
pub fn require(investigator: &InvestigatorRow, permission: Permission) -> Result<()> {
    match investigator.permissions.has(permission) {
        true => Ok(()),
        false => Err(Error::new(Kind::Unauthorized, "Insufficient permissions to access endpoint")),
    }
}

/// The SHA-256 under which an API key is stored. A key is random and long, so that it needs no salt.
pub fn api_key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn by_token(app: &App, header: &str, shown: &Credentials<'_>) -> Result<InvestigatorRow> {
    let (now, window_secs) = (app.clock.now(), app.config.fleet.token_window_secs);
    let token = Token::read(header, now, window_secs)?;
    let mut rows: Vec<InvestigatorRow> = Vec::new();
    for key_id in token.issuers().iter().filter_map(|id| key_id(id)) {
        rows.extend(app.store.investigators_by_key_id(&key_id)?);
    }
    rows.truncate(KEYS_MAX);
    let mut keys = Vec::with_capacity(rows.len());
    for row in &rows {
        // What cannot be read any more signs nothing; the others still may.
        match PublicKey::read(row.public_key.as_deref().unwrap_or_default().as_bytes()) {
            Ok(key) => keys.push(key),
            Err(error) => log::warn!("The key of investigator {} cannot be read: {error}", row.id),
        }
    }
    let signer = token.verify(&keys, now)?;
    let is_signer = |row: &InvestigatorRow| row.fingerprint.as_deref() == Some(&signer.fingerprint);
    let Some(row) = rows.into_iter().find(is_signer) else {
        return Err(failed("GetFingerprintFromSignature() -> openpgp: signature made by unknown entity"));
    };
    let seen = SeenToken {
        investigator_id: row.id,
        digest: token.digest(&signer),
        until_at: token.made_secs() + window_secs + REMEMBERED_LONGER_SECS,
        peer: shown.peer.to_canonical().to_string(),
    };
    let is_fresh = (now - token.made_secs()).abs() <= TWIN_SECS_MAX;
    match app.store.accept_token(seen)? {
        TokenOutcome::Accepted => Ok(row),
        TokenOutcome::Repeated { is_same_peer: true } if shown.may_be_twin && is_fresh => Ok(row),
        TokenOutcome::Repeated { .. } => {
            Err(failed("token was used before, make a fresh one for each request"))
        }
        TokenOutcome::Disabled => Err(failed("the investigator is not active")),
    }
}

fn failed(why: &str) -> Error {
    let message = format!("Authorization verification failed with error 'verifySignedToken() -> {why}'");
    Error::new(Kind::Unauthorized, message)
}

fn by_api_key(app: &App, key: &str) -> Result<InvestigatorRow> {
    let refused = || {
        let message = "Authorization verification failed with error 'API key authentication failed'";
        Error::new(Kind::Unauthorized, message)
    };
    if key.is_empty() || key.len() > API_KEY_BYTES_MAX {
        return Err(refused());
    }
    app.store.investigator_by_api_key(&api_key_digest(key))?.ok_or_else(refused)
}

/// The 8 bytes of a key id of 16 hexadecimal digits.
pub fn key_id(text: &str) -> Option<[u8; 8]> {
    if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(text, 16).ok().map(u64::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_eight_bytes() {
        assert_eq!(key_id("0123456789ABCDEF"), Some([1, 35, 69, 103, 137, 171, 205, 239]));
        for bad in ["", "0123456789ABCDE", "+123456789ABCDEF", "0123456789ABCDEG", "0123456789ABCDEF0"] {
            assert_eq!(key_id(bad), None, "{bad}");
        }
    }
}
