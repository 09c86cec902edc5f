// SPDX-License-Identifier: Apache-2.0
//! The fleet's numbers now and over time, taken every minute; double agents are warned of.

use crate::error::Result;
use crate::model::action::{Action, Operation};
use crate::model::filter::{ParameterError, bounded};
use crate::model::pairs::Pairs;
use crate::model::time::DAY_SECS;
use crate::model::timestamp::Timestamp;
use crate::ops::App;
use crate::store::fleet::{AgentRow, DoublePair, FleetNumbers, FleetSample};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Pairs that are shown and warned of.
const PAIRS_MAX: usize = 100;
/// Days of history where nothing is said.
const HISTORY_DAYS: i64 = 2;
/// Most days of history; so many are kept.
const HISTORY_DAYS_MAX: i64 = 400;
/// The action against a double agent holds from a minute ago, so that an agent's clock may be late.
const VALID_BEFORE_SECS: i64 = 60;
/// And for so long.
const VALID_FOR_SECS: i64 = 30 * 60;

/// The pairs of double agents that the log was told of; those that are over are forgotten.
#[derive(Debug, Default)]
pub struct WarnedPairs(Mutex<BTreeSet<DoublePair>>);

impl WarnedPairs {
    /// Those of `pairs` that are new since the last call.
    fn news(&self, pairs: &[DoublePair]) -> Vec<DoublePair> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = pairs.iter().filter(|pair| !known.contains(pair)).copied().collect();
        *known = pairs.iter().copied().collect();
        news
    }
}

/// The fleet now and before.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// Now.
    pub now: FleetNumbers,
    /// Before, oldest first: one a minute for two days, one an hour beyond.
    pub history: Vec<FleetSample>,
}

/// The numbers now.
pub fn now(app: &App) -> Result<FleetNumbers> {
    let now = app.clock.now();
    app.store.fleet_numbers(now, app.config.fleet.liveness().at(now))
}

/// How many days of history a query asks for: `days`.
pub fn history_days(query: &Pairs) -> Result<i64, ParameterError> {
    query.filled("days").map_or(Ok(HISTORY_DAYS), |text| bounded("days", text, 1, HISTORY_DAYS_MAX))
}

/// The numbers now, and those of so many days.
pub fn load(app: &App, days: i64) -> Result<Statistics> {
    let history = app.store.fleet_history(app.clock.now() - days * DAY_SECS)?;
    Ok(Statistics { now: now(app)?, history })
}

/// Keeps the numbers of this minute.
pub fn take(app: &App) -> Result<()> {
    let numbers = now(app)?;
    let now = app.clock.now();
    app.store.insert_fleet_sample(FleetSample {
        taken_at: now - now.rem_euclid(60),
        online_agents: numbers.online_agents,
        idle_agents: numbers.idle_agents,
        online_endpoints: numbers.online_endpoints,
        idle_endpoints: numbers.idle_endpoints,
        new_endpoints: numbers.new_endpoints,
        double_endpoints: numbers.double_endpoints,
        disappeared_endpoints: numbers.disappeared_endpoints,
        flapping_endpoints: numbers.flapping_endpoints,
    })
}

/// Thins out what is old.
pub fn thin(app: &App) -> Result<()> {
    let thinned = app.store.thin_fleet_samples(app.clock.now())?;
    log::debug!("Thinned out {thinned} samples of the fleet's numbers");
    Ok(())
}

/// Two agents that run on one endpoint.
#[derive(Clone, Debug)]
pub struct Double {
    /// The one that was heard of first.
    pub older: AgentRow,
    /// The other.
    pub younger: AgentRow,
    /// An action that ends the older one, without signatures.
    pub action: Action,
}

/// The pairs of agents of one endpoint that both beat after the younger was heard of first, and still do; at most 100.
pub fn doubles(app: &App) -> Result<Vec<Double>> {
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let pairs = app.store.double_pairs(thresholds, PAIRS_MAX)?;
    describe(app, &pairs)
}

/// The agents of such pairs, and the action that ends the older of each; pairs that are gone are left out.
pub fn describe(app: &App, pairs: &[DoublePair]) -> Result<Vec<Double>> {
    let now = app.clock.now();
    let thresholds = app.config.fleet.liveness().at(now);
    let mut doubles = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (older, younger) =
            (app.store.agent(pair.older, thresholds)?, app.store.agent(pair.younger, thresholds)?);
        if let (Some(older), Some(younger)) = (older, younger) {
            let action = ending(&older, now);
            doubles.push(Double { older, younger, action });
        }
    }
    Ok(doubles)
}

/// An action that ends an agent, to be signed by an investigator.
fn ending(agent: &AgentRow, now: i64) -> Action {
    Action {
        name: format!("Kill agent {}", agent.name),
        target: format!("queueloc='{}'", agent.queueloc.replace('\'', "''")),
        validfrom: Timestamp::utc(now - VALID_BEFORE_SECS),
        expireafter: Timestamp::utc(now + VALID_FOR_SECS),
        operations: Some(vec![Operation {
            module: "agentdestroy".to_owned(),
            parameters: json!({ "pid": agent.pid, "version": agent.version }),
            is_compressed: false,
            want_compressed: false,
        }]),
        pgpsignatures: Some(Vec::new()),
        syntaxversion: 2,
        ..Action::default()
    }
}

/// Warns once of each pair of double agents, for as long as they are double.
pub fn warn_of_doubles(app: &App) -> Result<()> {
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let pairs = app.store.double_pairs(thresholds, PAIRS_MAX)?;
    for double in describe(app, &app.warned_pairs.news(&pairs))? {
        let (older, younger) = (&double.older, &double.younger);
        // Names come from anybody: as they are escaped here they cannot make a line of their own.
        log::warn!(
            "Two agents run on endpoint {:?}: agent {} (pid {}, version {:?}) and agent {} (pid {}, version {:?}); \
             /fleet has an action that ends the older one",
            older.queueloc,
            older.id,
            older.pid,
            older.version,
            younger.id,
            younger.pid,
            younger.version
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_news_once_and_again_when_it_was_over() {
        let pair = |older, younger| DoublePair { older, younger };
        let warned = WarnedPairs::default();
        assert_eq!(warned.news(&[pair(1, 2), pair(2, 3)]), [pair(1, 2), pair(2, 3)]);
        assert_eq!(warned.news(&[pair(1, 2), pair(4, 5)]), [pair(4, 5)]);
        assert_eq!(warned.news(&[]), []);
        assert_eq!(warned.news(&[pair(1, 2)]), [pair(1, 2)]);
    }
}
