// SPDX-License-Identifier: Apache-2.0
//! Where agents, actions and commands stand, as words with a mark before them, so that colour is never the only sign.

use crate::model::agent::AgentStatus;
use crate::model::command::{ActionStatus, CommandStatus};
use maud::{Markup, html};

/// What a status means to who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// As it should be: a filled dot.
    Good,
    /// Something goes on: half a dot.
    Running,
    /// It waits: an empty dot.
    Waiting,
    /// Something went wrong: a cross.
    Bad,
    /// It is over and of no more interest: a dash.
    Off,
}

fn status(mood: Mood, word: &str) -> Markup {
    let class = match mood {
        Mood::Good => "status good",
        Mood::Running => "status running",
        Mood::Waiting => "status waiting",
        Mood::Bad => "status bad",
        Mood::Off => "status off",
    };
    html! { span class=(class) { (word) } }
}

/// An agent's.
pub fn agent(of: AgentStatus) -> Markup {
    let mood = match of {
        AgentStatus::Online => Mood::Good,
        AgentStatus::Idle => Mood::Running,
        AgentStatus::Offline => Mood::Waiting,
        AgentStatus::Destroyed => Mood::Off,
    };
    status(mood, of.word())
}

/// An action's.
pub fn action(of: ActionStatus) -> Markup {
    let mood = match of {
        ActionStatus::Pending | ActionStatus::Scheduled => Mood::Waiting,
        ActionStatus::Preparing | ActionStatus::Inflight => Mood::Running,
        ActionStatus::Completed => Mood::Good,
        ActionStatus::Invalid => Mood::Bad,
        ActionStatus::Cancelled => Mood::Off,
    };
    status(mood, of.word())
}

/// A command's.
pub fn command(of: CommandStatus) -> Markup {
    let mood = match of {
        CommandStatus::Prepared => Mood::Waiting,
        CommandStatus::Sent => Mood::Running,
        CommandStatus::Success => Mood::Good,
        CommandStatus::Failed | CommandStatus::Timeout => Mood::Bad,
        CommandStatus::Cancelled | CommandStatus::Expired => Mood::Off,
    };
    status(mood, of.word())
}
