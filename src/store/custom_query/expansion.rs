// SPDX-License-Identifier: Apache-2.0
//! How large a query becomes when it is prepared. SQLite copies a common table expression for each place that
//! names it, before it looks at any limit or deadline: forty that each name the one before twice would keep
//! it busy for ever. Also how many texts it can hold at once: SQLite looks at the clock only where a program
//! jumps, and a row of calls without a jump would fill the memory before anybody looks.

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

/// Words before a bracket that call nothing.
const WORDS: [&str; 24] = [
    "all",
    "and",
    "as",
    "by",
    "distinct",
    "else",
    "exists",
    "filter",
    "from",
    "having",
    "in",
    "join",
    "limit",
    "materialized",
    "not",
    "on",
    "or",
    "over",
    "select",
    "then",
    "using",
    "values",
    "when",
    "where",
];

/// How large a query is with everything put in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    /// Words and signs.
    tokens: u64,
    /// Places that make a text: calls and operators.
    makers: u64,
}

impl Size {
    fn plus(self, other: Size) -> Size {
        Size {
            tokens: self.tokens.saturating_add(other.tokens),
            makers: self.makers.saturating_add(other.makers),
        }
    }
}

/// In how many places a query makes a text: so many can be in memory at once, before anything looks at it.
/// Err: why it is refused: it would become too large, or it names a table of the database as only our own
/// views do.
pub fn count_makers(sql: &str) -> Result<u64, String> {
    let tokens = tokens(sql);
    if (0..tokens.len()).any(|at| is_word(&tokens, at, "main") && is_sign(&tokens, at + 1, '.')) {
        return Err(format!(
            "What begins with main. is not open to custom views; they read {}",
            VIEWS.join(", ")
        ));
    }
    let bodies = bodies(&tokens)?;
    let mut sizes = HashMap::new();
    let mut names: Vec<&String> = bodies.keys().collect();
    names.sort_unstable();
    for name in names {
        measure(name, &tokens, &bodies, &mut sizes)?;
    }
    let size = size_of(0..tokens.len(), None, &tokens, &bodies, &sizes);
    if size.tokens > TOKENS_MAX { Err(too_large()) } else { Ok(size.makers) }
}

fn too_large() -> String {
    "The query is too large: its common table expressions name one another too often".to_owned()
}

/// The common table expressions by name: where the tokens of each stand. Windows look the same and do no
/// harm.
fn bodies(tokens: &[Token]) -> Result<HashMap<String, Range<usize>>, String> {
    let mut bodies = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        let mut next = at + 1;
        if is_sign(tokens, next, '(') {
            next = end_of_group(tokens, next);
        }
        if !is_word(tokens, next, "as") {
            continue;
        }
        next += 1;
        while is_word(tokens, next, "not") || is_word(tokens, next, "materialized") {
            next += 1;
        }
        if !is_sign(tokens, next, '(') {
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

fn is_sign(tokens: &[Token], at: usize, sign: char) -> bool {
    tokens.get(at) == Some(&Token::Sign(sign))
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
/// The size of each name; none while it is being found.
type Sizes = HashMap<String, Option<Size>>;

/// Finds what one naming of a common table expression adds. Err where that leads in a circle or grows too
/// large.
fn measure(name: &str, tokens: &[Token], bodies: &Bodies, sizes: &mut Sizes) -> Result<(), String> {
    match sizes.get(name) {
        Some(Some(_)) => return Ok(()),
        Some(None) => {
            let name = shortened(name);
            return Err(format!("The common table expression {name} needs another one that needs it"));
        }
        None => {}
    }
    let Some(body) = bodies.get(name).cloned() else { return Ok(()) };
    sizes.insert(name.to_owned(), None);
    for at in body.clone() {
        if let Some(named) =
            named_at(tokens, at).filter(|named| *named != name && bodies.contains_key(*named))
        {
            let named = named.to_owned();
            measure(&named, tokens, bodies, sizes)?;
        }
    }
    let size = size_of(body, Some(name), tokens, bodies, sizes);
    if size.tokens > TOKENS_MAX {
        return Err(too_large());
    }
    sizes.insert(name.to_owned(), Some(size));
    Ok(())
}

/// The size of tokens with everything that they name; a recursive one names itself without being copied.
fn size_of(range: Range<usize>, own: Option<&str>, tokens: &[Token], bodies: &Bodies, sizes: &Sizes) -> Size {
    range.fold(Size::default(), |sum, at| {
        let named = named_at(tokens, at).filter(|named| Some(*named) != own);
        let more = match named {
            Some(named) if VIEWS.contains(&named) => Size { tokens: VIEW_TOKENS, makers: 0 },
            // Where it is defined it is named too, which counts it once too often.
            Some(named) if bodies.contains_key(named) => {
                sizes.get(named).copied().flatten().unwrap_or_default()
            }
            _ => Size::default(),
        };
        sum.plus(more).plus(Size { tokens: 1, makers: u64::from(is_maker(tokens, at)) })
    })
}

/// True for a call, for the operators `||` and `->`, and for a payload, which is made by a call.
fn is_maker(tokens: &[Token], at: usize) -> bool {
    match tokens.get(at) {
        Some(Token::Name(name)) if name == "payload" => true,
        Some(Token::Name(name)) => is_sign(tokens, at + 1, '(') && !WORDS.contains(&name.as_str()),
        Some(Token::Sign('|')) => is_sign(tokens, at + 1, '|'),
        Some(Token::Sign('-')) => is_sign(tokens, at + 1, '>'),
        _ => false,
    }
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
            assert!(count_makers(&sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn places_that_make_a_text_are_counted() {
        for (sql, expected) in [
            ("SELECT 1 IN (1) AND (2) AND 'f(x)'", 0),
            ("SELECT upper(payload) || -- f(x)\n '||' || x ->> 'y'", 5),
            ("WITH a AS (SELECT hex(1) AS h) SELECT h FROM a, a", 4),
        ] {
            assert_eq!(count_makers(sql), Ok(expected), "{sql}");
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
            assert!(count_makers(sql).is_ok(), "{sql}");
        }
    }
}
