// SPDX-License-Identifier: Apache-2.0
//! Everything that the fleet's page asks of all agents at once, in one walk over them.

use crate::error::Result;
use crate::model::agent::Thresholds;
use crate::model::time::DAY_SECS;
use crate::store::fleet::states::Field;
use crate::store::fleet::statistics::{
    COUNTED, PAIRED, Tally, by_endpoint, count_endpoint, name_tallies, named_doubles, pairs_of,
};
use crate::store::fleet::{DoubleEndpoint, DoublePair, FleetNumbers, OfflineAgent};
use crate::store::{READ_MOST, Store};
use rusqlite::Connection;

/// Up to so many offline names are looked up one by one; of more, the first are found by walking all names in order.
const LOOKED_UP_MAX: usize = 2_000;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct OverviewQuery {
    /// Now, in Unix seconds.
    pub now: i64,
    /// Who is online and idle then.
    pub thresholds: Thresholds,
    /// Offline is a name that was heard of at this time or later,
    pub offline_seen_from: i64,
    /// and not at this time or later.
    pub offline_silent_from: i64,
    /// Double is an endpoint of which several agents beat at this time or later.
    pub double_from: i64,
    /// At most so many rows of each list.
    pub rows_max: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetOverview {
    /// As [`Store::fleet_numbers`] gives them.
    pub numbers: FleetNumbers,
    /// The first of what [`Store::offline_agents`] gives.
    pub offline: Vec<OfflineAgent>,
    /// How many that would be.
    pub n_offline: usize,
    /// The first of what [`Store::double_endpoints`] gives.
    pub double: Vec<DoubleEndpoint>,
    /// How many that would be.
    pub n_double: usize,
    /// The first of what [`Store::double_pairs`] gives.
    pub pairs: Vec<DoublePair>,
}

impl Store {
    /// The numbers of the fleet, who is offline and who is double.
    pub fn fleet_overview(&self, query: &OverviewQuery) -> Result<FleetOverview> {
        let (now, thresholds) = (query.now, query.thresholds);
        let from = (now - 7 * DAY_SECS).min(thresholds.idle_from).min(query.offline_seen_from);
        self.read(READ_MOST, |connection| {
            let mut found = FleetOverview::default();
            let (mut online, mut idle) = (Tally::default(), Tally::default());
            let mut double: Vec<(i64, Vec<i64>)> = Vec::new();
            let mut beats: Vec<(i64, i64)> = Vec::new();
            let fields = [COUNTED.as_slice(), &PAIRED, &[Field::NameId]].concat();
            by_endpoint(connection, &fields, from, |states| {
                count_endpoint(&mut found.numbers, &mut online, &mut idle, states, (now, thresholds));
                if states.len() > 1 && found.pairs.len() < query.rows_max {
                    found.pairs.extend(pairs_of(states, thresholds.online_from));
                }
                beats.extend(states.iter().map(|state| (state.name_id, state.heartbeat_at)));
                let beating = || states.iter().filter(|state| state.heartbeat_at >= query.double_from);
                if states.len() > 1 && beating().count() > 1 {
                    let name_ids = beating().map(|state| state.name_id).collect();
                    double.extend(states.first().map(|first| (first.endpoint_id, name_ids)));
                }
            })?;
            found.pairs.truncate(query.rows_max);
            name_tallies(connection, &mut found.numbers, &online, &idle)?;
            found.double = named_doubles(connection, double)?;
            found.n_double = found.double.len();
            found.double.truncate(query.rows_max);
            let offline = silent(beats, query.offline_seen_from, query.offline_silent_from);
            found.n_offline = offline.len();
            found.offline = first_names(connection, &offline, query.rows_max)?;
            Ok(found)
        })
    }
}

/// The last heartbeat of each name that is offline, by name id.
pub(super) fn silent(mut beats: Vec<(i64, i64)>, seen_from: i64, silent_from: i64) -> Vec<(i64, i64)> {
    beats.retain(|(_, at)| *at >= seen_from);
    beats.sort_unstable();
    // Of equal names the last of each run beat last.
    let mut last: Vec<(i64, i64)> = Vec::with_capacity(beats.len());
    for beat in beats {
        match last.last_mut() {
            Some(before) if before.0 == beat.0 => *before = beat,
            _ => last.push(beat),
        }
    }
    last.retain(|(_, at)| *at < silent_from);
    last
}

/// The first `rows_max` of them by name.
pub(super) fn first_names(
    connection: &Connection,
    silent: &[(i64, i64)],
    rows_max: usize,
) -> Result<Vec<OfflineAgent>> {
    let mut names = Vec::with_capacity(rows_max.min(silent.len()));
    if silent.len() <= LOOKED_UP_MAX {
        let mut find = connection.prepare_cached("SELECT name FROM agent_names WHERE id = ?1")?;
        for (id, at) in silent {
            let name = find.query_row([id], |row| row.get(0))?;
            names.push(OfflineAgent { name, last_heartbeat_at: *at });
        }
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        names.truncate(rows_max);
        return Ok(names);
    }
    let mut walk = connection.prepare_cached("SELECT id, name FROM agent_names ORDER BY name")?;
    let mut rows = walk.query([])?;
    while let Some(row) = rows.next()? {
        if names.len() >= rows_max {
            break;
        }
        if let Ok(index) = silent.binary_search_by_key(&row.get(0)?, |(id, _)| *id) {
            names.push(OfflineAgent { name: row.get(1)?, last_heartbeat_at: silent[index].1 });
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_silent_when_none_of_its_agents_beat() {
        let beats = vec![(2, 300), (1, 99), (2, 200), (3, 699), (3, 700), (4, 699), (5, 100)];
        assert_eq!(silent(beats, 100, 700), [(2, 300), (4, 699), (5, 100)]);
    }
}
