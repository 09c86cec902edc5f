// SPDX-License-Identifier: Apache-2.0
//! TLS on a connection, over rustls: what is read and written is the plain side, the socket carries the other. Which
//! certificate is shown is not known here but in the [`ServerConfig`] that is put in and may be replaced while
//! connections last; those keep what they began with.
//!
//! ```text
//! socket ──read──> records ──process──> plain bytes ──> Input
//! socket <─write── records <─encrypt─── plain bytes <── Writer     16 KiB at a time
//! ```
//!
//! The handshake is part of the first read. What rustls has to say besides (tickets, alerts) goes out with the next
//! answer, or before the next wait for the peer.

use super::timed::{PieceWriter, ReadUntil, TimedSocket};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many plain bytes are encrypted before they are written: what one record holds.
const ENCRYPT_BYTES: usize = 16 * 1024;

/// What rustls may hold for a connection, one record and a handshake's messages; a safeguard, for nothing here lets
/// it come to that.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// The first byte of every TLS connection: a record that holds a handshake.
const HANDSHAKE: u8 = 0x16;

/// At the end of a connection the peer is told so, but not waited for.
const FAREWELL_MOST: Duration = Duration::from_millis(50);

/// What the connections of a server speak TLS with.
#[derive(Debug)]
pub struct Tls {
    config: Mutex<Arc<ServerConfig>>,
    n_handshakes: AtomicU64,
    n_failed: AtomicU64,
}

impl Tls {
    /// Connections begin with `config` from now on.
    pub fn new(config: Arc<ServerConfig>) -> Tls {
        let config = Mutex::new(config);
        Tls { config, n_handshakes: AtomicU64::new(0), n_failed: AtomicU64::new(0) }
    }

    /// Connections that begin from now on have another configuration; those that are open keep theirs.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Handshakes that came to their end since the start.
    pub fn count_handshakes(&self) -> u64 {
        self.n_handshakes.load(Ordering::Relaxed)
    }

    /// Connections that ended before their handshake did, for whatever reason, since the start.
    pub fn count_failed(&self) -> u64 {
        self.n_failed.load(Ordering::Relaxed)
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The TLS side of one connection.
#[derive(Debug)]
pub(super) struct Session {
    tls: Arc<Tls>,
    connection: Option<Box<ServerConnection>>,
    has_shaken_hands: bool,
}

/// What the first byte of a connection says.
pub(super) enum First {
    /// The end came before it.
    End,
    /// A TLS handshake, or what rustls answers with an alert.
    Handshake,
    /// A request without TLS.
    Plain,
}

impl Session {
    /// A connection of which nothing was read yet.
    pub(super) fn new(tls: &Arc<Tls>) -> Session {
        Session { tls: Arc::clone(tls), connection: None, has_shaken_hands: false }
    }

    /// True before the first byte was looked at.
    pub(super) fn is_new(&self) -> bool {
        self.connection.is_none()
    }

    /// Waits for the first byte and begins with it.
    pub(super) fn begin(&mut self, socket: &mut TimedSocket, deadline: Instant) -> io::Result<First> {
        let mut first = [0; 1];
        match socket.peek(&mut first, deadline)? {
            0 => return Ok(First::End),
            _ if first[0] != HANDSHAKE
                && (first[0].is_ascii_alphabetic() || first[0].is_ascii_whitespace()) =>
            {
                return Ok(First::Plain);
            }
            _ => {}
        }
        let mut connection = ServerConnection::new(self.tls.config()).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(BUFFER_BYTES_MAX));
        self.connection = Some(Box::new(connection));
        Ok(First::Handshake)
    }

    /// Reads plain bytes; 0 at the end of input, announced or not: HTTP has its own lengths.
    pub(super) fn read(
        &mut self,
        socket: &mut TimedSocket,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> io::Result<usize> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        loop {
            match connection.reader().read(buffer) {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            let mut writer = PieceWriter::until(socket, deadline);
            while connection.wants_write() {
                connection.write_tls(&mut writer)?;
            }
            let is_end = connection.read_tls(&mut ReadUntil { socket, deadline })? == 0;
            if let Err(error) = connection.process_new_packets() {
                // The alert says to the peer what is wrong; whether it arrives changes nothing.
                let _ = connection.write_tls(&mut PieceWriter::until(socket, deadline));
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            if !self.has_shaken_hands && !connection.is_handshaking() {
                self.has_shaken_hands = true;
                self.tls.n_handshakes.fetch_add(1, Ordering::Relaxed);
            } else if is_end && !self.has_shaken_hands {
                return Ok(0);
            }
        }
    }

    /// Encrypts and writes everything.
    pub(super) fn write(&mut self, piece: &[u8], writer: &mut PieceWriter<'_>) -> io::Result<()> {
        let Some(connection) = &mut self.connection else { return Err(ErrorKind::NotConnected.into()) };
        for part in piece.chunks(ENCRYPT_BYTES) {
            connection.writer().write_all(part)?;
            while connection.wants_write() {
                connection.write_tls(writer)?;
            }
        }
        Ok(())
    }

    /// Tells the peer that nothing more will be written.
    pub(super) fn finish(&mut self, socket: &mut TimedSocket) {
        if let Some(connection) = self.connection.as_mut().filter(|_| self.has_shaken_hands) {
            connection.send_close_notify();
            let mut writer = PieceWriter::until(socket, Instant::now() + FAREWELL_MOST);
            // Who has gone needs no farewell.
            while connection.wants_write() && connection.write_tls(&mut writer).is_ok() {}
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.has_shaken_hands {
            self.tls.n_failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
