// SPDX-License-Identifier: Apache-2.0
//! One guilty: its crashes by build and machine, its backtraces, and what an admin notes about it.

use super::{BuildCrashes, SKIP_MAX, asked_kind, guilty_index, since_day, skip, system_name};
use crate::error::{Error, Result};
use crate::guilty::{Blacklist, Trace, demangled};
use crate::model::audit::Actor;
use crate::model::crash::{COMMENT_CHARS_MAX, CrashKind, Guilty};
use crate::model::filter::{BUILD_CHARS_MAX, MACHINE_ID_CHARS_MAX};
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::time::utc_text;
use crate::ops::App;
use crate::store::{BacktraceQuery, FoldedBacktrace};
use serde::{Serialize, Serializer};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Machines of a build where nothing is said.
pub const MACHINES_USUAL: usize = 20;
/// Machines of a build with `all=1`.
pub const MACHINES_MAX: usize = 1_000;
/// Machines of all builds together; builds after that many have their counts only.
pub const MACHINES_TOTAL_MAX: usize = 3_000;
/// Backtraces on a page.
pub const BACKTRACES_MAX: usize = 50;
/// Frames of one of them.
pub const FRAMES_MAX: usize = 200;
/// Most days that the backtraces of the last days may be asked for.
pub const DAYS_MAX: i64 = 365;

/// A guilty and its crashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuiltyDetails {
    /// `id`, `function` (as sent), `shown` (as people read it), `module`, `comment`, `is_hidden`.
    #[serde(flatten)]
    pub guilty: Guilty,
    /// All its stored crashes.
    pub crashes: i64,
    /// True where up to [`MACHINES_MAX`] machines of a build are listed, not [`MACHINES_USUAL`].
    pub is_all: bool,
    /// The builds that they are of: the system with most crashes first, then the newest build.
    pub by_build: Vec<GuiltyOnBuild>,
}

/// The crashes of a guilty on one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuiltyOnBuild {
    /// `system_name`, `build` and `crashes`.
    #[serde(flatten)]
    pub build: BuildCrashes,
    /// How many machines they came from.
    pub machines: i64,
    /// The machines with most of them.
    pub top_machines: Vec<MachineCrashes>,
}

/// Crashes of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineCrashes {
    /// As the sender gave it.
    pub machine_id: String,
    /// How many.
    pub crashes: i64,
}

/// The backtraces of a guilty, identical ones folded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backtraces {
    /// The guilty.
    pub guilty: Guilty,
    /// Only crashes of this machine; null: of all.
    pub machine_id: Option<String>,
    /// Only crashes of this system, empty for those that name none; null: of all.
    pub system_name: Option<String>,
    /// Only crashes of this build; null: of all.
    pub build: Option<String>,
    /// Only crashes received in the last so many UTC days with today; null: all that are stored.
    pub days: Option<i64>,
    /// Only crashes of programs or of the kernel; null: of both.
    pub kind: Option<CrashKind>,
    /// How many crashes these are.
    pub crashes: i64,
    /// How many different backtraces they have.
    pub backtraces_count: usize,
    /// How many backtraces are left out at the beginning.
    pub skip: usize,
    /// The `skip` of the next page; null on the last.
    pub next_skip: Option<usize>,
    /// Most crashes first, at most [`BACKTRACES_MAX`].
    pub backtraces: Vec<Backtrace>,
}

/// Crashes whose crashing threads have the same frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backtrace {
    /// How many.
    pub crashes: i64,
    /// The number of the newest record among them.
    pub newest_record_id: i64,
    /// When that was received, Unix seconds inside the program and `YYYY-MM-DD HH:MM:SS UTC` as JSON.
    #[serde(serialize_with = "as_utc_text")]
    pub newest_ts_reception: i64,
    /// The frames of its crashing thread, top first, at most [`FRAMES_MAX`].
    pub frames: Vec<BacktraceFrame>,
    /// How many more it has.
    pub frames_left_out: usize,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BacktraceFrame {
    /// Its number as sent.
    pub number: u32,
    /// The function as sent.
    pub function: String,
    /// The function as people read it.
    pub shown: String,
    /// The module, empty where it is not known.
    pub module: String,
    /// `FILE:LINE`, null where it is not known.
    pub source: Option<String>,
    /// True for the frame at whose door the crash is laid.
    pub is_guilty: bool,
}

fn as_utc_text<S: Serializer>(at: &i64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&utc_text(*at))
}

/// One guilty. Parameter: `all` (1: up to [`MACHINES_MAX`] machines of a build). NotFound where there is
/// none.
pub fn load(app: &App, id: i64, query: &Pairs) -> Result<GuiltyDetails> {
    let is_all = Parameters::new(query, &["all"])?.flag("all")?;
    let guilty = require(app, id)?;
    let machines_most = if is_all { MACHINES_MAX } else { MACHINES_USUAL };
    let mut builds = app.store.guilty_builds(id, machines_most)?;
    let mut of_system = BTreeMap::<String, i64>::new();
    for build in &builds {
        *of_system.entry(build.build.system_name.clone()).or_default() += build.crashes;
    }
    // Stable: within a system the order stays, and so do systems with as many.
    builds.sort_by_key(|build| Reverse(of_system.get(&build.build.system_name).copied()));
    let mut machines_left = MACHINES_TOTAL_MAX;
    let mut by_build = Vec::with_capacity(builds.len());
    for build in builds {
        let shown = build.top_machines.len().min(machines_left);
        machines_left -= shown;
        let machines = build.top_machines.into_iter().take(shown);
        by_build.push(GuiltyOnBuild {
            build: BuildCrashes { build: build.build, crashes: build.crashes },
            machines: build.machines,
            top_machines: machines
                .map(|(machine_id, crashes)| MachineCrashes { machine_id, crashes })
                .collect(),
        });
    }
    let crashes = by_build.iter().map(|build| build.build.crashes).sum();
    Ok(GuiltyDetails { guilty, crashes, is_all, by_build })
}

