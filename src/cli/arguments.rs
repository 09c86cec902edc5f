// SPDX-License-Identifier: Apache-2.0
//! From the words of the command line to a subcommand. argh does the work; what it lacks is here: `--key=value`,
//! `--version`, and the usage text beside a refusal.

use crate::cli::account::AccountCommand;
use crate::cli::acl::AclCommand;
use crate::cli::action::ActionCommand;
use crate::cli::agent::AgentCommand;
use crate::cli::audit::AuditCommand;
use crate::cli::backup::BackupCommand;
use crate::cli::check::CheckCommand;
use crate::cli::completions::CompletionsCommand;
use crate::cli::config::ConfigCommand;
use crate::cli::delete::DeleteCommand;
use crate::cli::demo::DemoCommand;
use crate::cli::doctor::DoctorCommand;
use crate::cli::export::ExportCommand;
use crate::cli::import::ImportCommand;
use crate::cli::investigator::InvestigatorCommand;
use crate::cli::manual::ManualCommand;
use crate::cli::purge::PurgeCommand;
use crate::cli::restore::RestoreCommand;
use crate::cli::send::SendCommand;
use crate::cli::serve::ServeCommand;
use crate::cli::spool::SpoolCommand;
use crate::cli::tls::TlsCommand;
use crate::cli::view::ViewCommand;
use crate::model::filter::shortened;
use argh::{ArgsInfo, CommandInfoWithArgs, FromArgs};
use std::ffi::OsString;

