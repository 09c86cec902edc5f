// SPDX-License-Identifier: Apache-2.0
//! API tokens of programs: made, listed, ended.

use crate::cli::{actor, open_app, print};
use crate::error::{Error, Result};
use crate::model::account::Scope;
use crate::model::credentials::{check_token_days, checked_token_name};
use crate::model::time::utc_text;
use crate::model::visible::plain;
use crate::ops::api_tokens;
use crate::store::{Missing, TokenRow};
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "token",
    description = "Make an API token and print it. It is not stored and cannot be printed again. A program sends it as \
    Authorization: Bearer TOKEN.",
    note = "Scopes: records (reads records), read (also the fleet), write (also changes), admin (all that the account may).\n\
    A token may never do more than its account.",
    help_triggers("-h", "--help", "help")
)]
pub struct TokenCommand {
    #[argh(positional, arg_name = "name", description = "the account")]
    name: String,
    #[argh(option, long = "for", arg_name = "text", description = "what it is for")]
    purpose: String,
    #[argh(
        option,
        arg_name = "scope",
        default = "String::from(\"read\")",
        description = "records, read, write or admin (default read)"
    )]
    scope: String,
    #[argh(option, arg_name = "n", description = "it ends after so many days (default never)")]
    days: Option<i64>,
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
    name = "tokens",
    description = "List the API tokens of an account, or all: id, account, scope, end, last use, what for.",
    help_triggers("-h", "--help", "help")
)]
pub struct TokensCommand {
    #[argh(positional, arg_name = "name", description = "the account")]
    name: Option<String>,
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
    name = "revoke",
    description = "End an API token, from now on.",
    help_triggers("-h", "--help", "help")
)]
pub struct RevokeCommand {
    #[argh(positional, arg_name = "id", description = "its number in `tokens`")]
    id: i64,
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
    pub fn run(self) -> Result<()> {
        let scope = Scope::from_word(&self.scope)
            .ok_or_else(|| Error::usage("The scope is records, read, write or admin"))?;
        checked_token_name(&self.purpose)?;
        self.days.map(check_token_days).transpose()?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let adding = api_tokens::Adding { account: &self.name, name: &self.purpose, scope, days: self.days };
        let added = api_tokens::add(&app, adding, &actor("muster account token"))?;
        print(&format!("{}\n", added.token))
    }
}

impl TokensCommand {
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let account = match &self.name {
            Some(name) => Some(app.store.account_named(name)?.ok_or_else(|| {
                Error::not_found(format!("There is no account {}", crate::model::filter::shortened(name)))
            })?),
            None => None,
        };
        let now = app.clock.now();
        let rows = app.store.list_tokens(account.map(|account| account.id))?;
        print(&rows.iter().map(|row| token_text(row, now)).collect::<String>())
    }
}

impl RevokeCommand {
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        api_tokens::revoke(&app, self.id, None, &actor("muster account revoke"))?;
        print(&format!("Revoked API token {}\n", self.id))
    }
}

fn token_text(row: &TokenRow, now: i64) -> String {
    let until = match row.until_at {
        Some(until_at) if until_at <= now => "ended".to_owned(),
        Some(until_at) => format!("until {}", utc_text(until_at)),
        None => "for ever".to_owned(),
    };
    let used = row.used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", utc_text(at)));
    let (account, scope) = (&row.account_name, row.scope.word());
    format!("{:>5}  {account:20}  {scope:7}  {until:29}  {used:28}  {}\n", row.id, plain(&row.name))
}
