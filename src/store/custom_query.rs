// SPDX-License-Identifier: Apache-2.0
//! Queries of custom views: SQL that an administrator wrote, run so that it can only read what is public, for
//! a short time, with little memory. A connection of its own for each query, thrown away after it.
//!
//! | what | how it is held |
//! |---|---|
//! | only the public views | `authorizer` |
//! | nothing is written | the file opened read-only, `query_only`, one statement, `sqlite3_stmt_readonly` |
//! | time, memory, the log | `watch`; before there is anything to watch, `expansion` |
//! | long texts | SQLite's limits; `functions` |
//! | sorting without end | temporary files, unlinked while they are used |
//! | many at once | [`Turns`] |

mod authorizer;
mod expansion;
mod functions;
mod watch;

pub use authorizer::FUNCTIONS as CUSTOM_FUNCTIONS;
pub use authorizer::VIEWS as EXPORT_VIEWS;

use crate::custom::{Cut, Rows, Value};
use crate::error::Error;
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use crate::model::record::hex;
use crate::model::time::parse_date;
use crate::store::gate::Turns;
use crate::store::time_index::id_range;
use crate::store::{Store, open, payload};
use authorizer::Refusal;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watch::{Ended, Watch};

/// The public views.
const EXPORT_SQL: &str = include_str!("export_views.sql");
/// Queries at once; each may take as much memory as `watch` lets it.
const AT_ONCE: usize = 2;
/// Page cache in KiB; also how much a sort keeps in memory.
const CACHE_KIB: i64 = 2 * 1024;
/// What a cell counts beside its text.
const CELL_BYTES: usize = 32;
/// Most columns of a query.
const COLUMNS_MAX: i32 = 50;

/// All texts that a query may hold at once; a query that makes many may make only shorter ones.
const TEXTS_BYTES_MAX: u64 = 24_000_000;
/// However many it makes, each may have so many bytes.
const TEXT_BYTES_LEAST: u64 = 10_000;

/// SQLite's own limits.
const LIMITS: [(Limit, i32); 9] = [
    (Limit::SQLITE_LIMIT_LENGTH, functions::TEXT_BYTES_MAX as i32),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 50),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
];

/// A query to be run.
#[derive(Clone, Copy, Debug)]
pub struct CustomQuery<'a> {
    /// One SELECT, VALUES or WITH.
    pub sql: &'a str,
    /// What its parameters are, without the colon.
    pub bound: &'a [(String, Value)],
    /// Rows that are kept.
    pub rows_max: usize,
    /// Bytes of names and values that are kept.
    pub bytes_max: usize,
    /// How long it may take.
    pub most: Duration,
}

/// Why there are no rows.
#[derive(Debug)]
pub enum QueryFailure {
    /// The query is wrong or asks for too much; its author is to be told.
    Mistake {
        /// What is wrong, in SQLite's words or ours.
        message: String,
        /// The byte of the query at which it is, where that is known.
        offset: Option<usize>,
    },
    /// The query may be right; the database cannot answer it.
    Unanswered(Error),
}

impl From<Error> for QueryFailure {
    fn from(error: Error) -> QueryFailure {
        QueryFailure::Unanswered(error)
    }
}

/// What custom queries are run on.
#[derive(Debug)]
pub struct CustomReader {
    /// The database; none for an empty one in memory.
    path: Option<PathBuf>,
    turns: Turns,
}

impl CustomReader {
    /// Over the database at `path`.
    pub fn of_file(path: &Path) -> CustomReader {
        CustomReader { path: Some(path.to_owned()), turns: Turns::new(AT_ONCE) }
    }

    /// Over an empty database, to see whether queries can be prepared.
    pub fn of_schema() -> CustomReader {
        CustomReader { path: None, turns: Turns::new(AT_ONCE) }
    }

