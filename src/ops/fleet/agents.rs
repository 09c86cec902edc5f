// SPDX-License-Identifier: Apache-2.0
//! Agents that are offline, and endpoints with several: what the operator's queries of old found.

use crate::error::Result;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::time::{DAY_SECS, rfc3339};
use crate::ops::App;
use crate::store::fleet::DoubleEndpoint;
use serde::Serialize;

/// Longest window, in days.
pub const DAYS_MAX: i64 = 3_650;
/// The same in minutes.
pub const MINUTES_MAX: i64 = DAYS_MAX * 24 * 60;

/// Which names count as offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineWindow {
    /// Heard of in so many days.
    pub days: i64,
    /// But not in so many minutes.
    pub minutes: i64,
}

impl Default for OfflineWindow {
    fn default() -> OfflineWindow {
        OfflineWindow { days: 30, minutes: 5 }
    }
}

impl OfflineWindow {
    /// The window of a query: `days` and `minutes`, each at least 1.
    pub fn parse(query: &Pairs) -> Result<OfflineWindow> {
        let given = Parameters::new(query, &["days", "minutes", "format"])?;
        let default = OfflineWindow::default();
        Ok(OfflineWindow {
            days: given.integer("days", 1, DAYS_MAX)?.unwrap_or(default.days),
            minutes: given.integer("minutes", 1, MINUTES_MAX)?.unwrap_or(default.minutes),
        })
    }
}

/// Endpoints are double where several agents beat in so many minutes, where nothing is said.
pub const DOUBLE_MINUTES: i64 = 10;

/// The minutes in which agents count as double: `minutes` of a query, at least 1.
pub fn double_minutes(query: &Pairs) -> Result<i64> {
    let given = Parameters::new(query, &["minutes", "format"])?;
    Ok(given.integer("minutes", 1, MINUTES_MAX)?.unwrap_or(DOUBLE_MINUTES))
}

/// A name that is offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offline {
    /// The name.
    pub name: String,
    /// The last heartbeat of any agent of this name, RFC 3339.
    pub last_heartbeat: String,
}

/// All names that are offline, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfflineList {
    /// The names.
    pub offline: Vec<Offline>,
}

/// All endpoints with several agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoubleList {
    /// The endpoints, most agents first, then by queueloc.
    pub double: Vec<DoubleEndpoint>,
}

/// The names of agents that were heard of in the window's days and not in its minutes, sorted bytewise. Destroyed
/// agents count like others.
pub fn offline(app: &App, window: OfflineWindow) -> Result<OfflineList> {
    let now = app.clock.now();
    let found = app.store.offline_agents(now - window.days * DAY_SECS, now - window.minutes * 60)?;
    let offline = found
        .into_iter()
        .map(|agent| Offline { name: agent.name, last_heartbeat: rfc3339(agent.last_heartbeat_at) })
        .collect();
    Ok(OfflineList { offline })
}

/// The endpoints of which more than one agent beat in the last `minutes`.
pub fn double(app: &App, minutes: i64) -> Result<DoubleList> {
    Ok(DoubleList { double: app.store.double_endpoints(app.clock.now() - minutes * 60)? })
}
