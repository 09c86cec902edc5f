// SPDX-License-Identifier: Apache-2.0
//! Crashes as they are stored: which backtrace, whose guilt, and the counts of both.
//!
//! Crashes whose crashing threads have the same frames share a row of `backtraces`; the guilty belongs to that row, so a
//! changed blacklist moves whole backtraces. Its `functions` are what the choice of the guilty depends on: each
//! function once, in the order in which it comes first, and the bottom one at the end once more where it came before.

use crate::error::{Error, Result};
use crate::guilty::blacklist::Blacklist;
use crate::guilty::select::guilty_frame;
use crate::guilty::trace::{Frame, Trace, function_name};
use crate::model::crash::CrashKind;
use crate::model::record::hex;
use crate::store::blacklist::load_blacklist;
use crate::store::derived::count::CountTable;
use crate::store::derived::{Facts, day_of};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

const DAYS: CountTable =
    CountTable::new("crash_days", &["kind", "received_day", "guilty_id", "build_id"], "crashes");
const TOTALS: CountTable = CountTable::new("crash_totals", &["kind", "guilty_id", "build_id"], "crashes");
const BUILDS: CountTable = CountTable::new("crash_builds", &["kind", "build_id"], "crashes");

/// Different functions of a backtrace that are kept; a real one has a few dozen.
const FUNCTIONS_MAX: usize = 1_024;
/// Most bytes of a function's or module's name that are kept; of a longer one its beginning and a digest. No entry of
/// the blacklist is as long.
const NAME_BYTES_MAX: usize = 2_000;
/// Backtraces that the writer remembers.
const REMEMBERED_MAX: usize = 10_000;

/// A function as a payload names it, its texts cut where they are too long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenFunction {
    /// As sent.
    pub function: String,
    /// What it is matched and grouped by.
    pub name: String,
    /// Module, perhaps empty.
    pub module: String,
}

impl SeenFunction {
    fn of(frame: &Frame<'_>) -> SeenFunction {
        SeenFunction {
            function: kept(frame.function),
            name: kept(function_name(frame.function)),
            module: kept(frame.module),
        }
    }
}

/// A text within [`NAME_BYTES_MAX`]; two that are cut stay two.
fn kept(text: &str) -> String {
    if text.len() <= NAME_BYTES_MAX {
        return text.to_owned();
    }
    const DIGEST_BYTES: usize = 16;
    let digest = hex(&Sha256::digest(text)[..DIGEST_BYTES]);
    let start = &text[..text.floor_char_boundary(NAME_BYTES_MAX - 2 * DIGEST_BYTES - '…'.len_utf8())];
    format!("{start}…{digest}")
}

/// What a payload's crashing thread gives.
#[derive(Clone, Debug)]
pub struct PreparedTrace {
    kind: CrashKind,
    digest: i64,
    functions: Vec<SeenFunction>,
}

impl PreparedTrace {
    /// Reads a payload.
    pub fn of(kind: CrashKind, payload: &str) -> PreparedTrace {
        let trace = Trace::parse(payload);
        let mut hash = Sha256::new();
        hash.update(kind.number().to_le_bytes());
        let mut seen = HashSet::new();
        let mut functions = Vec::new();
        let frames = trace.crashing();
        for (index, frame) in frames.iter().enumerate() {
            for part in [frame.function, frame.module, frame.source.unwrap_or("")] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            let is_new =
                seen.len() < FUNCTIONS_MAX && seen.insert((function_name(frame.function), frame.module));
            if is_new || index + 1 == frames.len() {
                functions.push(SeenFunction::of(frame));
            }
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        PreparedTrace { kind, digest: i64::from_le_bytes(first), functions }
    }
}

/// The ids of a backtrace's functions as one value.
pub fn encode_functions(ids: &[i64]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(ids.len() * 4);
    for id in ids {
        let id = u32::try_from(*id).map_err(|_| Error::internal("There are too many different functions"))?;
        bytes.extend(id.to_le_bytes());
    }
    Ok(bytes)
}

/// The ids in the value of a backtrace's functions.
pub fn decode_functions(bytes: &[u8]) -> impl Iterator<Item = i64> + '_ {
    bytes.chunks_exact(4).map(|id| i64::from(u32::from_le_bytes([id[0], id[1], id[2], id[3]])))
}

/// A backtrace that is stored.
#[derive(Clone, Copy, Debug)]
struct KnownBacktrace {
    id: i64,
    guilty_id: Option<i64>,
}

/// Crashes of one day, or of all where the day is left out: kind, day, guilty (0: none), build.
type DayKey = (i64, i64, i64, i64);

/// What a writer knows of crashes, and the counts of the open transaction.
#[derive(Debug, Default)]
pub struct Crashes {
    blacklist: Option<Blacklist>,
    known: HashMap<i64, KnownBacktrace>,
    days: HashMap<DayKey, i64>,
    /// By backtrace: crashes added, and the newest of them.
    backtraces: HashMap<i64, (i64, i64)>,
    /// By backtrace: crashes removed, and the newest of them.
    removed: HashMap<i64, (i64, i64)>,
}

