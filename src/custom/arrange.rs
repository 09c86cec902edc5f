// SPDX-License-Identifier: Apache-2.0
//! Rows laid out as their panel wants them shown, with links; or what keeps them from being shown so.

use crate::custom::definition::{Bound, Panel, Show};
use crate::custom::link::Template;
use crate::custom::value::{Rows, Value};
use crate::model::filter::shortened;
use std::collections::HashMap;

/// Most series of a chart that cannot sum up the small ones.
const SERIES_MAX: usize = 50;
/// Most values that a chart draws.
pub const MARKS_MAX: usize = 5_000;
/// What stands for NULL where a name is needed.
const NO_NAME: &str = "(none)";
/// In a link: the name of the column of a mark.
const SERIES_BLANK: &str = "series";

/// What a panel shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Arranged {
    /// Columns with their names, and rows of as many cells.
    Table {
        /// The names.
        headings: Vec<Heading>,
        /// The rows.
        rows: Vec<Vec<Cell>>,
    },
    /// A value for each series and category.
    Chart {
        /// What a category is: the name of its column.
        noun: String,
        /// The categories, in the order of the rows.
        categories: Vec<String>,
        /// At least one, each with a point for each category.
        series: Vec<Run>,
    },
    /// Values with their names.
    Numbers(Vec<(String, Cell)>),
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Its name.
    pub name: String,
    /// True where all of its values are numbers, which stand on the right.
    pub is_number: bool,
}

/// A value and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The value.
    pub value: Value,
    /// An address within this server.
    pub link: Option<String>,
}

/// The points of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// For the legend.
    pub name: String,
    /// As many as there are categories.
    pub points: Vec<Point>,
}

/// A point of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Its value; 0 where there is no row.
    pub value: f64,
    /// An address within this server.
    pub link: Option<String>,
}

/// Lays rows out. `bound`: what the query was given, which links may name too. Err: what keeps the rows from
/// being shown as the panel wants them.
pub fn arrange(panel: &Panel, rows: &Rows, bound: &Bound) -> Result<Arranged, String> {
    refuse_unknown_columns(panel, rows, bound)?;
    let found = Found { panel, rows, bound };
    match panel.show {
        Show::Table => Ok(table(&found)),
        Show::Number => numbers(&found),
        _ if panel.series.is_some() => long_chart(&found),
        _ => wide_chart(&found),
    }
}

/// What is laid out.
struct Found<'a> {
    panel: &'a Panel,
    rows: &'a Rows,
    bound: &'a Bound,
}

/// A blank or a key of `links` that is no column would only be seen by whoever clicks.
fn refuse_unknown_columns(panel: &Panel, rows: &Rows, bound: &Bound) -> Result<(), String> {
    let columns = || rows.columns.iter().map(|name| shortened(name)).collect::<Vec<_>>().join(", ");
    if let Some((name, _)) = panel.links.iter().find(|(name, _)| rows.column(name).is_none()) {
        return Err(format!("links: there is no column {}; the query has {}", shortened(name), columns()));
    }
    let has_series = panel.show.is_chart() && panel.series.is_none();
    let templates = panel.link.iter().chain(panel.links.iter().map(|(_, template)| template));
    for blank in templates.flat_map(Template::blanks) {
        let is_given = bound.iter().any(|(name, _)| name == blank) || has_series && blank == SERIES_BLANK;
        if rows.column(blank).is_none() && !is_given {
            return Err(format!(
                "link: there is no column {}; the query has {}",
                shortened(blank),
                columns()
            ));
        }
    }
    Ok(())
}

impl Found<'_> {
    /// Fills a link from a row, then from what the query was given; `series` is what the blank of that name
    /// means where neither has it.
    fn fill(&self, template: Option<&Template>, row: &[Value], series: Option<&str>) -> Option<String> {
        template?.fill(|name| match self.rows.column(name) {
            Some(column) => row.get(column)?.text(),
            None => match self.bound.iter().find(|(known, _)| known == name) {
                // An empty parameter is no condition.
                Some((_, value)) => Some(value.text().unwrap_or_default()),
                None => series.map(str::to_owned),
            },
        })
    }

    /// Where each column leads: `link` belongs to the first one of a table.
    fn templates(&self) -> Vec<Option<&Template>> {
        let of = |(index, name): (usize, &String)| {
            let of_all = self.panel.link.as_ref().filter(|_| index == 0 || self.panel.show != Show::Table);
            self.panel.link_of(name).or(of_all)
        };
        self.rows.columns.iter().enumerate().map(of).collect()
    }

    fn is_number(&self, column: usize) -> bool {
        let values = self.rows.rows.iter().filter_map(|row| row.get(column));
        let mut values = values.filter(|value| **value != Value::Null).peekable();
        values.peek().is_some() && values.all(|value| matches!(value, Value::Integer(_) | Value::Real(_)))
    }
}

