// SPDX-License-Identifier: Apache-2.0
//! Whose signatures an action has.

use crate::error::{Error, Kind, Result};
use crate::model::action::Action;
use crate::ops::App;
use crate::ops::fleet::authenticate::key_id;
use crate::pgp::{DetachedSignature, PublicKey, Refusal};
use crate::store::fleet::InvestigatorRow;

/// Investigators whose keys are tried for one signature: those with a key of the id that it names, mostly one.
const CANDIDATES_MAX: usize = 8;

/// Verifies every signature of an action against the keys of the active investigators; returns whose they are, in the
/// order of the signatures. Kinds: Invalid where one cannot be read, Forbidden where one is by nobody who is known and
/// active, not over this action, or by somebody who signed already.
pub fn verify(app: &App, action: &Action) -> Result<Vec<InvestigatorRow>> {
    let text = action.signed_text()?;
    let now = app.clock.now();
    let mut signers: Vec<InvestigatorRow> = Vec::new();
    for (index, signature) in action.pgpsignatures.as_deref().unwrap_or_default().iter().enumerate() {
        let signer = signer_of(app, signature, text.as_bytes(), now).map_err(|failure| match failure {
            Failure::Refused(refusal) => refused(index, &refusal),
            Failure::Error(error) => error,
        })?;
        if signers.iter().any(|other| other.id == signer.id) {
            let fingerprint = signer.fingerprint.unwrap_or_default();
            return Err(Error::new(
                Kind::Forbidden,
                format!("permission violation: key {fingerprint} used to sign multiple times"),
            ));
        }
        signers.push(signer);
    }
    Ok(signers)
}

/// Why a signature was not verified: its own fault, or ours.
enum Failure {
    Refused(Refusal),
    Error(Error),
}

fn signer_of(app: &App, signature: &str, text: &[u8], now: i64) -> Result<InvestigatorRow, Failure> {
    let signature = DetachedSignature::read(signature.as_bytes()).map_err(Failure::Refused)?;
    let mut candidates: Vec<InvestigatorRow> = Vec::new();
    for key_id in signature.issuers().iter().filter_map(|text| key_id(text)) {
        for row in app.store.investigators_by_key_id(&key_id).map_err(Failure::Error)? {
            if candidates.iter().all(|other| other.id != row.id) {
                candidates.push(row);
            }
        }
    }
    candidates.truncate(CANDIDATES_MAX);
    let mut refusal = Refusal::UnknownKey;
    for row in candidates {
        let armored = row.public_key.as_deref().unwrap_or_default();
        let key = PublicKey::read(armored.as_bytes()).map_err(Failure::Error)?;
        match signature.verify(text, std::slice::from_ref(&key), now) {
            Ok(_) => return Ok(row),
            Err(found) => refusal = found,
        }
    }
    Err(Failure::Refused(refusal))
}

/// MIG's text first, because scripts match it, then ours, which says more.
fn refused(index: usize, refusal: &Refusal) -> Error {
    let kind = match refusal {
        Refusal::Malformed(_) | Refusal::Unsupported(_) => Kind::Invalid,
        _ => Kind::Forbidden,
    };
    let mut about = refusal.to_string();
    if matches!(refusal, Refusal::UnknownKey) {
        about.push_str(", or its owner is disabled");
    }
    let number = index + 1;
    Error::new(kind, format!("VerifySignatures() -> {} (signature {number}: {about})", refusal.mig_text()))
}
