// SPDX-License-Identifier: Apache-2.0
//! `muster demo`: fills a database with a made-up fleet.

use crate::cli::progress::Bar;
use crate::cli::{data_dir, load_config, print};
use crate::clock::Clock;
use crate::config::Flags;
use crate::demo::{self, DemoOptions};
use crate::error::Result;
use crate::model::time;
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "demo",
    description = "Fill a database with what a made-up fleet sends in some weeks, to try the pages and to measure. The database \
    is made where there is none; one that has records is refused unless --into-existing is given.",
    example = "{command_name} --data /tmp/demo --records 1000000\n\
    {command_name} --machines 50 --weeks 2 --records 20000",
    help_triggers("-h", "--help", "help")
)]
/// Fills a database with made-up records.
pub struct DemoCommand {
    #[argh(option, arg_name = "n", description = "how many records (default 200000)")]
    records: Option<u64>,
    #[argh(option, arg_name = "n", description = "how many machines send them (default 3000)")]
    machines: Option<usize>,
    #[argh(
        option,
        arg_name = "n",
        description = "how many agents, 0 for none (default one for 500 records)"
    )]
    agents: Option<usize>,
    #[argh(option, arg_name = "n", description = "over how many weeks, up to now (default 4)")]
    weeks: Option<u32>,
    #[argh(option, arg_name = "n", description = "the same seed gives the same fleet (default 1)")]
    seed: Option<u64>,
    #[argh(switch, description = "add to a database that has records")]
    into_existing: bool,
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

impl DemoCommand {
    /// Kinds: those of [`demo::run`], and Usage where the configuration is refused.
    pub fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        data_dir::prepare(&config.data_dir, Missing::Create)?;
        let defaults = DemoOptions::new(config.data_dir.clone(), Clock::system());
        let options = DemoOptions {
            records: self.records.unwrap_or(defaults.records),
            machines: self.machines.unwrap_or(defaults.machines),
            agents: self.agents,
            weeks: self.weeks.unwrap_or(defaults.weeks),
            seed: self.seed.unwrap_or(defaults.seed),
            into_existing: self.into_existing,
            disk_reserve_bytes: config.disk_reserve_bytes,
            ..defaults
        };
        let mut bar = Bar::new();
        let outcome =
            demo::run(&options, &mut |progress| bar.show(progress.done, progress.total, &progress.what));
        bar.clear();
        let summary = outcome?;
        print(&format!(
            "Stored {} records of {} machines, received from {} to {}, and {} agents, in {}\n",
            summary.records,
            summary.machines,
            time::rfc3339(summary.first_received_at),
            time::rfc3339(summary.last_received_at),
            summary.agents,
            config.data_dir.display()
        ))
    }
}