    /// Runs a query; waits for its turn as long as the query may take.
    pub fn query(&self, query: &CustomQuery<'_>) -> Result<Rows, QueryFailure> {
        let _turn = self
            .turns
            .take(query.most)
            .map_err(|_| Error::busy("Too many custom views are looked at at once; try again in a moment"))?;
        let connection = self.open().map_err(Error::from)?;
        let bound = with_first_ids(&connection, query)?;
        let query = &CustomQuery { bound: &bound, ..*query };
        let refusal = Refusal::default();
        authorizer::restrict(&connection, refusal.clone()).map_err(Error::from)?;
        let wal = self.path.as_deref().map(open::wal_path);
        let watch = Watch::set(&connection, Instant::now() + query.most, wal).map_err(Error::from)?;
        run(&connection, query).map_err(|failure| explain(failure, query, &watch, &refusal))
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = match &self.path {
            Some(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(path, flags)?
            }
            None => {
                let connection = Connection::open_in_memory()?;
                connection.execute_batch(open::SCHEMA)?;
                connection
            }
        };
        connection.busy_timeout(Duration::from_secs(1))?;
        connection
            .execute_batch("PRAGMA temp_store = FILE; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        payload::add_functions(&connection)?;
        functions::add(&connection)?;
        connection.execute_batch(EXPORT_SQL)?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // Else a mistyped column in double quotes is a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        Ok(connection)
    }
}

impl Store {
    /// Runs a query of a custom view.
    pub fn custom_query(&self, query: &CustomQuery<'_>) -> Result<Rows, QueryFailure> {
        let _pass = self.gate.enter();
        self.custom.query(query)
    }
}

/// A failure as it comes, before it is explained.
enum Raw {
    Sqlite(rusqlite::Error),
    Mistake(String),
}

impl From<rusqlite::Error> for Raw {
    fn from(error: rusqlite::Error) -> Raw {
        Raw::Sqlite(error)
    }
}

fn run(connection: &Connection, query: &CustomQuery<'_>) -> Result<Rows, Raw> {
    refuse_other_statements(query.sql)?;
    let makers = expansion::count_makers(query.sql).map_err(Raw::Mistake)?;
    let mut statement = connection.prepare(query.sql)?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(Raw::Mistake(ONLY_READS.to_owned()));
    }
    // What is shown is in memory too.
    let texts = makers.saturating_add(statement.column_count() as u64).max(1);
    let text_bytes = (TEXTS_BYTES_MAX / texts).clamp(TEXT_BYTES_LEAST, functions::TEXT_BYTES_MAX as u64);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(text_bytes).unwrap_or(i32::MAX))?;
    bind(&mut statement, query.bound)?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut bytes = columns.iter().map(|name| name.len() + CELL_BYTES).sum::<usize>();
    let mut found = Rows { columns, ..Rows::default() };
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if found.rows.len() >= query.rows_max {
            found.cut = Some(Cut::Rows);
            break;
        }
        let mut values = Vec::with_capacity(found.columns.len());
        for column in 0..found.columns.len() {
            let value = value_of(row.get_ref(column)?);
            bytes += CELL_BYTES + if let Value::Text(text) = &value { text.len() } else { 0 };
            values.push(value);
        }
        if bytes > query.bytes_max {
            found.cut = Some(Cut::Bytes);
            break;
        }
        found.rows.push(values);
    }
    Ok(found)
}

const ONLY_READS: &str = "A custom view only reads: its query must be one SELECT, VALUES or WITH";

/// Refuses what is no query by its first word, so that EXPLAIN, VACUUM and the like are not even prepared.
fn refuse_other_statements(sql: &str) -> Result<(), Raw> {
    if sql.contains('\0') {
        return Err(Raw::Mistake("A query must not hold the character of number 0".to_owned()));
    }
    let word: String = without_comments(sql).chars().take_while(char::is_ascii_alphabetic).collect();
    match ["SELECT", "VALUES", "WITH"].iter().any(|known| known.eq_ignore_ascii_case(&word)) {
        true => Ok(()),
        false => Err(Raw::Mistake(ONLY_READS.to_owned())),
    }
}

