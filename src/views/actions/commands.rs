// SPDX-License-Identifier: Apache-2.0
//! The commands of an action: how many stand where, and a page of them with what their agents found.

use super::{Results, action_url};
use crate::error::{Error, Result};
use crate::model::command::CommandStatus;
use crate::model::filter::bounded;
use crate::model::pairs::Pairs;
use crate::ops::App;
use crate::store::fleet::{ActionRow, CommandQuery, CommandRow};
use crate::views::parts::time_ago;
use crate::views::switch::{Choice, switch};
use crate::views::{fleet, links, status, text};
use maud::{Markup, html};
use std::collections::HashMap;

/// Commands on a page.
pub const ROWS_MAX: usize = 25;
/// How far one can page; an action has no more commands than there are agents.
const OFFSET_MAX: i64 = 10_000_000;
/// Bytes of results that are read for a list; longer ones are on the command's own page.
pub const RESULTS_BYTES_MAX: usize = 64 * 1024;
/// Items of one operation that the list shows.
const ITEMS_MAX: usize = 20;

/// Which commands are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Only those of this status.
    pub status: Option<CommandStatus>,
    /// Only those that found something (true) or did not.
    pub has_found: Option<bool>,
    /// So many stand on the pages before.
    pub offset: i64,
}

impl Asking {
    /// Reads `status`, `found` and `offset`; Invalid where one is none.
    pub fn read(query: &Pairs) -> Result<Asking> {
        let status = query.filled("status").map(|word| {
            let words: Vec<&str> = CommandStatus::ALL.iter().map(|status| status.word()).collect();
            CommandStatus::from_word(word)
                .ok_or_else(|| Error::invalid(format!("status must be one of {}", words.join(", "))))
        });
        let has_found = query.filled("found").map(|word| match word {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(Error::invalid("found must be yes or no")),
        });
        let offset = query.filled("offset").map(|value| bounded("offset", value, 0, OFFSET_MAX));
        Ok(Asking {
            status: status.transpose()?,
            has_found: has_found.transpose()?,
            offset: offset.transpose()?.unwrap_or(0),
        })
    }

    /// True for the page that opens without any choice.
    pub fn is_first(&self) -> bool {
        *self == Asking::default()
    }

    fn link(self, action_id: i64) -> String {
        let offset = (self.offset > 0).then(|| self.offset.to_string());
        let found = self.has_found.map(|found| ("found", if found { "yes" } else { "no" }));
        let status = self.status.map(|status| ("status", status.word()));
        let offset = offset.as_deref().map(|offset| ("offset", offset));
        links::link(&action_url(action_id), status.into_iter().chain(found).chain(offset)) + "#commands"
    }
}

/// A page of commands.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// What was asked for.
    pub asking: Asking,
    /// Those that found something first.
    pub commands: Vec<Shown>,
    /// True where another page follows.
    pub has_more: bool,
}

/// A command as a page shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The command, without its results.
    pub row: CommandRow,
    /// The name of its agent; none where there is no such agent any more.
    pub agent_name: Option<String>,
    /// What its agent answered.
    pub results: Results,
}

/// The commands of a page.
pub fn load(app: &App, action: &ActionRow, asking: Asking) -> Result<Listed> {
    let query = CommandQuery {
        action_id: action.id,
        status: asking.status,
        has_found: asking.has_found,
        offset: asking.offset,
        rows_max: ROWS_MAX as i64 + 1,
    };
    let mut ids = app.store.command_ids_of_action(&query)?;
    let has_more = ids.len() > ROWS_MAX;
    ids.truncate(ROWS_MAX);
    let mut commands = Vec::with_capacity(ids.len());
    for id in ids {
        // One by one, because each may have megabytes of results.
        let Some(mut row) = app.store.command(id)? else { continue };
        let results = Results::read(row.results.take(), RESULTS_BYTES_MAX);
        commands.push(Shown { row, agent_name: None, results });
    }
    name_agents(app, &mut commands)?;
    Ok(Listed { asking, commands, has_more })
}

/// Fills in the names of agents.
pub fn name_agents(app: &App, commands: &mut [Shown]) -> Result<()> {
    let ids: Vec<i64> = commands.iter().map(|command| command.row.agent_id).collect();
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let agents = app.store.agents(&ids, thresholds)?;
    let names: HashMap<i64, String> = agents.into_iter().map(|agent| (agent.id, agent.name)).collect();
    for command in commands {
        command.agent_name = names.get(&command.row.agent_id).cloned();
    }
    Ok(())
}

