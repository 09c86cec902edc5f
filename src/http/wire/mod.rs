// SPDX-License-Identifier: Apache-2.0
//! A small blocking HTTP/1.1 server: listeners, connections, deadlines and limits. It knows nothing of muster: what to
//! answer is a [`Handler`]'s business.

mod exchange;
mod stop;

pub use exchange::{BodyPolicy, Handler, Head, Incoming};
pub use stop::Stop;
