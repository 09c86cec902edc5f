// SPDX-License-Identifier: Apache-2.0
//! `muster completions`: what bash, zsh and fish need to complete commands, options, files and directories, made of
//! the tree of commands.

use crate::cli::print;
use crate::cli::tree::{self, Node, ValueKind, first_sentence, is_repeated, value_name};
use crate::error::{Error, Result};
use argh::{ArgsInfo, FlagInfo, FromArgs};
use std::fmt::Write;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "completions",
    description = "Print what a shell needs to complete the commands, options and files of muster: bash, zsh or \
    fish.",
    example = "{command_name} bash > /usr/local/share/bash-completion/completions/muster\n\
    {command_name} zsh > /usr/local/share/zsh/site-functions/_muster\n\
    {command_name} fish > /etc/fish/completions/muster.fish",
    help_triggers("-h", "--help", "help")
)]
/// Prints what a shell needs to complete commands.
pub struct CompletionsCommand {
    #[argh(positional, arg_name = "bash|zsh|fish", description = "the shell")]
    shell: String,
}

impl CompletionsCommand {
    /// Usage where the shell is none of the three.
    pub fn run(self) -> Result<()> {
        let nodes = tree::nodes();
        let text = match self.shell.as_str() {
            "bash" => bash(&nodes),
            "zsh" => zsh(&nodes),
            "fish" => fish(&nodes),
            _ => return Err(Error::usage("The shell must be bash, zsh or fish")),
        };
        print(&text)
    }
}

/// The first line of each file behind its mark of a comment.
const MADE_BY: &str = "Completes the commands of muster; made by `muster completions";

/// A text between single quotes, for bash and zsh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The options of a command: their long names and, where they have one, their short ones.
fn option_words(node: &Node) -> Vec<String> {
    let mut words: Vec<String> = node.flags().map(|flag| flag.long.to_owned()).collect();
    words.extend(node.flags().filter_map(|flag| flag.short).map(|short| format!("-{short}")));
    if node.path.len() == 1 {
        words.push("--version".to_owned());
    }
    words
}

/// What stands where no option does: commands, the words of an argument, or files.
fn argument_kinds(node: &Node) -> Vec<ValueKind> {
    node.info.positionals.iter().map(|argument| ValueKind::of(argument.name)).collect()
}

/// The short description of an option or a command.
fn summary(node: &Node, text: &str) -> String {
    first_sentence(&node.filled(text))
}

/// The short description of a command that is below another one.
fn below_summary(node: &Node, name: &str, text: &str) -> String {
    first_sentence(&text.replace("{command_name}", &format!("{} {name}", node.name(" "))))
}

/// The command line up to the word in question is walked down the tree; the case of what it comes to answers.
const BASH_WALK: &str = r#"
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=muster words='' kind='' i
    COMPREPLY=()
    # `--option=value` comes in three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$at ${COMP_WORDS[i]}" in
"#;

const BASH_ANSWER: &str = r#"    case $kind in
        file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        none) return ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
    esac
    if [[ $kind == file || $kind == dir ]]; then
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _muster muster
"#;

fn bash(nodes: &[Node]) -> String {
    let below: Vec<String> = nodes.iter().skip(1).map(|node| quoted(&node.name(" "))).collect();
    let mut text = format!("# {MADE_BY} bash`.\n_muster() {{{BASH_WALK}");
    let _ =
        write!(text, "            {})\n                at+=\" ${{COMP_WORDS[i]}}\" ;;\n", below.join("|"));
    text.push_str("        esac\n    done\n    case $at in\n");
    for node in nodes {
        bash_case(&mut text, node);
    }
    text.push_str("    esac\n");
    text.push_str(BASH_ANSWER);
    text
}

/// The words that may follow a command, and what the value of each of its options is.
fn bash_case(text: &mut String, node: &Node) {
    let commands = node.info.commands.iter().map(|below| below.name.to_owned());
    let mut words: Vec<String> = commands.chain(option_words(node)).collect();
    let mut lines = String::new();
    for flag in node.flags() {
        let (Some(name), long) = (value_name(flag), flag.long) else { continue };
        let _ = match ValueKind::of(name) {
            ValueKind::File => writeln!(lines, "                {long}) kind='file' ;;"),
            ValueKind::Directory => writeln!(lines, "                {long}) kind='dir' ;;"),
            ValueKind::Words(of) => {
                writeln!(lines, "                {long}) words={} ;;", quoted(&of.replace('|', " ")))
            }
            ValueKind::Other => writeln!(lines, "                {long}) kind='none' ;;"),
        };
    }
    for kind in argument_kinds(node) {
        match kind {
            ValueKind::File => lines.push_str("                *) [[ $cur == -* ]] || kind='file' ;;\n"),
            ValueKind::Directory => lines.push_str("                *) [[ $cur == -* ]] || kind='dir' ;;\n"),
            ValueKind::Words(of) => words.extend(of.split('|').map(str::to_owned)),
            ValueKind::Other => {}
        }
    }
    let (name, words) = (quoted(&node.name(" ")), quoted(&words.join(" ")));
    let _ = write!(text, "        {name})\n            words={words}\n");
    if !lines.is_empty() {
        let _ = write!(text, "            case $prev in\n{lines}            esac\n");
    }
    text.push_str("            ;;\n");
}

