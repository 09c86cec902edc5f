// SPDX-License-Identifier: Apache-2.0
//! Investigators: adding, changing, API keys, removing; for the command line, the API and the page alike.

use crate::error::{Error, Kind, Result};
use crate::model::audit::Actor;
use crate::model::filter::shortened;
use crate::model::investigator::Permissions;
use crate::ops::App;
use crate::ops::fleet::authenticate::{api_key_digest, key_id};
use crate::pgp::{KEY_BYTES_MAX, PublicKey};
use crate::store::fleet::{ApiKeyChange, InvestigatorChange, InvestigatorRow, NewInvestigator, NewKey};

/// Bytes of an investigator's name.
pub const NAME_BYTES_MAX: usize = 200;
/// Characters of an API key: 190 bits of chance.
pub const API_KEY_CHARS: usize = 32;
/// What API keys are made of.
const API_KEY_DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An investigator to be added, as somebody wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Adding<'a> {
    /// The name.
    pub name: &'a str,
    /// The public key, armored or binary; none for one who uses an API key only.
    pub key: Option<&'a [u8]>,
    /// What it may do.
    pub permissions: Permissions,
}

/// A change of an investigator that somebody asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changing {
    /// To be enabled or disabled.
    pub is_active: Option<bool>,
    /// What it may do from now on, all of it.
    pub permissions: Option<Permissions>,
    /// True: it gets a new API key in place of any old one; false: it loses its API key.
    pub has_api_key: Option<bool>,
    /// Refuse what would leave nobody who can administrate investigators, where there is somebody.
    pub keeps_admin: bool,
}

/// An investigator after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is now.
    pub investigator: InvestigatorRow,
    /// The new API key, told this once.
    pub api_key: Option<String>,
}

/// Adds an active investigator. Invalid where the name or the key breaks a rule, Conflict where the key is there.
pub fn add(app: &App, adding: &Adding<'_>, actor: &Actor) -> Result<InvestigatorRow> {
    let name = checked_name(adding.name)?;
    let key = adding.key.map(|bytes| checked_key(bytes, app.clock.now())).transpose()?;
    let new = NewInvestigator { name, key, permissions: adding.permissions };
    let row = app.store.insert_investigator(new, actor)?;
    log::info!("Added investigator {}, {}", row.id, row.fingerprint.as_deref().unwrap_or("without a key"));
    Ok(row)
}

/// Changes an investigator. NotFound where there is no such one, Conflict where `keeps_admin` forbids it.
pub fn change(app: &App, id: i64, changing: Changing, actor: &Actor) -> Result<Changed> {
    let api_key = match changing.has_api_key {
        Some(true) => Some(new_api_key()?),
        _ => None,
    };
    let change = InvestigatorChange {
        is_active: changing.is_active,
        permissions: changing.permissions,
        api_key: match (&api_key, changing.has_api_key) {
            (Some(key), _) => Some(ApiKeyChange::Set(api_key_digest(key))),
            (None, Some(_)) => Some(ApiKeyChange::Clear),
            (None, None) => None,
        },
        keeps_admin: changing.keeps_admin,
    };
    let changed = app.store.change_investigator(id, change, actor)?.ok_or_else(|| gone(id))?;
    let investigator = changed.row;
    if !changed.is_changed {
        return Ok(Changed { investigator, api_key: None });
    }
    let words = investigator.permissions.words().join(",");
    log::info!(
        "Changed investigator {id}: {}, permissions {}, {}",
        investigator.status_word(),
        if words.is_empty() { "none" } else { &words },
        match (changing.has_api_key, investigator.has_api_key) {
            (Some(true), _) => "a new API key",
            (_, true) => "with an API key",
            (_, false) => "without an API key",
        }
    );
    Ok(Changed { investigator, api_key })
}

/// Removes an investigator. NotFound where there is no such one, Conflict where something refers to it.
pub fn remove(app: &App, id: i64, actor: &Actor) -> Result<()> {
    if !app.store.delete_investigator(id, actor)? {
        return Err(gone(id));
    }
    log::info!("Removed investigator {id}");
    Ok(())
}

