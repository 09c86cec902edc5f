// SPDX-License-Identifier: Apache-2.0
//! The thread that lets the guilties of stored crashes follow a changed blacklist, step by step.
//!
//! It looks at its start, when it is woken, and every minute, because a command of another process may have changed the
//! list. Posts and pages come in between its steps; what it did survives a restart.

use crate::error::{Error, Result};
use crate::ops::App;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long it waits after a failure, a full disk for one.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Wakes and stops the thread.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<(Mutex<Wanted>, Condvar)>);

#[derive(Debug, Default)]
struct Wanted {
    look: bool,
    stop: bool,
}

impl Wake {
    /// Lets the thread look for work at once.
    pub fn wake(&self) {
        self.want(|wanted| wanted.look = true);
    }

    /// Ends the thread's next wait for good.
    pub fn stop(&self) {
        self.want(|wanted| wanted.stop = true);
    }

    fn want(&self, set: impl FnOnce(&mut Wanted)) {
        set(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    /// Waits until it is woken or `most` has passed; false where it is to stop.
    pub(crate) fn wait(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut wanted = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !wanted.stop && !wanted.look {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            wanted = self.0.1.wait_timeout(wanted, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        wanted.look = false;
        !wanted.stop
    }

    /// True once it is to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).stop
    }
}

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Recomputing {
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Recomputing {
    /// Starts it.
    pub fn start(app: Arc<App>) -> Result<Recomputing> {
        let wake = app.recompute.clone();
        let thread = std::thread::Builder::new().name("recompute".into()).spawn(move || run(&app)).map_err(
            |error| Error::internal("Cannot start the thread that follows the blacklist").because(error),
        )?;
        Ok(Recomputing { wake, thread: Some(thread) })
    }

    /// Ends it after the running step.
    pub fn stop(&mut self) {
        self.wake.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The thread that follows the blacklist panicked");
        }
    }
}

impl Drop for Recomputing {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App) {
    let mut began = None;
    loop {
        let step_began = Instant::now();
        let pause = match app.store.recompute_step() {
            Ok(true) => {
                began.get_or_insert_with(|| {
                    log::info!("The blacklist has changed; the guilties of stored crashes follow");
                    Instant::now()
                });
                // Half of the writer's time is for posts.
                step_began.elapsed()
            }
            Ok(false) => {
                if let Some(began) = began.take() {
                    log::info!(
                        "All stored crashes follow the blacklist after {} ms",
                        began.elapsed().as_millis()
                    );
                }
                LOOK_EVERY
            }
            // While the server stops, the writer refuses: nothing to tell.
            Err(_) if app.recompute.is_stopped() => return,
            Err(error) => {
                log::warn!("The guilties cannot follow the blacklist for now: {}", error.with_causes());
                RETRY_AFTER
            }
        };
        if !app.recompute.wait(pause) {
            return;
        }
    }
}
