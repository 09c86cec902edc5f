// SPDX-License-Identifier: Apache-2.0
//! Actions: the list `/actions`, one action `/actions/ID` with its commands, one command with all its results,
//! and `/actions/new`, where one is composed.
//!
//! Only a local viewer sees them.

pub mod command;
pub mod commands;
pub mod compose;
pub mod details;
pub mod list;
mod results;

pub use command::VIEW as COMMAND;
pub use compose::VIEW as NEW;
pub use details::VIEW as ACTION;
pub use list::VIEW;
pub use results::{Results, export_url};

use crate::store::fleet::ActionCounters;
use crate::views::text;
use maud::{Markup, html};

/// The address of an action's page.
pub fn action_url(id: i64) -> String {
    format!("{}/{id}", VIEW.path)
}

/// How many of an action's commands are over, as a bar with its text.
fn progress(counters: ActionCounters) -> Markup {
    let (done, total) = (counters.done(), counters.total());
    let said = format!("{} of {}", text::grouped(done), text::counted(total, "command", "commands"));
    html! {
        @if total == 0 {
            span.muted { "no commands" }
        } @else {
            span.progress {
                progress value=(done) max=(total) aria-label="Commands that are over" { (said) }
                span { (said) }
            }
        }
    }
}
