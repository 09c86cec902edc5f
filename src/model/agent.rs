// SPDX-License-Identifier: Apache-2.0
//! Agents as MIG's JSON has them, and the rule by which time alone decides whether one is online. How heartbeats are
//! checked and where agents are kept is not here.

use crate::model::go_json::go_struct;
use crate::model::timestamp::Timestamp;
use serde_json::Value;

/// Characters of a queueloc, as in MIG's table.
pub const QUEUELOC_BYTES_MAX: usize = 2048;
/// Bytes of an agent's name.
pub const NAME_BYTES_MAX: usize = 1024;
/// Bytes of an agent's version.
pub const VERSION_BYTES_MAX: usize = 128;

go_struct! {
    /// An agent: one process on one endpoint.
    pub struct Agent {
        /// Its id; 0 is none.
        id: i64 = "id" omit,
        /// The host's name, which is only a claim.
        name: String = "name",
        /// Its endpoint: where its commands wait.
        queueloc: String = "queueloc",
        /// `daemon` or `checkin`.
        mode: String = "mode",
        /// The agent's version.
        version: String = "version" omit,
        /// Its process id.
        pid: i64 = "pid" omit,
        /// The loader that installed it; muster knows none.
        loadername: String = "loadername" omit,
        /// When the server heard of it first.
        starttime: Timestamp = "starttime",
        /// When it was destroyed; [`Timestamp::NOT_FINISHED`] where it was not.
        destructiontime: Timestamp = "destructiontime",
        /// When the server heard of it last.
        heartbeatts: Timestamp = "heartbeatts",
        /// When it refreshed its environment, by its own clock.
        refreshts: Timestamp = "refreshts",
        /// [`AgentStatus::word`].
        status: String = "status" omit,
        /// Never set by MIG's API.
        authorized: bool = "authorized" omit,
        /// What it found out about its host.
        environment: Environment = "environment",
        /// What its configuration calls it: an object of texts.
        tags: Value = "tags" omit,
    }
}

go_struct! {
    /// What an agent found out about its host.
    pub struct Environment {
        /// The init system: `systemd`, `upstart`, ….
        init: String = "init" omit,
        /// The operating system in words: `Debian 12 bookworm`.
        ident: String = "ident" omit,
        /// `linux`, `darwin`, `windows`.
        os: String = "os" omit,
        /// `amd64` and so on, in Go's words.
        arch: String = "arch" omit,
        /// It reaches the server through a proxy.
        isproxied: bool = "isproxied",
        /// That proxy.
        proxy: String = "proxy" omit,
        /// Addresses of its interfaces, with their prefix lengths.
        addresses: Option<Vec<String>> = "addresses" omit,
        /// Its address as the server sees it.
        publicip: String = "publicip" omit,
        /// What Amazon calls it; `{}` elsewhere.
        aws: Aws = "aws",
        /// The modules that it has.
        modules: Option<Vec<String>> = "modules" omit,
    }
}

go_struct! {
    /// What Amazon calls a machine.
    pub struct Aws {
        /// The instance.
        instanceid: String = "instanceid" omit,
        /// Its address there.
        localipv4: String = "localipv4" omit,
        /// Its image.
        amiid: String = "amiid" omit,
        /// Its size.
        instancetype: String = "instancetype" omit,
    }
}

/// Where an agent stands. Time alone decides between the first three; only the last is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentStatus {
    /// Heard of within two heartbeat periods.
    Online,
    /// Not heard of for longer, but within the timeout.
    Idle,
    /// Not heard of since the timeout.
    Offline,
    /// An action told it to end.
    Destroyed,
}

impl AgentStatus {
    /// All of them.
    pub const ALL: [AgentStatus; 4] =
        [AgentStatus::Online, AgentStatus::Idle, AgentStatus::Offline, AgentStatus::Destroyed];

    /// The word for it, in MIG's JSON, on pages and in targets.
    pub fn word(self) -> &'static str {
        match self {
            AgentStatus::Online => "online",
            AgentStatus::Idle => "idle",
            AgentStatus::Offline => "offline",
            AgentStatus::Destroyed => "destroyed",
        }
    }

    /// The status that a word means, in any case.
    pub fn from_word(word: &str) -> Option<AgentStatus> {
        AgentStatus::ALL.into_iter().find(|status| status.word().eq_ignore_ascii_case(word))
    }
}

/// The two spans that decide between online, idle and offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// How often an agent beats, in seconds.
    pub period_secs: i64,
    /// After so many seconds without a heartbeat it is offline.
    pub offline_after_secs: i64,
}

/// The last moments of each status, at one moment of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// An agent that beat at this moment or later is online.
    pub online_from: i64,
    /// One that beat at this moment or later, and is not online, is idle.
    pub idle_from: i64,
}

impl Liveness {
    /// The thresholds at `now`.
    pub fn at(self, now: i64) -> Thresholds {
        let idle_from = now - self.offline_after_secs;
        Thresholds { online_from: (now - 2 * self.period_secs).max(idle_from), idle_from }
    }
}

impl Thresholds {
    /// The status of an agent that beat last at `heartbeat_at`.
    pub fn status(self, heartbeat_at: i64, is_destroyed: bool) -> AgentStatus {
        match heartbeat_at {
            _ if is_destroyed => AgentStatus::Destroyed,
            at if at >= self.online_from => AgentStatus::Online,
            at if at >= self.idle_from => AgentStatus::Idle,
            _ => AgentStatus::Offline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_alone_decides_the_status() {
        let liveness = Liveness { period_secs: 300, offline_after_secs: 1_200 };
        let cases = [
            (0, AgentStatus::Online),
            (600, AgentStatus::Online),
            (601, AgentStatus::Idle),
            (1_200, AgentStatus::Idle),
            (1_201, AgentStatus::Offline),
            (-30, AgentStatus::Online),
        ];
        for (age_secs, expected) in cases {
            let thresholds = liveness.at(1_000_000);
            assert_eq!(thresholds.status(1_000_000 - age_secs, false), expected, "{age_secs}");
            assert_eq!(thresholds.status(1_000_000 - age_secs, true), AgentStatus::Destroyed);
        }
        let short = Liveness { period_secs: 300, offline_after_secs: 400 }.at(1_000_000);
        assert_eq!(short.status(1_000_000 - 401, false), AgentStatus::Offline);
    }

    #[test]
    fn every_status_has_its_word() {
        for status in AgentStatus::ALL {
            assert_eq!(AgentStatus::from_word(status.word()), Some(status));
        }
        assert_eq!(AgentStatus::from_word("IDLE"), Some(AgentStatus::Idle));
        assert_eq!(AgentStatus::from_word("asleep"), None);
    }
}
