// SPDX-License-Identifier: Apache-2.0
//! `muster manual`: the manual as man pages, made of the help texts and the table of settings.

use crate::cli::print;
use crate::cli::roff::Page;
use crate::cli::tree::{self, Node, PROGRAM, first_sentence, is_repeated, value_name};
use crate::clock::Clock;
use crate::config::settings::{SETTINGS, Setting};
use crate::error::{Error, Result};
use crate::model::time::date_text;
use argh::{ArgsInfo, ErrorCodeInfo, FlagInfo, FromArgs, Optionality};
use std::path::Path;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "manual",
    description = "Write the manual as man pages: one for each command, and muster.toml.5 about the configuration. \
    Files of the same names are replaced.",
    example = "{command_name} --output /usr/local/share/man",
    note = "The pages go into man1 and man5 below the directory. Their date is that of today, or of SOURCE_DATE_EPOCH \
    where that is set.",
    help_triggers("-h", "--help", "help")
)]
/// Writes the manual as man pages.
pub struct ManualCommand {
    #[argh(option, arg_name = "dir", description = "where to; it is made if it is not there")]
    output: String,
}

/// A page as a file.
struct File {
    name: String,
    section: u8,
    text: String,
}

impl ManualCommand {
    /// Usage where the date is not one, or a file cannot be written.
    pub fn run(self) -> Result<()> {
        let date = date_text(now()?);
        let nodes = tree::nodes();
        let files: Vec<File> = nodes
            .iter()
            .map(|node| command_page(node, &nodes, &date))
            .chain([settings_page(&date)])
            .collect();
        for file in &files {
            let dir = Path::new(&self.output).join(format!("man{}", file.section));
            let path = dir.join(format!("{}.{}", file.name, file.section));
            std::fs::create_dir_all(&dir)
                .and_then(|()| std::fs::write(&path, &file.text))
                .map_err(|error| Error::usage(format!("Cannot write {}", path.display())).because(error))?;
        }
        print(&format!("{} pages written to {}\n", files.len(), self.output))
    }
}

/// The time of the pages; builds that can be repeated set it from outside.
fn now() -> Result<i64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(Clock::system().now()),
        Ok(text) => text
            .parse()
            .map_err(|_| Error::usage("SOURCE_DATE_EPOCH must be a whole number, seconds since 1970")),
    }
}

fn command_page(node: &Node, nodes: &[Node], date: &str) -> File {
    let name = node.name("-");
    let mut page = Page::new(&name, 1, date);
    page.name(&name, &first_sentence(&node.filled(node.info.description)));
    page.section("SYNOPSIS");
    page.usage(&node.name(" "), &usage(node));
    page.section("DESCRIPTION");
    page.paragraphs(&node.filled(node.info.description));
    arguments(&mut page, node);
    options(&mut page, node);
    commands(&mut page, node);
    for (title, texts) in [("EXAMPLES", node.info.examples), ("NOTES", node.info.notes)] {
        for (at, text) in texts.iter().enumerate() {
            match at {
                0 => page.section(title),
                _ => page.between(),
            }
            match title {
                "EXAMPLES" => page.verbatim(&node.filled(text)),
                _ => page.paragraphs(&node.filled(text)),
            }
        }
    }
    exit_status(&mut page, node, &nodes[0]);
    page.section("FILES");
    page.term("/etc/muster/muster.toml", "", "the configuration, see `muster.toml`(5)");
    page.section("SEE ALSO");
    page.references(&see_also(node, nodes));
    File { name, section: 1, text: page.into_text() }
}

/// The parts of the usage: options with the names of their values, then arguments, or that a command follows.
fn usage(node: &Node) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = node.flags().map(option_usage).collect();
    for argument in node.info.positionals.iter().filter(|argument| !argument.hidden) {
        let dots = if is_repeated(&argument.optionality) { "..." } else { "" };
        let name = argument.name;
        parts.push(match argument.optionality {
            Optionality::Required => (String::new(), format!("<{name}>")),
            _ => (String::new(), format!("[<{name}>{dots}]")),
        });
    }
    if !node.info.commands.is_empty() {
        parts.push((String::new(), "<command> [<args>]".to_owned()));
    }
    parts
}

