// SPDX-License-Identifier: Apache-2.0
//! What the service manager is told, see sd_notify(3). Without one (no `NOTIFY_SOCKET`) all of this does nothing.

use sd_notify::NotifyState;
use std::time::Duration;

/// The service is up.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// What it is doing, as `systemctl status` shows it.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(&one_line(status))]);
}

/// It begins to stop.
pub fn stopping(status: &str) {
    notify(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
}

/// It is alive; to be said within every [`watchdog_interval`].
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// What it is at (starting, stopping) will take at least `more` from now.
pub fn extend_timeout(more: Duration) {
    notify(&[NotifyState::ExtendTimeoutUsec(u32::try_from(more.as_micros()).unwrap_or(u32::MAX))]);
}

/// The interval of `WatchdogSec=`; none where no watchdog waits for this process.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("Cannot notify the service manager: {error}");
    }
}

/// A line end would begin another message.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
