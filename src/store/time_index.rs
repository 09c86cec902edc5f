// SPDX-License-Identifier: Apache-2.0
//! From reception times to ids. Between two clock steps both have the same order, so a time is found by bisection.

use crate::error::Result;
use rusqlite::{Connection, OptionalExtension};

/// The ids between which all records received from `from` on and before `before` lie: first, and one past the last.
/// None where there is no such limit. Records outside the times may lie between them too where the clock was set back.
pub fn id_range(
    connection: &Connection,
    from: Option<i64>,
    before: Option<i64>,
) -> Result<Option<(i64, i64)>> {
    if from.is_none() && before.is_none() {
        return Ok(None);
    }
    let mut range: Option<(i64, i64)> = None;
    for (first, end) in segments(connection)? {
        let low = match from {
            Some(at) => first_id_at(connection, first, end, at)?,
            None => first,
        };
        let high = match before {
            Some(at) => first_id_at(connection, first, end, at)?,
            None => end,
        };
        if low < high {
            range = Some(range.map_or((low, high), |(l, h)| (l.min(low), h.max(high))));
        }
    }
    Ok(Some(range.unwrap_or((0, 0))))
}

/// The reception time of the first record from `id` on.
pub fn received_at_of(connection: &Connection, id: i64) -> Result<Option<i64>> {
    let sql = "SELECT received_at FROM records WHERE id >= ?1 ORDER BY id LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// The stretches of ids within which times ascend: first id and one past the last.
pub(super) fn segments(connection: &Connection) -> Result<Vec<(i64, i64)>> {
    let newest = super::record_list::newest_id(connection)?;
    let mut statement = connection.prepare_cached("SELECT first_id FROM clock_steps ORDER BY first_id")?;
    let steps = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut segments = Vec::with_capacity(steps.len() + 1);
    let mut first = 1;
    for step in steps {
        segments.push((first, step));
        first = step;
    }
    segments.push((first, newest + 1));
    Ok(segments)
}

/// The least id in `first..end` whose record was received at `at` or later; `end` where there is none. Ids that were
/// deleted count as the next one that is there.
fn first_id_at(connection: &Connection, first: i64, end: i64, at: i64) -> Result<i64> {
    let sql = "SELECT received_at FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let (mut low, mut high) = (first, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let received_at: Option<i64> = statement.query_row([middle, end], |row| row.get(0)).optional()?;
        if received_at.is_none_or(|received_at| received_at >= at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}
