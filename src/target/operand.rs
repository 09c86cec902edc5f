// SPDX-License-Identifier: Apache-2.0
//! Values of a target: columns, ways into JSON, texts, numbers and times.

use super::interval;
use super::tokens::{Place, Tokens, fault, is_word};
use super::tree::{Column, Hop, Interval, JsonColumn, JsonPath, Number, Time, Value};
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// Steps into JSON of one value.
const HOPS_MAX: usize = 16;

/// A value and where it begins.
pub(super) struct Operand {
    pub(super) value: Value,
    pub(super) place: Place,
}

impl Operand {
    /// Reads one value, with the steps into JSON that follow it.
    pub(super) fn read(tokens: &mut Tokens) -> Result<Operand> {
        let place = tokens.place();
        let value = match tokens.peek() {
            Some(Token::SingleQuotedString(text)) => {
                let text = text.clone();
                tokens.advance();
                Value::Text(text)
            }
            Some(Token::Number(..) | Token::Minus) => Value::Number(read_number(tokens)?),
            Some(Token::Word(word)) if word.quote_style.is_some() => {
                return Err(tokens.refuse(
                    "columns stand without quotes, texts in single quotes; double quotes are not allowed",
                ));
            }
            Some(Token::Word(_)) => read_word(tokens)?,
            Some(Token::LParen) => return Err(tokens.refuse("parentheses are not allowed here")),
            _ => return Err(tokens.unexpected("a column, a text, a number or a time")),
        };
        Operand { value, place }.into_json(tokens)
    }

    /// The value with the steps into JSON that follow it.
    pub(super) fn into_json(self, tokens: &mut Tokens) -> Result<Operand> {
        let place = self.place;
        let mut value = self.value;
        loop {
            let (is_path, as_text) = match tokens.peek() {
                Some(Token::Arrow) => (false, false),
                Some(Token::LongArrow) => (false, true),
                Some(Token::HashArrow) => (true, false),
                Some(Token::HashLongArrow) => (true, true),
                Some(Token::LBracket) => return Err(tokens.refuse("subscripts are not allowed, use ->")),
                Some(Token::DoubleColon) => return Err(tokens.refuse("casts are not allowed")),
                _ => return Ok(Operand { value, place }),
            };
            let mut path = match value {
                Value::Column(Column::Environment) => begin(JsonColumn::Environment),
                Value::Column(Column::Tags) => begin(JsonColumn::Tags),
                Value::Json(path) if !path.as_text => path,
                _ => return Err(tokens.refuse("only environment, tags and JSON inside of them have parts")),
            };
            if path.hops.len() >= HOPS_MAX {
                return Err(tokens.refuse(&format!("a way into JSON has at most {HOPS_MAX} steps")));
            }
            tokens.advance();
            path.hops.push(if is_path { read_path(tokens)? } else { read_step(tokens)? });
            path.as_text = as_text;
            value = Value::Json(path);
        }
    }
}

fn begin(column: JsonColumn) -> JsonPath {
    JsonPath { column, hops: Vec::new(), as_text: false }
}

fn read_step(tokens: &mut Tokens) -> Result<Hop> {
    if let Some(Token::SingleQuotedString(key)) = tokens.peek() {
        let key = key.clone();
        tokens.advance();
        return Ok(Hop::Key(key));
    }
    let place = tokens.place();
    if !matches!(tokens.peek(), Some(Token::Number(..) | Token::Minus)) {
        return Err(tokens.unexpected("a key in single quotes or the number of an item"));
    }
    match read_number(tokens)? {
        Number::Whole(index) => i32::try_from(index).ok().map(Hop::Index),
        Number::Decimal(_) => None,
    }
    .ok_or_else(|| fault(place, "the number of an item is a whole number of 32 bits"))
}

fn read_path(tokens: &mut Tokens) -> Result<Hop> {
    let place = tokens.place();
    let text = tokens.string("a path in single quotes, like '{a,0}'")?;
    let parts =
        parse_path(&text).ok_or_else(|| fault(place, "a path looks like '{a,0}' or '{\"a b\",c}'"))?;
    if parts.len() > HOPS_MAX {
        return Err(fault(place, &format!("a way into JSON has at most {HOPS_MAX} steps")));
    }
    Ok(Hop::Path(parts))
}

