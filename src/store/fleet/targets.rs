// SPDX-License-Identifier: Apache-2.0
//! Which agents a target means. No part of a target becomes SQL: each of its simplest conditions is judged once for
//! every name, version, environment, set of tags or endpoint that there is, and then the narrow rows of
//! `agent_states` are walked with the verdicts at hand.
//!
//! ```text
//! name LIKE 'db%' AND environment->>'os' = 'linux' AND heartbeattime > NOW() - interval '1 hour'
//!      │                     │                                     │
//!  agent_names ─ verdicts    environments ─ verdicts               judged row by row
//! ```

#[cfg(test)]
mod tests;
mod verdicts;

use verdicts::Judge;

use crate::error::Result;
use crate::model::agent::Thresholds;
use crate::store::Store;
use crate::store::fleet::states::{self, Field, State, Which};
use crate::target::Condition;
use rusqlite::Connection;
use std::time::Duration;

/// How long a target may be looked for.
const SEARCH_MOST: Duration = Duration::from_secs(10);
/// Up to so many matches are sorted by queueloc; of more, the first are found by walking all queuelocs in order.
const SORTED_MAX: usize = 5_000;

/// An agent that a target means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAgent {
    /// Its id.
    pub agent_id: i64,
    /// Its endpoint's id.
    pub endpoint_id: i64,
    /// Its name.
    pub name: String,
}

/// At which moment a target is judged.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// `NOW()`, in Unix seconds.
    pub now: i64,
    /// Who is online and idle then.
    pub thresholds: Thresholds,
}

/// An agent found, with what its order needs.
#[derive(Clone, Copy, Debug)]
struct Match {
    endpoint_id: i64,
    agent_id: i64,
    heartbeat_at: i64,
    name_id: i64,
}

/// The agents that a target means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetAgents {
    /// The first of them, by queueloc.
    pub first: Vec<TargetAgent>,
    /// How many there are.
    pub n_agents: usize,
}

/// Agents of a list, the newest heartbeat first.
#[derive(Clone, Debug, Default)]
pub struct AgentPage {
    /// Ids of the page, in its order.
    pub ids: Vec<i64>,
    /// How many agents there are on all pages.
    pub n_agents: usize,
}

impl Store {
    /// The agents that a target means: online or idle, of each endpoint the one that beat last; at most `most` are named.
    /// Busy where it takes too long.
    pub fn target_agents(
        &self,
        target: &Condition,
        moment: Moment,
        most: Option<usize>,
    ) -> Result<TargetAgents> {
        self.read(SEARCH_MOST, |connection| {
            let found = endpoints_matching(connection, target, moment)?;
            let n_agents = found.len();
            Ok(TargetAgents { first: named(connection, in_order(connection, found, most)?)?, n_agents })
        })
    }

    /// All agents for which a condition holds, or all where there is none: the last heartbeat first, those of one
    /// second by descending id; a page of `limit` after `offset`.
    pub fn agents_where(
        &self,
        condition: Option<&Condition>,
        moment: Moment,
        offset: usize,
        limit: usize,
    ) -> Result<AgentPage> {
        self.read(SEARCH_MOST, |connection| match condition {
            Some(condition) => page_where(connection, condition, moment, offset, limit),
            None => page_of_all(connection, offset, limit),
        })
    }
}

