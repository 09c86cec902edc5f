// SPDX-License-Identifier: Apache-2.0
//! The strings that repeat, kept once: ids for classifications, builds and profiles, and how many records have each.
//!
//! The writer remembers the ids it used. It forgets them whenever another process has written, because that one may
//! have deleted unused strings.

use crate::error::Result;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

/// Most ids remembered of each kind.
const REMEMBERED_MAX: usize = 10_000;

/// Parts the fields of a key; no field may contain it, because control characters are refused or replaced.
pub const KEY_SEPARATOR: char = '\u{1f}';

/// How many new strings of each table a day may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewValueBound {
    /// The UTC day, in days of Unix time.
    pub day: i64,
    /// Most new strings of a table on that day.
    pub added_max: i64,
}

/// One of the three tables of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// What one string is called, as in `new_values`.
    pub name: &'static str,
    find: &'static str,
    insert: &'static str,
    add: &'static str,
}

/// The table `classifications`; the key is the name.
pub const CLASSIFICATION: Dimension = Dimension {
    name: "classification",
    find: "SELECT id FROM classifications WHERE name = ?1",
    insert: "INSERT INTO classifications (name) VALUES (?1)",
    add: "UPDATE classifications SET records = records + ?2 WHERE id = ?1",
};

/// The table `builds`; the key is system name and build.
pub const BUILD: Dimension = Dimension {
    name: "build",
    find: "SELECT id FROM builds WHERE system_name = ?1 AND build = ?2",
    insert: "INSERT INTO builds (system_name, build) VALUES (?1, ?2)",
    add: "UPDATE builds SET records = records + ?2 WHERE id = ?1",
};

/// The table `profiles`; the key is its columns in the order of its UNIQUE constraint.
pub const PROFILE: Dimension = Dimension {
    name: "profile",
    find: "SELECT id FROM profiles WHERE host_type = ?1 AND kernel_version = ?2 AND board_name = ?3
           AND cpu_model = ?4 AND bios_version = ?5 AND arch = ?6",
    insert: "INSERT INTO profiles (host_type, kernel_version, board_name, cpu_model, bios_version, arch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    add: "UPDATE profiles SET records = records + ?2 WHERE id = ?1",
};

/// Adds to the count of a source; its parameters are like those of the other dimensions.
const ADD_SOURCE: &str = "UPDATE sources SET records = records + ?2 WHERE is_external = ?1";
/// Adds to the count of a severity; its parameters are like those of the other dimensions.
const ADD_SEVERITY: &str = "UPDATE severities SET records = records + ?2 WHERE severity = ?1";

/// The ids of one dimension and what was added to its counts.
#[derive(Debug)]
struct Ids {
    dimension: Dimension,
    by_key: HashMap<String, i64>,
    added: HashMap<i64, i64>,
}

impl Ids {
    fn new(dimension: Dimension) -> Ids {
        Ids { dimension, by_key: HashMap::new(), added: HashMap::new() }
    }

    /// The id of `key`; none where it has no row.
    fn find(&mut self, connection: &Connection, key: &str) -> Result<Option<i64>> {
        if let Some(id) = self.by_key.get(key) {
            return Ok(Some(*id));
        }
        let id = connection
            .prepare_cached(self.dimension.find)?
            .query_row(rusqlite::params_from_iter(key.split(KEY_SEPARATOR)), |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            self.remember(key, id);
        }
        Ok(id)
    }

    /// The id of `key`, whose row is made where there is none, and counted where new ones are.
    fn id(&mut self, connection: &Connection, key: &str, bound: Option<NewValueBound>) -> Result<i64> {
        if let Some(id) = self.find(connection, key)? {
            return Ok(id);
        }
        connection
            .prepare_cached(self.dimension.insert)?
            .execute(rusqlite::params_from_iter(key.split(KEY_SEPARATOR)))?;
        let id = connection.last_insert_rowid();
        self.remember(key, id);
        if let Some(bound) = bound {
            connection
                .prepare_cached(
                    "INSERT INTO new_values (day, dimension, added) VALUES (?1, ?2, 1)
                     ON CONFLICT DO UPDATE SET added = added + 1",
                )?
                .execute(rusqlite::params![bound.day, self.dimension.name])?;
        }
        Ok(id)
    }

