// SPDX-License-Identifier: Apache-2.0
//! Letting the guilties of stored crashes follow a changed blacklist, and saying beforehand what would move.
//!
//! `guilties_follow` in `meta` is the digest of the list that every stored backtrace follows. While it is not that of the
//! list in force, `recompute` there holds how far the backtraces have come: a step takes some of them in one short
//! transaction and writes that down in the same, so that a restart goes on where it was and posts come in between.

use crate::error::Result;
use crate::guilty::blacklist::Blacklist;
use crate::guilty::select::guilty_frame;
use crate::model::crash::Guilty;
use crate::store::blacklist::{BlacklistState, load_blacklist};
use crate::store::derived::crashes::decode_functions;
use crate::store::guilty_row::find_guilty;
use crate::store::meta::{meta, set_meta};
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Raised whenever the rule for the guilty changes, so that stored crashes follow it after an upgrade.
const RULE_VERSION: &str = "1";
/// Backtraces that a step looks at.
const STEP_BACKTRACES: i64 = 400;
/// Backtraces that a preview reads at once.
const PREVIEW_BACKTRACES: i64 = 50;
/// Crashes that a step moves, unless one backtrace alone has more.
const STEP_CRASHES: i64 = 4_000;
/// A step ends after this long, but for the backtrace that it is at: posts wait meanwhile.
const STEP_MOST: Duration = Duration::from_millis(20);
/// Bytes of names of functions that are kept in memory at once.
const NAMES_BYTES_MAX: usize = 16 << 20;
/// A preview gives its connection back after this long and takes another, so that pages take turns with it.
const LEASE: Duration = Duration::from_millis(100);
/// How long a preview waits for the one before it.
const TURN_MOST: Duration = Duration::from_secs(5);

/// Crashes that would have another guilty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuiltyMove {
    /// The guilty now.
    pub from: Option<Guilty>,
    /// The guilty then.
    pub to: Option<Guilty>,
    /// How many crashes.
    pub crashes: i64,
}

/// How far the guilties of stored crashes follow a changed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecomputeProgress {
    /// Different backtraces looked at.
    pub done: i64,
    /// All of them.
    pub total: i64,
}

