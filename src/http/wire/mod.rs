// SPDX-License-Identifier: Apache-2.0
//! A small blocking HTTP/1.1 server: listeners, connections, deadlines and limits. It knows nothing of muster: what to
//! answer is a [`Handler`]'s business.
//!
//! ```text
//! Listeners ─> accept (a thread each) ─> registry: who may stay ─> connection (a thread each: workers)
//!                                                                     transport  bytes, deadlines, TLS
//!                                                                     input      read ahead
//!                                                                     head, framing, body ─> Handler ─> reply
//! ```
//!
//! Invariants: nothing that a peer sends makes memory grow beyond [`Limits`]; no wait on a peer is without a deadline;
//! a request reaches its handler whole or not at all; after an error the connection is closed, never read on.

mod accept;
mod body;
mod budget;
mod connection;
mod exchange;
mod fault;
mod framing;
mod head;
mod input;
mod limits;
mod listener;
mod registry;
mod reply;
mod server;
mod slots;
mod timed;
mod tls;
mod transport;
mod workers;

pub use exchange::{BodyPolicy, Caller, Handler, Head, Incoming};
pub use limits::Limits;
pub use listener::Listeners;
pub use server::{Server, Stats};
pub use slots::{Slot, Slots};
pub use tls::Tls;
