// SPDX-License-Identifier: Apache-2.0
//! One connection from its first byte to its last, on a thread of its own: head, body, handler, answer, and again.
//!
//! ```text
//!   wait for a head ──> admit ──> body ──> handle ──> write the answer ──> wait for a head
//!        │ fault          │ early answer     │ panic: 500     │ close
//!        └── refuse ──────┴──────> shut the write side, discard input, close
//! ```

use super::body::{self, Bounds};
use super::exchange::{Caller, Handler, Head, Incoming};
use super::fault::Fault;
use super::framing::{BodyLength, Framing};
use super::head;
use super::input::Input;
use super::limits::Limits;
use super::registry::{Conn, Registry};
use super::reply::{self, Manner, Writer};
use super::tls::Tls;
use super::transport::Transport;
use super::workers::Workers;
use rouille::{Request, Response};
use std::any::Any;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Bytes of empty lines before a request; old clients send one after a POST.
const EMPTY_LINES_BYTES_MAX: usize = 16;

/// How TLS begins: a handshake record of version 3.x. Without this answer such a client waits until the head is late.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// Characters of a request target in a log line.
const TARGET_LOGGED_MAX: usize = 200;

/// Input is discarded in pieces of this size.
const DISCARD_PIECE_BYTES: usize = 64 * 1024;

/// Numbers the failures, so that an answer can be found in the log.
static NEXT_FAILURE: AtomicU64 = AtomicU64::new(1);

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) limits: Limits,
    pub(super) registry: Registry,
    pub(super) bounds: Bounds,
    pub(super) workers: Workers,
    /// What speaks TLS; none where no socket does.
    pub(super) tls: Option<Arc<Tls>>,
}

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another request may come.
    Again,
    /// It is over, and nothing more is expected from the peer.
    Close,
    /// It broke off: the peer must not take what it has for the whole.
    Broken,
    /// It is over, but the peer may still be sending.
    Discard,
}

/// Serves a connection until it ends.
pub(super) fn serve(shared: &Shared, conn: &Conn) {
    let (socket, write_timeout) = (Arc::clone(&conn.socket), shared.limits.write_timeout);
    let transport = match &conn.tls {
        None => Transport::plain(socket, write_timeout),
        Some(tls) => Transport::tls(socket, write_timeout, tls),
    };
    let mut connection = Connection {
        shared,
        conn,
        input: Input::new(transport, shared.limits.head_bytes_max.max(512)),
        writer: Writer::default(),
        line: String::new(),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| connection.run()));
    if let Err(panic) = outcome {
        // Only the reader of an answer can come here: the answer is half sent, closing is all that is left.
        log::error!(
            "Answer to {} for {} broke off: panic: {}",
            Shown(&connection.line),
            conn.peer,
            Shown(panic_text(panic.as_ref()))
        );
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    conn: &'a Conn,
    input: Input,
    writer: Writer,
    /// Method and target of the request in work, for the log.
    line: String,
}