/// What the command line comes to.
pub enum Parsed {
    /// A subcommand is to be run.
    Command(Box<Command>),
    /// Help or the version is to be printed.
    Print(String),
    /// It is refused, with this text.
    Refused(String),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    description = "Collects what the machines of a LAN report and shows it: one binary, one SQLite file.\n\n\
    `{command_name} serve` runs the server; `{command_name} COMMAND --help` tells more about a command.\n\
    `{command_name} --version` prints the version.",
    example = "{command_name} demo --records 100000\n\
    {command_name} serve --listen 127.0.0.1:8080\n\
    {command_name} send --url http://127.0.0.1:8080/",
    note = "The configuration file is the one of --config, else /etc/muster/muster.toml if it exists. Each setting can be\n\
    overridden by a variable of the environment, for example MUSTER_HTTP_LISTEN; see `{command_name} config show`.",
    error_code(0, "done"),
    error_code(1, "failed; it may be tried again"),
    error_code(2, "refused: the command line, the configuration or the data"),
    help_triggers("-h", "--help", "help")
)]
struct TopLevel {
    #[argh(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value a run; ArgsInfo cannot look into a box")]
pub enum Command {
    /// Runs the server.
    Serve(ServeCommand),
    /// Checks or shows the configuration.
    Config(ConfigCommand),
    /// Sends a record.
    Send(SendCommand),
    /// Fills a database with made-up records.
    Demo(DemoCommand),
    /// Writes records to a file or hands them over as they come.
    Export(ExportCommand),
    /// Stores the records of files.
    Import(ImportCommand),
    /// Looks for what is wrong.
    Doctor(DoctorCommand),
    /// Checks, lists or begins custom views.
    View(ViewCommand),
    /// Compares the spool with the database.
    Spool(SpoolCommand),
    /// Copies the database.
    Backup(BackupCommand),
    /// Makes and shows certificates.
    Tls(TlsCommand),
    /// Puts a backup in the place of the database.
    Restore(RestoreCommand),
    /// Compares the database with itself and with the spool.
    Check(CheckCommand),
    /// The agent of this machine, and what is known of all.
    Agent(AgentCommand),
    /// Signs, launches, follows and cancels actions.
    Action(ActionCommand),
    /// Shows or changes whose signatures an action needs.
    Acl(AclCommand),
    /// Adds, lists and changes investigators.
    Investigator(InvestigatorCommand),
    /// Prints the audit log.
    Audit(AuditCommand),
    /// Adds, lists and changes accounts.
    Account(AccountCommand),
    /// Removes what has been kept long enough.
    Purge(PurgeCommand),
    /// Deletes chosen records.
    Delete(DeleteCommand),
    /// Writes the manual as man pages.
    Manual(ManualCommand),
    /// Prints what a shell needs to complete commands.
    Completions(CompletionsCommand),
}

/// The program and its commands as the help texts describe them.
pub fn info() -> CommandInfoWithArgs {
    TopLevel::get_args_info()
}

/// Reads the command line.
pub fn parse(arguments: Vec<OsString>) -> Parsed {
    let mut words = Vec::new();
    for argument in arguments {
        match argument.into_string() {
            Ok(word) => words.push(word),
            Err(word) => {
                let word = shortened(&word.to_string_lossy());
                return Parsed::Refused(format!("muster: The argument {word} is not UTF-8"));
            }
        }
    }
    if matches!(words.first().map(String::as_str), Some("--version" | "-V")) {
        return Parsed::Print(format!("muster {}\n", env!("CARGO_PKG_VERSION")));
    }
    let words = split_values(words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match TopLevel::from_args(&["muster"], &words) {
        Ok(top) => Parsed::Command(Box::new(top.command)),
        Err(exit) if exit.status.is_ok() => Parsed::Print(exit.output),
        Err(_) if asks_for_help(&words) => Parsed::Print(meant_by(&words).help),
        Err(exit) => Parsed::Refused(refusal(&exit.output, &words)),
    }
}

/// Whoever asks for help gets it, whatever else is said; argh insists that nothing follows.
fn asks_for_help(words: &[&str]) -> bool {
    words.iter().take_while(|word| **word != "--").any(|word| matches!(*word, "--help" | "-h"))
}

/// What stands for standard input where a file is named; argh takes a lone `-` for an option.
const STANDARD_INPUT: &str = "/dev/stdin";

/// Splits `--key=value` in two, which argh does not know, and names standard input where a lone `-` does; what comes
/// after `--` is left alone.
fn split_values(words: Vec<String>) -> Vec<String> {
    let mut split = Vec::with_capacity(words.len());
    let mut is_over = false;
    for word in words {
        is_over |= word == "--";
        match word.split_once('=') {
            Some((key, value)) if !is_over && key.len() > 2 && key.starts_with("--") => {
                split.extend([key.to_owned(), value.to_owned()]);
            }
            // After an option it is the option's value, which argh leaves alone.
            _ if word == "-" && !is_over && !split.last().is_some_and(|last| last.starts_with("--")) => {
                split.push(STANDARD_INPUT.to_owned());
            }
            _ => split.push(word),
        }
    }
    split
}

/// What argh says, and the usage of the subcommand that was meant.
fn refusal(said: &str, words: &[&str]) -> String {
    let said = match said.trim() {
        "" => "The command line is not understood",
        said => said,
    };
    let Meant { command, help } = meant_by(words);
    let usage = help.split("\n\n").next().unwrap_or_default();
    format!("muster: {said}\n\n{usage}\nRun `{command} --help` for more.")
}

/// The subcommand that was meant.
struct Meant {
    command: String,
    help: String,
}

/// The deepest subcommand that the words name, and its help text.
fn meant_by(words: &[&str]) -> Meant {
    let mut path: Vec<&str> = Vec::new();
    let mut help = help_of(&path).unwrap_or_default();
    for word in words.iter().take_while(|word| !word.starts_with('-')) {
        path.push(word);
        match help_of(&path) {
            Some(deeper) => help = deeper,
            None => {
                path.pop();
                break;
            }
        }
    }
    let command = ["muster"].iter().chain(&path).copied().collect::<Vec<_>>().join(" ");
    Meant { command, help }
}

/// The help text of a subcommand; none where there is no such subcommand.
fn help_of(path: &[&str]) -> Option<String> {
    let words: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    TopLevel::from_args(&["muster"], &words).err().filter(|exit| exit.status.is_ok()).map(|exit| exit.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(words: &[&str]) -> Vec<String> {
        split_values(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn values_are_split_from_their_keys_but_not_after_two_dashes() {
        assert_eq!(split(&["serve", "--data=/a=b", "--x"]), ["serve", "--data", "/a=b", "--x"]);
        assert_eq!(split(&["--a=", "b=c", "-d=e"]), ["--a", "", "b=c", "-d=e"]);
        assert_eq!(split(&["--", "--a=b"]), ["--", "--a=b"]);
        assert_eq!(split(&["--=x"]), ["--=x"]);
        assert_eq!(split(&["action", "submit", "-", "--yes"]), ["action", "submit", "/dev/stdin", "--yes"]);
        assert_eq!(split(&["add", "--key", "-"]), ["add", "--key", "-"]);
    }

    #[test]
    fn the_usage_is_of_the_deepest_subcommand() {
        assert_eq!(meant_by(&[]).command, "muster");
        assert_eq!(meant_by(&["serve", "--nonsense"]).command, "muster serve");
        assert_eq!(meant_by(&["config", "show", "x"]).command, "muster config show");
        assert!(
            meant_by(&["serve"]).help.starts_with("Usage: muster serve "),
            "{}",
            meant_by(&["serve"]).help
        );
    }

    #[test]
    fn help_is_given_whatever_else_is_said() {
        for words in [
            &["serve", "--help", "--nonsense"][..],
            &["-h", "serve", "--data", "x"],
            &["config", "check", "-h"],
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert!(matches!(parse(words), Parsed::Print(text) if text.starts_with("Usage: muster")));
        }
    }
}
