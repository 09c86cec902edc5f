// SPDX-License-Identifier: Apache-2.0
//! Bodies that are not what the head says: shorter, longer, both lengths, broken chunks, far too large.

use super::{PATIENCE, configured, exchange, read_all, record_head, status_of, while_others_are_served};
use crate::support::{Connection, Server, record_fields, with};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A good record's head with these lines and body.
fn post(event: u64, lines: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = record_head(&record_fields(event));
    bytes.extend_from_slice(lines.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn lengths_that_two_readers_could_understand_differently_are_refused() {
    let server = Server::start();
    let chunk = "5\r\nhello\r\n0\r\n\r\n";
    let cases = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunk),
        ("Transfer-Encoding: chunked\r\nContent-Length: 15\r\n", chunk),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5, 5\r\n", "hello"),
        ("Content-Length: +5\r\n", "hello"),
        ("Content-Length: -5\r\n", "hello"),
        ("Content-Length: 0x5\r\n", "hello"),
        ("Content-Length: 5 5\r\n", "hello"),
        ("Content-Length: \r\n", "hello"),
        ("Content-Length: 99999999999999999999\r\n", "hello"),
        ("Content_Length : 5\r\nContent-Length : 5\r\n", "hello"),
        ("Transfer-Encoding: chunked, chunked\r\n", chunk),
        ("Transfer-Encoding: xchunked\r\n", chunk),
        ("Transfer-Encoding: gzip\r\n", chunk),
        ("Transfer-Encoding:\x0bchunked\r\n", chunk),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunk),
    ];
    for (lines, body) in cases {
        // A second request in the same bytes must not be read as one: the connection is closed.
        let mut bytes = post(1, lines, body.as_bytes());
        bytes.extend_from_slice(&post(2, "Content-Length: 5\r\n", b"hello"));
        let received = String::from_utf8(exchange(server.address, &bytes)).unwrap();
        assert!(matches!(status_of(received.as_bytes()), 400 | 501), "{lines}: {received}");
        assert_eq!(received.matches("HTTP/1.1 ").count(), 1, "{lines}: {received}");
    }
    assert_eq!(server.count_records(), 0);
}

#[test]
fn garbage_in_place_of_chunks_is_refused() {
    let server = Server::start();
    let cases: [&[u8]; 12] = [
        b"hello",
        b"\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhel\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"\xff\x00\x01\r\n\r\n0\r\n\r\n",
    ];
    for body in cases {
        let received = exchange(server.address, &post(1, "Transfer-Encoding: chunked\r\n", body));
        let shown = String::from_utf8_lossy(body);
        assert_eq!(status_of(&received), 400, "{shown:?}: {:?}", String::from_utf8_lossy(&received));
    }
    // An extension or a trailer without end.
    for endless in ["5;", "0\r\nX: "] {
        let body = format!("{endless}{}", "a".repeat(100_000));
        let received = exchange(server.address, &post(1, "Transfer-Encoding: chunked\r\n", body.as_bytes()));
        assert!(matches!(status_of(&received), 400 | 431), "{endless}");
    }
    assert_eq!(server.count_records(), 0);
}

#[test]
fn a_record_in_chunks_is_stored_whole() {
    let server = Server::start();
    let body = b"5;note=\"x\"\r\nhello\r\n00001\r\n \r\nA\r\n0123456789\r\n0\r\nseverity: 4\r\nX: y\r\n\r\n";
    let received = exchange(server.address, &post(1, "Transfer-Encoding: chunked\r\n", body));
    assert_eq!(status_of(&received), 201, "{:?}", String::from_utf8_lossy(&received));
    // Large, a byte a chunk, and more than one on a connection.
    let payload = "y".repeat(20_000);
    let bytes: String = payload.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let mut connection = server.connect();
    for event in 2..4 {
        let body = format!("{bytes}0\r\n\r\n");
        connection.send(&post(event, "Transfer-Encoding: Chunked\r\n", body.as_bytes())).unwrap();
        let answer = connection.answer(false).unwrap();
        assert_eq!((answer.status, answer.json()["payload"].as_str().unwrap()), (201, payload.as_str()));
    }
    let first = server.get("/api/records/1").json();
    assert_eq!((&first["payload"], &first["severity"]), (&"hello 0123456789".into(), &1.into()));
}

#[test]
fn a_body_shorter_than_declared_stores_nothing_and_ends_in_time() {
    let server = configured("[http]\nbody_timeout_secs = 2\n");
    let bytes = post(1, "Content-Length: 100\r\n", b"only this");
    while_others_are_served(&server, || {
        let received = exchange(server.address, &bytes);
        assert!(
            received.is_empty() || status_of(&received) == 400,
            "{:?}",
            String::from_utf8_lossy(&received)
        );
        let mut waits = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
        waits.set_read_timeout(Some(PATIENCE)).unwrap();
        waits.write_all(&bytes).unwrap();
        let begun = Instant::now();
        assert_eq!(status_of(&read_all(&mut waits)), 408);
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    });
    let event = format!("{:032x}", 1);
    assert_eq!(
        server.get(&format!("/api/records?event_id={event}")).json()["records"],
        serde_json::json!([])
    );
}

