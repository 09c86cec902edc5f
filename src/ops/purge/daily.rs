// SPDX-License-Identifier: Apache-2.0
//! The thread that purges: once a day at `retention.at`, later where the machine was off then, and for the size of the
//! database every few minutes. A thread of its own, because the first purge of a large file takes minutes.

use super::{LOCK_NAME, Mode, Purged, purge, size};
use crate::error::{Error, Kind, Result};
use crate::model::audit::Actor;
use crate::model::retention::{clock_doubted_at, last_due};
use crate::ops::App;
use crate::ops::recompute::Wake;
use crate::store::Lock;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From the start of the program to the first look, so that a start is not slowed down, and whoever changed a setting
/// the wrong way has time to stop it.
const FIRST_AFTER: Duration = Duration::from_secs(5 * 60);
/// How often it looks whether a purge is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long it waits after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10 * 60);
/// How often it looks at the size of the database.
const SIZE_EVERY: Duration = Duration::from_secs(10 * 60);
/// The names of both among the jobs.
const DAILY_JOB: &str = "remove what is too old";
const SIZE_JOB: &str = "keep the database small";

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Purging {
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Purging {
    /// Starts it.
    pub fn start(app: Arc<App>) -> Result<Purging> {
        Purging::start_after(app, FIRST_AFTER)
    }

    /// Starts it with its first purge no earlier than after so long.
    pub fn start_after(app: Arc<App>, first_after: Duration) -> Result<Purging> {
        let wake = Wake::default();
        let seen = wake.clone();
        let thread = std::thread::Builder::new()
            .name("purge".into())
            .spawn(move || run(&app, &seen, first_after))
            .map_err(|error| Error::internal("Cannot start the thread of retention").because(error))?;
        Ok(Purging { wake, thread: Some(thread) })
    }

    /// Ends it after the running step.
    pub fn stop(&mut self) {
        self.wake.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The thread of retention panicked");
        }
    }
}

impl Drop for Purging {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App, wake: &Wake, first_after: Duration) {
    // Before the first records come in, which would be proof of a clock that is wrong.
    if let Err(error) = is_clock_doubted(app) {
        log::warn!("Cannot compare the clock with the last purge: {}", error.with_causes());
    }
    let mut pause = first_after;
    let mut size_at: Option<Instant> = None;
    while wake.wait(pause) {
        pause = LOOK_EVERY;
        if purge_if_due(app, wake).is_err_and(|error| told(&error, wake)) {
            pause = RETRY_AFTER;
        }
        if size_at.is_none_or(|at| at.elapsed() >= SIZE_EVERY) {
            size_at = Some(Instant::now());
            let began = Instant::now();
            let outcome = keep_size(app, wake);
            app.counters.note_job(SIZE_JOB, &outcome, app.clock.now(), began.elapsed());
            let _ = outcome.is_err_and(|error| told(&error, wake));
        }
    }
}

/// Tells of an error; true where it is a failure, which is not tried again at once.
fn told(error: &Error, wake: &Wake) -> bool {
    match error.kind() {
        _ if wake.is_stopped() => false,
        Kind::Busy => {
            log::info!("Purge put off: {}", error.with_causes());
            false
        }
        _ => {
            log::error!("The purge failed: {}", error.with_causes());
            true
        }
    }
}

fn purge_if_due(app: &App, wake: &Wake) -> Result<()> {
    let now = app.clock.now();
    let due = last_due(now, app.clock.local_offset_secs(), app.config.retention.at_minute);
    // One that a wrong clock noted in the future says nothing.
    if app.store.purged_at()?.is_some_and(|at| (due..=now).contains(&at)) || is_clock_doubted(app)? {
        return Ok(());
    }
    let began = Instant::now();
    let actor = Actor::job("retention");
    let outcome = purge(app, &actor, Mode::Apply, &mut |_, _, _| !wake.is_stopped());
    let outcome = outcome.map(|purged| tell(&purged, began.elapsed()));
    app.counters.note_job(DAILY_JOB, &outcome, app.clock.now(), began.elapsed());
    outcome
}

/// True where the clock is so far ahead that the purge waits for a day; that is told once.
fn is_clock_doubted(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let until_now = |at: Option<i64>| at.filter(|at| *at <= now);
    let known = match until_now(app.store.purged_at()?) {
        Some(at) => Some(at),
        None => until_now(app.store.newest_received_at()?),
    };
    let before = app.store.clock_doubted_at()?;
    let doubted_at = clock_doubted_at(now, known, before);
    if let Some(at) = doubted_at
        && doubted_at != before
    {
        app.store.set_clock_doubted_at(at)?;
        log::warn!(
            "The clock is more than 30 days ahead of the last purge; nothing is removed for its age until it has gone on \
             for a day, or `muster purge` is run"
        );
    }
    Ok(doubted_at.is_some())
}

fn tell(purged: &Purged, took: Duration) {
    let records: u64 = purged.records.iter().map(|(_, n)| n).sum();
    log::info!(
        "Purged {} records, {} actions, {} commands and {} agents in {} s",
        records + purged.for_size,
        purged.fleet.actions,
        purged.fleet.commands,
        purged.fleet.agents,
        took.as_secs()
    );
}

fn keep_size(app: &App, wake: &Wake) -> Result<()> {
    if app.config.retention.database_bytes_max == 0 {
        return Ok(());
    }
    let _lock = Lock::take_named(&app.config.data_dir, LOCK_NAME, "retention")?;
    let _room = app.store.lend_ballast();
    let actor = Actor::job("retention");
    let removed = size::enforce(app, &actor, &mut |_, _, _| !wake.is_stopped())?.records;
    if removed > 0 {
        log::info!("Removed {removed} records for the size of the database");
        app.store.tidy(|| !wake.is_stopped())?;
    }
    Ok(())
}
