// SPDX-License-Identifier: Apache-2.0
//! `muster account`: who may log in, what they may do, and the API tokens of their programs (`tokens`).

mod tokens;

use crate::cli::secret_input::read_password;
use crate::cli::{actor, open_app, print};
use crate::error::{Error, Result};
use crate::model::account::Role;
use crate::model::credentials::{check_name, check_password};
use crate::model::time::utc_text;
use crate::ops::{accounts, passwords};
use crate::store::{AccountChange, AccountRow, Changed, Missing};
use argh::{ArgsInfo, FromArgs};
use tokens::{RevokeCommand, TokenCommand, TokensCommand};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "account",
    description = "Add, list and change accounts: who may log in and what they may do. What is changed counts at once, also \
    for a running server, and stands in the audit log. As long as there is no account, who is on this host may do \
    everything.",
    example = "{command_name} add alice\n\
    {command_name} add bob --role operator --generate\n\
    {command_name} token alice --for \"nightly export\" --scope records --days 365\n\
    {command_name} disable bob",
    note = "Roles: viewer (looks at records and the fleet), operator (also changes them), admin (also accounts,\n\
    investigators, the ACL and the audit log).",
    help_triggers("-h", "--help", "help")
)]
/// Adds, lists and changes accounts.
pub struct AccountCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Add(AddCommand),
    List(ListCommand),
    Role(RoleCommand),
    Password(PasswordCommand),
    Disable(DisableCommand),
    Enable(EnableCommand),
    Remove(RemoveCommand),
    Logout(LogoutCommand),
    Token(TokenCommand),
    Tokens(TokensCommand),
    Revoke(RevokeCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "add",
    description = "Add an account. The database is made where there is none. The password is asked for twice on a \
    terminal, and read from standard input elsewhere.",
    help_triggers("-h", "--help", "help")
)]
struct AddCommand {
    #[argh(positional, arg_name = "name", description = "letters, digits and . _ @ -, at most 64")]
    name: String,
    #[argh(
        option,
        arg_name = "role",
        description = "viewer, operator or admin (default admin for the first account, else viewer)"
    )]
    role: Option<String>,
    #[argh(option, arg_name = "file", description = "read the password from this file; - is standard input")]
    password_file: Option<String>,
    #[argh(switch, description = "make a password up and print it")]
    generate: bool,
    #[argh(switch, description = "no password: a proxy logs this account in (access.proxy_header)")]
    no_password: bool,
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
    name = "password",
    description = "Give an account another password. Its sessions end; its API tokens stay.",
    help_triggers("-h", "--help", "help")
)]
struct PasswordCommand {
    #[argh(positional, arg_name = "name", description = "the account")]
    name: String,
    #[argh(option, arg_name = "file", description = "read the password from this file; - is standard input")]
    password_file: Option<String>,
    #[argh(switch, description = "make a password up and print it")]
    generate: bool,
    #[argh(switch, description = "no password: a proxy logs this account in (access.proxy_header)")]
    no_password: bool,
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
    description = "List all accounts: name, role, status, how they log in, last login, sessions, API tokens.",
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
    name = "role",
    description = "Give an account another role. Its sessions end.",
    help_triggers("-h", "--help", "help")
)]
struct RoleCommand {
    #[argh(positional, arg_name = "name", description = "the account")]
    name: String,
    #[argh(positional, arg_name = "role", description = "viewer, operator or admin")]
    role: String,
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
    name = "logout",
    description = "End all sessions of an account, or everybody's. API tokens stay.",
    help_triggers("-h", "--help", "help")
)]
struct LogoutCommand {
    #[argh(positional, arg_name = "name", description = "the account")]
    name: Option<String>,
    #[argh(switch, description = "of all accounts")]
    all: bool,
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

/// A subcommand that only names an account.
// rustfmt moves the attribute further right each time.
#[rustfmt::skip]
macro_rules! about_one {
    ($command:ident, $word:tt, $description:tt) => {
        #[derive(ArgsInfo, FromArgs)]
        #[argh(subcommand, name = $word, description = $description, help_triggers("-h", "--help", "help"))]
        struct $command {
            #[argh(positional, arg_name = "name", description = "the account")]
            name: String,
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
            fn change(&self, change: AccountChange) -> Result<()> {
                let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
                let command = concat!("muster account ", $word);
                tell(&accounts::change(&app, &self.name, change, false, &actor(command))?, $word)
            }
        }
    };
}

about_one!(
    DisableCommand,
    "disable",
    "Let nobody in by this account any more, from now on. Its sessions and its API tokens end."
);
about_one!(EnableCommand, "enable", "Let an account in again. Its API tokens do not come back.");
about_one!(RemoveCommand, "remove", "Remove an account with its sessions and API tokens.");

impl AccountCommand {
    /// Invalid, Conflict or NotFound where it does not fit.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Add(command) => command.run(),
            What::List(command) => command.run(),
            What::Role(command) => command.run(),
            What::Password(command) => command.run(),
            What::Disable(command) => command.change(AccountChange::Disable),
            What::Enable(command) => command.change(AccountChange::Enable),
            What::Remove(command) => command.change(AccountChange::Remove),
            What::Logout(command) => command.run(),
            What::Token(command) => command.run(),
            What::Tokens(command) => command.run(),
            What::Revoke(command) => command.run(),
        }
    }
}

