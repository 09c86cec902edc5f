// SPDX-License-Identifier: Apache-2.0
//! Storing records: what is prepared on the sender's thread, and what the writer does inside its transaction.

use crate::error::{Error, Kind, Result};
use crate::model::record::{NewRecord, parse_hex_16};
use crate::model::time::DAY_SECS;
use crate::store::derived::{Derived, DerivedState, Facts, day_of};
use crate::store::dimensions::{Dimensions, KEY_SEPARATOR, NewValueBound, RecordKeys};
use crate::store::payload::{self, StoredPayload};
use crate::store::recents::{Recents, digest};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension};

/// A clock that is set back by no more than this is not a step: the time of the record before is used.
const STEP_BACK_SECS_MAX: i64 = 120;

/// A machine id as the database holds it: half the bytes for the ids that the client makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredMachineId {
    /// 32 lower-case hexadecimal digits.
    Hex([u8; 16]),
    /// Any other text.
    Text(String),
}

impl StoredMachineId {
    /// The stored form of `text`.
    pub fn encode(text: &str) -> StoredMachineId {
        match parse_hex_16(text) {
            Some(bytes) => StoredMachineId::Hex(bytes),
            None => StoredMachineId::Text(text.to_owned()),
        }
    }

    /// What a column holds.
    pub fn from_value(value: ValueRef<'_>) -> StoredMachineId {
        match value {
            ValueRef::Blob(bytes) => match bytes.try_into() {
                Ok(bytes) => StoredMachineId::Hex(bytes),
                Err(_) => StoredMachineId::Text(crate::model::record::hex(bytes)),
            },
            ValueRef::Text(bytes) => StoredMachineId::Text(String::from_utf8_lossy(bytes).into_owned()),
            _ => StoredMachineId::Text(String::new()),
        }
    }

    /// As it was sent.
    pub fn text(&self) -> String {
        match self {
            StoredMachineId::Hex(bytes) => crate::model::record::hex(bytes),
            StoredMachineId::Text(text) => text.clone(),
        }
    }
}

impl rusqlite::ToSql for StoredMachineId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            StoredMachineId::Hex(bytes) => ValueRef::Blob(bytes),
            StoredMachineId::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// A record made ready for the writer: everything that needs no database is done.
#[derive(Debug)]
pub struct PreparedRecord {
    captured_at: i64,
    severity: i64,
    is_external: bool,
    record_format_version: u8,
    payload_format_version: Option<u32>,
    machine_id: StoredMachineId,
    event_id: Option<[u8; 16]>,
    payload: StoredPayload,
    keys: RecordKeys,
    digest: Option<i64>,
    derived: Derived,
    /// New strings of each kind that a day may bring; none where they are not counted.
    new_values_max: Option<i64>,
}

impl PreparedRecord {
    /// Prepares a validated record; hashes and perhaps deflates its payload.
    pub fn new(record: &NewRecord) -> Result<PreparedRecord> {
        let digest = record.event_id.map(|event_id| {
            digest(&record.machine_id, &record.classification, &record.payload, event_id, record.captured_at)
        });
        let derived = Derived::of(&record.classification, &record.payload);
        let system_name = record.system_name.as_deref().unwrap_or("");
        let profile = [
            record.host_type.as_str(),
            &record.kernel_version,
            record.board_name.as_deref().unwrap_or(""),
            record.cpu_model.as_deref().unwrap_or(""),
            record.bios_version.as_deref().unwrap_or(""),
            &record.arch,
        ]
        .join(KEY_SEPARATOR.encode_utf8(&mut [0; 4]));
        Ok(PreparedRecord {
            captured_at: record.captured_at,
            severity: record.severity.number(),
            is_external: record.is_external,
            record_format_version: record.record_format_version,
            payload_format_version: record.payload_format_version,
            machine_id: StoredMachineId::encode(&record.machine_id),
            event_id: record.event_id.map(|id| id.0),
            keys: RecordKeys {
                build: format!("{system_name}{KEY_SEPARATOR}{}", record.build),
                classification: record.classification.clone(),
                profile,
            },
            payload: StoredPayload::encode(&record.payload)?,
            digest,
            derived,
            new_values_max: None,
        })
    }

    /// The same from a sender who may bring at most so many new strings of each kind a day, all senders together.
    pub fn bounded(mut self, new_values_max: i64) -> PreparedRecord {
        self.new_values_max = Some(new_values_max);
        self
    }

    fn bound(&self, now: i64) -> Option<NewValueBound> {
        self.new_values_max.map(|added_max| NewValueBound { day: day_of(now), added_max })
    }

    /// Bytes that it adds to a transaction, roughly.
    pub fn len_bytes(&self) -> usize {
        self.payload.len_bytes() + 200
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id, or that of the same record stored before.
    pub id: i64,
    /// When that was received.
    pub received_at: i64,
    /// False where the same record was there already.
    pub is_new: bool,
}

/// What the writer carries from record to record.
#[derive(Debug, Default)]
pub struct InsertState {
    /// Ids and counts of the repeating strings.
    pub dimensions: Dimensions,
    /// Crashes, machine checks, heartbeats.
    pub derived: DerivedState,
    /// `received_at` of the newest row; none where it must be looked up.
    pub last_received_at: Option<i64>,
    /// What a record sent again is known by; none in a load, whose records are not.
    pub recents: Option<Recents>,
    /// True where every reception time is kept as it is, also one that is a little before the last: in an import.
    pub keeps_times: bool,
}

impl InsertState {
    /// Writes the counts that were noted; to be called before the commit.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        self.dimensions.flush(connection)?;
        self.derived.flush(connection)
    }
}

