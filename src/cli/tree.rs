// SPDX-License-Identifier: Apache-2.0
//! The commands as a tree that can be walked: what the help texts say, in parts. Man pages and completions are made
//! of it.

use crate::cli::arguments;
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

/// The name of the program.
pub const PROGRAM: &str = "muster";

/// A command with its place in the tree.
#[derive(Clone)]
pub struct Node {
    /// The words that lead to it, the name of the program first.
    pub path: Vec<&'static str>,
    /// What it takes and says.
    pub info: CommandInfoWithArgs,
}

impl Node {
    /// The words with this between them.
    pub fn name(&self, between: &str) -> String {
        self.path.join(between)
    }

    /// A text of its help with the name of the command filled in.
    pub fn filled(&self, text: &str) -> String {
        text.replace("{command_name}", &self.name(" "))
    }

    /// The options that are shown, in the order of the help.
    pub fn flags(&self) -> impl Iterator<Item = &FlagInfo<'static>> {
        self.info.flags.iter().filter(|flag| !flag.hidden)
    }
}

/// What the value of an option or an argument is, by the name that the help gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// One of these words, separated by `|`.
    Words(&'static str),
    /// Something that no shell can guess.
    Other,
}

impl ValueKind {
    /// The kind of the value that the help calls so.
    pub fn of(name: &'static str) -> ValueKind {
        match name {
            "file" => ValueKind::File,
            "dir" => ValueKind::Directory,
            words if words.contains('|') => ValueKind::Words(words),
            _ => ValueKind::Other,
        }
    }
}

/// The name of an option's value; none for a switch.
pub fn value_name(flag: &FlagInfo<'static>) -> Option<&'static str> {
    match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option { arg_name } => Some(arg_name),
    }
}

/// Whether it may be given more than once.
pub fn is_repeated(optionality: &Optionality) -> bool {
    matches!(optionality, Optionality::Repeating | Optionality::Greedy)
}

/// All commands, each before those below it; the first is the program itself.
pub fn nodes() -> Vec<Node> {
    let mut found = Vec::new();
    walk(Node { path: vec![PROGRAM], info: arguments::info() }, &mut found);
    found
}

fn walk(node: Node, found: &mut Vec<Node>) {
    found.push(node.clone());
    for below in node.info.commands {
        let path = node.path.iter().copied().chain([below.name]).collect();
        walk(Node { path, info: below.command }, found);
    }
}

/// The first sentence of a text, without its period.
pub fn first_sentence(text: &str) -> String {
    let line = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let end = [". ", ": "].iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
    line[..end].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_at_its_period_or_colon() {
        for (text, sentence) in [
            ("Tell it. Then go.", "Tell it"),
            ("Collect it: in one file. And more.", "Collect it"),
            ("Write to x.toml", "Write to x.toml"),
            ("One\nline.\n\nAnother.", "One line"),
        ] {
            assert_eq!(first_sentence(text), sentence);
        }
    }

    #[test]
    fn no_first_sentence_is_cut_in_a_name() {
        for node in nodes() {
            let sentence = first_sentence(&node.filled(node.info.description));
            assert!(sentence.ends_with(|c: char| c.is_alphanumeric() || c == ')'), "{sentence}");
        }
    }

    #[test]
    fn the_tree_begins_with_the_program_and_has_what_is_below_it() {
        let names: Vec<String> = nodes().iter().map(|node| node.name(" ")).collect();
        assert_eq!(names[0], "muster");
        for name in ["muster serve", "muster agent", "muster agent list", "muster config show"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
    }
}