/// A password as the command line says it comes.
struct Password {
    text: Option<String>,
    is_made_up: bool,
}

impl Password {
    /// To be called before the data directory is opened: with --data this process becomes the owner of that directory.
    fn get(name: &str, file: Option<&str>, generate: bool, no_password: bool) -> Result<Password> {
        if usize::from(file.is_some()) + usize::from(generate) + usize::from(no_password) > 1 {
            return Err(Error::usage("Give one of --password-file, --generate and --no-password"));
        }
        let text = match (no_password, generate) {
            (true, _) => None,
            (_, true) => Some(passwords::made_up()?),
            _ => Some(read_password(file, name)?),
        };
        if let Some(text) = &text {
            check_password(name, text)?;
        }
        Ok(Password { text, is_made_up: generate })
    }

    /// What is printed of it.
    fn told(&self) -> String {
        match &self.text {
            Some(text) if self.is_made_up => format!("Password: {text}\n"),
            _ => String::new(),
        }
    }
}

impl AddCommand {
    fn run(self) -> Result<()> {
        check_name(&self.name)?;
        let role = self.role.as_deref().map(role_of).transpose()?;
        let password =
            Password::get(&self.name, self.password_file.as_deref(), self.generate, self.no_password)?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Create)?;
        let adding = accounts::Adding {
            name: &self.name,
            password: password.text.as_deref(),
            role,
            keeps_admin: false,
        };
        let row = accounts::add(&app, adding, &actor("muster account add"))?;
        print(&format!("Added account {}, {}\n{}", row.name, row.role.word(), password.told()))?;
        if !row.has_password && app.config.access.proxy_header.is_empty() {
            log::warn!(
                "Nobody can log in as {}: it has no password, and access.proxy_header is empty",
                row.name
            );
        }
        let without_password = !app.config.access.proxy_header.is_empty();
        let is_admin = |row: &AccountRow| {
            row.is_active && row.role == Role::Admin && (row.has_password || without_password)
        };
        warn_without_admin(true, app.store.list_accounts()?.iter().any(is_admin));
        Ok(())
    }
}

impl PasswordCommand {
    fn run(self) -> Result<()> {
        let password =
            Password::get(&self.name, self.password_file.as_deref(), self.generate, self.no_password)?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let actor = actor("muster account password");
        let changed = accounts::set_password(&app, &self.name, password.text.as_deref(), false, &actor)?;
        print(&password.told())?;
        tell(&changed, "password")
    }
}

impl RoleCommand {
    fn run(self) -> Result<()> {
        let change = AccountChange::Role(role_of(&self.role)?);
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        tell(&accounts::change(&app, &self.name, change, false, &actor("muster account role"))?, "role")
    }
}

impl LogoutCommand {
    fn run(self) -> Result<()> {
        let actor = actor("muster account logout");
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        match (&self.name, self.all) {
            (Some(name), false) => {
                tell(&accounts::change(&app, name, AccountChange::EndSessions, false, &actor)?, "logout")
            }
            (None, true) => print(&format!("Ended {} sessions\n", app.store.end_all_sessions(actor)?)),
            _ => Err(Error::usage("Name an account, or give --all")),
        }
    }
}

impl ListCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let rows = app.store.list_accounts()?;
        if rows.is_empty() {
            return print("There are no accounts; `muster account add` adds one\n");
        }
        print(&rows.iter().map(line_text).collect::<String>())
    }
}

fn role_of(word: &str) -> Result<Role> {
    Role::from_word(word).ok_or_else(|| Error::usage("The role is viewer, operator or admin"))
}

/// Says how an account is now, and warns where nobody can administer any more.
fn tell(changed: &Changed, word: &str) -> Result<()> {
    let row = &changed.account;
    let ended = match changed.n_ended {
        0 => String::new(),
        1 => ", 1 session ended".to_owned(),
        n => format!(", {n} sessions ended"),
    };
    match word {
        "remove" => print(&format!("Removed account {}{ended}\n", row.name))?,
        _ => print(&format!("Account {}: {}, {}{ended}\n", row.name, row.role.word(), status_word(row)))?,
    }
    warn_without_admin(changed.has_accounts, changed.has_admin);
    Ok(())
}

fn warn_without_admin(has_accounts: bool, has_admin: bool) {
    if !has_accounts {
        log::warn!(
            "There is no account any more: who is on this host may do everything; `muster account add` makes one"
        );
    } else if !has_admin {
        log::warn!("There is no active admin who can log in; `muster account` alone can change accounts");
    }
}

fn status_word(row: &AccountRow) -> &'static str {
    if row.is_active { "active" } else { "disabled" }
}

fn line_text(row: &AccountRow) -> String {
    format!(
        "{:20}  {:8}  {:8}  {:8}  {:23}  {:2} sessions  {:2} tokens\n",
        row.name,
        row.role.word(),
        status_word(row),
        if row.has_password { "password" } else { "proxy" },
        row.logged_in_at.map_or_else(|| "never logged in".to_owned(), utc_text),
        row.n_sessions,
        row.n_tokens
    )
}