/// What tells one list from another.
fn digest_of(state: &BlacklistState) -> String {
    let mut hash = Sha256::new();
    hash.update(RULE_VERSION);
    for entry in state.entries() {
        let text = entry.to_string();
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    crate::model::record::hex(&hash.finalize()[..16])
}

/// Notes that every stored backtrace follows the list in force.
pub fn mark_followed(connection: &Connection) -> Result<()> {
    set_meta(connection, "guilties_follow", &digest_of(&load_blacklist(connection)?))
}

/// True where every stored backtrace follows the list in force.
pub fn is_followed(connection: &Connection) -> Result<bool> {
    let followed = meta(connection, "guilties_follow")?;
    Ok(followed.as_deref() == Some(digest_of(&load_blacklist(connection)?).as_str()))
}

/// Names and modules of functions, read as they are needed.
#[derive(Default)]
struct Names {
    by_id: HashMap<i64, (String, String)>,
    bytes: usize,
}

impl Names {
    /// The guilty among functions by id, top first.
    fn guilty(&mut self, connection: &Connection, ids: &[i64], blacklist: &Blacklist) -> Result<Option<i64>> {
        if self.bytes > NAMES_BYTES_MAX {
            *self = Names::default();
        }
        for id in ids {
            if !self.by_id.contains_key(id) {
                let mut find =
                    connection.prepare_cached("SELECT name, module FROM functions WHERE id = ?1")?;
                let names: (String, String) = find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                self.bytes += names.0.len() + names.1.len() + size_of::<(i64, String, String)>();
                self.by_id.insert(*id, names);
            }
        }
        let frames = ids.iter().filter_map(|id| self.by_id.get(id));
        let frames = frames.map(|(name, module)| (name.as_str(), module.as_str()));
        Ok(guilty_frame(frames, blacklist).and_then(|index| ids.get(index).copied()))
    }
}

/// A backtrace as the choice of its guilty needs it.
struct Candidate {
    id: i64,
    functions: Vec<i64>,
    guilty_id: Option<i64>,
    crashes: i64,
}

/// The next backtraces above an id.
fn candidates(connection: &Connection, above_id: i64, rows_max: i64) -> Result<Vec<Candidate>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, functions, guilty_id, crashes FROM backtraces WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map([above_id, rows_max], |row| {
        Ok(Candidate {
            id: row.get(0)?,
            functions: decode_functions(row.get_ref(1)?.as_blob().unwrap_or_default()).collect(),
            guilty_id: row.get(2)?,
            crashes: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

/// How far a recomputation for the list with this digest has come: the last backtrace done.
fn done_through(connection: &Connection, digest: &str) -> Result<i64> {
    let progress = meta(connection, "recompute")?;
    let place = progress.as_deref().and_then(|text| text.strip_prefix(digest)?.trim().parse().ok());
    Ok(place.unwrap_or(0))
}

fn step(write: &mut Write<'_>) -> Result<bool> {
    let connection = write.connection;
    let state = load_blacklist(connection)?;
    let digest = digest_of(&state);
    if meta(connection, "guilties_follow")?.as_deref() == Some(digest.as_str()) {
        return Ok(false);
    }
    let blacklist = state.effective();
    let mut names = Names::default();
    let mut through = done_through(connection, &digest)?;
    let found = candidates(connection, through, STEP_BACKTRACES)?;
    let is_last = found.len() < STEP_BACKTRACES as usize;
    let first_id = found.first().map_or(0, |candidate| candidate.id);
    let mut moved = 0;
    let mut is_cut = false;
    let until = Instant::now() + STEP_MOST;
    for candidate in found {
        // At least one is done, however long it takes.
        if candidate.id > first_id && Instant::now() >= until {
            is_cut = true;
            break;
        }
        let guilty_id = names.guilty(connection, &candidate.functions, &blacklist)?;
        if guilty_id != candidate.guilty_id {
            if moved > 0 && moved + candidate.crashes > STEP_CRASHES {
                is_cut = true;
                break;
            }
            moved += candidate.crashes;
            write.state.derived.crashes.move_backtrace(
                connection,
                candidate.id,
                candidate.guilty_id,
                guilty_id,
            )?;
        }
        through = candidate.id;
    }
    write.state.derived.crashes.flush(connection)?;
    write.state.derived.crashes.forget();
    if is_last && !is_cut {
        set_meta(connection, "guilties_follow", &digest)?;
        connection.execute("DELETE FROM meta WHERE name = 'recompute'", [])?;
        return Ok(false);
    }
    set_meta(connection, "recompute", &format!("{digest} {through}"))?;
    Ok(true)
}

impl Store {
    /// Lets some more stored crashes follow the list, for some milliseconds; false where all do.
    pub fn recompute_step(&self) -> Result<bool> {
        self.writer().change(false, step)
    }

    /// How far stored crashes follow the list; none where all do.
    pub fn recompute_progress(&self) -> Result<Option<RecomputeProgress>> {
        self.read(READ_MOST, |connection| {
            let digest = digest_of(&load_blacklist(connection)?);
            if meta(connection, "guilties_follow")?.as_deref() == Some(digest.as_str()) {
                return Ok(None);
            }
            let through = done_through(connection, &digest)?;
            let mut count = connection
                .prepare_cached("SELECT count(*) FILTER (WHERE id <= ?1), count(*) FROM backtraces")?;
            let (done, total) = count.query_row([through], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Some(RecomputeProgress { done, total }))
        })
    }

    /// Which stored crashes would have another guilty under `proposed`, most crashes first.
    pub fn preview_blacklist(&self, proposed: &BlacklistState) -> Result<Vec<GuiltyMove>> {
        let _turn = self.previews.take(TURN_MOST)?;
        let blacklist = proposed.effective();
        let mut moves = HashMap::<(Option<i64>, Option<i64>), i64>::new();
        let mut names = Names::default();
        let mut through = Some(0);
        while let Some(above_id) = through {
            through = self.read(READ_MOST, |connection| {
                preview_some(connection, &blacklist, above_id, &mut names, &mut moves)
            })?;
        }
        self.read(READ_MOST, |connection| {
            let find = |id: Option<i64>| id.map_or(Ok(None), |id| find_guilty(connection, id));
            let mut found = Vec::with_capacity(moves.len());
            for ((from, to), crashes) in moves {
                found.push(GuiltyMove { from: find(from)?, to: find(to)?, crashes });
            }
            found.sort_by_key(|moved| (-moved.crashes, moved.from.as_ref().map(|guilty| guilty.id)));
            Ok(found)
        })
    }
}

/// Adds up the moves of backtraces above an id for a while; returns the id to go on above, none at the end.
fn preview_some(
    connection: &Connection,
    blacklist: &Blacklist,
    above_id: i64,
    names: &mut Names,
    moves: &mut HashMap<(Option<i64>, Option<i64>), i64>,
) -> Result<Option<i64>> {
    let until = Instant::now() + LEASE;
    let mut through = above_id;
    while Instant::now() < until {
        let found = candidates(connection, through, PREVIEW_BACKTRACES)?;
        let Some(last) = found.last() else { return Ok(None) };
        through = last.id;
        for candidate in found {
            let guilty_id = names.guilty(connection, &candidate.functions, blacklist)?;
            if guilty_id != candidate.guilty_id && candidate.crashes > 0 {
                *moves.entry((candidate.guilty_id, guilty_id)).or_default() += candidate.crashes;
            }
        }
    }
    Ok(Some(through))
}