fn zsh(nodes: &[Node]) -> String {
    let mut text = format!("#compdef muster\n# {MADE_BY} zsh`.\n");
    for node in nodes {
        zsh_function(&mut text, node);
    }
    text.push_str("\nif [[ $funcstack[1] == _muster ]]; then\n    _muster \"$@\"\n");
    text.push_str("else\n    compdef _muster muster\nfi\n");
    text
}

/// What takes the value, in the words of zsh.
fn zsh_action(kind: ValueKind) -> String {
    match kind {
        ValueKind::File => "_files".to_owned(),
        ValueKind::Directory => "_files -/".to_owned(),
        ValueKind::Words(words) => format!("({})", words.replace('|', " ")),
        ValueKind::Other => String::new(),
    }
}

/// A description with what means something to `_arguments` guarded.
fn zsh_plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '[' | ']' | ':' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn zsh_option(node: &Node, flag: &FlagInfo<'static>) -> String {
    let star = if is_repeated(&flag.optionality) { "*" } else { "" };
    let what = zsh_plain(&summary(node, flag.description));
    quoted(&match value_name(flag) {
        None => format!("{star}{}[{what}]", flag.long),
        Some(name) => {
            let action = zsh_action(ValueKind::of(name));
            format!("{star}{}=[{what}]:{}:{action}", flag.long, zsh_plain(name))
        }
    })
}

fn zsh_function(text: &mut String, node: &Node) {
    let function = node.name("_");
    let mut specs: Vec<String> = node.flags().map(|flag| zsh_option(node, flag)).collect();
    if node.path.len() == 1 {
        specs.push(quoted("--version[print the version]"));
    }
    for argument in node.info.positionals {
        let place = if is_repeated(&argument.optionality) { "*" } else { "" };
        let action = zsh_action(ValueKind::of(argument.name));
        specs.push(quoted(&format!("{place}:{}:{action}", zsh_plain(argument.name))));
    }
    let is_group = !node.info.commands.is_empty();
    if is_group {
        specs.push(quoted(&format!("1: :_{function}_commands")));
        specs.push(quoted("*:: :->below"));
    }
    let _ = write!(text, "\n_{function}() {{\n    local curcontext=\"$curcontext\" context state line\n");
    text.push_str("    typeset -A opt_args\n");
    let _ = writeln!(text, "    _arguments -C \\\n        {}", specs.join(" \\\n        "));
    if is_group {
        text.push_str("    if [[ $state == below ]]; then\n        case $line[1] in\n");
        for below in &node.info.commands {
            let _ = writeln!(text, "            {}) _{function}_{} ;;", below.name, below.name);
        }
        text.push_str("        esac\n    fi\n");
    }
    text.push_str("}\n");
    if is_group {
        let _ = write!(text, "\n_{function}_commands() {{\n    local -a commands=(\n");
        for below in &node.info.commands {
            let what = below_summary(node, below.name, below.command.description).replace(':', "\\:");
            let _ = writeln!(text, "        {}", quoted(&format!("{}:{what}", below.name)));
        }
        text.push_str("    )\n    _describe -t commands command commands\n}\n");
    }
}

/// A text between single quotes, for fish.
fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn fish(nodes: &[Node]) -> String {
    let below: Vec<String> = nodes.iter().skip(1).map(|node| fish_quoted(&node.name(" "))).collect();
    let mut text = format!(
        "# {MADE_BY} fish`.\n\
         function __muster_at\n    set -l at muster\n    for word in (commandline -opc)[2..-1]\n        \
         if contains -- \"$at $word\" {}\n            set at \"$at $word\"\n        end\n    end\n    \
         test \"$at\" = \"$argv\"\nend\n\ncomplete -c muster -f\n",
        below.join(" ")
    );
    for node in nodes {
        fish_lines(&mut text, node);
    }
    text
}

/// What takes the value, in the words of fish: files only where they are asked for.
fn fish_action(kind: ValueKind) -> String {
    match kind {
        ValueKind::File => "-r -F".to_owned(),
        ValueKind::Directory => "-x -a '(__fish_complete_directories)'".to_owned(),
        ValueKind::Words(words) => format!("-x -a {}", fish_quoted(&words.replace('|', " "))),
        ValueKind::Other => "-x".to_owned(),
    }
}

fn fish_lines(text: &mut String, node: &Node) {
    let begin = format!("complete -c muster -n '__muster_at {}'", node.name(" "));
    for below in &node.info.commands {
        let what = fish_quoted(&below_summary(node, below.name, below.command.description));
        let _ = writeln!(text, "{begin} -a {} -d {what}", below.name);
    }
    for flag in node.flags() {
        let short = flag.short.map(|short| format!(" -s {short}")).unwrap_or_default();
        let what = fish_quoted(&summary(node, flag.description));
        let value = value_name(flag).map(|name| format!(" {}", fish_action(ValueKind::of(name))));
        let long = flag.long.trim_start_matches('-');
        let _ = writeln!(text, "{begin} -l {long}{short}{} -d {what}", value.unwrap_or_default());
    }
    if node.path.len() == 1 {
        let _ = writeln!(text, "{begin} -l version -d 'print the version'");
    }
    for kind in argument_kinds(node) {
        let _ = match kind {
            ValueKind::File => writeln!(text, "{begin} -F"),
            ValueKind::Directory => writeln!(text, "{begin} -a '(__fish_complete_directories)'"),
            ValueKind::Words(words) => writeln!(text, "{begin} -a {}", fish_quoted(&words.replace('|', " "))),
            ValueKind::Other => Ok(()),
        };
    }
}
