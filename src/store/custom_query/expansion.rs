// SPDX-License-Identifier: Apache-2.0
//! How large a query becomes when it is prepared. SQLite copies a common table expression for each place that names it,
//! before it looks at any limit or deadline: forty that each name the one before twice would keep it busy for ever.

use crate::model::filter::shortened;
use crate::store::custom_query::authorizer::VIEWS;
use std::collections::HashMap;
use std::ops::Range;

/// Most words and signs of a query with everything put in its place.
const TOKENS_MAX: u64 = 100_000;
/// What one of our own views counts.
const VIEW_TOKENS: u64 = 250;

/// A part of a query, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word, a quoted name or a text (which SQLite takes for a name where it needs one), in lower case.
    Name(String),
    /// Anything else, one character.
    Sign(char),
}

/// Refuses a query that would become too large, or that names a table of the database as our own views do. Err: what is wrong with it.
pub fn refuse(sql: &str) -> Result<(), String> {
    let tokens = tokens(sql);
    if (0..tokens.len())
        .any(|at| is_word(&tokens, at, "main") && tokens.get(at + 1) == Some(&Token::Sign('.')))
    {
        return Err(format!(
            "What begins with main. is not open to custom views; they read {}",
            VIEWS.join(", ")
        ));
    }
    let bodies = bodies(&tokens)?;
    let mut costs = HashMap::new();
    let mut names: Vec<&String> = bodies.keys().collect();
    names.sort_unstable();
    for name in names {
        cost(name, &tokens, &bodies, &mut costs)?;
    }
    match cost_of(0..tokens.len(), None, &tokens, &bodies, &costs) > TOKENS_MAX {
        true => Err(too_large()),
        false => Ok(()),
    }
}

fn too_large() -> String {
    "The query is too large: its common table expressions name one another too often".to_owned()
}

/// The common table expressions by name: where the tokens of each stand. Windows look the same and do no harm.
fn bodies(tokens: &[Token]) -> Result<HashMap<String, Range<usize>>, String> {
    let mut bodies = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        let mut next = at + 1;
        if tokens.get(next) == Some(&Token::Sign('(')) {
            next = end_of_group(tokens, next);
        }
        if !is_word(tokens, next, "as") {
            continue;
        }
        next += 1;
        while is_word(tokens, next, "not") || is_word(tokens, next, "materialized") {
            next += 1;
        }
        if tokens.get(next) != Some(&Token::Sign('(')) {
            continue;
        }
        if bodies.insert(name.clone(), next..end_of_group(tokens, next)).is_some() {
            let name = shortened(name);
            return Err(format!("Two common table expressions have the name {name}; give each its own"));
        }
    }
    Ok(bodies)
}

fn is_word(tokens: &[Token], at: usize, word: &str) -> bool {
    matches!(tokens.get(at), Some(Token::Name(name)) if name == word)
}

/// The token after the bracket that closes the one at `open`.
fn end_of_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

type Bodies = HashMap<String, Range<usize>>;
/// The cost of each name; none while it is being found.
type Costs = HashMap<String, Option<u64>>;

/// What one naming of a common table expression costs. Err where that leads in a circle or grows too large.
fn cost(name: &str, tokens: &[Token], bodies: &Bodies, costs: &mut Costs) -> Result<u64, String> {
    match costs.get(name) {
        Some(Some(cost)) => return Ok(*cost),
        Some(None) => {
            let name = shortened(name);
            return Err(format!("The common table expression {name} needs another one that needs it"));
        }
        None => {}
    }
    let Some(body) = bodies.get(name).cloned() else { return Ok(0) };
    costs.insert(name.to_owned(), None);
    for at in body.clone() {
        if let Some(named) =
            named_at(tokens, at).filter(|named| *named != name && bodies.contains_key(*named))
        {
            let named = named.to_owned();
            cost(&named, tokens, bodies, costs)?;
        }
    }
    let cost = cost_of(body, Some(name), tokens, bodies, costs);
    if cost > TOKENS_MAX {
        return Err(too_large());
    }
    costs.insert(name.to_owned(), Some(cost));
    Ok(cost)
}

