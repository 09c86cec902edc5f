// SPDX-License-Identifier: Apache-2.0
//! The target language: the condition by which an action selects agents. MIG splices it into SQL; here it is
//! read into a tree that can say only what is listed in [`Condition`], and everything else is refused with
//! its place.
//!
//! sqlparser's tokenizer (Postgres dialect) cuts the text; the grammar is our own, so that what is allowed is
//! what is written here, and no newer parser lets in more. Server and agents judge it by the same code, so no
//! text of a target ever comes near SQL.

mod display;
mod grammar;
mod interval;
mod judge;
mod operand;
mod pattern;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod typing;

pub use grammar::parse;
pub use judge::{Facts, Prepared};
pub use pattern::{is_like, regex};
pub use tree::{Column, Comparison, Condition, Hop, Interval, JsonColumn, JsonPath, Number, Time, Value};

/// Bytes of a target; a longer one is refused unread.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Parentheses and NOTs that stand in one another.
pub const NESTING_MAX: usize = 50;

/// Values of one `IN (…)`.
pub const LIST_MAX: usize = 1_000;