impl Crashes {
    /// Forgets the blacklist and the guilties: one of them was changed.
    pub fn forget(&mut self) {
        self.blacklist = None;
        self.known.clear();
    }

    /// Notes a crash.
    pub fn add(&mut self, connection: &Connection, facts: &Facts<'_>, trace: &PreparedTrace) -> Result<()> {
        let backtrace = self.backtrace(connection, trace)?;
        let day = day_of(facts.received_at);
        connection
            .prepare_cached(
                "INSERT INTO crashes (record_id, backtrace_id, build_id, received_day, machine_id)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(rusqlite::params![
                facts.record_id,
                backtrace.id,
                facts.ids.build,
                day,
                facts.machine_id
            ])?;
        let guilty = backtrace.guilty_id.unwrap_or(0);
        *self.days.entry((trace.kind.number(), day, guilty, facts.ids.build)).or_default() += 1;
        let added = self.backtraces.entry(backtrace.id).or_default();
        *added = (added.0 + 1, facts.record_id);
        Ok(())
    }

    /// Removes the crash of a record that is about to be deleted; a record without one is passed over.
    pub fn remove(&mut self, connection: &Connection, record_id: i64) -> Result<()> {
        let found: Option<(i64, i64, i64)> = connection
            .prepare_cached(
                "DELETE FROM crashes WHERE record_id = ?1 RETURNING backtrace_id, build_id, received_day",
            )?
            .query_row([record_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((backtrace, build, day)) = found else { return Ok(()) };
        let (kind, guilty): (i64, i64) = connection
            .prepare_cached("SELECT kind, coalesce(guilty_id, 0) FROM backtraces WHERE id = ?1")?
            .query_row([backtrace], |row| Ok((row.get(0)?, row.get(1)?)))?;
        *self.days.entry((kind, day, guilty, build)).or_default() -= 1;
        let removed = self.removed.entry(backtrace).or_default();
        *removed = (removed.0 + 1, removed.1.max(record_id));
        Ok(())
    }

    /// Takes the removed crashes off their backtraces. One without crashes goes, with the functions that only it names.
    fn flush_removed(&mut self, connection: &Connection) -> Result<()> {
        for (backtrace, (crashes, newest_removed)) in std::mem::take(&mut self.removed) {
            let (left, newest): (i64, i64) = connection
                .prepare_cached(
                    "UPDATE backtraces SET crashes = crashes - ?2 WHERE id = ?1
                     RETURNING crashes, newest_record_id",
                )?
                .query_row([backtrace, crashes], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if left == 0 {
                delete_backtrace(connection, backtrace)?;
                self.known.clear();
            } else if newest_removed >= newest {
                connection
                    .prepare_cached(
                        "UPDATE backtraces SET newest_record_id =
                           (SELECT max(record_id) FROM crashes WHERE backtrace_id = ?1) WHERE id = ?1",
                    )?
                    .execute([backtrace])?;
            }
        }
        Ok(())
    }

    fn backtrace(&mut self, connection: &Connection, trace: &PreparedTrace) -> Result<KnownBacktrace> {
        if let Some(known) = self.known.get(&trace.digest) {
            return Ok(*known);
        }
        let found = connection
            .prepare_cached("SELECT id, guilty_id FROM backtraces WHERE digest = ?1")?
            .query_row([trace.digest], |row| Ok(KnownBacktrace { id: row.get(0)?, guilty_id: row.get(1)? }))
            .optional()?;
        let backtrace = match found {
            Some(found) => found,
            None => self.insert_backtrace(connection, trace)?,
        };
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(trace.digest, backtrace);
        Ok(backtrace)
    }

    fn insert_backtrace(&mut self, connection: &Connection, trace: &PreparedTrace) -> Result<KnownBacktrace> {
        let ids = trace
            .functions
            .iter()
            .map(|function| function_id(connection, function))
            .collect::<Result<Vec<i64>>>()?;
        for id in ids.iter().collect::<HashSet<_>>() {
            connection
                .prepare_cached("UPDATE functions SET backtraces = backtraces + 1 WHERE id = ?1")?
                .execute([id])?;
        }
        let blacklist = match self.blacklist.take() {
            Some(blacklist) => blacklist,
            None => load_blacklist(connection)?.effective(),
        };
        let frames = trace.functions.iter().map(|seen| (seen.name.as_str(), seen.module.as_str()));
        let guilty_id = guilty_frame(frames, &blacklist).map(|index| ids[index]);
        self.blacklist = Some(blacklist);
        connection
            .prepare_cached(
                "INSERT INTO backtraces (digest, kind, functions, guilty_id) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(rusqlite::params![
                trace.digest,
                trace.kind.number(),
                encode_functions(&ids)?,
                guilty_id
            ])?;
        Ok(KnownBacktrace { id: connection.last_insert_rowid(), guilty_id })
    }

    /// Moves the crashes of a backtrace to another guilty.
    pub fn move_backtrace(
        &mut self,
        connection: &Connection,
        backtrace_id: i64,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<()> {
        let mut statement = connection.prepare_cached(
            "SELECT b.kind, c.received_day, c.build_id FROM backtraces b
             CROSS JOIN crashes c ON c.backtrace_id = b.id WHERE b.id = ?1",
        )?;
        let mut rows = statement.query([backtrace_id])?;
        while let Some(row) = rows.next()? {
            let (kind, day, build) = (row.get(0)?, row.get(1)?, row.get(2)?);
            *self.days.entry((kind, day, from.unwrap_or(0), build)).or_default() -= 1;
            *self.days.entry((kind, day, to.unwrap_or(0), build)).or_default() += 1;
        }
        connection
            .prepare_cached("UPDATE backtraces SET guilty_id = ?2 WHERE id = ?1")?
            .execute(rusqlite::params![backtrace_id, to])?;
        Ok(())
    }

    /// Writes the noted counts.
    pub fn flush(&mut self, connection: &Connection) -> Result<()> {
        let mut totals = HashMap::<(i64, i64, i64), i64>::new();
        let mut builds = HashMap::<(i64, i64), i64>::new();
        for ((kind, day, guilty, build), crashes) in self.days.drain() {
            DAYS.add(connection, &[&kind, &day, &guilty, &build], crashes)?;
            *totals.entry((kind, guilty, build)).or_default() += crashes;
            *builds.entry((kind, build)).or_default() += crashes;
        }
        for ((kind, guilty, build), crashes) in totals {
            TOTALS.add(connection, &[&kind, &guilty, &build], crashes)?;
        }
        for ((kind, build), crashes) in builds {
            BUILDS.add(connection, &[&kind, &build], crashes)?;
        }
        for (backtrace, (crashes, newest)) in self.backtraces.drain() {
            connection
                .prepare_cached(
                    "UPDATE backtraces SET crashes = crashes + ?2, newest_record_id = max(newest_record_id, ?3)
                     WHERE id = ?1",
                )?
                .execute([backtrace, crashes, newest])?;
        }
        self.flush_removed(connection)
    }
}

/// Deletes a backtrace without crashes, and its functions where no other names them and no admin noted anything.
fn delete_backtrace(connection: &Connection, id: i64) -> Result<()> {
    let functions: Vec<u8> = connection
        .prepare_cached("DELETE FROM backtraces WHERE id = ?1 RETURNING functions")?
        .query_row([id], |row| row.get(0))?;
    for function in decode_functions(&functions).collect::<HashSet<_>>() {
        connection
            .prepare_cached("UPDATE functions SET backtraces = backtraces - 1 WHERE id = ?1")?
            .execute([function])?;
        connection
            .prepare_cached(
                "DELETE FROM functions WHERE id = ?1 AND backtraces = 0 AND comment = '' AND is_hidden = 0
                 AND NOT EXISTS (SELECT 1 FROM backtraces WHERE guilty_id = ?1)",
            )?
            .execute([function])?;
    }
    Ok(())
}

fn function_id(connection: &Connection, seen: &SeenFunction) -> Result<i64> {
    let found = connection
        .prepare_cached("SELECT id FROM functions WHERE name = ?1 AND module = ?2")?
        .query_row([&seen.name, &seen.module], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO functions (function, name, module) VALUES (?1, ?2, ?3)")?
        .execute([&seen.function, &seen.name, &seen.module])?;
    Ok(connection.last_insert_rowid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(payload: &str) -> Vec<SeenFunction> {
        PreparedTrace::of(CrashKind::Program, payload).functions
    }

    #[test]
    fn each_function_is_kept_once_and_the_bottom_one_at_the_end() {
        let cases: [(&str, &[&str]); 4] = [
            ("x\n#0 a() - [m]\n#1 b() - [m]\n#2 a() - [m]\n#3 c() - [m]", &["a", "b", "c"]),
            ("x\n#0 a() - [m]\n#1 b() - [m]\n#2 a@V() - [m]", &["a", "b", "a"]),
            ("x\n#0 a - [m]\n#1 a - [n]", &["a", "a"]),
            ("x\nno frame", &[]),
        ];
        for (payload, expected) in cases {
            let names: Vec<String> = functions(payload).into_iter().map(|seen| seen.name).collect();
            assert_eq!(names, expected, "{payload}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let long = "ä".repeat(150_000);
        let seen = functions(&format!("x\n#0 {long}1() - [{long}]\n#1 {long}2() - [{long}]"));
        assert_eq!(seen.len(), 2);
        assert!(
            seen.iter().all(|seen| seen.name.len() <= NAME_BYTES_MAX && seen.module.len() <= NAME_BYTES_MAX)
        );
        assert_ne!(seen[0].name, seen[1].name);
        assert_eq!(seen[0].module, seen[1].module);
    }

    #[test]
    fn functions_survive_their_encoding() {
        let ids = [1, 255, 65_536, i64::from(u32::MAX)];
        assert_eq!(decode_functions(&encode_functions(&ids).unwrap()).collect::<Vec<_>>(), ids);
        assert!(encode_functions(&[i64::from(u32::MAX) + 1]).is_err());
    }
}
