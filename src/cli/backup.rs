// SPDX-License-Identifier: Apache-2.0
//! `muster backup`: a proved copy of the database, also while the server runs.

use crate::cli::progress::Bar;
use crate::cli::signals::stop_flag;
use crate::cli::{data_dir, load_config, print};
use crate::clock::Clock;
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::ops::backup::{self, BackupOptions};
use crate::store::{Missing, Store, Watch, database_path};
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;

/// How much the server goes first where both want the processor.
const NICE: i32 = 10;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "backup",
    description = "Copy the database to a file, also while the server runs and takes records. The copy is one moment's, checked page by \
    page after it is written, and has its SHA-256 beside it (FILE.sha256, for sha256sum -c). It appears under its name only once \
    it is whole.",
    example = "{command_name} /var/backups/muster/before-the-move.backup\n\
    {command_name} --keep 14 /var/backups/muster",
    note = "In it are records, accounts, tokens (their digests), investigators, actions and the audit log; who is logged in is left out.\n\
    The files of the spool follow the database, so they are not in it. The file is for its owner alone (0600), the one of the\n\
    data directory: the target must be open to that user. `muster restore` takes it back.",
    help_triggers("-h", "--help", "help")
)]
/// Copies the database.
pub struct BackupCommand {
    #[argh(positional, arg_name = "file", description = "where to; in a directory it is named by the time")]
    file: PathBuf,
    #[argh(switch, description = "replace the file where it exists")]
    force: bool,
    #[argh(
        option,
        arg_name = "n",
        description = "of the backups in the directory that were named by the time, remove all but the newest n"
    )]
    keep: Option<usize>,
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

impl BackupCommand {
    /// Kinds: those of [`backup::run`], and Usage where there is no database.
    pub fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        data_dir::prepare(&config.data_dir, Missing::Refuse)?;
        let database = database_path(&config.data_dir);
        if !database.exists() {
            return Err(Error::usage(format!(
                "There is no database at {}; name its data directory with --data",
                database.display()
            )));
        }
        Store::look(&config.data_dir)?;
        if let Err(error) = rustix::process::nice(NICE) {
            log::debug!("Cannot give way to others: {error}");
        }
        let options = BackupOptions {
            data_dir: config.data_dir,
            target: self.file,
            is_forced: self.force,
            keep: self.keep,
            disk_reserve_bytes: config.disk_reserve_bytes,
        };
        let is_stopped = stop_flag()?;
        let mut bar = Bar::new();
        let mut tell = |done: u64, total: u64, what: &str| bar.show(done, total, what);
        let outcome = backup::run(&options, Clock::system().now(), &mut Watch::new(is_stopped, &mut tell));
        bar.clear();
        let done = outcome?;
        let mut text = format!(
            "Backed up {} records to {}, {} bytes, checked\n",
            done.records,
            done.path.display(),
            done.bytes
        );
        for path in done.removed {
            text.push_str(&format!("Removed {}\n", path.display()));
        }
        print(&text)
    }
}
