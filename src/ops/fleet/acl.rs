// SPDX-License-Identifier: Apache-2.0
//! The ACL: shown, changed, exported, imported; and the bundle that agents get out of band, because an agent takes
//! neither keys nor ACL from the server.

mod bundle;

pub use bundle::{Bundle, write_bundle};

use crate::error::{Error, Kind, Result};
use crate::model::acl::{Acl, DEFAULT_ENTRY};
use crate::model::action::is_module_name;
use crate::model::audit::Actor;
use crate::model::investigator::Permission;
use crate::ops::App;
use crate::store::fleet::{AclModule, InvestigatorRow, NewAclModule, WeightRow, to_acl};

/// Greatest weight and minimum.
pub const WEIGHT_MAX: u32 = 1_000_000;
/// Bytes of an ACL in JSON.
pub const ACL_BYTES_MAX: usize = 4 << 20;

/// All entries, by module. Empty where none is configured; then one signature by an investigator with action_create
/// suffices.
pub fn entries(app: &App) -> Result<Vec<AclModule>> {
    app.store.acl()
}

/// The ACL as configured, in MIG's JSON, with a line end after the last line; `{}` where none is.
pub fn export(app: &App) -> Result<String> {
    to_json(&to_acl(&app.store.acl()?))
}

fn to_json(acl: &Acl) -> Result<String> {
    let text = serde_json::to_string_pretty(acl);
    text.map(|text| text + "\n").map_err(|error| Error::internal("Cannot write the ACL").because(error))
}

/// The rule by which actions are judged, in MIG's JSON: the ACL, or where none is configured what takes its place: one
/// signature by an active investigator with action_create.
fn effective(app: &App) -> Result<Acl> {
    let entries = app.store.acl()?;
    if !entries.is_empty() {
        return Ok(to_acl(&entries));
    }
    let may_create = |row: &InvestigatorRow| row.is_active && row.permissions.has(Permission::ActionCreate);
    let investigators = app.store.list_investigators()?.into_iter().filter(may_create);
    let weights = investigators
        .map(|row| WeightRow {
            investigator_id: row.id,
            name: row.name,
            fingerprint: row.fingerprint.unwrap_or_default(),
            is_active: true,
            weight: 1,
        })
        .collect();
    Ok(to_acl(&[AclModule { module: DEFAULT_ENTRY.to_owned(), minimum_weight: 1, weights }]))
}

/// Puts one entry in place of what there was for its module; returns it as stored. `weights`: name, id or fingerprint
/// of an investigator with a key, and the weight. Invalid where a number or name does not fit, NotFound and Conflict
/// where an investigator is not known or not the only one meant.
pub fn set(
    app: &App,
    module: &str,
    minimum: u32,
    weights: &[(String, u32)],
    actor: &Actor,
) -> Result<AclModule> {
    let investigators = app.store.list_investigators()?;
    let weights = weights
        .iter()
        .map(|(word, weight)| Ok((find(&investigators, word)?.id, *weight)))
        .collect::<Result<Vec<_>>>()?;
    let entry = checked(module, minimum, weights)?;
    if app.store.set_acl(vec![entry], false, actor)? {
        log::info!("Changed the ACL entry {module}");
    }
    let entries = app.store.acl()?;
    entries.into_iter().find(|entry| entry.module == module).ok_or_else(|| no_entry(module))
}

/// Reads `WHO=N`; a name may hold `=` itself. Invalid where it is not that.
pub fn read_weight(word: &str) -> Result<(String, u32)> {
    let read = word
        .rsplit_once('=')
        .and_then(|(who, weight)| Some((who.trim().to_owned(), weight.trim().parse().ok()?)));
    read.ok_or_else(|| Error::invalid(format!("{word:?} is no weight WHO=N, like \"Bob Kelso=1\"")))
}

/// Removes the entry of a module. NotFound where there is none.
pub fn remove(app: &App, module: &str, actor: &Actor) -> Result<()> {
    if !app.store.remove_acl(module, actor)? {
        return Err(no_entry(module));
    }
    log::info!("Removed the ACL entry {module}");
    Ok(())
}

