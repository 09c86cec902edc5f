// SPDX-License-Identifier: Apache-2.0
//! Ten thousand random and mutated requests. The seeds are fixed: a failure comes again.

use super::random::Random;
use super::stored::{all_records, assert_keeps_the_rules};
use super::{PATIENCE, configured, pairs, while_others_are_served};
use crate::support::TID;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const REQUESTS: usize = 10_000;
/// The deadlines of the server in this test.
const CONFIG: &str = "[http]\nhead_timeout_secs = 1\nbody_timeout_secs = 1\nidle_timeout_secs = 1\n";
/// Every deadline in turn, and discarding what is left, on a busy machine.
const HANG: Duration = Duration::from_secs(15);

/// The requests of the real clients, short enough to make thousands of them.
fn seeds() -> Vec<Vec<u8>> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/wire");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 40);
    seeds
}

fn mutant(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.pick(seeds).clone();
    for _ in 0..1 + random.below(3) {
        mutate(random, &mut bytes, seeds);
    }
    bytes
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(bytes.len());
    let head_end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
    match random.below(12) {
        // A byte anywhere, in the head, in the body: flipped, or one of those that mean something.
        0 => flip(random, bytes, at),
        1 | 2 => {
            let at = random.below(head_end);
            flip(random, bytes, at);
        }
        3 => {
            let at = head_end + random.below(bytes.len().saturating_sub(head_end));
            flip(random, bytes, at);
        }
        4 => bytes.truncate(at),
        5 => {
            let copy = bytes.clone();
            bytes.extend_from_slice(&copy);
        }
        6 => swap_lines(random, bytes, head_end),
        7 => double_or_drop_line(random, bytes, head_end),
        8 => {
            let n = random.below(40);
            let garbage = random.bytes(n);
            bytes.splice(at..at, garbage);
        }
        9 => {
            let other = random.pick(seeds);
            let from = random.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        10 => add_field(random, bytes),
        _ => change_value(random, bytes, head_end),
    }
}

fn flip(random: &mut Random, bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = match random.below(4) {
            0 => *byte ^ (1 << random.below(8)),
            1 => *random.pick(b"\0\r\n\t :;,\"\\{}[]/0129\x7f\x80\xff"),
            _ => random.bytes(1)[0],
        };
    }
}

/// The lines of the head as ranges, each with its CR LF, without the request line.
fn lines(bytes: &[u8], head_end: usize) -> Vec<Vec<u8>> {
    bytes[..head_end].split_inclusive(|byte| *byte == b'\n').skip(1).map(<[u8]>::to_vec).collect()
}

fn put_lines(bytes: &mut Vec<u8>, head_end: usize, lines: &[Vec<u8>]) {
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1).min(head_end);
    let joined = lines.concat();
    bytes.splice(first..head_end, joined);
}

fn swap_lines(random: &mut Random, bytes: &mut Vec<u8>, head_end: usize) {
    let mut lines = lines(bytes, head_end);
    if lines.len() > 1 {
        let (a, b) = (random.below(lines.len()), random.below(lines.len()));
        lines.swap(a, b);
        put_lines(bytes, head_end, &lines);
    }
}

fn double_or_drop_line(random: &mut Random, bytes: &mut Vec<u8>, head_end: usize) {
    let mut lines = lines(bytes, head_end);
    if !lines.is_empty() {
        let at = random.below(lines.len());
        let line = lines.remove(at);
        if random.one_in(2) {
            lines.insert(at, line.clone());
            lines.insert(at, line);
        }
        put_lines(bytes, head_end, &lines);
    }
}

fn add_field(random: &mut Random, bytes: &mut Vec<u8>) {
    let fields: &[&str] = &[
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Content-Length: 10\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        "User-Agent: mutant\r\n",
        "X-CLR-External: true\r\n",
        "Record-Format-Version: 4\r\n",
        "Content-Type: application/json\r\n",
        "Content-Encoding: gzip\r\n",
        " folded: line\r\n",
        "Host: other\r\n",
    ];
    let field = random.pick(fields).as_bytes().to_vec();
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.splice(first..first, field);
}

