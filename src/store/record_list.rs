// SPDX-License-Identifier: Apache-2.0
//! Lists of records, newest first: which index leads, and the walk backwards through windows of ids.
//!
//! A search is many short statements, one per window, so that it can stop between two of them when its page is full
//! or its time is over, and so that no reader holds the log for long.

use crate::error::{Kind, Result};
use crate::model::filter::RecordFilter;
use crate::model::record::Record;
use crate::store::Store;
use crate::store::derived::AHEAD_SECS_MAX;
use crate::store::gate::Turn;
use crate::store::record_filter::{Conditions, Driver, Plan, RUN_SHIFT};
use crate::store::record_row::{PayloadPart, RECORD_COLUMNS, RECORD_JOINS, record_from_row};
use crate::store::time_index::{id_range, received_at_of};
use rusqlite::{Connection, OptionalExtension};
use std::time::{Duration, Instant};

/// The first window of a search, in ids.
const WINDOW_IDS_FIRST: i64 = 4_096;
/// The largest window of a search, in ids.
const WINDOW_IDS_MAX: i64 = 1 << 18;
/// A window grows while it takes less than this, and shrinks where it takes much more.
const WINDOW_TIME_GOAL: Duration = Duration::from_millis(20);

/// A search gives its connection back after this long and takes another, so that many searches take turns.
const LEASE: Duration = Duration::from_millis(100);
/// Ids that one reading gathers.
const IDS_AT_ONCE: usize = 10_000;
/// How long a search in payloads waits for its turn.
const TURN_MOST: Duration = Duration::from_secs(2);

/// What to list.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    /// Which records.
    pub filter: RecordFilter,
    /// Only ids less than this: the next page.
    pub below_id: Option<i64>,
    /// Only ids greater than this: what is new.
    pub above_id: Option<i64>,
    /// Most records returned.
    pub rows_max: usize,
    /// How much of each payload.
    pub payload: PayloadPart,
    /// How long to search; what was found by then is returned.
    pub search_most: Duration,
}

/// A page of records.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// Newest first.
    pub records: Vec<Record>,
    /// Where there may be more: ask again with this as `below_id`.
    pub next_below_id: Option<i64>,
    /// Where the time was over before the page was full: the reception time down to which everything was searched.
    pub searched_back_to: Option<i64>,
}

impl Store {
    /// The records that a query asks for. Running out of time is no error: the page says how far it came.
    pub fn list_records(&self, query: &RecordQuery) -> Result<RecordPage> {
        let _turn = self.turn_for(&query.filter)?;
        let until = Instant::now() + query.search_most;
        let mut page = RecordPage::default();
        let mut asked = query.clone();
        loop {
            let lease_until = until.min(Instant::now() + LEASE);
            // The limit that interrupts a statement is for what went wrong.
            let found = self
                .read(super::READ_MOST, |connection| search(connection, &asked, lease_until, record_rows))?;
            page.records.extend(found.rows);
            page.next_below_id = found.next_below_id;
            page.searched_back_to = found.searched_back_to;
            if !found.is_unfinished || Instant::now() >= until {
                return Ok(page);
            }
            asked.below_id = found.next_below_id;
            asked.rows_max = query.rows_max - page.records.len();
        }
    }