    /// True where `key` is new and the day has brought enough new ones.
    fn is_excess(&mut self, connection: &Connection, key: &str, bound: NewValueBound) -> Result<bool> {
        if self.find(connection, key)?.is_some() {
            return Ok(false);
        }
        let added: Option<i64> = connection
            .prepare_cached("SELECT added FROM new_values WHERE day = ?1 AND dimension = ?2")?
            .query_row(rusqlite::params![bound.day, self.dimension.name], |row| row.get(0))
            .optional()?;
        Ok(added.unwrap_or(0) >= bound.added_max)
    }

    fn remember(&mut self, key: &str, id: i64) {
        if self.by_key.len() >= REMEMBERED_MAX {
            self.by_key.clear();
        }
        self.by_key.insert(key.to_owned(), id);
    }

    fn flush(&mut self, connection: &Connection) -> Result<()> {
        add_all(connection, self.dimension.add, &mut self.added)
    }
}

fn add_all(connection: &Connection, sql: &str, added: &mut HashMap<i64, i64>) -> Result<()> {
    if added.is_empty() {
        return Ok(());
    }
    let mut add = connection.prepare_cached(sql)?;
    for (id, records) in added.drain() {
        add.execute([id, records])?;
    }
    Ok(())
}

/// The ids of one record.
#[derive(Clone, Copy, Debug)]
pub struct RecordIds {
    /// In `classifications`.
    pub classification: i64,
    /// In `builds`.
    pub build: i64,
    /// In `profiles`.
    pub profile: i64,
}

/// The keys of one record.
#[derive(Clone, Debug)]
pub struct RecordKeys {
    /// Of [`CLASSIFICATION`].
    pub classification: String,
    /// Of [`BUILD`].
    pub build: String,
    /// Of [`PROFILE`].
    pub profile: String,
}

/// What a writer knows of the dimensions, and the counts of the transaction that is open.
#[derive(Debug)]
pub struct Dimensions {
    classifications: Ids,
    builds: Ids,
    profiles: Ids,
    severities: HashMap<i64, i64>,
    sources: HashMap<i64, i64>,
}

impl Default for Dimensions {
    fn default() -> Dimensions {
        Dimensions {
            classifications: Ids::new(CLASSIFICATION),
            builds: Ids::new(BUILD),
            profiles: Ids::new(PROFILE),
            severities: HashMap::new(),
            sources: HashMap::new(),
        }
    }
}

impl Dimensions {
    /// The ids of a record's strings, whose rows are made where there are none, and counted where new ones are bounded.
    pub fn ids(
        &mut self,
        connection: &Connection,
        keys: &RecordKeys,
        bound: Option<NewValueBound>,
    ) -> Result<RecordIds> {
        Ok(RecordIds {
            classification: self.classifications.id(connection, &keys.classification, bound)?,
            build: self.builds.id(connection, &keys.build, bound)?,
            profile: self.profiles.id(connection, &keys.profile, bound)?,
        })
    }

    /// What a record would bring beyond the bound: the name of its dimension. Nothing is changed.
    pub fn excess(
        &mut self,
        connection: &Connection,
        keys: &RecordKeys,
        bound: NewValueBound,
    ) -> Result<Option<&'static str>> {
        let all = [
            (&mut self.classifications, &keys.classification),
            (&mut self.builds, &keys.build),
            (&mut self.profiles, &keys.profile),
        ];
        for (ids, key) in all {
            if ids.is_excess(connection, key, bound)? {
                return Ok(Some(ids.dimension.name));
            }
        }
        Ok(None)
    }

    /// Notes a record that is stored (`by` 1) or deleted (-1) for the counts.
    pub fn count(&mut self, ids: RecordIds, severity: i64, is_external: bool, by: i64) {
        *self.classifications.added.entry(ids.classification).or_default() += by;
        *self.builds.added.entry(ids.build).or_default() += by;
        *self.profiles.added.entry(ids.profile).or_default() += by;
        *self.severities.entry(severity).or_default() += by;
        *self.sources.entry(i64::from(is_external)).or_default() += by;
    }

    /// Writes the noted counts; to be called before the commit.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        self.classifications.flush(connection)?;
        self.builds.flush(connection)?;
        self.profiles.flush(connection)?;
        add_all(connection, ADD_SEVERITY, &mut self.severities)?;
        add_all(connection, ADD_SOURCE, &mut self.sources)
    }
}