fn change_value(random: &mut Random, bytes: &mut Vec<u8>, head_end: usize) {
    let values: &[&[u8]] = &[
        b"",
        b" ",
        b"-1",
        b"0",
        b"4294967296",
        b"1e20",
        b"9999999999999999999999",
        b"\xff\xfe",
        b"\x1b[31m",
        b"a/b/c",
        b"a//c",
        b"<script>",
        b"'; DROP TABLE records; --",
        b"%s%n%00",
        b"\xe2\x80\xae",
        b"clear-linux-os",
        b"4",
        b"3",
    ];
    let long = vec![b'x'; random.below(400)];
    let mut lines = lines(bytes, head_end);
    if lines.is_empty() {
        return;
    }
    let at = random.below(lines.len());
    let Some(colon) = lines[at].iter().position(|byte| *byte == b':') else { return };
    let value: &[u8] = if random.one_in(5) { &long } else { values[random.below(values.len())] };
    lines[at].truncate(colon + 1);
    lines[at].extend_from_slice(value);
    lines[at].extend_from_slice(b"\r\n");
    put_lines(bytes, head_end, &lines);
}

/// A request that follows no seed: anything between noise and nearly right.
fn invented(random: &mut Random) -> Vec<u8> {
    if random.one_in(4) {
        let n = random.below(600);
        return random.bytes(n);
    }
    let methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get", "G\u{e9}T", "", "CONNECT", "TRACE"];
    let targets = [
        "/",
        "*",
        "/records",
        "/records?payload=(",
        "/records?x=%",
        "/api/records?limit=0",
        "/api/records?limit=9",
        "/api/records?severity=%00",
        "/records/1",
        "/records/99999999999999999999",
        "//",
        "http://a/",
        "/v3/collector",
        "/records/export/records-1.csv?classification=%ff",
        "/assets/..",
        "/records/quarantine",
        "/?",
        "",
        "/records/quarantine/1/drop",
        "/records/quarantine/1/admit",
        "/api/records?from_id=-1&from_date=0000-99-99",
    ];
    let versions = ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "http/1.1", ""];
    let version = if random.one_in(4) { random.pick(&versions) } else { "HTTP/1.1" };
    let mut bytes = format!("{} {} {version}\r\n", random.pick(&methods), random.pick(&targets)).into_bytes();
    if !random.one_in(8) {
        bytes.extend_from_slice(b"Host: localhost\r\n");
    }
    for _ in 0..random.below(6) {
        let names = [
            "Accept",
            "If-None-Match",
            "Range",
            "Cookie",
            "X-Telemetry-TID",
            "severity",
            "Content-Length",
            "a b",
        ];
        let n = random.below(30);
        let value: Vec<u8> = random.bytes(n).into_iter().filter(|byte| *byte != b'\n').collect();
        bytes.extend_from_slice(format!("{}: ", random.pick(&names)).as_bytes());
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let n = random.below(50);
    let body = random.bytes(n);
    bytes.extend(body);
    bytes
}

/// Every answer in a stream of bytes: its status and its body. What does not parse is a failure.
fn answers(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("an answer's head is text");
        bytes = &bytes[end + 4..];
        let status = super::status_of(head.as_bytes());
        assert!(head.starts_with("HTTP/1.1 ") && (100..600).contains(&status), "{head}");
        let field = |wanted: &str| {
            head.lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix(wanted).map(|v| v.trim().to_owned()))
        };
        let mut body = Vec::new();
        if field("transfer-encoding:").is_some() {
            loop {
                let line_end = bytes.windows(2).position(|w| w == b"\r\n").expect("a chunk has a size line");
                let line = std::str::from_utf8(&bytes[..line_end]).unwrap();
                let size = usize::from_str_radix(line, 16).unwrap();
                body.extend_from_slice(&bytes[line_end + 2..line_end + 2 + size]);
                bytes = &bytes[line_end + 2 + size + 2..];
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = field("content-length:") {
            let length: usize = length.parse().unwrap();
            body.extend_from_slice(&bytes[..length]);
            bytes = &bytes[length..];
        } else if status >= 200 && status != 204 && status != 304 {
            // An answer to HTTP/1.0 ends with the connection.
            body.extend_from_slice(bytes);
            bytes = &[];
        }
        found.push((status, body));
    }
    found
}

