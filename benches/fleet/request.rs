// SPDX-License-Identifier: Apache-2.0
//! A heartbeat as an agent sends it, made once and changed in place. It stands where the load has its records.

use muster::model::time::rfc3339;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::record_request::Answers;

/// How many agents beat, and the number of the next heartbeat.
static AGENTS: AtomicU64 = AtomicU64::new(1);
static NEXT: AtomicU64 = AtomicU64::new(0);

const NUMBER: &str = "0000000";

/// The bytes of a heartbeat.
pub struct Request {
    bytes: Vec<u8>,
    number_at: Vec<usize>,
    start_time_at: usize,
}

/// From now on so many agents beat in turn, from the first.
pub fn set_agents(count: u64) {
    AGENTS.store(count, Ordering::Relaxed);
    NEXT.store(0, Ordering::Relaxed);
}

/// The name of an agent's host.
pub fn name(number: u64) -> String {
    format!("bench{number:07}.example.net")
}

/// Where an agent's commands wait.
pub fn queueloc(number: u64) -> String {
    format!("linux.{}", name(number))
}

/// The key of an agent.
pub fn key(number: u64) -> String {
    format!("key-of-bench-agent-{number:07}")
}

/// The time in the form of MIG.
pub fn now_text() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    rfc3339(now as i64)
}

impl Request {
    /// Heartbeats; over which connection is all the same to them.
    pub fn new(_: usize, _: bool) -> Request {
        let now = now_text();
        let body = format!(
            "{{\"name\":\"bench{NUMBER}.example.net\",\"mode\":\"daemon\",\"version\":\"20261110-c04d9e8\",\"pid\":4001,\
             \"queueLoc\":\"linux.bench{NUMBER}.example.net\",\"startTime\":\"{now}\",\
             \"refreshTime\":\"2026-01-01T00:00:00Z\",\"environment\":{{\"init\":\"systemd\",\
             \"ident\":\"Debian 13 trixie\",\"os\":\"linux\",\"arch\":\"amd64\",\"isProxied\":false,\
             \"addresses\":[\"192.0.2.9/24\",\"fe80::9/64\"],\"publicIP\":\"192.0.2.9\",\
             \"modules\":[\"agentdestroy\",\"file\",\"timedrift\"]}},\
             \"tags\":[{{\"name\":\"operator\",\"value\":\"IT\"}},{{\"name\":\"site\",\"value\":\"bench\"}}]}}"
        );
        let head = format!(
            "POST /api/v1/heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer key-of-bench-agent-{NUMBER}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let text = head + &body;
        Request {
            number_at: text.match_indices(NUMBER).map(|(at, _)| at).collect(),
            start_time_at: text.find(&now).unwrap(),
            bytes: text.into_bytes(),
        }
    }

    /// The bytes of the heartbeat that is next.
    pub fn next(&mut self) -> &[u8] {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % AGENTS.load(Ordering::Relaxed);
        self.of(number)
    }

    /// The bytes of a heartbeat of one agent, sent now.
    pub fn of(&mut self, number: u64) -> &[u8] {
        let digits = format!("{number:07}");
        for at in &self.number_at {
            self.bytes[*at..*at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        let now = now_text();
        self.bytes[self.start_time_at..][..now.len()].copy_from_slice(now.as_bytes());
        &self.bytes
    }
}