/// The guilty, or NotFound.
pub fn require(app: &App, id: i64) -> Result<Guilty> {
    let guilty = app.store.find_guilty(id)?;
    guilty.ok_or_else(|| Error::not_found(format!("There is no guilty {id}")))
}

/// The backtraces of a guilty. Parameters: `machine_id`, `system_name`, `build`, `days` (1 to [`DAYS_MAX`]),
/// `kind` (program, kernel), `skip`. NotFound where there is no such guilty.
pub fn load_backtraces(app: &App, id: i64, query: &Pairs) -> Result<Backtraces> {
    let known = ["machine_id", "system_name", "build", "days", "kind", "skip"];
    let parameters = Parameters::new(query, &known)?;
    let days = parameters.integer("days", 1, DAYS_MAX)?;
    let text = |name: &str, chars_max: usize| -> Result<Option<String>> {
        Ok(parameters.text(name, chars_max)?.map(str::to_owned))
    };
    let asked = BacktraceQuery {
        guilty_id: id,
        machine_id: text("machine_id", MACHINE_ID_CHARS_MAX)?,
        system_name: system_name(&parameters)?,
        build: text("build", BUILD_CHARS_MAX)?,
        since_day: days.map(|days| since_day(app, days)),
        kind: asked_kind(&parameters)?,
        skip: skip(&parameters)?,
        rows_max: BACKTRACES_MAX,
    };
    let guilty = require(app, id)?;
    let page = app.store.list_backtraces(&asked)?;
    let blacklist = app.store.blacklist()?.effective();
    let rows = page.rows.iter().map(|row| backtrace(row, &guilty, &blacklist));
    let backtraces: Vec<Backtrace> = rows.collect();
    let next = asked.skip + backtraces.len();
    let is_more = !backtraces.is_empty() && next < page.backtraces && next as i64 <= SKIP_MAX;
    Ok(Backtraces {
        guilty,
        machine_id: asked.machine_id,
        system_name: asked.system_name,
        build: asked.build,
        days,
        kind: asked.kind,
        crashes: page.crashes,
        backtraces_count: page.backtraces,
        skip: asked.skip,
        next_skip: is_more.then_some(next),
        backtraces,
    })
}

fn backtrace(folded: &FoldedBacktrace, guilty: &Guilty, blacklist: &Blacklist) -> Backtrace {
    let trace = Trace::parse(&folded.newest.content.payload);
    let frames = trace.crashing();
    let index = guilty_index(frames, guilty, blacklist);
    let shown = frames.iter().take(FRAMES_MAX).enumerate().map(|(at, frame)| BacktraceFrame {
        number: frame.number,
        function: frame.function.to_owned(),
        shown: demangled(frame.function).into_owned(),
        module: frame.module.to_owned(),
        source: frame.source.map(str::to_owned),
        is_guilty: index == Some(at),
    });
    Backtrace {
        crashes: folded.crashes,
        newest_record_id: folded.newest.id,
        newest_ts_reception: folded.newest.received_at,
        frames: shown.collect(),
        frames_left_out: frames.len().saturating_sub(FRAMES_MAX),
    }
}

/// Sets what is noted about a guilty; white space around it does not count, an empty comment is none. Kinds:
/// Invalid where it has control characters or over [`COMMENT_CHARS_MAX`] characters, NotFound where there is
/// no such guilty.
pub fn comment(app: &App, id: i64, comment: &str, actor: &Actor) -> Result<()> {
    let comment = comment.trim();
    let chars = comment.chars().count();
    if chars > COMMENT_CHARS_MAX {
        let why = format!("A comment has at most {COMMENT_CHARS_MAX} characters, this one has {chars}");
        return Err(Error::invalid(why));
    }
    if comment.contains(char::is_control) {
        return Err(Error::invalid("A comment is one line without control characters"));
    }
    found(id, app.store.set_guilty_comment(id, comment, actor)?)
}

/// Takes a guilty out of the lists or puts it back. NotFound where there is no such guilty.
pub fn hide(app: &App, id: i64, is_hidden: bool, actor: &Actor) -> Result<()> {
    found(id, app.store.set_guilty_hidden(id, is_hidden, actor)?)?;
    log::info!("Guilty {id} is {} the lists now", if is_hidden { "hidden from" } else { "shown in" });
    Ok(())
}

fn found(id: i64, is_found: bool) -> Result<()> {
    if is_found { Ok(()) } else { Err(Error::not_found(format!("There is no guilty {id}"))) }
}
