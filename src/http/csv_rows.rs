// SPDX-License-Identifier: Apache-2.0
//! Records as CSV (RFC 4180): the rows of the browser's export.

use crate::error::Result;
use crate::model::csv_line::{guarded, line};
use crate::model::record::Record;

/// The columns of the browser's export.
pub const EXPORT_COLUMNS: [&str; 8] =
    ["id", "external", "server_timestamp", "severity", "classification", "build", "machine_id", "payload"];

/// A record as a line of [`EXPORT_COLUMNS`], which people open in a spreadsheet: a cell that it would take for a
/// formula gets a `'` before it.
pub fn export_line(record: &Record) -> Result<Vec<u8>> {
    let content = &record.content;
    line(&[
        record.id.to_string().as_bytes(),
        content.is_external.to_string().as_bytes(),
        record.received_at.to_string().as_bytes(),
        content.severity.number().to_string().as_bytes(),
        guarded(&content.classification).as_bytes(),
        guarded(&content.build).as_bytes(),
        guarded(&content.machine_id).as_bytes(),
        guarded(&content.payload).as_bytes(),
    ])
}
