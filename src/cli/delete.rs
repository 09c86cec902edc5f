// SPDX-License-Identifier: Apache-2.0
//! `muster delete`: deletes chosen records.

use crate::cli::progress::Bar;
use crate::cli::{actor, open_app, print};
use crate::error::{Error, Result};
use crate::model::filter::RecordFilter;
use crate::model::pairs::Pairs;
use crate::ops::App;
use crate::ops::delete::{choose, delete_filtered};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::io::{BufRead, IsTerminal, Write};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "delete",
    description = "Delete the records that a filter chooses, for good. The filter is what /api/records takes after its \
    question mark. Asks first, or wants --yes. The audit log tells who deleted what; the server may run meanwhile.",
    example = "{command_name} --filter 'machine_id=5a1b…&severity=1' --dry-run\n\
    {command_name} --filter 'classification=org.example/test/*' --yes",
    note = "Records that come in after the start are kept. The space is given back by the next purge.",
    help_triggers("-h", "--help", "help")
)]
/// Deletes chosen records.
pub struct DeleteCommand {
    #[argh(
        option,
        arg_name = "query",
        description = "name=value, joined by &, percent-encoded as in an address"
    )]
    filter: Option<String>,
    #[argh(switch, description = "delete every record")]
    all: bool,
    #[argh(switch, description = "tell how many records would go, and change nothing")]
    dry_run: bool,
    #[argh(switch, description = "do not ask")]
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

impl DeleteCommand {
    /// Invalid for a filter that is none, Usage where nothing is chosen or nobody confirmed.
    pub fn run(self) -> Result<()> {
        let text = self.filter.as_deref().unwrap_or("").trim_start_matches('?').to_owned();
        match (text.is_empty(), self.all) {
            (true, false) => {
                return Err(Error::usage("Say which records with --filter, or --all for every one"));
            }
            (false, true) => return Err(Error::usage("--all leaves nothing to --filter; give one of them")),
            _ => {}
        }
        let pairs = Pairs::of_query(&text).ok_or_else(|| {
            Error::invalid("The filter must be name=value joined by &, percent-encoded, in UTF-8")
        })?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let filter = RecordFilter::parse(&pairs, &[], false, app.clock.now())?;
        if filter.is_all() && !self.all {
            return Err(Error::usage("This filter chooses every record; say --all if that is what you want"));
        }
        let mut bar = Bar::new();
        let choice = choose(&app, &filter, &mut |done, total| bar.show(done, total, "looking"));
        bar.clear();
        let choice = choice?;
        if self.dry_run || choice.records == 0 {
            let would = if self.dry_run { "would be deleted" } else { "are chosen; nothing is deleted" };
            return print(&format!("{} records {would}\n", choice.records));
        }
        if !self.yes && !ask(&app, choice.records)? {
            return print("Nothing was deleted\n");
        }
        let actor = actor("muster delete");
        let deleted = delete_filtered(&app, &actor, &filter, &text, choice, &mut |done, total| {
            bar.show(done, total, "deleting");
        });
        bar.clear();
        print(&format!("Deleted {} records\n", deleted?))
    }
}

/// Asks on the terminal; without one it wants `--yes`.
fn ask(app: &App, records: u64) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::usage(format!("{records} records would be deleted; say --yes to delete them")));
    }
    let mut stderr = std::io::stderr().lock();
    let question = format!("Delete {records} records of {} for good? [y/N] ", app.config.data_dir.display());
    let mut answer = String::new();
    stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush())
        .and_then(|()| stdin.lock().read_line(&mut answer))
        .map_err(|error| Error::usage("Cannot ask on this terminal; say --yes").because(error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
