// SPDX-License-Identifier: Apache-2.0
//! A record with every field, as the API and `muster export` write it. The names are a public interface.

use crate::error::Result;
use crate::model::csv_line::line;
use crate::model::record::Record;
use serde::Serialize;

/// The names of the fields, in their order.
pub const COLUMNS: [&str; 19] = [
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

/// A record as it is written; a field that its format version lacks is null. The order is that of [`COLUMNS`].
#[derive(Serialize)]
pub struct RecordRow<'a> {
    id: i64,
    arch: &'a str,
    bios_version: Option<&'a str>,
    board_name: Option<&'a str>,
    build: &'a str,
    classification: &'a str,
    cpu_model: Option<&'a str>,
    event_id: Option<String>,
    external: bool,
    kernel_version: &'a str,
    machine_id: &'a str,
    machine_type: &'a str,
    payload: &'a str,
    payload_format_version: Option<u32>,
    record_format_version: u8,
    severity: i64,
    system_name: Option<&'a str>,
    ts_capture: String,
    ts_reception: String,
}

impl<'a> RecordRow<'a> {
    /// `record`, with its times as `time_text` writes them.
    pub fn new(record: &'a Record, time_text: fn(i64) -> String) -> RecordRow<'a> {
        let content = &record.content;
        RecordRow {
            id: record.id,
            arch: &content.arch,
            bios_version: content.bios_version.as_deref(),
            board_name: content.board_name.as_deref(),
            build: &content.build,
            classification: &content.classification,
            cpu_model: content.cpu_model.as_deref(),
            event_id: content.event_id.map(|id| id.to_string()),
            external: content.is_external,
            kernel_version: &content.kernel_version,
            machine_id: &content.machine_id,
            machine_type: &content.host_type,
            payload: &content.payload,
            payload_format_version: content.payload_format_version,
            record_format_version: content.record_format_version,
            severity: content.severity.number(),
            system_name: content.system_name.as_deref(),
            ts_capture: time_text(content.captured_at),
            ts_reception: time_text(record.received_at),
        }
    }

    /// The same as a line of CSV with the columns [`COLUMNS`]; a field that its version lacks is empty.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let number = self.payload_format_version.map(|number| number.to_string());
        line::<&str>(&[
            &self.id.to_string(),
            self.arch,
            self.bios_version.unwrap_or(""),
            self.board_name.unwrap_or(""),
            self.build,
            self.classification,
            self.cpu_model.unwrap_or(""),
            self.event_id.as_deref().unwrap_or(""),
            if self.external { "true" } else { "false" },
            self.kernel_version,
            self.machine_id,
            self.machine_type,
            self.payload,
            number.as_deref().unwrap_or(""),
            &self.record_format_version.to_string(),
            &self.severity.to_string(),
            self.system_name.unwrap_or(""),
            &self.ts_capture,
            &self.ts_reception,
        ])
    }
}
