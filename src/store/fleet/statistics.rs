// SPDX-License-Identifier: Apache-2.0
//! Numbers of the fleet: who is online, idle, new, double, disappeared, flapping.
//!
//! All of them come from one walk over `agent_states`, whose rows lie side by side for each endpoint.

use crate::error::Result;
use crate::model::agent::{AgentStatus, Thresholds};
use crate::model::time::DAY_SECS;
use crate::store::fleet::overview::{first_names, silent};
use crate::store::fleet::states::{self, Field, State, Which};
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, Row};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Samples are kept by the minute for so long, then by the hour.
const MINUTES_KEPT_SECS: i64 = 2 * DAY_SECS;
/// And by the hour for so long.
const HOURS_KEPT_SECS: i64 = 400 * DAY_SECS;

/// The fleet at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetNumbers {
    /// Agents online.
    pub online_agents: i64,
    /// Agents idle on endpoints where none is online.
    pub idle_agents: i64,
    /// Endpoints with an agent online.
    pub online_endpoints: i64,
    /// Endpoints with an agent idle and none online.
    pub idle_endpoints: i64,
    /// Endpoints with an agent heard of first in the last 24 hours and none heard of in the 6 days before.
    pub new_endpoints: i64,
    /// Endpoints with more than one agent online.
    pub double_endpoints: i64,
    /// Endpoints heard of in the last 7 days with no agent online or idle.
    pub disappeared_endpoints: i64,
    /// Endpoints with more than one agent online or idle.
    pub flapping_endpoints: i64,
    /// `online_agents` by version, most first.
    pub online_by_version: Vec<(String, i64)>,
    /// `idle_agents` by version, most first.
    pub idle_by_version: Vec<(String, i64)>,
    /// `online_agents` by operating system, most first.
    pub online_by_os: Vec<(String, i64)>,
    /// `idle_agents` by operating system, most first.
    pub idle_by_os: Vec<(String, i64)>,
}

/// The numbers of a moment as they are kept; their meanings are those of [`FleetNumbers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetSample {
    /// When they were taken, in Unix seconds.
    pub taken_at: i64,
    /// Agents online.
    pub online_agents: i64,
    /// Agents idle.
    pub idle_agents: i64,
    /// Endpoints online.
    pub online_endpoints: i64,
    /// Endpoints idle.
    pub idle_endpoints: i64,
    /// New endpoints.
    pub new_endpoints: i64,
    /// Double endpoints.
    pub double_endpoints: i64,
    /// Disappeared endpoints.
    pub disappeared_endpoints: i64,
    /// Flapping endpoints.
    pub flapping_endpoints: i64,
}

/// A name of which nothing was heard for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineAgent {
    /// The name.
    pub name: String,
    /// The last heartbeat of any agent of this name, in Unix seconds.
    pub last_heartbeat_at: i64,
}

/// An endpoint of which several agents beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoubleEndpoint {
    /// The endpoint.
    pub queueloc: String,
    /// How many agents.
    pub count: usize,
    /// Their names, each once, sorted.
    pub names: Vec<String>,
}

/// Two agents of one endpoint that both beat after the younger began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DoublePair {
    /// The id of the agent that was heard of first.
    pub older: i64,
    /// The id of the other.
    pub younger: i64,
}

/// What [`count_endpoint`] needs of a row.
pub(super) const COUNTED: [Field; 6] = [
    Field::EndpointId,
    Field::HeartbeatAt,
    Field::StartedAt,
    Field::VersionId,
    Field::EnvironmentId,
    Field::IsDestroyed,
];
/// What [`pairs_of`] needs of a row.
pub(super) const PAIRED: [Field; 5] =
    [Field::EndpointId, Field::AgentId, Field::HeartbeatAt, Field::StartedAt, Field::IsDestroyed];

