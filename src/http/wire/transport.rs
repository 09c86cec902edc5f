// SPDX-License-Identifier: Apache-2.0
//! The byte stream of one connection, with deadlines: plain TCP or TLS, whose handshake runs at the first read, on the
//! connection's own thread, under the deadline of the first head.

use super::timed::{PieceWriter, TimedSocket};
use super::tls::{First, Session, Tls};
use std::fmt;
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An answer is written in pieces of this size, each within the write timeout.
const WRITE_PIECE_BYTES: usize = 64 * 1024;

/// How bytes become what is on the socket.
#[derive(Debug)]
enum Kind {
    Plain,
    Tls(Session),
}

/// A connected byte stream.
#[derive(Debug)]
pub(super) struct Transport {
    socket: TimedSocket,
    kind: Kind,
}

impl Transport {
    /// Plain TCP. `write_timeout` is for each 64 KiB.
    pub(super) fn plain(socket: Arc<TcpStream>, write_timeout: Duration) -> Transport {
        Transport { socket: TimedSocket::new(socket, write_timeout), kind: Kind::Plain }
    }

    /// TLS, of which nothing was said yet.
    pub(super) fn tls(socket: Arc<TcpStream>, write_timeout: Duration, tls: &Arc<Tls>) -> Transport {
        let kind = Kind::Tls(Session::new(tls));
        Transport { socket: TimedSocket::new(socket, write_timeout), kind }
    }

    /// Reads what there is, waiting until `deadline`; 0 at the end of input, `TimedOut` past the deadline. Fails with
    /// [`PlainRequest`] where TLS was expected and a plain request came, which may be answered plainly.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let Kind::Tls(session) = &mut self.kind else { return self.socket.read(buffer, deadline) };
        if session.is_new() {
            match session.begin(&mut self.socket, deadline)? {
                First::Handshake => {}
                First::End => return Ok(0),
                First::Plain => {
                    self.kind = Kind::Plain;
                    return Err(io::Error::other(PlainRequest));
                }
            }
        }
        session.read(&mut self.socket, buffer, deadline)
    }

    /// Writes everything, each 64 KiB within the write timeout.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(WRITE_PIECE_BYTES) {
            let mut writer = PieceWriter::new(&mut self.socket);
            match &mut self.kind {
                Kind::Plain => writer.write_all(piece)?,
                Kind::Tls(session) => session.write(piece, &mut writer)?,
            }
        }
        Ok(())
    }

    /// Says that nothing more will be written; reading goes on.
    pub(super) fn finish_writing(&mut self) -> io::Result<()> {
        self.say_farewell();
        self.socket.finish_writing()
    }

    /// Before the socket closes: with TLS the peer is told that this is the end and no cut.
    pub(super) fn say_farewell(&mut self) {
        if let Kind::Tls(session) = &mut self.kind {
            session.finish(&mut self.socket);
        }
    }
}

/// A plain request came where TLS is spoken.
#[derive(Debug)]
pub(super) struct PlainRequest;

impl fmt::Display for PlainRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This port speaks TLS; its address begins with https://")
    }
}

impl std::error::Error for PlainRequest {}
