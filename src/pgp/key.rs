// SPDX-License-Identifier: Apache-2.0
//! Public keys: what they say about themselves, as far as their own signatures prove it.
//!
//! Only signatures by the primary key itself count; certifications by others and designated revokers are not
//! looked at.

use super::armor::{self, Block};
use super::{CLOCK_SKEW_SECS, Refusal};
use crate::error::{Error, Result};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion, SubpacketData, UserId};
use pgp::types::{KeyDetails, KeyVersion, Tag};

/// Packets of one key; a key with more is refused.
const PACKETS_MAX: usize = 1_000;

/// A public key of an investigator.
#[derive(Clone, Debug)]
pub struct PublicKey {
    packets: Vec<u8>,
    fingerprint: String,
    user_ids: Vec<String>,
    algorithm: &'static str,
    /// The primary key first, then subkeys that may sign.
    signers: Vec<Signer>,
}

/// A primary key, or a subkey that is bound to it.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub(super) key: SignerKey,
    pub(super) created_secs: i64,
    /// None: it does not expire.
    pub(super) expires_secs: Option<i64>,
    pub(super) is_revoked: bool,
    pub(super) can_sign: bool,
}

/// The key itself.
#[derive(Clone, Debug)]
pub(super) enum SignerKey {
    Primary(pgp::packet::PublicKey),
    Subkey(pgp::packet::PublicSubkey),
}

/// The packets of one key, each component with the signatures that follow it.
struct Parts {
    primary: pgp::packet::PublicKey,
    direct: Vec<Signature>,
    users: Vec<(UserId, Vec<Signature>)>,
    subkeys: Vec<(pgp::packet::PublicSubkey, Vec<Signature>)>,
}

/// What a valid signature of the primary key says.
struct Statement {
    created_secs: i64,
    /// Seconds after the key was made.
    expires_after_secs: Option<i64>,
    may_sign: Option<bool>,
}

impl PublicKey {
    /// Reads exactly one public key, armored or binary. Says nothing of whether it may be used now:
    /// [`PublicKey::check_usable`] does. Fails with a sentence for who gave it.
    pub fn read(bytes: &[u8]) -> Result<PublicKey> {
        let packets = armor::packets(bytes, Block::PublicKey).map_err(refuse)?;
        let parts = Parts::read(&packets)?;
        if parts.primary.version() != KeyVersion::V4 {
            return Err(refuse("it is not of version 4, the one with fingerprints of 40 digits"));
        }
        let algorithm = algorithm_name(parts.primary.algorithm())
            .ok_or_else(|| refuse("its algorithm is none of RSA, ECDSA and EdDSA"))?;
        let fingerprint = format!("{:X}", parts.primary.fingerprint());
        let (mut signers, user_ids) = parts.primary_signer()?;
        signers.extend(parts.subkeys.iter().filter_map(|(key, signatures)| parts.subkey(key, signatures)));
        Ok(PublicKey { packets, fingerprint, user_ids, algorithm, signers })
    }

    /// The fingerprint of the primary key: 40 hexadecimal digits in upper case.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The names in it that the key itself signed and did not revoke; text from outside.
    pub fn user_ids(&self) -> &[String] {
        &self.user_ids
    }

    /// `RSA`, `ECDSA` or `EdDSA`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// When the primary key was made, in Unix seconds.
    pub fn created_secs(&self) -> i64 {
        self.primary().map_or(0, |primary| primary.created_secs)
    }

    /// When the primary key expires, in Unix seconds; none if it does not.
    pub fn expires_secs(&self) -> Option<i64> {
        self.primary().and_then(|primary| primary.expires_secs)
    }

    /// True where the key's owner revoked it.
    pub fn is_revoked(&self) -> bool {
        self.primary().is_some_and(|primary| primary.is_revoked)
    }

    /// The ids, 16 hexadecimal digits in upper case, by which signatures name the primary key and its signing
    /// subkeys.
    pub fn key_ids(&self) -> Vec<String> {
        self.signers.iter().map(|signer| id_text(&signer.key.id())).collect()
    }

    /// The key in armor, with a line end after the last line.
    pub fn armored(&self) -> String {
        armor::armored(&self.packets, Block::PublicKey)
    }

    /// Refuses a key that cannot sign anything at `now_secs`: revoked, expired, from the future, or without a
    /// primary key or subkey that may sign.
    pub fn check_usable(&self, now_secs: i64) -> Result<(), Refusal> {
        let primary = self.primary().ok_or(Refusal::UnknownKey)?;
        primary.check_alive(&self.fingerprint, now_secs)?;
        let can_sign =
            |signer: &Signer| signer.can_sign && signer.check_alive(&self.fingerprint, now_secs).is_ok();
        match self.signers.iter().any(can_sign) {
            true => Ok(()),
            false => Err(Refusal::CannotSign(self.fingerprint.clone())),
        }
    }

    pub(super) fn primary(&self) -> Option<&Signer> {
        self.signers.first()
    }