/// Calls `each` with the agents of each endpoint that beat at `heard_from` or later, endpoint after endpoint.
/// `fields` has the endpoint's id among them.
pub(super) fn by_endpoint(
    connection: &Connection,
    fields: &[Field],
    heard_from: i64,
    mut each: impl FnMut(&[State]),
) -> Result<()> {
    let mut group: Vec<State> = Vec::new();
    states::walk(connection, fields, Which::HeardFrom(heard_from), |state| {
        if group.first().is_some_and(|first| first.endpoint_id != state.endpoint_id) {
            each(&group);
            group.clear();
        }
        group.push(*state);
        Ok(())
    })?;
    if !group.is_empty() {
        each(&group);
    }
    Ok(())
}

/// Agents by the ids of what they share.
#[derive(Default)]
pub(super) struct Tally {
    by_version: HashMap<i64, i64>,
    by_environment: HashMap<i64, i64>,
}

impl Tally {
    fn add(&mut self, state: &State) {
        *self.by_version.entry(state.version_id).or_default() += 1;
        *self.by_environment.entry(state.environment_id).or_default() += 1;
    }

    fn versions(&self, connection: &Connection) -> Result<Vec<(String, i64)>> {
        named(connection, "SELECT version FROM agent_versions WHERE id = ?1", &self.by_version)
    }

    fn systems(&self, connection: &Connection) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT coalesce(environment ->> '$.os', '') FROM environments WHERE id = ?1";
        named(connection, sql, &self.by_environment)
    }
}

/// Counts by id as counts by the text of each id, most first.
fn named(connection: &Connection, sql: &str, counts: &HashMap<i64, i64>) -> Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut by_text: BTreeMap<String, i64> = BTreeMap::new();
    for (id, count) in counts {
        *by_text.entry(statement.query_row([id], |row| row.get(0))?).or_default() += count;
    }
    let mut list: Vec<(String, i64)> = by_text.into_iter().collect();
    // Stable: equal counts stay in the order of their texts.
    list.sort_by_key(|(_, count)| -count);
    Ok(list)
}

/// Adds up what one endpoint is.
pub(super) fn count_endpoint(
    numbers: &mut FleetNumbers,
    online: &mut Tally,
    idle: &mut Tally,
    states: &[State],
    (now, thresholds): (i64, Thresholds),
) {
    let status = |state: &State| thresholds.status(state.heartbeat_at, state.is_destroyed);
    let count = |wanted: AgentStatus| states.iter().filter(|state| status(state) == wanted).count();
    let (n_online, n_idle) = (count(AgentStatus::Online), count(AgentStatus::Idle));
    let (shown, tally) = if n_online > 0 { (AgentStatus::Online, online) } else { (AgentStatus::Idle, idle) };
    states.iter().filter(|state| status(state) == shown).for_each(|state| tally.add(state));
    if n_online > 0 {
        numbers.online_agents += n_online as i64;
        numbers.online_endpoints += 1;
    } else if n_idle > 0 {
        numbers.idle_agents += n_idle as i64;
        numbers.idle_endpoints += 1;
    }
    let (yesterday, week_ago) = (now - DAY_SECS, now - 7 * DAY_SECS);
    let begins = states.iter().any(|state| state.started_at > yesterday);
    let is_of_week = |state: &State| state.heartbeat_at >= week_ago;
    let was_there = states.iter().any(|state| state.started_at <= yesterday && is_of_week(state));
    let one_if = i64::from;
    numbers.new_endpoints += one_if(begins && !was_there);
    numbers.double_endpoints += one_if(n_online > 1);
    numbers.flapping_endpoints += one_if(n_online + n_idle > 1);
    numbers.disappeared_endpoints += one_if(n_online + n_idle == 0 && states.iter().any(is_of_week));
}

/// Fills in the lists of versions and systems.
pub(super) fn name_tallies(
    connection: &Connection,
    numbers: &mut FleetNumbers,
    online: &Tally,
    idle: &Tally,
) -> Result<()> {
    numbers.online_by_version = online.versions(connection)?;
    numbers.idle_by_version = idle.versions(connection)?;
    numbers.online_by_os = online.systems(connection)?;
    numbers.idle_by_os = idle.systems(connection)?;
    Ok(())
}

