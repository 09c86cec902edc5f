// SPDX-License-Identifier: Apache-2.0
//! Lists of records, newest first: which index leads, and the walk backwards through windows of ids.
//!
//! A search is many short statements, one per window, so that it can stop between two of them when its page is full
//! or its time is over, and so that no reader holds the log for long.

use crate::error::{Kind, Result};
use crate::model::filter::RecordFilter;
use crate::model::record::Record;
use crate::store::Store;
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
        let until = Instant::now() + query.search_most;
        // A single statement may overrun a little: the limit that interrupts is for what went wrong.
        let most = query.search_most.saturating_mul(2) + Duration::from_secs(1);
        self.read(most, |connection| list(connection, query, until))
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

fn list(connection: &Connection, query: &RecordQuery, until: Instant) -> Result<RecordPage> {
    let Some(plan) = Plan::make(connection, &query.filter)? else { return Ok(RecordPage::default()) };
    let mut low = oldest_id(connection)?.max(query.above_id.map_or(1, |id| id.saturating_add(1)));
    let mut high = newest_id(connection)? + 1;
    if let Some(below) = query.below_id {
        high = high.min(below);
    }
    if let Some((first, end)) = id_range(connection, query.filter.received_from, query.filter.received_before)? {
        low = low.max(first);
        high = high.min(end);
    }
    Search { connection, plan, query, low, until, window: 0 }.run(high)
}

struct Search<'a> {
    connection: &'a Connection,
    plan: Plan,
    query: &'a RecordQuery,
    low: i64,
    until: Instant,
    window: i64,
}

impl Search<'_> {
    /// Walks from `high` (excluded) down to `low` (included).
    fn run(mut self, mut high: i64) -> Result<RecordPage> {
        let mut page = RecordPage::default();
        self.window = self.first_window();
        while high > self.low && page.records.len() < self.query.rows_max {
            if Instant::now() >= self.until && high < i64::MAX {
                return self.out_of_time(page, high);
            }
            let low = self.window_low(high);
            let began = Instant::now();
            let found = page.records.len();
            match self.window_rows(low, high, &mut page.records) {
                Ok(()) => {}
                // Interrupted in mid-window: what was found of it is dropped, so that nothing is left out.
                Err(error) if error.kind() == Kind::Busy && Instant::now() >= self.until => {
                    page.records.truncate(found);
                    return self.out_of_time(page, high);
                }
                Err(error) => return Err(error),
            }
            high = low;
            self.adapt(began.elapsed());
        }
        if page.records.len() >= self.query.rows_max {
            // Whether there is more is seen by who asks for it; only the very end is known here.
            page.next_below_id = page.records.last().map(|last| last.id).filter(|id| *id > self.low);
        }
        Ok(page)
    }

    fn out_of_time(&self, mut page: RecordPage, high: i64) -> Result<RecordPage> {
        page.searched_back_to = received_at_of(self.connection, high)?;
        page.next_below_id = Some(high);
        Ok(page)
    }

    fn first_window(&self) -> i64 {
        match self.plan.driver {
            Driver::Run(_) => 1,
            // Few rows in all: one window over everything.
            _ if self.plan.rows_most < WINDOW_IDS_FIRST && !self.query.filter.looks_into_payload() => i64::MAX / 4,
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

    /// Adds the rows of ids `low..high` to `records`, up to the page's size.
    fn window_rows(&self, low: i64, high: i64, records: &mut Vec<Record>) -> Result<()> {
        let mut conditions = Conditions::of(&self.query.filter, &self.plan);
        conditions.ids(low, high);
        let sql = format!(
            "SELECT {RECORD_COLUMNS} FROM records r {} {RECORD_JOINS} WHERE {} ORDER BY r.id DESC LIMIT {}",
            self.plan.driver.index_clause(),
            conditions.sql(),
            self.query.rows_max - records.len(),
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(conditions.values()))?;
        while let Some(row) = rows.next()? {
            records.push(record_from_row(row, self.query.payload)?);
        }
        Ok(())
    }
}
