// SPDX-License-Identifier: Apache-2.0
//! Crashes by guilty: what `/crashes` and the pages below it show and `/api/crashes…` answers.
//!
//! The lists are here; one guilty, its machines and its backtraces are in [`details`].

pub mod details;

use crate::error::{Error, Result};
use crate::guilty::{Blacklist, Frame, function_name, guilty_frame};
use crate::model::build::BuildName;
use crate::model::crash::{CrashKind, Guilty};
use crate::model::filter::NO_SYSTEM;
use crate::model::filter::{BUILD_CHARS_MAX, SYSTEM_NAME_CHARS_MAX};
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::record::Record;
use crate::model::time::DAY_SECS;
use crate::ops::App;
use crate::store::{BlacklistState, CrashOfRecord, CrashScope};
use serde::Serialize;

/// Guilties on a page.
pub const ROWS_MAX: usize = 10;
/// Most rows that may be left out at the beginning.
pub const SKIP_MAX: i64 = 1_000_000_000;
/// The choices of `days`, as words.
pub const DAYS: [&str; 3] = ["1", "7", "30"];
/// The days where none are asked for.
pub const DAYS_USUAL: i64 = 7;
/// Of the builds with crashes so many are offered, per system the newest ones.
pub const BUILDS_OFFERED_MAX: usize = 1_000;

/// The guilties of a scope, most crashes first, and the other scopes that there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Crashes {
    /// Programs or the kernel.
    pub kind: CrashKind,
    /// Only crashes received in the last so many UTC days with today; null: all that are stored.
    pub days: Option<i64>,
    /// Only crashes of this system, empty for those that name none; null: of all.
    pub system_name: Option<String>,
    /// Only crashes of this build of `system_name`; null: of all.
    pub build: Option<String>,
    /// All crashes of the scope, also those of hidden guilties and without one.
    pub crashes: i64,
    /// Those in which no guilty was found.
    pub without_guilty: i64,
    /// Those of guilties that are hidden.
    pub hidden: i64,
    /// How many guilties there are that are not hidden.
    pub guilties_count: usize,
    /// The crashes of the first rank: the scale of bars.
    pub most: i64,
    /// How many ranks are left out at the beginning.
    pub skip: usize,
    /// The `skip` of the next page; null on the last.
    pub next_skip: Option<usize>,
    /// The newest builds of the scope that have crashes, newest first, at most 8: the order of every
    /// `by_build`.
    pub builds: Vec<BuildName>,
    /// At most [`ROWS_MAX`], most crashes first.
    pub guilties: Vec<RankedGuilty>,
    /// The systems that stored crashes of this kind are of, most first.
    pub systems: Vec<SystemCrashes>,
    /// The builds that stored crashes of this kind are of, by system, newest first; at most
    /// [`BUILDS_OFFERED_MAX`].
    pub all_builds: Vec<BuildCrashes>,
}

impl Crashes {
    /// The build that the list is of, where it is of one.
    pub fn build_name(&self) -> Option<BuildName> {
        let build = self.build.clone()?;
        Some(BuildName { system_name: self.system_name.clone().unwrap_or_default(), build })
    }
}

/// A guilty with its place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RankedGuilty {
    /// From 1.
    pub rank: usize,
    /// `id`, `function` (as sent), `shown` (as people read it), `module`, `comment`, `is_hidden`.
    #[serde(flatten)]
    pub guilty: Guilty,
    /// Its crashes in the scope.
    pub crashes: i64,
    /// Of them those on each of the list's `builds`.
    pub by_build: Vec<BuildCrashes>,
}

/// Crashes of a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SystemCrashes {
    /// ID of os-release; empty for records of format version 1.
    pub system_name: String,
    /// How many.
    pub crashes: i64,
}

/// Crashes of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildCrashes {
    /// `system_name` and `build`.
    #[serde(flatten)]
    pub build: BuildName,
    /// How many.
    pub crashes: i64,
}

/// What the page of a record needs to show its crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashFacts {
    /// Program or kernel.
    pub kind: CrashKind,
    /// What the analysis says; none where the record waits for it.
    pub found: Option<CrashOfRecord>,
    /// The list by which guilties are found now.
    pub blacklist: BlacklistState,
}

/// The guilties of the past days. Parameters: `days` (1, 7, 30), `kind` (program, kernel), `system_name`,
/// `skip`.
pub fn load(app: &App, query: &Pairs) -> Result<Crashes> {
    let parameters = Parameters::new(query, &["days", "kind", "system_name", "skip"])?;
    let days = match parameters.choice("days", &DAYS)? {
        Some(index) => DAYS[index].parse().unwrap_or(DAYS_USUAL),
        None => DAYS_USUAL,
    };
    let scope = CrashScope {
        kind: kind(&parameters)?,
        since_day: Some(since_day(app, days)),
        system_name: system_name(&parameters)?,
        build: None,
    };
    list(app, scope, Some(days), skip(&parameters)?)
}

/// The guilties of all stored crashes. Parameters: `kind`, `system_name`, `skip`.
pub fn load_overall(app: &App, query: &Pairs) -> Result<Crashes> {
    let parameters = Parameters::new(query, &["kind", "system_name", "skip"])?;
    let scope = CrashScope {
        kind: kind(&parameters)?,
        since_day: None,
        system_name: system_name(&parameters)?,
        build: None,
    };
    list(app, scope, None, skip(&parameters)?)
}

