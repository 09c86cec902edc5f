// SPDX-License-Identifier: Apache-2.0
//! The blacklist as stored: what an admin added, and what of the shipped list is switched off.
//!
//! A change takes effect for new crashes at once; the ones that are stored follow by [`Store::recompute_step`].

use crate::error::{Error, Result};
use crate::guilty::blacklist::{Blacklist, Entry};
use crate::guilty::defaults::default_entries;
use crate::model::audit::{Actor, Audit};
use crate::model::crash::Guilty;
use crate::store::guilty_row::{GUILTY_COLUMNS, guilty_from_row};
use crate::store::meta::{meta, set_meta};
use crate::store::{READ_MOST, Store};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most entries of an admin's own.
pub const OWN_ENTRIES_MAX: usize = 10_000;

/// The blacklist as an admin left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlacklistState {
    /// False where the whole shipped list is switched off.
    pub is_default_on: bool,
    /// Entries of the admin's own.
    pub own: BTreeSet<Entry>,
    /// Entries of the shipped list that are switched off.
    pub switched_off: BTreeSet<Entry>,
}

/// What is to be changed, in this order: reset, the switch, removals, additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlacklistChange {
    /// Back to the shipped list, all of it on, without any of the admin's own.
    pub is_reset: bool,
    /// Switches the whole shipped list.
    pub set_default_on: Option<bool>,
    /// Entries to take out: own ones go, shipped ones are switched off.
    pub remove: Vec<Entry>,
    /// Entries to put in: shipped ones that were off are switched on, others become own ones.
    pub add: Vec<Entry>,
}

impl BlacklistState {
    /// The state after a change.
    pub fn changed(&self, change: &BlacklistChange) -> BlacklistState {
        let mut next = self.clone();
        if change.is_reset {
            next = BlacklistState { is_default_on: true, ..BlacklistState::default() };
        }
        if let Some(is_on) = change.set_default_on {
            next.is_default_on = is_on;
        }
        let shipped: BTreeSet<&Entry> = default_entries().collect();
        for entry in &change.remove {
            next.own.remove(entry);
            if shipped.contains(entry) {
                next.switched_off.insert(entry.clone());
            }
        }
        for entry in &change.add {
            next.switched_off.remove(entry);
            if !shipped.contains(entry) || !next.is_default_on {
                next.own.insert(entry.clone());
            }
        }
        next
    }

    /// Every entry that holds now, the two fixed ones aside.
    pub fn entries(&self) -> BTreeSet<Entry> {
        let mut entries = self.own.clone();
        if self.is_default_on {
            let shipped = default_entries().filter(|entry| !self.switched_off.contains(entry));
            entries.extend(shipped.cloned());
        }
        entries
    }

    /// The same for matching, with the two fixed entries.
    pub fn effective(&self) -> Blacklist {
        Blacklist::new(self.entries())
    }
}

/// The blacklist in the database.
pub fn load_blacklist(connection: &Connection) -> Result<BlacklistState> {
    let is_default_on = meta(connection, "blacklist_defaults")?.map(|value| value == "1");
    let mut state =
        BlacklistState { is_default_on: is_default_on.unwrap_or(true), ..BlacklistState::default() };
    let mut statement = connection.prepare_cached("SELECT entry, is_on FROM blacklist")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        match Entry::parse(&text) {
            Ok(entry) if row.get(1)? => state.own.insert(entry),
            Ok(entry) => state.switched_off.insert(entry),
            Err(error) => {
                log::warn!("Blacklist entry {text:?} is left out: {}", error.with_causes());
                continue;
            }
        };
    }
    Ok(state)
}

