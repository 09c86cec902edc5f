// SPDX-License-Identifier: Apache-2.0
//! A small HTTP/1.1 client on a plain socket: it can also send what no well-behaved client would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `message` of an error answer.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {}", self.text())).to_owned()
    }
}

/// A connection that is kept.
pub struct Connection {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> std::io::Result<Connection> {
        Connection::over(TcpStream::connect_timeout(&address, Duration::from_secs(10))?)
    }

    /// Over a connection that is there.
    pub fn over(stream: TcpStream) -> std::io::Result<Connection> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Connection { stream, reader })
    }

    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request and reads its answer.
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(String, String)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            bytes.extend_from_slice(b"Host: localhost\r\n");
        }
        for (name, value) in fields {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || method == "POST" {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.send(&bytes)?;
        self.answer(method == "HEAD")
    }

    /// Reads the next answer; informational ones are skipped.
    pub fn answer(&mut self, is_head: bool) -> std::io::Result<Answer> {
        loop {
            let answer = self.one_answer(is_head)?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn one_answer(&mut self, is_head: bool) -> std::io::Result<Answer> {
        let first = self.line()?;
        let status: u16 = first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut answer = Answer { status, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            answer.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if is_head || status < 200 || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(std::io::Error::other)?;
                let mut chunk = vec![0; size];
                self.reader.read_exact(&mut chunk)?;
                answer.body.extend(chunk);
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = answer.header("content-length").and_then(|length| length.parse().ok()) {
            answer.body = vec![0; length];
            self.reader.read_exact(&mut answer.body)?;
        } else {
            self.reader.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Reads one line of a streamed body.
    pub fn body_line(&mut self) -> std::io::Result<String> {
        self.line()
    }
}
