// SPDX-License-Identifier: Apache-2.0
//! `muster import`: records out of files.

use crate::cli::progress::Bar;
use crate::cli::{actor, open_app, print};
use crate::error::{Error, Kind, Result};
use crate::model::filter::shortened;
use crate::ops::App;
use crate::ops::import::postgres::Table;
use crate::ops::import::rejects::Rejects;
use crate::ops::import::source::Source;
use crate::ops::import::{Format, Options, Outcome, import};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::path::{Path, PathBuf};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "import",
    description = "Store the records of files: what `muster export` wrote, and the tables records, guilty and \
    guilty_blacklisted of the original telemetrics-backend, as a plain pg_dump or as COPY writes them. Each may be \
    compressed by gzip.",
    example = "{command_name} records.ndjson.gz\n\
    pg_dump --data-only telemetry | {command_name} --format postgres -\n\
    {command_name} --dry-run dump.sql\n\
    {command_name} --table records --rejects bad.sql records.copy",
    note = "Reception times are kept, ids are given anew. A record that is stored already, alike in every field, is passed\n\
    over. A row that breaks a rule is put into FILE.rejects with the reason, where it can be corrected and imported;\n\
    where rows of an import before are there, into FILE.rejects.2 and so on. One import runs at a time.\n\
    It works beside a running server. Cut off, it goes on where it was when it is run again on the same file; what\n\
    comes through a pipe begins anew, and passes over what is stored.\n\
    What is older than retention.days is removed at the next purge; see `muster config show`.\n\
    Exit status 1 where rows were rejected or a file is not whole.",
    help_triggers("-h", "--help", "help")
)]
/// Stores records out of files.
pub struct ImportCommand {
    #[argh(positional, arg_name = "file", description = "files; - is standard input")]
    files: Vec<String>,
    #[argh(option, arg_name = "word", description = "ndjson, csv or postgres (default: guessed)")]
    format: Option<String>,
    #[argh(
        option,
        arg_name = "table",
        description = "of which table a COPY file is: records, guilty or guilty_blacklisted (default: guessed)"
    )]
    table: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "where to put rows that break a rule (default FILE.rejects)"
    )]
    rejects: Option<String>,
    #[argh(switch, description = "say what would be done, store nothing")]
    dry_run: bool,
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

impl ImportCommand {
    /// Kinds: Usage where the options or a file are refused, Conflict where not every row was taken, those of storing.
    pub fn run(self) -> Result<()> {
        let options = self.options()?;
        if self.files.is_empty() {
            return Err(Error::usage("Name a file to import; - is standard input"));
        }
        // Before we become the owner of the data directory, who may not read them.
        let sources = self.files.iter().map(|file| Source::open(file)).collect::<Result<Vec<_>>>()?;
        let missing = if self.dry_run { Missing::Refuse } else { Missing::Create };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), missing)?;
        let mut outcomes = Vec::new();
        // A file that is named takes the rows of all.
        let mut shared = self.rejects.as_ref().map(|path| Rejects::at(PathBuf::from(path)));
        for (file, source) in self.files.iter().zip(sources) {
            let outcome = match &mut shared {
                Some(rejects) => self.one(&app, source, &options, rejects),
                None => {
                    let mut rejects = self.rejects_of(file);
                    let outcome = self.one(&app, source, &options, &mut rejects);
                    rejects.end();
                    outcome
                }
            };
            outcomes.push(outcome);
            if outcomes.last().is_some_and(Result::is_err) {
                break;
            }
        }
        if let Some(rejects) = shared {
            rejects.end();
        }
        let mut troubles = Vec::new();
        for outcome in outcomes {
            troubles.extend(outcome?);
        }
        match troubles.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Conflict, troubles.join("\n"))),
        }
    }

    fn options(&self) -> Result<Options> {
        let format = self.format.as_deref().map(|word| {
            Format::from_word(word).ok_or_else(|| {
                Error::usage(format!("--format is ndjson, csv or postgres, not {}", shortened(word)))
            })
        });
        let table = self.table.as_deref().map(|name| {
            let table =
                Table::from_name(name).filter(|table| !matches!(table, Table::Classification | Table::Build));
            table.ok_or_else(|| {
                let name = shortened(name);
                Error::usage(format!("--table is records, guilty or guilty_blacklisted, not {name}"))
            })
        });
        let table = table.transpose()?;
        let format = format.transpose()?.or(table.map(|_| Format::Postgres));
        if table.is_some() && format != Some(Format::Postgres) {
            return Err(Error::usage("--table is for --format postgres"));
        }
        Ok(Options { format, table, is_dry_run: self.dry_run })
    }

    /// Where the rows of a file go that break a rule, where nothing is said.
    fn rejects_of(&self, file: &str) -> Rejects {
        match file {
            _ if self.dry_run => Rejects::nowhere(),
            "/dev/stdin" => Rejects::at(PathBuf::from("import.rejects")),
            file => Rejects::at(PathBuf::from(format!("{file}.rejects"))),
        }
    }

    /// Imports one file; what is to be said about it at the end.
    fn one(
        &self,
        app: &App,
        source: Source,
        options: &Options,
        rejects: &mut Rejects,
    ) -> Result<Option<String>> {
        let (name, total_bytes) = (source.name.clone(), source.total_bytes);
        if source.digest.is_none() && !self.dry_run {
            log::info!(
                "What comes through a pipe cannot go on where it was cut off; run again it begins anew"
            );
        }
        let mut bar = Bar::new();
        let outcome =
            import(app, source, options, rejects, &actor("muster import"), &mut |read, progress| {
                let rows = progress.rows_stored + progress.rows_known + progress.rows_rejected;
                bar.show(read, total_bytes.max(read), &format!("bytes, {rows} rows"));
            });
        bar.clear();
        let outcome = outcome?;
        print(&summary(&name, &outcome, self.dry_run))?;
        if outcome.old_records > 0 {
            log::warn!(
                "{} records are older than the {} days of retention.days; the next purge removes what no rule keeps",
                outcome.old_records,
                app.config.retention.days
            );
        }
        Ok(trouble(&name, &outcome, rejects.path()))
    }
}

fn summary(name: &str, outcome: &Outcome, is_dry_run: bool) -> String {
    let progress = outcome.progress;
    let mut text = String::new();
    if outcome.resumed_at > 0 {
        text.push_str(&format!("{name}: went on at byte {}\n", outcome.resumed_at));
    }
    text.push_str(&format!(
        "{name}: {} rows {}, {} known, {} rejected\n",
        progress.rows_stored,
        if is_dry_run { "would be stored" } else { "stored" },
        progress.rows_known,
        progress.rows_rejected
    ));
    text
}

fn trouble(name: &str, outcome: &Outcome, rejected_to: Option<&Path>) -> Option<String> {
    let mut parts = Vec::new();
    if outcome.progress.rows_rejected > 0 {
        let place = rejected_to
            .map_or(String::new(), |path| format!("; they are in {}", path.to_string_lossy().escape_debug()));
        parts.push(format!("{name}: {} rows were rejected{place}", outcome.progress.rows_rejected));
    }
    if let Some(cut) = &outcome.cut {
        parts.push(format!("{name}: {cut}"));
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}
