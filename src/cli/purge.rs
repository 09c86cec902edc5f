// SPDX-License-Identifier: Apache-2.0
//! `muster purge`: retention, now.

use crate::cli::progress::Bar;
use crate::cli::{actor, open_app, print};
use crate::error::Result;
use crate::ops::purge::{Mode, Purged, purge};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::fmt::Write;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "purge",
    description = "Remove what has been kept long enough, by the settings of retention: records, what is over in the fleet, old \
    entries of the audit log; then give the space back. The server does the same once a day; both may run at any time.",
    example = "{command_name} --dry-run --data /var/lib/muster",
    note = "Of several rules that match a record the one that keeps it longest counts. An end in the middle does no harm.",
    help_triggers("-h", "--help", "help")
)]
/// Removes what has been kept long enough.
pub struct PurgeCommand {
    #[argh(switch, description = "tell what would go, and change nothing")]
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

impl PurgeCommand {
    /// Busy where another purge runs. Otherwise the kinds of opening the database.
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let mode = if self.dry_run { Mode::DryRun } else { Mode::Apply };
        let mut bar = Bar::new();
        let purged = purge(&app, &actor("muster purge"), mode, &mut |done, total, what| {
            bar.show(done, total, what);
            true
        });
        bar.clear();
        print(&report(&purged?, mode))
    }
}

fn report(purged: &Purged, mode: Mode) -> String {
    let verb = if mode == Mode::DryRun { "Would remove" } else { "Removed" };
    let total: u64 = purged.records.iter().map(|(_, n)| n).sum::<u64>() + purged.for_size;
    // What goes for the size is known when it has gone.
    let about = if mode == Mode::DryRun { "about " } else { "" };
    let about_total = if purged.for_size > 0 { about } else { "" };
    let mut text = format!("{verb} {about_total}{total} records\n");
    let mut line = |n: u64, what: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{n:>12}  {what}");
    };
    for (rule, n) in &purged.records {
        line(*n, rule);
    }
    let roughly = if mode == Mode::DryRun { ", roughly" } else { "" };
    if purged.for_size > 0 {
        line(purged.for_size, &format!("for retention.database_bytes_max{roughly}"));
    }
    let fleet = &purged.fleet;
    let _ = writeln!(
        text,
        "{verb} {} actions, {} commands, {} agents, {} endpoints, {} refused enrolments of the fleet",
        fleet.actions, fleet.commands, fleet.agents, fleet.endpoints, fleet.refusals
    );
    let _ = writeln!(text, "{verb} {} entries of the audit log", purged.audit_entries);
    if mode == Mode::Apply {
        let _ = writeln!(text, "{verb} {} strings that no record has any more", purged.strings);
    }
    if purged.bytes_over > 0 {
        let stays = if mode == Mode::DryRun { "would stay" } else { "stays" };
        let over = purged.bytes_over;
        let _ = writeln!(text, "The database {stays} {about}{over} bytes over retention.database_bytes_max");
    }
    text
}