/// The query from its first word on.
fn without_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let after = match rest.get(..2) {
            Some("--") => rest.split_once('\n').map(|(_, after)| after),
            Some("/*") => rest.get(2..).and_then(|inner| inner.split_once("*/")).map(|(_, after)| after),
            _ => return rest,
        };
        rest = after.unwrap_or_default().trim_start();
    }
}

/// What is bound, and for each day `x` the id of the first record received on it or later as `x_id`, where the query
/// asks for that: ids are in every index, times in none.
fn with_first_ids(connection: &Connection, query: &CustomQuery<'_>) -> Result<Vec<(String, Value)>, Error> {
    let mut bound = query.bound.to_vec();
    for (name, value) in query.bound {
        let name = format!("{name}_id");
        if !query.sql.contains(&format!(":{name}")) || query.bound.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let day = match value {
            Value::Text(text) => parse_date(text),
            _ => None,
        };
        let first_id = id_range(connection, day, None)?
            .map_or(0, |(first, end)| if first < end { first } else { i64::MAX });
        bound.push((name, Value::Integer(first_id)));
    }
    Ok(bound)
}

fn bind(statement: &mut Statement<'_>, bound: &[(String, Value)]) -> Result<(), Raw> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).and_then(|name| name.strip_prefix(':')).map(str::to_owned);
        let Some(name) = name else {
            return Err(Raw::Mistake(
                "A query's parameters are written with a colon and a name, as :build".into(),
            ));
        };
        match bound.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Null)) => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            Some((_, Value::Integer(number))) => statement.raw_bind_parameter(index, number)?,
            Some((_, Value::Real(number))) => statement.raw_bind_parameter(index, number)?,
            Some((_, Value::Text(text))) => statement.raw_bind_parameter(index, text)?,
            None => {
                let near = nearest(&name, bound.iter().map(|(known, _)| known.as_str())).unwrap_or_default();
                let name = shortened(&name);
                let message =
                    format!("There is no parameter :{name} in this view; the nearest one is :{near}");
                return Err(Raw::Mistake(message));
            }
        }
    }
    Ok(())
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Text(hex(bytes)),
    }
}

/// What went wrong, for the author of the query.
fn explain(failure: Raw, query: &CustomQuery<'_>, watch: &Watch, refusal: &Refusal) -> QueryFailure {
    let mistake = |message: String, offset| QueryFailure::Mistake { message, offset };
    match watch.ended() {
        Some(Ended::Time) => {
            let secs = query.most.as_secs_f64();
            return mistake(format!("The query was stopped after {secs:.1} seconds; narrow it"), None);
        }
        Some(Ended::Memory) => {
            return mistake(
                "The query was stopped because it takes too much memory; narrow it".to_owned(),
                None,
            );
        }
        Some(Ended::Log) => {
            return Error::busy("The database has much to write at the moment; try again").into();
        }
        None => {}
    }
    let error = match failure {
        Raw::Mistake(message) => return mistake(message, None),
        Raw::Sqlite(error) => error,
    };
    let refused = refusal.take();
    match error {
        rusqlite::Error::MultipleStatement => {
            mistake("There must be one statement, not several".into(), None)
        }
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            mistake(refused.unwrap_or(msg), usize::try_from(offset).ok())
        }
        error => match (refused, error.sqlite_error_code()) {
            (Some(refused), _) => mistake(refused, None),
            (None, Some(ErrorCode::OutOfMemory)) => {
                mistake("The query is too large to be prepared; simplify it".to_owned(), None)
            }
            (None, code) => match is_authors(code) {
                true => mistake(told(&error), None),
                false => Error::from(error).into(),
            },
        },
    }
}

/// True for what the query itself is to blame for.
fn is_authors(code: Option<ErrorCode>) -> bool {
    use ErrorCode::{ApiMisuse, AuthorizationForStatementDenied, ReadOnly, TooBig, TypeMismatch, Unknown};
    let Some(code) = code else { return true };
    matches!(code, Unknown | TooBig | TypeMismatch | AuthorizationForStatementDenied | ReadOnly | ApiMisuse)
}

fn told(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
