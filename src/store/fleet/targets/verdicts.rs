// SPDX-License-Identifier: Apache-2.0
//! Judging a target: where each simple condition finds what it asks for, its verdicts for all rows of that place, and
//! what follows from these for an agent. Which agents are asked about is not here.

use super::Moment;
use crate::error::{Error, Result};
use crate::model::agent::{AgentStatus, Thresholds};
use crate::store::fleet::states::{Field, State};
use crate::target::{Column, Condition, Facts, Hop, JsonColumn, JsonPath, Prepared, Value};
use rusqlite::{Connection, Row};
use std::collections::HashSet;

/// Verdicts by id: what a condition is for each row of a small table.
#[derive(Debug)]
struct Verdicts {
    first_id: i64,
    verdicts: Vec<Option<bool>>,
}

impl Verdicts {
    fn of(&self, id: i64) -> Option<bool> {
        let index = usize::try_from(id - self.first_id).ok()?;
        self.verdicts.get(index).copied().flatten()
    }
}

/// A condition made ready for walking.
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Judged beforehand, by an id of the row, which is this field.
    Known(Field, Verdicts),
    /// Judged beforehand for each status.
    Status(Vec<(AgentStatus, Option<bool>)>),
    /// Judged by what the row itself says, in this field.
    State(Option<Field>, Prepared),
    /// Judged by everything about the agent, read for it alone.
    Whole(Prepared),
    /// Agents that answered another action.
    Among(HashSet<i64>),
}

pub(super) struct Judge<'a> {
    connection: &'a Connection,
    node: Node,
    facts: Facts,
    moment: Moment,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        condition: &Condition,
        moment: Moment,
    ) -> Result<Judge<'a>> {
        let facts = Facts { now_micros: micros(moment.now), ..Facts::default() };
        let node = node(connection, condition, &facts)?;
        Ok(Judge { connection, node, facts, moment })
    }

    /// What it needs of a row.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        add_fields(&self.node, &mut fields);
        fields
    }

    pub(super) fn holds(&mut self, state: &State) -> Result<Option<bool>> {
        holds(&self.node, state, &mut self.facts, self.connection, self.moment.thresholds)
    }
}

fn add_fields(node: &Node, fields: &mut Vec<Field>) {
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter().for_each(|part| add_fields(part, fields)),
        Node::Not(inner) => add_fields(inner, fields),
        Node::Known(field, _) => fields.push(*field),
        Node::Status(_) => fields.extend([Field::HeartbeatAt, Field::IsDestroyed]),
        Node::State(field, _) => fields.extend(*field),
        Node::Whole(_) => fields.extend(Field::ALL),
        Node::Among(_) => fields.push(Field::AgentId),
    }
}

pub(super) fn micros(secs: i64) -> i64 {
    secs.saturating_mul(1_000_000)
}

fn holds(
    node: &Node,
    state: &State,
    facts: &mut Facts,
    connection: &Connection,
    thresholds: Thresholds,
) -> Result<Option<bool>> {
    match node {
        Node::And(parts) | Node::Or(parts) => {
            let decisive = matches!(node, Node::Or(_));
            let mut has_null = false;
            for part in parts {
                match holds(part, state, facts, connection, thresholds)? {
                    Some(holds) if holds == decisive => return Ok(Some(decisive)),
                    Some(_) => {}
                    None => has_null = true,
                }
            }
            Ok((!has_null).then_some(!decisive))
        }
        Node::Not(inner) => Ok(holds(inner, state, facts, connection, thresholds)?.map(|holds| !holds)),
        Node::Known(field, verdicts) => Ok(verdicts.of(field.of(state))),
        Node::Status(verdicts) => {
            let status = thresholds.status(state.heartbeat_at, state.is_destroyed);
            Ok(verdicts.iter().find(|(of, _)| *of == status).and_then(|(_, verdict)| *verdict))
        }
        Node::Among(ids) => Ok(Some(ids.contains(&state.agent_id))),
        Node::State(_, prepared) => {
            facts.id = Some(state.agent_id);
            facts.starttime_micros = micros(state.started_at);
            facts.heartbeattime_micros = Some(micros(state.heartbeat_at));
            prepared.matches(facts)
        }
        Node::Whole(prepared) => {
            prepared.matches(&whole_facts(connection, state, facts.now_micros, thresholds)?)
        }
    }
}

