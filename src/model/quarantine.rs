// SPDX-License-Identifier: Apache-2.0
//! A post that broke a rule and was kept aside, because its sender would else try it again for 20 hours.

use serde_json::Value;

/// A post before it is put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewQuarantined {
    /// Which rule it broke, as the sender was told.
    pub reason: String,
    /// Address of the sender.
    pub peer: String,
    /// Request line and header fields as they came.
    pub head: Vec<u8>,
    /// The body; of one over the limit the first 64 KiB.
    pub body: Vec<u8>,
    /// True where the body was cut.
    pub is_body_cut: bool,
}

/// A field that a person corrected before a post was admitted, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectedField {
    /// Its JSON key.
    pub name: &'static str,
    /// As it was sent, empty where it could not be read; of a payload its length and digest.
    pub before: Value,
    /// As the person wrote it; of a payload its length and digest.
    pub after: Value,
}

/// A post in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Ascending, never used twice.
    pub id: i64,
    /// When it came, Unix seconds.
    pub received_at: i64,
    /// What came.
    pub content: NewQuarantined,
}
