// SPDX-License-Identifier: Apache-2.0
//! The wire. `wire` is an HTTP/1.1 server of our own around rouille's Request and Response; the other modules are
//! what muster answers over it. Nothing below this layer knows HTTP.

pub mod wire;
