// SPDX-License-Identifier: Apache-2.0
//! What muster does, one operation a file, for the wire, the pages, the command line and the jobs alike.

pub mod collect;
pub mod jobs;
pub mod quarantine;

use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::Limits;
use crate::store::{QuarantineBounds, Store};

/// Everything that an operation needs.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
}

impl App {
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
