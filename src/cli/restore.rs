// SPDX-License-Identifier: Apache-2.0
//! `muster restore`: a backup becomes the database.

use crate::cli::progress::Bar;
use crate::cli::signals::stop_flag;
use crate::cli::{actor, data_dir, load_config, print};
use crate::clock::Clock;
use crate::config::Flags;
use crate::error::Result;
use crate::ops::restore::{self, Source};
use crate::store::{Missing, Watch};
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "restore",
    description = "Put a backup in the place of the database, into a new directory too. It is copied beside the database and checked there \
    page by page, against FILE.sha256 where that is there; one that is damaged, newer than this program or another \
    program's is refused before anything is touched. The server must be stopped.",
    example = "{command_name} /var/backups/muster/muster-20261121-030000.backup --data /srv/new\n\
    {command_name} --force before-the-move.backup",
    note = "The database before is kept as muster.db.before-restore-TIME in the data directory. A backup of an older version is\n\
    brought up at the next start, which also makes the files of the spool agree with the database. Nobody is logged in then.",
    help_triggers("-h", "--help", "help")
)]
/// Puts a backup in the place of the database.
pub struct RestoreCommand {
    #[argh(positional, arg_name = "file", description = "the backup")]
    file: PathBuf,
    #[argh(switch, description = "move the database aside where there is one")]
    force: bool,
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

impl RestoreCommand {
    /// Kinds: those of [`Source::open`] and [`restore::run`].
    pub fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        // Before this process becomes the owner of the data directory, who may not be allowed to read it.
        let source = Source::open(&self.file)?;
        let actor = actor("muster restore");
        data_dir::prepare(&config.data_dir, Missing::Create)?;
        let is_stopped = stop_flag()?;
        let mut bar = Bar::new();
        let mut tell = |done: u64, total: u64, what: &str| bar.show(done, total, what);
        let mut watch = Watch::new(is_stopped, &mut tell);
        let now = Clock::system().now();
        let outcome = restore::run(source, &config.data_dir, self.force, &actor, now, &mut watch);
        bar.clear();
        let done = outcome?;
        let mut text = format!("Restored {} records from {}\n", done.records, self.file.display());
        if let Some(before) = &done.before {
            text.push_str(&format!("The database before is {}\n", before.display()));
        }
        if restore::is_older(&done) {
            text.push_str(&format!("The next start brings it up from schema {}\n", done.version));
        }
        print(&text)
    }
}
