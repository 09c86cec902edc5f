// SPDX-License-Identifier: Apache-2.0
//! The byte stream of one connection, with deadlines. Today it is plain TCP; TLS is another [`Kind`], whose handshake
//! runs at the first read, on the connection's own thread, under the deadline of the first head.
//!
//! A deadline costs a system call only where the socket's timeout would end after it: a shorter timeout that is
//! already set merely wakes the reader early, and it looks at the clock again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An answer is written in pieces of this size, each within the write timeout.
const WRITE_PIECE_BYTES: usize = 64 * 1024;

/// How bytes become what is on the socket.
#[derive(Debug)]
enum Kind {
    Plain,
}

/// A connected byte stream.
#[derive(Debug)]
pub(super) struct Transport {
    socket: Arc<TcpStream>,
    kind: Kind,
    read_timeout: Duration,
    write_timeout: Duration,
    write_timeout_max: Duration,
}

impl Transport {
    /// Plain TCP. `write_timeout` is for each 64 KiB.
    pub(super) fn plain(socket: Arc<TcpStream>, write_timeout: Duration) -> Transport {
        Transport {
            socket,
            kind: Kind::Plain,
            read_timeout: Duration::MAX,
            write_timeout: Duration::MAX,
            write_timeout_max: write_timeout,
        }
    }

    /// Reads what there is, waiting until `deadline`; 0 at the end of input, `TimedOut` past the deadline.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            if self.read_timeout > left {
                self.set_read_timeout(left)?;
            }
            let result = match self.kind {
                Kind::Plain => (&*self.socket).read(buffer),
            };
            match result {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.set_read_timeout(Duration::MAX)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes everything, each 64 KiB within the write timeout.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(WRITE_PIECE_BYTES).try_for_each(|piece| self.write_piece(piece))
    }

    fn write_piece(&mut self, mut piece: &[u8]) -> io::Result<()> {
        if self.write_timeout != self.write_timeout_max {
            self.set_write_timeout(self.write_timeout_max)?;
        }
        let mut deadline = None;
        while !piece.is_empty() {
            let result = match self.kind {
                Kind::Plain => (&*self.socket).write(piece),
            };
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => piece = piece.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if !piece.is_empty() {
                // Only a full send buffer comes here; the first write has then waited already, so that a piece may
                // take at most twice the timeout.
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.write_timeout_max);
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                self.set_write_timeout(left)?;
            }
        }
        Ok(())
    }

    /// Says that nothing more will be written; reading goes on.
    pub(super) fn finish_writing(&mut self) -> io::Result<()> {
        match self.kind {
            Kind::Plain => self.socket.shutdown(Shutdown::Write),
        }
    }

    /// `Duration::MAX` only forgets what is set, so that the next read sets it anew.
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.read_timeout = timeout;
        if timeout == Duration::MAX {
            return Ok(());
        }
        self.socket.set_read_timeout(Some(at_least_a_millisecond(timeout)))
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.write_timeout = timeout;
        self.socket.set_write_timeout(Some(at_least_a_millisecond(timeout)))
    }
}

/// The kernel takes microseconds and reads zero as "for ever".
fn at_least_a_millisecond(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
