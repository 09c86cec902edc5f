// SPDX-License-Identifier: Apache-2.0
//! A record filter as SQL: which index leads the search, and the conditions with their values.

use crate::error::Result;
use crate::model::filter::RecordFilter;
use crate::model::record::{ClassificationPattern, EventId, Severity};
use crate::store::derived::AHEAD_SECS_MAX;
use crate::store::record_insert::StoredMachineId;
use rusqlite::Connection;
use rusqlite::types::Value;

/// Ids of one run of the run indexes: `id >> RUN_SHIFT`, as in schema.sql.
pub const RUN_SHIFT: i64 = 11;

/// An index leads only where it leaves out most rows: a row found through it costs about this many scanned ones.
const LOOKUP_COST: i64 = 8;

/// Stands for an index where there is none for a condition whose count is known.
const NO_INDEX: &str = "";

/// Which way leads to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// All rows in the order of their ids.
    Scan,
    /// An index over the whole table.
    Index(&'static str),
    /// An index that is ordered within runs of 2048 ids only.
    Run(&'static str),
}

impl Driver {
    /// The words after the table's name that hold SQLite to this way.
    pub fn index_clause(self) -> String {
        match self {
            Driver::Scan => "NOT INDEXED".to_owned(),
            Driver::Index(name) | Driver::Run(name) => format!("INDEXED BY {name}"),
        }
    }
}

/// How a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Which way leads.
    pub driver: Driver,
    /// Most rows that the driver can lead to.
    pub rows_most: i64,
}

impl Plan {
    /// Chooses the way by the exact counts; none where the counts say that nothing can match.
    pub fn make(connection: &Connection, filter: &RecordFilter) -> Result<Option<Plan>> {
        if filter.event_id.as_deref().is_some_and(|id| EventId::parse(id).is_none()) {
            return Ok(None);
        }
        let total = count(connection, "SELECT sum(records) FROM severities", &[])?;
        let mut best = Plan { driver: Driver::Scan, rows_most: total };
        for (name, rows) in counted(connection, filter)? {
            if rows == 0 {
                return Ok(None);
            }
            if name != NO_INDEX
                && rows.saturating_mul(LOOKUP_COST) < total.max(best.rows_most)
                && rows < best.rows_most
            {
                best = Plan { driver: Driver::Index(name), rows_most: rows };
            }
        }
        let few = 1 << RUN_SHIFT;
        if best.rows_most > few {
            if filter.event_id.is_some() {
                best = Plan { driver: Driver::Run("records__run_event_id"), rows_most: best.rows_most };
            } else if filter.machine_id.is_some() {
                best = Plan { driver: Driver::Run("records__run_machine_id"), rows_most: best.rows_most };
            }
        }
        Ok((total > 0).then_some(best))
    }
}

/// The indexes that the filter could use, with the number of rows behind each.
fn counted(connection: &Connection, filter: &RecordFilter) -> Result<Vec<(&'static str, i64)>> {
    let mut ways = Vec::new();
    if let Some((condition, values)) = classification_condition(filter) {
        let sql = format!("SELECT sum(records) FROM classifications WHERE {condition}");
        ways.push(("records__classification_id", count(connection, &sql, &values)?));
    }
    if let Some(severity) = filter.severity {
        let sql = "SELECT sum(records) FROM severities WHERE severity = ?1";
        ways.push(("records__severity", count(connection, sql, &[Value::Integer(severity)])?));
    }
    if let Some(is_external) = filter.is_external {
        let sql = "SELECT records FROM sources WHERE is_external = ?1";
        // Nobody asks for the internal ones where nearly all are: only the external ones have an index.
        let name = if is_external { "records__id_external" } else { NO_INDEX };
        ways.push((name, count(connection, sql, &[Value::Integer(i64::from(is_external))])?));
    }
    if let Some(host_type) = &filter.host_type {
        let sql = "SELECT sum(records) FROM profiles WHERE host_type = ?1";
        // Without an index of its own: a record's profile is one of hundreds, each a page to write.
        ways.push((NO_INDEX, count(connection, sql, &[Value::Text(host_type.clone())])?));
    }
    if filter.build.is_some() || filter.system_name.is_some() {
        let (condition, values) = build_condition(filter);
        let sql = format!("SELECT sum(records) FROM builds WHERE {condition}");
        ways.push(("records__build_id", count(connection, &sql, &values)?));
    }
    Ok(ways)
}

fn count(connection: &Connection, sql: &str, values: &[Value]) -> Result<i64> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows: Option<i64> = statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(rows.unwrap_or(0))
}

