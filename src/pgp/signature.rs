// SPDX-License-Identifier: Apache-2.0
//! Detached signatures and their verification against a set of keys.

use super::armor::{self, Block};
use super::key::{Signer, algorithm_name, has_unknown_critical, id_text};
use super::{CLOCK_SKEW_SECS, PublicKey, Refusal};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion};

/// Names of issuers that one signature may give: the id and the fingerprint of one key, with some to spare.
/// Each is a verification.
const ISSUERS_MAX: usize = 4;

/// A detached signature that was read, not yet verified.
#[derive(Clone, Debug)]
pub struct DetachedSignature {
    packets: Vec<u8>,
    signature: Signature,
    made_secs: i64,
}

/// A signature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Fingerprint of the primary key, 40 hexadecimal digits in upper case, also where a subkey signed.
    pub fingerprint: String,
    /// When it was made, as its maker says, in Unix seconds.
    pub made_secs: i64,
}

impl DetachedSignature {
    /// Reads exactly one signature of version 4, over bytes or over text: binary, in armor, or in MIG's one
    /// line.
    pub fn read(bytes: &[u8]) -> Result<DetachedSignature, Refusal> {
        let packets = armor::packets(bytes, Block::Signature).map_err(Refusal::Malformed)?;
        let mut parser = PacketParser::new(packets.as_slice());
        let signature = match parser.next() {
            Some(Ok(Packet::Signature(signature))) => signature,
            Some(Ok(_)) => return Err(Refusal::Malformed("it is another kind of OpenPGP packet")),
            Some(Err(_)) => return Err(Refusal::Malformed("its packet is damaged or of an unknown form")),
            None => return Err(Refusal::Malformed("there is no packet in it")),
        };
        if parser.next().is_some() {
            return Err(Refusal::Malformed("something follows the signature"));
        }
        if signature.version() != SignatureVersion::V4 {
            return Err(Refusal::Unsupported("it is not of version 4"));
        }
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(Refusal::Unsupported("it is not one over a text"));
        }
        let config = signature.config().ok_or(Refusal::Malformed("it is incomplete"))?;
        if algorithm_name(config.pub_alg).is_none() {
            return Err(Refusal::Unsupported("its algorithm is none of RSA, ECDSA and EdDSA"));
        }
        if !is_strong(config.hash_alg) {
            return Err(Refusal::Unsupported("its digest is none of SHA-2 and SHA-3"));
        }
        if has_unknown_critical(&signature) {
            return Err(Refusal::Unsupported("it demands something that is not known here"));
        }
        let issuers = signature.issuer_key_id().len() + signature.issuer_fingerprint().len();
        if issuers == 0 || issuers > ISSUERS_MAX {
            return Err(Refusal::Unsupported("it does not name the one key that made it"));
        }
        let made = signature.created().ok_or(Refusal::Malformed("it does not say when it was made"))?;
        let made_secs = i64::from(made.as_secs());
        Ok(DetachedSignature { packets, signature, made_secs })
    }

    /// The ids of keys, 16 hexadecimal digits in upper case, of which one made it if it is true; for looking
    /// up the keys worth a verification. They are a claim.
    pub fn issuers(&self) -> Vec<String> {
        let ids = self.signature.issuer_key_id().into_iter().map(id_text);
        let from_fingerprint = |text: String| text.get(text.len().saturating_sub(16)..).map(str::to_owned);
        let fingerprints = self.signature.issuer_fingerprint().into_iter();
        let tails = fingerprints.filter_map(|print| from_fingerprint(format!("{print:X}")));
        let mut all: Vec<String> = ids.chain(tails).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The signature in MIG's one line form, as actions carry it.
    pub fn one_line(&self) -> String {
        armor::one_line(&self.packets)
    }

    /// Whose signature over `text` it is. Keys that are not named in it cost nothing; of several refusals the
    /// one of the key that got furthest is told.
    pub fn verify(&self, text: &[u8], keys: &[PublicKey], now_secs: i64) -> Result<Verified, Refusal> {
        let mut refusal = Refusal::UnknownKey;
        for key in keys {
            for signer in key.signers().iter().filter(|signer| self.names(signer)) {
                match self.verify_by(text, key, signer, now_secs) {
                    Ok(()) => {
                        let fingerprint = key.fingerprint().to_owned();
                        return Ok(Verified { fingerprint, made_secs: self.made_secs });
                    }
                    Err(Refusal::Mismatch) if refusal != Refusal::UnknownKey => {}
                    Err(found) => refusal = found,
                }
            }
        }
        Err(refusal)
    }

    fn names(&self, signer: &Signer) -> bool {
        let (id, fingerprint) = (signer.key.id(), signer.key.fingerprint());
        self.signature.issuer_key_id().into_iter().any(|named| *named == id)
            || self.signature.issuer_fingerprint().into_iter().any(|named| *named == fingerprint)
    }

    fn verify_by(&self, text: &[u8], key: &PublicKey, signer: &Signer, now_secs: i64) -> Result<(), Refusal> {
        if !signer.can_sign {
            return Err(Refusal::CannotSign(key.fingerprint().to_owned()));
        }
        if !signer.key.verifies(&self.signature, text) {
            return Err(Refusal::Mismatch);
        }
        key.primary().ok_or(Refusal::UnknownKey)?.check_alive(key.fingerprint(), now_secs)?;
        signer.check_alive(key.fingerprint(), now_secs)?;
        let is_future = self.made_secs > now_secs.saturating_add(CLOCK_SKEW_SECS);
        if is_future || self.made_secs < signer.created_secs {
            return Err(Refusal::WrongTime);
        }
        let lives_secs = self.signature.signature_expiration_time().map_or(0, |after| after.as_secs());
        match lives_secs > 0 && self.made_secs + i64::from(lives_secs) <= now_secs {
            true => Err(Refusal::SignatureExpired),
            false => Ok(()),
        }
    }
}

/// Digests that nobody can find collisions of.
fn is_strong(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha224
            | HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}