/// The pairs of one endpoint's online agents; of three that beat, the first and second, the second and third.
pub(super) fn pairs_of(states: &[State], online_from: i64) -> Vec<DoublePair> {
    let mut online: Vec<&State> =
        states.iter().filter(|state| !state.is_destroyed && state.heartbeat_at >= online_from).collect();
    online.sort_by_key(|state| (state.started_at, state.agent_id));
    online
        .windows(2)
        .filter_map(|pair| match pair {
            [older, younger] => Some((older, younger)),
            _ => None,
        })
        // A restart ends the one before the other begins, and a check-in beats once.
        .filter(|(older, younger)| {
            older.heartbeat_at > younger.started_at && younger.heartbeat_at > younger.started_at
        })
        .map(|(older, younger)| DoublePair { older: older.agent_id, younger: younger.agent_id })
        .collect()
}

impl Store {
    /// The fleet at `now`.
    pub fn fleet_numbers(&self, now: i64, thresholds: Thresholds) -> Result<FleetNumbers> {
        let week_ago = now - 7 * DAY_SECS;
        self.read(READ_MOST, |connection| {
            let mut numbers = FleetNumbers::default();
            let (mut online, mut idle) = (Tally::default(), Tally::default());
            // Whoever is idle for longer than a week by the settings is counted too.
            by_endpoint(connection, &COUNTED, week_ago.min(thresholds.idle_from), |states| {
                count_endpoint(&mut numbers, &mut online, &mut idle, states, (now, thresholds));
            })?;
            name_tallies(connection, &mut numbers, &online, &idle)?;
            Ok(numbers)
        })
    }

    /// Keeps the numbers of a moment.
    pub fn insert_fleet_sample(&self, sample: FleetSample) -> Result<()> {
        self.writer().change(true, move |write| {
            write
                .connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO agent_statistics (taken_at, online_agents, idle_agents,
                       online_endpoints, idle_endpoints, new_endpoints, double_endpoints,
                       disappeared_endpoints, flapping_endpoints)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute([
                    sample.taken_at,
                    sample.online_agents,
                    sample.idle_agents,
                    sample.online_endpoints,
                    sample.idle_endpoints,
                    sample.new_endpoints,
                    sample.double_endpoints,
                    sample.disappeared_endpoints,
                    sample.flapping_endpoints,
                ])?;
            Ok(())
        })
    }

