// SPDX-License-Identifier: Apache-2.0
//! Values of a query: those that it is given, and those in its rows.

/// A value of SQLite. A BLOB is told as text, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number; may be infinite.
    Real(f64),
    /// A text, as it is in the database: it may hold anything.
    Text(String),
}

impl Value {
    /// As text; none where it is NULL.
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.clone()),
        }
    }

    /// As a number to be drawn; none where it is a text, NULL or infinite.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(*number as f64),
            Value::Real(number) => Some(*number).filter(|number| number.is_finite()),
            Value::Null | Value::Text(_) => None,
        }
    }
}

/// Why there are fewer rows than the query has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// More rows than are kept.
    Rows,
    /// More text than is kept.
    Bytes,
}

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns, in their order; they may repeat.
    pub columns: Vec<String>,
    /// The rows, each with a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Set where there are more rows than these.
    pub cut: Option<Cut>,
}

impl Rows {
    /// The first column of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}
