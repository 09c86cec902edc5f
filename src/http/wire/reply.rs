// SPDX-License-Identifier: Apache-2.0
//! Writes an answer. A short one goes out in one write; one of unknown length as chunks, each read of its reader at
//! once, which is what event streams need.

use super::transport::Transport;
use crate::clock::Clock;
use chrono::DateTime;
use rouille::Response;
use std::fmt;
use std::io::{self, Read, Write};

/// Answers up to this size are put together with their head and written at once.
const WHOLE_BYTES_MAX: usize = 64 * 1024;

/// Longer answers are read and written in pieces of this size.
const PIECE_BYTES: usize = 32 * 1024;

/// Room before a chunk for its size in hexadecimal and CR LF.
const CHUNK_HEAD_BYTES: usize = 10;

/// A buffer that grew larger than this for one answer is not kept.
const BUFFER_KEPT_BYTES: usize = 16 * 1024;

/// How the answer is to be framed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The request was HEAD: the fields of the answer without its body.
    pub(super) is_head: bool,
    /// The request's minor version.
    pub(super) minor_version: u8,
    /// The connection may stay open.
    pub(super) is_keep_alive: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes of the body.
    pub(super) body_bytes: u64,
    /// True where the connection can take another request.
    pub(super) is_keep_alive: bool,
}

/// Writes answers; keeps its buffer and the date line between them.
#[derive(Debug, Default)]
pub(super) struct Writer {
    buffer: Vec<u8>,
    date: String,
    date_at: i64,
}

enum Framed {
    Nothing,
    Length(usize),
    Chunks,
    UntilClose,
}