    pub(super) fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

impl Signer {
    /// Refuses a key that is revoked, expired or from the future; `fingerprint` is the primary's, for the
    /// message.
    pub(super) fn check_alive(&self, fingerprint: &str, now_secs: i64) -> Result<(), Refusal> {
        if self.is_revoked {
            return Err(Refusal::KeyRevoked(fingerprint.to_owned()));
        }
        if self.expires_secs.is_some_and(|expires| expires <= now_secs) {
            return Err(Refusal::KeyExpired(fingerprint.to_owned()));
        }
        match self.created_secs > now_secs.saturating_add(CLOCK_SKEW_SECS) {
            true => Err(Refusal::WrongTime),
            false => Ok(()),
        }
    }
}

impl SignerKey {
    /// The 8 bytes by which signatures name it.
    pub(super) fn id(&self) -> pgp::types::KeyId {
        match self {
            SignerKey::Primary(key) => key.legacy_key_id(),
            SignerKey::Subkey(key) => key.legacy_key_id(),
        }
    }

    pub(super) fn fingerprint(&self) -> pgp::types::Fingerprint {
        match self {
            SignerKey::Primary(key) => key.fingerprint(),
            SignerKey::Subkey(key) => key.fingerprint(),
        }
    }

    /// True where the signature is one by this key over the text.
    pub(super) fn verifies(&self, signature: &Signature, text: &[u8]) -> bool {
        match self {
            SignerKey::Primary(key) => signature.verify(key, text).is_ok(),
            SignerKey::Subkey(key) => signature.verify(key, text).is_ok(),
        }
    }
}

impl Parts {
    fn read(bytes: &[u8]) -> Result<Parts> {
        let mut packets = PacketParser::new(bytes);
        let primary = match packets.next() {
            Some(Ok(Packet::PublicKey(primary))) => primary,
            Some(Ok(Packet::SecretKey(_))) => {
                return Err(refuse("it is a private key, which should never leave its owner"));
            }
            _ => return Err(refuse("it does not begin with a public key")),
        };
        let mut parts = Parts { primary, direct: Vec::new(), users: Vec::new(), subkeys: Vec::new() };
        let mut last = Tag::PublicKey;
        for (index, packet) in packets.enumerate() {
            if index >= PACKETS_MAX {
                return Err(refuse("it has too many parts; export it with --export-options export-minimal"));
            }
            let packet = packet.map_err(|error| {
                refuse("a part of it cannot be read; export it with --export-options export-minimal")
                    .because(error)
            })?;
            let tag = pgp::packet::PacketTrait::tag(&packet);
            match packet {
                Packet::Signature(signature) => parts.attach(last, signature),
                Packet::UserId(id) => parts.users.push((id, Vec::new())),
                Packet::PublicSubkey(key) => parts.subkeys.push((key, Vec::new())),
                Packet::UserAttribute(_) | Packet::Trust(_) | Packet::Marker(_) | Packet::Padding(_) => {}
                Packet::PublicKey(_) => return Err(refuse("it is more than one key")),
                _ => return Err(refuse("it holds something that does not belong into a public key")),
            }
            if !matches!(tag, Tag::Signature | Tag::Trust | Tag::Marker | Tag::Padding) {
                last = tag;
            }
        }
        Ok(parts)
    }

    fn attach(&mut self, to: Tag, signature: Signature) {
        match to {
            Tag::PublicKey => self.direct.push(signature),
            Tag::UserId => self.users.last_mut().into_iter().for_each(|user| user.1.push(signature.clone())),
            Tag::PublicSubkey => {
                self.subkeys.last_mut().into_iter().for_each(|subkey| subkey.1.push(signature.clone()));
            }
            // Pictures and the like; what is signed about them does not matter.
            _ => {}
        }
    }

    /// The primary key, as a list of one, and the names that it signed.
    fn primary_signer(&self) -> Result<(Vec<Signer>, Vec<String>)> {
        let is_by_key = |signature: &&Signature| signature.verify_key(&self.primary).is_ok();
        let of_type = |kind: SignatureType| {
            self.direct.iter().filter(move |signature| signature.typ() == Some(kind)).filter(is_by_key)
        };
        // A revocation counts even where it has something that is not understood.
        let is_revoked = of_type(SignatureType::KeyRevocation).next().is_some();
        let mut statements: Vec<Statement> = of_type(SignatureType::Key).filter_map(statement).collect();
        let mut user_ids = Vec::new();
        for (id, signatures) in &self.users {
            if let Some(said) = self.newest_certification(id, signatures) {
                user_ids.push(String::from_utf8_lossy(id.id()).into_owned());
                statements.push(said);
            }
        }
        let Some(newest) = newest(statements) else {
            return Err(refuse("it has no valid signature of its own"));
        };
        let created_secs = i64::from(self.primary.created_at().as_secs());
        let signer = Signer {
            key: SignerKey::Primary(self.primary.clone()),
            created_secs,
            expires_secs: newest.expires_after_secs.map(|after| created_secs + after),
            is_revoked,
            // A key that does not say what it is for may sign, as in MIG.
            can_sign: newest.may_sign.unwrap_or(true),
        };
        Ok((vec![signer], user_ids))
    }

