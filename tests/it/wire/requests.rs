// SPDX-License-Identifier: Apache-2.0
//! What is accepted as a request and what is refused, with which status.

use super::*;

#[test]
fn malformed_requests_are_refused_with_their_status() {
    let server = TestServer::start();
    let h = "Host: a\r\n";
    let rows: Vec<(u16, String)> = vec![
        (400, "GET\r\n\r\n".into()),
        (400, "GET /\r\n\r\n".into()),
        (400, format!("GET  / HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GE(T / HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET / HTTP/1.1 \r\n{h}\r\n")),
        (400, format!("GET / FTP/1.1\r\n{h}\r\n")),
        (505, format!("GET / HTTP/2.0\r\n{h}\r\n")),
        (505, format!("GET / HTTP/1.2\r\n{h}\r\n")),
        (505, format!("GET / HTTP/0.9\r\n{h}\r\n")),
        (400, format!("GET a HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET * HTTP/1.1\r\n{h}\r\n")),
        (400, format!("CONNECT a:1 HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET ftp://a/ HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET http:/// HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET http://u@a/ HTTP/1.1\r\n{h}\r\n")),
        (400, format!("GET /#x HTTP/1.1\r\n{h}\r\n")),
        (400, "GET / HTTP/1.1\r\n\r\n".into()),
        (400, format!("GET / HTTP/1.1\r\n{h}{h}\r\n")),
        (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n".into()),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into()),
        (400, format!("GET / HTTP/1.1\r\n{h}X: a\r\n b\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{h}X: a\0b\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{h}no colon\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{h}: b\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{h}X: a\rb\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{h}X: a\r\n")),
        (400, "\r\n".repeat(20)),
        (417, format!("POST / HTTP/1.1\r\n{h}Expect: miracle\r\nContent-Length: 1\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length: 1\r\nContent-Length: 1\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length: 1, 1\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length: -1\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length: +1\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length: 99999999999999999999\r\n\r\na")),
        (400, format!("POST / HTTP/1.1\r\n{h}Content-Length:\r\n\r\na")),
        (
            400,
            format!("POST / HTTP/1.1\r\n{h}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (501, format!("POST / HTTP/1.1\r\n{h}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        (501, format!("POST / HTTP/1.1\r\n{h}Transfer-Encoding: gzip\r\n\r\n")),
        (400, format!("POST / HTTP/1.0\r\n{h}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\n{h}{}\r\n", "X: y\r\n".repeat(64))),
        (431, format!("GET / HTTP/1.1\r\n{h}X: {}\r\n\r\n", "y".repeat(17000))),
        (431, format!("GET /{} HTTP/1.1\r\n{h}\r\n", "y".repeat(17000))),
    ];
    for (status, request) in rows {
        let answer = server.send(&request);
        assert_eq!(status_of(&answer), status, "{request:?} -> {answer:?}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
    assert_eq!(server.n_handled(), 0);
    server.check_alive();
}

#[test]
fn a_body_in_chunks_that_are_garbage_is_refused() {
    let server = TestServer::start();
    let long = "x".repeat(2000);
    let many = format!("1;{}\r\na\r\n", "x".repeat(900)).repeat(30);
    for chunks in [
        "x\r\na\r\n0\r\n\r\n",
        "\r\na\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "2\r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "1\r\na\r\n0\r\nX: y\n\r\n",
        "1 1\r\na\r\n0\r\n\r\n",
        "11112222333344445\r\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\r\n",
        "1\r\na\r\n",
        "5\r\na",
        "1",
        "1;\r=\r\na\r\n0\r\n\r\n",
        &format!("1;{long}\r\na\r\n0\r\n\r\n"),
        &format!("0\r\nX: {long}\r\n\r\n"),
        &many,
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(status_of(&server.send(&request)), 400, "{chunks:.60?}");
    }
    assert_eq!(server.n_handled(), 0);
}

#[test]
fn a_body_in_proper_chunks_is_joined_and_its_trailers_dropped() {
    let server = TestServer::start();
    let answer = server.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
         3;ext=\"1\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX: trailer\r\n\r\n\
         GET /next HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(answer.contains("x=[] body=abc0123456789"), "{answer}");
    assert!(answer.contains("GET /next"), "{answer}");
}

#[test]
fn a_million_tiny_chunks_within_the_limit_are_one_body() {
    let server = TestServer::start();
    let chunks = "1\r\nz\r\n".repeat(BODY_MAX);
    let request =
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    assert_eq!(status_of(&server.send(&request)), 200);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}1\r\na\r\n0\r\n\r\n"
    );
    let answer = server.send(&request);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("cut 65536"), "{answer}");
}

#[test]
fn requests_in_one_packet_are_answered_in_order() {
    let server = TestServer::start();
    let mut requests = String::new();
    for i in 0..100 {
        requests.push_str(&format!("POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{:02}", i));
    }
    let answer = server.send(&requests);
    let mut rest = answer.as_str();
    for i in 0..100 {
        let found = format!("POST /{i} host=a x=[] body={i:02}");
        let at = rest.find(&found).unwrap_or_else(|| panic!("{i} is missing"));
        rest = &rest[at + found.len()..];
    }
}

#[test]
fn control_bytes_and_latin_1_in_values_arrive() {
    let server = TestServer::start();
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x1b[1m\tb\x7f\r\nX: M\xfcller\r\nx: \xc3\xbc\r\n\r\n")
        .unwrap();
    let (head, body) = read_answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains(r#"x=["a\u{1b}[1m\tb\u{7f}", "Müller", "ü"]"#), "{body}");
}

#[test]
fn http_1_0_closes_unless_asked_to_stay() {
    let server = TestServer::start();
    let answer = server.send("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    let answer = server.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert!(answer.contains("Connection: keep-alive\r\n"), "{answer}");
}

#[test]
fn empty_lines_before_a_request_are_skipped_and_bare_lf_is_taken() {
    let server = TestServer::start();
    let answer = server.send(
        "\r\n\r\nPOST /1 HTTP/1.1\nHost: a\nContent-Length: 1\n\na\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(answer.contains("POST /1 host=a x=[] body=a") && answer.contains("GET /2"), "{answer}");
}

#[test]
fn targets_are_paths_absolute_or_a_star_for_options() {
    let server = TestServer::start();
    assert!(server.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").contains("OPTIONS * host=a"));
    assert!(server.send("GET http://b:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n").contains("GET /p?q host=b:80"));
    assert!(server.send("GET /\u{e4}?a=%20 HTTP/1.1\r\nHost: a\r\n\r\n").contains("?a=%20 host=a"));
}

#[test]
fn a_client_that_expects_100_gets_it_once_and_only_when_needed() {
    let server = TestServer::start();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let (answer, _) = read_answer(&mut stream);
    assert_eq!(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").unwrap();
    assert!(read_answer(&mut stream).1.contains("body=abc"));

    let answer = server.send(format!("{head}abc"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = server.send(format!("{}abc", head.replace("HTTP/1.1", "HTTP/1.0")));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = server.send(head.replace("POST /", "POST /refused"));
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn a_refused_request_whose_body_has_come_leaves_the_connection_open() {
    let server = TestServer::start();
    let answer = server.send(
        "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("GET /next"), "{answer}");
}

#[test]
fn a_body_shorter_than_declared_reaches_nobody() {
    let server = TestServer::with(Limits { body_timeout: Duration::from_millis(200), ..Limits::default() });
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nabc";
    assert_eq!(status_of(&server.send(request)), 400);
    let mut stream = server.connect();
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(status_of(&read_all(&mut stream)), 408);
    drop({
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    });
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(server.n_handled(), 0);
}

#[test]
fn a_body_longer_than_declared_is_a_bad_next_request() {
    let server = TestServer::start();
    let answer = server.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcdefgh\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("body=abc"), "{answer}");
    assert!(answer.contains("HTTP/1.1 400"), "{answer}");
    assert_eq!(server.n_handled(), 1);
}
