// SPDX-License-Identifier: Apache-2.0
//! Crashes and their guilties as stored: which records are analysed, and what a guilty is.
//!
//! How the guilty of a payload is found is in `guilty`.

use serde::Serialize;

/// Which records have a backtrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CrashKind {
    /// Programs, by the crash probe: `org.clearlinux/crash/clr`.
    Program,
    /// Kernel oopses: `org.clearlinux/kernel/{bug,stackoverflow,warning}`.
    Kernel,
}

impl CrashKind {
    /// Both, in the order of the switch on the page.
    pub const ALL: [CrashKind; 2] = [CrashKind::Program, CrashKind::Kernel];

    /// The kind of a classification; none where its records have no backtrace.
    pub fn of_classification(classification: &str) -> Option<CrashKind> {
        CrashKind::ALL.into_iter().find(|kind| kind.classifications().contains(&classification))
    }

    /// The classifications of this kind.
    pub fn classifications(self) -> &'static [&'static str] {
        match self {
            CrashKind::Program => &["org.clearlinux/crash/clr"],
            CrashKind::Kernel => &[
                "org.clearlinux/kernel/bug",
                "org.clearlinux/kernel/stackoverflow",
                "org.clearlinux/kernel/warning",
            ],
        }
    }

    /// The word of the `kind` parameter.
    pub fn word(self) -> &'static str {
        match self {
            CrashKind::Program => "program",
            CrashKind::Kernel => "kernel",
        }
    }

    /// The kind that a word of the `kind` parameter means.
    pub fn from_word(word: &str) -> Option<CrashKind> {
        CrashKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The number in the database.
    pub fn number(self) -> i64 {
        match self {
            CrashKind::Program => 1,
            CrashKind::Kernel => 2,
        }
    }

    /// The kind that a number in the database means.
    pub fn from_number(number: i64) -> Option<CrashKind> {
        CrashKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Most characters of a guilty's comment.
pub const COMMENT_CHARS_MAX: usize = 80;

/// A function of a module that was seen in a backtrace; a guilty where crashes are laid at its door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guilty {
    /// Its number in addresses.
    pub id: i64,
    /// As the first sender of it wrote it, perhaps mangled and with `()`.
    pub function: String,
    /// The same as people read it: demangled. Filled in when read.
    pub shown: String,
    /// Module without brackets; empty where none was sent.
    pub module: String,
    /// What an admin noted about it, at most 80 characters.
    pub comment: String,
    /// True where an admin took it out of the lists.
    pub is_hidden: bool,
}