/// Puts MIG's JSON in place of the whole ACL; its investigators are found by their fingerprints. All or nothing.
/// Returns how many entries there are. Invalid where it is no such JSON, NotFound where a fingerprint is not known.
pub fn import(app: &App, json: &[u8], actor: &Actor) -> Result<usize> {
    if json.len() > ACL_BYTES_MAX {
        return Err(Error::new(Kind::TooLarge, "The ACL is larger than 4 MiB"));
    }
    let acl: Acl = serde_json::from_slice(json)
        .map_err(|error| Error::invalid(format!("This is not an ACL in MIG's JSON: {error}")))?;
    let investigators = app.store.list_investigators()?;
    let mut entries = Vec::new();
    for (module, entry) in &acl.0 {
        let mut weights: Vec<(i64, u32)> = Vec::new();
        for (name, weight) in &entry.investigators {
            let found = by_fingerprint(&investigators, &weight.fingerprint);
            let id = found.ok_or_else(|| unknown(name, &weight.fingerprint))?.id;
            // A key that stands under two names counts once, with its greater weight.
            match weights.iter_mut().find(|(other, _)| *other == id) {
                Some((_, greatest)) => *greatest = (*greatest).max(weight.weight),
                None => weights.push((id, weight.weight)),
            }
        }
        // Keys of MIG's JSON are read in any case.
        let module = if module.eq_ignore_ascii_case(DEFAULT_ENTRY) { DEFAULT_ENTRY } else { module };
        entries.push(checked(module, entry.minimumweight, weights)?);
    }
    let count = entries.len();
    if app.store.set_acl(entries, true, actor)? {
        log::info!("Imported an ACL of {count} entries");
    }
    Ok(count)
}

/// Those of an entry's signers together: what it demands can be reached only where this is at least the minimum.
pub fn reachable_weight(entry: &AclModule) -> u64 {
    entry.weights.iter().filter(|row| row.is_active).map(|row| u64::from(row.weight)).sum()
}

fn checked(module: &str, minimum: u32, weights: Vec<(i64, u32)>) -> Result<NewAclModule> {
    if !is_module_name(module) {
        return Err(Error::invalid(format!(
            "{module:?} names no module; a name has up to 64 letters, digits, _, - or ., and {DEFAULT_ENTRY} is for \
             those without an entry"
        )));
    }
    let numbers = weights.iter().map(|(_, weight)| *weight).chain([minimum]);
    if numbers.into_iter().any(|number| !(1..=WEIGHT_MAX).contains(&number)) {
        let message = format!("Weights and the minimum of {module} must be from 1 to {WEIGHT_MAX}");
        return Err(Error::invalid(message));
    }
    for (index, (id, _)) in weights.iter().enumerate() {
        if weights[..index].iter().any(|(other, _)| other == id) {
            return Err(Error::invalid(format!("Investigator {id} has two weights for {module}; give one")));
        }
    }
    Ok(NewAclModule { module: module.to_owned(), minimum_weight: minimum, weights })
}

/// The one investigator that a word means: a fingerprint, an id or a name.
fn find<'a>(investigators: &'a [InvestigatorRow], word: &str) -> Result<&'a InvestigatorRow> {
    let is_meant = |row: &&InvestigatorRow| row.name == word || row.id.to_string() == word;
    let meant: Vec<&InvestigatorRow> = match by_fingerprint(investigators, word) {
        Some(row) => vec![row],
        None => investigators.iter().filter(is_meant).collect(),
    };
    match meant[..] {
        [one] if one.fingerprint.is_some() => Ok(one),
        [one] => Err(Error::invalid(format!(
            "Investigator {} ({:?}) has no key, so nothing that it signs can count",
            one.id, one.name
        ))),
        [] => Err(Error::not_found(format!(
            "There is no investigator {word:?}; `muster investigator list` shows them"
        ))),
        _ => {
            let ids: Vec<String> = meant
                .iter()
                .map(|row| format!("{} ({})", row.id, row.fingerprint.as_deref().unwrap_or("no key")))
                .collect();
            Err(Error::new(
                Kind::Invalid,
                format!("{word:?} can mean investigators {}; give a fingerprint", ids.join(" and ")),
            ))
        }
    }
}

