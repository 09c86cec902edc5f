// SPDX-License-Identifier: Apache-2.0
//! `muster investigator`: who may ask the API and sign actions.

use crate::cli::input::read_file;
use crate::cli::{actor, open_app, print};
use crate::error::Result;
use crate::model::investigator::{Permission, Permissions};
use crate::model::time::utc_text;
use crate::model::visible::plain;
use crate::ops::App;
use crate::ops::fleet::investigators::{self, Adding, Changing};
use crate::pgp::KEY_BYTES_MAX;
use crate::store::Missing;
use crate::store::fleet::InvestigatorRow;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "investigator",
    description = "Add, list and change investigators: who may ask the API and sign actions. WHO is an id, a fingerprint \
    or a whole name. What is changed counts at once, also for a running server.",
    example = "{command_name} add --name \"Bob Kelso\" --key bob.asc --permissions admin\n\
    {command_name} apikey \"Bob Kelso\"\n\
    {command_name} disable 1",
    help_triggers("-h", "--help", "help")
)]
/// Adds, lists and changes investigators.
pub struct InvestigatorCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Add(AddCommand),
    List(ListCommand),
    Show(ShowCommand),
    Enable(EnableCommand),
    Disable(DisableCommand),
    Permissions(PermissionsCommand),
    ApiKey(ApiKeyCommand),
    Remove(RemoveCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "add",
    description = "Add an investigator. The database is made where there is none. Without a key the investigator can \
    sign nothing and needs an API key (`apikey`).",
    help_triggers("-h", "--help", "help")
)]
struct AddCommand {
    #[argh(option, arg_name = "name", description = "the person's name")]
    name: String,
    #[argh(
        option,
        arg_name = "file",
        description = "the OpenPGP public key, armored or binary; - is standard input"
    )]
    key: Option<String>,
    #[argh(
        option,
        arg_name = "list",
        description = "default, admin (default and all about investigators), all, none, or a list with commas (default default)"
    )]
    permissions: Option<String>,
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
    name = "list",
    description = "List all investigators: id, status, how they show who they are, permissions, name.",
    help_triggers("-h", "--help", "help")
)]
struct ListCommand {
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
    name = "permissions",
    description = "Give an investigator these permissions in place of those before.",
    help_triggers("-h", "--help", "help")
)]
struct PermissionsCommand {
    #[argh(positional, arg_name = "who", description = "id, fingerprint or whole name")]
    who: String,
    #[argh(positional, arg_name = "list", description = "default, admin, all, none, or a list with commas")]
    permissions: String,
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
    name = "apikey",
    description = "Give an investigator a new API key in place of any before, and print it. It is not stored and cannot \
    be printed again.",
    help_triggers("-h", "--help", "help")
)]
struct ApiKeyCommand {
    #[argh(positional, arg_name = "who", description = "id, fingerprint or whole name")]
    who: String,
    #[argh(switch, description = "take the API key away instead")]
    disable: bool,
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

/// A subcommand that only names an investigator.
// rustfmt moves the attribute further right each time.
#[rustfmt::skip]
macro_rules! about_one {
    ($command:ident, $word:tt, $description:tt) => {
        #[derive(ArgsInfo, FromArgs)]
        #[argh(subcommand, name = $word, description = $description, help_triggers("-h", "--help", "help"))]
        struct $command {
            #[argh(positional, arg_name = "who", description = "id, fingerprint or whole name")]
            who: String,
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

        impl $command {
            fn open(&self) -> Result<(App, InvestigatorRow)> {
                open_one(self.config.as_deref(), self.data.as_deref(), &self.who)
            }
        }
    };
}

about_one!(ShowCommand, "show", "Show an investigator with the public key.");
about_one!(EnableCommand, "enable", "Let key and API key of an investigator count again.");
about_one!(
    DisableCommand,
    "disable",
    "Let neither key nor API key of an investigator count any more, from now on."
);
about_one!(
    RemoveCommand,
    "remove",
    "Remove an investigator that no action and no ACL entry refers to; others can be disabled."
);

impl InvestigatorCommand {
    /// Invalid, Conflict or NotFound where it does not fit.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Add(command) => command.run(),
            What::List(command) => command.run(),
            What::Show(command) => {
                let (_, row) = command.open()?;
                print(&whole_text(&row))
            }
            What::Enable(command) => {
                let (app, row) = command.open()?;
                change(
                    &app,
                    &row,
                    Changing { is_active: Some(true), ..Changing::default() },
                    "muster investigator enable",
                )
            }
            What::Disable(command) => {
                let (app, row) = command.open()?;
                change(
                    &app,
                    &row,
                    Changing { is_active: Some(false), ..Changing::default() },
                    "muster investigator disable",
                )
            }
            What::Permissions(command) => {
                let permissions = Some(Permissions::parse(&command.permissions)?);
                let (app, row) = open_one(command.config.as_deref(), command.data.as_deref(), &command.who)?;
                change(
                    &app,
                    &row,
                    Changing { permissions, ..Changing::default() },
                    "muster investigator permissions",
                )
            }
            What::ApiKey(command) => command.run(),
            What::Remove(command) => {
                let (app, row) = command.open()?;
                investigators::remove(&app, row.id, &actor("muster investigator remove"))?;
                print(&format!("Removed investigator {}, {}\n", row.id, plain(&row.name)))
            }
        }
    }
}

