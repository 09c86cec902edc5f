// SPDX-License-Identifier: Apache-2.0
//! Clients as the real one is: each sends a record until it is acknowledged, then the next.

use crate::hostile::random::Random;
use crate::support::{Answer, Connection, record_fields};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A record that was made and not yet acknowledged; sent again byte for byte.
#[derive(Clone)]
pub struct Pending {
    event: u64,
    payload: Vec<u8>,
}

/// A client with what it knows.
pub struct Client {
    random: Random,
    number: u64,
    made: u64,
    /// Event and id of every record that was answered 201.
    pub acknowledged: Vec<(u64, i64)>,
    /// What was sent without an answer.
    pub pending: Option<Pending>,
}

impl Client {
    /// The client of a number.
    pub fn new(number: u64) -> Client {
        Client { random: Random::new(number + 100), number, made: 0, acknowledged: Vec::new(), pending: None }
    }

    fn next_record(&mut self) -> Pending {
        if let Some(pending) = self.pending.clone() {
            return pending;
        }
        self.made += 1;
        // Small and large ones: some are stored deflated, and batches differ in their size.
        let n = if self.random.one_in(20) { self.random.below(60_000) } else { self.random.below(900) };
        let payload = self.random.bytes(n).iter().map(|byte| b' ' + byte % 90).collect();
        let pending = Pending { event: self.number << 32 | self.made, payload };
        self.pending = Some(pending.clone());
        pending
    }

    /// Takes an answer in; what is neither stored nor put off is a failure.
    fn take(&mut self, event: u64, answer: &Answer) {
        match answer.status {
            201 => {
                let record = answer.json();
                assert_eq!(record["event_id"], format!("{event:032x}"));
                self.acknowledged.push((event, record["id"].as_i64().unwrap()));
                self.pending = None;
            }
            503 => assert!(answer.header("retry-after").is_some(), "{}", answer.text()),
            status => panic!("{status}: {}", answer.text()),
        }
    }

    /// Sends what is not acknowledged until it is.
    pub fn finish(&mut self, address: SocketAddr) {
        while let Some(record) = self.pending.clone() {
            let answer = Connection::open(address).unwrap().request(
                "POST",
                "/",
                &record_fields(record.event),
                &record.payload,
            );
            self.take(record.event, &answer.unwrap());
        }
    }
}

/// Posts until `is_over` or the server is gone. Every other client opens a connection for each record.
pub fn run_until(client: &mut Client, address: SocketAddr, is_over: &AtomicBool) {
    let mut kept: Option<Connection> = None;
    while !is_over.load(Ordering::SeqCst) {
        let record = client.next_record();
        let mut connection = match kept.take().map_or_else(|| Connection::open(address), Ok) {
            Ok(connection) => connection,
            // It is being killed or stopped.
            Err(_) => {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
        };
        match connection.request("POST", "/", &record_fields(record.event), &record.payload) {
            Ok(answer) => {
                client.take(record.event, &answer);
                let stays = answer.header("connection").is_none_or(|value| value != "close");
                kept = (client.number.is_multiple_of(2) && stays).then_some(connection);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
