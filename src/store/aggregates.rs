// SPDX-License-Identifier: Apache-2.0
//! Counts of all records by build, system, classification and platform, from the tables of these strings.

use crate::error::Result;
use crate::model::version::by_version;
use crate::store::{READ_MOST, Store};

impl Store {
    /// The systems that records are of and how many, most first. Records of format version 1 have the empty system.
    pub fn count_by_system(&self) -> Result<Vec<(String, i64)>> {
        self.counts(
            "SELECT system_name, sum(records) FROM builds WHERE records > 0 GROUP BY 1 ORDER BY 2 DESC, 1",
        )
    }

    /// The builds of a system and how many records are of each, in the order of versions, oldest first.
    pub fn count_by_build(&self, system_name: &str) -> Result<Vec<(String, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection
                .prepare_cached("SELECT build, records FROM builds WHERE system_name = ?1 AND records > 0")?;
            let mut builds = statement
                .query_map([system_name], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
            builds.sort_by(|a, b| by_version(&a.0, &b.0));
            Ok(builds)
        })
    }

    /// The classifications and how many records have each, most first.
    pub fn count_by_classification(&self) -> Result<Vec<(String, i64)>> {
        self.counts("SELECT name, records FROM classifications WHERE records > 0 ORDER BY 2 DESC, 1")
    }

    /// The platforms (host_type) and how many records are from each, most first.
    pub fn count_by_host_type(&self) -> Result<Vec<(String, i64)>> {
        self.counts(
            "SELECT host_type, sum(records) FROM profiles WHERE records > 0 GROUP BY 1 ORDER BY 2 DESC, 1",
        )
    }

    fn counts(&self, sql: &str) -> Result<Vec<(String, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }
}
