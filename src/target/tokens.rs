// SPDX-License-Identifier: Apache-2.0
//! The words of a target, one after the other, with their places.

use super::TARGET_BYTES_MAX;
use crate::error::{Error, Kind, Result};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace};

/// Where in the text something begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(Location);

/// The words and how far they are read.
pub(super) struct Tokens {
    tokens: Vec<TokenWithSpan>,
    next: usize,
    end: Location,
}

impl Tokens {
    /// Cuts a target of at most `bytes_max` bytes. Comments and control characters are refused.
    pub(super) fn read(text: &str, bytes_max: usize) -> Result<Tokens> {
        if text.len() > bytes_max {
            let message = format!("The target is longer than {} KiB", TARGET_BYTES_MAX / 1024);
            return Err(Error::new(Kind::TooLarge, message));
        }
        let mut end = Location::new(1, 1);
        for c in text.chars() {
            if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
                return Err(fault(Place(end), "control characters are not allowed"));
            }
            end = match c {
                '\n' => Location::new(end.line + 1, 1),
                _ => Location::new(end.line, end.column + 1),
            };
        }
        let all = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().map_err(|error| {
            let why = error.message.chars().take(80).collect::<String>();
            fault(Place(error.location), &format!("it cannot be read here: {why}"))
        })?;
        let mut tokens = Vec::with_capacity(all.len());
        for token in all {
            match &token.token {
                Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => {}
                Token::Whitespace(_) => {
                    return Err(fault(Place(token.span.start), "comments are not allowed"));
                }
                Token::EOF => break,
                Token::CustomBinaryOperator(operator) => match split_minus(operator, token.span) {
                    Some(two) => tokens.extend(two),
                    None => tokens.push(token),
                },
                _ => tokens.push(token),
            }
        }
        Ok(Tokens { tokens, next: 0, end })
    }

    /// The next word; none at the end.
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|token| &token.token)
    }

    /// The word after the next.
    pub(super) fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.next + 1).map(|token| &token.token)
    }

    /// Where the next word begins, or the text ends.
    pub(super) fn place(&self) -> Place {
        Place(self.tokens.get(self.next).map_or(self.end, |token| token.span.start))
    }

    /// Goes on to the next word.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    /// True where the next word is this one; it is read then.
    pub(super) fn take(&mut self, wanted: &Token) -> bool {
        let is_it = self.peek() == Some(wanted);
        self.next += usize::from(is_it);
        is_it
    }

    /// True where the next word is this one, in any case and without quotes.
    pub(super) fn is_word(&self, wanted: &str) -> bool {
        self.peek().is_some_and(|token| is_word(token, wanted))
    }

    /// As [`Tokens::is_word`]; the word is read then.
    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let is_it = self.is_word(wanted);
        self.next += usize::from(is_it);
        is_it
    }

    /// Reads a string in plain single quotes, or refuses what is there.
    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Some(Token::SingleQuotedString(text)) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Says that something else was expected here.
    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(token) => {
                let text: String = token.to_string().chars().take(40).collect();
                match strange_string(token) {
                    true => {
                        return self.refuse(
                            "texts stand in plain single quotes, numbers in decimal digits, without prefix",
                        );
                    }
                    false => text,
                }
            }
        };
        self.refuse(&format!("expected {expected}, found {found}"))
    }

    /// Refuses the target at the next word.
    pub(super) fn refuse(&self, why: &str) -> Error {
        fault(self.place(), why)
    }
}

/// An operator with the minus of the number that follows it, as in `pid>-1`: Postgres cuts them apart.
fn split_minus(operator: &str, span: Span) -> Option<[TokenWithSpan; 2]> {
    let stem = match operator.strip_suffix('-')? {
        "=" => Token::Eq,
        "<>" => Token::Neq,
        "<" => Token::Lt,
        "<=" => Token::LtEq,
        ">" => Token::Gt,
        ">=" => Token::GtEq,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        _ => return None,
    };
    let middle = Location::new(span.end.line, span.end.column.saturating_sub(1));
    Some([TokenWithSpan::at(stem, span.start, middle), TokenWithSpan::at(Token::Minus, middle, span.end)])
}

/// True for the word `wanted`, in any case and without quotes.
pub(super) fn is_word(token: &Token, wanted: &str) -> bool {
    let Token::Word(word) = token else { return false };
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted)
}

/// The forms of texts and numbers of which one cannot see at once what they mean.
fn strange_string(token: &Token) -> bool {
    matches!(
        token,
        Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedString(_)
    )
}

/// Refuses the target at a place.
pub(super) fn fault(place: Place, why: &str) -> Error {
    let Location { line, column } = place.0;
    match line {
        0 | 1 => Error::invalid(format!("Target, character {column}: {why}")),
        _ => Error::invalid(format!("Target, line {line}, character {column}: {why}")),
    }
}
