// SPDX-License-Identifier: Apache-2.0
//! The limits of the wire in one place, with their defaults. Deadlines are absolute: a byte a second does not extend them.

use ipnet::IpNet;
use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// Descriptors that connections leave for SQLite, files and the listening sockets.
const DESCRIPTORS_KEPT: u64 = 64;

/// Fewer connections than this make no server, whatever the descriptor limit says.
const CONNECTIONS_LEAST: usize = 8;

/// Body bytes that every connection may hold without asking the common budget: most bodies are smaller, so that a
/// few slow large ones never hold them up.
const BODY_BYTES_FREE: usize = 16 * 1024;

/// What a connection and all connections together may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request head, request line and empty lines included; beyond them 431. At least 512.
    pub head_bytes_max: usize,
    /// Fields of a request head; beyond them 431. At most 128.
    pub fields_max: usize,
    /// For the whole head: from accept for the first request of a connection, from its first byte for later ones.
    pub head_timeout: Duration,
    /// Between an answer and the first byte of the next request.
    pub idle_timeout: Duration,
    /// For a whole request body.
    pub body_timeout: Duration,
    /// For each 64 KiB of an answer.
    pub write_timeout: Duration,
    /// Bytes of all request bodies in memory together.
    pub bodies_bytes_max: usize,
    /// How long a body waits for its share of `bodies_bytes_max` before 503.
    pub bodies_wait: Duration,
    /// How long input is discarded after an early answer.
    pub discard_timeout: Duration,
    /// How much input is discarded after an early answer.
    pub discard_bytes_max: usize,
    /// Connections at once; the descriptor limit may make it less, see [`Limits::connection_cap`].
    pub connections_max: usize,
    /// Peers that speak for many, like a proxy: each other address, of IPv6 each network of 64 bits, holds a quarter of
    /// the connections at most.
    pub crowds: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes_max: 16 * 1024,
            fields_max: 64,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            bodies_bytes_max: 32 * 1024 * 1024,
            bodies_wait: Duration::from_secs(5),
            discard_timeout: Duration::from_secs(2),
            discard_bytes_max: 16 * 1024 * 1024,
            connections_max: 1024,
            crowds: Vec::new(),
        }
    }
}

impl Limits {
    /// Connections at once: the smaller of `connections_max` and the descriptor limit less 64, but at least 8.
    pub fn connection_cap(&self) -> usize {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let room = usize::try_from(descriptors.saturating_sub(DESCRIPTORS_KEPT)).unwrap_or(usize::MAX);
        self.connections_max.min(room).max(CONNECTIONS_LEAST)
    }

    /// Body bytes that each of `cap` connections holds without asking the budget: at most half the budget together.
    pub(super) fn body_bytes_free(&self, cap: usize) -> usize {
        BODY_BYTES_FREE.min(self.bodies_bytes_max / 2 / cap.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_at_least_8_and_at_most_what_is_asked_for() {
        assert_eq!(Limits { connections_max: 1, ..Limits::default() }.connection_cap(), 8);
        assert_eq!(Limits { connections_max: 20, ..Limits::default() }.connection_cap(), 20);
    }

    #[test]
    fn the_free_part_of_bodies_is_at_most_half_the_budget() {
        let limits = Limits::default();
        assert_eq!(limits.body_bytes_free(1024), 16 * 1024);
        assert_eq!(limits.body_bytes_free(2048), 8 * 1024);
    }
}
