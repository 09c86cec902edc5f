// SPDX-License-Identifier: Apache-2.0
//! Keeps the service manager patient: while the database opens, and while the server shows that it is alive.

use crate::error::{Error, Result};
use crate::ops::App;
use crate::stop::Stop;
use crate::systemd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often more time is asked for, and how much.
const EXTEND_EVERY: Duration = Duration::from_secs(10);
const EXTEND_BY: Duration = Duration::from_secs(60);

/// After a read that failed the next is tried so soon.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A thread that talks to the service manager until this is dropped.
pub struct Talker {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    /// Asks for more time to start, again and again: an upgrade of a large database takes minutes.
    pub fn extend_start() -> Result<Talker> {
        Talker::spawn("start-timeout", |stop| {
            loop {
                systemd::extend_timeout(EXTEND_BY);
                if stop.wait(EXTEND_EVERY) {
                    return;
                }
            }
        })
    }

    /// Feeds the watchdog, where one waits, after each successful read of the database. Not a write: a full disk must
    /// not become a loop of restarts.
    pub fn feed_watchdog(app: Arc<App>) -> Result<Option<Talker>> {
        let Some(interval) = systemd::watchdog_interval() else { return Ok(None) };
        let every = interval / 2;
        let talker = Talker::spawn("watchdog", move |stop| {
            loop {
                let pause = match app.store.prove_readable() {
                    Ok(()) => {
                        systemd::alive();
                        every
                    }
                    Err(error) => {
                        log::warn!("The watchdog is not fed: {}", error.with_causes());
                        RETRY_AFTER.min(every)
                    }
                };
                if stop.wait(pause) {
                    return;
                }
            }
        })?;
        Ok(Some(talker))
    }

    fn spawn(name: &str, body: impl FnOnce(&Stop) + Send + 'static) -> Result<Talker> {
        let stop = Stop::new();
        let seen = stop.clone();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(&seen))
            .map_err(|error| Error::internal(format!("Cannot start the thread {name}")).because(error))?;
        Ok(Talker { stop, thread: Some(thread) })
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("A thread that talks to the service manager panicked");
        }
    }
}
