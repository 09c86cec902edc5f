// SPDX-License-Identifier: Apache-2.0
//! The tokens of `X-PGPAUTHORIZATION`: `1;TIME;NONCE;SIGNATURE`, signed over `1;TIME;NONCE` and a line end.
//! That each is accepted once, and whose fingerprint may do what, is not decided here.

use super::{DetachedSignature, PublicKey, Refusal, Verified};
use crate::error::{Error, Kind, Result};
use crate::model::timestamp::Timestamp;
use sha2::{Digest, Sha256};

/// Bytes of a token; a longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 12 * 1024;

/// Where MIG's own error texts begin.
const ORIGIN: &str = "verifySignedToken() -> ";

/// A token whose form and time are right and whose signature is not yet verified.
#[derive(Clone, Debug)]
pub struct Token {
    signed_text: String,
    signature: DetachedSignature,
    made_secs: i64,
}

impl Token {
    /// Reads the value of the header. The time in it must be within `window_secs` of `now_secs`, either way.
    /// Fails with 401 and the text that MIG's clients know.
    pub fn read(header: &str, now_secs: i64, window_secs: i64) -> Result<Token> {
        if header.len() > TOKEN_BYTES_MAX {
            return Err(failure("invalid token format"));
        }
        let parts: Vec<&str> = header.split(';').collect();
        let [version, time, nonce, signature] = parts[..] else {
            return Err(failure("invalid token format"));
        };
        if version != "1" {
            return Err(failure("invalid token version, must be 1"));
        }
        let made_secs = parse_time(time).ok_or_else(|| failure(&time_fault(time)))?;
        if made_secs.abs_diff(now_secs) > window_secs.unsigned_abs() {
            return Err(failure("token timestamp is not within acceptable time limits"));
        }
        let signature =
            DetachedSignature::read(signature.as_bytes()).map_err(|refusal| unverified(&refusal))?;
        Ok(Token { signed_text: format!("1;{time};{nonce}\n"), signature, made_secs })
    }

    /// The ids of keys of which one made it if it is true: see [`DetachedSignature::issuers`].
    pub fn issuers(&self) -> Vec<String> {
        self.signature.issuers()
    }

    /// The time in it, in Unix seconds; from there its window counts.
    pub fn made_secs(&self) -> i64 {
        self.made_secs
    }

    /// Whose token it is. Fails with 401 and the text that MIG's clients know.
    pub fn verify(&self, keys: &[PublicKey], now_secs: i64) -> Result<Verified> {
        let verified = self.signature.verify(self.signed_text.as_bytes(), keys, now_secs);
        verified.map_err(|refusal| unverified(&refusal))
    }

    /// The digest by which a token that was used is recognized. It is that of its signer and signed text: the
    /// rest of a token can be written in many ways by anybody who saw it.
    pub fn digest(&self, signer: &Verified) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(signer.fingerprint.as_bytes());
        hasher.update([b'\n']);
        hasher.update(self.signed_text.as_bytes());
        hasher.finalize().into()
    }
}

fn failure(why: &str) -> Error {
    Error::new(Kind::Unauthorized, format!("Authorization verification failed with error '{ORIGIN}{why}'"))
}

fn unverified(refusal: &Refusal) -> Error {
    failure(&format!("GetFingerprintFromSignature() -> {}", refusal.mig_text()))
}

/// `2006-01-02T15:04:05Z` with or without a part of a second, which is dropped.
fn parse_time(text: &str) -> Option<i64> {
    text.ends_with('Z').then(|| Timestamp::parse(text))?.map(|time| time.unix_secs)
}

fn time_fault(text: &str) -> String {
    let start: String = text.chars().take(40).filter(|c| !c.is_control()).collect();
    format!("parsing time \"{start}\" as \"2006-01-02T15:04:05Z\": cannot parse it")
}
