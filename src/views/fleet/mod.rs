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

use crate::ops::fleet::agent_search::{of_tag, quoted};
use crate::target::TARGET_BYTES_MAX;
use crate::views::links;

/// Bytes of an address that is linked: a request head has 16 KiB for it and all its fields.
const LINK_BYTES_MAX: usize = 12 * 1024;

/// The address of an agent's page.
pub fn agent_url(id: i64) -> String {
    format!("{}/{id}", AGENTS.path)
}

/// The agents with this value of what agents say of themselves, which may be longer than an address; then none.
/// `value`: what the target language calls it.
fn agents_alike(value: &str, text: &str) -> Option<String> {
    let target = format!("{value} = {}", quoted(text));
    let url = agents_link([("status", "online"), ("target", target.as_str())]);
    (target.len() <= TARGET_BYTES_MAX && url.len() <= LINK_BYTES_MAX).then_some(url)
}

/// The agents with this tag; none where that is longer than an address may be.
fn agents_tagged(name: &str, value: &str) -> Option<String> {
    let (parameter, text) = of_tag(name, value)?;
    let url = agents_link([(parameter, text.as_str())]);
    (url.len() <= LINK_BYTES_MAX).then_some(url)
}

/// The agents under the given conditions.
pub fn agents_link<'a>(conditions: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    links::link(AGENTS.path, conditions)
}
