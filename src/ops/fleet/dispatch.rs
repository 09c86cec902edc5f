// SPDX-License-Identifier: Apache-2.0
//! The scheduler: pending actions become commands, ended ones are completed.
//!
//! ```text
//! pending -> scheduled -> preparing -> inflight -> completed         a thread looks twice a second, and when woken
//!                └ its validfrom   └ a command for each agent
//!      └────────────┴──────────┴> invalid, with the reason
//! ```

mod ending;
mod polls;
mod prepare;

pub use polls::{Polls, Waiting, Woken};

use crate::error::{Error, Kind, Result};
use crate::ops::App;
use crate::ops::fleet::commands::{Courier, LargeAnswers};
use crate::ops::fleet::spooling::{self, Depth, Drops, Mode};
use crate::ops::fleet::{cancel, spooling::after_cancel};
use crate::ops::recompute::Wake;
use crate::spool::Place;
use crate::store::fleet::DueAction;
use prepare::Tries;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the scheduler looks without being woken: files are dropped in, times come.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it waits after a failure, a full disk for one.
const RETRY_AFTER: Duration = Duration::from_secs(3);
/// Actions of one look; the others are next.
const ACTIONS_PER_LOOK: usize = 100;
/// How often old files are removed, and cut off work of others is finished.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Files that one tidying removes from each place.
const FILES_PER_TIDYING: usize = 2_000;

/// Cancelled actions that wait for the scheduler; with more it compares the whole spool.
const CANCELLED_MAX: usize = 1_000;

/// Wakes what moves actions and commands on.
#[derive(Debug, Default)]
pub struct Dispatch {
    scheduler: Wake,
    wants_comparison: AtomicBool,
    /// Cancelled actions whose files do not follow yet.
    cancelled: Mutex<Vec<i64>>,
    /// The agents that wait for commands.
    pub polls: Polls,
    /// Gives commands out and takes answers in.
    pub courier: Courier,
    /// The large answers that are on their way.
    pub large_answers: LargeAnswers,
}

impl Dispatch {
    /// Lets the scheduler look at once: an action was submitted, answered or cancelled.
    pub fn wake_scheduler(&self) {
        self.scheduler.wake();
    }

    /// Lets the scheduler move the files of an action that was cancelled: those of ten thousand commands take a while.
    pub fn follow_cancelled(&self, id: i64) {
        let mut ids = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        match ids.len() < CANCELLED_MAX {
            true => ids.push(id),
            false => self.ask_for_comparison(),
        }
        drop(ids);
        self.wake_scheduler();
    }

    /// Busy once the server is to stop: long work ends between two steps and goes on at the next start.
    pub fn refuse_when_stopping(&self) -> Result<()> {
        match self.scheduler.is_stopped() {
            true => Err(Error::busy("The server is stopping")),
            false => Ok(()),
        }
    }

    /// Lets the scheduler compare the spool with the database soon: a file could not be removed or moved.
    pub fn ask_for_comparison(&self) {
        self.wants_comparison.store(true, Ordering::Relaxed);
    }
}

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Scheduling {
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Scheduling {
    /// Starts it. What an earlier run left half done is resolved first, on the thread.
    pub fn start(app: Arc<App>) -> Result<Scheduling> {
        let wake = app.dispatch.scheduler.clone();
        let thread = std::thread::Builder::new()
            .name("scheduler".into())
            .spawn(move || Scheduler::new(&app).run())
            .map_err(|error| Error::internal("Cannot start the thread of the scheduler").because(error))?;
        Ok(Scheduling { wake, thread: Some(thread) })
    }

    /// Ends it after the running step.
    pub fn stop(&mut self) {
        self.wake.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The scheduler panicked");
        }
    }
}

impl Drop for Scheduling {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Scheduler<'a> {
    app: &'a App,
    drops: Drops,
    tries: Tries,
    is_compared: bool,
    tidied: Option<Instant>,
}

