// SPDX-License-Identifier: Apache-2.0
//! Commands and their results as MIG's JSON has them, and the statuses of actions and commands.

use crate::model::action::Action;
use crate::model::agent::Agent;
use crate::model::go_json::go_struct;
use crate::model::timestamp::Timestamp;
use serde_json::Value;

go_struct! {
    /// What one agent is told to do by one action, and what it answered.
    pub struct Command {
        /// Its id.
        id: i64 = "id",
        /// The whole signed action.
        action: Action = "action",
        /// The agent.
        agent: Agent = "agent",
        /// [`CommandStatus::word`].
        status: String = "status",
        /// One result for each operation, in their order.
        results: Option<Vec<OperationResult>> = "results",
        /// When it was made.
        starttime: Timestamp = "starttime",
        /// When it was answered or ended otherwise.
        finishtime: Timestamp = "finishtime",
    }
}

go_struct! {
    /// What one operation gave.
    pub struct OperationResult {
        /// It found what it looked for.
        foundanything: bool = "foundanything",
        /// It ran to its end.
        success: bool = "success",
        /// What it found, in the module's own form.
        elements: Value = "elements",
        /// How much it looked at, in the module's own form.
        statistics: Value = "statistics",
        /// What went wrong.
        errors: Option<Vec<String>> = "errors",
    }
}

/// Declares an enumeration whose variants are stored as numbers and shown as words.
macro_rules! statuses {
    ($(#[$about:meta])* pub enum $name:ident { $( $(#[$variant_about:meta])* $variant:ident = $code:literal $word:literal, )* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$variant_about])* $variant = $code, )*
        }

        impl $name {
            /// All of them, in the order in which they follow each other.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The number under which it is stored.
            pub fn code(self) -> i64 {
                self as i64
            }

            /// The status that is stored under a number.
            pub fn from_code(code: i64) -> Option<$name> {
                $name::ALL.iter().copied().find(|status| status.code() == code)
            }

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $( $name::$variant => $word, )*
                }
            }

            /// The status that a word means, in any case.
            pub fn from_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|status| status.word().eq_ignore_ascii_case(word))
            }
        }
    };
}

statuses! {
    /// Where an action stands.
    pub enum ActionStatus {
        /// Accepted, and not yet looked at.
        Pending = 1 "pending",
        /// It waits for its `validfrom`.
        Scheduled = 2 "scheduled",
        /// Its target is evaluated, its commands are made.
        Preparing = 3 "preparing",
        /// Agents have it.
        Inflight = 4 "inflight",
        /// Every command is over.
        Completed = 5 "completed",
        /// It cannot run; the reason is kept.
        Invalid = 6 "invalid",
        /// An investigator stopped it.
        Cancelled = 7 "cancelled",
    }
}

statuses! {
    /// Where a command stands.
    pub enum CommandStatus {
        /// It waits for its agent.
        Prepared = 1 "prepared",
        /// Its agent has fetched it.
        Sent = 2 "sent",
        /// Its modules ran to their end; each result says whether it could do what it was asked.
        Success = 3 "success",
        /// Its agent refused it, has no such module, or a module broke down.
        Failed = 4 "failed",
        /// A module took too long.
        Timeout = 5 "timeout",
        /// An investigator stopped its action.
        Cancelled = 6 "cancelled",
        /// Its action ended before an answer.
        Expired = 7 "expired",
    }
}

impl ActionStatus {
    /// True where nothing more happens to it.
    pub fn is_over(self) -> bool {
        matches!(self, ActionStatus::Completed | ActionStatus::Invalid | ActionStatus::Cancelled)
    }
}

impl CommandStatus {
    /// True where it waits for nothing more.
    pub fn is_over(self) -> bool {
        !matches!(self, CommandStatus::Prepared | CommandStatus::Sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_go_by_code_and_by_word() {
        for status in ActionStatus::ALL {
            assert_eq!(ActionStatus::from_code(status.code()), Some(*status));
            assert_eq!(ActionStatus::from_word(status.word()), Some(*status));
        }
        for status in CommandStatus::ALL {
            assert_eq!(CommandStatus::from_code(status.code()), Some(*status));
            assert_eq!(CommandStatus::from_word(status.word()), Some(*status));
        }
        assert_eq!(ActionStatus::from_code(0), None);
        assert_eq!(CommandStatus::from_word("done"), None);
    }
}
