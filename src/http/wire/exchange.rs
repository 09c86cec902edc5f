// SPDX-License-Identifier: Apache-2.0
//! What passes between a connection and the [`Handler`] that answers its requests.

use rouille::{Request, Response};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;

/// The head of a request, before its body is read.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method as sent; methods are case-sensitive.
    pub method: String,
    /// The request target as sent: path and query, still percent-encoded. Of an absolute target only path and query
    /// are kept, its authority replaces Host.
    pub target: String,
    /// Minor version: 0 or 1.
    pub minor_version: u8,
    /// Fields in the order sent, values trimmed; bytes that are not UTF-8 are read as Latin-1.
    pub fields: Vec<(String, String)>,
    /// The address of who asks: the peer's, until [`Handler::admit`] puts another there that a trusted proxy told.
    pub peer: SocketAddr,
    /// The peer's own address, where `peer` is what a trusted proxy told.
    pub proxy: Option<IpAddr>,
    /// True where it came over TLS of our own; what a proxy says of its side is not in it.
    pub is_tls: bool,
    /// The path below which a proxy offers us, as configured; it is not part of the target any more.
    pub base_path: String,
    /// The head as it came, without the empty line at its end: what quarantine shows.
    pub raw: Vec<u8>,
}

impl Head {
    /// The value of the first field called `name`, whatever its case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The path of the target: everything before the first `?`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }
}

/// How much body a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPolicy {
    /// Bytes kept; what is beyond is not read into memory and sets [`Incoming::is_body_cut`].
    pub bytes_max: usize,
}

/// The socket of who asks, for handlers that let them wait.
#[derive(Clone, Debug, Default)]
pub struct Caller(Option<Arc<TcpStream>>);

impl Caller {
    pub(super) fn new(socket: &Arc<TcpStream>) -> Caller {
        Caller(Some(Arc::clone(socket)))
    }

    /// True where the peer has closed the connection, so that what is given to it now is lost. A peer that closed its
    /// sending side alone counts as gone, too: the two cannot be told apart before something is written.
    pub fn has_left(&self) -> bool {
        let Some(socket) = &self.0 else { return false };
        let mut watched = [PollFd::new(&**socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Where it cannot be told they count as there: a lost answer is what the lease of a command is for.
        poll(&mut watched, Some(&at_once)).is_ok_and(|n| n > 0)
    }
}

/// A request with its body.
pub struct Incoming {
    /// The head.
    pub head: Head,
    /// The same request in rouille's type, with the body as its data.
    pub request: Request,
    /// True where the body was longer than the policy allows. The data then hold its first `bytes_max` bytes.
    pub is_body_cut: bool,
    /// Who asks.
    pub caller: Caller,
}

/// Answers requests; called on the thread of the connection, by many at once.
pub trait Handler: Send + Sync + 'static {
    /// Decides from the head alone how much body is taken, or answers at once with what will be sent instead. May
    /// bring the head into the form in which [`Handler::handle`] wants it.
    fn admit(&self, head: &mut Head) -> Result<BodyPolicy, Response>;

    /// Answers a request. A panic is caught, logged with an id, and answered 500.
    fn handle(&self, incoming: Incoming) -> Response;

    /// Answers what never became a request: a head or body that breaks a rule of HTTP or a limit. `status` is the
    /// status, `message` says what is wrong.
    fn refuse(&self, status: u16, message: &str) -> Response;
}