fn option_usage(flag: &FlagInfo<'static>) -> (String, String) {
    let dots = if is_repeated(&flag.optionality) { "..." } else { "" };
    match (value_name(flag), &flag.optionality) {
        (Some(name), Optionality::Required) => (flag.long.to_owned(), format!(" <{name}>")),
        (Some(name), _) => (String::new(), format!("[{} <{name}>{dots}]", flag.long)),
        (None, _) => (String::new(), format!("[{}]{dots}", flag.long)),
    }
}

fn arguments(page: &mut Page, node: &Node) {
    let shown: Vec<_> = node.info.positionals.iter().filter(|argument| !argument.hidden).collect();
    if !shown.is_empty() {
        page.section("ARGUMENTS");
    }
    for argument in shown {
        page.term(argument.name, "", &node.filled(argument.description));
    }
}

fn options(page: &mut Page, node: &Node) {
    page.section("OPTIONS");
    for flag in node.flags() {
        let short = flag.short.map(|short| format!("-{short}, ")).unwrap_or_default();
        let value = value_name(flag).map(|name| format!(" <{name}>")).unwrap_or_default();
        page.term(&format!("{short}{}", flag.long), &value, &node.filled(flag.description));
    }
    if node.path == [PROGRAM] {
        page.term("--version", "", "print the version");
    }
}

fn commands(page: &mut Page, node: &Node) {
    if node.info.commands.is_empty() {
        return;
    }
    page.section("COMMANDS");
    for below in &node.info.commands {
        let name = format!("{} {}", node.name(" "), below.name);
        let what = below.command.description.replace("{command_name}", &name);
        page.term(&name, "", &first_sentence(&what));
    }
}

/// What a command says of its own exit statuses, else what holds for all.
fn exit_status(page: &mut Page, node: &Node, program: &Node) {
    let own: &[ErrorCodeInfo] = node.info.error_codes;
    let codes = if own.is_empty() { program.info.error_codes } else { own };
    page.section("EXIT STATUS");
    for code in codes {
        page.term(&code.code.to_string(), "", code.description);
    }
}

/// The command above, those below, and the configuration.
fn see_also(node: &Node, nodes: &[Node]) -> Vec<(String, u8)> {
    let is_near = |other: &&Node| {
        let (own, its) = (&node.path, &other.path);
        (its.len() + 1 == own.len() && own.starts_with(its))
            || (own.len() + 1 == its.len() && its.starts_with(own))
    };
    let near = nodes.iter().filter(is_near).map(|other| (other.name("-"), 1));
    near.chain([("muster.toml".to_owned(), 5)]).collect()
}

fn settings_page(date: &str) -> File {
    let mut page = Page::new("muster.toml", 5, date);
    page.name("muster.toml", "configuration of muster");
    page.section("SYNOPSIS");
    page.paragraphs("`/etc/muster/muster.toml`");
    page.section("DESCRIPTION");
    page.paragraphs(
        "A file in the form of TOML. Every setting is optional and has a default. A variable of the environment \
         overrides each, lists with commas between their parts, and a flag of the command line overrides that.\n\n\
         `muster config check` looks for mistakes, `muster config show` shows what is in force and where it comes \
         from, `muster config show --template` prints a file to begin with.",
    );
    page.section("SETTINGS");
    let mut section = "";
    for setting in SETTINGS.iter() {
        let (own, name) = setting.section_and_name();
        if own != section {
            section = own;
            page.part(&format!("[{own}]"));
        }
        page.term(name, "", &setting_text(setting));
    }
    page.section("SEE ALSO");
    page.references(&[
        (PROGRAM.to_owned(), 1),
        ("muster-serve".to_owned(), 1),
        ("muster-config".to_owned(), 1),
    ]);
    File { name: "muster.toml".to_owned(), section: 5, text: page.into_text() }
}

fn setting_text(setting: &Setting) -> String {
    let default = setting.default.to_value().to_toml(setting.kind);
    let default = match setting.key {
        // What `serve` takes where nothing names one.
        "data" => "$STATE_DIRECTORY, else ./muster-data".to_owned(),
        _ => format!("`{default}`"),
    };
    format!(
        "{} It must be {}. Default: {default}. Variable: `{}`.",
        setting.help,
        setting.kind.rule(),
        setting.variable()
    )
}
