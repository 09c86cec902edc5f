// SPDX-License-Identifier: Apache-2.0
//! Custom views: what a file of the views directory says, checked; and rows laid out as it wants them shown.
//!
//! ```text
//! NAME.toml -> parse -> Definition           every mistake with its line
//! address   -> parameters -> values to bind
//! rows      -> arrange -> Arranged           what a table, a chart or a number shows, with its links
//! ```
//!
//! Pure: no files, no SQL is run, no HTML. docs/custom-views.md is the documentation for administrators; a
//! test holds it against the constants here.

mod arrange;
mod definition;
mod link;
mod parameters;
mod parse;
mod samples;
mod source;
mod value;

pub use arrange::{Arranged, Cell, Heading, MARKS_MAX, Point, Run, arrange};
pub use definition::{
    Bound, Choices, Definition, KEYS, Mistake, PANELS_MAX, PARAMETERS_MAX, Panel, Parameter, ParameterKind,
    RESERVED, Show, Sql, is_name,
};
pub use link::Template;
pub use parameters::{Given, read_parameters};
pub use parse::{FILE_BYTES_MAX, parse};
pub use samples::SAMPLES;
pub use value::{Cut, Rows, Value};
