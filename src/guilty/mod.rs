// SPDX-License-Identifier: Apache-2.0
//! Crash analysis without a database: reading payloads, choosing the guilty, the blacklist, readable names.
//!
//! [`trace`] reads a payload, [`select`] walks its crashing thread against a [`blacklist`], [`defaults`]
//! holds the list that ships with the program, [`demangle`] makes symbols readable. Nothing here stores,
//! counts or renders: the same payload and the same list always give the same guilty. All of it takes hostile
//! text: no input makes it fail, and time and memory are linear in the input.

pub mod blacklist;
pub mod defaults;
pub mod demangle;
mod itanium;
pub mod select;
pub mod trace;

pub use blacklist::{Blacklist, Entry};
pub use demangle::demangled;
pub use select::guilty_frame;
pub use trace::{Frame, Oops, Thread, Trace, function_name};
