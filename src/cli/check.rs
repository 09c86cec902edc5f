// SPDX-License-Identifier: Apache-2.0
//! `muster check`: is everything as it should be, and mending it.

use crate::cli::progress::Bar;
use crate::cli::signals::stop_flag;
use crate::cli::{actor, data_dir, load_config, open_app, print};
use crate::clock::Clock;
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::ops::check;
use crate::store::{Finding, Missing, Remedy, Store, Watch, database_path};
use argh::{ArgsInfo, FromArgs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "check",
    description = "Read the whole database and tell what is not as it should be: damaged pages and indexes, references to nothing, \
    counters that differ from a recount, files of the spool that are missing or too many. The server may run meanwhile.",
    example = "{command_name}\n\
    {command_name} --repair",
    note = "--repair mends what can be made of the rows (counters, crashes and machine checks, indexes, the spool) and needs the\n\
    server stopped. What is lost, like a damaged page, comes back by `muster restore` only.",
    error_code(0, "all is as it should be, or was mended"),
    error_code(1, "something differs, or it could not be looked at now"),
    error_code(2, "the database is damaged beyond mending, or there is none"),
    help_triggers("-h", "--help", "help")
)]
/// Compares the database with itself and with the spool.
pub struct CheckCommand {
    #[argh(switch, description = "mend what can be mended; the server must be stopped")]
    repair: bool,
    #[argh(
        option,
        arg_name = "dir",
        description = "data directory (default $STATE_DIRECTORY, else ./muster-data)"
    )]
    data: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
}

impl CheckCommand {
    /// Kinds: those of [`check::outcome`], [`check::database`] and [`check::lock`].
    pub fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        let dir = config.data_dir;
        data_dir::prepare(&dir, Missing::Refuse)?;
        if !database_path(&dir).exists() {
            return Err(Error::usage(format!(
                "There is no database at {}; name its data directory with --data",
                database_path(&dir).display()
            )));
        }
        Store::look(&dir)?;
        let is_stopped = stop_flag()?;
        let _lock = if self.repair { Some(check::lock(&dir)?) } else { None };
        let mut findings = compare(&dir, &is_stopped)?;
        let mut spool = Vec::new();
        if self.repair {
            mend(&dir, &findings, &is_stopped)?;
            if !findings.is_empty() {
                tell(&findings, |finding| {
                    if finding.remedy == Remedy::Restore { "cannot be mended" } else { "mended" }
                })?;
                findings = compare(&dir, &is_stopped)?;
            }
        }
        // Opening it further builds missing indexes, which only mending may.
        let is_sound = !findings.iter().any(|one| matches!(one.remedy, Remedy::Indexes | Remedy::Restore));
        if is_sound {
            let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
            if self.repair {
                tell(&check::repair_spool(&app, &actor("muster check"))?, |_| "mended")?;
            }
            spool = check::spool(&app)?;
        }
        findings.extend(spool);
        tell(&findings, |finding| check::remedy_text(finding.remedy))?;
        check::outcome(&findings)?;
        print(&format!("{} is as it should be\n", database_path(&dir).display()))
    }
}

fn compare(dir: &Path, is_stopped: &Arc<AtomicBool>) -> Result<Vec<Finding>> {
    watched(is_stopped, |watch| check::database(dir, &Clock::system(), watch))
}

fn mend(dir: &Path, findings: &[Finding], is_stopped: &Arc<AtomicBool>) -> Result<()> {
    let actor = actor("muster check");
    watched(is_stopped, |watch| check::repair_database(dir, findings, &actor, Clock::system().now(), watch))
}

fn watched<T>(is_stopped: &Arc<AtomicBool>, work: impl FnOnce(&mut Watch<'_>) -> Result<T>) -> Result<T> {
    let mut bar = Bar::new();
    let mut tell = |done: u64, total: u64, what: &str| bar.show(done, total, what);
    let outcome = work(&mut Watch::new(Arc::clone(is_stopped), &mut tell));
    bar.clear();
    outcome
}

fn tell(findings: &[Finding], what: impl Fn(&Finding) -> &'static str) -> Result<()> {
    let lines: String =
        findings.iter().map(|finding| format!("{} ({})\n", finding.text, what(finding))).collect();
    print(&lines)
}