/// The investigator that a person means: by id, by fingerprint (the spaces and `0x` of other programs are passed over),
/// or by the whole name where only one has it. NotFound where none does, Invalid where several do.
pub fn find(app: &App, text: &str) -> Result<InvestigatorRow> {
    let wanted = text.trim();
    if let Ok(id) = wanted.parse::<i64>() {
        return app.store.investigator(id)?.ok_or_else(|| gone(id));
    }
    let digits: String = wanted.trim_start_matches("0x").chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() == 40
        && let Some(row) = app.store.investigator_by_fingerprint(&digits.to_ascii_uppercase())?
    {
        return Ok(row);
    }
    let mut named: Vec<InvestigatorRow> =
        app.store.list_investigators()?.into_iter().filter(|row| row.name == wanted).collect();
    match (named.pop(), named.len()) {
        (Some(row), 0) => Ok(row),
        (Some(_), others) => Err(Error::invalid(format!(
            "{} investigators are called {}; name one by its id",
            others + 1,
            shortened(wanted)
        ))),
        (None, _) => Err(Error::not_found(format!(
            "There is no investigator {}; name one by id, fingerprint or whole name",
            shortened(wanted)
        ))),
    }
}

/// There is no such investigator, in the words of MIG.
pub fn gone(id: i64) -> Error {
    Error::not_found(format!("Investigator ID '{id}' not found"))
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid("Investigator name must not be empty"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::invalid(format!("Investigator name must have at most {NAME_BYTES_MAX} bytes")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("Investigator name must not have control characters"));
    }
    Ok(name.to_owned())
}

fn checked_key(bytes: &[u8], now: i64) -> Result<NewKey> {
    if bytes.len() > KEY_BYTES_MAX {
        return Err(Error::new(
            Kind::TooLarge,
            format!(
                "The public key has more than {KEY_BYTES_MAX} bytes; export it with --export-options export-minimal"
            ),
        ));
    }
    let key = PublicKey::read(bytes)?;
    key.check_usable(now)?;
    Ok(NewKey {
        fingerprint: key.fingerprint().to_owned(),
        armored: key.armored(),
        key_ids: key.key_ids().iter().filter_map(|id| key_id(id)).collect(),
    })
}

fn new_api_key() -> Result<String> {
    let mut key = String::with_capacity(API_KEY_CHARS);
    let mut chance = [0; 64];
    while key.len() < API_KEY_CHARS {
        getrandom::fill(&mut chance).map_err(|error| {
            Error::internal("The system has no random numbers").because(error.to_string())
        })?;
        // 248 is four times 62: each digit is as likely as any other.
        let digits =
            chance.iter().filter(|byte| **byte < 248).map(|byte| API_KEY_DIGITS[usize::from(byte % 62)]);
        key.extend(digits.map(char::from).take(API_KEY_CHARS - key.len()));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_not_long() {
        let long = "n".repeat(NAME_BYTES_MAX);
        let cases = [
            ("Bob Kelso", Ok("Bob Kelso")),
            (" Zoë ", Ok("Zoë")),
            (long.as_str(), Ok(long.as_str())),
            ("", Err("Investigator name must not be empty")),
            (" \t ", Err("Investigator name must not be empty")),
            ("a\nb", Err("Investigator name must not have control characters")),
            ("a\u{9b}b", Err("Investigator name must not have control characters")),
        ];
        for (name, expected) in cases {
            let checked = checked_name(name);
            assert_eq!(checked.as_deref().map_err(Error::message), expected, "{name:?}");
        }
        let too_long = checked_name(&format!("{long}n")).unwrap_err();
        assert_eq!(too_long.message(), "Investigator name must have at most 200 bytes");
    }

    #[test]
    fn api_keys_are_long_and_differ() {
        let keys: std::collections::BTreeSet<String> = (0..100).map(|_| new_api_key().unwrap()).collect();
        assert_eq!(keys.len(), 100);
        let seen: std::collections::BTreeSet<char> = keys.iter().flat_map(|key| key.chars()).collect();
        assert_eq!(seen.len(), API_KEY_DIGITS.len());
        assert!(keys.iter().all(|key| key.len() == API_KEY_CHARS));
    }
}
