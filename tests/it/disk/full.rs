// SPDX-License-Identifier: Apache-2.0
//! A full disk: reads go on, posts are put off, and all is well again once there is space.

use super::small_disk::SmallDisk;
use crate::hostile::pairs;
use crate::hostile::stored::all_records;
use crate::support::server::Options;
use crate::support::{Server, record_fields, with};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const DISK_BYTES: usize = 24 << 20;
/// How long a server may take to notice that there is space.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(disk: &SmallDisk, config: Option<&str>) -> Server {
    let options = Options {
        data_dir: Some(disk.path()),
        config: config.map(str::to_owned),
        wrapper: disk.wrapper(),
        ..Options::default()
    };
    Server::start_with(options)
}

/// Posts that were acknowledged, by event.
#[derive(Default)]
struct Posted {
    next_event: u64,
    acknowledged: BTreeSet<u64>,
}

impl Posted {
    /// Posts a record of `bytes`; its status. What is refused must be put off properly.
    fn post(&mut self, server: &Server, bytes: usize) -> u16 {
        self.next_event += 1;
        // Not to be made smaller by deflating it.
        let payload: Vec<u8> = crate::hostile::random::Random::new(self.next_event)
            .bytes(bytes)
            .iter()
            .map(|byte| b'!' + byte % 90)
            .collect();
        let answer = server.post(&record_fields(self.next_event), &payload);
        match answer.status {
            201 => drop(self.acknowledged.insert(self.next_event)),
            503 => assert!(answer.header("retry-after").is_some(), "503 without Retry-After"),
            status => panic!("{status}: {}", answer.text()),
        }
        answer.status
    }

    /// Everything that was acknowledged can be read, and nothing else is there.
    fn assert_intact(&self, server: &Server) {
        let events: BTreeSet<u64> = all_records(server)
            .iter()
            .map(|record| u64::from_str_radix(record["event_id"].as_str().unwrap(), 16).unwrap())
            .collect();
        assert_eq!(events, self.acknowledged);
    }
}

/// Fills the disk. The writer finds it short then and empties its log, which gives some back, so it is filled twice.
fn fill(disk: &SmallDisk, server: &Server, posted: &mut Posted, left: u64) {
    disk.fill_until("filler", left);
    posted.post(server, 10);
    disk.fill_until("filler", left);
}

/// What must hold while nothing can be stored.
fn assert_only_reads(server: &Server, posted: &mut Posted) {
    for bytes in [10, 10_000] {
        assert_eq!(posted.post(server, bytes), 503);
    }
    posted.assert_intact(server);
    for path in ["/records", "/records/1", "/healthz", "/records/export/records-1.csv", "/records/quarantine"]
    {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.header("retry-after").is_some()), (503, true), "{}", ready.text());
    // A record that breaks a rule cannot be kept aside either: its sender must not take it for kept.
    let unattended = with(with(record_fields(1), "User-Agent", None), "arch", Some("no way"));
    assert_eq!(server.post(&unattended, b"x").status, 503);
    assert_eq!(server.request("GET", "/records", &pairs(&[("Accept", "text/html")]), b"").status, 200);
}

