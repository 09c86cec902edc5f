// SPDX-License-Identifier: Apache-2.0
//! The one thread that writes. Whatever waits shares a transaction and an fsync; nobody is answered before the commit.
//!
//! ```text
//! posts, heartbeats, … -> bounded queue -> batch -> BEGIN IMMEDIATE, run each, COMMIT -> answer each
//!                                             |
//!                          refused by a rule of its own: ROLLBACK, then each one in a transaction of its own
//!                          the disk or the file failed: ROLLBACK, 503 to all, the connection is opened anew
//! ```

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::store::checkpoint::Checkpointer;
use crate::store::disk::Reserve;
use crate::store::error::{is_of_full_disk, of_full_disk};
use crate::store::figures::WriterCounters;
use crate::store::gate::Gate;
use crate::store::open;
use crate::store::recents::Recents;
use crate::store::record_insert::{InsertState, PreparedRecord, Stored, insert_post};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

/// Most jobs that wait; beyond it a post is answered 503.
const QUEUE_JOBS_MAX: usize = 2_048;
/// Most jobs of one transaction.
const BATCH_JOBS_MAX: usize = 512;
/// Most payload bytes of one transaction.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// What a job may use while its transaction is open.
pub struct Write<'a> {
    /// The connection, inside a transaction.
    pub connection: &'a Connection,
    /// Ids, counts and the newest time.
    pub state: &'a mut InsertState,
    /// The clock, asked once for the batch.
    pub now: i64,
}

/// A change of the database. It may be run twice: alone, after a batch failed because of another.
type Change = Box<dyn FnMut(&mut Write<'_>) -> Result<()> + Send>;
/// Tells the one who waits how it ended.
type Answer = Box<dyn FnOnce(Result<()>) + Send>;

enum Job {
    Record { record: Box<PreparedRecord>, answer: SyncSender<Result<Stored>> },
    Change { change: Change, needs_room: bool, is_alone: bool, answer: Answer },
}

impl Job {
    fn len_bytes(&self) -> usize {
        match self {
            Job::Record { record, .. } => record.len_bytes(),
            Job::Change { .. } => 1_000,
        }
    }

    fn needs_room(&self) -> bool {
        match self {
            Job::Record { .. } => true,
            Job::Change { needs_room, .. } => *needs_room,
        }
    }

    /// True where it needs a transaction of its own, in which foreign keys are not checked.
    fn is_alone(&self) -> bool {
        matches!(self, Job::Change { is_alone: true, .. })
    }

    fn refuse(self, error: Error) {
        match self {
            // Who no longer waits needs no answer.
            Job::Record { answer, .. } => drop(answer.send(Err(error))),
            Job::Change { answer, .. } => answer(Err(error)),
        }
    }
}

/// What a job left for its answer.
enum Done {
    Record(Result<Stored>),
    Change,
}

/// The handle of the writer: queues jobs.
#[derive(Debug)]
pub struct Writer {
    queue: RwLock<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<WriterCounters>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    /// Starts the thread on the database at `path`.
    pub fn start(path: PathBuf, clock: Clock, reserve: Reserve, gate: Arc<Gate>) -> Result<Writer> {
        let connection = open::open_writer(&path)?;
        let checkpointer = Checkpointer::start(&path, gate)?;
        let (queue, jobs) = sync_channel(QUEUE_JOBS_MAX);
        let counters = Arc::<WriterCounters>::default();
        let work = Work {
            counters: Arc::clone(&counters),
            path,
            clock,
            reserve,
            connection: Some(connection),
            state: InsertState::default(),
            data_version: 0,
            checkpointer,
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || work.run(&jobs))
            .map_err(|error| Error::internal("Cannot start the writer thread").because(error))?;
        Ok(Writer { queue: RwLock::new(Some(queue)), thread: Mutex::new(Some(thread)), counters })
    }

    /// Stores a record and waits until it is durable. Busy where the queue or the disk is full.
    pub fn insert(&self, record: PreparedRecord) -> Result<Stored> {
        let (answer, outcome) = sync_channel(1);
        self.queue(Job::Record { record: Box::new(record), answer })?;
        outcome.recv().map_err(|_| stopping())?
    }

    /// Runs a change and waits until it is durable. `needs_room`: refuse it where the disk reserve is touched.
    pub fn change<T: Send + 'static>(
        &self,
        needs_room: bool,
        change: impl FnMut(&mut Write<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(needs_room, false, change)
    }

    /// Runs a change without foreign keys, in a transaction of its own. For deleting what the change itself knows that
    /// nothing refers to, where SQLite would read a whole table to find that out.
    pub fn change_unchecked<T: Send + 'static>(
        &self,
        change: impl FnMut(&mut Write<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(false, true, change)
    }

    fn run<T: Send + 'static>(
        &self,
        needs_room: bool,
        is_alone: bool,
        mut change: impl FnMut(&mut Write<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, outcome) = sync_channel(1);
        let (value, result) = sync_channel(2);
        let change: Change = Box::new(move |write| {
            let made = change(write)?;
            // The last run is the one that counts; the receiver outlives it.
            let _ = value.try_send(made);
            Ok(())
        });
        let answer: Answer = Box::new(move |ended| drop(answer.send(ended)));
        self.queue(Job::Change { change, needs_room, is_alone, answer })?;
        outcome.recv().map_err(|_| stopping())??;
        result.try_iter().last().ok_or_else(|| Error::internal("A change ended without a value"))
    }

    /// What it did since the start.
    pub(super) fn counters(&self) -> &WriterCounters {
        &self.counters
    }

    fn queue(&self, job: Job) -> Result<()> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(stopping()) };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::busy("Too many records at once; send it again in a moment"),
            TrySendError::Disconnected(_) => stopping(),
        })?;
        self.counters.note_queued();
        Ok(())
    }

    /// Finishes what is queued, checkpoints and closes. A second call finds nothing to do.
    pub fn stop(&self) {
        *self.queue.write().unwrap_or_else(PoisonError::into_inner) = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("The writer thread panicked");
        }
    }
}

