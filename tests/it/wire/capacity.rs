// SPDX-License-Identifier: Apache-2.0
//! Limits in time, connections and memory.

use super::*;
use std::time::Instant;

#[test]
fn two_thousand_idle_connections_do_not_keep_others_out() {
    let server = TestServer::with(Limits { connections_max: 100, ..Limits::default() });
    let mut idle = Vec::new();
    for i in 0..2000 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        if i % 2 == 0 {
            // It may be evicted by now.
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHo");
        }
        idle.push(stream);
        if i % 200 == 0 {
            server.check_alive();
        }
    }
    server.check_alive();
    assert!(server.stats.count_connections() <= 100 + 17, "{}", server.stats.count_connections());
}

#[test]
fn the_longest_idle_goes_and_who_works_stays() {
    let server = TestServer::with(Limits { connections_max: 8, ..Limits::default() });
    let mut slow = server.connect();
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut idle: Vec<TcpStream> = (0..7).map(|_| server.connect()).collect();
    while server.stats.count_connections() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _newcomer = server.connect();
    assert_eq!(read_all(&mut idle[0]), "");
    idle[1].write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(read_answer(&mut idle[1]).1.contains("GET /1"));
    assert_eq!(read_answer(&mut slow).1, "slow");
}

#[test]
fn a_newcomer_gets_503_where_all_are_at_work() {
    let server = TestServer::with(Limits { connections_max: 8, ..Limits::default() });
    let mut slow: Vec<TcpStream> = (0..8).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    while server.n_handled() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = server.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: "), "{answer}");
    for stream in &mut slow {
        assert_eq!(read_answer(stream).1, "slow");
    }
}

#[test]
fn a_client_that_sends_a_byte_at_a_time_is_cut_off() {
    let limits = Limits {
        head_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(600),
        ..Limits::default()
    };
    let server = TestServer::with(limits);
    for start in ["GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(start.as_bytes()).unwrap();
        let begun = Instant::now();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut first = [0; 12];
        while stream.read(&mut first).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(2));
            stream.write_all(b"a").unwrap();
        }
        assert_eq!(&first, b"HTTP/1.1 408");
        assert!(begun.elapsed() > Duration::from_millis(200) && begun.elapsed() < Duration::from_secs(1));
    }
    // The head deadline of a later request begins with its first byte.
    let mut stream = server.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        read_answer(&mut stream);
        std::thread::sleep(Duration::from_millis(450));
    }
    let begun = Instant::now();
    assert_eq!(read_all(&mut stream), "");
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
    // Nothing at all is closed without an answer.
    assert_eq!(read_all(&mut server.connect()), "");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let server = TestServer::with(Limits { write_timeout: Duration::from_millis(200), ..Limits::default() });
    let mut stream = server.connect();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let begun = Instant::now();
    while server.n_handled() == 0 || server.stats.count_connections() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn bodies_beyond_the_common_memory_get_503_and_small_ones_pass() {
    let limits = Limits {
        bodies_bytes_max: 2 << 20,
        bodies_wait: Duration::from_millis(100),
        connections_max: 32,
        ..Limits::default()
    };
    let server = TestServer::with(limits);
    let large = format!("POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 1 << 20);
    let piece = vec![b'x'; 100_000];
    let mut held = server.connect();
    held.write_all(large.as_bytes()).unwrap();
    held.write_all(&piece).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let mut late = server.connect();
    late.write_all(large.as_bytes()).unwrap();
    late.write_all(&piece).unwrap();
    let (head, _) = read_answer(&mut late);
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: 5\r\n"), "{head}");
    let small = server.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(status_of(&small), 200, "{small}");
    held.write_all(&vec![b'x'; (1 << 20) - 100_000]).unwrap();
    assert!(read_answer(&mut held).0.starts_with("HTTP/1.1 200 "));
    let again = server.send([large.as_bytes(), &vec![b'y'; 1 << 20]].concat());
    assert_eq!(status_of(&again), 200, "{again}");
}
