// SPDX-License-Identifier: Apache-2.0
//! Purging and deleting on a disk that is full or nearly so: what an admin does then must get through.

use super::small_disk::SmallDisk;
use crate::hostile::random::Random;
use crate::support::Server;
use crate::support::server::Options;
use muster::clock::Clock;
use muster::model::time::DAY_SECS;
use muster::store::Store;
use muster::store::bulk::BulkLoad;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const DISK_BYTES: usize = 24 << 20;
const RECORDS: u64 = 3_000;
/// Those of the last day, which are kept.
const KEPT: u64 = 100;

/// A disk with a database of some 8 MB, most of which is over.
fn used_disk() -> SmallDisk {
    // SQLite cannot use the disk itself from here: it resolves the path to one of our own namespace.
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(&crate::store::options(directory.path(), &Clock::system())).unwrap());
    let mut load = BulkLoad::begin(directory.path(), false).unwrap();
    let now = Clock::system().now();
    for number in 0..RECORDS {
        let received_at = match number < RECORDS - KEPT {
            true => now - 20 * DAY_SECS + number as i64,
            false => now - 3_600 + number as i64,
        };
        let mut record = crate::derived::mixed(number);
        record.captured_at += received_at - crate::store::NOW;
        if number % 2 == 0 {
            // Not to be made smaller by deflating it.
            let bytes = Random::new(number).bytes(2_500);
            record.payload.extend(bytes.iter().map(|byte| char::from(b'!' + byte % 90)));
        }
        load.insert(record, received_at).unwrap();
    }
    load.finish(|_| {}).unwrap();
    let disk = SmallDisk::mount(DISK_BYTES);
    copy_database(directory.path(), &disk.seen_from_outside());
    let (code, _, err) = run(&disk, &["purge", "--dry-run"]);
    assert!(code == 0 && disk.seen_from_outside().join("ballast").exists(), "{err}");
    disk
}

fn copy_database(from: &Path, to: &Path) {
    let log = std::fs::metadata(from.join("muster.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is not emptied");
    std::fs::copy(from.join("muster.db"), to.join("muster.db")).unwrap();
}

fn assert_exact(disk: &SmallDisk) {
    let directory = tempfile::tempdir().unwrap();
    copy_database(&disk.seen_from_outside(), directory.path());
    crate::store::assert_counts_are_exact(directory.path());
}

/// Runs the program where it sees the disk: exit status, standard output, standard error.
fn run(disk: &SmallDisk, words: &[&str]) -> (i32, String, String) {
    let wrapper = disk.wrapper();
    let Output { status, stdout, stderr } = Command::new(&wrapper[0])
        .args(&wrapper[1..])
        .arg(env!("CARGO_BIN_EXE_muster"))
        .args(words)
        .arg("--data")
        .arg(disk.path())
        .env("MUSTER_RETENTION_DAYS", "1")
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn assert_purges(disk: &SmallDisk, what: &str) {
    let (code, out, err) = run(disk, &["purge"]);
    let removed = format!("Removed {} records\n", RECORDS - KEPT);
    assert!(code == 0 && out.starts_with(&removed), "{what}: {out}{err}");
    // The space went back to the disk, and the ballast is held for the next time.
    assert!(disk.free_bytes() > 3 << 20, "{what}: {} bytes are free", disk.free_bytes());
    assert!(disk.seen_from_outside().join("ballast").exists(), "{what}");
    assert!(!err.contains("ERROR") && !err.contains("still reads it"), "{what}: {err}");
}

#[test]
fn a_purge_gets_through_on_a_full_disk() {
    for left in [0, 300_000, 1_500_000, 3_000_000, 6_000_000] {
        let disk = used_disk();
        disk.fill_until("filler", left);
        assert_purges(&disk, &format!("{left} bytes free"));
        assert_exact(&disk);
    }
}

#[test]
fn a_purge_beside_a_server_gets_through_on_a_full_disk() {
    for left in [0, 300_000, 1_500_000] {
        let disk = used_disk();
        let server = Server::start_with(Options {
            data_dir: Some(disk.path()),
            wrapper: disk.wrapper(),
            ..Options::default()
        });
        assert_eq!(server.get("/records").status, 200);
        disk.fill_until("filler", left);
        assert_purges(&disk, &format!("{left} bytes free"));
        assert_eq!(server.get("/records").status, 200);
        server.post_record(1, "there is room again");
    }
}

#[test]
fn a_deletion_gets_through_on_a_full_disk() {
    let disk = used_disk();
    disk.fill_until("filler", 0);
    let (code, out, err) = run(&disk, &["delete", "--all", "--yes"]);
    assert!(code == 0 && out == format!("Deleted {RECORDS} records\n"), "{out}{err}");
    assert_exact(&disk);
}

#[test]
fn what_cannot_be_purged_at_all_says_what_helps() {
    let disk = used_disk();
    std::fs::remove_file(disk.seen_from_outside().join("ballast")).unwrap();
    // Enough to open the database, and no more.
    disk.fill_until("filler", 80_000);
    let began = std::time::Instant::now();
    let (code, out, err) = run(&disk, &["purge"]);
    assert!(code == 1 && err.contains("The disk is full; free some space"), "{code}: {out}{err}");
    // The parts of a purge try again, but not for long.
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(err.contains("muster.db"), "{err}");
    assert!(!err.contains("record cannot be stored") && !err.contains("still reads it"), "{err}");
    // As much as it says.
    disk.free("filler");
    disk.fill_until("filler", 2 << 20);
    assert_purges(&disk, "after space was freed");
}
