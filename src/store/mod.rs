// SPDX-License-Identifier: Apache-2.0
//! The database: every line of SQL is below this module. It knows nothing of HTTP, HTML or files beside its own.
//!
//! Reading goes through a pool of read-only connections, each reading short. Writing goes through one thread
//! (`writer`) that puts whatever waits into one transaction.

mod accounts;
mod aggregates;
mod audit;
pub mod backup;
mod blacklist;
mod checkpoint;
mod choices;
mod crash_details;
mod crash_list;
mod custom_query;
mod deletion;
mod derived;
mod dimensions;
mod disk;
mod error;
mod etag;
mod exports;
mod figures;
pub mod fleet;
mod gate;
mod guilty_row;
mod imports;
mod inspect;
mod lock;
mod machine_checks;
mod maintenance;
mod meta;
mod migrate;
mod open;
mod payload;
mod population;
mod quarantine;
mod read;
mod recents;
mod recompute;
mod record_filter;
mod record_insert;
mod record_list;
mod record_row;
mod recount;
mod repair;
pub mod restore;
mod retention;
mod short_steps;
mod time_index;
mod watch;
mod writer;

pub mod bulk;

pub use accounts::change::{AccountChange, Changed, LastAdmin, NewAccount};
pub use accounts::list::{AccountRow, SessionRow, StoredPassword, TokenRow};
pub use accounts::secret_digest;
pub use accounts::sessions::{NewSession, NewToken};
pub use blacklist::{BlacklistChange, BlacklistState};
pub use checkpoint::WAL_BYTES_THRESHOLD;
pub use choices::RecordChoices;
pub use crash_details::{BacktracePage, BacktraceQuery, CrashOfRecord, FoldedBacktrace, GuiltyBuild};
pub use crash_list::{CrashScope, TopGuilties, TopGuilty};
pub use custom_query::{CUSTOM_FUNCTIONS, CustomQuery, CustomReader, EXPORT_VIEWS, QueryFailure};
pub use deletion::{Chosen, Deletion};
pub use exports::{ExportBatch, ExportCursor, ExportWalk};
pub use figures::{DiskFigures, ReaderFigures, StoreFigures, WriterFigures, disk_figures};
pub use imports::{Import, ImportItem, ImportProgress};
pub use inspect::{CurrentInspection, Inspection, inspect};
pub use lock::Lock;
pub use machine_checks::{MACHINE_CHECK_CLASSES, MachineCheckMachine, MachineChecks};
pub use open::{Missing, SCHEMA_VERSION, database_path};
pub use population::BuildPopulation;
pub use quarantine::QuarantineBounds;
pub use read::READ_MOST;
pub use recompute::{GuiltyMove, RecomputeProgress};
pub use record_insert::Stored;
pub use record_list::{RecordPage, RecordQuery};
pub use record_row::PayloadPart;
pub use recount::{Finding, Remedy, recount};
pub use repair::repair;
pub use retention::{DatabaseBytes, RecordTraits, WINDOW_RECORDS};
pub use watch::Watch;

use crate::clock::Clock;
use crate::error::Result;
use crate::model::record::NewRecord;
use crate::store::disk::{Ballast, Lent, Reserve};
use crate::store::gate::{Gate, Turns};
use crate::store::record_insert::PreparedRecord;
use crate::store::writer::Writer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where `muster.db` is.
    pub data_dir: PathBuf,
    /// Whether a missing database is made.
    pub missing: Missing,
    /// Free bytes below which posts are refused.
    pub disk_reserve_bytes: u64,
    /// Most reading connections.
    pub readers: u32,
    /// The time.
    pub clock: Clock,
}

/// The open database. Shared by all threads; [`Store::stop`] or dropping it ends the writer in order.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    readers: r2d2::Pool<r2d2_sqlite::SqliteConnectionManager>,
    writer: Writer,
    ballast: Ballast,
    reserve: Reserve,
    is_stopping: Arc<AtomicBool>,
    gate: Arc<Gate>,
    payload_searches: Turns,
    previews: Turns,
    custom: CustomReader,
}

impl Store {
    /// Opens, creates or migrates the database. Kinds: Usage (missing, no permission), Corrupt (damaged or newer; the
    /// file is untouched), Busy (no disk space for what opening needs).
    pub fn open(options: &StoreOptions) -> Result<Store> {
        Store::open_unnamed(options).map_err(|error| match error::is_of_full_disk(&error) {
            true => error::of_full_disk(&database_path(&options.data_dir), &error),
            false => error,
        })
    }

    fn open_unnamed(options: &StoreOptions) -> Result<Store> {
        let ballast = Ballast::of(&options.data_dir);
        // A full disk must not keep the database from being read: opening needs a few pages.
        ballast.release();
        open::prepare(&options.data_dir, options.missing)?;
        let path = database_path(&options.data_dir);
        let reserve = Reserve::new(&options.data_dir, options.disk_reserve_bytes);
        let gate = Arc::<Gate>::default();
        let writer = Writer::start(path.clone(), options.clock.clone(), reserve.clone(), Arc::clone(&gate))?;
        let readers = open::open_readers(&path, options.readers)?;
        let store = Store {
            custom: CustomReader::of_file(&path),
            path,
            readers,
            writer,
            ballast,
            reserve,
            is_stopping: Arc::default(),
            gate,
            // The other half of the readers is for what answers at once.
            payload_searches: Turns::new((options.readers as usize / 2).max(1)),
            // Each holds names of functions in memory.
            previews: Turns::new(1),
        };
        store.newest_record_id()?;
        store.hold_ballast();
        Ok(store)
    }

    /// Refuses a data directory whose database is newer, damaged or of another program, without touching anything.
    pub fn look(data_dir: &Path) -> Result<()> {
        open::refuse_unfit(data_dir)
    }

    /// Refuses (Busy) to bring an older database up under a server: to be called by every command before
    /// [`Store::open`].
    pub fn refuse_upgrade_beside_server(data_dir: &Path) -> Result<()> {
        open::refuse_upgrade_beside_server(data_dir)
    }

    /// Reads on a connection of its own, however busy the others are: the proof that the store is alive.
    pub fn prove_readable(&self) -> Result<()> {
        open::read_once(&self.path)
    }

    /// Takes the ballast again where the last start had to let it go; to be tried now and then.
    pub fn hold_ballast(&self) {
        if !self.ballast.hold() {
            log::debug!("There is no room for the ballast file at the moment");
        }
    }

    /// Where the disk is short, lets go of the ballast while room is made; to be kept until that has ended.
    #[must_use]
    pub fn lend_ballast(&self) -> Lent<'_> {
        self.ballast.lend()
    }

    /// Stores a validated record durably, or finds it stored. Returns after the commit; Busy where it cannot be stored
    /// now, and then nothing is stored.
    pub fn insert_record(&self, record: &NewRecord) -> Result<Stored> {
        self.writer.insert(PreparedRecord::new(record)?)
    }

    /// The same for a post, which may bring a new string only while the UTC day brought fewer than `new_values_max` of
    /// its kind; TooOften beyond that, and then nothing is stored.
    pub fn insert_post(&self, record: &NewRecord, new_values_max: i64) -> Result<Stored> {
        self.writer.insert(PreparedRecord::new(record)?.bounded(new_values_max))
    }

    /// Finishes the queued writes, empties the log and ends the writer. Later writes are Busy.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.writer.stop();
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn readers(&self) -> &r2d2::Pool<r2d2_sqlite::SqliteConnectionManager> {
        &self.readers
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}
