// SPDX-License-Identifier: Apache-2.0
//! The thread that purges: once a day at `retention.at`, later where the machine was off then, and for the size of the
//! database every few minutes. A thread of its own, because the first purge of a large file takes minutes.

use super::{LOCK_NAME, Mode, Purged, purge, size};
use crate::error::{Error, Kind, Result};
use crate::model::audit::Actor;
use crate::model::retention::last_due;
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
/// How often it looks at the size of the database.
const SIZE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Purging {
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Purging {
    /// Starts it.
    pub fn start(app: Arc<App>) -> Result<Purging> {
        let wake = Wake::default();
        let seen = wake.clone();
        let thread = std::thread::Builder::new()
            .name("purge".into())
            .spawn(move || run(&app, &seen))
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

fn run(app: &App, wake: &Wake) {
    let mut pause = FIRST_AFTER;
    let mut size_at: Option<Instant> = None;
    while wake.wait(pause) {
        pause = LOOK_EVERY;
        let mut outcome = purge_if_due(app, wake);
        if size_at.is_none_or(|at| at.elapsed() >= SIZE_EVERY) {
            outcome = outcome.and_then(|()| keep_size(app, wake));
            size_at = Some(Instant::now());
        }
        match outcome {
            Ok(()) => {}
            Err(_) if wake.is_stopped() => return,
            Err(error) if error.kind() == Kind::Busy => log::info!("Purge put off: {}", error.with_causes()),
            Err(error) => log::error!("The purge failed: {}", error.with_causes()),
        }
    }
}

fn purge_if_due(app: &App, wake: &Wake) -> Result<()> {
    let due = last_due(app.clock.now(), app.clock.local_offset_secs(), app.config.retention.at_minute);
    if app.store.purged_at()?.is_some_and(|at| at >= due) {
        return Ok(());
    }
    let began = Instant::now();
    let purged = purge(app, &Actor::job("retention"), Mode::Apply, &mut |_, _, _| !wake.is_stopped())?;
    tell(&purged, began.elapsed());
    Ok(())
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
    let actor = Actor::job("retention");
    let (removed, _) = size::enforce(app, &actor, &mut |_, _, _| !wake.is_stopped())?;
    if removed > 0 {
        log::info!("Removed {removed} records for the size of the database");
        app.store.tidy(|| !wake.is_stopped())?;
    }
    Ok(())
}
