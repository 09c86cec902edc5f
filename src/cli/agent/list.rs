// SPDX-License-Identifier: Apache-2.0
//! `muster agent list` and `muster agent show`.

use crate::cli::{open_app, print};
use crate::error::{Error, Result};
use crate::model::pairs::Pairs;
use crate::model::time::{age_text, rfc3339};
use crate::model::visible::plain;
use crate::ops::fleet::agent_search::{parse, search};
use crate::store::Missing;
use crate::store::fleet::AgentRow;
use argh::{ArgsInfo, FromArgs};

/// Agents that are listed where nothing is said.
const LIMIT: usize = 100;
/// Most agents that are listed at once.
const LIMIT_MAX: usize = 100_000;
/// Agents that are printed at a time.
const ROWS_AT_ONCE: usize = 1_000;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "list",
    description = "List agents, the last heartbeat first. Each option narrows the list; a text is found anywhere, or \
    is a pattern where it has a %, and case does not matter.",
    example = "{command_name} --status online --tag operator=IT\n\
    {command_name} --target \"environment->>'os' = 'linux' AND version <> '1.2'\"",
    help_triggers("-h", "--help", "help")
)]
/// Lists agents.
pub struct ListCommand {
    #[argh(option, arg_name = "text", description = "its name")]
    name: Option<String>,
    #[argh(option, arg_name = "text", description = "its queueloc")]
    queueloc: Option<String>,
    #[argh(option, arg_name = "text", description = "its version")]
    version: Option<String>,
    #[argh(option, arg_name = "text", description = "its operating system")]
    os: Option<String>,
    #[argh(option, arg_name = "word", description = "online, idle, offline or destroyed")]
    status: Option<String>,
    #[argh(option, arg_name = "name=value", description = "a tag that it has")]
    tag: Option<String>,
    #[argh(option, arg_name = "condition", description = "a condition of the target language")]
    target: Option<String>,
    #[argh(option, arg_name = "n", description = "at most so many (default 100)")]
    limit: Option<usize>,
    #[argh(switch, description = "print one JSON object a line, in MIG's form")]
    json: bool,
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

impl ListCommand {
    /// Usage where an option breaks its rule.
    pub fn run(self) -> Result<()> {
        let limit = self.limit.unwrap_or(LIMIT);
        if limit > LIMIT_MAX {
            return Err(Error::usage(format!("--limit must be at most {LIMIT_MAX}, not {limit}")));
        }
        let options = [
            ("name", self.name),
            ("queueloc", self.queueloc),
            ("version", self.version),
            ("os", self.os),
            ("status", self.status),
            ("tag", self.tag),
            ("target", self.target),
        ];
        let given = options.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
        let condition = parse(&Pairs(given.collect()))
            .map_err(|error| Error::usage(format!("--{}: {}", error.parameter, error.message)))?;
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let now = app.clock.now();
        let (mut listed, mut n_agents) = (0, 0);
        while listed < limit {
            let found = search(&app, condition.as_ref(), listed, ROWS_AT_ONCE.min(limit - listed))?;
            n_agents = found.n_agents;
            if found.agents.is_empty() {
                break;
            }
            listed += found.agents.len();
            let lines = found.agents.iter().map(|agent| match self.json {
                true => Ok(agent.to_agent().to_json()? + "\n"),
                false => Ok(line_of(agent, now)),
            });
            print(&lines.collect::<Result<String>>()?)?;
        }
        if n_agents > listed && !self.json {
            print(&format!("{listed} of {n_agents} agents; --limit shows more\n"))?;
        }
        Ok(())
    }
}

fn line_of(agent: &AgentRow, now: i64) -> String {
    let heard = age_text(agent.heartbeat_at, now);
    format!(
        "{:>6}  {:9}  {:12}  {}  {}  pid {}  {}\n",
        agent.id,
        agent.status.word(),
        heard,
        plain(&agent.name),
        plain(&agent.version),
        agent.pid,
        plain(&agent.queueloc)
    )
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "show",
    description = "Show what is known of one agent.",
    example = "{command_name} 17",
    help_triggers("-h", "--help", "help")
)]
/// Shows one agent.
pub struct ShowCommand {
    #[argh(positional, arg_name = "id", description = "its id, as `muster agent list` prints it")]
    id: i64,
    #[argh(switch, description = "print JSON, in MIG's form")]
    json: bool,
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

impl ShowCommand {
    /// NotFound where there is no such agent.
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let now = app.clock.now();
        let agent = app.store.agent(self.id, app.config.fleet.liveness().at(now))?;
        let agent = agent.ok_or_else(|| Error::not_found(format!("There is no agent {}", self.id)))?;
        if self.json {
            return print(&(agent.to_agent().to_json()? + "\n"));
        }
        let time = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), rfc3339);
        let environment = &agent.environment;
        let list = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default().join(" ");
        let rows = [
            ("agent", agent.id.to_string()),
            ("name", agent.name.clone()),
            ("endpoint", agent.queueloc.clone()),
            ("key", if agent.is_bound { "bound" } else { "none: it gets no commands" }.to_owned()),
            ("status", format!("{}, heard of {}", agent.status.word(), age_text(agent.heartbeat_at, now))),
            ("mode", agent.mode.clone()),
            ("version", agent.version.clone()),
            ("pid", agent.pid.to_string()),
            ("first heartbeat", time(Some(agent.started_at))),
            ("last heartbeat", time(Some(agent.heartbeat_at))),
            ("refreshed", time(agent.refreshed_at)),
            ("destroyed", time(agent.destroyed_at)),
            ("system", format!("{}, {} {}", environment.ident, environment.os, environment.arch)),
            ("init", environment.init.clone()),
            ("address", environment.publicip.clone()),
            ("addresses", list(&environment.addresses)),
            ("modules", list(&environment.modules)),
            ("tags", agent.tags.to_string()),
        ];
        print(&rows.map(|(name, text)| format!("{name:16}{}\n", plain(&text))).concat())
    }
}
