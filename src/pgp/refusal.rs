// SPDX-License-Identifier: Apache-2.0
//! Why a signature is not accepted.

use crate::error::Error;
use std::fmt;

/// Why a signature, or the key that made it, is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no signature that can be read; says what is wrong.
    Malformed(&'static str),
    /// It is a signature of a kind that is not accepted; says which.
    Unsupported(&'static str),
    /// None of the keys made it.
    UnknownKey,
    /// It was made by another key or over another text.
    Mismatch,
    /// The key with this fingerprint may not sign.
    CannotSign(String),
    /// The key with this fingerprint is revoked.
    KeyRevoked(String),
    /// The key with this fingerprint has expired.
    KeyExpired(String),
    /// The signature has expired.
    SignatureExpired,
    /// The signature says that it was made before its key, or in the future.
    WrongTime,
}

impl Refusal {
    /// The text that MIG's own verification gives for it, where it has one; scripts match these.
    pub fn mig_text(&self) -> String {
        let text = match self {
            // Go's armor reader ends where it finds no signature.
            Refusal::Malformed(_) => "EOF",
            Refusal::UnknownKey | Refusal::CannotSign(_) => "openpgp: signature made by unknown entity",
            Refusal::Mismatch => "openpgp: invalid signature: hash tag doesn't match",
            Refusal::KeyExpired(_) => "openpgp: key expired",
            Refusal::KeyRevoked(_) => "openpgp: key revoked",
            Refusal::SignatureExpired => "openpgp: signature expired",
            Refusal::WrongTime => "openpgp: invalid signature: wrong creation time",
            Refusal::Unsupported(what) => return format!("openpgp: unsupported feature: {what}"),
        };
        text.to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(why) => write!(f, "This is not a detached OpenPGP signature: {why}"),
            Refusal::Unsupported(what) => write!(f, "The signature is not accepted: {what}"),
            Refusal::UnknownKey => f.write_str("The signature was made by a key that is not known"),
            Refusal::Mismatch => f.write_str("The signature does not match the text"),
            Refusal::CannotSign(key) => write!(f, "The key {key} is not one that may sign"),
            Refusal::KeyRevoked(key) => write!(f, "The key {key} is revoked"),
            Refusal::KeyExpired(key) => write!(f, "The key {key} has expired"),
            Refusal::SignatureExpired => f.write_str("The signature has expired"),
            Refusal::WrongTime => {
                f.write_str("The signature says that it was made before its key or in the future")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::invalid(refusal.to_string())
    }
}
