// SPDX-License-Identifier: Apache-2.0
//! A socket with deadlines.
//!
//! A deadline costs a system call only where the socket's timeout would end after it: a shorter timeout that is
//! already set merely wakes the reader early, and it looks at the clock again.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connected socket and the timeouts that are set on it.
#[derive(Debug)]
pub(super) struct TimedSocket {
    socket: Arc<TcpStream>,
    read_timeout: Duration,
    write_timeout: Duration,
    write_timeout_max: Duration,
}

impl TimedSocket {
    /// `write_timeout` is for each piece, see [`PieceWriter`].
    pub(super) fn new(socket: Arc<TcpStream>, write_timeout: Duration) -> TimedSocket {
        TimedSocket {
            socket,
            read_timeout: Duration::MAX,
            write_timeout: Duration::MAX,
            write_timeout_max: write_timeout,
        }
    }

    /// Reads what there is, waiting until `deadline`; 0 at the end of input, `TimedOut` past the deadline.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.wait(deadline, |mut socket| socket.read(buffer))
    }

    /// The same, and leaves it to be read again.
    pub(super) fn peek(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.wait(deadline, |socket| socket.peek(buffer))
    }

    fn wait(
        &mut self,
        deadline: Instant,
        mut read: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            if self.read_timeout > left {
                self.set_read_timeout(left)?;
            }
            match read(&self.socket) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.set_read_timeout(Duration::MAX)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Says that nothing more will be written; reading goes on.
    pub(super) fn finish_writing(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
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
        if self.write_timeout == timeout {
            return Ok(());
        }
        self.write_timeout = timeout;
        self.socket.set_write_timeout(Some(at_least_a_millisecond(timeout)))
    }
}

/// Reads from a socket until a deadline.
pub(super) struct ReadUntil<'a> {
    pub(super) socket: &'a mut TimedSocket,
    pub(super) deadline: Instant,
}

impl Read for ReadUntil<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer, self.deadline)
    }
}

/// Writes one piece within the write timeout, or until a deadline. Each write takes what the socket takes.
pub(super) struct PieceWriter<'a> {
    socket: &'a mut TimedSocket,
    deadline: Option<Instant>,
}

impl<'a> PieceWriter<'a> {
    /// One piece of an answer. Only where the socket does not take it at once a deadline is set, and the first write
    /// has then waited already, so that a piece may take at most twice the timeout.
    pub(super) fn new(socket: &'a mut TimedSocket) -> PieceWriter<'a> {
        PieceWriter { socket, deadline: None }
    }

    /// What must be written by `deadline`.
    pub(super) fn until(socket: &'a mut TimedSocket, deadline: Instant) -> PieceWriter<'a> {
        PieceWriter { socket, deadline: Some(deadline) }
    }

    fn write_with(
        &mut self,
        n_wanted: usize,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let timeout = match self.deadline {
                None => self.socket.write_timeout_max,
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    left.min(self.socket.write_timeout_max)
                }
            };
            self.socket.set_write_timeout(timeout)?;
            match write(&self.socket.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    if n < n_wanted && self.deadline.is_none() {
                        self.deadline = Some(Instant::now() + self.socket.write_timeout_max);
                    }
                    return Ok(n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Write for PieceWriter<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.is_empty() {
            return Ok(0);
        }
        self.write_with(piece.len(), |mut socket| socket.write(piece))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let n_wanted = pieces.iter().map(|piece| piece.len()).sum();
        if n_wanted == 0 {
            return Ok(0);
        }
        self.write_with(n_wanted, |mut socket| socket.write_vectored(pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The kernel takes microseconds and reads zero as "for ever".
fn at_least_a_millisecond(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