/// What the filter asks of a classification's name; none where it asks nothing.
fn classification_condition(filter: &RecordFilter) -> Option<(String, Vec<Value>)> {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    match &filter.classification {
        Some(ClassificationPattern::Exact(name)) => {
            parts.push("name = ?".to_owned());
            values.push(Value::Text(name.clone()));
        }
        Some(ClassificationPattern::Prefix(prefix)) => {
            // The prefix ends with '/', whose successor is '0'.
            let end = format!("{}0", &prefix[..prefix.len().saturating_sub(1)]);
            parts.push("name >= ? AND name < ?".to_owned());
            values.extend([Value::Text(prefix.clone()), Value::Text(end)]);
        }
        None => {}
    }
    let names = &filter.classification_in;
    if !names.is_empty() {
        parts.push(format!("name IN ({})", vec!["?"; names.len()].join(", ")));
        values.extend(names.iter().cloned().map(Value::Text));
    }
    (!parts.is_empty()).then(|| (parts.join(" AND "), values))
}

fn build_condition(filter: &RecordFilter) -> (String, Vec<Value>) {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    if let Some(system_name) = &filter.system_name {
        parts.push("system_name = ?");
        values.push(Value::Text(system_name.clone()));
    }
    if let Some(build) = &filter.build {
        parts.push("build = ?");
        values.push(Value::Text(build.clone()));
    }
    (parts.join(" AND "), values)
}

/// The conditions of a WHERE clause over `records r` and `payloads p`, values apart.
#[derive(Debug, Default)]
pub struct Conditions {
    parts: Vec<String>,
    values: Vec<Value>,
    run: bool,
}

impl Conditions {
    /// Every condition of the filter.
    pub fn of(filter: &RecordFilter, plan: &Plan) -> Conditions {
        let mut all = Conditions::default();
        if let Some((condition, values)) = classification_condition(filter) {
            all.add(
                format!("r.classification_id IN (SELECT id FROM classifications WHERE {condition})"),
                values,
            );
        }
        if filter.build.is_some() || filter.system_name.is_some() {
            let (condition, values) = build_condition(filter);
            all.add(format!("r.build_id IN (SELECT id FROM builds WHERE {condition})"), values);
        }
        if let Some(severity) = filter.severity.filter(|number| Severity::from_number(*number).is_some()) {
            all.add("r.severity = ?".into(), vec![Value::Integer(severity)]);
        }
        if let Some(is_external) = filter.is_external {
            // Written out, because the planner must see that the partial index fits.
            all.add(format!("r.is_external = {}", i64::from(is_external)), Vec::new());
        }
        if let Some(machine_id) = &filter.machine_id {
            let value = match StoredMachineId::encode(machine_id) {
                StoredMachineId::Hex(bytes) => Value::Blob(bytes.to_vec()),
                StoredMachineId::Text(text) => Value::Text(text),
            };
            all.add("r.machine_id = ?".into(), vec![value]);
        }
        if let Some(event_id) = filter.event_id.as_deref().and_then(EventId::parse) {
            all.add("r.event_id = ?".into(), vec![Value::Blob(event_id.0.to_vec())]);
        }
        if let Some(from) = filter.received_from {
            all.add("r.received_at >= ?".into(), vec![Value::Integer(from)]);
        }
        if let Some(before) = filter.received_before {
            all.add("r.received_at < ?".into(), vec![Value::Integer(before)]);
        }
        let captured_at =
            format!("iif(r.captured_at > r.received_at + {AHEAD_SECS_MAX}, r.received_at, r.captured_at)");
        if let Some(from) = filter.captured_from {
            all.add(format!("{captured_at} >= ?"), vec![Value::Integer(from)]);
        }
        if let Some(before) = filter.captured_before {
            all.add(format!("{captured_at} < ?"), vec![Value::Integer(before)]);
        }
        if let Some(host_type) = &filter.host_type {
            all.add(
                "r.profile_id IN (SELECT id FROM profiles WHERE host_type = ?)".into(),
                vec![Value::Text(host_type.clone())],
            );
        }
        if let Some(pattern) = &filter.payload {
            all.add("payload_matches(?, p.payload)".into(), vec![Value::Text(pattern.clone())]);
        }
        if let Some(pattern) = &filter.not_payload {
            all.add("NOT payload_matches(?, p.payload)".into(), vec![Value::Text(pattern.clone())]);
        }
        all.run = matches!(plan.driver, Driver::Run(_));
        all
    }

    /// Ids from `low` on and below `high`; for a run index both must lie in one run.
    pub fn ids(&mut self, low: i64, high: i64) {
        if self.run {
            self.add("(r.id >> 11) = ?".into(), vec![Value::Integer(low >> RUN_SHIFT)]);
        }
        self.add("r.id >= ? AND r.id < ?".into(), vec![Value::Integer(low), Value::Integer(high)]);
    }

    fn add(&mut self, part: String, values: Vec<Value>) {
        self.parts.push(part);
        self.values.extend(values);
    }

    /// The clause, with a `?` for each value.
    pub fn sql(&self) -> String {
        self.parts.join(" AND ")
    }

    /// The values in the order of the clause, and one more for what follows it.
    pub fn values_and(self, last: i64) -> Vec<Value> {
        let mut values = self.values;
        values.push(Value::Integer(last));
        values
    }
}
