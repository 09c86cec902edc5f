// SPDX-License-Identifier: Apache-2.0
//! `muster spool`: files against the database.

use crate::cli::{actor, open_app, print};
use crate::error::{Error, Kind, Result};
use crate::ops::check::{mend_spool, spool_differences};
use crate::ops::fleet::spooling::{Depth, Differences, Mode, reconcile};
use crate::store::{Lock, Missing};
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "spool",
    description = "Compare the files of actions and commands with the database.",
    example = "{command_name} check --data /var/lib/muster",
    help_triggers("-h", "--help", "help")
)]
/// Compares the spool with the database.
pub struct SpoolCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Check(CheckCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "check",
    description = "Tell which files are missing, which are one too many, and which say something else. The database is right, always. Exit status \
    1 where there is a difference that stays.",
    note = "At its start the server puts files in their places by itself; what they say is compared here only. --repair is \
    for when the server does not run.",
    help_triggers("-h", "--help", "help")
)]
struct CheckCommand {
    #[argh(switch, description = "write what is missing or untrue and remove what is too many")]
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

impl SpoolCommand {
    /// Conflict where there are differences.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Check(command) => command.run(),
        }
    }
}

impl CheckCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        if self.repair {
            let _lock = Lock::take(&app.config.data_dir, "spool check --repair")?;
            let found = mend_spool(&app, &actor("muster spool check --repair"), "spool.repair")?;
            let left = reconcile(&app, Mode::Report, Depth::Contents)?;
            print(&report(&found, "mended"))?;
            return outcome(&left);
        }
        let lasting = spool_differences(&app)?;
        print(&report(&lasting, "different"))?;
        outcome(&lasting)
    }
}

fn report(found: &Differences, what: &str) -> String {
    let mut text: String = found.named.iter().map(|line| format!("{line}\n")).collect();
    let unnamed = found.n_all - found.named.len();
    if unnamed > 0 {
        text.push_str(&format!("and {unnamed} more\n"));
    }
    text.push_str(&format!("{} files looked at, {} {what}\n", found.n_files, found.n_all));
    text
}

fn outcome(found: &Differences) -> Result<()> {
    match found.n_all {
        0 => Ok(()),
        n => Err(Error::new(
            Kind::Conflict,
            format!(
                "{n} files of the spool differ from the database; stop the server and run this with --repair"
            ),
        )),
    }
}
