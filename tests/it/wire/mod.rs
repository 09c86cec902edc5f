// SPDX-License-Identifier: Apache-2.0
//! The wire over real sockets, with a handler of its own. What the program as a whole answers is tested elsewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod abuse;
mod answers;
mod capacity;
mod descriptors;
mod passed;
mod requests;
mod stopping;

use muster::http::wire::{BodyPolicy, Handler, Head, Incoming, Limits, Listeners, Server, Stats};
use muster::stop::Stop;
use rouille::{Response, ResponseBody};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes of a body that the test handler takes.
const BODY_MAX: usize = 64 * 1024;

/// Answers with what it was given, or as the path says.
struct Echo {
    stop: Stop,
    n_handled: AtomicUsize,
}

impl Handler for Echo {
    fn admit(&self, head: &mut Head) -> Result<BodyPolicy, Response> {
        match head.path() {
            "/refused" => Err(Response::text("no").with_status_code(403)),
            "/admit-panic" => panic!("in admit"),
            "/large" => Ok(BodyPolicy { bytes_max: 8 << 20 }),
            _ => Ok(BodyPolicy { bytes_max: BODY_MAX }),
        }
    }

    fn handle(&self, incoming: Incoming) -> Response {
        self.n_handled.fetch_add(1, Ordering::SeqCst);
        let mut body = Vec::new();
        incoming.request.data().unwrap().read_to_end(&mut body).unwrap();
        match incoming.head.path() {
            "/panic" => panic!("at\nthe {}", "disco"),
            "/slow" => {
                std::thread::sleep(Duration::from_millis(400));
                Response::text("slow")
            }
            "/stream" => streamed(Ticks { stop: self.stop.clone(), n: 0 }),
            "/unknown" => streamed(io::Cursor::new(body)),
            "/broken" => streamed(io::Cursor::new(b"begun".to_vec()).chain(Broken)),
            "/short" => {
                Response { data: ResponseBody::from_reader_and_size(io::empty(), 9), ..Response::text("") }
            }
            "/big" => Response::text("x".repeat(1 << 20)),
            "/endless" => streamed(io::repeat(b'x')),
            "/empty" => Response::text("").with_status_code(204),
            "/close" => Response::text("bye").with_additional_header("Connection", "close"),
            "/evil" => Response::text("x")
                .with_additional_header("X-Evil", "a\r\nSet-Cookie: b\0c\x1b")
                .with_additional_header("Bad Name", "x"),
            _ if incoming.is_body_cut => Response::text(format!("cut {}", body.len())).with_status_code(413),
            _ => echo(&incoming, &body),
        }
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        Response::text(message).with_status_code(status)
    }
}

fn echo(incoming: &Incoming, body: &[u8]) -> Response {
    let head = &incoming.head;
    assert_eq!(incoming.request.method(), head.method);
    let x: Vec<&str> =
        head.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case("x")).map(|(_, v)| v.as_str()).collect();
    Response::text(format!(
        "{} {} host={} x={x:?} body={}",
        head.method,
        head.target,
        head.field("host").unwrap_or("-"),
        String::from_utf8_lossy(body.get(..100).unwrap_or(body))
    ))
}

fn streamed(reader: impl Read + Send + 'static) -> Response {
    Response { data: ResponseBody::from_reader(reader), ..Response::text("") }
}

/// One event at once, then nothing until the stop.
struct Ticks {
    stop: Stop,
    n: usize,
}

impl Read for Ticks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.n += 1;
        if self.n > 1 {
            self.stop.wait(Duration::from_secs(20));
            return Ok(0);
        }
        buffer[..5].copy_from_slice(b"tick\n");
        Ok(5)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is on fire"))
    }
}

/// A server on a free port, stopped when it is dropped.
struct TestServer {
    address: SocketAddr,
    stop: Stop,
    stats: Stats,
    echo: Arc<Echo>,
    server: Option<Server>,
}

impl TestServer {
    fn start() -> TestServer {
        TestServer::with(Limits::default())
    }

    fn with(limits: Limits) -> TestServer {
        let stop = Stop::new();
        let echo = Arc::new(Echo { stop: stop.clone(), n_handled: AtomicUsize::new(0) });
        let listeners = Listeners::bind(&["127.0.0.1:0".to_owned()]).unwrap();
        let handler = Arc::clone(&echo) as Arc<dyn Handler>;
        let server = Server::start(listeners, limits, handler, stop.clone()).unwrap();
        TestServer {
            address: server.local_addresses()[0],
            stop,
            stats: server.stats(),
            echo,
            server: Some(server),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends `bytes` on a new connection, shuts the write side, and reads all that comes.
    fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        // The server may have answered and closed before it has all.
        let _ = stream.write_all(bytes.as_ref());
        let _ = stream.shutdown(Shutdown::Write);
        read_all(&mut stream)
    }

    /// The server still answers others.
    fn check_alive(&self) {
        let answer = self.send("GET /alive HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    }

    fn n_handled(&self) -> usize {
        self.echo.n_handled.load(Ordering::SeqCst)
    }

    fn join(&mut self, most: Duration) -> bool {
        self.server.take().unwrap().join(most)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(server) = self.server.take() {
            server.join(Duration::from_secs(1));
        }
    }
}

/// All that comes until the end, a reset or the timeout, as Latin-1.
fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// One answer with a Content-Length: its head and its body.
fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|e| panic!("{e} after {:?}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn status_of(answer: &str) -> u16 {
    answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0)
}
