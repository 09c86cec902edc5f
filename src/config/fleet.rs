// SPDX-License-Identifier: Apache-2.0
//! The settings of the fleet, `fleet.…`.

use crate::model::agent::Liveness;
use std::path::PathBuf;

/// Who may bring an agent that was not known before, and bind a key to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrol {
    /// As `open` where muster listens on loopback addresses only, else as `token`.
    Auto,
    /// Anybody, and the first key of an endpoint binds.
    Open,
    /// Anybody may beat, a key binds only with the token of `muster agent token`.
    Token,
    /// Nobody new.
    Closed,
}

impl Enrol {
    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Enrol::Auto => "auto",
            Enrol::Open => "open",
            Enrol::Token => "token",
            Enrol::Closed => "closed",
        }
    }

    /// What a word of the configuration means; [`Enrol::Auto`] for one that is none.
    pub(super) fn from_word(word: &str) -> Enrol {
        [Enrol::Open, Enrol::Token, Enrol::Closed]
            .into_iter()
            .find(|enrol| enrol.word() == word)
            .unwrap_or(Enrol::Auto)
    }
}

/// The settings of the fleet, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetConfig {
    /// `fleet.enrol`.
    pub enrol: Enrol,
    /// `fleet.agents_max`: agents that are kept; a further one is refused.
    pub agents_max: i64,
    /// `fleet.heartbeat_secs`: how often agents beat.
    pub heartbeat_secs: i64,
    /// `fleet.offline_after_secs`: without a heartbeat for so long an agent is offline.
    pub offline_after_secs: i64,
    /// `fleet.token_window_secs`: how far a signed token's time may be from ours, either way.
    pub token_window_secs: i64,
    /// `fleet.confirm_above`: an action on more agents is launched only when confirmed.
    pub confirm_above: i64,
    /// `fleet.module_timeout_secs`: how long a module may run; a fetched command is leased for five minutes and this.
    pub module_timeout_secs: i64,
    /// `fleet.poll_secs`: how long an agent waits that finds no place for a long poll.
    pub poll_secs: u64,
    /// `fleet.spool`: taken from the data directory where it is relative.
    pub spool_dir: PathBuf,
    /// `fleet.spool_keep_hours`: how long files of what is over are kept.
    pub spool_keep_hours: i64,
}

impl FleetConfig {
    /// Before the defaults are put in.
    pub(super) fn unset() -> FleetConfig {
        FleetConfig {
            enrol: Enrol::Closed,
            agents_max: 0,
            heartbeat_secs: 0,
            offline_after_secs: 0,
            token_window_secs: 0,
            confirm_above: 0,
            module_timeout_secs: 0,
            poll_secs: 0,
            spool_dir: PathBuf::new(),
            spool_keep_hours: 0,
        }
    }

    /// The spans that decide between online, idle and offline.
    pub fn liveness(&self) -> Liveness {
        Liveness { period_secs: self.heartbeat_secs, offline_after_secs: self.offline_after_secs }
    }
}
