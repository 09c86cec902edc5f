// SPDX-License-Identifier: Apache-2.0
//! Everything that is kept beside the rows, counted again from the rows and compared: in one snapshot, only reading.
//!
//! What a payload gives is derived once more into a scratch database, which SQLite keeps in a file of its own and removes.
//! Its tables hide those of the same name in the database, which is attached as `live`, so the code that derives is the same.

use crate::error::{Error, Result};
use crate::model::time::DAY_SECS;
use crate::store::backup::damages;
use crate::store::checkpoint::wal_bytes;
use crate::store::derived::crashes::decode_functions;
use crate::store::derived::heartbeats::DAYS_KEPT;
use crate::store::derived::rebuild::rebuild;
use crate::store::open::{self, SCHEMA_VERSION};
use crate::store::payload;
use crate::store::watch::Watch;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Findings of one kind of damage that are told.
const DAMAGES_MAX: usize = 20;
/// The log may grow to this size, or to that of the database where that is more, before the comparison gives way.
const WAL_BYTES_MAX: u64 = 1 << 30;

/// What mends a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// The counts of records by classification, build, profile, severity and source.
    Recount,
    /// Crashes, machine checks, heartbeats and what is counted of them.
    Derive,
    /// Where the clock was set back.
    ClockSteps,
    /// The counts of commands of each action.
    Actions,
    /// The narrow rows of agents.
    AgentStates,
    /// Indexes, built from their tables.
    Indexes,
    /// The files of the spool, written from their rows.
    Spool,
    /// A backup: it cannot be made of what is there.
    Restore,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A sentence without its period.
    pub text: String,
    /// What would mend it.
    pub remedy: Remedy,
}

/// Rows that are kept, and the same counted anew.
struct Comparison {
    /// What is compared, in the plural.
    what: &'static str,
    kept: &'static str,
    counted: &'static str,
    remedy: Remedy,
}

const fn compare(
    what: &'static str,
    remedy: Remedy,
    kept: &'static str,
    counted: &'static str,
) -> Comparison {
    Comparison { what, kept, counted, remedy }
}

/// Compared without the scratch database.
const COUNTS: &[Comparison] = &[
    compare(
        "counts of records by classification",
        Remedy::Recount,
        "SELECT id, records FROM live.classifications WHERE records <> 0",
        "SELECT classification_id, count(*) FROM live.records GROUP BY 1",
    ),
    compare(
        "counts of records by build",
        Remedy::Recount,
        "SELECT id, records FROM live.builds WHERE records <> 0",
        "SELECT build_id, count(*) FROM live.records GROUP BY 1",
    ),
    compare(
        "counts of records by profile",
        Remedy::Recount,
        "SELECT id, records FROM live.profiles WHERE records <> 0",
        "SELECT profile_id, count(*) FROM live.records GROUP BY 1",
    ),
    compare(
        "counts of records by severity",
        Remedy::Recount,
        "SELECT severity, records FROM live.severities WHERE records <> 0",
        "SELECT severity, count(*) FROM live.records GROUP BY 1",
    ),
    compare(
        "counts of records by source",
        Remedy::Recount,
        "SELECT is_external, records FROM live.sources WHERE records <> 0",
        "SELECT is_external, count(*) FROM live.records GROUP BY 1",
    ),
    compare(
        "counts of crashes by day",
        Remedy::Derive,
        "SELECT kind, received_day, guilty_id, build_id, crashes FROM live.crash_days",
        "SELECT b.kind, c.received_day, coalesce(b.guilty_id, 0), c.build_id, count(*)
         FROM live.crashes c JOIN live.backtraces b ON b.id = c.backtrace_id GROUP BY 1, 2, 3, 4",
    ),
    compare(
        "counts of crashes by guilty",
        Remedy::Derive,
        "SELECT kind, guilty_id, build_id, crashes FROM live.crash_totals",
        "SELECT kind, guilty_id, build_id, sum(crashes) FROM live.crash_days GROUP BY 1, 2, 3",
    ),
    compare(
        "counts of crashes by build",
        Remedy::Derive,
        "SELECT kind, build_id, crashes FROM live.crash_builds",
        "SELECT kind, build_id, sum(crashes) FROM live.crash_days GROUP BY 1, 2",
    ),
    compare(
        "counts of crashes by backtrace",
        Remedy::Derive,
        "SELECT id, crashes, newest_record_id FROM live.backtraces WHERE crashes <> 0",
        "SELECT backtrace_id, count(*), max(record_id) FROM live.crashes GROUP BY 1",
    ),
    compare(
        "counts of machines by last heartbeat",
        Remedy::Derive,
        "SELECT build_id, is_external, last_day, machines FROM live.population",
        "SELECT build_id, is_external, last_day, count(*) FROM
           (SELECT build_id, is_external, max(captured_day) AS last_day FROM live.heartbeats
            GROUP BY build_id, is_external, machine_id) GROUP BY 1, 2, 3",
    ),
    compare(
        "counts of commands by action",
        Remedy::Actions,
        "SELECT id, prepared, sent, success, failed, timeout, cancelled, expired FROM live.actions",
        "SELECT a.id, count(*) FILTER (WHERE c.status = 1), count(*) FILTER (WHERE c.status = 2),
           count(*) FILTER (WHERE c.status = 3), count(*) FILTER (WHERE c.status = 4),
           count(*) FILTER (WHERE c.status = 5), count(*) FILTER (WHERE c.status = 6),
           count(*) FILTER (WHERE c.status = 7)
         FROM live.actions a LEFT JOIN live.commands c ON c.action_id = a.id GROUP BY a.id",
    ),
];

