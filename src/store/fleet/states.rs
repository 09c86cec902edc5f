// SPDX-License-Identifier: Apache-2.0
//! Walks over the narrow rows of `agent_states`, endpoint by endpoint. Most of the time of a walk over a hundred
//! thousand rows goes into handing columns over, so each walk names the fields that it needs.

use crate::error::Result;
use rusqlite::Connection;

/// A row; 0 stands in the fields that were not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Where the agent runs.
    pub endpoint_id: i64,
    /// The agent.
    pub agent_id: i64,
    /// Its last heartbeat, in Unix seconds.
    pub heartbeat_at: i64,
    /// When it was heard of first.
    pub started_at: i64,
    /// Row of `agent_names`.
    pub name_id: i64,
    /// Row of `agent_versions`.
    pub version_id: i64,
    /// Row of `environments`.
    pub environment_id: i64,
    /// Row of `tag_sets`.
    pub tags_id: i64,
    /// True where it was told to end and did.
    pub is_destroyed: bool,
}

/// A field of [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named like the fields")]
pub enum Field {
    EndpointId,
    AgentId,
    HeartbeatAt,
    StartedAt,
    NameId,
    VersionId,
    EnvironmentId,
    TagsId,
    IsDestroyed,
}

impl Field {
    /// All fields.
    pub const ALL: [Field; 9] = [
        Field::EndpointId,
        Field::AgentId,
        Field::HeartbeatAt,
        Field::StartedAt,
        Field::NameId,
        Field::VersionId,
        Field::EnvironmentId,
        Field::TagsId,
        Field::IsDestroyed,
    ];

    fn column(self) -> &'static str {
        match self {
            Field::EndpointId => "endpoint_id",
            Field::AgentId => "agent_id",
            Field::HeartbeatAt => "heartbeat_at",
            Field::StartedAt => "started_at",
            Field::NameId => "name_id",
            Field::VersionId => "version_id",
            Field::EnvironmentId => "environment_id",
            Field::TagsId => "tags_id",
            Field::IsDestroyed => "is_destroyed",
        }
    }

    /// Its value in a row.
    pub fn of(self, state: &State) -> i64 {
        match self {
            Field::EndpointId => state.endpoint_id,
            Field::AgentId => state.agent_id,
            Field::HeartbeatAt => state.heartbeat_at,
            Field::StartedAt => state.started_at,
            Field::NameId => state.name_id,
            Field::VersionId => state.version_id,
            Field::EnvironmentId => state.environment_id,
            Field::TagsId => state.tags_id,
            Field::IsDestroyed => i64::from(state.is_destroyed),
        }
    }

    fn set(self, state: &mut State, value: i64) {
        match self {
            Field::EndpointId => state.endpoint_id = value,
            Field::AgentId => state.agent_id = value,
            Field::HeartbeatAt => state.heartbeat_at = value,
            Field::StartedAt => state.started_at = value,
            Field::NameId => state.name_id = value,
            Field::VersionId => state.version_id = value,
            Field::EnvironmentId => state.environment_id = value,
            Field::TagsId => state.tags_id = value,
            Field::IsDestroyed => state.is_destroyed = value != 0,
        }
    }
}

/// Which rows are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those of agents that beat at this time or later.
    HeardFrom(i64),
    /// The same, without those that were destroyed.
    LiveFrom(i64),
}

impl Which {
    fn condition(self) -> (&'static str, Option<i64>) {
        match self {
            Which::All => ("", None),
            Which::HeardFrom(from) => ("WHERE heartbeat_at >= ?1", Some(from)),
            Which::LiveFrom(from) => ("WHERE heartbeat_at >= ?1 AND is_destroyed = 0", Some(from)),
        }
    }
}

/// Calls `take` with each row, by endpoint and agent, in which these fields are filled in.
pub fn walk(
    connection: &Connection,
    fields: &[Field],
    which: Which,
    mut take: impl FnMut(&State) -> Result<()>,
) -> Result<()> {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    fields.dedup();
    let columns: Vec<&str> = fields.iter().map(|field| field.column()).collect();
    let (condition, from) = which.condition();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM agent_states {condition} ORDER BY endpoint_id, agent_id",
        columns.join(", ")
    ))?;
    let mut rows = statement.query(rusqlite::params_from_iter(from))?;
    let mut state = State::default();
    while let Some(row) = rows.next()? {
        for (index, field) in fields.iter().enumerate() {
            field.set(&mut state, row.get_ref(index)?.as_i64().map_err(rusqlite::Error::from)?);
        }
        take(&state)?;
    }
    Ok(())
}
