// SPDX-License-Identifier: Apache-2.0
//! The digests that a file can be asked for.

use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// One way to digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestKind {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Sha3With224,
    Sha3With256,
    Sha3With384,
    Sha3With512,
}

/// What stands under `sha2`, told apart by length.
pub(super) const SHA2: &[DigestKind] = &[DigestKind::Sha256, DigestKind::Sha384, DigestKind::Sha512];
/// What stands under `sha3`.
pub(super) const SHA3: &[DigestKind] =
    &[DigestKind::Sha3With224, DigestKind::Sha3With256, DigestKind::Sha3With384, DigestKind::Sha3With512];

impl DigestKind {
    /// Bytes of a digest.
    pub(super) fn bytes(self) -> usize {
        match self {
            DigestKind::Md5 => 16,
            DigestKind::Sha1 => 20,
            DigestKind::Sha3With224 => 28,
            DigestKind::Sha256 | DigestKind::Sha3With256 => 32,
            DigestKind::Sha384 | DigestKind::Sha3With384 => 48,
            DigestKind::Sha512 | DigestKind::Sha3With512 => 64,
        }
    }

    /// A digester that has seen nothing yet.
    pub(super) fn begin(self) -> Box<dyn DynDigest> {
        match self {
            DigestKind::Md5 => Box::new(Md5::default()),
            DigestKind::Sha1 => Box::new(Sha1::default()),
            DigestKind::Sha256 => Box::new(Sha256::default()),
            DigestKind::Sha384 => Box::new(Sha384::default()),
            DigestKind::Sha512 => Box::new(Sha512::default()),
            DigestKind::Sha3With224 => Box::new(Sha3_224::default()),
            DigestKind::Sha3With256 => Box::new(Sha3_256::default()),
            DigestKind::Sha3With384 => Box::new(Sha3_384::default()),
            DigestKind::Sha3With512 => Box::new(Sha3_512::default()),
        }
    }
}

/// Hexadecimal digits in upper case, as MIG tells digests.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