fn table(found: &Found) -> Arranged {
    let heading =
        |(index, name): (usize, &String)| Heading { name: name.clone(), is_number: found.is_number(index) };
    let templates = found.templates();
    let cells = |row: &Vec<Value>| {
        let cell = |(value, template): (&Value, &Option<&Template>)| Cell {
            value: value.clone(),
            link: found.fill(*template, row, None),
        };
        row.iter().zip(&templates).map(cell).collect()
    };
    Arranged::Table {
        headings: found.rows.columns.iter().enumerate().map(heading).collect(),
        rows: found.rows.rows.iter().map(cells).collect(),
    }
}

fn numbers(found: &Found) -> Result<Arranged, String> {
    if found.rows.rows.len() > 1 || found.rows.cut.is_some() {
        return Err("show = \"number\" is for a query with one row; this one has more".to_owned());
    }
    let Some(row) = found.rows.rows.first() else { return Ok(Arranged::Numbers(Vec::new())) };
    let numbers =
        row.iter().zip(&found.rows.columns).zip(found.templates()).map(|((value, name), template)| {
            (name.clone(), Cell { value: value.clone(), link: found.fill(template, row, None) })
        });
    Ok(Arranged::Numbers(numbers.collect()))
}

/// The first column names the category, each further one is a series.
fn wide_chart(found: &Found) -> Result<Arranged, String> {
    let (panel, rows) = (found.panel, found.rows);
    let Some((noun, names)) = rows.columns.split_first().filter(|(_, names)| !names.is_empty()) else {
        return Err("A chart needs at least two columns: the category and a number".to_owned());
    };
    if panel.show == Show::Pie && names.len() > 1 {
        return Err("A pie needs two columns: the category and a number".to_owned());
    }
    refuse_too_much(panel.show, rows.rows.len(), names.len())?;
    let templates = found.templates();
    let mut series: Vec<Run> =
        names.iter().map(|name| Run { name: name.clone(), points: Vec::new() }).collect();
    for (n_row, row) in rows.rows.iter().enumerate() {
        for (column, run) in series.iter_mut().enumerate() {
            let column = column + 1;
            let value = number(panel.show, &rows.columns[column], n_row, &row[column])?;
            let link = found.fill(templates[column], row, Some(&run.name));
            run.points.push(Point { value, link });
        }
    }
    let categories = rows.rows.iter().map(|row| name_of(&row[0])).collect();
    Ok(Arranged::Chart { noun: noun.clone(), categories, series })
}

/// One column holds the series; of the two others the first names the category, the second is the number.
fn long_chart(found: &Found) -> Result<Arranged, String> {
    let (panel, rows) = (found.panel, found.rows);
    let name = panel.series.as_deref().unwrap_or_default();
    let by_series =
        rows.column(name).ok_or_else(|| format!("There is no column {} for the series", shortened(name)))?;
    let others: Vec<usize> = (0..rows.columns.len()).filter(|column| *column != by_series).collect();
    let [by_category, by_value] = others[..] else {
        return Err("A chart with series needs three columns: category, series and a number".to_owned());
    };
    let (mut categories, mut names) = (Names::default(), Names::default());
    let mut points: HashMap<(usize, usize), Point> = HashMap::new();
    for (n_row, row) in rows.rows.iter().enumerate() {
        let place = (names.index(&row[by_series]), categories.index(&row[by_category]));
        let value = number(panel.show, &rows.columns[by_value], n_row, &row[by_value])?;
        let link = found.fill(panel.link.as_ref(), row, None);
        if points.insert(place, Point { value, link }).is_some() {
            let (series, category) = (name_of(&row[by_series]), name_of(&row[by_category]));
            return Err(format!(
                "There are two rows for {} and {}; group by both",
                shortened(&category),
                shortened(&series)
            ));
        }
    }
    refuse_too_much(panel.show, categories.names.len(), names.names.len())?;
    let series = names.names.into_iter().enumerate().map(|(n, name)| {
        let points =
            (0..categories.names.len()).map(|category| points.remove(&(n, category)).unwrap_or_default());
        Run { name, points: points.collect() }
    });
    let series = series.collect();
    Ok(Arranged::Chart { noun: rows.columns[by_category].clone(), categories: categories.names, series })
}

