// SPDX-License-Identifier: Apache-2.0
//! Machines that run each build, by their heartbeats: `/population` and `/api/population`.

use crate::error::Result;
use crate::model::filter::SYSTEM_NAME_CHARS_MAX;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::time::{DAY_SECS, date_text};
use crate::ops::App;
use crate::ops::builds::{BUILDS_MAX, system_chosen};
use serde::Serialize;

/// The classification of heartbeats.
pub const CLASSIFICATION: &str = "org.clearlinux/heartbeat/ping";

/// The periods in days, today included; none is all the time that heartbeats have been received.
const PERIODS_DAYS: [Option<i64>; 5] = [None, Some(14), Some(7), Some(3), Some(1)];

/// What `/population` shows and `/api/population` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Population {
    /// The system whose builds are listed; empty for heartbeats of format version 1, which name none.
    pub system_name: String,
    /// Overall and for the past 14, 7, 3 and 1 days.
    pub periods: Vec<Period>,
    /// Every system that has heartbeats, most machines first.
    pub systems: Vec<SystemMachines>,
    /// True where the charts are to show all builds that are listed.
    #[serde(skip)]
    pub is_all: bool,
}

/// The machines of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Period {
    /// How many UTC days, the last of them today; null for all time.
    pub days: Option<i64>,
    /// The first of these days, `YYYY-MM-DD`; null for all time.
    pub from_date: Option<String>,
    /// How many builds machines run, also those that are not listed.
    pub builds_total: usize,
    /// The newest [`BUILDS_MAX`] of them, in the order of versions, oldest first.
    pub builds: Vec<BuildMachines>,
}

/// The machines that sent a heartbeat of a build. One that changed its id counts twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuildMachines {
    /// The build.
    pub build: String,
    /// Distinct ids of internal machines.
    pub internal: i64,
    /// Distinct ids of external machines.
    pub external: i64,
}

/// A system and its machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SystemMachines {
    /// ID of os-release; empty for heartbeats that name none.
    pub system_name: String,
    /// Distinct machine ids.
    pub machines: i64,
}

/// The parameters of the address: `system_name` and `all`, as in [`crate::ops::builds`].
pub const PARAMETERS: &[&str] = &["system_name", "all"];

/// Reads the counts that `query` asks for; Invalid where a parameter breaks its rule.
pub fn load(app: &App, query: &Pairs) -> Result<Population> {
    let parameters = Parameters::new(query, PARAMETERS)?;
    let asked = parameters.text("system_name", SYSTEM_NAME_CHARS_MAX)?;
    let is_all = parameters.flag("all")?;
    let systems = app.store.population_by_system()?;
    let system_name = system_chosen(asked, &systems);
    let today = app.clock.now().div_euclid(DAY_SECS);
    let periods = PERIODS_DAYS
        .into_iter()
        .map(|days| period(app, &system_name, days, today))
        .collect::<Result<Vec<Period>>>()?;
    let systems =
        systems.into_iter().map(|(system_name, machines)| SystemMachines { system_name, machines }).collect();
    Ok(Population { system_name, periods, systems, is_all })
}

/// The machines of the last `days` days up to the day `today` of Unix time.
fn period(app: &App, system_name: &str, days: Option<i64>, today: i64) -> Result<Period> {
    let since = days.map(|days| today - (days - 1));
    let mut builds = app.store.population(system_name, since)?;
    let builds_total = builds.len();
    builds.drain(..builds_total.saturating_sub(BUILDS_MAX));
    let builds = builds
        .into_iter()
        .map(|b| BuildMachines { build: b.build, internal: b.internal, external: b.external })
        .collect();
    Ok(Period { days, from_date: since.map(|day| date_text(day * DAY_SECS)), builds_total, builds })
}
