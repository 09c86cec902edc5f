// SPDX-License-Identifier: Apache-2.0
//! A record as the API writes it. The names are a public interface.

use crate::model::record::Record;
use crate::model::time::utc_text;
use serde::Serialize;

/// The JSON form of a record; fields that its format version lacks are null.
#[derive(Serialize)]
pub struct RecordJson<'a> {
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

impl<'a> RecordJson<'a> {
    /// The JSON form of `record`.
    pub fn new(record: &'a Record) -> RecordJson<'a> {
        let content = &record.content;
        RecordJson {
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
            ts_capture: utc_text(content.captured_at),
            ts_reception: utc_text(record.received_at),
        }
    }
}
