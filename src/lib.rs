// SPDX-License-Identifier: Apache-2.0
//! muster: every machine on a LAN reports in. The code map, the layers and their reasons are in ARCHITECTURE.md.

pub mod agent;
pub mod certificates;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod custom;
pub mod demo;
pub mod error;
pub mod guilty;
pub mod http;
pub mod ingest;
pub mod logging;
pub mod model;
pub mod modules;
pub mod ops;
pub mod pgp;
pub mod spool;
pub mod stop;
pub mod store;
pub mod systemd;
pub mod target;
pub mod views;
