// SPDX-License-Identifier: Apache-2.0
//! What muster does, one operation a file, for the wire, the pages, the command line and the jobs alike.

pub mod accounts;
pub mod api_tokens;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod blacklist;
pub mod builds;
pub mod check;
pub mod collect;
pub mod counters;
pub mod crashes;
pub mod custom;
pub mod delete;
pub mod doctor;
pub mod export;
pub mod fleet;
pub mod import;
pub mod jobs;
pub mod limiter;
pub mod machine_checks;
pub mod metrics;
pub mod passwords;
pub mod population;
pub mod purge;
pub mod quarantine;
pub mod recompute;
pub mod restore;
pub mod sessions;
pub mod stats;
pub mod thermal;
pub mod tls_init;

use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::Limits;
use crate::spool::Spool;
use crate::store::{QuarantineBounds, Store};
use std::sync::Arc;

/// Everything that an operation needs.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Wakes the thread that lets stored crashes follow the blacklist.
    pub recompute: recompute::Wake,
    /// The files of the views directory.
    pub custom_views: custom::CustomViews,
    /// Failed logins and authentications of the API.
    pub attempts: attempts::Attempts,
    /// Where passwords are hashed, few at a time.
    pub hashing: passwords::Hashing,
    /// What this run counted.
    pub counters: counters::Counters,
    /// Actions and commands as files.
    pub spool: Arc<Spool>,
    /// Wakes the scheduler and the agents that wait.
    pub dispatch: fleet::dispatch::Dispatch,
    /// The double agents that the log was told of.
    pub warned_pairs: fleet::statistics::WarnedPairs,
}

impl App {
    /// Over an open database.
    pub fn new(config: Config, clock: Clock, store: Store) -> App {
        let custom_views = custom::CustomViews::new(config.data_dir.join(&config.views_dir));
        let spool = Arc::new(Spool::new(config.data_dir.join(&config.fleet.spool_dir)));
        let attempts = attempts::Attempts::new(&config.limits);
        let counters = counters::Counters::new(clock.now());
        App {
            config,
            clock,
            store,
            recompute: recompute::Wake::default(),
            custom_views,
            attempts,
            hashing: passwords::Hashing::default(),
            counters,
            spool,
            dispatch: fleet::dispatch::Dispatch::default(),
            warned_pairs: fleet::statistics::WarnedPairs::default(),
        }
    }

    /// What the configuration says about posts.
    pub fn ingest_limits(&self) -> Limits<'_> {
        Limits { tids: &self.config.tids, payload_bytes_max: self.config.payload_bytes_max }
    }

    /// How much quarantine may hold.
    pub fn quarantine_bounds(&self) -> QuarantineBounds {
        QuarantineBounds {
            rows_max: self.config.quarantine_rows_max,
            bytes_max: self.config.quarantine_bytes_max,
        }
    }
}
