// SPDX-License-Identifier: Apache-2.0
//! What an admin does with a post in quarantine: admit it after correction, or drop it.

use crate::error::{Error, Result};
use crate::ingest::{accept_values, corrected_values, known_values};
use crate::model::audit::Actor;
use crate::model::pairs::Pairs;
use crate::model::quarantine::{CorrectedField, Quarantined};
use crate::model::record::{Record, hex};
use crate::ops::{App, collect};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The values that the correction form starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Every field of a record by its JSON key, empty where it cannot be read.
    pub values: Vec<(String, String)>,
    /// The payload as it came.
    pub payload: String,
    /// Its bytes as the sender had them.
    pub payload_len_bytes: usize,
    /// Whether the record is marked external.
    pub is_external: bool,
}

/// Reads what can be read of a post in quarantine.
pub fn correction_of(post: &Quarantined) -> Correction {
    let fields = fields_of(&post.content.head);
    let (values, payload, payload_len_bytes) = known_values(&fields, &post.content.body);
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let is_external = fields.iter().any(|(name, value)| {
        name.replace('_', "-").eq_ignore_ascii_case("x-clr-external") && value.eq_ignore_ascii_case("true")
    });
    Correction { values, payload, payload_len_bytes, is_external }
}

/// The header fields of a raw head: every line after the first that has a colon.
fn fields_of(head: &[u8]) -> Vec<(String, String)> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text.to_owned(),
        Err(_) => head.iter().map(|byte| char::from(*byte)).collect(),
    };
    let lines = text.split('\n').skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Stores a corrected post and takes it out of quarantine. `form`: the fields by their JSON key, and `payload`, which
/// does not count where `payload_as_sent` is `true`. Kinds: NotFound where it is gone, Invalid or TooLarge where it
/// still breaks a rule.
pub fn admit(app: &App, id: i64, form: &Pairs, actor: &Actor) -> Result<Record> {
    let sent = correction_of(&require(app, id)?);
    let (payload, len_bytes) = match form.first("payload_as_sent") {
        Some("true") => (sent.payload.clone(), sent.payload_len_bytes),
        _ => {
            // A browser sends the line ends of a text area as CR LF.
            let payload = form.first("payload").unwrap_or("").replace("\r\n", "\n");
            let len_bytes = payload.len();
            (payload, len_bytes)
        }
    };
    let record = accept_values(form.0.clone(), payload, len_bytes, sent.is_external, &app.ingest_limits())?;
    let corrected = corrected_fields(&sent, form, &record.payload);
    let stored = app.store.admit_quarantined(id, &record, corrected, actor)?.ok_or_else(|| gone(id))?;
    let record = collect::as_stored(app, stored, record)?;
    log::info!("Admitted quarantined post {id} as record {}", record.id);
    Ok(record)
}

/// What a person changed of what was sent.
fn corrected_fields(sent: &Correction, form: &Pairs, payload: &str) -> Vec<CorrectedField> {
    let now = corrected_values(form.0.clone());
    let fields = sent.values.iter().zip(&now).filter(|((_, before), (_, after))| before != after);
    let mut corrected: Vec<CorrectedField> = fields
        .map(|((_, before), (name, after))| CorrectedField {
            name,
            before: Value::from(before.as_str()),
            after: Value::from(after.as_str()),
        })
        .collect();
    if sent.payload != payload {
        let (before, after) = (told_payload(&sent.payload), told_payload(payload));
        corrected.push(CorrectedField { name: "payload", before, after });
    }
    corrected
}

/// A payload as the audit log keeps it: never itself.
fn told_payload(payload: &str) -> Value {
    json!({ "bytes": payload.len(), "sha256": hex(&Sha256::digest(payload.as_bytes())) })
}

/// Drops a post from quarantine. NotFound where it is gone.
pub fn drop_post(app: &App, id: i64, actor: &Actor) -> Result<()> {
    if !app.store.delete_quarantined(id, actor)? {
        return Err(gone(id));
    }
    log::info!("Dropped quarantined post {id}");
    Ok(())
}

/// The post, or NotFound.
pub fn require(app: &App, id: i64) -> Result<Quarantined> {
    app.store.find_quarantined(id)?.ok_or_else(|| gone(id))
}

fn gone(id: i64) -> Error {
    Error::not_found(format!("There is no post {id} in quarantine; it was admitted or dropped"))
}