    /// One record.
    pub fn find_record(&self, id: i64) -> Result<Option<Record>> {
        let sql = format!("SELECT {RECORD_COLUMNS} FROM records r {RECORD_JOINS} WHERE r.id = ?1");
        self.read(super::READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id])?;
            rows.next()?.map(|row| record_from_row(row, PayloadPart::Whole)).transpose()
        })
    }

    /// The ids of the records that a filter chooses, newest first, at most `rows_max`; it searches to the end.
    pub fn list_record_ids(
        &self,
        filter: &RecordFilter,
        below_id: Option<i64>,
        rows_max: usize,
    ) -> Result<Vec<i64>> {
        let _turn = self.turn_for(filter)?;
        let mut ids = Vec::new();
        let mut below_id = below_id;
        loop {
            let query = RecordQuery {
                filter: filter.clone(),
                below_id,
                above_id: None,
                rows_max: rows_max - ids.len(),
                payload: PayloadPart::Start(0),
                search_most: LEASE,
            };
            let until = Instant::now() + query.search_most;
            let page =
                self.read(super::READ_MOST, |connection| search(connection, &query, until, id_rows))?;
            ids.extend(page.rows);
            below_id = page.next_below_id;
            if below_id.is_none() || ids.len() >= rows_max {
                return Ok(ids);
            }
        }
    }

    /// The ids from `first` on and below `end` of the records that a filter chooses, ascending. The stretch is for the
    /// caller to bound.
    pub fn record_ids_between(&self, filter: &RecordFilter, first: i64, end: i64) -> Result<Vec<i64>> {
        let _turn = self.turn_for(filter)?;
        let mut ids = Vec::new();
        let mut below_id = Some(end);
        while below_id.is_some() {
            let query = RecordQuery {
                filter: filter.clone(),
                below_id,
                above_id: Some(first - 1),
                rows_max: IDS_AT_ONCE,
                payload: PayloadPart::Start(0),
                search_most: LEASE,
            };
            let until = Instant::now() + query.search_most;
            let page =
                self.read(super::READ_MOST, |connection| search(connection, &query, until, id_rows))?;
            ids.extend(page.rows);
            below_id = page.next_below_id.filter(|below| *below > first);
        }
        ids.reverse();
        Ok(ids)
    }

    /// A turn for a search that looks into payloads, which takes long; others need none.
    fn turn_for(&self, filter: &RecordFilter) -> Result<Option<Turn<'_>>> {
        filter.looks_into_payload().then(|| self.payload_searches.take(TURN_MOST)).transpose()
    }

    /// The records of these ids, in their order; those deleted meanwhile are left out.
    pub fn find_records(&self, ids: &[i64]) -> Result<Vec<Record>> {
        let sql = format!("SELECT {RECORD_COLUMNS} FROM records r {RECORD_JOINS} WHERE r.id = ?1");
        self.read(super::READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut records = Vec::with_capacity(ids.len());
            for id in ids {
                let mut rows = statement.query([id])?;
                if let Some(row) = rows.next()? {
                    records.push(record_from_row(row, PayloadPart::Whole)?);
                }
            }
            Ok(records)
        })
    }

    /// The id of the newest record, 0 where there is none.
    pub fn newest_record_id(&self) -> Result<i64> {
        self.read(super::READ_MOST, newest_id)
    }

    /// The ids of the records before and after one: (older, newer).
    pub fn neighbours_of_record(&self, id: i64) -> Result<(Option<i64>, Option<i64>)> {
        self.read(super::READ_MOST, |connection| {
            let find = |sql: &str| {
                connection.prepare_cached(sql)?.query_row([id], |row| row.get::<_, i64>(0)).optional()
            };
            let older = find("SELECT id FROM records WHERE id < ?1 ORDER BY id DESC LIMIT 1")?;
            let newer = find("SELECT id FROM records WHERE id > ?1 ORDER BY id LIMIT 1")?;
            Ok((older, newer))
        })
    }
}

/// The id of the newest record, 0 where there is none.
pub fn newest_id(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(id), 0) FROM records")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

