// SPDX-License-Identifier: Apache-2.0
//! The accept loop of one listening socket. Nothing but the wish to stop ends it.

use super::connection::{self, Shared};
use super::listener::Listening;
use super::registry::Conn;
use super::reply::{Manner, Writer};
use super::tls::Tls;
use super::transport::Transport;
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Between two log lines of one kind.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Pause where descriptors or memory are short.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(20);

/// Who is turned away keeps a socket for a moment, so that the answer arrives.
const TURNED_AWAY_KEPT: Duration = Duration::from_secs(1);

/// So many at once.
const TURNED_AWAY_MAX: usize = 16;

/// Writing the answer to one who is turned away never waits longer.
const TURNED_AWAY_WRITE: Duration = Duration::from_millis(10);

/// Accepts connections until the registry is stopping.
pub(super) fn run(shared: &Arc<Shared>, listening: &Listening) {
    let mut loop_ = AcceptLoop { shared, complaints: Complaints::default(), turned_away: VecDeque::new() };
    while !shared.registry.is_stopping() {
        match listening.socket.accept() {
            Ok((socket, peer)) => loop_.take(socket, peer, shared.tls.as_ref().filter(|_| listening.is_tls)),
            // Shutting the socket wakes us with an error.
            Err(_) if shared.registry.is_stopping() => break,
            Err(error) => loop_.survive(&error),
        }
        loop_.release_turned_away();
    }
}

struct AcceptLoop<'a> {
    shared: &'a Arc<Shared>,
    complaints: Complaints,
    turned_away: VecDeque<(Instant, TcpStream)>,
}

impl AcceptLoop<'_> {
    fn take(&mut self, socket: TcpStream, peer: SocketAddr, tls: Option<&Arc<Tls>>) {
        // Answers are written whole: waiting for more to send would only delay them. It fails where the peer is gone
        // already, which the first read notices.
        let _ = socket.set_nodelay(true);
        match self.shared.registry.admit(socket, peer, tls.cloned()) {
            Ok(conn) => self.serve(&conn),
            Err(socket) => self.turn_away(socket, tls.is_some()),
        }
    }

    fn serve(&mut self, conn: &Arc<Conn>) {
        if let Err(error) = self.shared.workers.serve(self.shared, conn) {
            self.complaints.log("Cannot start a thread for a connection", &error);
            self.shared.registry.remove(conn);
        }
    }

    /// All connections are at work: says so at once, but not by TLS: a handshake would hold up who comes next.
    fn turn_away(&mut self, socket: TcpStream, is_tls: bool) {
        self.shared.registry.note_turned_away();
        self.complaints.log("A connection is turned away", &io::Error::other("all are at work"));
        if is_tls {
            return;
        }
        let response = connection::refusal(
            &*self.shared.handler,
            503,
            "All connections of the server are at work; try again later",
        );
        let kept = socket.try_clone();
        let mut transport = Transport::plain(Arc::new(socket), TURNED_AWAY_WRITE);
        let manner = Manner { is_head: false, minor_version: 1, is_keep_alive: false };
        let is_sent = Writer::default().write(&mut transport, response, manner).is_ok()
            && transport.finish_writing().is_ok();
        if let (true, Ok(kept)) = (is_sent, kept) {
            self.turned_away.push_back((Instant::now(), kept));
        }
    }

    fn release_turned_away(&mut self) {
        while let Some((since, _)) = self.turned_away.front() {
            if self.turned_away.len() <= TURNED_AWAY_MAX && since.elapsed() < TURNED_AWAY_KEPT {
                break;
            }
            self.turned_away.pop_front();
        }
    }

    fn survive(&mut self, error: &io::Error) {
        match error.kind() {
            // Nobody came, or whoever came is gone again.
            ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset => {}
            _ => {
                self.complaints.log("Cannot accept a connection", error);
                self.turned_away.clear();
                self.shared.registry.evict_one();
                // Without a pause this would spin until a descriptor is free.
                thread::sleep(SHORTAGE_PAUSE);
            }
        }
    }
}

/// Logs each kind of trouble at most once in [`LOG_EVERY`], with the number of times it came since.
#[derive(Default)]
struct Complaints {
    by_kind: HashMap<(&'static str, Option<i32>), Complaint>,
}

#[derive(Default)]
struct Complaint {
    logged_at: Option<Instant>,
    n_since: u64,
}

impl Complaints {
    fn log(&mut self, what: &'static str, error: &io::Error) {
        let complaint = self.by_kind.entry((what, error.raw_os_error())).or_default();
        complaint.n_since += 1;
        if complaint.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            log::warn!("{what}: {error} ({} times)", complaint.n_since);
            *complaint = Complaint { logged_at: Some(Instant::now()), n_since: 0 };
        }
    }
}
