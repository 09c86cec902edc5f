// SPDX-License-Identifier: Apache-2.0
//! Hostile input while others are served.

use super::*;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::time::Instant;

/// Resident memory of this process in KiB.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_header_line_of_300_mb_is_never_held() {
    let server = TestServer::start();
    for start in [
        "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "GET /",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ] {
        let mut stream = server.connect();
        stream.write_all(start.as_bytes()).unwrap();
        let before = resident_kib();
        let piece = vec![b'y'; 1 << 20];
        let mut n_sent = 0;
        while n_sent < 300 && stream.write_all(&piece).is_ok() {
            n_sent += 1;
            if n_sent % 10 == 0 {
                server.check_alive();
            }
        }
        assert!(n_sent < 100, "the server took {n_sent} MiB");
        // Other tests run at the same time, so this is a loose bound.
        assert!(resident_kib() < before + 150_000);
        server.check_alive();
    }
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(4 << 20));
    assert_eq!(status_of(&server.send(head)), 431);
}

const SEEDS: [&str; 6] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HEAD http://b/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
];

fn below(rng: &mut TestRng, n: usize) -> usize {
    rng.next_u32() as usize % n.max(1)
}

/// A seed with a few bytes changed, dropped, doubled or swapped for hostile ones; sometimes noise alone.
fn hostile(rng: &mut TestRng) -> Vec<u8> {
    if below(rng, 10) == 0 {
        let n = below(rng, 300);
        return (0..n).map(|_| rng.next_u32() as u8).collect();
    }
    let mut bytes = SEEDS[below(rng, SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len());
        let end = (at + below(rng, 20)).min(bytes.len());
        match below(rng, 6) {
            0 => bytes[at] = rng.next_u32() as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => bytes.truncate(at.max(1)),
            4 => bytes.insert(at, b"\r\n\0 :,;\t\x1b\xff0f-+"[below(rng, 14)]),
            _ => {
                bytes.splice(at..at, SEEDS[below(rng, SEEDS.len())].bytes());
            }
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}

#[test]
fn ten_thousand_hostile_requests_hang_nothing_and_crash_nothing() {
    let limits = Limits {
        head_timeout: Duration::from_secs(1),
        body_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = TestServer::with(limits);
    std::thread::scope(|scope| {
        for seed in 0..4u8 {
            let server = &server;
            scope.spawn(move || {
                let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
                for i in 0..2500 {
                    let bytes = hostile(&mut rng);
                    let begun = Instant::now();
                    let answer = server.send(&bytes);
                    let shown = String::from_utf8_lossy(&bytes).into_owned();
                    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{shown:?}: {answer:?}");
                    assert!(!answer.contains("HTTP/1.1 500"), "{shown:?}: {answer:?}");
                    assert!(begun.elapsed() < Duration::from_secs(4), "{shown:?}");
                    if i % 100 == 0 {
                        server.check_alive();
                    }
                }
            });
        }
    });
    let begun = Instant::now();
    while server.stats.count_connections() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "{} hang", server.stats.count_connections());
        std::thread::sleep(Duration::from_millis(20));
    }
}
