// SPDX-License-Identifier: Apache-2.0
//! The integration tests: one module a subject, all in one binary.

mod collector;
mod records_api;
mod support;
mod wire;
