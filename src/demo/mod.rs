// SPDX-License-Identifier: Apache-2.0
//! Fills a database with what a believable fleet sends in some weeks, for trying the pages and for measuring.
//!
//! One thread makes the records (`generator`), another stores them; memory does not grow with their number. Nothing
//! marks the rows as a demo's.
//!
//! | file | what |
//! |---|---|
//! | `fleet`, `hardware`, `systems` | who sends |
//! | `schedule`, `story` | when, and what happened |
//! | `kinds` | which records, how often |
//! | `agents`, `actions` | agents on the machines, and what investigators had them do |
//! | `crashes`, `kernel`, `machine_checks`, `messages` | their payloads |

mod actions;
mod agents;
mod crashes;
mod fleet;
mod generator;
mod hardware;
mod kernel;
mod kinds;
mod machine_checks;
mod messages;
mod random;
mod schedule;
mod story;
mod systems;

use crate::clock::Clock;
use crate::custom::SAMPLES;
use crate::demo::fleet::{Fleet, Span};
use crate::demo::generator::Generator;
use crate::demo::random::mix;
use crate::error::{Error, Kind, Result};
use crate::model::record::NewRecord;
use crate::model::time::DAY_SECS;
use crate::store::bulk::BulkLoad;
use crate::store::fleet::FleetLoad;
use crate::store::{Lock, Missing, Store, StoreOptions};
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Records that go from thread to thread at once.
const BATCH_RECORDS: usize = 500;
/// Batches that wait to be stored.
const BATCHES_WAITING_MAX: usize = 8;
/// Most machines and weeks: beyond it no question is answered better.
const MACHINES_MAX: usize = 1_000_000;
const WEEKS_MAX: u32 = 520;
/// Less than the days of retention, so that a demo that is served for some days keeps all that it has.
pub const WEEKS_BY_DEFAULT: u32 = 4;
/// Most agents.
const AGENTS_MAX: usize = 1_000_000;
/// Records for each agent where no number of agents is given, and how many agents there are then.
const RECORDS_PER_AGENT: u64 = 500;
const AGENTS_BY_DEFAULT: std::ops::RangeInclusive<u64> = 20..=1_000;

/// What the demo is to be.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where `muster.db` is or will be.
    pub data_dir: PathBuf,
    /// How many records, at least 1.
    pub records: u64,
    /// How many machines send them, at least 1.
    pub machines: usize,
    /// How many agents the fleet has; none has as many as go with the records. 0 makes none, and no investigators.
    pub agents: Option<usize>,
    /// How many weeks they tell of, at least 1; the last one ends now.
    pub weeks: u32,
    /// The same seed gives the same fleet.
    pub seed: u64,
    /// Add to a database that has records, also beside a running server.
    pub into_existing: bool,
    /// The time: "now" is the end of the weeks.
    pub clock: Clock,
    /// Free bytes that are left alone.
    pub disk_reserve_bytes: u64,
}

impl DemoOptions {
    /// 200,000 records of 3,000 machines in [`WEEKS_BY_DEFAULT`] weeks.
    pub fn new(data_dir: PathBuf, clock: Clock) -> DemoOptions {
        DemoOptions {
            data_dir,
            records: 200_000,
            machines: 3_000,
            agents: None,
            weeks: WEEKS_BY_DEFAULT,
            seed: 1,
            into_existing: false,
            clock,
            disk_reserve_bytes: 64_000_000,
        }
    }

    fn span(&self) -> Span {
        let end = self.clock.now();
        Span { start: end - i64::from(self.weeks) * 7 * DAY_SECS, end }
    }

    fn agents(&self) -> usize {
        let by_records = self.records / RECORDS_PER_AGENT;
        let by_default = by_records.clamp(*AGENTS_BY_DEFAULT.start(), *AGENTS_BY_DEFAULT.end());
        self.agents.unwrap_or(by_default as usize)
    }