fn oldest_id(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(min(id), 1) FROM records")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// What a search found: rows of whatever was asked for.
struct Found<T> {
    rows: Vec<T>,
    next_below_id: Option<i64>,
    searched_back_to: Option<i64>,
    is_unfinished: bool,
}

impl<T> Default for Found<T> {
    fn default() -> Found<T> {
        Found { rows: Vec::new(), next_below_id: None, searched_back_to: None, is_unfinished: false }
    }
}

/// Adds the rows of the ids from the first (included) to the second (excluded) number, up to the page's size.
type WindowRows<T> = fn(&Search<'_, T>, i64, i64, &mut Vec<T>) -> Result<()>;

fn search<T: HasId>(
    connection: &Connection,
    query: &RecordQuery,
    until: Instant,
    window_rows: WindowRows<T>,
) -> Result<Found<T>> {
    let Some(plan) = Plan::make(connection, &query.filter)? else { return Ok(Found::default()) };
    let mut low = oldest_id(connection)?.max(query.above_id.map_or(1, |id| id.saturating_add(1)));
    let mut high = newest_id(connection)? + 1;
    if let Some(below) = query.below_id {
        high = high.min(below);
    }
    // No capture counts as later than so long after its reception, so a day of capture bounds the ids from below.
    let captured_from = query.filter.captured_from.map(|at| at.saturating_sub(AHEAD_SECS_MAX));
    let from = query.filter.received_from.max(captured_from);
    if let Some((first, end)) = id_range(connection, from, query.filter.received_before)? {
        low = low.max(first);
        high = high.min(end);
    }
    Search { connection, plan, query, low, until, window: 0, window_rows }.run(high)
}

trait HasId {
    fn id(&self) -> i64;
}

impl HasId for Record {
    fn id(&self) -> i64 {
        self.id
    }
}

impl HasId for i64 {
    fn id(&self) -> i64 {
        *self
    }
}

struct Search<'a, T> {
    connection: &'a Connection,
    plan: Plan,
    query: &'a RecordQuery,
    low: i64,
    until: Instant,
    window: i64,
    window_rows: WindowRows<T>,
}

impl<T: HasId> Search<'_, T> {
    /// Walks from `high` (excluded) down to `low` (included).
    fn run(mut self, mut high: i64) -> Result<Found<T>> {
        let mut page = Found::default();
        self.window = self.first_window();
        while high > self.low && page.rows.len() < self.query.rows_max {
            let low = self.window_low(high);
            let began = Instant::now();
            let found = page.rows.len();
            match (self.window_rows)(&self, low, high, &mut page.rows) {
                Ok(()) => {}
                // Interrupted in mid-window: what was found of it is dropped, so that nothing is left out.
                Err(error) if error.kind() == Kind::Busy && Instant::now() >= self.until => {
                    page.rows.truncate(found);
                    return self.out_of_time(page, high);
                }
                Err(error) => return Err(error),
            }
            high = low;
            self.adapt(began.elapsed());
            // Only after a window: each asking comes a little further, however short its time.
            let is_unfinished = high > self.low && page.rows.len() < self.query.rows_max;
            if is_unfinished && Instant::now() >= self.until {
                return self.out_of_time(page, high);
            }
        }
        if page.rows.len() >= self.query.rows_max {
            // Whether there is more is seen by who asks for it; only the very end is known here.
            page.next_below_id = page.rows.last().map(HasId::id).filter(|id| *id > self.low);
        }
        Ok(page)
    }

    fn out_of_time(&self, mut page: Found<T>, high: i64) -> Result<Found<T>> {
        page.searched_back_to = received_at_of(self.connection, high)?;
        page.next_below_id = Some(high);
        page.is_unfinished = true;
        Ok(page)
    }

    fn first_window(&self) -> i64 {
        match self.plan.driver {
            Driver::Run(_) => 1,
            // Few rows in all: one window over everything.
            _ if self.plan.rows_most < WINDOW_IDS_FIRST && !self.query.filter.looks_into_payload() => {
                i64::MAX / 4
            }
            _ => WINDOW_IDS_FIRST,
        }
    }

    fn window_low(&self, high: i64) -> i64 {
        match self.plan.driver {
            Driver::Run(_) => self.low.max(((high - 1) >> RUN_SHIFT) << RUN_SHIFT),
            _ => self.low.max(high.saturating_sub(self.window)),
        }
    }

    fn adapt(&mut self, took: Duration) {
        if took < WINDOW_TIME_GOAL / 2 {
            self.window = self.window.saturating_mul(4).min(WINDOW_IDS_MAX.max(self.window));
        } else if took > WINDOW_TIME_GOAL * 3 {
            self.window = (self.window / 2).max(WINDOW_IDS_FIRST / 4);
        }
    }

    fn conditions(&self, low: i64, high: i64) -> Conditions {
        let mut conditions = Conditions::of(&self.query.filter, &self.plan);
        conditions.ids(low, high);
        conditions
    }
}

fn record_rows(search: &Search<'_, Record>, low: i64, high: i64, records: &mut Vec<Record>) -> Result<()> {
    let conditions = search.conditions(low, high);
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM records r {} {RECORD_JOINS} WHERE {} ORDER BY r.id DESC LIMIT ?",
        search.plan.driver.index_clause(),
        conditions.sql(),
    );
    let values = conditions.values_and((search.query.rows_max - records.len()) as i64);
    let mut statement = search.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        records.push(record_from_row(row, search.query.payload)?);
    }
    Ok(())
}

fn id_rows(search: &Search<'_, i64>, low: i64, high: i64, ids: &mut Vec<i64>) -> Result<()> {
    let conditions = search.conditions(low, high);
    let payloads = match search.query.filter.looks_into_payload() {
        true => "CROSS JOIN payloads p ON p.record_id = r.id",
        false => "",
    };
    let sql = format!(
        "SELECT r.id FROM records r {} {payloads} WHERE {} ORDER BY r.id DESC LIMIT ?",
        search.plan.driver.index_clause(),
        conditions.sql(),
    );
    let values = conditions.values_and((search.query.rows_max - ids.len()) as i64);
    let mut statement = search.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        ids.push(row.get(0)?);
    }
    Ok(())
}
