// SPDX-License-Identifier: Apache-2.0
//! Connections that want more than their share: of memory, of places, of time, of descriptors.

use super::{
    MEMORY_KIB_MAX, PATIENCE, configured, exchange, status_of, while_others_are_served, with_descriptors,
};
use crate::support::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PIECE_BYTES: usize = 1 << 20;

/// Writes `start` and then `n` MiB of one line; gives up where the server has closed. The status of the answer, and
/// how many MiB went out.
fn push(address: SocketAddr, start: &[u8], n: usize) -> (u16, usize) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let answer = std::thread::spawn(move || {
        // Read while the rest is still being written: a reset throws away what was not read.
        let mut first = [0; 12];
        reader.read_exact(&mut first).map_or(0, |()| status_of(&[&first[..], b"\r"].concat()))
    });
    let piece = vec![b'a'; PIECE_BYTES];
    let mut pushed = 0;
    if stream.write_all(start).is_ok() {
        while pushed < n && stream.write_all(&piece).is_ok() {
            pushed += 1;
        }
    }
    drop(stream);
    (answer.join().unwrap(), pushed)
}

#[test]
fn a_header_line_of_300_mb_is_refused_and_takes_no_memory() {
    let server = Server::start();
    let starts: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nX: ",
        b"GET /",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"",
    ];
    while_others_are_served(&server, || {
        std::thread::scope(|scope| {
            for start in starts {
                let address = server.address;
                scope.spawn(move || {
                    let (status, pushed) = push(address, start, 300);
                    assert!(matches!(status, 400 | 431), "{status} after {pushed} MiB");
                    assert!(pushed < 300, "the server read it to the end");
                });
            }
        });
    });
    let (_, most) = server.memory_kib();
    assert!(most < MEMORY_KIB_MAX, "{most} KiB");
}

/// Lets this process hold thousands of connections.
fn raise_own_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(16_384).min(16_384);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    }
}

#[test]
fn two_thousand_idle_connections_keep_nobody_out() {
    raise_own_descriptors();
    let server = with_descriptors(4096);
    let mut idle = Vec::new();
    while_others_are_served(&server, || {
        for n in 0..2000 {
            let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
            // Some say nothing, some begin a head, some a body.
            let start: &[u8] = match n % 3 {
                0 => b"",
                1 => b"POST / HTTP/1.1\r\nHost: a\r\nX-Telem",
                _ => b"GET /healthz HTTP/1.1\r\n",
            };
            // It may have been closed for a newcomer.
            let _ = stream.write_all(start);
            idle.push(stream);
        }
        let newest = || server.get("/api/records?limit=1").json()["records"][0]["id"].as_i64().unwrap_or(0);
        let (begun, before) = (Instant::now(), newest());
        while newest() < before + 10 {
            assert!(begun.elapsed() < PATIENCE, "hardly a record is taken meanwhile");
            std::thread::sleep(Duration::from_millis(50));
        }
        let (now, _) = server.memory_kib();
        assert!(now < MEMORY_KIB_MAX, "{now} KiB with {} connections", idle.len());
    });
    drop(idle);
    assert_eq!(server.get("/readyz").status, 200);
}

/// Sends `start` and then a byte each `every`; how long until the server answers, and its status.
fn trickle(address: SocketAddr, start: &[u8], every: Duration) -> (Duration, u16) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    let begun = Instant::now();
    stream.write_all(start).unwrap();
    stream.set_read_timeout(Some(every)).unwrap();
    let mut first = [0; 12];
    loop {
        match stream.read(&mut first) {
            Ok(n) => return (begun.elapsed(), status_of(&[&first[..n], b"\r"].concat())),
            Err(_) if begun.elapsed() > PATIENCE => {
                panic!("the server still waits after {:?}", begun.elapsed())
            }
            // A failure shows at the next read.
            Err(_) => drop(stream.write(b"a")),
        }
    }
}

#[test]
fn a_client_that_sends_a_byte_a_second_is_cut_off_in_time() {
    let server = configured("[http]\nhead_timeout_secs = 2\nbody_timeout_secs = 2\n");
    let starts: [&[u8]; 3] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nX: ",
        b"G",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    ];
    while_others_are_served(&server, || {
        std::thread::scope(|scope| {
            for start in starts {
                let address = server.address;
                scope.spawn(move || {
                    let (took, status) = trickle(address, start, Duration::from_secs(1));
                    assert_eq!(status, 408);
                    assert!(took > Duration::from_millis(1_500), "too early: {took:?}");
                    assert!(took < Duration::from_secs(10), "too late: {took:?}");
                });
            }
        });
    });
}

/// How many sockets the server holds.
fn count_sockets(server: &Server) -> usize {
    let links = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    // One may be closed between the listing and the look.
    let links = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    links.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_holds_no_memory() {
    let server = configured("[http]\nwrite_timeout_secs = 1\n");
    let payload = "x".repeat(300 * 1024);
    for event in 0..40 {
        server.post_record(event, &payload);
    }
    while_others_are_served(&server, || {
        let before = count_sockets(&server);
        // Each is owed 12 MB, more than the kernel takes without a reader.
        let deaf: Vec<TcpStream> = (0..8)
            .map(|_| {
                let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
                stream.write_all(b"GET /api/records HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                stream
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        // The client that behaves opens one now and then.
        while count_sockets(&server) > before + 3 {
            assert!(begun.elapsed() < 3 * PATIENCE, "they are kept:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(deaf);
    });
    let (_, most) = server.memory_kib();
    println!("{most} KiB at most");
    assert!(most < MEMORY_KIB_MAX, "{most} KiB");
}

#[test]
fn a_small_descriptor_table_is_shared_out_and_never_stops_the_server() {
    let server = with_descriptors(96);
    let idle: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect_timeout(&server.address, PATIENCE).unwrap()).collect();
    for event in 0..5 {
        server.post_record(event, "with 200 idle connections");
        assert_eq!(server.get("/records").status, 200);
    }
    drop(idle);
    server.post_record(99, "afterwards");
    assert_eq!(server.count_records(), 6);
}

/// Sets the descriptor limit of a running server.
fn limit_descriptors(server: &Server, limit: u64) {
    let status = std::process::Command::new("prlimit")
        .args([format!("--pid={}", server.pid()), format!("--nofile={limit}:4096")])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_full_descriptor_table_is_survived() {
    let server = with_descriptors(4096);
    let kept: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect_timeout(&server.address, PATIENCE).unwrap()).collect();
    server.post_record(1, "before");
    // From here on every accept fails, and every open of a file.
    limit_descriptors(&server, 8);
    let waiting: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect_timeout(&server.address, PATIENCE).unwrap()).collect();
    std::thread::sleep(Duration::from_secs(2));
    limit_descriptors(&server, 4096);
    server.post_record(2, "after");
    assert_eq!(status_of(&exchange(server.address, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")), 200);
    drop((kept, waiting));
    assert_eq!(server.count_records(), 2);
    assert!(server.log().len() < 100_000, "the log is flooded:\n{}", server.log());
}
