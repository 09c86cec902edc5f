// SPDX-License-Identifier: Apache-2.0
//! Rows of `records` with their strings and payload, as [`Record`]s.

use crate::error::{Error, Kind, Result};
use crate::model::record::{EventId, NewRecord, Record, Severity, hex};
use crate::store::payload;
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The columns that [`record_from_row`] reads, in its order.
pub const RECORD_COLUMNS: &str = "r.id, r.received_at, r.captured_at, r.severity, r.is_external,
  r.record_format_version, r.payload_format_version, r.machine_id, r.event_id,
  c.name, b.system_name, b.build,
  f.host_type, f.kernel_version, f.board_name, f.cpu_model, f.bios_version, f.arch, p.payload";

/// The tables behind [`RECORD_COLUMNS`], to be put after `FROM records r` with its index; the CROSS keeps the order.
pub const RECORD_JOINS: &str = "CROSS JOIN payloads p ON p.record_id = r.id
  CROSS JOIN classifications c ON c.id = r.classification_id
  CROSS JOIN builds b ON b.id = r.build_id
  CROSS JOIN profiles f ON f.id = r.profile_id";

/// How much of the payload is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadPart {
    /// All of it.
    Whole,
    /// At most this many characters from the start.
    Start(usize),
}

/// Reads one row of [`RECORD_COLUMNS`].
pub fn record_from_row(row: &Row<'_>, part: PayloadPart) -> Result<Record> {
    let record_format_version: u8 = row.get(5)?;
    let severity: i64 = row.get(3)?;
    // A field that the format version lacks is stored as the empty string, to share rows.
    let since_2 = |text: String| (record_format_version >= 2).then_some(text);
    let since_3 = |text: String| (record_format_version >= 3).then_some(text);
    let payload = match part {
        PayloadPart::Whole => payload::decode(row.get_ref(18)?)?,
        PayloadPart::Start(chars_max) => payload::decode_start(row.get_ref(18)?, chars_max)?,
    };
    Ok(Record {
        id: row.get(0)?,
        received_at: row.get(1)?,
        content: NewRecord {
            record_format_version,
            classification: row.get(9)?,
            severity: Severity::from_number(severity).ok_or_else(|| {
                Error::new(Kind::Corrupt, format!("A stored record has severity {severity}"))
            })?,
            machine_id: machine_id_text(row.get_ref(7)?),
            captured_at: row.get(2)?,
            arch: row.get(17)?,
            host_type: row.get(12)?,
            build: row.get(11)?,
            kernel_version: row.get(13)?,
            payload_format_version: row.get(6)?,
            system_name: since_2(row.get(10)?),
            board_name: since_3(row.get(14)?),
            cpu_model: since_3(row.get(15)?),
            bios_version: since_3(row.get(16)?),
            event_id: row.get::<_, Option<[u8; 16]>>(8)?.map(EventId),
            is_external: row.get(4)?,
            payload,
        },
    })
}

/// A stored machine id as it was sent.
pub fn machine_id_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Blob(bytes) => hex(bytes),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
