// SPDX-License-Identifier: Apache-2.0
//! The strings that repeat, kept once: ids for classifications, builds and profiles, and how many records have each.
//!
//! The writer remembers the ids it used. It forgets them whenever another process has written, because that one may
//! have deleted unused strings.

use crate::error::Result;
use rusqlite::Connection;
use std::collections::HashMap;

/// Most ids remembered of each kind.
const REMEMBERED_MAX: usize = 10_000;

/// Parts the fields of a key; no field may contain it, because control characters are refused or replaced.
pub const KEY_SEPARATOR: char = '\u{1f}';

/// One of the three tables of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    find: &'static str,
    insert: &'static str,
    add: &'static str,
}

/// The table `classifications`; the key is the name.
pub const CLASSIFICATION: Dimension = Dimension {
    find: "SELECT id FROM classifications WHERE name = ?1",
    insert: "INSERT INTO classifications (name) VALUES (?1)",
    add: "UPDATE classifications SET records = records + ?2 WHERE id = ?1",
};

/// The table `builds`; the key is system name and build.
pub const BUILD: Dimension = Dimension {
    find: "SELECT id FROM builds WHERE system_name = ?1 AND build = ?2",
    insert: "INSERT INTO builds (system_name, build) VALUES (?1, ?2)",
    add: "UPDATE builds SET records = records + ?2 WHERE id = ?1",
};

/// The table `profiles`; the key is its columns in the order of its UNIQUE constraint.
pub const PROFILE: Dimension = Dimension {
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

    /// The id of `key`, whose row is made where there is none.
    fn id(&mut self, connection: &Connection, key: &str) -> Result<i64> {
        if let Some(id) = self.by_key.get(key) {
            return Ok(*id);
        }
        let values = || rusqlite::params_from_iter(key.split(KEY_SEPARATOR));
        let mut find = connection.prepare_cached(self.dimension.find)?;
        let id = match find.query_row(values(), |row| row.get(0)) {
            Ok(id) => id,
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                connection.prepare_cached(self.dimension.insert)?.execute(values())?;
                connection.last_insert_rowid()
            }
            Err(error) => return Err(error.into()),
        };
        if self.by_key.len() >= REMEMBERED_MAX {
            self.by_key.clear();
        }
        self.by_key.insert(key.to_owned(), id);
        Ok(id)
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
    /// The ids of a record's strings, whose rows are made where there are none.
    pub fn ids(&mut self, connection: &Connection, keys: &RecordKeys) -> Result<RecordIds> {
        Ok(RecordIds {
            classification: self.classifications.id(connection, &keys.classification)?,
            build: self.builds.id(connection, &keys.build)?,
            profile: self.profiles.id(connection, &keys.profile)?,
        })
    }

    /// Notes a stored record for the counts.
    pub fn count(&mut self, ids: RecordIds, severity: i64, is_external: bool) {
        *self.classifications.added.entry(ids.classification).or_default() += 1;
        *self.builds.added.entry(ids.build).or_default() += 1;
        *self.profiles.added.entry(ids.profile).or_default() += 1;
        *self.severities.entry(severity).or_default() += 1;
        *self.sources.entry(i64::from(is_external)).or_default() += 1;
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
