// SPDX-License-Identifier: Apache-2.0
//! A build of an operating system: two systems may number alike, so both names belong together.

use serde::Serialize;

/// The system that pages show first where it has records: the one that the clients were written for.
pub const USUAL_SYSTEM: &str = "clear-linux-os";

/// A build and the system it is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct BuildName {
    /// ID of os-release; empty for records of format version 1, which have none.
    pub system_name: String,
    /// Build, without quotes.
    pub build: String,
}