    fn check(&self) -> Result<()> {
        if self.records == 0 {
            return Err(Error::usage("A demo needs at least 1 record"));
        }
        if self.machines == 0 || self.machines > MACHINES_MAX {
            return Err(Error::usage(format!(
                "A demo needs 1 to {MACHINES_MAX} machines, not {}",
                self.machines
            )));
        }
        if self.agents() > AGENTS_MAX {
            return Err(Error::usage(format!(
                "A demo has at most {AGENTS_MAX} agents, not {}",
                self.agents()
            )));
        }
        if self.weeks == 0 || self.weeks > WEEKS_MAX {
            return Err(Error::usage(format!("A demo needs 1 to {WEEKS_MAX} weeks, not {}", self.weeks)));
        }
        Ok(())
    }
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records made and given to the database.
    pub done: u64,
    /// Records in all.
    pub total: u64,
    /// What is going on: "storing records", "building indexes", ….
    pub what: String,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records made and stored.
    pub records: u64,
    /// Of how many machines.
    pub machines: usize,
    /// Agents made and stored.
    pub agents: usize,
    /// Reception time of the first record.
    pub first_received_at: i64,
    /// Reception time of the last record.
    pub last_received_at: i64,
}

/// The records of a demo, in ascending order of reception time, without a database: what [`run`] stores in an empty
/// one. Usage where an option is out of its bounds.
pub fn records(options: &DemoOptions) -> Result<impl Iterator<Item = (NewRecord, i64)> + Send + use<>> {
    generator(options, 0)
}

/// Makes and stores the records. Kinds: Usage where an option is out of its bounds or the database has records and
/// `into_existing` is not set (nothing is changed then), Busy where a server runs on the empty database and
/// `into_existing` is not set, or where the disk has no room; what was stored by then stays.
pub fn run(options: &DemoOptions, progress: &mut dyn FnMut(Progress)) -> Result<Summary> {
    options.check()?;
    let existing = existing_records(options)?;
    if existing > 0 && !options.into_existing {
        return Err(Error::usage(format!(
            "The database in {} has {existing} records; add --into-existing to put the demo's beside them",
            options.data_dir.display()
        )));
    }
    let lock = if existing == 0 { lock(options)? } else { None };
    // Somebody may have begun before the lock was taken.
    if lock.is_some() && existing_records(options)? > 0 {
        return Err(Error::busy("Another process fills the database; try again when it is done"));
    }
    let generator = generator(options, existing.unsigned_abs())?;
    // The agents first: once there are records, a further run is refused.
    load_fleet(options, lock.is_some(), generator.fleet(), progress)?;
    let load = BulkLoad::begin(&options.data_dir, lock.is_some())?;
    let summary = store(options, load, generator, progress)?;
    if existing == 0 {
        place_samples(&options.data_dir);
    }
    Ok(summary)
}

/// Makes and stores agents, investigators and actions.
fn load_fleet(
    options: &DemoOptions,
    is_alone: bool,
    fleet: &Fleet,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let count = options.agents();
    if count == 0 {
        return Ok(());
    }
    let mut tell = |done: usize| {
        let what = format!("storing {count} agents, {done} done");
        progress(Progress { done: 0, total: options.records, what });
    };
    let span = options.span();
    let mut load = FleetLoad::begin(&options.data_dir, is_alone)?;
    let roster = agents::load(&mut load, fleet, span, (options.seed, count), &mut tell)?;
    actions::load(&mut load, &roster, span.end, options.seed)?;
    load.finish()
}

/// Puts the sample views beside a new demo, where no file of that name is; the records are there without them too.
fn place_samples(data_dir: &Path) {
    let dir = data_dir.join("views");
    let place = |name: &str, text: &str| {
        let mut file = File::create_new(dir.join(format!("{name}.toml")))?;
        file.write_all(text.as_bytes())
    };
    let made = fs::create_dir_all(&dir).and_then(|()| {
        SAMPLES.iter().try_for_each(|(name, text)| match place(name, text) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        })
    });
    if let Err(error) = made {
        log::warn!("Cannot put the sample views into {}: {error}", dir.display());
    }
}

