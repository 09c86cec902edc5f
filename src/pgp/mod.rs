// SPDX-License-Identifier: Apache-2.0
//! OpenPGP as far as investigators need it: reading public keys, verifying detached signatures, and the
//! tokens with which MIG's clients sign their requests. Nothing here signs, holds a private key, or knows who
//! may do what.
//!
//! Everything is bounded before it is parsed, and nothing asks for the time: it is given, in Unix seconds.

mod armor;
mod key;
mod refusal;
mod signature;
#[cfg(test)]
mod tests;
mod token;

pub use armor::{KEY_BYTES_MAX, SIGNATURE_BYTES_MAX};
pub use key::PublicKey;
pub use refusal::Refusal;
pub use signature::{DetachedSignature, Verified};
pub use token::{TOKEN_BYTES_MAX, Token};

/// How far in the future a key or signature may have been made: clocks of people differ.
const CLOCK_SKEW_SECS: i64 = 86_400;
