// SPDX-License-Identifier: Apache-2.0
//! The end in good order.

use super::*;
use std::time::Instant;

#[test]
fn a_request_in_work_is_finished_and_idle_connections_close_at_once() {
    let mut server = TestServer::start();
    let mut idle = server.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    read_answer(&mut idle);
    let mut half = server.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    let mut slow = server.connect();
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    while server.n_handled() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let begun = Instant::now();
    server.stop.set();
    assert_eq!(read_all(&mut idle), "");
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
    assert_eq!(status_of(&read_all(&mut half)), 400);
    let (head, body) = read_answer(&mut slow);
    assert!(head.contains("Connection: close\r\n") && body == "slow", "{head}{body}");
    assert!(TcpStream::connect(server.address).is_err());
    assert!(server.join(Duration::from_secs(5)));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_stream_ends_at_the_stop() {
    let mut server = TestServer::start();
    let mut stream = server.connect();
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    while server.n_handled() < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.stop.set();
    assert!(read_all(&mut stream).ends_with("tick\n\r\n0\r\n\r\n"));
    assert!(server.join(Duration::from_secs(5)));
}

#[test]
fn what_does_not_finish_is_shut_after_the_given_time() {
    let mut server = TestServer::start();
    let mut endless = server.connect();
    endless.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    while server.n_handled() < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.stop.set();
    let begun = Instant::now();
    assert!(!server.join(Duration::from_millis(300)));
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(server.stats.count_connections(), 0);
}

#[test]
fn a_server_without_connections_stops_at_once() {
    let mut server = TestServer::start();
    server.check_alive();
    server.stop.set();
    let begun = Instant::now();
    assert!(server.join(Duration::from_secs(5)));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}
