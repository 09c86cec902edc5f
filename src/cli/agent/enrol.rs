// SPDX-License-Identifier: Apache-2.0
//! `muster agent token` and `muster agent unbind`.

use crate::cli::{actor, data_dir, load_config, open_app, print};
use crate::config::Flags;
use crate::error::Result;
use crate::ops::fleet::enrolment::{make_token, renew_token, unbind};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "token",
    description = "Print the token with which the key of a new agent binds. With --renew a new one takes its place at \
    once; keys that are bound stay so.",
    example = "{command_name} --data /var/lib/muster",
    help_triggers("-h", "--help", "help")
)]
/// Prints the token of new agents.
pub struct TokenCommand {
    #[argh(switch, description = "make a new one")]
    renew: bool,
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

impl TokenCommand {
    /// Usage where there is no data directory or its file cannot be read or written.
    pub fn run(self) -> Result<()> {
        if self.renew {
            let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
            return print(&format!("{}\n", renew_token(&app, &actor("muster agent token"))?));
        }
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        data_dir::prepare(&config.data_dir, Missing::Refuse)?;
        let token = make_token(&config.data_dir, false)?;
        print(&format!("{token}\n"))
    }
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "unbind",
    description = "Forget the key of an endpoint and let the next one bind: for a machine that was installed anew, or \
    one that was known without a key before.",
    example = "{command_name} linux.host1.abc --data /var/lib/muster",
    help_triggers("-h", "--help", "help")
)]
/// Forgets the key of an endpoint.
pub struct UnbindCommand {
    #[argh(positional, arg_name = "queueloc", description = "the endpoint")]
    queueloc: String,
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

impl UnbindCommand {
    /// NotFound where there is no such endpoint.
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        unbind(&app, &self.queueloc, &actor("muster agent unbind"))
    }
}
