// SPDX-License-Identifier: Apache-2.0
//! Records received per OS build: `/builds` and `/api/builds`.

use crate::error::Result;
use crate::model::build::USUAL_SYSTEM;
use crate::model::filter::{NO_SYSTEM, SYSTEM_NAME_CHARS_MAX};
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::ops::App;
use serde::Serialize;

/// Most builds of a system that are listed, the newest.
pub const BUILDS_MAX: usize = 1_000;

/// What `/builds` shows and `/api/builds` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Builds {
    /// The system whose builds are listed; empty for records of format version 1, which name none.
    pub system_name: String,
    /// All records of this system.
    pub records: i64,
    /// How many builds of this system have records, also those that are not listed.
    pub builds_total: usize,
    /// The newest [`BUILDS_MAX`] builds of this system, in the order of versions, oldest first.
    pub builds: Vec<BuildRecords>,
    /// Every system that has records, most first.
    pub systems: Vec<SystemRecords>,
    /// True where the chart is to show all builds that are listed.
    #[serde(skip)]
    pub is_all: bool,
}

/// A build and the records of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuildRecords {
    /// ID of os-release.
    pub system_name: String,
    /// The build.
    pub build: String,
    /// How many records are of it.
    pub records: i64,
}

/// A system and the records of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SystemRecords {
    /// ID of os-release; empty for records that name none.
    pub system_name: String,
    /// How many records are of it.
    pub records: i64,
}

/// The parameters of the address: `system_name` (without it [`USUAL_SYSTEM`], or the system with most records
/// where that has none; [`NO_SYSTEM`] for records that name none), and `all`, `1` to draw all builds.
pub const PARAMETERS: &[&str] = &["system_name", "all"];

/// Reads the counts that `query` asks for; Invalid where a parameter breaks its rule.
pub fn load(app: &App, query: &Pairs) -> Result<Builds> {
    let parameters = Parameters::new(query, PARAMETERS)?;
    let asked = parameters.text("system_name", SYSTEM_NAME_CHARS_MAX)?;
    let is_all = parameters.flag("all")?;
    let systems = app.store.count_by_system()?;
    let system_name = system_chosen(asked, &systems);
    let mut builds = app.store.count_by_build(&system_name)?;
    let builds_total = builds.len();
    let records = builds.iter().map(|(_, records)| records).sum();
    builds.drain(..builds_total.saturating_sub(BUILDS_MAX));
    let builds = builds
        .into_iter()
        .map(|(build, records)| BuildRecords { system_name: system_name.clone(), build, records })
        .collect();
    let systems =
        systems.into_iter().map(|(system_name, records)| SystemRecords { system_name, records }).collect();
    Ok(Builds { system_name, records, builds_total, builds, systems, is_all })
}

/// The system that was asked for, else the usual one where it is among `systems` (most first), else the
/// first.
pub fn system_chosen(asked: Option<&str>, systems: &[(String, i64)]) -> String {
    let has_usual = systems.iter().any(|(name, _)| name == USUAL_SYSTEM);
    match (asked, systems.first()) {
        (Some(NO_SYSTEM), _) => String::new(),
        (Some(name), _) => name.to_owned(),
        (None, Some((first, _))) if !has_usual => first.clone(),
        (None, _) => USUAL_SYSTEM.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_system_comes_first_where_it_has_anything() {
        let systems = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
        let cases: &[(Option<&str>, &[&str], &str)] = &[
            (None, &[], USUAL_SYSTEM),
            (None, &["fedora", USUAL_SYSTEM], USUAL_SYSTEM),
            (None, &["fedora", "debian"], "fedora"),
            (None, &["", "debian"], ""),
            (Some("debian"), &["fedora", USUAL_SYSTEM], "debian"),
            (Some("unknown"), &["fedora"], "unknown"),
            (Some(NO_SYSTEM), &["fedora"], ""),
        ];
        for (asked, names, expected) in cases {
            assert_eq!(system_chosen(*asked, &systems(names)), *expected, "{asked:?} {names:?}");
        }
    }
}
