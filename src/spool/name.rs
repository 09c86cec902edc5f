// SPDX-License-Identifier: Apache-2.0
//! What files of the spool are called and where they lie.

use crate::model::command::{ActionStatus, CommandStatus};
use std::fmt;

/// A directory of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Pending and scheduled actions, and what people drop in.
    ActionNew,
    /// Actions that agents have.
    ActionInflight,
    /// Completed and cancelled actions.
    ActionDone,
    /// Actions that cannot run, and what was dropped in and refused.
    ActionInvalid,
    /// Commands that wait for their agent.
    CommandReady,
    /// Commands that agents have.
    CommandInflight,
    /// Commands that were answered and are not yet counted.
    CommandReturned,
    /// Commands that are over.
    CommandDone,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 8] = [
        Place::ActionNew,
        Place::ActionInflight,
        Place::ActionDone,
        Place::ActionInvalid,
        Place::CommandReady,
        Place::CommandInflight,
        Place::CommandReturned,
        Place::CommandDone,
    ];

    /// The directory, from that of the spool.
    pub fn path(self) -> &'static str {
        match self {
            Place::ActionNew => "action/new",
            Place::ActionInflight => "action/inflight",
            Place::ActionDone => "action/done",
            Place::ActionInvalid => "action/invalid",
            Place::CommandReady => "command/ready",
            Place::CommandInflight => "command/inflight",
            Place::CommandReturned => "command/returned",
            Place::CommandDone => "command/done",
        }
    }

    /// Where an action of a status lies.
    pub fn of_action(status: ActionStatus) -> Place {
        match status {
            ActionStatus::Pending | ActionStatus::Scheduled => Place::ActionNew,
            ActionStatus::Preparing | ActionStatus::Inflight => Place::ActionInflight,
            ActionStatus::Completed | ActionStatus::Cancelled => Place::ActionDone,
            ActionStatus::Invalid => Place::ActionInvalid,
        }
    }

    /// Where a command of a status lies.
    pub fn of_command(status: CommandStatus) -> Place {
        match status {
            CommandStatus::Prepared => Place::CommandReady,
            CommandStatus::Sent => Place::CommandInflight,
            _ => Place::CommandDone,
        }
    }

    /// True for the places of actions.
    pub fn is_of_actions(self) -> bool {
        self < Place::CommandReady
    }
}

/// What a file of ours is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// `ID.json`
    Action(i64),
    /// `ACTIONID-COMMANDID.json`
    Command {
        /// Its action.
        action_id: i64,
        /// The command.
        id: i64,
    },
}

impl Name {
    /// The command's id; none for the file of an action.
    pub fn command_id(self) -> Option<i64> {
        match self {
            Name::Action(_) => None,
            Name::Command { id, .. } => Some(id),
        }
    }

    /// The name that a text is; none for a text that we would not have written.
    pub fn parse(text: &str) -> Option<Name> {
        let ids = text.strip_suffix(".json")?;
        match ids.split_once('-') {
            Some((action_id, id)) => {
                Some(Name::Command { action_id: parse_id(action_id)?, id: parse_id(id)? })
            }
            None => Some(Name::Action(parse_id(ids)?)),
        }
    }
}

fn parse_id(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Action(id) => write!(f, "{id}.json"),
            Name::Command { action_id, id } => write!(f, "{action_id}-{id}.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_read() {
        let command = Name::Command { action_id: 12, id: 345 };
        let cases = [
            ("7.json", Some(Name::Action(7))),
            ("12-345.json", Some(command)),
            ("07.json", None),
            ("0.json", None),
            ("-7.json", None),
            ("7-.json", None),
            ("7-8-9.json", None),
            ("+7.json", None),
            ("7.json.reason", None),
            ("7.JSON", None),
            ("99999999999999999999.json", None),
            ("drop.json", None),
        ];
        for (text, expected) in cases {
            let parsed = Name::parse(text);
            assert_eq!(parsed, expected, "{text}");
            if let Some(name) = parsed {
                assert_eq!(name.to_string(), text);
            }
        }
    }
}
