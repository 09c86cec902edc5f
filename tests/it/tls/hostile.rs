// SPDX-License-Identifier: Apache-2.0
//! Peers that keep a handshake waiting, break it off, or send what is none.

use super::TlsServer;
use crate::support::record_fields;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The start of a ClientHello: a record of 512 bytes of which these are the first.
const HALF_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3, 4, 5];

fn open(tls: &TlsServer, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&tls.address, Duration::from_secs(10)).unwrap();
    // It may have been closed for a newcomer.
    let _ = stream.write_all(bytes);
    stream
}

#[test]
fn a_slow_handshake_is_cut_off_in_time() {
    let tls = TlsServer::with("[http]\nhead_timeout_secs = 1\n", Vec::new());
    for start in [&b""[..], HALF_HELLO] {
        let mut stream = open(&tls, start);
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let begun = Instant::now();
        loop {
            match stream.read(&mut [0; 100]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                // A byte now and then does not extend it.
                Err(_) if !start.is_empty() => drop(stream.write(&[0])),
                Err(_) => {}
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{start:?}");
        }
        assert!(begun.elapsed() > Duration::from_millis(800), "{start:?} {:?}", begun.elapsed());
    }
    // The same time holds for handshake and head together, not for each.
    let mut client = tls.connect();
    client.send(b"GET / HTTP/1.1\r\n").unwrap();
    let begun = Instant::now();
    assert_eq!(client.answer().unwrap().status, 408);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn two_thousand_half_open_handshakes_keep_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(16_384).min(16_384);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    }
    let tls = TlsServer::with("", ["prlimit", "--nofile=4096:4096"].map(str::to_owned).to_vec());
    let mut half = Vec::new();
    for n in 0..2_000_usize {
        half.push(open(&tls, HALF_HELLO.get(..n % (HALF_HELLO.len() + 1)).unwrap()));
        if n % 100 == 0 {
            let answer = tls.connect().request("POST", "/", &record_fields(n as u64), b"x").unwrap();
            assert_eq!(answer.status, 201);
        }
    }
    let (now, _) = tls.server.memory_kib();
    assert!(now < 150 << 10, "{now} KiB");
    assert_eq!(tls.server.count_records(), 20);
}

#[test]
fn what_is_no_handshake_ends_the_connection_and_nothing_else() {
    let tls = TlsServer::start();
    let mut long = HALF_HELLO[..5].to_vec();
    long.extend([0xff; 512]);
    let starts: [&[u8]; 5] =
        [&[0; 100], &[0x80, 0x2e, 1, 0, 2], &[0x16, 3, 1, 0xff, 0xff], &long, &[0xff; 20_000]];
    for start in starts {
        for n in 0..20 {
            let mut stream = open(&tls, &start[..start.len().min(1 + n * start.len() / 10)]);
            // It may be over by now.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // A reset is as good an end.
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.len() <= 7, "at most an alert: {rest:?}");
        }
    }
    assert_eq!(tls.connect().get("/healthz").unwrap().status, 200);
    let log = tls.server.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN") && log.lines().count() < 12, "{log}");
}