/// Compared with the scratch database, once everything is derived there.
const DERIVED: &[Comparison] = &[
    compare(
        "crashes",
        Remedy::Derive,
        "SELECT c.record_id, b.digest, b.kind, c.build_id, c.received_day, c.machine_id
         FROM live.crashes c JOIN live.backtraces b ON b.id = c.backtrace_id",
        "SELECT c.record_id, b.digest, b.kind, c.build_id, c.received_day, c.machine_id
         FROM main.crashes c JOIN main.backtraces b ON b.id = c.backtrace_id",
    ),
    compare(
        "weeks of machine checks",
        Remedy::Derive,
        "SELECT * FROM live.machine_check_weeks",
        "SELECT * FROM main.machine_check_weeks",
    ),
    compare(
        "counts of machine checks by build",
        Remedy::Derive,
        "SELECT * FROM live.machine_check_builds",
        "SELECT * FROM main.machine_check_builds",
    ),
    compare(
        "counts of machine checks by status",
        Remedy::Derive,
        "SELECT * FROM live.machine_check_statuses",
        "SELECT * FROM main.machine_check_statuses",
    ),
    compare(
        "counts of machine checks by machine",
        Remedy::Derive,
        "SELECT * FROM live.machine_check_machines",
        "SELECT * FROM main.machine_check_machines",
    ),
    compare(
        "counts of machine checks by machine and build",
        Remedy::Derive,
        "SELECT * FROM live.machine_check_machine_builds",
        "SELECT * FROM main.machine_check_machine_builds",
    ),
    compare(
        "heartbeats",
        Remedy::Derive,
        "SELECT build_id, is_external, machine_id, iif(captured_day < (SELECT day FROM oldest), 0, captured_day),
           sum(records) FROM live.heartbeats GROUP BY 1, 2, 3, 4",
        "SELECT build_id, is_external, machine_id, iif(captured_day < (SELECT day FROM oldest), 0, captured_day),
           sum(records) FROM main.heartbeats GROUP BY 1, 2, 3, 4",
    ),
];

/// The guilty of each backtrace; only where all follow the list in force.
const GUILTIES: Comparison = compare(
    "guilties of backtraces",
    Remedy::Derive,
    "SELECT b.digest, f.name, f.module FROM live.backtraces b LEFT JOIN live.functions f ON f.id = b.guilty_id
     WHERE b.crashes <> 0",
    "SELECT b.digest, f.name, f.module FROM main.backtraces b LEFT JOIN main.functions f ON f.id = b.guilty_id",
);

