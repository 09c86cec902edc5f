// SPDX-License-Identifier: Apache-2.0
//! Which agents a target means, before anything is launched.

use crate::error::{Error, Kind, Result};
use crate::ops::App;
use crate::store::fleet::Moment;
use crate::target;

/// Names of a preview.
pub const NAMES_MAX: usize = 100;

/// What a target means now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// How many agents an action with this target would go to.
    pub agents: i64,
    /// The names of the first hundred of them, in the order of their endpoints.
    pub names: Vec<String>,
}

/// Evaluates a target: agents online or idle, one an endpoint. Invalid where it is no target, Busy where it takes too
/// long.
pub fn preview(app: &App, target: &str) -> Result<Preview> {
    let condition = target::parse(target)?;
    let now = app.clock.now();
    let moment = Moment { now, thresholds: app.config.fleet.liveness().at(now) };
    let found = app.store.target_agents(&condition, moment, Some(NAMES_MAX))?;
    let names = found.first.into_iter().map(|agent| agent.name).collect();
    Ok(Preview { agents: found.n_agents as i64, names })
}

/// Refuses a launch on more agents than `fleet.confirm_above` that nobody confirmed. Kind: Conflict.
pub fn require_confirmed(app: &App, preview: &Preview, is_confirmed: bool) -> Result<()> {
    let most = app.config.fleet.confirm_above;
    if preview.agents <= most || is_confirmed {
        return Ok(());
    }
    Err(Error::new(
        Kind::Conflict,
        format!(
            "The target matches {} agents, more than fleet.confirm_above ({most}); confirm it",
            preview.agents
        ),
    ))
}
