// SPDX-License-Identifier: Apache-2.0
//! Figures of the fleet for whoever watches the server. None of them walks the agents' states: what a walk tells is
//! taken from the sample of the last minute.

use crate::model::command::{ActionStatus, CommandStatus};
use crate::store::fleet::statistics::{FleetSample, sample_of};
use rusqlite::{Connection, OptionalExtension};

/// The fleet at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetFigures {
    /// Agents that are known, destroyed ones too.
    pub agents: i64,
    /// The newest sample; none before the first.
    pub sample: Option<FleetSample>,
    /// Actions that are not over, by status.
    pub open_actions: Vec<(ActionStatus, i64)>,
    /// Commands of these actions, by status.
    pub commands_of_open_actions: Vec<(CommandStatus, i64)>,
    /// Commands that wait for their agent or its answer, of all actions.
    pub commands_open: i64,
}

/// Reads them.
pub fn fleet_figures(connection: &Connection) -> rusqlite::Result<FleetFigures> {
    let one = |sql: &str| -> rusqlite::Result<i64> {
        connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let sample = connection
        .prepare_cached(
            "SELECT taken_at, online_agents, idle_agents, online_endpoints, idle_endpoints, new_endpoints,
               double_endpoints, disappeared_endpoints, flapping_endpoints
             FROM agent_statistics ORDER BY taken_at DESC LIMIT 1",
        )?
        .query_row([], sample_of)
        .optional()?;
    let mut by_status = connection
        .prepare_cached("SELECT status, count(*) FROM actions WHERE status <= 4 GROUP BY status")?;
    let counted: Vec<(i64, i64)> =
        by_status.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let open_actions = ActionStatus::ALL.iter().filter(|status| !status.is_over()).map(|status| {
        let count = counted.iter().find(|(code, _)| *code == status.code()).map_or(0, |(_, count)| *count);
        (*status, count)
    });
    let mut commands = connection.prepare_cached(
        "SELECT total(prepared), total(sent), total(success), total(failed), total(timeout), total(cancelled),
           total(expired)
         FROM actions WHERE status <= 4",
    )?;
    let commands_of_open_actions = commands.query_row([], |row| {
        let counts = CommandStatus::ALL.iter().enumerate();
        counts.map(|(index, status)| Ok((*status, row.get::<_, f64>(index)? as i64))).collect()
    })?;
    Ok(FleetFigures {
        agents: one("SELECT count(*) FROM agent_states")?,
        sample,
        open_actions: open_actions.collect(),
        commands_of_open_actions,
        commands_open: one("SELECT count(*) FROM commands INDEXED BY commands__open WHERE status <= 2")?,
    })
}
