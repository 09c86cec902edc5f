// SPDX-License-Identifier: Apache-2.0
//! What a view's file says, checked.

use crate::custom::link::Template;
use crate::custom::value::Value;
use std::fmt;

/// Most panels of a view.
pub const PANELS_MAX: usize = 20;
/// Most parameters of a view.
pub const PARAMETERS_MAX: usize = 20;
/// Most characters of a view's name.
const NAME_CHARS_MAX: usize = 40;

/// The keys of each kind of table in a file.
pub const KEYS: [(&str, &[&str]); 3] = [
    ("the view", &["tab", "title", "about", "parameter", "panel"]),
    ("a parameter", &["name", "label", "type", "default", "choices", "choices_sql"]),
    ("a panel", &["title", "about", "sql", "show", "series", "unit", "link", "links"]),
];

/// Parameters that every query has: the time of the request in Unix seconds, and its day as YYYY-MM-DD.
pub const RESERVED: [&str; 2] = ["now", "today"];

/// True where a view may have this name: 1 to 40 of a-z, 0-9 and -.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A view.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// In the bar across the top.
    pub tab: String,
    /// Heading of the page.
    pub title: String,
    /// A sentence on it; empty where there is none.
    pub about: String,
    /// What can be chosen, in the order of the form.
    pub parameters: Vec<Parameter>,
    /// What is shown, in its order; at least one.
    pub panels: Vec<Panel>,
}

/// Something that whoever looks can choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// In the address and, after a colon, in the SQL.
    pub name: String,
    /// In the form.
    pub label: String,
    /// What it may be.
    pub kind: ParameterKind,
    /// What it is where nothing is chosen, as written in an address; empty where the file says nothing.
    pub default: String,
}

/// What a parameter may be.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterKind {
    /// Any text; where nothing is given the empty one.
    Text,
    /// A whole number, or NULL.
    Integer,
    /// A number, or NULL.
    Number,
    /// A day as YYYY-MM-DD, or NULL.
    Date,
    /// One of these.
    Choice(Choices),
}

/// What can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    /// These, at least one.
    List(Vec<String>),
    /// The first column of the rows; a second one is what the form shows.
    Sql(Sql),
}

/// A query with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    /// The query.
    pub text: String,
    /// The line on which its text begins, counted from 1.
    pub first_line: usize,
}

impl Sql {
    /// The line of the file on which the byte at `offset` of the query stands.
    pub fn line_at(&self, offset: usize) -> usize {
        self.first_line + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

/// How rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As they are.
    Table,
    /// Upright columns.
    Columns,
    /// Upright columns, the series on top of each other.
    StackedColumns,
    /// Horizontal bars.
    Bars,
    /// Lines.
    Lines,
    /// One slice a row.
    Pie,
    /// The values of the one row, large.
    Number,
}

impl Show {
    /// Each with its word in a file.
    pub const ALL: [(&'static str, Show); 7] = [
        ("table", Show::Table),
        ("columns", Show::Columns),
        ("stacked columns", Show::StackedColumns),
        ("bars", Show::Bars),
        ("lines", Show::Lines),
        ("pie", Show::Pie),
        ("number", Show::Number),
    ];

    /// Its word in a file.
    pub fn word(self) -> &'static str {
        Show::ALL.iter().find(|(_, show)| *show == self).map_or("", |(word, _)| word)
    }

    /// True where the series of a category stand on or after each other, so that small ones can be summed up.
    pub fn is_stacked(self) -> bool {
        matches!(self, Show::StackedColumns | Show::Bars)
    }

    /// True where numbers are drawn by category.
    pub fn is_chart(self) -> bool {
        !matches!(self, Show::Table | Show::Number)
    }
}

/// One query and how its rows are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Heading.
    pub title: String,
    /// A sentence on it; empty where there is none.
    pub about: String,
    /// The query.
    pub sql: Sql,
    /// How its rows are shown.
    pub show: Show,
    /// The column whose values are the series of a chart; where it is none, each further column is a series.
    pub series: Option<String>,
    /// What is counted, for the axis of a chart; may be empty.
    pub unit: String,
    /// Where the first column of a table, a mark or a number leads.
    pub link: Option<Template>,
    /// Where the values of single columns lead.
    pub links: Vec<(String, Template)>,
    /// The line of its title, counted from 1.
    pub line: usize,
}

impl Panel {
    /// Where a value of a column leads.
    pub fn link_of(&self, column: &str) -> Option<&Template> {
        self.links.iter().find(|(name, _)| name == column).map(|(_, template)| template)
    }
}

/// What is wrong, and where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters; 0 where only the line is known.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.message),
            (line, 0) => write!(f, "line {line}: {}", self.message),
            (line, column) => write!(f, "line {line}, column {column}: {}", self.message),
        }
    }
}

/// What a query is given by name, without the colon.
pub type Bound = Vec<(String, Value)>;