/// Waits until posts are taken again.
fn assert_recovers(server: &Server, posted: &mut Posted) {
    let begun = Instant::now();
    while posted.post(server, 100) != 201 {
        assert!(begun.elapsed() < PATIENCE, "it does not recover:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    for bytes in [10, 1_000, 100_000] {
        assert_eq!(posted.post(server, bytes), 201, "{}", server.log());
    }
    assert_eq!(server.get("/readyz").status, 200);
    posted.assert_intact(server);
}

#[test]
fn a_full_disk_puts_posts_off_and_free_space_takes_them_again() {
    let disk = SmallDisk::mount(DISK_BYTES);
    let mut server = start(&disk, None);
    let mut posted = Posted::default();
    for _ in 0..20 {
        assert_eq!(posted.post(&server, 1_000), 201);
    }
    // Under the reserve, and then without a single free page.
    for left in [1 << 20, 0] {
        fill(&disk, &server, &mut posted, left);
        assert_only_reads(&server, &mut posted);
    }
    disk.free("filler");
    assert_recovers(&server, &mut posted);
    assert_eq!(server.stop(), Some(0));
    posted.assert_intact(&start(&disk, None));
}

#[test]
fn records_themselves_fill_the_disk_up_to_the_reserve_and_no_further() {
    let disk = SmallDisk::mount(DISK_BYTES);
    let mut server = start(&disk, None);
    let mut posted = Posted::default();
    while posted.post(&server, 200_000) == 201 {
        assert!(posted.next_event < 1_000);
    }
    assert!(posted.acknowledged.len() > 20, "only {} records found room", posted.acknowledged.len());
    assert!(disk.free_bytes() > 1 << 20, "{} bytes are left for a restart", disk.free_bytes());
    assert_only_reads(&server, &mut posted);
    // It also stops and starts in order where there is nothing to spare.
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let server = start(&disk, None);
    posted.assert_intact(&server);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_start_on_a_disk_without_a_free_byte_serves_reads_and_recovers() {
    let disk = SmallDisk::mount(DISK_BYTES);
    let mut server = start(&disk, None);
    let mut posted = Posted::default();
    for _ in 0..50 {
        assert_eq!(posted.post(&server, 2_000), 201);
    }
    // Three times: what the first restart finds to let go of, the next ones have no more.
    for round in 0..3 {
        disk.fill_until("filler", 0);
        server.kill();
        let begun = Instant::now();
        server = start(&disk, None);
        assert!(begun.elapsed() < Duration::from_secs(15), "round {round}: {:?}", begun.elapsed());
        fill(&disk, &server, &mut posted, 0);
        assert_only_reads(&server, &mut posted);
    }
    // Also after a stop in order, which leaves no log and no shared memory behind.
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    disk.fill_until("filler", 0);
    let outcome = Server::try_start(Options {
        data_dir: Some(disk.path()),
        config: None,
        wrapper: disk.wrapper(),
        ..Options::default()
    });
    match outcome {
        Ok(server) => assert_only_reads(&server, &mut posted),
        // There is not even room for the shared memory of readers: said clearly, and nothing is lost.
        Err(log) => assert!(log.contains("disk is full") || log.contains("space"), "{log}"),
    }
    disk.free("filler");
    let server = start(&disk, None);
    assert_recovers(&server, &mut posted);
}

#[test]
fn a_disk_that_fills_in_the_midst_of_a_transaction_loses_nothing_that_was_acknowledged() {
    let disk = SmallDisk::mount(DISK_BYTES);
    // Without a reserve it is SQLite that finds the disk full.
    let mut server = start(&disk, Some("[store]\ndisk_reserve = 0\n"));
    let mut posted = Posted::default();
    for round in 0..3 {
        disk.fill_until("filler", 600_000);
        while posted.post(&server, 50_000) == 201 {
            assert!(posted.next_event < 2_000);
        }
        // Smaller ones may still find room; in the end none does.
        while posted.post(&server, 2_000) == 201 || posted.post(&server, 10) == 201 {
            assert!(posted.next_event < 10_000);
        }
        for path in ["/records", "/healthz", "/api/records"] {
            assert_eq!(server.get(path).status, 200, "round {round}: {path}");
        }
        posted.assert_intact(&server);
        if round == 1 {
            server.kill();
            server = start(&disk, Some("[store]\ndisk_reserve = 0\n"));
            posted.assert_intact(&server);
        }
        disk.free("filler");
        assert_recovers(&server, &mut posted);
    }
    assert!(!server.log().contains("panic"), "{}", server.log());
    assert_eq!(server.stop(), Some(0));
    posted.assert_intact(&start(&disk, None));
}