impl AddCommand {
    fn run(self) -> Result<()> {
        let permissions = Permissions::parse(self.permissions.as_deref().unwrap_or("default"))?;
        // Read first: with --data this process becomes the owner of that directory.
        let key = self.key.as_deref().map(|file| read_file(file, KEY_BYTES_MAX)).transpose()?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Create)?;
        let adding = Adding { name: &self.name, key: key.as_deref(), permissions };
        let row = investigators::add(&app, &adding, &actor("muster investigator add"))?;
        let (id, name) = (row.id, plain(&row.name));
        print(&match &row.fingerprint {
            Some(fingerprint) => format!("Added investigator {id}, {name}, {fingerprint}\n"),
            None => format!(
                "Added investigator {id}, {name}, without a key; `muster investigator apikey {id}` makes an API key\n"
            ),
        })
    }
}

impl ListCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let rows = app.store.list_investigators()?;
        if rows.is_empty() {
            return print("There are no investigators; `muster investigator add` adds one\n");
        }
        print(&rows.iter().map(line_text).collect::<String>())
    }
}

impl ApiKeyCommand {
    fn run(self) -> Result<()> {
        let (app, row) = open_one(self.config.as_deref(), self.data.as_deref(), &self.who)?;
        let changing = Changing { has_api_key: Some(!self.disable), ..Changing::default() };
        let actor = actor("muster investigator apikey");
        match investigators::change(&app, row.id, changing, &actor)?.api_key {
            Some(key) => print(&format!("{key}\n")),
            None => print(&format!("Investigator {} has no API key now\n", row.id)),
        }
    }
}

fn open_one(config: Option<&str>, data: Option<&str>, who: &str) -> Result<(App, InvestigatorRow)> {
    let app = open_app(config, data, Missing::Refuse)?;
    let row = investigators::find(&app, who)?;
    Ok((app, row))
}

fn change(app: &App, row: &InvestigatorRow, changing: Changing, command: &str) -> Result<()> {
    let changed = investigators::change(app, row.id, changing, &actor(command))?;
    print(&line_text(&changed.investigator))
}

fn line_text(row: &InvestigatorRow) -> String {
    format!(
        "{:>4}  {:8}  {:40}  {:8}  {}  {}\n",
        row.id,
        row.status_word(),
        row.fingerprint.as_deref().unwrap_or("no public key"),
        if row.has_api_key { "API key" } else { "" },
        permissions_text(row.permissions),
        plain(&row.name)
    )
}

fn whole_text(row: &InvestigatorRow) -> String {
    let mut text = String::new();
    let facts = [
        ("Id", row.id.to_string()),
        ("Name", plain(&row.name)),
        ("Status", row.status_word().to_owned()),
        ("Fingerprint", row.fingerprint.clone().unwrap_or_else(|| "none".to_owned())),
        ("API key", if row.has_api_key { "set" } else { "none" }.to_owned()),
        ("Permissions", permissions_text(row.permissions)),
        ("Added", utc_text(row.created_at)),
        ("Changed", utc_text(row.modified_at)),
    ];
    for (name, value) in facts {
        text.push_str(&format!("{name:12} {value}\n"));
    }
    text + row.public_key.as_deref().unwrap_or_default()
}

/// The sets by their names, else every permission.
fn permissions_text(permissions: Permissions) -> String {
    let sets = [
        (Permissions::NONE, "none"),
        (Permissions::DEFAULT, "default"),
        (Permissions::DEFAULT.and(Permissions::ADMIN), "admin"),
        (Permissions::EVERYTHING, "all"),
    ];
    match sets.iter().find(|(set, _)| *set == permissions) {
        Some((_, word)) => (*word).to_owned(),
        None => {
            let has = Permission::ALL.iter().filter(|one| permissions.has(**one));
            has.map(|one| one.word()).collect::<Vec<_>>().join(",")
        }
    }
}
