// SPDX-License-Identifier: Apache-2.0
//! `muster agent offline` and `muster agent double`.

use crate::cli::{open_app, print};
use crate::error::{Error, Result};
use crate::http::{double_csv, offline_csv};
use crate::model::visible::plain;
use crate::ops::fleet::agents::{DAYS_MAX, DOUBLE_MINUTES, MINUTES_MAX, OfflineWindow, double, offline};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "offline",
    description = "List the names of agents that were heard of lately and are silent now, sorted.",
    example = "{command_name} --days 30 --minutes 5 --csv > offline.csv",
    help_triggers("-h", "--help", "help")
)]
/// Lists the agents that are silent.
pub struct OfflineCommand {
    #[argh(option, arg_name = "n", description = "heard of in so many days (default 30)")]
    days: Option<i64>,
    #[argh(option, arg_name = "n", description = "and not in so many minutes (default 5)")]
    minutes: Option<i64>,
    #[argh(switch, description = "print CSV with a header line")]
    csv: bool,
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

impl OfflineCommand {
    /// Usage where a number is out of its bounds.
    pub fn run(self) -> Result<()> {
        let default = OfflineWindow::default();
        let window = OfflineWindow {
            days: within("--days", self.days.unwrap_or(default.days), DAYS_MAX)?,
            minutes: within("--minutes", self.minutes.unwrap_or(default.minutes), MINUTES_MAX)?,
        };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let list = offline(&app, window)?;
        if self.csv {
            return print(&String::from_utf8_lossy(&offline_csv(&list)?));
        }
        let lines =
            list.offline.iter().map(|agent| format!("{}  {}\n", agent.last_heartbeat, plain(&agent.name)));
        print(&lines.collect::<String>())
    }
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "double",
    description = "List the endpoints of which more than one agent beats, most agents first.",
    example = "{command_name} --minutes 10",
    help_triggers("-h", "--help", "help")
)]
/// Lists the endpoints with several agents.
pub struct DoubleCommand {
    #[argh(option, arg_name = "n", description = "agents that beat in so many minutes (default 10)")]
    minutes: Option<i64>,
    #[argh(switch, description = "print CSV with a header line")]
    csv: bool,
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

impl DoubleCommand {
    /// Usage where a number is out of its bounds.
    pub fn run(self) -> Result<()> {
        let minutes = within("--minutes", self.minutes.unwrap_or(DOUBLE_MINUTES), MINUTES_MAX)?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let list = double(&app, minutes)?;
        if self.csv {
            return print(&String::from_utf8_lossy(&double_csv(&list)?));
        }
        let lines = list.double.iter().map(|endpoint| {
            format!(
                "{:>5}  {}  {}\n",
                endpoint.count,
                plain(&endpoint.queueloc),
                plain(&endpoint.names.join(" "))
            )
        });
        print(&lines.collect::<String>())
    }
}

fn within(option: &str, number: i64, most: i64) -> Result<i64> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(Error::usage(format!("{option} must be from 1 to {most}, not {number}")))
}