fn by_fingerprint<'a>(investigators: &'a [InvestigatorRow], text: &str) -> Option<&'a InvestigatorRow> {
    let of =
        |row: &&InvestigatorRow| row.fingerprint.as_deref().is_some_and(|f| f.eq_ignore_ascii_case(text));
    investigators.iter().find(of)
}

fn unknown(name: &str, fingerprint: &str) -> Error {
    Error::not_found(format!("No investigator has the key {fingerprint:?} of {name:?}; add it first"))
}

fn no_entry(module: &str) -> Error {
    Error::not_found(format!("The ACL has no entry {module:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::investigator::Permissions;

    fn row(id: i64, name: &str, fingerprint: Option<&str>) -> InvestigatorRow {
        InvestigatorRow {
            id,
            name: name.to_owned(),
            fingerprint: fingerprint.map(str::to_owned),
            public_key: None,
            is_active: true,
            created_at: 0,
            modified_at: 0,
            permissions: Permissions::NONE,
            has_api_key: false,
        }
    }

    #[test]
    fn a_word_means_one_investigator_or_is_refused() {
        let known = [
            row(1, "Bob", Some("AAAA")),
            row(2, "Bob", Some("BBBB")),
            row(3, "1", Some("CCCC")),
            row(4, "Kim", None),
            row(5, "AAAA", Some("DDDD")),
            row(6, "Lee Ray", Some("EEEE")),
        ];
        let cases = [
            ("Lee Ray", "6"),
            ("6", "6"),
            ("eeee", "6"),
            ("2", "2"),
            ("AAAA", "1"),
            ("Bob", "\"Bob\" can mean investigators 1 (AAAA) and 2 (BBBB); give a fingerprint"),
            ("1", "\"1\" can mean investigators 1 (AAAA) and 3 (CCCC); give a fingerprint"),
            ("Kim", "Investigator 4 (\"Kim\") has no key, so nothing that it signs can count"),
            ("kim", "There is no investigator \"kim\"; `muster investigator list` shows them"),
        ];
        for (word, expected) in cases {
            let said = find(&known, word).map(|row| row.id.to_string());
            assert_eq!(said.unwrap_or_else(|error| error.message().to_owned()), expected, "{word}");
        }
    }

    #[test]
    fn a_weight_is_split_at_its_last_equals_sign() {
        let cases = [
            ("Bob=1", Some(("Bob", 1))),
            ("a=b = 22", Some(("a=b", 22))),
            ("Bob", None),
            ("Bob=x", None),
            ("Bob=-1", None),
        ];
        for (word, expected) in cases {
            let read = read_weight(word).ok();
            assert_eq!(read.as_ref().map(|(who, weight)| (who.as_str(), *weight)), expected, "{word}");
        }
    }

    #[test]
    fn numbers_and_names_have_bounds() {
        assert!(checked("file", 1, vec![(1, 1), (2, WEIGHT_MAX)]).is_ok());
        assert!(checked(DEFAULT_ENTRY, 1, Vec::new()).is_ok());
        for (module, minimum, weights) in [
            ("", 1, vec![(1, 1)]),
            ("a b", 1, vec![(1, 1)]),
            ("file", 0, vec![(1, 1)]),
            ("file", WEIGHT_MAX + 1, vec![(1, 1)]),
            ("file", 1, vec![(1, 0)]),
            ("file", 1, vec![(1, 1), (1, 2)]),
        ] {
            assert!(checked(module, minimum, weights.clone()).is_err(), "{module} {minimum} {weights:?}");
        }
    }
}