impl Scheduler<'_> {
    fn new(app: &App) -> Scheduler<'_> {
        Scheduler { app, drops: Drops::default(), tries: Tries::default(), is_compared: false, tidied: None }
    }

    fn run(mut self) {
        let mut is_failing = false;
        loop {
            let pause = match self.look() {
                Ok(()) => {
                    is_failing = false;
                    LOOK_EVERY
                }
                // While the server stops, the writer refuses: nothing to tell.
                Err(_) if self.is_stopped() => return,
                Err(error) => {
                    if !is_failing {
                        log::warn!("Actions do not move on for now: {}", error.with_causes());
                    }
                    is_failing = true;
                    RETRY_AFTER
                }
            };
            if !self.app.dispatch.scheduler.wait(pause) {
                return;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.app.dispatch.scheduler.is_stopped()
    }

    fn look(&mut self) -> Result<()> {
        self.compare()?;
        self.tidy()?;
        self.follow_cancelled()?;
        let mut outcome = self.drops.look(self.app);
        for due in self.app.store.due_actions(self.app.clock.now(), ACTIONS_PER_LOOK)? {
            if self.is_stopped() {
                break;
            }
            // One action that cannot be moved on does not hold the others up.
            if let Err(error) = self.move_on(due) {
                if error.kind() != Kind::Busy {
                    log::error!("Action {} does not move on: {}", due.id, error.with_causes());
                }
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    fn move_on(&mut self, due: DueAction) -> Result<()> {
        use crate::model::command::ActionStatus::{Inflight, Preparing};
        let now = self.app.clock.now();
        let is_expired = due.expire_after <= now;
        match due.status {
            Inflight if due.n_open == 0 => ending::complete(self.app, due.id, now),
            Inflight if is_expired => ending::expire(self.app, due.id, now),
            Preparing if is_expired && due.n_commands > 0 => prepare::finish(self.app, due.id, now),
            _ if is_expired => ending::refuse(self.app, due.id, "expired before it could run", now),
            Preparing => prepare::prepare(self.app, due.id, &mut self.tries, now),
            _ if due.valid_from > now => prepare::schedule(self.app, due.id, now),
            _ => prepare::begin(self.app, due.id, &mut self.tries, now),
        }
    }

    /// Resolves what an earlier run, or a failure of this one, left half done.
    fn compare(&mut self) -> Result<()> {
        let is_wanted = self.app.dispatch.wants_comparison.swap(false, Ordering::Relaxed);
        if self.is_compared && !is_wanted {
            return Ok(());
        }
        self.is_compared = false;
        self.app.spool.make()?;
        self.finish_cancelling()?;
        match spooling::reconcile(self.app, Mode::Mend, Depth::Places) {
            Ok(found) if found.n_all > 0 => {
                log::info!("The spool follows the database again; {}", found.summary());
            }
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Busy => return Err(error),
            // One row that cannot be read must not hold up all actions.
            Err(error) => log::error!("The spool is not compared to its end: {}", error.with_causes()),
        }
        self.is_compared = true;
        Ok(())
    }

    /// Whoever cancelled may have been cut off before the commands and files followed.
    fn finish_cancelling(&self) -> Result<()> {
        for id in self.app.store.half_cancelled_actions()? {
            cancel::finish(self.app, id)?;
            after_cancel(self.app, id)?;
        }
        Ok(())
    }

    fn follow_cancelled(&self) -> Result<()> {
        let dispatch = &self.app.dispatch;
        let ids = std::mem::take(&mut *dispatch.cancelled.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ids {
            if let Err(error) = after_cancel(self.app, id) {
                dispatch.ask_for_comparison();
                return Err(error);
            }
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<()> {
        if self.tidied.is_some_and(|tidied| tidied.elapsed() < TIDY_EVERY) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        if self.is_compared {
            self.finish_cancelling()?;
        }
        let now = self.app.clock.now();
        let before = now - self.app.config.fleet.spool_keep_hours * 3_600;
        let mut removed = self.app.spool.clean_temporary(now)?;
        for place in [Place::ActionDone, Place::ActionInvalid, Place::CommandDone] {
            removed += self.app.spool.clean(place, before, FILES_PER_TIDYING)?;
        }
        if removed > 0 {
            log::debug!("Removed {removed} old files of the spool");
        }
        Ok(())
    }
}