fn stopping() -> Error {
    Error::busy("The server is stopping; send it again in a moment")
}

struct Work {
    path: PathBuf,
    clock: Clock,
    reserve: Reserve,
    connection: Option<Connection>,
    state: InsertState,
    data_version: i64,
    checkpointer: Checkpointer,
    counters: Arc<WriterCounters>,
}

impl Work {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH_JOBS_MAX);
        let mut held = None;
        while let Some(first) = held.take().or_else(|| jobs.recv().ok()) {
            let mut bytes = first.len_bytes();
            let is_alone = first.is_alone();
            batch.push(first);
            while !is_alone && batch.len() < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                if job.is_alone() {
                    held = Some(job);
                    break;
                }
                bytes += job.len_bytes();
                batch.push(job);
            }
            self.counters.note_taken(batch.len());
            self.make_room();
            self.write(&mut batch);
            if let Some(connection) = &self.connection {
                self.checkpointer.after_commit(connection);
            }
        }
        // A write that failed has dropped it; the log is emptied all the same.
        match self.connect() {
            Ok(()) => {}
            Err(error) => log::warn!("The log is left for the next start to copy: {}", error.with_causes()),
        }
        if let Some(connection) = &self.connection {
            self.checkpointer.finish(connection);
        }
    }

    /// Opens the database anew where a failure has closed it.
    fn connect(&mut self) -> Result<()> {
        if self.connection.is_none() {
            self.connection = Some(open::open_writer(&self.path)?);
            self.data_version = 0;
        }
        Ok(())
    }

    /// Empties the log where the disk is short of room.
    fn make_room(&mut self) {
        if self.connect().is_ok()
            && let (Some(connection), Some(free_bytes)) = (&self.connection, self.reserve.free_bytes())
        {
            self.checkpointer.make_room(connection, free_bytes);
        }
    }

    fn write(&mut self, batch: &mut Vec<Job>) {
        if !self.reserve.has_room() {
            let message = "The disk is full; free some space or purge old records";
            refuse_where(batch, |job| job.needs_room(), || Error::busy(message));
        }
        if batch.is_empty() {
            return;
        }
        match self.transaction(batch) {
            Ok(done) => answer(batch, done),
            // The whole batch is undone; a job that was refused by its own rule must not take the others with it.
            Err(error) if batch.len() > 1 && is_of_one_job(error.kind()) => {
                for job in batch.drain(..) {
                    let mut alone = vec![job];
                    match self.transaction(&mut alone) {
                        Ok(done) => answer(&mut alone, done),
                        Err(error) => self.refuse_all(&mut alone, error),
                    }
                }
            }
            Err(error) => self.refuse_all(batch, error),
        }
    }

    fn refuse_all(&mut self, batch: &mut Vec<Job>, error: Error) {
        if is_of_one_job(error.kind()) {
            let mut error = Some(error);
            refuse_where(batch, |_| true, || error.take().unwrap_or_else(stopping));
            return;
        }
        let has_records = batch.iter().any(|job| matches!(job, Job::Record { .. }));
        // Changes are told all of it, and some try again in smaller steps.
        let level = match is_of_full_disk(&error) && !has_records {
            true => log::Level::Debug,
            false => log::Level::Error,
        };
        log::log!(level, "Cannot write to {}: {}", self.path.display(), error.with_causes());
        self.counters.note_failure();
        // What a failed commit or fsync left in this connection's cache is not to be trusted.
        self.connection = None;
        for job in batch.drain(..) {
            let told = match job {
                Job::Record { .. } => Error::busy("The record cannot be stored at the moment; send it again"),
                Job::Change { .. } => self.cannot_change(&error),
            };
            job.refuse(told);
        }
    }

    /// What a change is told that the disk or the file did not take.
    fn cannot_change(&self, error: &Error) -> Error {
        if is_of_full_disk(error) {
            return of_full_disk(&self.path, error);
        }
        let message = match error.kind() {
            Kind::Busy => error.message(),
            _ => "The change cannot be stored at the moment; try again",
        };
        Error::busy(message).because(format!(
            "Cannot write to {}: {}",
            self.path.display(),
            error.with_causes()
        ))
    }

    /// Runs the jobs in one transaction; on an error everything is rolled back.
    fn transaction(&mut self, batch: &mut [Job]) -> Result<Vec<Done>> {
        self.connect()?;
        let Some(connection) = &self.connection else { return Err(stopping()) };
        let is_unchecked = batch.iter().any(Job::is_alone);
        if is_unchecked {
            connection.pragma_update(None, "foreign_keys", false)?;
        }
        let began = Instant::now();
        let ended = run_batch(connection, &mut self.state, &mut self.data_version, self.clock.now(), batch);
        let ended = match ended {
            Ok(done) => {
                self.counters.note_commit(batch.len(), began.elapsed());
                Ok(done)
            }
            Err(error) => {
                self.state = InsertState::default();
                // SQLite may have rolled back by itself, on a full disk for one.
                if !connection.is_autocommit()
                    && let Err(error) = connection.execute_batch("ROLLBACK")
                {
                    log::error!("Cannot roll back: {error}");
                    self.connection = None;
                }
                Err(error)
            }
        };
        if is_unchecked
            && let Some(connection) = &self.connection
            && let Err(error) = connection.pragma_update(None, "foreign_keys", true)
        {
            // A new connection checks them.
            log::warn!("Cannot have foreign keys checked again: {error}");
            self.connection = None;
        }
        ended
    }
}