/// An array of texts as Postgres writes it; none where it is no such array, or has a NULL or an array in it.
fn parse_path(text: &str) -> Option<Vec<String>> {
    let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inside.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut parts = Vec::new();
    let mut chars = inside.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut part = String::new();
        let is_quoted = chars.next_if_eq(&'"').is_some();
        // Spaces before this many bytes are the part's own: they were escaped.
        let mut kept = 0;
        loop {
            match chars.peek().copied() {
                Some('\\') => {
                    chars.next();
                    part.push(chars.next()?);
                    kept = part.len();
                }
                Some('"') if is_quoted => {
                    chars.next();
                    break;
                }
                None if is_quoted => return None,
                None | Some(',') if !is_quoted => break,
                Some('{' | '}' | '"') if !is_quoted => return None,
                Some(c) => {
                    part.push(c);
                    chars.next();
                }
                None => break,
            }
        }
        if !is_quoted {
            let end = part[kept..].trim_ascii_end().len() + kept;
            let is_bare = kept == 0;
            part.truncate(end);
            if part.is_empty() || (is_bare && part.eq_ignore_ascii_case("null")) {
                return None;
            }
        }
        parts.push(part);
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(parts),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// A number, also with a minus.
fn read_number(tokens: &mut Tokens) -> Result<Number> {
    let place = tokens.place();
    let is_negative = tokens.take(&Token::Minus);
    let Some(Token::Number(digits, false)) = tokens.peek() else {
        return Err(tokens.unexpected("a number"));
    };
    let text = if is_negative { format!("-{digits}") } else { digits.clone() };
    tokens.advance();
    parse_number(&text).ok_or_else(|| fault(place, "the number is too large or malformed"))
}

/// A number as Postgres writes it; none where it is none, or too large or fine to be compared exactly enough.
pub(super) fn parse_number(text: &str) -> Option<Number> {
    let text = text.trim_ascii();
    let is_shaped = text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_shaped {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::Whole(whole));
    }
    let decimal = text.parse::<f64>().ok()?;
    let is_exact = decimal.abs() < 9_007_199_254_740_992.0;
    match decimal.fract() == 0.0 {
        // The cast is exact for these.
        true => is_exact.then_some(Number::Whole(decimal as i64)),
        false => (is_exact && decimal.abs() >= 1e-9).then_some(Number::Decimal(decimal)),
    }
}

/// A column, or a time.
fn read_word(tokens: &mut Tokens) -> Result<Value> {
    if tokens.is_word("NOW") && tokens.peek_second() == Some(&Token::LParen) {
        tokens.advance();
        tokens.advance();
        if !tokens.take(&Token::RParen) {
            return Err(tokens.unexpected(") after NOW("));
        }
        return read_ago(tokens);
    }
    if tokens.take_word("CURRENT_TIMESTAMP") {
        return read_ago(tokens);
    }
    if tokens.is_word("NULL") {
        return Err(tokens.refuse("NULL is not allowed here; write IS NULL or IS NOT NULL"));
    }
    if tokens.is_word("INTERVAL") {
        return Err(tokens.refuse("an interval stands only behind NOW() -"));
    }
    if tokens.is_word("TRUE") || tokens.is_word("FALSE") {
        return Err(
            tokens.refuse("true and false are not allowed here; JSON's are the texts 'true' and 'false'")
        );
    }
    if tokens.is_word("agents") && tokens.peek_second() == Some(&Token::Period) {
        tokens.advance();
        tokens.advance();
    }
    if tokens.peek_second() == Some(&Token::LParen) && !tokens.is_word("IN") {
        return Err(tokens.refuse("functions are not allowed, only NOW()"));
    }
    let found =
        tokens.peek().and_then(|token| Column::ALL.into_iter().find(|column| is_word(token, column.name())));
    let Some(column) = found else {
        let names: Vec<&str> = Column::ALL.iter().map(|column| column.name()).collect();
        return Err(tokens.unexpected(&format!("a value or one of the columns {}", names.join(", "))));
    };
    tokens.advance();
    Ok(Value::Column(column))
}

/// What follows `NOW()`: nothing, or `- interval '…'`.
fn read_ago(tokens: &mut Tokens) -> Result<Value> {
    if tokens.peek() == Some(&Token::Plus) {
        return Err(tokens.refuse("only NOW() - interval '…' is allowed"));
    }
    if !tokens.take(&Token::Minus) {
        return Ok(Value::Time(Time::Ago(Interval::default())));
    }
    if !tokens.take_word("INTERVAL") {
        return Err(tokens.unexpected("interval '…', as in NOW() - interval '5 minutes'"));
    }
    let place = tokens.place();
    let text = tokens.string("a length of time in single quotes, like '5 minutes'")?;
    let interval = interval::parse(&text)
        .ok_or_else(|| fault(place, "a length of time looks like '5 minutes' or '1 day 02:30:00'"))?;
    if matches!(tokens.peek(), Some(Token::Minus | Token::Plus)) {
        return Err(tokens.refuse("only one interval is allowed"));
    }
    Ok(Value::Time(Time::Ago(interval)))
}
