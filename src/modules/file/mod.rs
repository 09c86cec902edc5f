// SPDX-License-Identifier: Apache-2.0
//! The module `file`: looks for files by name, size, mode, time, contents and digest.

use crate::modules::{Host, Limits, Outcome, failed};
use serde_json::Value;

/// Walks the paths of all searches once each and tells which files match.
pub(super) fn run(_parameters: &Value, _limits: &Limits, _host: &Host) -> Outcome {
    failed("The module file is being made")
}
