// SPDX-License-Identifier: Apache-2.0
//! The scheduler: pending actions become commands, ended ones are completed.

use crate::ops::recompute::Wake;

/// Wakes what moves actions and commands on.
#[derive(Debug, Default)]
pub struct Dispatch {
    scheduler: Wake,
}

impl Dispatch {
    /// Lets the scheduler look at once: an action was submitted or cancelled.
    pub fn wake_scheduler(&self) {
        self.scheduler.wake();
    }
}