#[test]
fn a_body_longer_than_declared_is_cut_where_it_says_and_the_rest_is_no_record() {
    let server = Server::start();
    let received = exchange(server.address, &post(1, "Content-Length: 5\r\n", b"hello and more\r\n\r\n"));
    let text = String::from_utf8_lossy(&received);
    assert!(text.starts_with("HTTP/1.1 201 ") && text.contains("HTTP/1.1 400 "), "{text}");
    assert_eq!(server.get("/api/records/1").json()["payload"], "hello");
    // Also where much more follows than anybody reads, and the client asks for the end of the connection.
    for (event, lines) in [(2, "Content-Length: 5\r\n"), (3, "Content-Length: 5\r\nConnection: close\r\n")] {
        for _ in 0..10 {
            let mut body = b"hello".to_vec();
            body.resize(2 << 20, b'z');
            let received = exchange(server.address, &post(event, lines, &body));
            assert_eq!(status_of(&received), 201, "{lines}: the answer is lost");
        }
    }
    assert_eq!(server.count_records(), 3);
}

#[test]
fn the_413_to_an_8_mib_body_arrives_every_time() {
    let server = Server::start();
    let body = vec![b'x'; 8 << 20];
    let mut arrived = 0;
    while_others_are_served(&server, || {
        for event in 0..20 {
            let mut connection = server.connect();
            let answer = connection.request("POST", "/", &record_fields(event), &body);
            let answer = answer.unwrap_or_else(|error| panic!("answer {event} is lost: {error}"));
            assert_eq!(answer.status, 413, "{}", answer.text());
            assert!(answer.message().contains("payload"), "{}", answer.message());
            arrived += 1;
        }
    });
    assert_eq!(arrived, 20);
    // One that nobody watches is kept in part, and told so.
    let answer = server.post(&with(record_fields(1), "User-Agent", None), &body);
    assert_eq!((answer.status, answer.json()["quarantined"].as_bool()), (200, Some(true)));
    let (_, most) = server.memory_kib();
    assert!(most < super::MEMORY_KIB_MAX, "{most} KiB");
}

#[test]
fn large_bodies_from_everywhere_stay_within_the_memory() {
    let server = Server::start();
    let json = super::pairs(&[
        ("Content-Type", "application/json"),
        ("User-Agent", "x"),
        ("X-Telemetry-TID", crate::support::TID),
    ]);
    let mut body = b"{\"payload\": \"".to_vec();
    body.resize((1 << 20) + 700_000, b'x');
    while_others_are_served(&server, || {
        std::thread::scope(|scope| {
            for _ in 0..60 {
                scope.spawn(|| {
                    let answer = server.connect().request("POST", "/v3/collector", &json, &body).unwrap();
                    assert!(matches!(answer.status, 400 | 413 | 503), "{}: {}", answer.status, answer.text());
                });
            }
        });
    });
    let (_, most) = server.memory_kib();
    assert!(most < super::MEMORY_KIB_MAX, "{most} KiB");
}

#[test]
fn the_largest_records_from_everywhere_at_once_stay_within_the_memory() {
    let server = Server::start();
    let mut random = super::random::Random::new(7);
    // Not to be deflated, and as Latin-1 twice as long in memory as on the wire.
    let payload: Vec<u8> = random.bytes(300 * 1024).iter().map(|byte| byte | 0x80).collect();
    while_others_are_served(&server, || {
        std::thread::scope(|scope| {
            for event in 0..100 {
                let (server, payload) = (&server, &payload);
                scope.spawn(move || {
                    let answer =
                        server.connect().request("POST", "/", &record_fields(event), payload).unwrap();
                    assert!(matches!(answer.status, 201 | 503), "{}: {}", answer.status, answer.text());
                });
            }
        });
    });
    let (_, most) = server.memory_kib();
    println!("{most} KiB at most");
    assert!(most < super::MEMORY_KIB_MAX, "{most} KiB");
}

#[test]
fn the_largest_answers_to_everybody_at_once_stay_within_the_memory() {
    let server = Server::start();
    for event in 0..60 {
        server.post_record(event, &"<".repeat(300 * 1024));
    }
    let paths = ["/records/1", "/records", "/api/records?limit=20", "/api/records/1", "/records/1/payload"];
    while_others_are_served(&server, || {
        std::thread::scope(|scope| {
            for n in 0..40 {
                let (server, path) = (&server, paths[n % paths.len()]);
                let fields = super::pairs(if n % 2 == 0 { &[("Accept-Encoding", "gzip")] } else { &[] });
                scope.spawn(move || {
                    let answer = server.connect().request("GET", path, &fields, b"").unwrap();
                    assert!(matches!(answer.status, 200 | 503), "{}: {}", answer.status, answer.text());
                });
            }
        });
    });
    let (_, most) = server.memory_kib();
    println!("{most} KiB at most");
    assert!(most < super::MEMORY_KIB_MAX, "{most} KiB");
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_or_the_refusal() {
    let server = Server::start();
    let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&post(1, "Expect: 100-continue\r\nContent-Length: 2000\r\n", b"")).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&[b'x'; 2000]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(status_of(&read_all(&mut stream)), 201);
    // Who is refused by the head alone is not asked for the body.
    let mut connection: Connection = server.connect();
    connection
        .send(
            b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        )
        .unwrap();
    let mut first = [0; 12];
    connection.stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 404");
    assert_eq!(
        status_of(&exchange(server.address, &post(2, "Expect: tea\r\nContent-Length: 1\r\n", b"x"))),
        417
    );
    assert_eq!(server.count_records(), 1);
}
