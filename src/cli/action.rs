// SPDX-License-Identifier: Apache-2.0
//! `muster action`: the text to sign, preview, submission, list, one, cancelling. It works on the database itself,
//! whether the server runs or not.

mod show;

use crate::cli::input::read_file;
use crate::cli::{actor, open_app, print};
use crate::error::{Error, Result};
use crate::model::action::{ACTION_BYTES_MAX, Action};
use crate::model::command::ActionStatus;
use crate::model::visible::plain;
use crate::ops::App;
use crate::ops::fleet::preview::{Preview, preview, require_confirmed};
use crate::ops::fleet::spooling::after_cancel;
use crate::ops::fleet::submit::{Origin, Submitter, check, submit};
use crate::ops::fleet::{cancel, preview};
use crate::pgp::{DetachedSignature, SIGNATURE_BYTES_MAX};
use crate::store::Missing;
use crate::store::fleet::ActionQuery;
use argh::{ArgsInfo, FromArgs};
use std::io::{BufRead, IsTerminal, Write};

/// Actions of one `list`.
const LIST_MAX: usize = 10_000;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "action",
    description = "Sign, launch, follow and cancel actions. The server need not run; where it does, it sees what is \
    submitted or cancelled here within a second.",
    example = "{command_name} text ping.json | gpg --armor --detach-sign > ping.asc\n\
    {command_name} submit ping.json --signature ping.asc --data /var/lib/muster\n\
    {command_name} show 7 --data /var/lib/muster",
    help_triggers("-h", "--help", "help")
)]
/// Signs, launches, follows and cancels actions.
pub struct ActionCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum What {
    Text(TextCommand),
    Submit(SubmitCommand),
    Preview(PreviewCommand),
    List(ListCommand),
    Show(ShowCommand),
    Cancel(CancelCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "text",
    description = "Print the text of an action that is signed, exactly and without a line end, for gpg to sign.",
    example = "{command_name} ping.json | gpg --armor --detach-sign > ping.asc",
    help_triggers("-h", "--help", "help")
)]
struct TextCommand {
    #[argh(positional, arg_name = "file", description = "the action as JSON; - is standard input")]
    file: String,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "submit",
    description = "Check an action and launch it. Its signatures are those in its pgpsignatures and those of the \
    files given. On more agents than fleet.confirm_above it asks, or wants --yes.",
    help_triggers("-h", "--help", "help")
)]
struct SubmitCommand {
    #[argh(positional, arg_name = "file", description = "the action as JSON; - is standard input")]
    file: String,
    #[argh(
        option,
        arg_name = "file",
        description = "a detached signature of its text, armored or binary; can be given again"
    )]
    signature: Vec<String>,
    #[argh(switch, description = "do not ask, however many agents the target matches")]
    yes: bool,
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
    name = "preview",
    description = "Say how many agents a target matches now, and which. Nothing is launched.",
    example = "{command_name} --target \"environment->>'os' = 'linux'\"",
    help_triggers("-h", "--help", "help")
)]
struct PreviewCommand {
    #[argh(positional, arg_name = "file", description = "an action as JSON; - is standard input")]
    file: Option<String>,
    #[argh(option, arg_name = "condition", description = "a target instead of an action's")]
    target: Option<String>,
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
    description = "List actions, newest first: id, status, commands that are over of all, when it was accepted, name.",
    help_triggers("-h", "--help", "help")
)]
struct ListCommand {
    #[argh(
        option,
        arg_name = "status",
        description = "only those that are pending, scheduled, preparing, inflight, completed, invalid or cancelled"
    )]
    status: Option<String>,
    #[argh(option, arg_name = "n", description = "at most so many (default 50)")]
    limit: Option<usize>,
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
    name = "show",
    description = "Show one action: where it stands, its signers and its counters.",
    help_triggers("-h", "--help", "help")
)]
struct ShowCommand {
    #[argh(positional, arg_name = "id", description = "which one")]
    id: i64,
    #[argh(switch, description = "as JSON, as MIG's API gives it")]
    json: bool,
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
    name = "cancel",
    description = "Stop an action that is not over. What agents have fetched they may still run.",
    help_triggers("-h", "--help", "help")
)]
struct CancelCommand {
    #[argh(positional, arg_name = "id", description = "which one")]
    id: i64,
    #[argh(option, arg_name = "text", description = "why, for whoever asks later")]
    reason: String,
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

impl ActionCommand {
    /// Invalid, Forbidden or Conflict where an action is refused, NotFound where there is none of that id.
    pub fn run(self) -> Result<()> {
        match self.what {
            What::Text(command) => command.run(),
            What::Submit(command) => command.run(),
            What::Preview(command) => command.run(),
            What::List(command) => command.run(),
            What::Show(command) => command.run(),
            What::Cancel(command) => command.run(),
        }
    }
}

fn read_action(file: &str) -> Result<Action> {
    Action::from_json(&read_file(file, ACTION_BYTES_MAX)?)
}

impl TextCommand {
    fn run(self) -> Result<()> {
        print(&read_action(&self.file)?.signed_text()?)
    }
}

impl SubmitCommand {
    fn run(self) -> Result<()> {
        let mut action = read_action(&self.file)?;
        for file in &self.signature {
            let bytes = read_file(file, SIGNATURE_BYTES_MAX)?;
            let signature = DetachedSignature::read(&bytes)
                .map_err(|refusal| Error::invalid(format!("{file}: {refusal}")))?;
            action.pgpsignatures.get_or_insert_default().push(signature.one_line());
        }
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        // Refused before anybody is asked to confirm.
        check(&app, &action)?;
        let found = preview::preview(&app, &action.target)?;
        let is_confirmed = self.yes || found.agents > app.config.fleet.confirm_above && ask(&found)?;
        require_confirmed(&app, &found, is_confirmed)?;
        app.spool.make()?;
        let actor = actor("muster action submit");
        let submitter = Submitter { investigator_id: None, origin: Origin::CommandLine, actor };
        let row = submit(&app, &action, &submitter)?;
        print(&format!(
            "Action {} is {}; its target matches {} now\n",
            row.id,
            row.status.word(),
            agents(&found)
        ))
    }
}

/// Asks on the terminal; false where there is none.
fn ask(found: &Preview) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    let cannot = |error| Error::internal("Cannot ask on the terminal").because(error);
    let mut err = std::io::stderr().lock();
    write!(err, "The target matches {}. Launch? [y/N] ", agents(found)).map_err(cannot)?;
    err.flush().map_err(cannot)?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(cannot)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn agents(found: &Preview) -> String {
    match found.agents {
        1 => "1 agent".to_owned(),
        n => format!("{n} agents"),
    }
}

impl PreviewCommand {
    fn run(self) -> Result<()> {
        let target = match (&self.file, self.target) {
            (None, Some(target)) => target,
            (Some(file), None) => read_action(file)?.target,
            _ => return Err(Error::usage("Give an action's file or --target, one of both")),
        };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let found = preview(&app, &target)?;
        let mut text = format!("{}\n", agents(&found));
        for name in &found.names {
            text.push_str(&format!("  {}\n", plain(name)));
        }
        let more = found.agents - found.names.len() as i64;
        if more > 0 {
            text.push_str(&format!("  and {more} more\n"));
        }
        print(&text)
    }
}

impl ListCommand {
    fn run(self) -> Result<()> {
        let status = match self.status.as_deref() {
            None => None,
            Some(word) => Some(ActionStatus::from_word(word).ok_or_else(|| {
                let words: Vec<&str> = ActionStatus::ALL.iter().map(|status| status.word()).collect();
                Error::usage(format!("--status must be one of {}", words.join(", ")))
            })?),
        };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let rows_max = self.limit.unwrap_or(50).min(LIST_MAX);
        let rows = app.store.list_actions(&ActionQuery { status, below_id: None, rows_max })?;
        print(&rows.iter().map(show::line).collect::<String>())
    }
}

impl ShowCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let row = require(&app, self.id)?;
        match self.json {
            true => print(&format!("{}\n", row.to_action()?.to_json()?)),
            false => print(&show::details(&row)?),
        }
    }
}

fn require(app: &App, id: i64) -> Result<crate::store::fleet::ActionRow> {
    app.store.action(id)?.ok_or_else(|| Error::not_found(format!("Action ID '{id}' not found")))
}

impl CancelCommand {
    fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        app.spool.make()?;
        let row = cancel::cancel(&app, self.id, &self.reason, &actor("muster action cancel"))?;
        after_cancel(&app, self.id)?;
        print(&format!("Action {} is cancelled, with {} of its commands\n", row.id, row.counters.cancelled))
    }
}