/// True where the error is a job's own doing, not the disk's or the file's.
fn is_of_one_job(kind: Kind) -> bool {
    !matches!(kind, Kind::Busy | Kind::Internal | Kind::Corrupt)
}

fn run_batch(
    connection: &Connection,
    state: &mut InsertState,
    data_version: &mut i64,
    now: i64,
    batch: &mut [Job],
) -> Result<Vec<Done>> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    if version != *data_version {
        *state = InsertState::default();
        *data_version = version;
    }
    if state.recents.is_none() {
        state.recents = Some(Recents::load(connection)?);
    }
    let mut write = Write { connection, state, now };
    let mut done = Vec::with_capacity(batch.len());
    for job in batch.iter_mut() {
        done.push(match job {
            Job::Record { record, .. } => {
                Done::Record(insert_post(write.connection, write.state, record, write.now)?)
            }
            Job::Change { change, .. } => {
                change(&mut write)?;
                Done::Change
            }
        });
    }
    write.state.flush(connection)?;
    if let Some(recents) = &mut write.state.recents {
        recents.flush(connection, false)?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(done)
}

fn answer(batch: &mut Vec<Job>, done: Vec<Done>) {
    for (job, done) in batch.drain(..).zip(done) {
        match (job, done) {
            (Job::Record { answer, .. }, Done::Record(stored)) => drop(answer.send(stored)),
            (Job::Change { answer, .. }, _) => answer(Ok(())),
            (job, Done::Change) => job.refuse(Error::internal("A job was answered as another")),
        }
    }
}

fn refuse_where(batch: &mut Vec<Job>, is_refused: impl Fn(&Job) -> bool, mut error: impl FnMut() -> Error) {
    for job in std::mem::take(batch) {
        if is_refused(&job) {
            job.refuse(error());
        } else {
            batch.push(job);
        }
    }
}