/// What tokens cost with everything that they name; a recursive one names itself without being copied.
fn cost_of(range: Range<usize>, own: Option<&str>, tokens: &[Token], bodies: &Bodies, costs: &Costs) -> u64 {
    range.fold(0_u64, |sum, at| {
        let named = named_at(tokens, at).filter(|named| Some(*named) != own);
        let more = match named {
            Some(named) if VIEWS.contains(&named) => VIEW_TOKENS,
            // Where it is defined it is named too, which counts it once too often.
            Some(named) if bodies.contains_key(named) => costs.get(named).copied().flatten().unwrap_or(0),
            _ => 0,
        };
        sum.saturating_add(1 + more)
    })
}

/// The name at a place where it can be that of a table: not before or after a point.
fn named_at(tokens: &[Token], at: usize) -> Option<&str> {
    let Some(Token::Name(name)) = tokens.get(at) else { return None };
    let is_point = |at: Option<usize>| at.and_then(|at| tokens.get(at)) == Some(&Token::Sign('.'));
    let is_column = is_point(Some(at + 1)) || is_point(at.checked_sub(1)) && !VIEWS.contains(&name.as_str());
    (!is_column).then_some(name)
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => {
                rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |end| end + 4)
            }
            '\'' | '"' | '`' | '[' => {
                let (name, length) = quoted(rest, if first == '[' { ']' } else { first });
                tokens.push(Token::Name(name));
                length
            }
            c if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_ascii_lowercase()));
                length
            }
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                tokens.push(Token::Sign(c));
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// A quoted name in lower case and the bytes that it takes with its quotes; two quotes are one.
fn quoted(text: &str, close: char) -> (String, usize) {
    let mut name = String::new();
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = signs.next() {
        if c != close {
            name.push(c.to_ascii_lowercase());
        } else if close != ']' && signs.peek().is_some_and(|(_, next)| *next == close) {
            signs.next();
            name.push(c);
        } else {
            return (name, at + c.len_utf8());
        }
    }
    (name, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubling(name: impl Fn(usize) -> String) -> String {
        let steps: String = (1..40)
            .map(|n| {
                let before = name(n - 1);
                format!(", {} AS (SELECT * FROM {before} UNION ALL SELECT * FROM {before})", name(n))
            })
            .collect();
        format!("WITH {} AS (SELECT 1){steps} SELECT count(*) FROM {}", name(0), name(39))
    }

    #[test]
    fn what_grows_without_bound_is_refused() {
        for sql in [
            doubling(|n| format!("t{n}")),
            doubling(|n| format!("\"T{n}\"")),
            doubling(|n| format!("[t{n}]")),
            doubling(|n| format!("'t{n}'")),
            doubling(|n| format!("t{n}/* AS ( */")),
            doubling(|n| format!("t{n}")).replace(" AS (", "(n) AS NOT MATERIALIZED ("),
            format!("SELECT {}", vec!["(SELECT 1 FROM export_records)"; 500].join(",")),
            "WITH t AS (WITH t AS (SELECT 1) SELECT * FROM t, t) SELECT * FROM t, t".to_owned(),
            "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a".to_owned(),
        ] {
            assert!(refuse(&sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn usual_queries_are_taken() {
        for sql in [
            "",
            "SELECT 'it''s (' AS \"a\"\"b\" -- (",
            "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT n FROM x, x AS y WHERE x.n = y.n",
            "WITH a AS (SELECT 1 AS n), b AS (SELECT a.n, a.n FROM a), c AS (SELECT * FROM a, b) SELECT * FROM a, b, c",
            "WITH later AS (SELECT * FROM earlier), earlier AS (SELECT 1) SELECT * FROM later",
            "SELECT count(*) OVER w, sum(n) OVER w FROM export_records WINDOW w AS (PARTITION BY build)",
            "((((",
            "))))",
            "WITH x AS (",
        ] {
            assert_eq!(refuse(sql), Ok(()), "{sql}");
        }
    }
}