impl Writer {
    /// Writes `response`. After an error the answer may be half written and the connection must be closed.
    pub(super) fn write(
        &mut self,
        transport: &mut Transport,
        response: Response,
        manner: Manner,
    ) -> io::Result<Written> {
        let Response { status_code, headers, data, .. } = response;
        let (mut reader, size) = data.into_reader_and_size();
        let is_bodiless = matches!(status_code, 100..=199 | 204 | 304);
        let framed = match size {
            _ if is_bodiless => Framed::Nothing,
            Some(size) => Framed::Length(size),
            None if manner.minor_version >= 1 => Framed::Chunks,
            None => Framed::UntilClose,
        };
        let is_close_asked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
        });
        let is_cut_by_close = matches!(framed, Framed::UntilClose) && !manner.is_head;
        let is_keep_alive = manner.is_keep_alive && !is_close_asked && !is_cut_by_close;

        self.start(status_code, &headers);
        match framed {
            Framed::Length(size) => {
                // Writing into a Vec cannot fail.
                let _ = write!(self.buffer, "Content-Length: {size}\r\n");
            }
            Framed::Chunks if !manner.is_head => {
                self.buffer.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            _ => {}
        }
        self.buffer.extend_from_slice(match (is_keep_alive, manner.minor_version) {
            (false, _) => b"Connection: close\r\n\r\n",
            (true, 0) => b"Connection: keep-alive\r\n\r\n",
            (true, _) => b"\r\n",
        });

        let framed = if manner.is_head { Framed::Nothing } else { framed };
        let body_bytes = match framed {
            Framed::Nothing => self.flush(transport).map(|()| 0),
            Framed::Length(size) if size <= WHOLE_BYTES_MAX => self.write_whole(transport, &mut reader, size),
            Framed::Length(size) => self.write_long(transport, reader.take(size as u64), size),
            Framed::Chunks => self.write_chunks(transport, reader),
            Framed::UntilClose => self.write_until_close(transport, reader),
        };
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        Ok(Written { body_bytes: body_bytes?, is_keep_alive })
    }

    /// Status line and fields, without those that frame the message.
    fn start(&mut self, status: u16, headers: &[(impl AsRef<str>, impl AsRef<str>)]) {
        self.buffer.clear();
        // Writing into a Vec cannot fail.
        let _ = write!(self.buffer, "HTTP/1.1 {status} {}\r\n", reason(status));
        let (mut has_date, mut has_server) = (false, false);
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            if is_ours(name) || !is_token(name) {
                continue;
            }
            has_date |= name.eq_ignore_ascii_case("date");
            has_server |= name.eq_ignore_ascii_case("server");
            self.buffer.extend_from_slice(name.as_bytes());
            self.buffer.extend_from_slice(b": ");
            // Nothing that came from outside may end a field and begin another.
            self.buffer
                .extend(value.bytes().map(|b| if b.is_ascii_control() && b != b'\t' { b' ' } else { b }));
            self.buffer.extend_from_slice(b"\r\n");
        }
        if !has_server {
            self.buffer.extend_from_slice(b"Server: muster\r\n");
        }
        if !has_date {
            self.put_date();
        }
    }

    fn put_date(&mut self) {
        let now = Clock::system().now();
        if now != self.date_at || self.date.is_empty() {
            self.date_at = now;
            self.date = DateTime::from_timestamp(now, 0)
                .map(|time| time.format("Date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string())
                .unwrap_or_default();
        }
        self.buffer.extend_from_slice(self.date.as_bytes());
    }

    fn flush(&mut self, transport: &mut Transport) -> io::Result<()> {
        let result = transport.write_all(&self.buffer);
        self.buffer.clear();
        result
    }

    fn write_whole(
        &mut self,
        transport: &mut Transport,
        reader: &mut dyn Read,
        size: usize,
    ) -> io::Result<u64> {
        let n = reader.take(size as u64).read_to_end(&mut self.buffer).map_err(reader_failed)?;
        if n < size {
            return Err(too_short(n, size));
        }
        self.flush(transport)?;
        Ok(n as u64)
    }

    fn write_long(
        &mut self,
        transport: &mut Transport,
        mut reader: impl Read,
        size: usize,
    ) -> io::Result<u64> {
        let mut written = 0;
        loop {
            // The first piece goes out together with the head.
            let head_bytes = self.buffer.len();
            self.buffer.resize(head_bytes + PIECE_BYTES, 0);
            let n = read_some(&mut reader, self.buffer.get_mut(head_bytes..).unwrap_or_default())?;
            self.buffer.truncate(head_bytes + n);
            self.flush(transport)?;
            written += n;
            if n == 0 || written == size {
                break;
            }
        }
        if written < size { Err(too_short(written, size)) } else { Ok(written as u64) }
    }

    fn write_chunks(&mut self, transport: &mut Transport, mut reader: impl Read) -> io::Result<u64> {
        // The head at once: the first event may be long in coming.
        self.flush(transport)?;
        let mut written = 0;
        loop {
            self.buffer.resize(CHUNK_HEAD_BYTES + PIECE_BYTES, 0);
            let n = read_some(&mut reader, self.buffer.get_mut(CHUNK_HEAD_BYTES..).unwrap_or_default())?;
            if n == 0 {
                self.buffer.clear();
                transport.write_all(b"0\r\n\r\n")?;
                return Ok(written);
            }
            self.buffer.truncate(CHUNK_HEAD_BYTES + n);
            // Leading zeros keep the data where it was read.
            let head = format!("{n:08x}\r\n");
            if let Some(place) = self.buffer.get_mut(..CHUNK_HEAD_BYTES) {
                place.copy_from_slice(head.as_bytes());
            }
            self.buffer.extend_from_slice(b"\r\n");
            self.flush(transport)?;
            written += n as u64;
        }
    }

    fn write_until_close(&mut self, transport: &mut Transport, mut reader: impl Read) -> io::Result<u64> {
        self.flush(transport)?;
        let mut written = 0;
        loop {
            self.buffer.resize(PIECE_BYTES, 0);
            let n = read_some(&mut reader, &mut self.buffer)?;
            self.buffer.truncate(n);
            if n == 0 {
                return Ok(written);
            }
            self.flush(transport)?;
            written += n as u64;
        }
    }
}

fn read_some(reader: &mut impl Read, target: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(target) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A reader that claims more than it was given is not trusted.
            result => return result.map(|n| n.min(target.len())).map_err(reader_failed),
        }
    }
}

/// The reader of an answer failed, which is our fault, not the peer's.
#[derive(Debug)]
struct ReaderFailed(String);

impl fmt::Display for ReaderFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReaderFailed {}

/// True where `error` came from the reader of the answer rather than from the socket.
pub(super) fn is_our_fault(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ReaderFailed>())
}

fn reader_failed(error: io::Error) -> io::Error {
    io::Error::other(ReaderFailed(error.to_string()))
}

fn too_short(n: usize, size: usize) -> io::Error {
    io::Error::other(ReaderFailed(format!("it ended after {n} of {size} bytes")))
}

/// True for fields that only this module writes.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 5] = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"];
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The customary words for a status.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        // The words carry no meaning; what is rare needs none.
        _ => "Other",
    }
}