/// Sends one after another for as long as `requests` gives some; the ids of the records that were acknowledged.
fn attack(address: SocketAddr, seed: u64, seeds: &[Vec<u8>]) -> Vec<i64> {
    let mut random = Random::new(seed);
    let mut ids = Vec::new();
    for number in 0..REQUESTS / CONNECTIONS {
        let mut bytes = if random.one_in(5) { invented(&mut random) } else { mutant(&mut random, seeds) };
        if random.one_in(10) {
            bytes.extend(mutant(&mut random, seeds));
        }
        let begun = Instant::now();
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        // It may have been answered and closed before all is written.
        let _ = stream.write_all(&bytes);
        // Most say that they are done; some leave the server waiting for its deadline.
        if !random.one_in(40) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        let waited = begun.elapsed();
        let shown = || format!("seed {seed}, request {number}: {:?}", String::from_utf8_lossy(&bytes));
        if let Err(error) = ended {
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::ConnectionReset,
                "hangs after {waited:?}: {}",
                shown()
            );
        }
        assert!(waited < HANG, "answered after {waited:?}: {}", shown());
        for (status, body) in answers(&received) {
            assert!(
                status != 500 && status != 503,
                "{status} {}: {}",
                String::from_utf8_lossy(&body),
                shown()
            );
            if status == 201 {
                let record: serde_json::Value = serde_json::from_slice(&body).unwrap();
                ids.push(record["id"].as_i64().unwrap());
            }
        }
    }
    ids
}

#[test]
fn ten_thousand_mutated_requests_store_no_rubbish_and_hold_nobody_up() {
    let server = configured(CONFIG);
    let seeds = seeds();
    let mut acknowledged = BTreeSet::new();
    let of_the_good = while_others_are_served(&server, || {
        let (seeds, address) = (&seeds, server.address);
        let attackers: Vec<Vec<i64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS as u64)
                .map(|seed| scope.spawn(move || attack(address, seed + 1, seeds)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        acknowledged.extend(attackers.into_iter().flatten());
    });
    assert!(acknowledged.len() > 500, "the mutations leave too few good records: {}", acknowledged.len());
    acknowledged.extend(of_the_good);
    let records = all_records(&server);
    records.iter().for_each(assert_keeps_the_rules);
    let stored: BTreeSet<i64> = records.iter().map(|record| record["id"].as_i64().unwrap()).collect();
    assert_eq!(stored.len(), records.len(), "an id is listed twice");
    assert_eq!(acknowledged, stored, "what was answered 201 is what is stored");
    let (_, most) = server.memory_kib();
    assert!(most < super::MEMORY_KIB_MAX, "{most} KiB");
    let log = server.log();
    assert!(!log.contains("panic"), "{log}");
    pages_of_what_was_kept_can_be_shown(&server, &records);
}

/// Every page of a record, of the list and of the quarantine is a 200 whatever is stored.
fn pages_of_what_was_kept_can_be_shown(server: &crate::support::Server, records: &[serde_json::Value]) {
    let mut connection = server.connect();
    let mut get = |path: &str| {
        let answer = connection.request("GET", path, &pairs(&[("Accept", "text/html")]), b"").unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    };
    for record in records.iter().step_by(records.len() / 200 + 1) {
        get(&format!("/records/{}", record["id"]));
    }
    get("/records");
    let list = get("/records/quarantine");
    let links: BTreeSet<&str> = list
        .split("href=\"/records/quarantine/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert!(!links.is_empty(), "mutants of a known sender are in quarantine; {TID}");
    for id in links {
        get(&format!("/records/quarantine/{id}"));
    }
}