/// Rows that are wrong by themselves, what they are, and what mends them.
const WRONG: &[(&str, &str, Remedy)] = &[
    (
        "records without a payload",
        "SELECT count(*) FROM live.records r WHERE NOT EXISTS
           (SELECT 1 FROM live.payloads p WHERE p.record_id = r.id)",
        Remedy::Restore,
    ),
    (
        "records that are older than the one before, without a mark of it",
        "SELECT count(*) FROM (SELECT id, received_at, lag(id) OVER (ORDER BY id) AS id_before,
             lag(received_at) OVER (ORDER BY id) AS received_before FROM live.records)
         WHERE received_at < received_before AND NOT EXISTS
           (SELECT 1 FROM live.clock_steps WHERE first_id > id_before AND first_id <= id)",
        Remedy::ClockSteps,
    ),
    (
        "agents without their state",
        "SELECT count(*) FROM live.agents a WHERE NOT EXISTS (SELECT 1 FROM live.agent_states s
           WHERE s.endpoint_id = a.endpoint_id AND s.agent_id = a.id)",
        Remedy::Restore,
    ),
    (
        "states that are not their agent's",
        "SELECT count(*) FROM live.agent_states s LEFT JOIN live.agents a
           ON a.id = s.agent_id AND a.endpoint_id = s.endpoint_id
         WHERE a.id IS NULL OR s.is_destroyed <> (a.destroyed_at IS NOT NULL)",
        Remedy::AgentStates,
    ),
];

/// The tables that are derived.
const DERIVED_TABLES: &[&str] = &[
    "functions",
    "backtraces",
    "crashes",
    "crash_days",
    "crash_totals",
    "crash_builds",
    "machine_check_weeks",
    "machine_check_builds",
    "machine_check_statuses",
    "machine_check_machines",
    "machine_check_machine_builds",
    "heartbeats",
    "population",
];

/// Compares everything in the database of a data directory that is of the current version; posts go on. Kinds: Usage
/// where there is none or it is older, Busy where it was stopped or too much is written meanwhile.
///
/// `now` is asked once the snapshot is taken: finding damage before that may take minutes.
pub fn recount(data_dir: &Path, now: &dyn Fn() -> i64, watch: &mut Watch<'_>) -> Result<Vec<Finding>> {
    let path = open::database_path(data_dir);
    // A private database that spills into a file which nobody sees.
    let connection = Connection::open("")?;
    connection
        .execute_batch("PRAGMA temp_store = FILE; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32768",
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute("ATTACH ?1 AS live", [open::read_only_uri(&path)])?;
    watch.guard_until(&connection, too_much_written(&path))?;
    findings(&connection, &path, now, watch).map_err(|error| watch.or_stopped(error))
}

fn too_much_written(path: &Path) -> impl Fn() -> bool + Send + 'static {
    let most = WAL_BYTES_MAX.max(std::fs::metadata(path).map_or(0, |file| file.len()));
    let wal = open::wal_path(path);
    move || wal_bytes(&wal) > most
}

fn findings(
    connection: &Connection,
    path: &Path,
    now: &dyn Fn() -> i64,
    watch: &mut Watch<'_>,
) -> Result<Vec<Finding>> {
    let version: i64 = connection.query_row("PRAGMA live.user_version", [], |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        return Err(Error::usage(format!(
            "{} is of schema {version}; start the server once, which brings it to schema {SCHEMA_VERSION}",
            path.display()
        )));
    }
    let mut findings = damage(path, watch)?;
    if findings.iter().any(|finding| finding.remedy == Remedy::Restore) {
        // What damaged pages say is not to be counted.
        return Ok(findings);
    }
    connection.execute_batch("BEGIN")?;
    // The first reading makes the snapshot.
    connection.query_row("SELECT count(*) FROM live.meta", [], |_| Ok(()))?;
    let now = now();
    let total = (COUNTS.len() + WRONG.len() + DERIVED.len()) as u64;
    for (done, comparison) in COUNTS.iter().enumerate() {
        watch.tell(done as u64, total, comparison.what);
        findings.extend(differences(connection, comparison)?);
    }
    for (done, (what, sql, remedy)) in WRONG.iter().enumerate() {
        watch.tell((COUNTS.len() + done) as u64, total, what);
        let rows: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if rows > 0 {
            findings.push(Finding { text: format!("{rows} {what}"), remedy: *remedy });
        }
    }
    findings.extend(unreadable_payloads(connection)?);
    findings.extend(named_functions(connection)?);
    derive(connection, now, watch)?;
    for (done, comparison) in DERIVED.iter().enumerate() {
        watch.tell((COUNTS.len() + WRONG.len() + done) as u64, total, comparison.what);
        findings.extend(differences(connection, comparison)?);
    }
    if crate::store::recompute::is_followed(connection)? {
        findings.extend(differences(connection, &GUILTIES)?);
    }
    connection.execute_batch("COMMIT")?;
    Ok(findings)
}

