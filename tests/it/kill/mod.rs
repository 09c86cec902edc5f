// SPDX-License-Identifier: Apache-2.0
//! The server is killed, or told to stop, while records pour in: what was acknowledged is there, once.

mod clients;

use crate::hostile::random::Random;
use crate::hostile::stored::{all_records, assert_keeps_the_rules};
use crate::support::Server;
use clients::{Client, run_until};
use muster::clock::Clock;
use muster::store::{Missing, Store, StoreOptions};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const CLIENTS: u64 = 6;
/// What the restart may take.
const READY_MOST: Duration = Duration::from_secs(2);
/// What one restart of many may take where the machine is busy with something else.
const READY_MOST_ONCE: Duration = Duration::from_secs(10);

fn clients() -> Vec<Client> {
    (0..CLIENTS).map(Client::new).collect()
}

/// Lets the clients post for `time`, then ends the server by `end` while they still do.
fn post_until<T>(
    server: &mut Server,
    clients: &mut [Client],
    time: Duration,
    end: impl FnOnce(&mut Server) -> T,
) -> T {
    let is_over = AtomicBool::new(false);
    let address = server.address;
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| run_until(client, address, &is_over));
        }
        std::thread::sleep(time);
        let ended = end(server);
        is_over.store(true, Ordering::SeqCst);
        ended
    })
}

/// Every acknowledged record is stored under the id that was acknowledged, and no event is stored twice.
fn assert_all_there_once(server: &Server, clients: &[Client]) {
    let records = all_records(server);
    let mut ids: HashMap<String, i64> = HashMap::new();
    for record in &records {
        assert_keeps_the_rules(record);
        let earlier =
            ids.insert(record["event_id"].as_str().unwrap().to_owned(), record["id"].as_i64().unwrap());
        assert_eq!(earlier, None, "stored twice: {record}");
    }
    let acknowledged: Vec<_> = clients.iter().flat_map(|client| &client.acknowledged).collect();
    for (event, id) in &acknowledged {
        assert_eq!(ids.get(&format!("{event:032x}")), Some(id), "event {event:x} was acknowledged as {id}");
    }
    // The export walks over the same records by other means; no payload here has a line end.
    let export = server.get("/records/export/records-1.csv").text();
    assert_eq!(export.lines().count(), records.len() + 1, "the export is not whole");
    // Beyond those, at most what was under way when the server ended.
    let unanswered: usize = clients.iter().map(|client| usize::from(client.pending.is_some())).sum();
    assert!(
        records.len() <= acknowledged.len() + unanswered,
        "{} > {} + {unanswered}",
        records.len(),
        acknowledged.len()
    );
}

/// Copies the database and its log as they lie, and has SQLite check the copy; the files themselves stay as they are.
fn assert_sound(data_dir: &Path) {
    let copy = tempfile::tempdir().unwrap();
    for name in ["muster.db", "muster.db-wal"] {
        if data_dir.join(name).exists() {
            std::fs::copy(data_dir.join(name), copy.path().join(name)).unwrap();
        }
    }
    let checked =
        Command::new("sqlite3").arg(copy.path().join("muster.db")).arg("PRAGMA integrity_check").output();
    match checked {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.trim(), "ok");
        }
        // There is no such program here.
        Err(_) => {
            let options = StoreOptions {
                data_dir: copy.path().to_owned(),
                missing: Missing::Refuse,
                disk_reserve_bytes: 0,
                readers: 1,
                clock: Clock::system(),
            };
            Store::open(&options).unwrap().quick_check().unwrap();
        }
    }
}

#[test]
fn after_twenty_kills_under_load_every_acknowledged_record_is_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut random = Random::new(20);
    let mut clients = clients();
    let mut waits = Vec::new();
    let mut acknowledged_before = 0;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let mut server = Server::start_on(&data_dir);
        waits.push(begun.elapsed());
        // What was acknowledged last, of each client, is there now.
        for (event, id) in clients.iter().filter_map(|client| client.acknowledged.last()) {
            let answer = server.get(&format!("/api/records?event_id={event:032x}"));
            let found = answer.json()["records"].as_array().unwrap().clone();
            assert_eq!(found.len(), 1, "round {round}: event {event:x}");
            assert_eq!(found[0]["id"], *id, "round {round}");
        }
        let time = Duration::from_millis(50 + random.below(350) as u64);
        post_until(&mut server, &mut clients, time, Server::kill);
        let acknowledged: usize = clients.iter().map(|client| client.acknowledged.len()).sum();
        if round % 5 == 4 {
            assert!(
                acknowledged > acknowledged_before,
                "nothing was stored in rounds {} to {round}",
                round - 4
            );
            acknowledged_before = acknowledged;
            assert_sound(&data_dir);
        }
    }
    let mut server = Server::start_on(&data_dir);
    assert_all_there_once(&server, &clients);
    // What was not acknowledged is sent again, as the real client does.
    clients.iter_mut().for_each(|client| client.finish(server.address));
    assert_all_there_once(&server, &clients);
    let acknowledged: usize = clients.iter().map(|client| client.acknowledged.len()).sum();
    assert_eq!(all_records(&server).len(), acknowledged);
    assert_eq!(server.stop(), Some(0));
    assert_sound(&data_dir);
    waits.sort();
    assert!(waits[ROUNDS / 2] <= READY_MOST && waits[ROUNDS - 1] <= READY_MOST_ONCE, "ready after {waits:?}");
}

#[test]
fn a_stop_under_load_exits_with_0_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut clients = clients();
    for _ in 0..4 {
        let mut server = Server::start_on(&data_dir);
        // An idle connection and a stream hold nothing up.
        let idle = server.connect();
        let mut stream = server.connect();
        stream.send(b"GET /records/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let (code, took) = post_until(&mut server, &mut clients, Duration::from_millis(400), |server| {
            let begun = Instant::now();
            (server.stop(), begun.elapsed())
        });
        assert_eq!(code, Some(0), "{}", server.log());
        assert!(took < Duration::from_secs(15), "the stop took {took:?}:\n{}", server.log());
        let left = std::fs::metadata(data_dir.join("muster.db-wal")).map_or(0, |log| log.len());
        assert_eq!(left, 0, "the log is not emptied:\n{}", server.log());
        drop((idle, stream));
        assert_sound(&data_dir);
    }
    let server = Server::start_on(&data_dir);
    clients.iter_mut().for_each(|client| client.finish(server.address));
    assert_all_there_once(&server, &clients);
}
