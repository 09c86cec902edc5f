// SPDX-License-Identifier: Apache-2.0
//! The ACL's tables.

use crate::error::{Error, Result};
use crate::model::acl::{Acl, AclEntry, AclWeight};
use crate::model::audit::{Actor, Audit};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Entries of the ACL.
pub const ACL_MODULES_MAX: usize = 200;
/// Weights of one entry.
pub const ACL_WEIGHTS_MAX: usize = 1_000;

/// An entry of the ACL as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclModule {
    /// The module, or [`crate::model::acl::DEFAULT_ENTRY`].
    pub module: String,
    /// The sum of weights that signers must reach; at least 1.
    pub minimum_weight: u32,
    /// Who has which weight, by name.
    pub weights: Vec<WeightRow>,
}

/// The weight of one investigator in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightRow {
    /// The investigator.
    pub investigator_id: i64,
    /// The name.
    pub name: String,
    /// Fingerprint of the primary key; empty where the key is gone.
    pub fingerprint: String,
    /// False where the investigator is disabled, so that nothing of theirs counts.
    pub is_active: bool,
    /// The weight; at least 1.
    pub weight: u32,
}

/// An entry to be stored in place of what there was for its module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAclModule {
    /// The module, or [`crate::model::acl::DEFAULT_ENTRY`].
    pub module: String,
    /// The sum of weights that signers must reach; at least 1.
    pub minimum_weight: u32,
    /// Investigators, each once, with their weights of at least 1.
    pub weights: Vec<(i64, u32)>,
}

impl Store {
    /// All entries of the ACL, by module. Empty where none is configured.
    pub fn acl(&self) -> Result<Vec<AclModule>> {
        self.read(READ_MOST, read_modules)
    }

    /// Puts entries in place of those of the same modules; with `replaces_all` in place of the whole ACL. All or none.
    /// False where they were so already. Invalid where there would be too many, NotFound where an investigator is gone.
    pub fn set_acl(&self, entries: Vec<NewAclModule>, replaces_all: bool, actor: &Actor) -> Result<bool> {
        let actor = actor.clone();
        self.writer().change(true, move |write| {
            let connection = write.connection;
            let before = read_modules(connection)?;
            if replaces_all {
                connection.execute("DELETE FROM acl_weights", [])?;
                connection.execute("DELETE FROM acl_modules", [])?;
            }
            for entry in &entries {
                set_module(connection, entry)?;
            }
            let count: i64 =
                connection.query_row("SELECT count(*) FROM acl_modules", [], |row| row.get(0))?;
            if count > ACL_MODULES_MAX as i64 {
                let message = format!("An ACL has at most {ACL_MODULES_MAX} entries; remove some");
                return Err(Error::invalid(message));
            }
            let after = read_modules(connection)?;
            if after == before {
                return Ok(false);
            }
            let (action, subject) = match (replaces_all, &entries[..]) {
                (false, [entry]) => ("acl.set", format!("acl {}", entry.module)),
                _ => ("acl.import", "acl".to_owned()),
            };
            let is_meant = |module: &str| replaces_all || entries.iter().any(|entry| entry.module == module);
            let audit = Audit::new(&actor, action, subject)
                .before(told(&before, is_meant))
                .after(told(&after, is_meant));
            write.audit(&audit).map(|()| true)
        })
    }

    /// Removes the entry of a module; false where there was none.
    pub fn remove_acl(&self, module: &str, actor: &Actor) -> Result<bool> {
        let (module, actor) = (module.to_owned(), actor.clone());
        self.writer().change(false, move |write| {
            let before = told(&read_modules(write.connection)?, |other| other == module);
            write.connection.execute("DELETE FROM acl_weights WHERE module = ?1", [&module])?;
            if write.connection.execute("DELETE FROM acl_modules WHERE module = ?1", [&module])? == 0 {
                return Ok(false);
            }
            let audit = Audit::new(&actor, "acl.remove", format!("acl {module}")).before(before);
            write.audit(&audit).map(|()| true)
        })
    }
}

/// Entries as the audit log keeps them: by module the minimum and the weights by name; null where there is none.
fn told(modules: &[AclModule], is_meant: impl Fn(&str) -> bool) -> Value {
    let mut told = serde_json::Map::new();
    for module in modules.iter().filter(|module| is_meant(&module.module)) {
        let weights: Vec<String> =
            module.weights.iter().map(|row| format!("{}: {}", row.name, row.weight)).collect();
        let entry = json!({ "minimum": module.minimum_weight, "weights": weights });
        told.insert(module.module.clone(), entry);
    }
    if told.is_empty() { Value::Null } else { Value::Object(told) }
}

