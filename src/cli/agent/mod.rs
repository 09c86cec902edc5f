// SPDX-License-Identifier: Apache-2.0
//! `muster agent`: the reference agent, and what an admin asks of agents. One file for each; `muster agent run` alone
//! needs no database.

mod bundle;
mod enrol;
mod list;
mod offline;
mod run;

use crate::error::Result;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "agent",
    description = "Run the agent of this machine, and administer those of others.",
    example = "{command_name} run --server https://muster.lan --tag operator=IT",
    help_triggers("-h", "--help", "help")
)]
/// The agent of this machine, and what is known of all.
pub struct AgentCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value a run; ArgsInfo cannot look into a box")]
enum Action {
    Run(run::RunCommand),
    Bundle(bundle::BundleCommand),
    List(list::ListCommand),
    Show(list::ShowCommand),
    Offline(offline::OfflineCommand),
    Double(offline::DoubleCommand),
    Token(enrol::TokenCommand),
    Unbind(enrol::UnbindCommand),
}

impl AgentCommand {
    /// Kinds: those of the subcommand.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Run(command) => command.run(),
            Action::Bundle(command) => command.run(),
            Action::List(command) => command.run(),
            Action::Show(command) => command.run(),
            Action::Offline(command) => command.run(),
            Action::Double(command) => command.run(),
            Action::Token(command) => command.run(),
            Action::Unbind(command) => command.run(),
        }
    }
}
