// SPDX-License-Identifier: Apache-2.0
//! One thread gives commands out and takes answers in, for all agents that ask at the same time together: new files,
//! one transaction, old files gone, then everybody is answered.

use crate::error::{Error, Result};
use crate::ops::App;
use crate::ops::fleet::spooling::{BYTES_PER_WRITE, follow_commands, removed};
use crate::spool::{Name, NewFile, Place, Sweeping};
use crate::store::fleet::{Answered, CommandState, Fetchable, Lease, NewAnswer};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

/// Most wishes and answers that wait; beyond it an agent is answered 503. There are no more connections than this.
const QUEUE_JOBS_MAX: usize = 4_096;
/// Most of them in one transaction.
const BATCH_JOBS_MAX: usize = 500;
/// A command that an agent would get.
#[derive(Debug)]
pub struct OfferedCommand {
    /// Its row.
    pub command: Fetchable,
    /// MIG's JSON, as sent.
    pub text: String,
}

/// A command that an agent gets.
#[derive(Debug)]
pub struct GivenCommand {
    /// How often it was fetched, this time included.
    pub attempt: i64,
    /// MIG's JSON.
    pub text: String,
}

/// An answer to be stored.
#[derive(Debug)]
pub struct AnswerJob {
    /// The file of the command.
    pub name: Name,
    /// What the file is to hold.
    pub text: String,
    /// The same for the database; none once it was handed over.
    pub stored: Option<NewAnswer>,
}

#[derive(Debug)]
enum Job {
    Fetch(Wish),
    Answer(Answer),
}

/// The handle of the thread: queues jobs. Without a thread every job is Busy.
#[derive(Debug, Default)]
pub struct Courier {
    queue: RwLock<Option<SyncSender<Job>>>,
}

impl Courier {
    /// Leases what is offered to an agent, as far as it is still to be had, and waits until that is durable. Busy where
    /// it cannot be done now.
    pub fn fetch(&self, lease: Lease, offered: Vec<OfferedCommand>) -> Result<Vec<GivenCommand>> {
        let (reply, outcome) = sync_channel(1);
        self.queue(Job::Fetch(Wish { lease, offered, reply }))?;
        outcome.recv().map_err(|_| stopping())?
    }

    /// Stores an answer and waits until that is durable. Busy where it cannot be done now.
    pub fn answer(&self, job: AnswerJob) -> Result<Answered> {
        let (reply, outcome) = sync_channel(1);
        self.queue(Job::Answer(Answer { job, reply }))?;
        outcome.recv().map_err(|_| stopping())?
    }

    fn queue(&self, job: Job) -> Result<()> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(stopping()) };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::busy("Too many agents at once; ask again in a moment"),
            TrySendError::Disconnected(_) => stopping(),
        })
    }

    fn set(&self, queue: Option<SyncSender<Job>>) {
        *self.queue.write().unwrap_or_else(PoisonError::into_inner) = queue;
    }
}

fn stopping() -> Error {
    Error::busy("The server is stopping; ask again in a moment")
}

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Couriering {
    app: Arc<App>,
    _sweeping: Sweeping,
    thread: Option<JoinHandle<()>>,
}

impl Couriering {
    /// Starts it.
    pub fn start(app: Arc<App>) -> Result<Couriering> {
        let (queue, jobs) = sync_channel(QUEUE_JOBS_MAX);
        let sweeping = Sweeping::start(Arc::clone(&app.spool))?;
        app.dispatch.courier.set(Some(queue));
        let own = Arc::clone(&app);
        let thread = std::thread::Builder::new()
            .name("courier".into())
            .spawn(move || run(&own, &jobs))
            .map_err(|error| Error::internal("Cannot start the thread that serves agents").because(error))?;
        Ok(Couriering { app, _sweeping: sweeping, thread: Some(thread) })
    }

    /// Finishes what is queued and ends the thread.
    pub fn stop(&mut self) {
        self.app.dispatch.courier.set(None);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The thread that serves agents panicked");
        }
    }
}

impl Drop for Couriering {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App, jobs: &Receiver<Job>) {
    let mut left = None;
    loop {
        let Some(first) = left.take().or_else(|| jobs.recv().ok()) else { return };
        let mut batch = Batch::default();
        left = batch.add(first);
        while left.is_none() && batch.has_room() {
            let Ok(job) = jobs.try_recv() else { break };
            left = batch.add(job);
        }
        batch.carry_out(app);
    }
}

/// A wish for commands.
#[derive(Debug)]
struct Wish {
    lease: Lease,
    offered: Vec<OfferedCommand>,
    reply: SyncSender<Result<Vec<GivenCommand>>>,
}

/// An answer and who waits for it to be stored.
#[derive(Debug)]
struct Answer {
    job: AnswerJob,
    reply: SyncSender<Result<Answered>>,
}