fn set_module(connection: &Connection, entry: &NewAclModule) -> Result<()> {
    if entry.weights.len() > ACL_WEIGHTS_MAX {
        return Err(Error::invalid(format!("An entry of the ACL has at most {ACL_WEIGHTS_MAX} weights")));
    }
    connection.execute("DELETE FROM acl_weights WHERE module = ?1", [&entry.module])?;
    connection.execute(
        "INSERT INTO acl_modules (module, minimum_weight) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET minimum_weight = excluded.minimum_weight",
        params![entry.module, entry.minimum_weight],
    )?;
    for (investigator_id, weight) in &entry.weights {
        let sql = "SELECT 1 FROM investigators WHERE id = ?1 AND fingerprint IS NOT NULL";
        if !connection.prepare_cached(sql)?.exists([investigator_id])? {
            let message = format!("Investigator {investigator_id} is gone, or has no key");
            return Err(Error::not_found(message));
        }
        connection
            .prepare_cached("INSERT INTO acl_weights (module, investigator_id, weight) VALUES (?1, ?2, ?3)")?
            .execute(params![entry.module, investigator_id, weight])?;
    }
    Ok(())
}

fn read_modules(connection: &Connection) -> Result<Vec<AclModule>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.module, m.minimum_weight, w.investigator_id, i.name, coalesce(i.fingerprint, ''), i.is_active,
           w.weight
         FROM acl_modules m LEFT JOIN acl_weights w ON w.module = m.module
         LEFT JOIN investigators i ON i.id = w.investigator_id
         ORDER BY m.module, i.name, i.id",
    )?;
    let mut rows = statement.query([])?;
    let mut modules: Vec<AclModule> = Vec::new();
    while let Some(row) = rows.next()? {
        let module: String = row.get(0)?;
        if modules.last().is_none_or(|last| last.module != module) {
            let minimum_weight = row.get(1)?;
            modules.push(AclModule { module, minimum_weight, weights: Vec::new() });
        }
        let (Some(last), Some(investigator_id)) = (modules.last_mut(), row.get(2)?) else { continue };
        last.weights.push(WeightRow {
            investigator_id,
            name: row.get(3)?,
            fingerprint: row.get(4)?,
            is_active: row.get(5)?,
            weight: row.get(6)?,
        });
    }
    Ok(modules)
}

/// The ACL by which actions are judged, also inside a change; none where none is configured.
pub(crate) fn load_acl(connection: &Connection) -> Result<Option<Acl>> {
    let modules = read_modules(connection)?;
    Ok((!modules.is_empty()).then(|| to_acl(&modules)))
}

/// The entries as MIG's JSON has them. Who is disabled or has no key is left out; of several investigators of one name
/// each gets its fingerprint beside the name.
pub fn to_acl(modules: &[AclModule]) -> Acl {
    let mut acl = Acl::default();
    for module in modules {
        let mut investigators = BTreeMap::new();
        let counted = || module.weights.iter().filter(|row| row.is_active && !row.fingerprint.is_empty());
        for row in counted() {
            let is_alone = counted().filter(|other| other.name == row.name).count() == 1;
            let mut name = match is_alone {
                true => row.name.clone(),
                false => format!("{} ({})", row.name, row.fingerprint),
            };
            // Somebody may be called just like that.
            while investigators.contains_key(&name) {
                name.push('\'');
            }
            let weight = AclWeight { fingerprint: row.fingerprint.clone(), weight: row.weight };
            investigators.insert(name, weight);
        }
        let entry = AclEntry { minimumweight: module.minimum_weight, investigators };
        acl.0.insert(module.module.clone(), entry);
    }
    acl
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, name: &str, fingerprint: &str, is_active: bool) -> WeightRow {
        let (name, fingerprint) = (name.to_owned(), fingerprint.to_owned());
        WeightRow { investigator_id: id, name, fingerprint, is_active, weight: 1 }
    }

    #[test]
    fn who_shares_a_name_is_told_apart_and_who_is_disabled_left_out() {
        let module = AclModule {
            module: "file".to_owned(),
            minimum_weight: 2,
            weights: vec![
                row(1, "Bob", "AA", true),
                row(2, "Bob", "BB", true),
                row(3, "Bob (AA)", "CC", true),
                row(4, "Kim", "DD", true),
                row(5, "Kim", "EE", false),
                row(6, "Lee", "", true),
            ],
        };
        let acl = to_acl(&[module]);
        let names: Vec<(&str, &str)> = acl.0["file"]
            .investigators
            .iter()
            .map(|(name, weight)| (name.as_str(), weight.fingerprint.as_str()))
            .collect();
        assert_eq!(names, [("Bob (AA)", "AA"), ("Bob (AA)'", "CC"), ("Bob (BB)", "BB"), ("Kim", "DD")]);
        assert_eq!(acl.0["file"].minimumweight, 2);
    }
}
