// SPDX-License-Identifier: Apache-2.0
//! What the database holds, from the counts: the choices of the filter form, and the total.

use crate::error::Result;
use crate::model::version::by_version;
use crate::store::{READ_MOST, Store};
use std::collections::BTreeMap;

/// The values that records have, each with the number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordChoices {
    /// Classifications by name.
    pub classifications: Vec<(String, i64)>,
    /// System names; the empty one, of records without, is left out.
    pub systems: Vec<(String, i64)>,
    /// System name and build, by system, newest version first.
    pub builds: Vec<(String, String, i64)>,
    /// How many records are external.
    pub external: i64,
}

impl Store {
    /// The values that at least one record has.
    pub fn record_choices(&self) -> Result<RecordChoices> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, records FROM classifications WHERE records > 0 ORDER BY name",
            )?;
            let classifications = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut statement = connection
                .prepare_cached("SELECT system_name, build, records FROM builds WHERE records > 0")?;
            let mut builds = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<Vec<(String, String, i64)>>>()?;
            builds.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| by_version(&b.1, &a.1)));
            let mut systems = BTreeMap::<String, i64>::new();
            for (system, _, records) in builds.iter().filter(|(system, _, _)| !system.is_empty()) {
                *systems.entry(system.clone()).or_default() += records;
            }
            let mut statement =
                connection.prepare_cached("SELECT records FROM sources WHERE is_external = 1")?;
            let external = statement.query_row([], |row| row.get(0))?;
            Ok(RecordChoices { classifications, systems: systems.into_iter().collect(), builds, external })
        })
    }

    /// How many records there are, from the counts.
    pub fn count_records(&self) -> Result<i64> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached("SELECT sum(records) FROM severities")?;
            Ok(statement.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
        })
    }
}
