// SPDX-License-Identifier: Apache-2.0
//! A minute of full load: the log of the database and the memory stay bounded, and reading goes on.

use crate::hostile::MEMORY_KIB_MAX;
use crate::hostile::random::Random;
use crate::support::{Connection, Server, record_fields};
use muster::store::WAL_BYTES_THRESHOLD;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const POSTING: u64 = 12;
const LOADED: Duration = Duration::from_secs(15);
/// The same where there is time.
const LOADED_LONG: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Posts on a kept connection until it is over; every answer must be 201. How many there were.
fn post_until(address: SocketAddr, number: u64, is_over: &AtomicBool) -> u64 {
    let mut connection = Connection::open(address).unwrap();
    let mut random = Random::new(number);
    let mut made = 0;
    while !is_over.load(Ordering::SeqCst) {
        made += 1;
        // Mostly small; some so large that the log grows fast.
        let n = if random.one_in(16) { 40_000 } else { 600 };
        let payload: Vec<u8> = random.bytes(n).iter().map(|byte| b' ' + byte % 90).collect();
        let answer = connection.request("POST", "/", &record_fields(number << 40 | made), &payload).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    made
}

/// Lists and exports over and over; none may fail. How many there were.
fn read_until(address: SocketAddr, number: u64, is_over: &AtomicBool) -> u64 {
    let paths = [
        "/api/records?limit=2000",
        "/records",
        "/api/records?limit=200&severity=1&payload=zz",
        "/records/export/records-1.csv?created_in_sec=5",
    ];
    let mut connection = Connection::open(address).unwrap();
    let mut done = 0;
    while !is_over.load(Ordering::SeqCst) {
        let path = paths[((done + number) % 4) as usize];
        let path = if path.contains("export") && done > 40 { "/api/records?limit=500" } else { path };
        let answer = connection.request("GET", path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        done += 1;
    }
    done
}

/// A reader that takes minutes for its answer.
fn read_slowly(address: SocketAddr, is_over: &AtomicBool) {
    use std::io::Read;
    let mut connection = Connection::open(address).unwrap();
    connection.send(b"GET /api/records HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut piece = vec![0; 64 << 10];
    while !is_over.load(Ordering::SeqCst) {
        // The end of the answer is no failure.
        let _ = connection.stream.read(&mut piece);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn full_load_keeps_log_and_memory_bounded() {
    let server = Server::start();
    let is_over = AtomicBool::new(false);
    let (posted, read) = (AtomicU64::new(0), AtomicU64::new(0));
    let wal = server.data_dir.join("muster.db-wal");
    let (mut longest, mut turns, mut before) = (0, 0, 0);
    std::thread::scope(|scope| {
        let (over, posted, read, address) = (&is_over, &posted, &read, server.address);
        for number in 1..=POSTING {
            scope.spawn(move || posted.fetch_add(post_until(address, number, over), Ordering::SeqCst));
        }
        for number in 0..2 {
            scope.spawn(move || read.fetch_add(read_until(address, number, over), Ordering::SeqCst));
        }
        scope.spawn(move || read_slowly(address, over));
        let begun = Instant::now();
        let loaded = if std::env::var_os("MUSTER_TEST_LONG").is_some() { LOADED_LONG } else { LOADED };
        while begun.elapsed() < loaded {
            let bytes = std::fs::metadata(&wal).map_or(0, |file| file.len());
            longest = longest.max(bytes);
            turns += u64::from(bytes < before);
            before = bytes;
            std::thread::sleep(LOOK_EVERY);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let (_, memory) = server.memory_kib();
    let (posted, read) = (posted.into_inner(), read.into_inner());
    println!(
        "{posted} records, {read} readings, log at most {longest} bytes and emptied {turns} times, {memory} KiB"
    );
    assert!(longest <= 3 * WAL_BYTES_THRESHOLD, "the log grew to {longest} bytes");
    assert!(longest < WAL_BYTES_THRESHOLD || turns > 0, "the log was never emptied");
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    assert!(posted > 1_000 && read > 10, "{posted} records and {read} readings are no load");
    let log = server.log();
    assert!(!log.contains("ERROR") && !log.contains("panic"), "{log}");
}
