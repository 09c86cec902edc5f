// SPDX-License-Identifier: Apache-2.0
//! `muster acl`: how much weight of signatures each module demands, and who has how much.

use crate::cli::input::read_file;
use crate::cli::{actor, open_app, print};
use crate::error::Result;
use crate::model::visible::plain;
use crate::ops::fleet::acl;
use crate::store::Missing;
use crate::store::fleet::AclModule;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "acl",
    description = "Show or change whose signatures an action needs. Each module of an action must reach the minimum of \
    its entry, or of the entry default. Without any entry one signature by an investigator with action_create suffices.",
    example = "{command_name} set default --minimum 2 --weight \"Bob Kelso=1\" --weight \"Kim=1\"\n\
    {command_name} set agentdestroy --minimum 1 --weight 3=1\n\
    {command_name} export > acl.json",
    help_triggers("-h", "--help", "help")
)]
/// Shows or changes whose signatures an action needs.
pub struct AclCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Show(ShowCommand),
    Set(SetCommand),
    Remove(RemoveCommand),
    Export(ExportCommand),
    Import(ImportCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "show",
    description = "Show every entry with its weights.",
    help_triggers("-h", "--help", "help")
)]
struct ShowCommand {
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

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "set",
    description = "Put an entry in place of what there was for its module.",
    help_triggers("-h", "--help", "help")
)]
struct SetCommand {
    #[argh(
        positional,
        arg_name = "module",
        description = "the module, or default for those without an entry"
    )]
    module: String,
    #[argh(option, arg_name = "n", description = "the sum of weights that the signers must reach")]
    minimum: u32,
    #[argh(
        option,
        arg_name = "who=n",
        description = "an investigator's name, id or fingerprint, and the weight; can be given again"
    )]
    weight: Vec<String>,
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

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "remove",
    description = "Remove the entry of a module.",
    help_triggers("-h", "--help", "help")
)]
struct RemoveCommand {
    #[argh(positional, arg_name = "module", description = "the module, or default")]
    module: String,
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

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "export",
    description = "Print the ACL in MIG's JSON. Who is disabled is left out.",
    help_triggers("-h", "--help", "help")
)]
struct ExportCommand {
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

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "import",
    description = "Put MIG's JSON in place of the whole ACL. Its investigators are found by their fingerprints.",
    help_triggers("-h", "--help", "help")
)]
struct ImportCommand {
    #[argh(positional, arg_name = "file", description = "the JSON; - is standard input")]
    file: String,
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

impl AclCommand {
    /// Invalid, Conflict or NotFound where a change does not fit.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Show(command) => command.run(),
            What::Set(command) => command.run(),
            What::Remove(command) => command.run(),
            What::Export(command) => command.run(),
            What::Import(command) => command.run(),
        }
    }
}

impl ShowCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let entries = acl::entries(&app)?;
        if entries.is_empty() {
            return print(
                "No ACL is configured: one signature by an active investigator with action_create suffices\n",
            );
        }
        print(&entries.iter().map(entry_text).collect::<String>())
    }
}

fn entry_text(entry: &AclModule) -> String {
    let mut text = format!("{} needs {}\n", entry.module, entry.minimum_weight);
    for row in &entry.weights {
        let name = plain(&row.name);
        let disabled = if row.is_active { "" } else { " (disabled: does not count)" };
        let (id, fingerprint) = (row.investigator_id, &row.fingerprint);
        text.push_str(&format!("  {:>7}  {fingerprint}  {id} {name}{disabled}\n", row.weight));
    }
    let reachable = acl::reachable_weight(entry);
    if reachable < u64::from(entry.minimum_weight) {
        text.push_str(&format!("  all together have {reachable}: nobody can use it\n"));
    }
    text
}

impl SetCommand {
    fn run(self) -> Result<()> {
        let weights = self.weight.iter().map(|word| acl::read_weight(word)).collect::<Result<Vec<_>>>()?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        print(&entry_text(&acl::set(&app, &self.module, self.minimum, &weights, &actor("muster acl set"))?))
    }
}

impl RemoveCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        acl::remove(&app, &self.module, &actor("muster acl remove"))?;
        print(&format!("Removed the entry {}\n", self.module))
    }
}

impl ExportCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        print(&acl::export(&app)?)
    }
}

impl ImportCommand {
    fn run(self) -> Result<()> {
        let json = read_file(&self.file, acl::ACL_BYTES_MAX)?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let count = acl::import(&app, &json, &actor("muster acl import"))?;
        print(&format!("Imported {count} {}\n", if count == 1 { "entry" } else { "entries" }))
    }
}
