// SPDX-License-Identifier: Apache-2.0
//! Records as CSV (RFC 4180): the rows of the API with every field, and the rows of the browser's export.

use crate::error::Result;
use crate::model::csv_line::{guarded, line};
use crate::model::record::Record;
use crate::model::time::utc_text;

/// The columns of the API's CSV: the names of its JSON.
pub const API_COLUMNS: [&str; 19] = [
    "id",
    "arch",
    "bios_version",
    "board_name",
    "build",
    "classification",
    "cpu_model",
    "event_id",
    "external",
    "kernel_version",
    "machine_id",
    "machine_type",
    "payload",
    "payload_format_version",
    "record_format_version",
    "severity",
    "system_name",
    "ts_capture",
    "ts_reception",
];

/// The columns of the browser's export.
pub const EXPORT_COLUMNS: [&str; 8] =
    ["id", "external", "server_timestamp", "severity", "classification", "build", "machine_id", "payload"];

/// A record as a line of [`API_COLUMNS`]; a field that its version lacks is empty.
pub fn api_line(record: &Record) -> Result<Vec<u8>> {
    let content = &record.content;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    line(&[
        record.id.to_string(),
        content.arch.clone(),
        text(&content.bios_version),
        text(&content.board_name),
        content.build.clone(),
        content.classification.clone(),
        text(&content.cpu_model),
        content.event_id.map(|id| id.to_string()).unwrap_or_default(),
        content.is_external.to_string(),
        content.kernel_version.clone(),
        content.machine_id.clone(),
        content.host_type.clone(),
        content.payload.clone(),
        content.payload_format_version.map(|version| version.to_string()).unwrap_or_default(),
        content.record_format_version.to_string(),
        content.severity.number().to_string(),
        text(&content.system_name),
        utc_text(content.captured_at),
        utc_text(record.received_at),
    ])
}

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
