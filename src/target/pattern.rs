// SPDX-License-Identifier: Apache-2.0
//! Patterns: `LIKE` and regular expressions, with the meaning that they have in Postgres.

use crate::error::{Error, Result};
use regex::{Regex, RegexBuilder};

/// Bytes of memory that a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Groups of a regular expression that stand in one another.
const REGEX_NESTING_MAX: u32 = 50;

/// An element of a `LIKE` pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    /// `%`
    Any,
    /// `_`
    One,
    Exactly(char),
}

/// True where a text as a whole matches a `LIKE` pattern: `%` is any characters, `_` is one, a backslash
/// takes the meaning from what follows it. `ignore_case` is `ILIKE`. Takes at most the product of both
/// lengths.
pub fn is_like(text: &str, pattern: &str, ignore_case: bool) -> bool {
    if text.is_ascii() && pattern.is_ascii() {
        return is_like_ascii(text.as_bytes(), pattern.as_bytes(), ignore_case);
    }
    let pattern = elements(pattern, ignore_case);
    let text: Vec<char> = text.chars().map(|c| folded(c, ignore_case)).collect();
    let (mut at, mut next) = (0, 0);
    // Where to go on if the last `%` has to take one character more.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        let is_match = match pattern.get(next) {
            Some(Element::Any) => {
                retry = Some((next + 1, at));
                next += 1;
                continue;
            }
            Some(Element::One) => true,
            Some(Element::Exactly(c)) => *c == text[at],
            None => false,
        };
        if is_match {
            (at, next) = (at + 1, next + 1);
        } else if let Some((after_any, taken)) = retry {
            retry = Some((after_any, taken + 1));
            (at, next) = (taken + 1, after_any);
        } else {
            return false;
        }
    }
    pattern[next..].iter().all(|element| *element == Element::Any)
}

/// The same for ASCII, without making anything: names are asked for by the hundred thousand.
fn is_like_ascii(text: &[u8], pattern: &[u8], ignore_case: bool) -> bool {
    let (mut at, mut next) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        let (is_match, width) = match pattern.get(next) {
            Some(b'%') => {
                retry = Some((next + 1, at));
                next += 1;
                continue;
            }
            Some(b'_') => (true, 1),
            Some(b'\\') => {
                let c = pattern.get(next + 1).copied().unwrap_or(b'\\');
                (is_same(c, text[at], ignore_case), 2)
            }
            Some(c) => (is_same(*c, text[at], ignore_case), 1),
            None => (false, 0),
        };
        if is_match {
            (at, next) = (at + 1, next + width);
        } else if let Some((after_any, taken)) = retry {
            retry = Some((after_any, taken + 1));
            (at, next) = (taken + 1, after_any);
        } else {
            return false;
        }
    }
    pattern.get(next..).is_none_or(|rest| rest.iter().all(|c| *c == b'%'))
}

fn is_same(a: u8, b: u8, ignore_case: bool) -> bool {
    a == b || ignore_case && a.eq_ignore_ascii_case(&b)
}

fn elements(pattern: &str, ignore_case: bool) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        elements.push(match c {
            '%' => Element::Any,
            '_' => Element::One,
            '\\' => Element::Exactly(folded(chars.next().unwrap_or('\\'), ignore_case)),
            c => Element::Exactly(folded(c, ignore_case)),
        });
    }
    elements
}

/// A character in lower case, where that is one character, as in Postgres.
fn folded(c: char, ignore_case: bool) -> char {
    if !ignore_case {
        return c;
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Refuses a `LIKE` pattern that Postgres refuses.
pub(super) fn check_like(pattern: &str) -> Result<(), &'static str> {
    let backslashes = pattern.chars().rev().take_while(|c| *c == '\\').count();
    match backslashes % 2 {
        1 => Err("a pattern cannot end with a single backslash"),
        _ => Ok(()),
    }
}

/// Compiles a regular expression of a target; it takes linear time. What means one thing in Postgres and
/// another here is refused.
pub fn regex(pattern: &str, ignore_case: bool) -> Result<Regex> {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        if let Some(escaped @ ('b' | 'B' | '<' | '>' | 'm' | 'M' | 'y' | 'Y' | 'Z' | '0'..='9')) = escaped {
            return Err(Error::invalid(format!("\\{escaped} is not allowed in a regular expression here")));
        }
    }
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_NESTING_MAX)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            // The last line is the reason, those before it draw the place.
            let why = text.lines().last().unwrap_or("it is malformed").trim_start_matches("error: ");
            Error::invalid(format!("the regular expression cannot be used: {why}"))
        })
}