/// Replaces the blacklist of the database.
pub fn save_blacklist(connection: &Connection, state: &BlacklistState) -> Result<()> {
    connection.execute("DELETE FROM blacklist", [])?;
    let mut insert = connection.prepare("INSERT INTO blacklist (entry, is_on) VALUES (?1, ?2)")?;
    for (entries, is_on) in [(&state.own, 1), (&state.switched_off, 0)] {
        for entry in entries {
            insert.execute(rusqlite::params![entry.to_string(), is_on])?;
        }
    }
    set_meta(connection, "blacklist_defaults", if state.is_default_on { "1" } else { "0" })
}

/// What `state` has and `other` has not, for the audit log.
fn difference(state: &BlacklistState, other: &BlacklistState) -> Value {
    let only = |entries: &BTreeSet<Entry>, others: &BTreeSet<Entry>| -> Vec<String> {
        entries.difference(others).map(Entry::to_string).collect()
    };
    json!({
        "is_default_on": state.is_default_on,
        "own": only(&state.own, &other.own),
        "switched_off": only(&state.switched_off, &other.switched_off),
    })
}

impl Store {
    /// The blacklist now.
    pub fn blacklist(&self) -> Result<BlacklistState> {
        self.read(READ_MOST, load_blacklist)
    }

    /// Changes the blacklist durably; new crashes follow at once, stored ones by [`Store::recompute_step`]. Invalid
    /// where there would be more than 10,000 entries of an admin's own. Returns the list as it is then.
    pub fn change_blacklist(&self, change: &BlacklistChange, actor: &Actor) -> Result<BlacklistState> {
        let (change, actor) = (change.clone(), actor.clone());
        self.writer().change(false, move |write| {
            let before = load_blacklist(write.connection)?;
            let state = before.changed(&change);
            if state.own.len() > OWN_ENTRIES_MAX && state.own.len() > before.own.len() {
                return Err(Error::invalid(format!(
                    "The blacklist has {OWN_ENTRIES_MAX} entries of your own; remove some first"
                )));
            }
            if state == before {
                return Ok(state);
            }
            save_blacklist(write.connection, &state)?;
            write.state.derived.crashes.forget();
            let audit = Audit::new(&actor, "blacklist.change", "blacklist")
                .before(difference(&before, &state))
                .after(difference(&state, &before));
            write.audit(&audit)?;
            Ok(state)
        })
    }

    /// Functions seen in backtraces whose name or module holds `part` (without regard to case), those in most
    /// backtraces first.
    pub fn list_functions(&self, part: &str, rows_max: usize) -> Result<Vec<Guilty>> {
        self.read(READ_MOST, |connection| {
            let sql = format!(
                "SELECT {GUILTY_COLUMNS} FROM functions f
                 WHERE f.backtraces > 0 AND (instr(lower(f.function), lower(?1)) OR instr(lower(f.module), lower(?1)))
                 ORDER BY f.backtraces DESC, f.id LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params![part, rows_max as i64], guilty_from_row)?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(texts: &[&str]) -> Vec<Entry> {
        texts.iter().map(|text| Entry::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_change_adds_removes_switches_and_resets() {
        let start = BlacklistState { is_default_on: true, ..BlacklistState::default() };
        let shipped = default_entries().next().unwrap().clone();
        let own = entries(&["my_assert [app]"]);
        let changed = start.changed(&BlacklistChange {
            remove: vec![shipped.clone()],
            add: own.clone(),
            ..BlacklistChange::default()
        });
        assert!(!changed.entries().contains(&shipped));
        assert!(changed.entries().contains(&own[0]));
        let back =
            changed.changed(&BlacklistChange { add: vec![shipped.clone()], ..BlacklistChange::default() });
        assert!(back.entries().contains(&shipped) && back.switched_off.is_empty());
        let off =
            changed.changed(&BlacklistChange { set_default_on: Some(false), ..BlacklistChange::default() });
        assert_eq!(off.entries().into_iter().collect::<Vec<_>>(), own);
        let reset = off.changed(&BlacklistChange { is_reset: true, ..BlacklistChange::default() });
        assert_eq!(reset, start);
    }
}
