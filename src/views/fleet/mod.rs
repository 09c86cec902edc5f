// SPDX-License-Identifier: Apache-2.0
//! The fleet: its numbers `/fleet`, its agents `/fleet/agents`, one agent `/fleet/agents/ID`.
//!
//! Only a local viewer sees them.

pub mod agent;
pub mod agents;
mod history;
pub mod overview;

pub use agent::VIEW as AGENT;
pub use agents::VIEW as AGENTS;
pub use overview::VIEW;

use crate::views::links;

/// The address of an agent's page.
pub fn agent_url(id: i64) -> String {
    format!("{}/{id}", AGENTS.path)
}

/// The agents under the given conditions.
pub fn agents_link<'a>(conditions: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    links::link(AGENTS.path, conditions)
}