/// The guilties of the stored crashes of one build. Parameters: `kind`, `skip`. NotFound where no stored
/// crash of the kind asked for, nor of the other one, is of this build.
pub fn load_build(app: &App, build: &BuildName, query: &Pairs) -> Result<Crashes> {
    let parameters = Parameters::new(query, &["kind", "skip"])?;
    let is_long = build.system_name.chars().count() > SYSTEM_NAME_CHARS_MAX
        || build.build.chars().count() > BUILD_CHARS_MAX;
    let asked = kind(&parameters)?;
    let scope = CrashScope {
        kind: asked,
        since_day: None,
        system_name: Some(build.system_name.clone()),
        build: Some(build.build.clone()),
    };
    let is_there = |kind: CrashKind| -> Result<bool> {
        Ok(app.store.crashes_by_build(kind)?.iter().any(|(name, _)| name == build))
    };
    let other = if asked == CrashKind::Program { CrashKind::Kernel } else { CrashKind::Program };
    if is_long || !is_there(asked)? && !is_there(other)? {
        return Err(Error::not_found("No stored crash is of this build"));
    }
    list(app, scope, None, skip(&parameters)?)
}

/// What the page of a record shows of its crash; none where its class has no backtrace.
pub fn facts_of(app: &App, record: &Record) -> Result<Option<CrashFacts>> {
    let Some(kind) = CrashKind::of_classification(&record.content.classification) else { return Ok(None) };
    let found = app.store.crash_of_record(record.id)?;
    Ok(Some(CrashFacts { kind, found, blacklist: app.store.blacklist()? }))
}

/// The frame of a crashing thread at whose door the crash is laid: the one that the list chooses where it is
/// `guilty`, else the first that is. While stored crashes follow a changed list the two may differ; what is
/// stored counts.
pub fn guilty_index(frames: &[Frame<'_>], guilty: &Guilty, blacklist: &Blacklist) -> Option<usize> {
    let name = function_name(&guilty.function);
    let is_it = |frame: &Frame<'_>| function_name(frame.function) == name && frame.module == guilty.module;
    guilty_frame(frames.iter().map(|frame| (frame.function, frame.module)), blacklist)
        .filter(|index| frames.get(*index).is_some_and(is_it))
        .or_else(|| frames.iter().position(is_it))
}

fn kind(parameters: &Parameters<'_>) -> Result<CrashKind> {
    Ok(asked_kind(parameters)?.unwrap_or(CrashKind::Program))
}

fn asked_kind(parameters: &Parameters<'_>) -> Result<Option<CrashKind>> {
    let index = parameters.choice("kind", &CrashKind::ALL.map(CrashKind::word))?;
    Ok(index.map(|index| CrashKind::ALL[index]))
}

/// The first of the last `days` UTC days with today, in days of Unix time.
fn since_day(app: &App, days: i64) -> i64 {
    app.clock.now().div_euclid(DAY_SECS) - (days - 1)
}

/// The system asked for; [`NO_SYSTEM`] means those whose senders named none.
fn system_name(parameters: &Parameters<'_>) -> Result<Option<String>> {
    let name = parameters.text("system_name", SYSTEM_NAME_CHARS_MAX)?;
    Ok(name.map(|name| if name == NO_SYSTEM { String::new() } else { name.to_owned() }))
}

fn skip(parameters: &Parameters<'_>) -> Result<usize> {
    let skip = parameters.integer("skip", 0, SKIP_MAX)?.unwrap_or(0);
    Ok(usize::try_from(skip).unwrap_or(0))
}

fn list(app: &App, scope: CrashScope, days: Option<i64>, skip: usize) -> Result<Crashes> {
    let top = app.store.top_guilties(&scope, skip, ROWS_MAX)?;
    let ranked = |row: crate::store::TopGuilty| RankedGuilty {
        rank: row.rank,
        by_build: top
            .builds
            .iter()
            .zip(row.by_build)
            .map(|(build, crashes)| BuildCrashes { build: build.clone(), crashes })
            .collect(),
        guilty: row.guilty,
        crashes: row.crashes,
    };
    let guilties: Vec<RankedGuilty> = top.rows.into_iter().map(ranked).collect();
    let next_skip = Some(skip + guilties.len()).filter(|next| !guilties.is_empty() && *next < top.guilties);
    let systems = app.store.crashes_by_system(scope.kind)?;
    let all_builds = app.store.crashes_by_build(scope.kind)?;
    Ok(Crashes {
        kind: scope.kind,
        days,
        system_name: scope.system_name,
        build: scope.build,
        crashes: top.crashes,
        without_guilty: top.without_guilty,
        hidden: top.hidden,
        guilties_count: top.guilties,
        most: top.most,
        skip,
        next_skip,
        builds: top.builds,
        guilties,
        systems: systems
            .into_iter()
            .map(|(system_name, crashes)| SystemCrashes { system_name, crashes })
            .collect(),
        all_builds: all_builds
            .into_iter()
            .take(BUILDS_OFFERED_MAX)
            .map(|(build, crashes)| BuildCrashes { build, crashes })
            .collect(),
    })
}