/// How many commands stand where; each number leads to them.
pub fn counters(action: &ActionRow, asking: &Asking) -> Markup {
    let counted = action.counters;
    let all = [
        (CommandStatus::Prepared, counted.prepared),
        (CommandStatus::Sent, counted.sent),
        (CommandStatus::Success, counted.success),
        (CommandStatus::Failed, counted.failed),
        (CommandStatus::Timeout, counted.timeout),
        (CommandStatus::Cancelled, counted.cancelled),
        (CommandStatus::Expired, counted.expired),
    ];
    html! {
        @if counted.total() > 0 {
            ul.counters aria-label="Commands by status" {
                @for (of, count) in all {
                    li {
                        @let content = html! { (status::command(of)) " " strong { (text::grouped(count)) } };
                        @if count == 0 {
                            span { (content) }
                        } @else {
                            a href=(Asking { status: Some(of), ..Asking::default() }.link(action.id))
                                aria-current=[(asking.status == Some(of)).then_some("true")] { (content) }
                        }
                    }
                }
            }
        }
    }
}

/// The list.
pub fn render(action: &ActionRow, listed: &Listed, now: i64) -> Markup {
    html! {
        section.panel #commands {
            h2 { "Commands" }
            @if action.counters.total() == 0 {
                p.nothing {
                    @match action.status.is_over() {
                        true => "It never had any.",
                        false => "None is made yet.",
                    }
                }
            } @else {
                (choices(action, &listed.asking))
                @if listed.commands.is_empty() { p.nothing { "There are none of this kind." } }
                ul.commands { @for command in &listed.commands { (item(command, now)) } }
                (pager(action, listed))
            }
        }
    }
}

fn choices(action: &ActionRow, asking: &Asking) -> Markup {
    let of_status = |status: Option<CommandStatus>| Choice {
        label: status.map_or("any", CommandStatus::word).to_owned(),
        count: None,
        link: Asking { status, offset: 0, ..*asking }.link(action.id),
        is_chosen: status == asking.status,
    };
    let of_found = |has_found: Option<bool>, label: &str| Choice {
        label: label.to_owned(),
        count: None,
        link: Asking { has_found, offset: 0, ..*asking }.link(action.id),
        is_chosen: has_found == asking.has_found,
    };
    let statuses: Vec<Choice> =
        std::iter::once(None).chain(CommandStatus::ALL.iter().copied().map(Some)).map(of_status).collect();
    let found = [of_found(None, "any"), of_found(Some(true), "something"), of_found(Some(false), "nothing")];
    html! { div.switches { (switch("Status", &statuses)) (switch("Found", &found)) } }
}

fn item(command: &Shown, now: i64) -> Markup {
    html! {
        li id={ "command-" (command.row.id) } {
            (headline(command, now))
            (command.results.brief(ITEMS_MAX, &command_url(&command.row)))
        }
    }
}

/// The address of a command's own page.
pub fn command_url(row: &CommandRow) -> String {
    format!("{}/commands/{}", action_url(row.action_id), row.id)
}

/// Agent, status, what was found, when.
fn headline(command: &Shown, now: i64) -> Markup {
    let row = &command.row;
    html! {
        div.headline {
            (agent(command))
            (status::command(row.status))
            @if row.has_found() { span.tag.found { "found something" } }
            @if row.is_late { span.tag { "answered late" } }
            @if row.attempt > 1 { span.tag { "fetched " (row.attempt) " times" } }
            span.muted {
                @match row.finished_at.or(row.sent_at) { Some(at) => (time_ago(at, now)), None => (time_ago(row.prepared_at, now)) }
            }
            a.own href=(command_url(row)) { "Command " (row.id) }
        }
    }
}

/// The agent, with a link to its page.
pub fn agent(command: &Shown) -> Markup {
    html! {
        @match &command.agent_name {
            Some(name) => a.agent href=(fleet::agent_url(command.row.agent_id)) { bdi { (text::start(name, 100)) } },
            None => span.muted { "agent " (command.row.agent_id) },
        }
    }
}

fn pager(action: &ActionRow, listed: &Listed) -> Markup {
    let at = |offset: i64| Asking { offset, ..listed.asking }.link(action.id);
    let rows_max = ROWS_MAX as i64;
    html! {
        div.pager {
            @if listed.asking.offset > 0 {
                a.button rel="prev" href=(at((listed.asking.offset - rows_max).max(0))) { "← Before" }
            }
            @if listed.has_more {
                a.button rel="next" href=(at(listed.asking.offset + rows_max)) { "Next →" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_linked() {
        let pairs = |text: &[(&str, &str)]| {
            Pairs(text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let asking =
            Asking::read(&pairs(&[("status", "Failed"), ("found", "no"), ("offset", "50")])).unwrap();
        assert_eq!(asking.link(7), "/actions/7?status=failed&found=no&offset=50#commands");
        assert_eq!(Asking::default().link(7), "/actions/7#commands");
        assert!(Asking::read(&pairs(&[])).unwrap().is_first());
        for bad in [("status", "done"), ("found", "true"), ("offset", "-1"), ("offset", "x")] {
            assert!(Asking::read(&pairs(&[bad])).is_err(), "{bad:?}");
        }
    }
}