/// Stores one post inside the open transaction, or refuses it (TooOften) where it brings a new string beyond the bound
/// of the day; then nothing is changed. The outer error is of the database.
pub fn insert_post(
    connection: &Connection,
    state: &mut InsertState,
    record: &PreparedRecord,
    now: i64,
) -> Result<Result<Stored>> {
    if let Some(bound) = record.bound(now)
        && let Some(dimension) = state.dimensions.excess(connection, &record.keys, bound)?
    {
        let stored = find_recent(connection, state, record)?;
        return Ok(stored.ok_or_else(|| {
            let message = format!(
                "The record brings a new {dimension}, and today has brought {} of them, which is \
                 ingest.new_values_per_day_max",
                bound.added_max
            );
            let left_secs = (bound.day + 1) * DAY_SECS - now;
            Error::new(Kind::TooOften, message).retry_after(left_secs.unsigned_abs())
        }));
    }
    insert_record(connection, state, record, now).map(Ok)
}

/// Stores one record inside the open transaction. `received_at` is the time of the clock now.
pub fn insert_record(
    connection: &Connection,
    state: &mut InsertState,
    record: &PreparedRecord,
    received_at: i64,
) -> Result<Stored> {
    if let Some(stored) = find_recent(connection, state, record)? {
        return Ok(stored);
    }
    let ids = state.dimensions.ids(connection, &record.keys, record.bound(received_at))?;
    let last = match state.last_received_at {
        Some(last) => last,
        None => newest_received_at(connection)?,
    };
    let step_secs_min = if state.keeps_times { 0 } else { STEP_BACK_SECS_MAX };
    let is_step = received_at < last - step_secs_min;
    let received_at = if is_step { received_at } else { received_at.max(last) };
    connection
        .prepare_cached(
            "INSERT INTO records (received_at, captured_at, classification_id, build_id, profile_id, severity,
               is_external, record_format_version, payload_format_version, machine_id, event_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(rusqlite::params![
            received_at,
            record.captured_at,
            ids.classification,
            ids.build,
            ids.profile,
            record.severity,
            record.is_external,
            record.record_format_version,
            record.payload_format_version,
            record.machine_id,
            record.event_id,
        ])?;
    let id = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT INTO payloads (record_id, payload) VALUES (?1, ?2)")?
        .execute(rusqlite::params![id, record.payload])?;
    if is_step {
        connection.prepare_cached("INSERT INTO clock_steps (first_id) VALUES (?1)")?.execute([id])?;
    }
    if let Some(recents) = &mut state.recents {
        recents.add(record.digest.map(|digest| (record.captured_at, digest)), id);
    }
    state.last_received_at = Some(received_at);
    state.dimensions.count(ids, record.severity, record.is_external, 1);
    let facts = Facts {
        record_id: id,
        received_at,
        captured_at: record.captured_at,
        ids,
        is_external: record.is_external,
        machine_id: &record.machine_id,
    };
    state.derived.add(connection, &facts, &record.derived)?;
    Ok(Stored { id, received_at, is_new: true })
}

fn newest_received_at(connection: &Connection) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT received_at FROM records ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?
        .unwrap_or(i64::MIN / 2))
}

/// The same record, stored in the last 24 hours. All its fields are compared, not only the digest.
fn find_recent(
    connection: &Connection,
    state: &InsertState,
    record: &PreparedRecord,
) -> Result<Option<Stored>> {
    let (Some(recents), Some(digest), Some(event_id)) = (&state.recents, record.digest, record.event_id)
    else {
        return Ok(None);
    };
    let Some(id) = recents.find(connection, (record.captured_at, digest))? else { return Ok(None) };
    let mut find = connection.prepare_cached(
        "SELECT r.received_at, p.payload FROM records r
         JOIN payloads p ON p.record_id = r.id
         JOIN classifications c ON c.id = r.classification_id
         WHERE r.id = ?1 AND r.captured_at = ?2 AND r.machine_id = ?3 AND r.event_id = ?4 AND c.name = ?5",
    )?;
    let values = rusqlite::params![
        id,
        record.captured_at,
        record.machine_id,
        Value::Blob(event_id.to_vec()),
        record.keys.classification
    ];
    let mut rows = find.query(values)?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let is_same = match &record.payload {
        StoredPayload::Plain(text) => payload::decode(row.get_ref(1)?)? == *text,
        StoredPayload::Deflated(bytes) => {
            payload::decode(row.get_ref(1)?)? == payload::decode(ValueRef::Blob(bytes))?
        }
    };
    Ok(is_same.then_some(Stored { id, received_at: row.get(0)?, is_new: false }))
}
