// SPDX-License-Identifier: Apache-2.0
//! `muster audit`: the audit log on the terminal.

use crate::cli::open_app;
use crate::error::{Error, Result};
use crate::model::audit::AuditFilter;
use crate::model::pairs::Pairs;
use crate::ops::audit::{AuditFormat, AuditText};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::io::{ErrorKind, Write};

#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "audit",
    description = "Print who changed what, from where, and how it was before and after: newest first, 50 entries unless \
    --limit says otherwise. --limit 0 prints all.",
    example = "{command_name} --actor kim --from 2026-01-01 --data /var/lib/muster\n\
    {command_name} --format csv --limit 0 > audit.csv",
    help_triggers("-h", "--help", "help")
)]
/// Prints the audit log.
pub struct AuditCommand {
    #[argh(option, arg_name = "word", description = "text (the usual), csv or ndjson")]
    format: Option<String>,
    #[argh(option, arg_name = "n", description = "how many entries; 0: all")]
    limit: Option<usize>,
    #[argh(option, arg_name = "text", description = "only where the name of who acted holds this")]
    actor: Option<String>,
    #[argh(
        option,
        arg_name = "word",
        description = "only this action, like acl.set, or this noun, like acl"
    )]
    action: Option<String>,
    #[argh(option, arg_name = "text", description = "only where the subject holds this")]
    subject: Option<String>,
    #[argh(option, arg_name = "day", description = "not before this day, YYYY-MM-DD")]
    from: Option<String>,
    #[argh(option, arg_name = "day", description = "not after this day, YYYY-MM-DD")]
    to: Option<String>,
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

/// Entries where nothing is said.
const LIMIT_USUAL: usize = 50;

impl AuditCommand {
    /// Usage where a word is not known, Invalid where a filter is none.
    pub fn run(self) -> Result<()> {
        let word = self.format.as_deref().unwrap_or("text");
        let format = AuditFormat::from_word(word)
            .ok_or_else(|| Error::usage("--format must be text, csv or ndjson"))?;
        let filter = AuditFilter::parse(&self.pairs(), &[])?;
        let rows_max = match self.limit.unwrap_or(LIMIT_USUAL) {
            0 => usize::MAX,
            limit => limit,
        };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let mut out = std::io::stdout().lock();
        let printed = std::io::copy(&mut AuditText::new(&app, format, filter, rows_max), &mut out)
            .and_then(|_| out.flush());
        match printed {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::internal("Cannot print the audit log").because(error))
            }
            _ => Ok(()),
        }
    }

    fn pairs(&self) -> Pairs {
        let given = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("subject", &self.subject),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let filled = |(name, value): (&str, &Option<String>)| Some((name.to_owned(), value.clone()?));
        Pairs(given.into_iter().filter_map(filled).collect())
    }
}
