// SPDX-License-Identifier: Apache-2.0
//! The time that the disk takes to make a write durable: without it no rate of durable posts means anything.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const WRITES: usize = 100;

/// Median and 99th percentile of a write of 4 KiB with fdatasync in `dir`.
pub fn fdatasync_times(dir: &Path) -> (Duration, Duration) {
    let mut file = File::create(dir.join("fdatasync")).unwrap();
    let mut times: Vec<Duration> = (0..WRITES)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    times.sort();
    (times[WRITES / 2], times[WRITES - 1])
}
