// SPDX-License-Identifier: Apache-2.0
//! The module `file`: looks for files by name, size, mode, time, contents and digest, as MIG documents it. What is in a
//! file never leaves the host, only that it matched.
//!
//! Where a file is asked for in ways of which MIG's documentation tells two stories, this is done:
//! `matchall` is on where nothing is said; `maxdepth` counts levels as `find` and MIG's agent do, 1 being what lies in
//! the path itself; `<10k` and `>10k` include 10 KiB; links to files are followed, links to directories are not; what the
//! kernel makes up (`/proc`, `/sys`) is looked at only where a path says so.

mod contents;
mod digest;
mod filter;
mod found;
mod inspect;
mod parameters;
mod pattern;
#[cfg(test)]
mod tests;
mod walk;

use crate::model::command::OperationResult;
use crate::modules::file::found::Found;
use crate::modules::{Host, Limits, Outcome, duration, failed};
use serde_json::{Value, json};
use std::time::Instant;

/// Walks the paths of all searches and tells which files match.
pub(super) fn run(parameters: &Value, limits: &Limits, host: &Host) -> Outcome {
    let begun = Instant::now();
    let now_nanos = i128::from(host.now_secs) * 1_000_000_000 + i128::from(host.now_nanos);
    let (searches, ignored) = match parameters::read(parameters, now_nanos) {
        Ok(read) => read,
        Err(fault) => return failed(fault),
    };
    let mut found = Found::new(&searches, limits.output_bytes_max, ignored);
    let is_done = walk::walk(&searches, limits.deadline, &mut found).is_ok();
    let hits = found.hits();
    let statistics = json!({
        "filescount": found.files,
        "openfailed": found.open_failures,
        "totalhits": hits,
        "exectime": duration::format(begun.elapsed()),
    });
    let elements = found.elements(&searches);
    let too_late = (!is_done).then(|| "The time was over before all files were looked at".to_owned());
    let result = OperationResult {
        foundanything: hits > 0,
        success: is_done,
        elements,
        statistics,
        errors: found.into_errors(too_late),
    };
    if is_done { Outcome::Done(result) } else { Outcome::TimedOut(result) }
}
