// SPDX-License-Identifier: Apache-2.0
//! Plain types and pure rules that every layer shares. No I/O, no SQL, no HTTP, no HTML.

pub mod account;
pub mod acl;
pub mod action;
pub mod agent;
pub mod audit;
pub mod build;
pub mod command;
pub mod crash;
pub mod credentials;
pub mod csv_line;
pub mod filter;
pub(crate) mod go_json;
pub mod investigator;
pub mod nearest;
pub mod pairs;
pub mod parameters;
pub mod quarantine;
pub mod record;
pub mod record_row;
pub mod retention;
pub mod time;
pub mod timestamp;
pub mod version;
pub mod visible;
pub mod week;
