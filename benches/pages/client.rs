// SPDX-License-Identifier: Apache-2.0
//! A browser's connection, as far as a bench needs it: kept open, one request after the other, each timed from its
//! first byte sent to the last byte of its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Nobody waits longer for a page.
const GIVE_UP: Duration = Duration::from_secs(60);

/// An answer.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location` of a redirect.
    pub location: Option<String>,
    /// The body as it came, perhaps compressed.
    pub body: Vec<u8>,
    /// To the last byte.
    pub time: Duration,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How an answer may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is: its size and its words are looked at.
    Plain,
    /// Compressed where the server likes to, as to every browser.
    Gzip,
}

/// A kept connection, opened when it is needed.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the server at `address`.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, stream: None }
    }

    /// Asks for a path with its query.
    pub fn get(&mut self, target: &str, coding: Coding) -> io::Result<Answer> {
        let accepted = if coding == Coding::Gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{accepted}\r\n", self.address);
        self.send(head.as_bytes())
    }

    /// Asks for JSON; what is not there is null, as everything in it then.
    pub fn json(&mut self, target: &str) -> serde_json::Value {
        let answer = self.get(target, Coding::Plain).ok().filter(|answer| answer.status == 200);
        answer.and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default()
    }

    /// Sends a form as a browser does.
    pub fn post_form(&mut self, target: &str, pairs: &[(String, String)]) -> io::Result<Answer> {
        let body = rouille::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {1}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.send(head.as_bytes())
    }

    /// Sends a whole request and reads its answer. A kept connection that the server has closed meanwhile is opened
    /// again, once.
    pub fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        let was_kept = self.stream.is_some();
        match self.try_send(request) {
            Err(error) if was_kept && is_end(&error) => self.try_send(request),
            outcome => outcome,
        }
    }

    fn try_send(&mut self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        let began = Instant::now();
        stream.get_mut().write_all(request)?;
        let mut answer = read_answer(&mut stream)?;
        answer.time = began.elapsed();
        // After an error the rest of an answer may still be under way: then the connection is not used again.
        self.stream = Some(stream);
        Ok(answer)
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind())
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, GIVE_UP)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GIVE_UP))?;
    Ok(BufReader::with_capacity(64 << 10, stream))
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let first = read_line(stream)?;
    let status = first.get(9..12).and_then(|status| status.parse().ok());
    let mut answer = Answer {
        status: status.ok_or_else(|| broken("an answer without a status"))?,
        location: None,
        body: Vec::new(),
        time: Duration::ZERO,
    };
    let (mut length, mut is_chunked) = (None, false);
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "transfer-encoding" => is_chunked = true,
            "location" => answer.location = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    if is_chunked {
        read_chunks(stream, &mut answer.body)?;
    } else {
        answer.body.resize(length.ok_or_else(|| broken("an answer without a length"))?, 0);
        stream.read_exact(&mut answer.body)?;
    }
    Ok(answer)
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size =
            usize::from_str_radix(&read_line(stream)?, 16).map_err(|_| broken("a chunk without size"))?;
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        read_line(stream)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