impl Connection<'_> {
    fn run(&mut self) {
        // A first request has the deadline of its head from the start, later ones from their first byte.
        let mut deadline = Some(Instant::now() + self.shared.limits.head_timeout);
        loop {
            if self.shared.registry.is_stopping() {
                // What has come is still read; the end of input follows. It fails only where the peer is gone.
                let _ = self.conn.socket.shutdown(Shutdown::Read);
            }
            let next = match self.next_head(deadline.take()) {
                Ok(None) => Next::Close,
                Ok(Some((head, framing))) => {
                    if !self.conn.begin_work() {
                        return;
                    }
                    self.exchange(head, framing)
                }
                Err(fault) => {
                    if !self.conn.begin_work() {
                        return;
                    }
                    self.line.clear();
                    self.refuse(&fault)
                }
            };
            self.conn.begin_idle();
            match next {
                Next::Again => {}
                Next::Broken => return,
                Next::Close => return self.input.transport.say_farewell(),
                Next::Discard => return self.discard(),
            }
        }
    }

    /// The next request head; none where the connection ends before one begins.
    fn next_head(&mut self, deadline: Option<Instant>) -> Result<Option<(Head, Framing)>, Fault> {
        let limits = &self.shared.limits;
        let mut head_deadline = deadline;
        let mut idle_deadline = None;
        let (mut n_seen, mut n_empty) = (0, 0);
        loop {
            let n = head::count_empty_lines(self.input.filled());
            if n > 0 {
                self.input.consume(n);
                n_seen = 0;
                n_empty += n;
                if n_empty > EMPTY_LINES_BYTES_MAX {
                    return Err(Fault::refuse(400, "Too many empty lines before the request"));
                }
            }
            let filled = self.input.filled();
            if let Some(n) = head::find_end(filled, n_seen) {
                let whole = filled.get(..n).unwrap_or_default();
                let parsed = head::parse(whole, self.conn.origin(), limits.fields_max)?;
                self.input.consume(n);
                return Ok(Some(parsed));
            }
            if filled.starts_with(&TLS_HANDSHAKE) {
                return Err(Fault::refuse(400, "This port speaks HTTP without TLS: ask by http://"));
            }
            n_seen = filled.len();
            if self.input.is_full() {
                return Err(Fault::refuse(431, "The request head is too long"));
            }
            let has_begun = n_seen > 0;
            let until = if has_begun || head_deadline.is_some() {
                *head_deadline.get_or_insert_with(|| Instant::now() + limits.head_timeout)
            } else {
                *idle_deadline.get_or_insert_with(|| Instant::now() + limits.idle_timeout)
            };
            match self.input.fill(until) {
                Ok(0) if has_begun => return Err(Fault::refuse(400, "The request head is incomplete")),
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut && has_begun => {
                    return Err(Fault::refuse(408, "The request head did not arrive in time"));
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Answers one request.
    fn exchange(&mut self, mut head: Head, framing: Framing) -> Next {
        let started = log::log_enabled!(log::Level::Debug).then(Instant::now);
        self.shared.registry.note_request();
        self.line.clear();
        self.line.push_str(&head.method);
        self.line.push(' ');
        self.line.extend(head.target.chars().take(TARGET_LOGGED_MAX));
        let is_head = head.method == "HEAD";
        let minor_version = head.minor_version;

        let handler = Arc::clone(&self.shared.handler);
        let admitted = self.guard(|| handler.admit(&mut head));
        let policy = match admitted {
            Ok(Ok(policy)) => policy,
            Ok(Err(response)) | Err(response) => {
                let is_keep_alive = framing.is_keep_alive && self.skip_body(framing.length);
                let manner = Manner { is_head, minor_version, is_keep_alive };
                return self.answer(response, manner, started, !self.is_spent(framing, is_keep_alive));
            }
        };
        let limits = &self.shared.limits;
        let body = match body::read(&mut self.input, &framing, policy, limits, &self.shared.bounds) {
            Ok(body) => body,
            Err(fault) => return self.refuse(&fault),
        };
        // The share is held until the handler is done with the data.
        let body::Body { data, is_cut, share } = body;
        let request = Request::fake_http_from(
            head.peer,
            head.method.clone(),
            head.target.clone(),
            head.fields.clone(),
            data,
        );
        let caller = Caller::new(&self.conn.socket);
        let incoming = Incoming { head, request, is_body_cut: is_cut, caller };
        let response = match self.guard(|| handler.handle(incoming)) {
            Ok(response) | Err(response) => response,
        };
        drop(share);
        let is_keep_alive = framing.is_keep_alive && !is_cut;
        self.answer(response, Manner { is_head, minor_version, is_keep_alive }, started, is_cut)
    }

    /// True where nothing of the request is left that the peer might still be sending.
    fn is_spent(&self, framing: Framing, was_skipped: bool) -> bool {
        framing.length == BodyLength::None || was_skipped
    }

    /// Consumes a body that nobody wants where all of it has come already; false where it has not.
    fn skip_body(&mut self, length: BodyLength) -> bool {
        match length {
            BodyLength::None => true,
            BodyLength::Fixed(n) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                let has_come = self.input.filled().len() >= n;
                if has_come {
                    self.input.consume(n);
                }
                has_come
            }
            BodyLength::Chunked => false,
        }
    }

    /// Writes an answer and says what comes next.
    fn answer(
        &mut self,
        response: Response,
        mut manner: Manner,
        started: Option<Instant>,
        has_unread_body: bool,
    ) -> Next {
        manner.is_keep_alive &= !self.shared.registry.is_stopping();
        let status = response.status_code;
        let written = match self.writer.write(&mut self.input.transport, response, manner) {
            Ok(written) => written,
            Err(error) => {
                self.log_broken_answer(&error);
                return Next::Broken;
            }
        };
        if let Some(started) = started {
            log::debug!(
                "{} {} {status} {} bytes {} us",
                self.conn.peer,
                Shown(&self.line),
                written.body_bytes,
                started.elapsed().as_micros()
            );
        }
        if written.is_keep_alive {
            Next::Again
        } else if has_unread_body || !self.input.is_empty() {
            Next::Discard
        } else {
            Next::Close
        }
    }

    /// Answers what never became a request. Nothing more is read from the connection.
    fn refuse(&mut self, fault: &Fault) -> Next {
        let (status, message) = match fault {
            Fault::Refuse(status, message) => (*status, message),
            Fault::Gone(reason) => {
                log::debug!("{} {} is gone: {reason}", self.conn.peer, Shown(&self.line));
                return Next::Broken;
            }
        };
        let started = log::log_enabled!(log::Level::Debug).then(Instant::now);
        let response = refusal(&*self.shared.handler, status, message);
        let manner = Manner { is_head: false, minor_version: 1, is_keep_alive: false };
        self.answer(response, manner, started, true)
    }

    /// Calls the handler; a panic becomes an answer with the number under which it is logged.
    fn guard<T>(&self, call: impl FnOnce() -> T) -> Result<T, Response> {
        catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
            let number = NEXT_FAILURE.fetch_add(1, Ordering::Relaxed);
            let id = format!("{:x}-{number:x}", self.conn.number);
            log::error!(
                "Request {id}: {} from {}: panic: {}",
                Shown(&self.line),
                self.conn.peer,
                Shown(panic_text(panic.as_ref()))
            );
            let message = format!("Internal error; the log has it under request {id}");
            refusal(&*self.shared.handler, 500, &message)
        })
    }

    fn log_broken_answer(&self, error: &std::io::Error) {
        let level = if reply::is_our_fault(error) { log::Level::Error } else { log::Level::Debug };
        log::log!(level, "Answer to {} for {} broke off: {error}", Shown(&self.line), self.conn.peer);
    }

    /// Lets the answer arrive: a close with unread input would make the kernel throw it away.
    fn discard(&mut self) {
        let limits = &self.shared.limits;
        if self.input.transport.finish_writing().is_err() {
            return;
        }
        let deadline = Instant::now() + limits.discard_timeout;
        let mut left = limits.discard_bytes_max.saturating_sub(self.input.filled().len());
        let mut piece = vec![0; DISCARD_PIECE_BYTES];
        while left > 0 {
            match self.input.transport.read(&mut piece, deadline) {
                Ok(0) | Err(_) => return,
                Ok(n) => left = left.saturating_sub(n),
            }
        }
    }
}

/// The handler's refusal; should it panic too, a plain one.
pub(super) fn refusal(handler: &dyn Handler, status: u16, message: &str) -> Response {
    let response = catch_unwind(AssertUnwindSafe(|| handler.refuse(status, message)))
        .unwrap_or_else(|_| Response::text("Internal error").with_status_code(500));
    let has_retry_after = response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    if status == 503 && !has_retry_after {
        return response.with_additional_header("Retry-After", "5");
    }
    response
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

/// Shows text from outside in a log line: bounded, control characters escaped.
struct Shown<'a>(&'a str);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        // A method may be as long as a target.
        for c in self.0.chars().take(TARGET_LOGGED_MAX + 20) {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}
