// SPDX-License-Identifier: Apache-2.0
//! Submitting an action: every check, then the row.

use crate::error::Result;
use crate::model::action::{Action, Counters};
use crate::model::audit::Actor;
use crate::model::timestamp::Timestamp;
use crate::ops::App;
use crate::ops::fleet::signatures;
use crate::ops::fleet::spooling::SubmittedFile;
use crate::pgp::DetachedSignature;
use crate::store::fleet::{ActionRow, InvestigatorRow, NewAction, NewSignature};
use crate::target;
use sha2::{Digest, Sha256};

/// By which way an action came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `POST /api/v1/action/create/`.
    Api,
    /// `muster action submit`.
    CommandLine,
    /// A file in `action/new` of the spool; the only one whose id counts.
    Spool,
    /// The page /actions/new.
    Page,
}

/// Who submits an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitter {
    /// The investigator who asked the API, who must have action_create.
    pub investigator_id: Option<i64>,
    /// By which way it came.
    pub origin: Origin,
    /// The same for the audit log.
    pub actor: Actor,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Origin::Api => "the API",
            Origin::CommandLine => "the command line",
            Origin::Spool => "the spool",
            Origin::Page => "a page",
        }
    }
}

/// Checks an action and stores it as pending; from then on the scheduler has it. Returns after the commit.
///
/// Kinds: Invalid where it breaks a rule, Forbidden where its signatures do not suffice, Conflict where the same signed
/// text was accepted before, Busy where it cannot be stored now.
pub fn submit(app: &App, action: &Action, submitter: &Submitter) -> Result<ActionRow> {
    let outcome = submit_checked(app, action, submitter);
    if let Err(error) = &outcome {
        // MIG's client does not show why it was refused, so the log must.
        let name: String = action.name.chars().take(80).collect();
        let origin = submitter.origin.word();
        log::info!("Refused action {name:?} from {origin}: {}", error.message());
    }
    outcome
}

fn submit_checked(app: &App, action: &Action, submitter: &Submitter) -> Result<ActionRow> {
    let signers = check(app, action)?;
    let wanted_id = action.known_id().filter(|_| submitter.origin == Origin::Spool);
    let new = new_action(action, &signers, wanted_id, submitter.investigator_id)?;
    let file = SubmittedFile::new(app);
    let row = app.store.insert_action(new, &submitter.actor, file.hook())?;
    file.keep(row.id);
    app.dispatch.wake_scheduler();
    log::info!("Accepted action {} from {}, signed by {}", row.id, submitter.origin.word(), names(&row));
    Ok(row)
}

/// Every check that needs no change: the rules of the action itself, its target, its signatures. Returns whose they
/// are. The ACL and whether it is a repetition are judged where it is stored.
pub fn check(app: &App, action: &Action) -> Result<Vec<InvestigatorRow>> {
    action.check(app.clock.now())?;
    target::parse(&action.target)?;
    signatures::verify(app, action)
}

fn new_action(
    action: &Action,
    signers: &[InvestigatorRow],
    wanted_id: Option<i64>,
    created_by: Option<i64>,
) -> Result<NewAction> {
    let mut document = bare(action);
    let mut signatures = Vec::new();
    for (text, signer) in document.pgpsignatures.iter_mut().flatten().zip(signers) {
        // MIG's clients and agents know only the one line.
        if text.trim_start().starts_with("-----") {
            *text = DetachedSignature::read(text.as_bytes())?.one_line();
        }
        signatures.push(NewSignature {
            investigator_id: signer.id,
            public_key: signer.public_key.clone().unwrap_or_default(),
            signature: text.clone(),
        });
    }
    Ok(NewAction {
        wanted_id,
        name: action.name.clone(),
        target: action.target.clone(),
        threat_family: action.threat.family.clone(),
        valid_from: action.validfrom.unix_secs,
        expire_after: action.expireafter.unix_secs,
        modules: action.operations.iter().flatten().map(|operation| operation.module.clone()).collect(),
        document: document.to_json()?,
        signed_digest: Sha256::digest(action.signed_text()?.as_bytes()).into(),
        signatures,
        created_by,
    })
}

/// The action without what only the server knows.
fn bare(action: &Action) -> Action {
    Action {
        id: 0.0,
        investigators: None,
        status: String::new(),
        starttime: Timestamp::ZERO,
        finishtime: Timestamp::ZERO,
        lastupdatetime: Timestamp::ZERO,
        counters: Counters::default(),
        ..action.clone()
    }
}

/// Whose signatures an action has, for the log.
fn names(row: &ActionRow) -> String {
    let names: Vec<String> =
        row.signers.iter().map(|signer| format!("{:?} ({})", signer.name, signer.fingerprint)).collect();
    names.join(", ")
}
