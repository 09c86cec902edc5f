// SPDX-License-Identifier: Apache-2.0
//! Custom views: the files of the views directory, known without a restart, and what their queries find.
//!
//! `files` looks at the directory; here a view's queries are run, each within limits and all within those of
//! a page.

mod files;

pub use files::{CustomViews, ViewFile, read_view};

use crate::custom::{
    Arranged, Choices, Cut, Definition, Given, Mistake, Panel, ParameterKind, Rows, Sql, Value, arrange,
    read_parameters,
};
use crate::error::{Error, Kind, Result};
use crate::model::pairs::Pairs;
use crate::ops::App;
use crate::store::{CustomQuery, QueryFailure};
use log::Level;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows that are kept of a query.
pub const ROWS_MAX: usize = 1_000;
/// Bytes that are kept of a query.
pub const QUERY_BYTES_MAX: usize = 1_000_000;
/// Bytes that are kept of all queries of a page.
const PAGE_BYTES_MAX: usize = 2_000_000;
/// How long a query may take.
pub const QUERY_MOST: Duration = Duration::from_secs(2);
/// How long all queries of a page may take.
pub const PAGE_MOST: Duration = Duration::from_secs(10);

/// Runs one query: on the store of a server, or on what a check is made with.
pub type Ask<'a> = &'a dyn Fn(&CustomQuery<'_>) -> Result<Rows, QueryFailure>;

/// What the page of a view shows.
#[derive(Debug)]
pub struct ViewPage {
    /// The file.
    pub file: Arc<ViewFile>,
    /// What the address gives; empty for a broken file.
    pub given: Given,
    /// The choices of each parameter, as value and text; empty where it has none.
    pub choices: Vec<Vec<(String, String)>>,
    /// Each panel; empty where a parameter breaks its rule or the file is broken.
    pub panels: Vec<Result<Shown, Mistake>>,
}

/// What a panel shows.
#[derive(Debug)]
pub struct Shown {
    /// The rows, laid out.
    pub arranged: Arranged,
    /// Set where there are more rows.
    pub cut: Option<Cut>,
}

/// What the API answers: rows as they are.
#[derive(Debug)]
pub struct ViewAnswer {
    /// The file, which is sound.
    pub file: Arc<ViewFile>,
    /// What the queries were given.
    pub given: Given,
    /// Each panel.
    pub panels: Vec<Result<Rows, Mistake>>,
}

/// Everything on the page of a view. NotFound where there is no such file, Busy where too many are looked at;
/// whatever else is wrong is in the page.
pub fn load(app: &App, name: &str, query: &Pairs) -> Result<ViewPage> {
    let file = app.custom_views.find(name)?;
    let mut page = ViewPage {
        file: Arc::clone(&file),
        given: Given::default(),
        choices: Vec::new(),
        panels: Vec::new(),
    };
    let Ok(definition) = &file.definition else { return Ok(page) };
    let _place = app.custom_views.take_place()?;
    page.given = read_parameters(definition, query, app.clock.now());
    let ask = |query: &CustomQuery<'_>| app.store.custom_query(query);
    let mut budget = Budget::new(&ask);
    page.choices = definition
        .parameters
        .iter()
        .map(|parameter| match &parameter.kind {
            ParameterKind::Choice(choices) => choices_of(&mut budget, choices, &page.given),
            _ => Vec::new(),
        })
        .collect();
    if page.given.errors.is_empty() {
        for (index, panel) in definition.panels.iter().enumerate() {
            let shown = budget.rows(&panel.sql, &page.given).and_then(|rows| show(panel, &rows, &page.given));
            if let Err(mistake) = &shown
                && !budget.was_refused
            {
                file.log_once(index, &panel.title, mistake);
            }
            page.panels.push(shown);
        }
    }
    Ok(page)
}

/// What the API answers for a view. NotFound where there is no such file, Invalid where it is broken or a
/// parameter breaks its rule, Busy where too many are looked at.
pub fn answer(app: &App, name: &str, query: &Pairs) -> Result<ViewAnswer> {
    let file = app.custom_views.find(name)?;
    let definition = match &file.definition {
        Ok(definition) => definition,
        Err(mistakes) => {
            let all: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
            return Err(Error::invalid(format!("{name}.toml has mistakes: {}", all.join("; "))));
        }
    };
    let given = read_parameters(definition, query, app.clock.now());
    if let Some(error) = given.errors.first() {
        return Err(error.clone().into());
    }
    let _place = app.custom_views.take_place()?;
    let ask = |query: &CustomQuery<'_>| app.store.custom_query(query);
    let mut budget = Budget::new(&ask);
    let panels = definition.panels.iter().map(|panel| budget.rows(&panel.sql, &given)).collect();
    Ok(ViewAnswer { file: Arc::clone(&file), given, panels })
}

/// What a check finds in one query.
#[derive(Debug)]
pub struct Checked {
    /// What it is: the title of a panel, or the choices of a parameter.
    pub what: String,
    /// The line of the file at which it begins.
    pub line: usize,
    /// Its columns, how many rows it has, and whether there are more.
    pub outcome: Result<(Vec<String>, usize, Option<Cut>), Mistake>,
}

/// Runs every query of a view with the defaults of its parameters; `now` is Unix seconds.
pub fn check(definition: &Definition, ask: Ask<'_>, now: i64) -> Vec<Checked> {
    let given = read_parameters(definition, &Pairs::default(), now);
    let mut checked = Vec::new();
    for parameter in &definition.parameters {
        if let ParameterKind::Choice(Choices::Sql(sql)) = &parameter.kind {
            let rows = Budget::new(ask).rows(sql, &given);
            let what = format!("choices of {}", parameter.name);
            let outcome = rows.map(|rows| (rows.columns, rows.rows.len(), rows.cut));
            checked.push(Checked { what, line: sql.first_line, outcome });
        }
    }
    for panel in &definition.panels {
        let outcome = Budget::new(ask).rows(&panel.sql, &given).and_then(|rows| {
            let found = (rows.columns.clone(), rows.rows.len(), rows.cut);
            show(panel, &rows, &given).map(|_| found)
        });
        checked.push(Checked { what: panel.title.clone(), line: panel.line, outcome });
    }
    checked
}

fn show(panel: &Panel, rows: &Rows, given: &Given) -> Result<Shown, Mistake> {
    match arrange(panel, rows, &given.bound) {
        Ok(arranged) => Ok(Shown { arranged, cut: rows.cut }),
        Err(message) => Err(Mistake { line: panel.line, column: 0, message }),
    }
}

/// The choices as value and text, of which the second is the first where there is none.
fn choices_of(budget: &mut Budget<'_>, choices: &Choices, given: &Given) -> Vec<(String, String)> {
    let sql = match choices {
        Choices::List(list) => return list.iter().map(|choice| (choice.clone(), choice.clone())).collect(),
        Choices::Sql(sql) => sql,
    };
    match budget.rows(sql, given) {
        Ok(rows) => {
            let text = |value: &Value| value.text().unwrap_or_default();
            let choice = |row: &Vec<Value>| {
                let value = row.first().map(text)?;
                Some((value.clone(), row.get(1).map_or(value, text)))
            };
            rows.rows.iter().filter_map(choice).collect()
        }
        // Any value can still be had by the address.
        Err(mistake) => {
            let level = if budget.was_refused { Level::Debug } else { Level::Warn };
            log::log!(level, "The choices of a custom view cannot be read: {mistake}");
            Vec::new()
        }
    }
}

/// What is left of the time and the bytes of a page.
struct Budget<'a> {
    ask: Ask<'a>,
    until: Instant,
    bytes: usize,
    /// True where the query asked last found no place or no time: that is no mistake of its author, and who
    /// asks often must not fill the log.
    was_refused: bool,
}

