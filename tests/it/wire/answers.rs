// SPDX-License-Identifier: Apache-2.0
//! How answers are written.

use super::*;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn an_answer_has_date_server_and_length() {
    let server = TestServer::start();
    let answer = server.send(get("/"));
    assert!(answer.contains("\r\nServer: muster\r\n") && answer.contains(" GMT\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: "), "{answer}");
    assert!(!answer.contains("Connection:"), "{answer}");
}

#[test]
fn head_has_the_fields_without_the_body() {
    let server = TestServer::start();
    let request = "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\nHEAD /endless HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = server.send(format!("{request}{}", get("/last")));
    assert!(answer.contains("\r\nContent-Length: 1048576\r\n"), "{answer:.300}");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3);
    assert!(answer.ends_with("GET /last host=a x=[] body="), "{answer:.300}");
    assert!(answer.len() < 1000);
}

#[test]
fn a_status_without_body_has_no_length() {
    let server = TestServer::start();
    let answer = server.send(get("/empty") + &get("/next"));
    let (first, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 204 No Content") && !first.contains("Content-Length"), "{answer}");
    assert!(answer.contains("GET /next"));
}

#[test]
fn a_long_answer_arrives_whole() {
    let server = TestServer::start();
    let answer = server.send(get("/big"));
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, "x".repeat(1 << 20));
}

#[test]
fn an_answer_of_unknown_length_comes_in_chunks_or_until_close() {
    let server = TestServer::start();
    let post = "POST /unknown HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let answer = server.send(format!("{post}{}", get("/next")));
    assert!(answer.contains("\r\nTransfer-Encoding: chunked\r\n"), "{answer}");
    assert!(answer.contains("\r\n\r\n00000005\r\nhello\r\n0\r\n\r\nHTTP/1.1 200"), "{answer}");
    let answer = server.send(post.replace("HTTP/1.1", "HTTP/1.0\r\nConnection: keep-alive"));
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let server = TestServer::start();
    let answer = server.send(get("/broken") + &get("/next"));
    assert!(answer.ends_with("00000005\r\nbegun\r\n"), "{answer}");
    assert_eq!(server.send(get("/short")), "");
    server.check_alive();
}

#[test]
fn a_field_cannot_smuggle_another() {
    let server = TestServer::start();
    let answer = server.send(get("/evil"));
    assert!(answer.contains("\r\nX-Evil: a  Set-Cookie: b c \r\n"), "{answer}");
    assert!(!answer.contains("Bad Name"), "{answer}");
}

#[test]
fn a_handler_can_end_the_connection() {
    let server = TestServer::start();
    let answer = server.send(get("/close") + &get("/next"));
    assert!(answer.contains("\r\nConnection: close\r\n") && !answer.contains("/next"), "{answer}");
}

#[test]
fn a_panic_is_answered_500_with_an_id_and_hurts_nobody() {
    let server = TestServer::start();
    for path in ["/panic", "/admit-panic"] {
        let answer = server.send(get(path) + &get("/next"));
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("under request ") && !answer.contains("disco"), "{answer}");
        assert!(answer.contains("GET /next"), "{answer}");
    }
}

#[test]
fn the_413_of_an_8_mib_body_arrives_60_times_of_60() {
    let server = TestServer::start();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 8 << 20);
    let body = vec![b'x'; 8 << 20];
    for i in 0..60 {
        let mut stream = server.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap_or_else(|e| panic!("round {i}: {e}"));
        let answer = read_all(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("cut 65536"), "round {i}: {answer}");
    }
}

#[test]
fn a_stream_sends_each_piece_at_once() {
    let server = TestServer::start();
    let mut stream = server.connect();
    stream.write_all(get("/stream").as_bytes()).unwrap();
    let mut seen = String::new();
    while !seen.ends_with("00000005\r\ntick\n\r\n") {
        let mut bytes = [0; 1000];
        let n = stream.read(&mut bytes).unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
}
