// SPDX-License-Identifier: Apache-2.0
//! The one HTTP client. Everything that muster says to another server goes through here.
//!
//! | file | what |
//! |---|---|
//! | `base_url` | where a server is, as a person writes it |
//! | `exchange` | one request and its answer within a time, and errors that say what to do |
//! | `facts` | what a telemetry client would say of this machine |
//! | `fleet` | what an agent says to its server, and fetches |
//! | `probe` | asks whether a server is there |
//! | `send` | posts one record |

pub mod base_url;
mod exchange;
pub mod facts;
pub mod fleet;
pub mod probe;
pub mod send;