/// What shares a transaction.
#[derive(Default)]
struct Batch {
    wishes: Vec<Wish>,
    answers: Vec<Answer>,
    bytes: usize,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.wishes.len() + self.answers.len() < BATCH_JOBS_MAX && self.bytes < BYTES_PER_WRITE
    }

    /// Takes a job in. Gives back a second answer to a command that is answered in this very batch: it would write the
    /// same file.
    fn add(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Fetch(wish) => {
                self.bytes += wish.offered.iter().map(|offered| offered.text.len()).sum::<usize>();
                self.wishes.push(wish);
            }
            Job::Answer(answer) if self.answers.iter().any(|other| other.job.name == answer.job.name) => {
                return Some(Job::Answer(answer));
            }
            Job::Answer(answer) => {
                self.bytes += answer.job.text.len();
                self.answers.push(answer);
            }
        }
        None
    }

    fn carry_out(mut self, app: &App) {
        let turn = app.spool.turn();
        let files = self.take_files();
        let returned: Vec<(Place, Name)> =
            self.answers.iter().map(|answer| (Place::CommandReturned, answer.job.name)).collect();
        let stored = app.spool.write(&files).and_then(|()| self.store(app));
        drop(files);
        let (attempts, outcomes) = match stored {
            Ok(stored) => stored,
            Err(error) => {
                removed(app, &returned);
                self.remove_untrue(app, &vec![None; self.wishes.iter().map(|wish| wish.offered.len()).sum()]);
                drop(turn);
                log::warn!("Agents are not served for now: {}", error.with_causes());
                return self.refuse_all(error.message());
            }
        };
        self.remove_old(app, &attempts, &outcomes);
        drop(turn);
        self.reply(app, attempts, outcomes);
    }

    /// The files to be written before the rows: of commands that go out first now, and of all answers.
    fn take_files(&mut self) -> Vec<NewFile> {
        let mut files = Vec::new();
        for offered in self.wishes.iter().flat_map(|wish| &wish.offered).filter(|one| one.command.is_new) {
            let (place, name) = (Place::CommandInflight, offered.name());
            files.push(NewFile { place, name, text: offered.text.clone() });
        }
        for Answer { job, .. } in &mut self.answers {
            let (place, text) = (Place::CommandReturned, std::mem::take(&mut job.text));
            files.push(NewFile { place, name: job.name, text });
        }
        files
    }

    fn store(&mut self, app: &App) -> Result<(Vec<Option<i64>>, Vec<Answered>)> {
        let wishes = self
            .wishes
            .iter()
            .flat_map(|wish| wish.offered.iter().map(|offered| (offered.command.id, wish.lease.clone())));
        let wishes = wishes.collect();
        let answers = self.answers.iter_mut().filter_map(|answer| answer.job.stored.take()).collect();
        app.store.exchange_commands(wishes, answers, app.clock.now())
    }

    /// Removes the files that are not true any more.
    fn remove_old(&self, app: &App, attempts: &[Option<i64>], outcomes: &[Answered]) {
        let mut surplus = Vec::new();
        let offered = self.wishes.iter().flat_map(|wish| &wish.offered);
        let given =
            offered.zip(attempts).filter(|(offered, attempt)| offered.command.is_new && attempt.is_some());
        surplus.extend(given.map(|(offered, _)| (Place::CommandReady, offered.name())));
        self.remove_untrue(app, attempts);
        let (mut counted, mut late) = (Vec::new(), Vec::new());
        for (answer, outcome) in self.answers.iter().zip(outcomes) {
            let name = answer.job.name;
            match outcome {
                Answered::Repeated => surplus.push((Place::CommandReturned, name)),
                // Its file was written before it was known that the command had ended otherwise.
                Answered::Late => late.extend(name.command_id()),
                Answered::Counted => {
                    counted.push(name);
                    surplus.extend([(Place::CommandReady, name), (Place::CommandInflight, name)]);
                }
            }
        }
        if let Err(error) = app.spool.rename(&counted, Place::CommandReturned, Place::CommandDone) {
            log::warn!("The files of answered commands stay behind: {}", error.with_causes());
            app.dispatch.ask_for_comparison();
        }
        removed(app, &surplus);
        if let Err(error) = follow_commands(app, &late) {
            log::warn!("The files of late answers say how they came: {}", error.with_causes());
            app.dispatch.ask_for_comparison();
        }
    }

    /// Of commands that were not to be had any more, a file was written all the same: it stays only where some other
    /// start of the agent has the command.
    fn remove_untrue(&self, app: &App, attempts: &[Option<i64>]) {
        let offered = self.wishes.iter().flat_map(|wish| &wish.offered);
        let refused =
            offered.zip(attempts).filter(|(offered, attempt)| offered.command.is_new && attempt.is_none());
        let refused: Vec<&OfferedCommand> = refused.map(|(offered, _)| offered).collect();
        let ids: Vec<i64> = refused.iter().map(|offered| offered.command.id).collect();
        let states = match app.store.command_states(&ids) {
            Ok(states) => states,
            Err(error) => {
                log::warn!("Files of commands may be one too many: {}", error.with_causes());
                return app.dispatch.ask_for_comparison();
            }
        };
        let is_untrue = |state: &Option<CommandState>| {
            state.is_none_or(|state| Place::of_command(state.status) != Place::CommandInflight)
        };
        let untrue = refused.iter().zip(&states).filter(|(_, state)| is_untrue(state));
        removed(
            app,
            &untrue.map(|(offered, _)| (Place::CommandInflight, offered.name())).collect::<Vec<_>>(),
        );
    }

    fn reply(self, app: &App, attempts: Vec<Option<i64>>, outcomes: Vec<Answered>) {
        let mut attempts = attempts.into_iter();
        for Wish { offered, reply, .. } in self.wishes {
            let given = offered.into_iter().zip(attempts.by_ref()).filter_map(|(offered, attempt)| {
                attempt.map(|attempt| GivenCommand { attempt, text: offered.text })
            });
            // Who no longer waits needs no answer.
            drop(reply.send(Ok(given.collect())));
        }
        if !outcomes.is_empty() {
            app.dispatch.wake_scheduler();
        }
        for (answer, outcome) in self.answers.into_iter().zip(outcomes) {
            drop(answer.reply.send(Ok(outcome)));
        }
    }

    fn refuse_all(self, message: &str) {
        for wish in self.wishes {
            drop(wish.reply.send(Err(Error::busy(message))));
        }
        for answer in self.answers {
            drop(answer.reply.send(Err(Error::busy(message))));
        }
    }
}

impl OfferedCommand {
    fn name(&self) -> Name {
        Name::Command { action_id: self.command.action_id, id: self.command.id }
    }
}
