// SPDX-License-Identifier: Apache-2.0
//! Guilties by number of crashes, from the counters.

use crate::error::Result;
use crate::model::build::BuildName;
use crate::model::crash::{CrashKind, Guilty};
use crate::model::version::by_version;
use crate::store::guilty_row::find_guilty;
use crate::store::{READ_MOST, Store};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Which crashes are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashScope {
    /// Programs or the kernel.
    pub kind: CrashKind,
    /// Received on this UTC day (days of Unix time) or later; none: all that are stored.
    pub since_day: Option<i64>,
    /// Of this system only.
    pub system_name: Option<String>,
    /// Of this build only; it needs `system_name`.
    pub build: Option<String>,
}

/// A guilty and its crashes within a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopGuilty {
    /// Its place, from 1.
    pub rank: usize,
    /// The function.
    pub guilty: Guilty,
    /// All its crashes of the scope.
    pub crashes: i64,
    /// Of them those of each of [`TopGuilties::builds`].
    pub by_build: Vec<i64>,
}

/// The guilties of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopGuilties {
    /// The newest builds of the scope that have crashes, newest first, at most 8.
    pub builds: Vec<BuildName>,
    /// Most crashes first; hidden guilties are left out.
    pub rows: Vec<TopGuilty>,
    /// How many guilties there are that are not hidden.
    pub guilties: usize,
    /// Crashes of the first rank, for the scale of bars; 0 where there is none.
    pub most: i64,
    /// All crashes of the scope, also hidden and without guilty.
    pub crashes: i64,
    /// Crashes in which no guilty was found.
    pub without_guilty: i64,
    /// Crashes of hidden guilties.
    pub hidden: i64,
}

/// Builds that a list shows apart.
const BUILDS_MOST: usize = 8;

impl Store {
    /// The guilties of a scope, most crashes first, `skip` of them left out, at most `rows_max`.
    pub fn top_guilties(&self, scope: &CrashScope, skip: usize, rows_max: usize) -> Result<TopGuilties> {
        self.read(READ_MOST, |connection| {
            let counts = counts(connection, scope)?;
            let mut sums = HashMap::<i64, i64>::new();
            for count in &counts {
                *sums.entry(count.guilty_id).or_default() += count.crashes;
            }
            let mut top = TopGuilties { crashes: sums.values().sum(), ..TopGuilties::default() };
            top.without_guilty = sums.remove(&0).unwrap_or(0);
            for id in hidden_ids(connection)? {
                top.hidden += sums.remove(&id).unwrap_or(0);
            }
            let mut order: Vec<(i64, i64)> = sums.iter().map(|(id, crashes)| (-crashes, *id)).collect();
            order.sort_unstable();
            top.guilties = order.len();
            top.most = order.first().map_or(0, |(crashes, _)| -crashes);
            let builds = newest_builds(connection, scope.kind, &counts)?;
            for (index, (crashes, id)) in order.iter().enumerate().skip(skip).take(rows_max) {
                let Some(guilty) = find_guilty(connection, *id)? else { continue };
                let by_build = vec![0; builds.len()];
                top.rows.push(TopGuilty { rank: index + 1, guilty, crashes: -crashes, by_build });
            }
            share_among_builds(&mut top.rows, &builds, &counts);
            top.builds = builds.into_iter().map(|(_, build)| build).collect();
            Ok(top)
        })
    }

    /// The systems that crashes of a kind are of and how many, most first.
    pub fn crashes_by_system(&self, kind: CrashKind) -> Result<Vec<(String, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT b.system_name, sum(t.crashes) FROM crash_builds t JOIN builds b ON b.id = t.build_id
                 WHERE t.kind = ?1 GROUP BY 1 ORDER BY 2 DESC, 1",
            )?;
            let rows = statement.query_map([kind.number()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }

    /// The builds that crashes of a kind are of and how many, by system, newest version first.
    pub fn crashes_by_build(&self, kind: CrashKind) -> Result<Vec<(BuildName, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT b.system_name, b.build, t.crashes FROM crash_builds t JOIN builds b ON b.id = t.build_id
                 WHERE t.kind = ?1",
            )?;
            let rows = statement.query_map([kind.number()], |row| {
                Ok((BuildName { system_name: row.get(0)?, build: row.get(1)? }, row.get(2)?))
            })?;
            let mut builds = rows.collect::<rusqlite::Result<Vec<(BuildName, i64)>>>()?;
            builds.sort_by(|(a, _), (b, _)| by_system_newest_first(a, b));
            Ok(builds)
        })
    }

    /// The guilties that an admin hid, with their crashes of both kinds, most crashes first.
    pub fn list_hidden_guilties(&self) -> Result<Vec<(Guilty, i64)>> {
        self.read(READ_MOST, |connection| {
            let mut hidden = Vec::new();
            for id in hidden_ids(connection)? {
                let Some(guilty) = find_guilty(connection, id)? else { continue };
                let mut sum = connection.prepare_cached(
                    "SELECT coalesce(sum(crashes), 0) FROM crash_totals WHERE kind = ?1 AND guilty_id = ?2",
                )?;
                let mut crashes = 0;
                for kind in CrashKind::ALL {
                    crashes += sum.query_row([kind.number(), id], |row| row.get::<_, i64>(0))?;
                }
                hidden.push((guilty, crashes));
            }
            hidden.sort_by_key(|(guilty, crashes)| (-crashes, guilty.id));
            Ok(hidden)
        })
    }
}

