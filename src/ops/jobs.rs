// SPDX-License-Identifier: Apache-2.0
//! What runs by itself at intervals, on one thread. Adding a job is one row in `JOBS`.

use crate::error::{Error, Kind, Result};
use crate::model::time::DAY_SECS;
use crate::ops::App;
use crate::ops::fleet::statistics;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Re-sent records are known for this long.
const RECENT_SECS: i64 = DAY_SECS;

/// A job.
struct Job {
    name: &'static str,
    /// From the start of the program to its first run.
    first_after: Duration,
    every: Duration,
    run: fn(&App) -> Result<()>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const JOBS: &[Job] = &[
    Job { name: "hold the ballast", first_after: MINUTE, every: MINUTE, run: hold_ballast },
    Job { name: "forget old re-send marks", first_after: MINUTE, every: HOUR, run: forget_recent },
    Job {
        name: "fold old heartbeats",
        first_after: MINUTE,
        every: Duration::from_secs(6 * 3_600),
        run: fold_heartbeats,
    },
    Job { name: "take the fleet's numbers", first_after: MINUTE, every: MINUTE, run: statistics::take },
    Job {
        name: "warn of double agents",
        first_after: MINUTE,
        every: MINUTE,
        run: statistics::warn_of_doubles,
    },
    Job { name: "remove ended sessions", first_after: MINUTE, every: HOUR, run: remove_ended },
    Job { name: "thin out the fleet's numbers", first_after: MINUTE, every: HOUR, run: statistics::thin },
    Job { name: "sweep what agents shared", first_after: HOUR, every: HOUR, run: sweep_shared },
    Job { name: "tidy the database", first_after: HOUR, every: Duration::from_secs(24 * 3_600), run: tidy },
    Job { name: "check the database", first_after: HOUR, every: Duration::from_secs(24 * 3_600), run: check },
];

fn hold_ballast(app: &App) -> Result<()> {
    app.store.hold_ballast();
    Ok(())
}

fn forget_recent(app: &App) -> Result<()> {
    let forgotten = app.store.delete_recent_records_before(app.clock.now() - RECENT_SECS)?;
    if forgotten > 0 {
        log::debug!("Forgot {forgotten} marks of records older than a day");
    }
    Ok(())
}

fn remove_ended(app: &App) -> Result<()> {
    let removed = app.store.delete_ended_sessions(app.clock.now())?;
    if removed > 0 {
        log::debug!("Removed {removed} sessions and API tokens that had ended");
    }
    Ok(())
}

fn fold_heartbeats(app: &App) -> Result<()> {
    let folded = app.store.fold_heartbeats(app.clock.now().div_euclid(DAY_SECS))?;
    if folded > 0 {
        log::debug!("Folded {folded} days of heartbeats that no span shows any more");
    }
    Ok(())
}

fn sweep_shared(app: &App) -> Result<()> {
    let removed = app.store.sweep_shared()?;
    if removed > 0 {
        log::debug!("Removed {removed} names, versions, environments and tags that no agent has any more");
    }
    Ok(())
}

fn tidy(app: &App) -> Result<()> {
    app.store.tidy(|| true)
}

fn check(app: &App) -> Result<()> {
    app.store.quick_check()
}

/// The thread that runs the jobs; stopped when dropped.
#[derive(Debug)]
pub struct Jobs {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Jobs {
    /// Starts it.
    pub fn start(app: Arc<App>) -> Result<Jobs> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("jobs".into())
            .spawn(move || run(&app, &seen))
            .map_err(|error| Error::internal("Cannot start the thread of the jobs").because(error))?;
        Ok(Jobs { stop, thread: Some(thread) })
    }

    /// Lets the running job finish and ends the thread.
    pub fn stop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("A job panicked");
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App, stop: &(Mutex<bool>, Condvar)) {
    let began = Instant::now();
    let mut due: Vec<Instant> = JOBS.iter().map(|job| began + job.first_after).collect();
    loop {
        let next = due.iter().min().copied().unwrap_or(began + HOUR);
        let mut is_set = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_set && Instant::now() < next {
            let left = next.saturating_duration_since(Instant::now());
            is_set = stop.1.wait_timeout(is_set, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if *is_set {
            return;
        }
        drop(is_set);
        for (job, due) in JOBS.iter().zip(&mut due) {
            if *due <= Instant::now() {
                run_one(app, job);
                *due = Instant::now() + job.every;
            }
        }
    }
}

fn run_one(app: &App, job: &Job) {
    let began = Instant::now();
    let outcome = (job.run)(app);
    app.counters.note_job(job.name, &outcome, app.clock.now(), began.elapsed());
    match outcome {
        Ok(()) => log::debug!("Job done: {}", job.name),
        // A full disk is told to whoever posts; here it would be a line a minute.
        Err(error) if error.kind() == Kind::Busy => {
            log::info!("Job put off: {}: {}", job.name, error.with_causes());
        }
        Err(error) => log::error!("Job failed: {}: {}", job.name, error.with_causes()),
    }
}