    /// What the newest certification of a name says; none where there is none, or it was revoked later.
    fn newest_certification(&self, id: &UserId, signatures: &[Signature]) -> Option<Statement> {
        let own = || {
            let is_own = |signature: &&Signature| {
                signature.verify_certification(&self.primary, Tag::UserId, id).is_ok()
            };
            signatures.iter().filter(is_own)
        };
        let is_revocation = |signature: &&Signature| signature.typ() == Some(SignatureType::CertRevocation);
        let said =
            newest(own().filter(|signature| !is_revocation(signature)).filter_map(statement).collect())?;
        let revoked_secs = own().filter(is_revocation).map(created_secs).max();
        let is_revoked = revoked_secs.is_some_and(|revoked| revoked >= said.created_secs);
        (!is_revoked).then_some(said)
    }

    /// A subkey, where the primary key bound it as one that signs and it agreed.
    fn subkey(&self, key: &pgp::packet::PublicSubkey, signatures: &[Signature]) -> Option<Signer> {
        algorithm_name(key.algorithm())?;
        if key.version() != KeyVersion::V4 {
            return None;
        }
        let is_bound = |signature: &&Signature| signature.verify_subkey_binding(&self.primary, key).is_ok();
        let of_type = |kind: SignatureType| {
            signatures.iter().filter(move |signature| signature.typ() == Some(kind)).filter(is_bound)
        };
        let is_revoked = of_type(SignatureType::SubkeyRevocation).next().is_some();
        let binding = of_type(SignatureType::SubkeyBinding)
            .filter(|signature| statement(signature).is_some())
            .max_by_key(|signature| created_secs(signature))?;
        let said = statement(binding)?;
        let agreed = binding.embedded_signature().is_some_and(|embedded| {
            statement(embedded).is_some() && embedded.verify_primary_key_binding(key, &self.primary).is_ok()
        });
        if said.may_sign != Some(true) || !agreed {
            return None;
        }
        let created_secs = i64::from(key.created_at().as_secs());
        Some(Signer {
            key: SignerKey::Subkey(key.clone()),
            created_secs,
            expires_secs: said.expires_after_secs.map(|after| created_secs + after),
            is_revoked,
            can_sign: true,
        })
    }
}

/// A key's id, 16 hexadecimal digits in upper case.
pub(super) fn id_text(id: &pgp::types::KeyId) -> String {
    id.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn refuse(why: &'static str) -> Error {
    Error::invalid(format!("This is not a public key that can be used: {why}"))
}

/// The newest of several; of two made in the same second the one that lets the key live shorter.
fn newest(statements: Vec<Statement>) -> Option<Statement> {
    statements.into_iter().max_by_key(|said| {
        (said.created_secs, std::cmp::Reverse(said.expires_after_secs.unwrap_or(i64::MAX)))
    })
}

fn created_secs(signature: &Signature) -> i64 {
    signature.created().map_or(0, |created| i64::from(created.as_secs()))
}

/// What a signature of a key about itself says; none where it is not to be followed. It does not verify it.
fn statement(signature: &Signature) -> Option<Statement> {
    let is_sound = signature.version() == SignatureVersion::V4
        && !has_unknown_critical(signature)
        && !matches!(signature.hash_alg()?, HashAlgorithm::Md5 | HashAlgorithm::Ripemd160)
        && signature.signature_expiration_time().is_none_or(|after| after.as_secs() == 0);
    let created_secs = i64::from(signature.created()?.as_secs());
    let flags = signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    });
    let after = signature.key_expiration_time().map(|after| i64::from(after.as_secs()));
    is_sound.then_some(Statement {
        created_secs,
        expires_after_secs: after.filter(|after| *after > 0),
        may_sign: flags,
    })
}

/// True where the signature demands that something be understood that is not.
pub(super) fn has_unknown_critical(signature: &Signature) -> bool {
    let Some(config) = signature.config() else { return true };
    config.hashed_subpackets().any(|subpacket| {
        let is_unknown = matches!(
            subpacket.data,
            SubpacketData::Other(..) | SubpacketData::Experimental(..) | SubpacketData::Notation(_)
        );
        subpacket.is_critical && is_unknown
    })
}

/// The family of an algorithm that signs; none for others, also for DSA, whose keys cost what their maker
/// wants.
pub(super) fn algorithm_name(algorithm: PublicKeyAlgorithm) -> Option<&'static str> {
    match algorithm {
        PublicKeyAlgorithm::RSA | PublicKeyAlgorithm::RSASign => Some("RSA"),
        PublicKeyAlgorithm::ECDSA => Some("ECDSA"),
        PublicKeyAlgorithm::EdDSALegacy | PublicKeyAlgorithm::Ed25519 | PublicKeyAlgorithm::Ed448 => {
            Some("EdDSA")
        }
        _ => None,
    }
}