/// Where a condition without AND, OR and NOT finds all that it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It asks for nothing but constants.
    Nowhere,
    /// In this field of the row itself.
    State(Field),
    Status,
    Names,
    Versions,
    Endpoints,
    Environments,
    TagSets,
    /// Numbers and words of each agent.
    Agents,
    /// Its own public address alone.
    PublicIp,
    /// Its own addresses.
    Addresses,
    /// Its own machine id.
    MachineIds,
    /// In more than one of these.
    Everywhere,
}

fn place_of(value: &Value) -> Place {
    match value {
        Value::Text(_) | Value::Number(_) | Value::Time(_) => Place::Nowhere,
        Value::Column(column) => match column {
            Column::Id => Place::State(Field::AgentId),
            Column::Starttime => Place::State(Field::StartedAt),
            Column::Heartbeattime => Place::State(Field::HeartbeatAt),
            Column::Status => Place::Status,
            // No agent has one here: it is NULL.
            Column::Loadername => Place::Nowhere,
            Column::Name => Place::Names,
            Column::Version => Place::Versions,
            Column::Queueloc => Place::Endpoints,
            Column::Mode | Column::Pid | Column::Refreshtime => Place::Agents,
            Column::Environment => Place::Environments,
            Column::Tags => Place::TagSets,
        },
        Value::Json(path) => {
            let first = match path.hops.first() {
                Some(Hop::Key(key)) => Some(key),
                Some(Hop::Path(parts)) => parts.first(),
                _ => None,
            };
            match (path.column, first.map(String::as_str)) {
                (JsonColumn::Environment, Some("publicip")) if is_one_step(path) => Place::PublicIp,
                // These two are each agent's own.
                (JsonColumn::Environment, Some("addresses" | "publicip")) => Place::Addresses,
                (JsonColumn::Tags, Some("machine_id")) => Place::MachineIds,
                (JsonColumn::Environment, Some(_)) => Place::Environments,
                (JsonColumn::Tags, Some(_)) => Place::TagSets,
                (_, None) => Place::Everywhere,
            }
        }
    }
}

fn is_one_step(path: &JsonPath) -> bool {
    match path.hops.as_slice() {
        [Hop::Key(_)] => true,
        [Hop::Path(parts)] => parts.len() == 1,
        _ => false,
    }
}

fn place(values: &[&Value]) -> Place {
    values.iter().map(|value| place_of(value)).fold(Place::Nowhere, |so_far, next| match (so_far, next) {
        (Place::Nowhere, one) | (one, Place::Nowhere) => one,
        (one, other) if one == other => one,
        _ => Place::Everywhere,
    })
}

fn place_of_leaf(leaf: &Condition) -> Place {
    match leaf {
        Condition::Compare { left, right, .. } => place(&[left, right]),
        Condition::Between { value, low, high } => place(&[value, low, high]),
        Condition::In { value, list } => {
            let values: Vec<&Value> = std::iter::once(value).chain(list).collect();
            place(&values)
        }
        Condition::Like { value, .. } | Condition::Matches { value, .. } | Condition::IsNull(value) => {
            place(&[value])
        }
        Condition::And(_) | Condition::Or(_) | Condition::Not(_) | Condition::FollowUp { .. } => {
            Place::Everywhere
        }
    }
}

fn node(connection: &Connection, condition: &Condition, facts: &Facts) -> Result<Node> {
    let nodes = |parts: &[Condition]| -> Result<Vec<Node>> {
        parts.iter().map(|part| node(connection, part, facts)).collect()
    };
    Ok(match condition {
        Condition::And(parts) => Node::And(nodes(parts)?),
        Condition::Or(parts) => Node::Or(nodes(parts)?),
        Condition::Not(inner) => Node::Not(Box::new(node(connection, inner, facts)?)),
        Condition::FollowUp { action_id, found_anything } => {
            Node::Among(answered(connection, *action_id, *found_anything)?)
        }
        leaf => leaf_node(connection, leaf, facts)?,
    })
}

