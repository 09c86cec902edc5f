// SPDX-License-Identifier: Apache-2.0
//! `muster agent`: the reference agent, and what an admin asks of agents. One file for each; `muster agent run` alone
//! needs no database.

mod bundle;
mod enrol;
mod list;
mod offline;
mod run;

use crate::error::Result;
use argh::FromArgs;

#[derive(FromArgs)]
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

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Run(Box<run::RunCommand>),
    Bundle(bundle::BundleCommand),
    List(Box<list::ListCommand>),
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
