// SPDX-License-Identifier: Apache-2.0
//! `muster config check` and `muster config show`.

use crate::cli::{load_config, print};
use crate::config::{Flags, show, template};
use crate::error::Result;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "config",
    description = "Check or show the configuration.",
    help_triggers("-h", "--help", "help")
)]
/// Checks or shows the configuration.
pub struct ConfigCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum Action {
    Check(CheckCommand),
    Show(ShowCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "check",
    description = "Look for mistakes in the configuration; nothing is started or changed. Exit status 2 where there are any.",
    help_triggers("-h", "--help", "help")
)]
struct CheckCommand {
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
    #[argh(option, arg_name = "dir", description = "data directory, overrides the setting `data`")]
    data: Option<String>,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "show",
    description = "Print the configuration in force as TOML, with a comment at each setting that says where it comes from: \
    default, file, environment or flag.",
    help_triggers("-h", "--help", "help")
)]
struct ShowCommand {
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
    #[argh(option, arg_name = "dir", description = "data directory, overrides the setting `data`")]
    data: Option<String>,
    #[argh(
        switch,
        description = "print a file to begin with instead: every setting explained, at its default"
    )]
    template: bool,
}

impl ConfigCommand {
    /// Usage where the configuration is refused.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Check(command) => {
                let loaded = load_config(&Flags::new(command.config.as_deref(), command.data.as_deref()))?;
                let file = loaded
                    .file
                    .as_ref()
                    .map_or("no configuration file".to_owned(), |p| p.display().to_string());
                print(&format!(
                    "The configuration is good ({file}, data directory {})\n",
                    loaded.config.data_dir.display()
                ))
            }
            Action::Show(ShowCommand { template: true, .. }) => print(&template()),
            Action::Show(command) => {
                let flags = Flags::new(command.config.as_deref(), command.data.as_deref());
                print(&show(&load_config(&flags)?))
            }
        }
    }
}