    /// Thins out old samples: of what is older than two days the first of each hour stays, for 400 days. How many went.
    pub fn thin_fleet_samples(&self, now: i64) -> Result<usize> {
        self.writer().change(false, move |write| {
            let thinned = write
                .connection
                .prepare_cached(
                    "DELETE FROM agent_statistics WHERE taken_at < ?1 OR taken_at < ?2 AND EXISTS (
                       SELECT 1 FROM agent_statistics first
                       WHERE first.taken_at >= agent_statistics.taken_at - agent_statistics.taken_at % 3600
                         AND first.taken_at < agent_statistics.taken_at)",
                )?
                .execute([now - HOURS_KEPT_SECS, now - MINUTES_KEPT_SECS])?;
            Ok(thinned)
        })
    }

    /// The samples taken at `from` or later, oldest first.
    pub fn fleet_history(&self, from: i64) -> Result<Vec<FleetSample>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT taken_at, online_agents, idle_agents, online_endpoints, idle_endpoints, new_endpoints,
                   double_endpoints, disappeared_endpoints, flapping_endpoints
                 FROM agent_statistics WHERE taken_at >= ?1 ORDER BY taken_at",
            )?;
            let samples = statement.query_map([from], sample_of)?;
            Ok(samples.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The names heard of at `seen_from` or later and not at `silent_from` or later, sorted.
    pub fn offline_agents(&self, seen_from: i64, silent_from: i64) -> Result<Vec<OfflineAgent>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection
                .prepare_cached("SELECT name_id, heartbeat_at FROM agent_states WHERE heartbeat_at >= ?1")?;
            let mut rows = statement.query([seen_from])?;
            let mut beats: Vec<(i64, i64)> = Vec::new();
            while let Some(row) = rows.next()? {
                beats.push((row.get(0)?, row.get(1)?));
            }
            first_names(connection, &silent(beats, seen_from, silent_from), usize::MAX)
        })
    }

    /// The endpoints of which more than one agent beat at `heard_from` or later, most agents first, then by queueloc.
    pub fn double_endpoints(&self, heard_from: i64) -> Result<Vec<DoubleEndpoint>> {
        self.read(READ_MOST, |connection| {
            let mut found: Vec<(i64, Vec<i64>)> = Vec::new();
            by_endpoint(connection, &[Field::EndpointId, Field::NameId], heard_from, |states| {
                if let [first, _, ..] = states {
                    found.push((first.endpoint_id, states.iter().map(|state| state.name_id).collect()));
                }
            })?;
            named_doubles(connection, found)
        })
    }

    /// Pairs of agents of one endpoint that both beat after the younger began, and still do; at most `most`, by
    /// endpoint.
    pub fn double_pairs(&self, thresholds: Thresholds, most: usize) -> Result<Vec<DoublePair>> {
        self.read(READ_MOST, |connection| {
            let mut pairs = Vec::new();
            by_endpoint(connection, &PAIRED, thresholds.online_from, |states| {
                if states.len() > 1 && pairs.len() < most {
                    pairs.extend(pairs_of(states, thresholds.online_from));
                }
            })?;
            pairs.truncate(most);
            Ok(pairs)
        })
    }
}

/// A sample from a row of all columns of `agent_statistics`.
pub(super) fn sample_of(row: &Row<'_>) -> rusqlite::Result<FleetSample> {
    Ok(FleetSample {
        taken_at: row.get(0)?,
        online_agents: row.get(1)?,
        idle_agents: row.get(2)?,
        online_endpoints: row.get(3)?,
        idle_endpoints: row.get(4)?,
        new_endpoints: row.get(5)?,
        double_endpoints: row.get(6)?,
        disappeared_endpoints: row.get(7)?,
        flapping_endpoints: row.get(8)?,
    })
}

