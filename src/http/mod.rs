// SPDX-License-Identifier: Apache-2.0
//! The wire. `wire` is an HTTP/1.1 server of our own around rouille's Request and Response; the other modules are
//! what muster answers over it. Nothing below this layer knows HTTP.
//!
//! To add a route: one row in [`routes`]; a page is a row in `views` instead.

mod access;
mod account_forms;
mod acl_forms;
mod action_forms;
mod agent_api;
mod aggregates_api;
mod audit_api;
pub mod base_path;
mod call;
mod collector;
mod compress;
mod crash_forms;
mod csv_rows;
mod custom_api;
mod export;
mod fleet_api;
mod fleet_forms;
mod health;
mod hosts;
mod investigator_forms;
mod limits;
mod login;
mod metrics;
mod mig;
mod openapi;
mod pages;
mod proxies;
mod record_forms;
mod records_api;
mod respond;
pub mod routes;
mod stream;
mod tls;
mod web;
pub mod wire;

pub use call::parse_pairs;
pub use fleet_api::{double_csv, offline_csv};
pub use tls::{TlsFiles, check_pair as check_tls_pair, is_for_others, watch as watch_tls_files};
pub use web::Web;