/// By system, then the newest version first.
pub fn by_system_newest_first(a: &BuildName, b: &BuildName) -> Ordering {
    a.system_name.cmp(&b.system_name).then_with(|| by_version(&b.build, &a.build))
}

fn hidden_ids(connection: &Connection) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM functions WHERE is_hidden = 1")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?)
}

/// Crashes of a guilty (0: without one) on a build; a guilty and build may come more than once.
struct Count {
    guilty_id: i64,
    build_id: i64,
    crashes: i64,
}

/// The counts that a scope takes together.
fn counts(connection: &Connection, scope: &CrashScope) -> Result<Vec<Count>> {
    let mut sql = match scope.since_day {
        Some(_) => {
            "SELECT guilty_id, build_id, crashes FROM crash_days WHERE kind = ?1 AND received_day >= ?2"
        }
        None => "SELECT guilty_id, build_id, crashes FROM crash_totals WHERE kind = ?1 AND ?2 IS NULL",
    }
    .to_owned();
    let mut values =
        vec![Value::Integer(scope.kind.number()), scope.since_day.map_or(Value::Null, Value::Integer)];
    if let Some(system_name) = &scope.system_name {
        sql.push_str(" AND build_id IN (SELECT id FROM builds WHERE system_name = ?3");
        values.push(Value::Text(system_name.clone()));
        if let Some(build) = &scope.build {
            sql.push_str(" AND build = ?4");
            values.push(Value::Text(build.clone()));
        }
        sql.push(')');
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        Ok(Count { guilty_id: row.get(0)?, build_id: row.get(1)?, crashes: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

/// The newest builds that have crashes: by version where all are of one system, else those that came last.
fn newest_builds(
    connection: &Connection,
    kind: CrashKind,
    counts: &[Count],
) -> Result<Vec<(i64, BuildName)>> {
    let ids: HashSet<i64> = counts.iter().map(|count| count.build_id).collect();
    let mut statement = connection.prepare_cached(
        "SELECT b.id, b.system_name, b.build FROM crash_builds t JOIN builds b ON b.id = t.build_id
         WHERE t.kind = ?1 ORDER BY b.id DESC",
    )?;
    let rows = statement.query_map([kind.number()], |row| {
        Ok((row.get(0)?, BuildName { system_name: row.get(1)?, build: row.get(2)? }))
    })?;
    let mut builds = rows.collect::<rusqlite::Result<Vec<(i64, BuildName)>>>()?;
    builds.retain(|(id, _)| ids.contains(id));
    let is_one_system = builds.windows(2).all(|pair| pair[0].1.system_name == pair[1].1.system_name);
    if is_one_system {
        builds.sort_by(|(_, a), (_, b)| by_system_newest_first(a, b));
    }
    builds.truncate(BUILDS_MOST);
    Ok(builds)
}

/// Fills in how many crashes of each row are of each build.
fn share_among_builds(rows: &mut [TopGuilty], builds: &[(i64, BuildName)], counts: &[Count]) {
    let row_of: HashMap<i64, usize> = rows.iter().enumerate().map(|(at, row)| (row.guilty.id, at)).collect();
    for count in counts {
        let Some(row) = row_of.get(&count.guilty_id) else { continue };
        if let Some(place) = builds.iter().position(|(id, _)| *id == count.build_id) {
            rows[*row].by_build[place] += count.crashes;
        }
    }
}

/// The build of this number.
pub fn find_build(connection: &Connection, id: i64) -> Result<BuildName> {
    let mut statement = connection.prepare_cached("SELECT system_name, build FROM builds WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| Ok(BuildName { system_name: row.get(0)?, build: row.get(1)? }))?)
}