/// Endpoints, each with the names of its agents by id, as they are listed: most agents first, then by queueloc.
pub(super) fn named_doubles(
    connection: &Connection,
    found: Vec<(i64, Vec<i64>)>,
) -> Result<Vec<DoubleEndpoint>> {
    let mut queueloc = connection.prepare_cached("SELECT queueloc FROM endpoints WHERE id = ?1")?;
    let mut name = connection.prepare_cached("SELECT name FROM agent_names WHERE id = ?1")?;
    let mut doubles = Vec::with_capacity(found.len());
    for (endpoint_id, mut name_ids) in found {
        let count = name_ids.len();
        name_ids.sort_unstable();
        name_ids.dedup();
        let names = name_ids.iter().map(|id| name.query_row([id], |row| row.get(0)));
        let mut names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
        names.sort_unstable();
        let queueloc = queueloc.query_row([endpoint_id], |row| row.get(0))?;
        doubles.push(DoubleEndpoint { queueloc, count, names });
    }
    doubles.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.queueloc.cmp(&b.queueloc)));
    Ok(doubles)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 10_000_000;

    fn state(agent_id: i64, started_at: i64, heartbeat_at: i64) -> State {
        State {
            endpoint_id: 1,
            agent_id,
            heartbeat_at,
            started_at,
            name_id: 1,
            version_id: 1,
            environment_id: 1,
            ..State::default()
        }
    }

    #[test]
    fn a_pair_is_double_when_both_beat_after_the_younger_began() {
        let online_from = NOW - 600;
        let destroyed = State { is_destroyed: true, ..state(1, 0, NOW) };
        type Case = (&'static str, Vec<State>, Vec<(i64, i64)>);
        let cases: Vec<Case> = vec![
            ("one", vec![state(1, 0, NOW)], vec![]),
            ("restart", vec![state(1, 0, NOW - 300), state(2, NOW - 299, NOW)], vec![]),
            ("restart in one second", vec![state(1, 0, NOW - 300), state(2, NOW - 300, NOW)], vec![]),
            ("the younger beat once", vec![state(1, 0, NOW), state(2, NOW - 10, NOW - 10)], vec![]),
            ("both beat", vec![state(1, 0, NOW - 5), state(2, NOW - 100, NOW)], vec![(1, 2)]),
            ("ids do not matter", vec![state(3, 0, NOW - 5), state(2, NOW - 100, NOW)], vec![(3, 2)]),
            ("the older is gone", vec![state(1, 0, NOW - 601), state(2, NOW - 700, NOW)], vec![]),
            ("destroyed", vec![destroyed, state(2, NOW - 100, NOW)], vec![]),
            ("three", vec![state(1, 0, NOW), state(2, 1, NOW), state(3, 2, NOW)], vec![(1, 2), (2, 3)]),
        ];
        for (what, states, expected) in cases {
            let found: Vec<(i64, i64)> =
                pairs_of(&states, online_from).iter().map(|pair| (pair.older, pair.younger)).collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn an_endpoint_is_what_its_agents_make_it() {
        let thresholds = Thresholds { online_from: NOW - 600, idle_from: NOW - 1_200 };
        let old = NOW - 30 * DAY_SECS;
        let (online, idle, gone) = (NOW - 1, NOW - 700, NOW - 5_000);
        let destroyed = State { is_destroyed: true, ..state(1, old, online) };
        // online and idle agents, online and idle endpoints, new, double, disappeared, flapping
        let cases: Vec<(&str, Vec<State>, [i64; 8])> = vec![
            ("online", vec![state(1, old, online)], [1, 0, 1, 0, 0, 0, 0, 0]),
            ("idle", vec![state(1, old, idle)], [0, 1, 0, 1, 0, 0, 0, 0]),
            ("gone", vec![state(1, old, gone)], [0, 0, 0, 0, 0, 0, 1, 0]),
            ("new", vec![state(1, NOW - 50, online)], [1, 0, 1, 0, 1, 0, 0, 0]),
            ("restarted", vec![state(1, old, gone), state(2, NOW - 50, online)], [1, 0, 1, 0, 0, 0, 0, 0]),
            (
                "online beside idle",
                vec![state(1, old, online), state(2, old, idle)],
                [1, 0, 1, 0, 0, 0, 0, 1],
            ),
            ("double", vec![state(1, old, online), state(2, old, online)], [2, 0, 1, 0, 0, 1, 0, 1]),
            ("destroyed", vec![destroyed], [0, 0, 0, 0, 0, 0, 1, 0]),
        ];
        for (what, states, expected) in cases {
            let mut numbers = FleetNumbers::default();
            let (mut online, mut idle) = (Tally::default(), Tally::default());
            count_endpoint(&mut numbers, &mut online, &mut idle, &states, (NOW, thresholds));
            let found = [
                numbers.online_agents,
                numbers.idle_agents,
                numbers.online_endpoints,
                numbers.idle_endpoints,
                numbers.new_endpoints,
                numbers.double_endpoints,
                numbers.disappeared_endpoints,
                numbers.flapping_endpoints,
            ];
            assert_eq!(found, expected, "{what}");
            let tallied = |tally: &Tally| tally.by_version.values().sum::<i64>();
            assert_eq!((tallied(&online), tallied(&idle)), (expected[0], expected[1]), "{what}");
        }
    }
}
