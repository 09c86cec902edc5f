// SPDX-License-Identifier: Apache-2.0
//! How many machines run each build, by their heartbeats and the days of these.

use crate::error::Result;
use crate::model::version::by_version;
use crate::store::{READ_MOST, Store};

/// The machines of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPopulation {
    /// The build.
    pub build: String,
    /// Distinct internal machines.
    pub internal: i64,
    /// Distinct external machines.
    pub external: i64,
}

impl Store {
    /// The systems that heartbeats are of and how many machines sent them, most first. A machine that moved on to
    /// another build counts for both.
    pub fn population_by_system(&self) -> Result<Vec<(String, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT b.system_name, sum(p.machines) FROM population p JOIN builds b ON b.id = p.build_id
                 GROUP BY 1 ORDER BY 2 DESC, 1",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }

    /// The distinct machines of each build of a system, in the order of versions: all, or those with a heartbeat
    /// captured on the UTC day `since` (days of Unix time) or later, at most 15 days back.
    pub fn population(&self, system_name: &str, since: Option<i64>) -> Result<Vec<BuildPopulation>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT b.build, sum(p.machines) FILTER (WHERE p.is_external = 0),
                        sum(p.machines) FILTER (WHERE p.is_external = 1)
                 FROM builds b JOIN population p ON p.build_id = b.id
                 WHERE b.system_name = ?1 AND p.last_day >= ?2 GROUP BY b.id",
            )?;
            let rows =
                statement.query_map(rusqlite::params![system_name, since.unwrap_or(i64::MIN)], |row| {
                    let (internal, external): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
                    Ok(BuildPopulation {
                        build: row.get(0)?,
                        internal: internal.unwrap_or(0),
                        external: external.unwrap_or(0),
                    })
                })?;
            let mut builds = rows.collect::<rusqlite::Result<Vec<BuildPopulation>>>()?;
            builds.sort_by(|a, b| by_version(&a.build, &b.build));
            Ok(builds)
        })
    }
}