/// Takes the lock of an empty database: indexes are built at the end only where nobody can miss them meanwhile. None
/// where a server has it and the demo may work beside that.
fn lock(options: &DemoOptions) -> Result<Option<Lock>> {
    match Lock::take(&options.data_dir, "demo") {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if options.into_existing && error.kind() == Kind::Busy => Ok(None),
        Err(error) => Err(error),
    }
}

fn existing_records(options: &DemoOptions) -> Result<i64> {
    Store::refuse_upgrade_beside_server(&options.data_dir)?;
    let store = Store::open(&StoreOptions {
        data_dir: options.data_dir.clone(),
        missing: Missing::Create,
        disk_reserve_bytes: options.disk_reserve_bytes,
        readers: 1,
        clock: options.clock.clone(),
    })?;
    let records = store.count_records();
    store.stop();
    records
}

/// `salt` makes the records of a second run other than those of the first; the fleet stays the same.
fn generator(options: &DemoOptions, salt: u64) -> Result<Generator> {
    options.check()?;
    let span = options.span();
    let fleet = Fleet::new(options.seed, options.machines, span)?;
    Generator::new(fleet, span, options.records, mix(options.seed, salt))
}

type Batch = Vec<(NewRecord, i64)>;

fn store(
    options: &DemoOptions,
    mut load: BulkLoad,
    generator: Generator,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let (batches, waiting) = sync_channel(BATCHES_WAITING_MAX);
    let total = options.records;
    let mut tell = |done: u64, what: &str| progress(Progress { done, total, what: what.to_owned() });
    std::thread::scope(|scope| {
        let maker = std::thread::Builder::new()
            .name("demo".into())
            .spawn_scoped(scope, move || make(generator, &batches))
            .map_err(|error| Error::internal("Cannot start a thread").because(error))?;
        let stored = insert_all(options, &mut load, &waiting, &mut tell);
        // A maker that waits for room in the channel must see that nobody takes from it.
        drop(waiting);
        let made = maker.join();
        let mut summary = stored?;
        if made.is_err() {
            return Err(Error::internal("The demo's generator failed"));
        }
        load.finish(|what| tell(summary.records, what))?;
        summary.machines = options.machines;
        summary.agents = options.agents();
        tell(summary.records, "done");
        Ok(summary)
    })
}

fn make(mut generator: Generator, batches: &SyncSender<Batch>) {
    loop {
        let batch: Batch = generator.by_ref().take(BATCH_RECORDS).collect();
        // Where the receiver is gone there is an error to be shown, and it is shown there.
        if batch.is_empty() || batches.send(batch).is_err() {
            return;
        }
    }
}

fn insert_all(
    options: &DemoOptions,
    load: &mut BulkLoad,
    batches: &Receiver<Batch>,
    tell: &mut dyn FnMut(u64, &str),
) -> Result<Summary> {
    let mut summary =
        Summary { records: 0, machines: 0, agents: 0, first_received_at: 0, last_received_at: 0 };
    while let Ok(batch) = batches.recv() {
        refuse_a_full_disk(&options.data_dir, options.disk_reserve_bytes)?;
        for (record, received_at) in batch {
            if summary.records == 0 {
                summary.first_received_at = received_at;
            }
            summary.last_received_at = received_at;
            load.insert(record, received_at)?;
            summary.records += 1;
        }
        tell(summary.records, "storing records");
    }
    Ok(summary)
}

/// A demo must not take the room that a server needs for its posts.
fn refuse_a_full_disk(data_dir: &Path, reserve_bytes: u64) -> Result<()> {
    let free = match statvfs(data_dir) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            return Err(Error::internal(format!("Cannot ask for the free space of {}", data_dir.display()))
                .because(error));
        }
    };
    if free < reserve_bytes {
        return Err(Error::busy(format!(
            "The disk of {} is nearly full; free some space or ask for fewer records",
            data_dir.display()
        )));
    }
    Ok(())
}