fn page_where(
    connection: &Connection,
    condition: &Condition,
    moment: Moment,
    offset: usize,
    limit: usize,
) -> Result<AgentPage> {
    let mut found = Vec::new();
    walk(connection, condition, moment, Which::All, &[Field::AgentId, Field::HeartbeatAt], |state| {
        found.push((state.heartbeat_at, state.agent_id));
    })?;
    let n_agents = found.len();
    let end = offset.saturating_add(limit).min(n_agents);
    if end < n_agents && end > 0 {
        // Only what stands on the page or before it needs an order.
        found.select_nth_unstable_by(end - 1, |a, b| b.cmp(a));
        found.truncate(end);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    let ids = found.into_iter().skip(offset).take(limit).map(|(_, id)| id).collect();
    Ok(AgentPage { ids, n_agents })
}

fn page_of_all(connection: &Connection, offset: usize, limit: usize) -> Result<AgentPage> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM agent_states")?;
    let n_agents: i64 = count.query_row([], |row| row.get(0))?;
    let mut page = connection.prepare_cached(
        "SELECT agent_id FROM agent_states ORDER BY heartbeat_at DESC, agent_id DESC LIMIT ?1 OFFSET ?2",
    )?;
    let at_most = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let ids = page.query_map([at_most(limit), at_most(offset)], |row| row.get(0))?;
    let ids = ids.collect::<rusqlite::Result<_>>()?;
    Ok(AgentPage { ids, n_agents: usize::try_from(n_agents).unwrap_or(0) })
}

/// The newest matching agent of each endpoint, by endpoint id.
fn endpoints_matching(connection: &Connection, target: &Condition, moment: Moment) -> Result<Vec<Match>> {
    let mut found: Vec<Match> = Vec::new();
    let live = Which::LiveFrom(moment.thresholds.idle_from);
    let fields = [Field::EndpointId, Field::AgentId, Field::HeartbeatAt, Field::NameId];
    walk(connection, target, moment, live, &fields, |state| {
        let this = Match {
            endpoint_id: state.endpoint_id,
            agent_id: state.agent_id,
            heartbeat_at: state.heartbeat_at,
            name_id: state.name_id,
        };
        match found.last_mut() {
            // Rows come by endpoint and agent, so of equal heartbeats the younger agent stays.
            Some(last) if last.endpoint_id == this.endpoint_id => {
                if this.heartbeat_at >= last.heartbeat_at {
                    *last = this;
                }
            }
            _ => found.push(this),
        }
    })?;
    Ok(found)
}

/// The first `most` by queueloc.
fn in_order(connection: &Connection, found: Vec<Match>, most: Option<usize>) -> Result<Vec<Match>> {
    let most = most.unwrap_or(usize::MAX);
    if found.len() <= SORTED_MAX || most >= found.len() / 2 {
        let mut statement = connection.prepare_cached("SELECT queueloc FROM endpoints WHERE id = ?1")?;
        let mut keyed = Vec::with_capacity(found.len());
        for one in found {
            let queueloc: String = statement.query_row([one.endpoint_id], |row| row.get(0))?;
            keyed.push((queueloc, one));
        }
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        return Ok(keyed.into_iter().take(most).map(|(_, one)| one).collect());
    }
    let mut statement = connection.prepare_cached("SELECT id FROM endpoints ORDER BY queueloc")?;
    let mut rows = statement.query([])?;
    let mut first = Vec::with_capacity(most);
    while let Some(row) = rows.next()? {
        if first.len() >= most {
            break;
        }
        let id: i64 = row.get(0)?;
        if let Ok(index) = found.binary_search_by_key(&id, |one| one.endpoint_id) {
            first.push(found[index]);
        }
    }
    Ok(first)
}

fn named(connection: &Connection, found: Vec<Match>) -> Result<Vec<TargetAgent>> {
    let mut statement = connection.prepare_cached("SELECT name FROM agent_names WHERE id = ?1")?;
    let mut named = Vec::with_capacity(found.len());
    for one in found {
        let name = statement.query_row([one.name_id], |row| row.get(0))?;
        named.push(TargetAgent { agent_id: one.agent_id, endpoint_id: one.endpoint_id, name });
    }
    Ok(named)
}

/// Calls `take` with every state for which the condition holds, by endpoint and agent, with these fields.
fn walk(
    connection: &Connection,
    condition: &Condition,
    moment: Moment,
    which: Which,
    fields: &[Field],
    mut take: impl FnMut(&State),
) -> Result<()> {
    let mut judge = Judge::new(connection, condition, moment)?;
    let fields = [fields, &judge.fields()].concat();
    states::walk(connection, &fields, which, |state| {
        if judge.holds(state)? == Some(true) {
            take(state);
        }
        Ok(())
    })
}