impl<'a> Budget<'a> {
    fn new(ask: Ask<'a>) -> Budget<'a> {
        Budget { ask, until: Instant::now() + PAGE_MOST, bytes: PAGE_BYTES_MAX, was_refused: false }
    }

    fn rows(&mut self, sql: &Sql, given: &Given) -> Result<Rows, Mistake> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.was_refused = left.is_zero();
        if left.is_zero() {
            let secs = PAGE_MOST.as_secs();
            return Err(at(
                sql,
                None,
                format!("Not run: what stands before it took the {secs} seconds of a page"),
            ));
        }
        let query = CustomQuery {
            sql: &sql.text,
            bound: &given.bound,
            rows_max: ROWS_MAX,
            bytes_max: QUERY_BYTES_MAX.min(self.bytes),
            most: QUERY_MOST.min(left),
        };
        match (self.ask)(&query) {
            Ok(rows) => {
                let texts = rows.rows.iter().flatten().map(|value| match value {
                    Value::Text(text) => text.len(),
                    _ => 0,
                });
                self.bytes = self.bytes.saturating_sub(texts.sum());
                Ok(rows)
            }
            Err(QueryFailure::Mistake { message, offset }) => Err(at(sql, offset, message)),
            Err(QueryFailure::Unanswered(error)) => {
                self.was_refused = is_refusal(&error);
                let level = if self.was_refused { Level::Debug } else { error.log_level() };
                log::log!(level, "A query of a custom view: {}", error.with_causes());
                let ours = "The database cannot answer this query; the log of the server says more";
                let message = if error.kind().is_our_fault() { ours } else { error.message() };
                Err(at(sql, None, message.to_owned()))
            }
        }
    }
}

/// True where no place was free. What keeps the database itself from answering has its cause with it.
fn is_refusal(error: &Error) -> bool {
    error.kind() == Kind::Busy && std::error::Error::source(error).is_none()
}

fn at(sql: &Sql, offset: Option<usize>, message: String) -> Mistake {
    Mistake { line: sql.line_at(offset.unwrap_or(0)), column: 0, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_without_a_place_is_told_from_one_that_fails() {
        let sql = Sql { text: "VALUES (1)".to_owned(), first_line: 1 };
        let given = Given::default();
        let cases: [(fn() -> QueryFailure, bool); 4] = [
            (|| Error::busy("no place").into(), true),
            (|| Error::busy("The disk is full").because(Error::internal("cause")).into(), false),
            (|| Error::internal("broken").into(), false),
            (|| QueryFailure::Mistake { message: "no such column".to_owned(), offset: None }, false),
        ];
        for (failure, expected) in cases {
            let ask = |_: &CustomQuery<'_>| Err(failure());
            let mut budget = Budget::new(&ask);
            assert!(budget.rows(&sql, &given).is_err());
            assert_eq!(budget.was_refused, expected, "{:?}", failure());
        }
        let ask = |_: &CustomQuery<'_>| Err(Error::busy("no place").into());
        let mut budget = Budget { until: Instant::now(), ..Budget::new(&ask) };
        assert!(budget.rows(&sql, &given).is_err() && budget.was_refused);
    }
}