fn leaf_node(connection: &Connection, leaf: &Condition, facts: &Facts) -> Result<Node> {
    let prepared = Prepared::at(leaf.clone(), facts.now_micros)?;
    let source = match place_of_leaf(leaf) {
        Place::Nowhere => return Ok(Node::State(None, prepared)),
        Place::State(field) => return Ok(Node::State(Some(field), prepared)),
        Place::Status => return status_node(&prepared, facts),
        Place::Everywhere => return Ok(Node::Whole(prepared)),
        Place::Names => NAMES,
        Place::Versions => VERSIONS,
        Place::Endpoints => ENDPOINTS,
        Place::Environments => ENVIRONMENTS,
        Place::TagSets => TAG_SETS,
        Place::Agents => AGENTS,
        Place::PublicIp => PUBLIC_IPS,
        Place::Addresses => ADDRESSES,
        Place::MachineIds => MACHINE_IDS,
    };
    let mut facts = facts.clone();
    Ok(Node::Known(source.field, verdicts(connection, &source, &prepared, &mut facts)?))
}

/// Where verdicts are made, one for each row.
struct Source {
    /// The rows; the first column is their id.
    sql: &'static str,
    /// What refers to them.
    field: Field,
    /// Takes from a row what a condition asks for.
    read: fn(&Row<'_>, &mut Facts) -> Result<()>,
}

const NAMES: Source = Source {
    sql: "SELECT id, name FROM agent_names ORDER BY id",
    field: Field::NameId,
    read: |row, facts| replace_text(row, &mut facts.name),
};
const VERSIONS: Source = Source {
    sql: "SELECT id, version FROM agent_versions ORDER BY id",
    field: Field::VersionId,
    read: |row, facts| replace_text(row, &mut facts.version),
};
const ENDPOINTS: Source = Source {
    sql: "SELECT id, queueloc FROM endpoints ORDER BY id",
    field: Field::EndpointId,
    read: |row, facts| replace_text(row, &mut facts.queueloc),
};
const ENVIRONMENTS: Source = Source {
    sql: "SELECT id, environment FROM environments ORDER BY id",
    field: Field::EnvironmentId,
    read: |row, facts| {
        facts.environment = json(row, 1)?;
        Ok(())
    },
};
const TAG_SETS: Source = Source {
    sql: "SELECT id, tags FROM tag_sets ORDER BY id",
    field: Field::TagsId,
    read: |row, facts| {
        facts.tags = json(row, 1)?;
        Ok(())
    },
};
const AGENTS: Source = Source {
    sql: "SELECT id, pid, mode, refreshed_at FROM agents ORDER BY id",
    field: Field::AgentId,
    read: read_agent,
};
const PUBLIC_IPS: Source = Source {
    sql: "SELECT id, publicip FROM agents ORDER BY id",
    field: Field::AgentId,
    read: |row, facts| replace_publicip(row, &mut facts.environment),
};
const ADDRESSES: Source = Source {
    sql: "SELECT id, publicip, addresses FROM agents ORDER BY id",
    field: Field::AgentId,
    read: |row, facts| {
        facts.environment = addresses(row, 1)?;
        Ok(())
    },
};
const MACHINE_IDS: Source = Source {
    sql: "SELECT id, machine_id FROM agents ORDER BY id",
    field: Field::AgentId,
    read: |row, facts| {
        facts.tags = machine_id(row, 1)?;
        Ok(())
    },
};

/// What a condition on nothing but the status is for each status.
fn status_node(prepared: &Prepared, facts: &Facts) -> Result<Node> {
    let mut facts = facts.clone();
    let verdicts = AgentStatus::ALL.into_iter().map(|status| {
        facts.status = Some(status.word().to_owned());
        Ok((status, prepared.matches(&facts)?))
    });
    Ok(Node::Status(verdicts.collect::<Result<_>>()?))
}

/// Process id, mode and refresh time, from the second column on.
fn read_agent(row: &Row<'_>, facts: &mut Facts) -> Result<()> {
    facts.pid = row.get(1)?;
    let mode = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    if facts.mode != mode {
        facts.mode = mode.to_owned();
    }
    let refreshed_at: Option<i64> = row.get(3)?;
    facts.refreshtime_micros = Some(refreshed_at.map_or(i64::MIN, micros));
    Ok(())
}

/// What an agent has of its environment for itself: publicip and addresses, in this order.
fn addresses(row: &Row<'_>, first_column: usize) -> Result<serde_json::Value> {
    let publicip: String = row.get(first_column)?;
    Ok(serde_json::json!({ "publicip": publicip, "addresses": json(row, first_column + 1)? }))
}

/// What an agent has of its tags for itself.
fn machine_id(row: &Row<'_>, column: usize) -> Result<serde_json::Value> {
    let machine_id: Option<String> = row.get(column)?;
    Ok(match machine_id {
        Some(id) => serde_json::json!({ "machine_id": id }),
        None => serde_json::json!({}),
    })
}

fn replace_text(row: &Row<'_>, text: &mut String) -> Result<()> {
    text.clear();
    text.push_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
    Ok(())
}

/// Puts the public address into an object that has nothing else.
fn replace_publicip(row: &Row<'_>, environment: &mut serde_json::Value) -> Result<()> {
    match environment.get_mut("publicip") {
        Some(serde_json::Value::String(text)) => replace_text(row, text),
        _ => {
            let publicip: String = row.get(1)?;
            *environment = serde_json::json!({ "publicip": publicip });
            Ok(())
        }
    }
}

fn json(row: &Row<'_>, column: usize) -> Result<serde_json::Value> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    serde_json::from_str(text)
        .map_err(|error| Error::internal("An agent's JSON cannot be read back").because(error))
}

fn verdicts(
    connection: &Connection,
    source: &Source,
    prepared: &Prepared,
    facts: &mut Facts,
) -> Result<Verdicts> {
    let mut verdicts = Verdicts { first_id: 0, verdicts: Vec::new() };
    let mut statement = connection.prepare_cached(source.sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if verdicts.verdicts.is_empty() {
            verdicts.first_id = id;
        }
        (source.read)(row, facts)?;
        let verdict = prepared.matches(facts)?;
        // Ids of rows that are gone leave gaps.
        let index = usize::try_from(id - verdicts.first_id).unwrap_or(0);
        verdicts.verdicts.resize(index, None);
        verdicts.verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Agents of which a command of the action has a result with this `foundanything`.
fn answered(connection: &Connection, action_id: i64, found_anything: bool) -> Result<HashSet<i64>> {
    let bit = if found_anything { 1 } else { 2 };
    let mut statement = connection
        .prepare_cached("SELECT agent_id FROM commands WHERE action_id = ?1 AND found & ?2 <> 0")?;
    let ids = statement.query_map([action_id, bit], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<HashSet<i64>>>()?)
}

/// Everything about one agent, for conditions that compare what stands in different tables.
pub(super) fn whole_facts(
    connection: &Connection,
    state: &State,
    now_micros: i64,
    thresholds: Thresholds,
) -> Result<Facts> {
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.pid, a.mode, a.refreshed_at, a.publicip, a.addresses, a.machine_id, n.name, v.version,
                e.queueloc, x.environment, t.tags
         FROM agents a, agent_names n, agent_versions v, endpoints e, environments x, tag_sets t
         WHERE a.id = ?1 AND n.id = ?2 AND v.id = ?3 AND e.id = ?4 AND x.id = ?5 AND t.id = ?6",
    )?;
    let ids = [
        state.agent_id,
        state.name_id,
        state.version_id,
        state.endpoint_id,
        state.environment_id,
        state.tags_id,
    ];
    let mut rows = statement.query(ids)?;
    let row = rows.next()?.ok_or_else(|| {
        Error::internal(format!("A row that agent {} refers to is missing", state.agent_id))
    })?;
    let mut facts = Facts {
        now_micros,
        id: Some(state.agent_id),
        starttime_micros: micros(state.started_at),
        heartbeattime_micros: Some(micros(state.heartbeat_at)),
        status: Some(thresholds.status(state.heartbeat_at, state.is_destroyed).word().to_owned()),
        ..Facts::default()
    };
    read_agent(row, &mut facts)?;
    facts.name = row.get(7)?;
    facts.version = row.get(8)?;
    facts.queueloc = row.get(9)?;
    facts.environment = merged(json(row, 10)?, addresses(row, 4)?);
    facts.tags = merged(json(row, 11)?, machine_id(row, 6)?);
    Ok(facts)
}

/// An object with the fields of another added.
fn merged(mut shared: serde_json::Value, own: serde_json::Value) -> serde_json::Value {
    if let (Some(shared), serde_json::Value::Object(own)) = (shared.as_object_mut(), own) {
        shared.extend(own);
    }
    shared
}