/// Names in the order in which they came.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    fn index(&mut self, value: &Value) -> usize {
        let name = name_of(value);
        match self.index.get(&name) {
            Some(index) => *index,
            None => {
                self.names.push(name.clone());
                self.index.insert(name, self.names.len() - 1);
                self.names.len() - 1
            }
        }
    }
}

fn name_of(value: &Value) -> String {
    value.text().unwrap_or_else(|| NO_NAME.to_owned())
}

fn refuse_too_much(show: Show, categories: usize, series: usize) -> Result<(), String> {
    if series > SERIES_MAX && !show.is_stacked() {
        return Err(format!("show = \"{}\" has at most {SERIES_MAX} series, not {series}", show.word()));
    }
    if categories * series > MARKS_MAX {
        return Err(format!("A chart draws at most {MARKS_MAX} values, not {}", categories * series));
    }
    Ok(())
}

/// A number that can be drawn; NULL is 0.
fn number(show: Show, column: &str, n_row: usize, value: &Value) -> Result<f64, String> {
    let place = || format!("Row {} of the column {}", n_row + 1, shortened(column));
    let number = match value {
        Value::Null => 0.0,
        value => value.number().ok_or_else(|| format!("{} is not a number that can be drawn", place()))?,
    };
    if (show.is_stacked() || show == Show::Pie) && number < 0.0 {
        return Err(format!("{} is negative; show = \"{}\" cannot draw that", place(), show.word()));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::parse::parse;

    fn panel(keys: &str) -> Panel {
        let text = format!("tab = 'T'\ntitle = 'T'\n[[panel]]\ntitle = 'P'\nsql = 'SELECT 1'\n{keys}");
        parse(&text).unwrap().panels.remove(0)
    }

    fn rows(columns: &[&str], rows: &[&[Value]]) -> Rows {
        Rows {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: rows.iter().map(|row| row.to_vec()).collect(),
            cut: None,
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn bound() -> Bound {
        vec![("build".to_owned(), text("1&2")), ("from".to_owned(), Value::Null)]
    }

    #[test]
    fn a_table_knows_its_numbers_and_links() {
        let panel = panel("show = 'table'\nlink = '/records?build={b}'\nlinks = { n = '/n/{n}' }");
        let found = rows(&["b", "n"], &[&[text("a b"), Value::Integer(3)], &[Value::Null, Value::Null]]);
        let Arranged::Table { headings, rows } = arrange(&panel, &found, &bound()).unwrap() else { panic!() };
        assert_eq!(headings.iter().map(|h| h.is_number).collect::<Vec<_>>(), [false, true]);
        let links: Vec<_> = rows.iter().flatten().map(|cell| cell.link.as_deref()).collect();
        assert_eq!(links, [Some("/records?build=a%20b"), Some("/n/3"), None, None]);
    }

    #[test]
    fn further_columns_are_series() {
        let panel = panel("show = 'columns'\nlink = '/records?day={day}&what={series}'");
        let found = rows(
            &["day", "good", "bad"],
            &[
                &[text("1"), Value::Integer(5), Value::Null],
                &[text("2"), Value::Real(0.5), Value::Integer(-1)],
            ],
        );
        let Arranged::Chart { noun, categories, series } = arrange(&panel, &found, &bound()).unwrap() else {
            panic!()
        };
        assert_eq!((noun.as_str(), categories), ("day", vec!["1".to_owned(), "2".to_owned()]));
        let values: Vec<Vec<f64>> =
            series.iter().map(|run| run.points.iter().map(|point| point.value).collect()).collect();
        assert_eq!(values, [[5.0, 0.5], [0.0, -1.0]]);
        assert_eq!(series[1].points[0].link.as_deref(), Some("/records?day=1&what=bad"));
    }

    #[test]
    fn a_column_can_hold_the_series() {
        let panel = panel("show = 'lines'\nseries = 's'\nlink = '/x/{s}/{c}'");
        let one = Value::Integer(1);
        let found = rows(
            &["s", "c", "n"],
            &[
                &[text("a"), text("x"), one.clone()],
                &[text("b"), text("y"), one.clone()],
                &[Value::Null, text("x"), one.clone()],
            ],
        );
        let Arranged::Chart { categories, series, .. } = arrange(&panel, &found, &bound()).unwrap() else {
            panic!()
        };
        assert_eq!(categories, ["x", "y"]);
        assert_eq!(series.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["a", "b", "(none)"]);
        assert_eq!(series[0].points[1], Point { value: 0.0, link: None });
        assert_eq!(series[1].points[1], Point { value: 1.0, link: Some("/x/b/y".to_owned()) });
    }

    #[test]
    fn numbers_are_the_values_of_the_one_row() {
        let panel = panel("show = 'number'\nlinks = { bad = '/records?build={build}&from={from}' }");
        let found = rows(&["good", "bad"], &[&[Value::Integer(7), text("?")]]);
        let Arranged::Numbers(numbers) = arrange(&panel, &found, &bound()).unwrap() else { panic!() };
        assert_eq!(numbers[0], ("good".to_owned(), Cell { value: Value::Integer(7), link: None }));
        assert_eq!(numbers[1].1.link.as_deref(), Some("/records?build=1%262&from="));
    }

    #[test]
    fn only_what_stacks_has_any_number_of_series() {
        let one = Value::Integer(1);
        let series: Vec<Vec<Value>> =
            (0..60).map(|n| vec![text("x"), Value::Integer(n), one.clone()]).collect();
        let found = Rows { rows: series, ..rows(&["c", "s", "n"], &[]) };
        let keys = |show: &str| format!("show = '{show}'\nseries = 's'");
        assert!(arrange(&panel(&keys("stacked columns")), &found, &bound()).is_ok());
        let wrong = arrange(&panel(&keys("lines")), &found, &bound()).unwrap_err();
        assert_eq!(wrong, "show = \"lines\" has at most 50 series, not 60");
    }

    #[test]
    fn what_cannot_be_shown_so_is_said() {
        let one = Value::Integer(1);
        let two: &[&str] = &["a", "b"];
        let row: &[Value] = &[text("x"), one.clone()];
        let cases: &[(&str, Rows, &str)] = &[
            ("show = 'pie'", rows(&["a"], &[]), "A chart needs at least two columns"),
            ("show = 'pie'", rows(&["a", "b", "c"], &[]), "A pie needs two columns"),
            (
                "show = 'pie'",
                rows(two, &[&[text("x"), Value::Integer(-1)]]),
                "Row 1 of the column b is negative",
            ),
            (
                "show = 'columns'",
                rows(two, &[&[text("x"), text("y")]]),
                "Row 1 of the column b is not a number",
            ),
            ("show = 'columns'", rows(two, &[&[text("x"), Value::Real(f64::INFINITY)]]), "is not a number"),
            ("show = 'lines'\nseries = 'z'", rows(two, &[]), "There is no column z for the series"),
            ("show = 'lines'\nseries = 'a'", rows(two, &[]), "A chart with series needs three columns"),
            ("show = 'number'", rows(two, &[row, row]), "this one has more"),
            (
                "show = 'table'\nlink = '/{c}'",
                rows(two, &[]),
                "link: there is no column c; the query has a, b",
            ),
            ("show = 'table'\nlink = '/{series}'", rows(two, &[]), "there is no column series"),
            ("show = 'table'\nlinks = { c = '/' }", rows(two, &[]), "links: there is no column c"),
        ];
        for (keys, found, expected) in cases {
            let wrong = arrange(&panel(keys), found, &bound()).unwrap_err();
            assert!(wrong.contains(expected), "{keys}: {wrong}");
        }
        let twice =
            rows(&["c", "s", "n"], &[&[text("x"), text("y"), one.clone()], &[text("x"), text("y"), one]]);
        let wrong = arrange(&panel("show = 'lines'\nseries = 's'"), &twice, &bound()).unwrap_err();
        assert_eq!(wrong, "There are two rows for x and y; group by both");
    }
}
