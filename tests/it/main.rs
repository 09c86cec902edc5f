// SPDX-License-Identifier: Apache-2.0
//! The integration tests: one module a subject, all in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod backup;
mod browser;
mod cli;
mod collector;
mod crashes;
mod custom;
mod demo;
mod derived;
mod disk;
mod docs;
mod doctor;
mod exchange;
mod fleet;
mod hostile;
mod kill;
mod limits;
mod load;
mod mce;
mod metrics;
mod openapi;
mod proxy;
mod records_api;
mod retention;
mod store;
mod support;
mod tidy;
mod tls;
mod views;
mod wire;