/// Broken pages, indexes and references, and indexes that are missing.
fn damage(path: &Path, watch: &mut Watch<'_>) -> Result<Vec<Finding>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection
        .execute_batch("PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF; PRAGMA temp_store = FILE")?;
    watch.guard_until(&connection, too_much_written(path))?;
    let texts = damages(&connection, DAMAGES_MAX, watch)?;
    let mut findings: Vec<Finding> = texts
        .into_iter()
        .map(|text| Finding {
            remedy: if is_of_index(&text) { Remedy::Indexes } else { Remedy::Restore },
            text,
        })
        .collect();
    for sql in open::missing_indexes(&connection)? {
        findings.push(Finding { text: format!("An index is missing: {sql}"), remedy: Remedy::Indexes });
    }
    Ok(findings)
}

/// True for what SQLite says of an index whose table is sound.
fn is_of_index(text: &str) -> bool {
    [
        "missing from index",
        "wrong # of entries in index",
        "non-unique entry in index",
        "values differ from index",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn differences(connection: &Connection, comparison: &Comparison) -> Result<Option<Finding>> {
    let Comparison { what, kept, counted, remedy } = comparison;
    let beyond = |one: &str, other: &str| -> Result<i64> {
        let sql = format!("SELECT count(*) FROM (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other}))");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let (wrong, missing) = (beyond(kept, counted)?, beyond(counted, kept)?);
    Ok((wrong + missing > 0).then(|| Finding {
        text: format!("{what}: {wrong} are kept that are not so, {missing} should be and are not"),
        remedy: *remedy,
    }))
}

/// Payloads that cannot be unpacked: their pages are whole, and what is on them is not.
fn unreadable_payloads(connection: &Connection) -> Result<Option<Finding>> {
    let (mut first, mut count) = (None, 0);
    let mut statement =
        connection.prepare("SELECT record_id, payload FROM live.payloads WHERE typeof(payload) = 'blob'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if payload::decode(row.get_ref(1)?).is_err() {
            count += 1;
            first = first.or(row.get::<_, Option<i64>>(0)?);
        }
    }
    Ok(first.map(|id| Finding {
        text: format!("payloads: {count} cannot be read, that of record {id} first"),
        remedy: Remedy::Restore,
    }))
}

/// How many backtraces name each function.
fn named_functions(connection: &Connection) -> Result<Option<Finding>> {
    let mut counts = HashMap::<i64, i64>::new();
    let mut statement = connection.prepare("SELECT functions FROM live.backtraces")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut ids: Vec<i64> = decode_functions(row.get_ref(0)?.as_blob().unwrap_or_default()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            *counts.entry(id).or_default() += 1;
        }
    }
    let mut wrong = 0;
    let mut statement = connection.prepare("SELECT id, backtraces FROM live.functions")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        wrong += usize::from(counts.remove(&row.get(0)?).unwrap_or(0) != row.get::<_, i64>(1)?);
    }
    wrong += counts.len();
    Ok((wrong > 0).then(|| Finding {
        text: format!("counts of backtraces by function: {wrong} are not so"),
        remedy: Remedy::Derive,
    }))
}

/// Derives everything from the records into the scratch database.
fn derive(connection: &Connection, now: i64, watch: &mut Watch<'_>) -> Result<()> {
    for table in DERIVED_TABLES {
        let sql: String = connection.query_row(
            "SELECT sql FROM live.sqlite_schema WHERE type = 'table' AND name = ?1",
            [table],
            |row| row.get(0),
        )?;
        connection.execute_batch(&sql)?;
    }
    connection.execute_batch("CREATE TABLE main.oldest (day INTEGER NOT NULL) STRICT")?;
    connection
        .execute("INSERT INTO main.oldest (day) VALUES (?1)", [now.div_euclid(DAY_SECS) - DAYS_KEPT])?;
    let newest: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM live.records", [], |row| row.get(0))?;
    rebuild(connection, |id| watch.tell(id.unsigned_abs(), newest.unsigned_abs(), "reading payloads"))
}
