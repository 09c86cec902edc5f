// SPDX-License-Identifier: Apache-2.0
//! What a network sends that no client should: against the real binary, during which others are served.

mod bodies;
mod connections;
mod fields;
mod mutants;
mod pages;
pub mod random;
pub mod stored;

use crate::support::client::Answer;
use crate::support::server::Options;
use crate::support::{Connection, Server, record_fields};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Under this the server's memory stays, whatever is asked for.
pub const MEMORY_KIB_MAX: u64 = 120 * 1024;

/// How long anything may take that should be quick, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// Words as name-value pairs.
pub fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A server with lines of configuration.
fn configured(config: &str) -> Server {
    Server::start_with(Options { config: Some(config.to_owned()), ..Options::default() })
}

/// A server started through `prlimit --nofile=N`.
fn with_descriptors(limit: u64) -> Server {
    let wrapper = vec!["prlimit".to_owned(), format!("--nofile={limit}:{limit}")];
    Server::start_with(Options { wrapper, ..Options::default() })
}

/// The head of a good record with `fields`, ended but for what frames the body.
fn record_head(fields: &[(String, String)]) -> Vec<u8> {
    let mut head = b"POST / HTTP/1.1\r\nHost: muster.example\r\n".to_vec();
    for (name, value) in fields {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head
}

/// Sends bytes on a connection of their own, shuts the write side and reads all that comes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may have answered and closed before it has all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    read_all(&mut stream)
}

/// All bytes up to the end of the connection, which must come.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let is_over = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(is_over, "the connection hangs: {error}; it said {:?}", String::from_utf8_lossy(&bytes));
    }
    bytes
}

/// The status of the first answer in these bytes; 0 where there is none.
fn status_of(bytes: &[u8]) -> u16 {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

/// A client that behaves: it posts records, on a connection kept and on new ones, and looks at pages, for as long as
/// `is_over` is false. Every answer must be a good one. Returns the ids of its records.
fn behave(address: SocketAddr, first_event: u64, is_over: &AtomicBool) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut kept = Kept { address, connection: Connection::open(address).unwrap() };
    let mut event = first_event;
    while !is_over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let fields = record_fields(event);
        let answer = if event.is_multiple_of(2) {
            kept.request("POST", "/", &fields, b"a good record")
        } else {
            Connection::open(address).unwrap().request("POST", "/", &fields, b"a good record").unwrap()
        };
        assert!(begun.elapsed() < PATIENCE, "a good client waited {:?}", begun.elapsed());
        assert_eq!(answer.status, 201, "a good record was refused: {}", answer.text());
        ids.push(answer.json()["id"].as_i64().unwrap());
        let path = ["/healthz", "/records", "/api/records?limit=5"][(event % 3) as usize];
        let answer = kept.request("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        event += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    ids
}

/// A connection that is opened anew where the server closed it between two requests, as it may for a newcomer.
struct Kept {
    address: SocketAddr,
    connection: Connection,
}

impl Kept {
    /// The answer, at the second try at the latest.
    fn request(&mut self, method: &str, target: &str, fields: &[(String, String)], body: &[u8]) -> Answer {
        self.connection.request(method, target, fields, body).unwrap_or_else(|_| {
            self.connection = Connection::open(self.address).unwrap();
            self.connection.request(method, target, fields, body).unwrap()
        })
    }
}

/// Runs `trouble` while a client that behaves is served, and returns the ids of the records it posted meanwhile.
fn while_others_are_served(server: &Server, trouble: impl FnOnce()) -> Vec<i64> {
    let is_over = AtomicBool::new(false);
    let ids = std::thread::scope(|scope| {
        let client = scope.spawn(|| behave(server.address, 0x6000_0000, &is_over));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(trouble));
        is_over.store(true, Ordering::SeqCst);
        let ids = client.join().unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        ids
    });
    assert!(!ids.is_empty(), "the good client was not served at all");
    ids
}
