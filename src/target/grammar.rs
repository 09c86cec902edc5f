// SPDX-License-Identifier: Apache-2.0
//! The grammar of conditions: OR, AND, NOT, then the predicates, with Postgres's precedence.

use super::operand::Operand;
use super::tokens::{Place, Tokens, is_word};
use super::tree::{Comparison, Condition, Value};
use super::{LIST_MAX, NESTING_MAX, TARGET_BYTES_MAX, pattern, typing};
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// What may follow a value, for messages.
const AFTER_VALUE: &str = "one of = <> != < <= > >= LIKE ILIKE IN BETWEEN IS ~ ~* !~ -> ->> #> #>>";

/// The follow-up form, for messages.
const FOLLOW_UP: &str = "the only subquery is: id IN (select agentid from commands, \
    json_array_elements(commands.results) as r where actionid=N and r#>>'{foundanything}' = 'true')";

/// Reads a target. Fails with the place of what is not allowed and with what is.
pub fn parse(text: &str) -> Result<Condition> {
    parse_within(text, TARGET_BYTES_MAX)
}

/// As [`parse`], with a bound of one's own: the canonical form of a target can be longer than the target.
pub(super) fn parse_within(text: &str, bytes_max: usize) -> Result<Condition> {
    let mut grammar = Grammar { tokens: Tokens::read(text, bytes_max)?, nesting: 0 };
    if grammar.tokens.peek().is_none() {
        return Err(grammar.tokens.refuse("it is empty"));
    }
    let condition = grammar.condition()?;
    match grammar.tokens.peek() {
        None => Ok(condition),
        Some(Token::SemiColon) => Err(grammar.tokens.refuse("a target is one condition, without ;")),
        Some(_) => Err(grammar.tokens.unexpected("AND, OR or the end")),
    }
}

/// What an opening parenthesis may hold. Boxed, because the functions that recurse hold several.
enum Parsed {
    Condition(Box<Condition>),
    Operand(Box<Operand>),
}

struct Grammar {
    tokens: Tokens,
    nesting: usize,
}

/// Only [`Grammar::any_of`], [`Grammar::all_of`], [`Grammar::negation`], [`Grammar::predicate`] and
/// [`Grammar::parenthesis`] recurse; they stay small, so that the deepest target fits the stack of a
/// connection.
impl Grammar {
    fn condition(&mut self) -> Result<Condition> {
        let parsed = self.any_of()?;
        self.demand(parsed).map(|condition| *condition)
    }

    /// A value alone is no condition.
    fn demand(&self, parsed: Parsed) -> Result<Box<Condition>> {
        match parsed {
            Parsed::Condition(condition) => Ok(condition),
            Parsed::Operand(_) => Err(self.tokens.unexpected(AFTER_VALUE)),
        }
    }

    fn any_of(&mut self) -> Result<Parsed> {
        let first = self.all_of()?;
        if !self.tokens.is_word("OR") {
            return Ok(first);
        }
        let mut parts = Vec::new();
        self.join(&mut parts, first, or_parts)?;
        while self.tokens.take_word("OR") {
            let next = self.all_of()?;
            self.join(&mut parts, next, or_parts)?;
        }
        Ok(Parsed::Condition(Box::new(Condition::Or(parts))))
    }

    fn all_of(&mut self) -> Result<Parsed> {
        let first = self.negation()?;
        if !self.tokens.is_word("AND") {
            return Ok(first);
        }
        let mut parts = Vec::new();
        self.join(&mut parts, first, and_parts)?;
        while self.tokens.take_word("AND") {
            let next = self.negation()?;
            self.join(&mut parts, next, and_parts)?;
        }
        Ok(Parsed::Condition(Box::new(Condition::And(parts))))
    }

    /// Appends a part; where it is a chain of the same kind itself, its parts.
    fn join(
        &self,
        parts: &mut Vec<Condition>,
        next: Parsed,
        chain: fn(Condition) -> Result<Vec<Condition>, Box<Condition>>,
    ) -> Result<()> {
        match chain(*self.demand(next)?) {
            Ok(inner) => parts.extend(inner),
            Err(single) => parts.push(*single),
        }
        Ok(())
    }

    fn negation(&mut self) -> Result<Parsed> {
        let outer = self.nesting;
        while self.tokens.is_word("NOT") {
            self.enter()?;
            self.tokens.advance();
        }
        let negations = self.nesting - outer;
        let inner = self.predicate()?;
        self.nesting = outer;
        if negations == 0 {
            return Ok(inner);
        }
        let mut condition = self.demand(inner)?;
        for _ in 0..negations {
            condition = Box::new(Condition::Not(condition));
        }
        Ok(Parsed::Condition(condition))
    }

    fn enter(&mut self) -> Result<()> {
        self.nesting += 1;
        match self.nesting > NESTING_MAX {
            true => Err(self.tokens.refuse(&format!("it is nested more than {NESTING_MAX} deep"))),
            false => Ok(()),
        }
    }

    fn predicate(&mut self) -> Result<Parsed> {
        if self.tokens.peek() != Some(&Token::LParen) {
            return self.plain_predicate();
        }
        match self.parenthesis()? {
            Parsed::Operand(inner) => self.rest_of_predicate(*inner),
            condition => Ok(condition),
        }
    }

    fn parenthesis(&mut self) -> Result<Parsed> {
        self.enter()?;
        self.tokens.advance();
        if self.tokens.is_word("SELECT") {
            return Err(self.tokens.refuse(FOLLOW_UP));
        }
        let inner = self.any_of()?;
        if !self.tokens.take(&Token::RParen) {
            return Err(self.tokens.unexpected(")"));
        }
        self.nesting -= 1;
        Ok(inner)
    }

    fn plain_predicate(&mut self) -> Result<Parsed> {
        let left = Operand::read(&mut self.tokens)?;
        self.tested(left)
    }

    /// A predicate whose first value stood in parentheses.
    fn rest_of_predicate(&mut self, inner: Operand) -> Result<Parsed> {
        let left = inner.into_json(&mut self.tokens)?;
        self.tested(left)
    }

    /// The value with what is asked of it; alone where nothing is.
    fn tested(&mut self, left: Operand) -> Result<Parsed> {
        let is_negated = self.tokens.take_word("NOT");
        let condition = match self.worded(&left)? {
            Some(condition) => condition,
            None if is_negated => return Err(self.tokens.unexpected("LIKE, ILIKE, IN or BETWEEN after NOT")),
            None => match self.symbolic(&left)? {
                Some(condition) => condition,
                None => return Ok(Parsed::Operand(Box::new(left))),
            },
        };
        let condition = Box::new(condition);
        Ok(Parsed::Condition(if is_negated { Box::new(Condition::Not(condition)) } else { condition }))
    }

    /// The right side of something: a value, also in parentheses.
    fn value(&mut self) -> Result<Operand> {
        let outer = self.nesting;
        while self.tokens.peek() == Some(&Token::LParen) {
            self.enter()?;
            self.tokens.advance();
            if self.tokens.is_word("SELECT") {
                return Err(self.tokens.refuse(FOLLOW_UP));
            }
        }
        let mut operand = Operand::read(&mut self.tokens)?;
        while self.nesting > outer {
            if !self.tokens.take(&Token::RParen) {
                return Err(self.tokens.unexpected(")"));
            }
            self.nesting -= 1;
            operand = operand.into_json(&mut self.tokens)?;
        }
        Ok(operand)
    }

    /// `IN`, `BETWEEN`, `LIKE` and `ILIKE`, which may follow a NOT.
    fn worded(&mut self, left: &Operand) -> Result<Option<Condition>> {
        let place = self.tokens.place();
        if self.tokens.take_word("IN") {
            return self.list(left, place).map(Some);
        }
        if self.tokens.take_word("BETWEEN") {
            let low = self.value()?;
            if !self.tokens.take_word("AND") {
                return Err(self.tokens.unexpected("AND, as in BETWEEN low AND high"));
            }
            let high = self.value()?;
            let (value, low) = typing::unify(left, low, place)?;
            let (again, high) = typing::unify(left, high, place)?;
            // A text takes the type of its neighbour, and both neighbours have to agree.
            let agree = value == again && typing::same_kind(&low, &high);
            return match agree {
                true => Ok(Some(Condition::Between { value, low, high })),
                false => Err(super::tokens::fault(place, "the ends of BETWEEN are of different types")),
            };
        }
        for (word, ignore_case) in [("LIKE", false), ("ILIKE", true)] {
            if self.tokens.take_word(word) {
                let value = typing::text(left, word, place)?;
                let place = self.tokens.place();
                let pattern = self.tokens.string("a pattern in single quotes")?;
                pattern::check_like(&pattern).map_err(|why| super::tokens::fault(place, why))?;
                if self.tokens.is_word("ESCAPE") {
                    return Err(self.tokens.refuse("ESCAPE is not allowed; the escape is the backslash"));
                }
                return Ok(Some(Condition::Like { value, pattern, ignore_case }));
            }
        }
        Ok(None)
    }

    /// Comparisons, regular expressions, and `IS NULL`.
    fn symbolic(&mut self, left: &Operand) -> Result<Option<Condition>> {
        let place = self.tokens.place();
        if self.tokens.take_word("IS") {
            let is_negated = self.tokens.take_word("NOT");
            if !self.tokens.take_word("NULL") {
                return Err(self.tokens.unexpected("NULL or NOT NULL after IS"));
            }
            let is_null = Condition::IsNull(left.value.clone());
            return Ok(Some(if is_negated { Condition::Not(Box::new(is_null)) } else { is_null }));
        }
        let (ignore_case, is_negated) = match self.tokens.peek() {
            Some(Token::Tilde) => (false, false),
            Some(Token::TildeAsterisk) => (true, false),
            Some(Token::ExclamationMarkTilde) => (false, true),
            Some(token) => match comparison(token) {
                Some(comparison) => {
                    self.tokens.advance();
                    let right = self.value()?;
                    let (left, right) = typing::unify(left, right, place)?;
                    return Ok(Some(Condition::Compare { left, comparison, right }));
                }
                None => return Ok(None),
            },
            None => return Ok(None),
        };
        self.tokens.advance();
        let value = typing::text(left, "~", place)?;
        let place = self.tokens.place();
        let pattern = self.tokens.string("a regular expression in single quotes")?;
        pattern::regex(&pattern, ignore_case)
            .map_err(|error| super::tokens::fault(place, error.message()))?;
        let matches = Condition::Matches { value, pattern, ignore_case };
        Ok(Some(if is_negated { Condition::Not(Box::new(matches)) } else { matches }))
    }

    fn list(&mut self, left: &Operand, place: Place) -> Result<Condition> {
        if !self.tokens.take(&Token::LParen) {
            return Err(self.tokens.unexpected("( after IN"));
        }
        if self.tokens.is_word("SELECT") {
            return self.follow_up(left);
        }
        let mut list = Vec::new();
        let mut value = left.value.clone();
        loop {
            if list.len() >= LIST_MAX {
                return Err(self.tokens.refuse(&format!("the list has more than {LIST_MAX} values")));
            }
            let item = Operand::read(&mut self.tokens)?;
            let is_constant = matches!(item.value, Value::Text(_) | Value::Number(_) | Value::Time(_));
            if !is_constant {
                return Err(super::tokens::fault(item.place, "IN lists hold only texts, numbers and times"));
            }
            let (as_typed, item) = typing::unify(left, item, place)?;
            if list.first().is_some_and(|first| !typing::same_kind(first, &item) || value != as_typed) {
                return Err(super::tokens::fault(place, "the values of IN are of different types"));
            }
            value = as_typed;
            list.push(item);
            if self.tokens.take(&Token::RParen) {
                return Ok(Condition::In { value, list });
            }
            if !self.tokens.take(&Token::Comma) {
                return Err(self.tokens.unexpected(", or )"));
            }
        }
    }

    /// The one subquery, word by word; the opening parenthesis is read.
    fn follow_up(&mut self, left: &Operand) -> Result<Condition> {
        if left.value != Value::Column(super::Column::Id) {
            return Err(self.tokens.refuse(FOLLOW_UP));
        }
        self.words(&["select"])?;
        self.column_of_commands("agentid")?;
        self.words(&["from", "commands", ",", "json_array_elements", "(", "commands", ".", "results", ")"])?;
        self.words(&["as", "r", "where"])?;
        self.column_of_commands("actionid")?;
        self.words(&["="])?;
        let action_id = match self.tokens.peek() {
            Some(Token::Number(digits, false)) => digits.parse::<i64>().ok(),
            _ => None,
        };
        let action_id = action_id
            .filter(|id| (1..1 << 53).contains(id))
            .ok_or_else(|| self.tokens.unexpected("the id of an action"))?;
        self.tokens.advance();
        self.words(&["and", "r", "#>>", "'{foundanything}'", "="])?;
        let found_anything = match self.tokens.string("'true' or 'false'")?.as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(self.tokens.refuse("foundanything is 'true' or 'false'")),
        };
        self.words(&[")"])?;
        Ok(Condition::FollowUp { action_id, found_anything })
    }

    fn column_of_commands(&mut self, name: &str) -> Result<()> {
        let is_qualified = self.tokens.is_word("commands")
            && self.tokens.peek_second().is_some_and(|token| !is_word(token, name));
        match is_qualified {
            true => self.words(&["commands", ".", name]),
            false => self.words(&[name]),
        }
    }

    fn words(&mut self, wanted: &[&str]) -> Result<()> {
        for word in wanted {
            let is_it = self.tokens.is_word(word)
                || self
                    .tokens
                    .peek()
                    .is_some_and(|token| !matches!(token, Token::Word(_)) && token.to_string() == *word);
            if !is_it {
                return Err(self.tokens.unexpected(&format!("{word} ({FOLLOW_UP})")));
            }
            self.tokens.advance();
        }
        Ok(())
    }
}

fn comparison(token: &Token) -> Option<Comparison> {
    Some(match token {
        Token::Eq => Comparison::Equal,
        Token::Neq => Comparison::NotEqual,
        Token::Lt => Comparison::Less,
        Token::LtEq => Comparison::LessOrEqual,
        Token::Gt => Comparison::Greater,
        Token::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn and_parts(condition: Condition) -> Result<Vec<Condition>, Box<Condition>> {
    match condition {
        Condition::And(parts) => Ok(parts),
        other => Err(Box::new(other)),
    }
}

fn or_parts(condition: Condition) -> Result<Vec<Condition>, Box<Condition>> {
    match condition {
        Condition::Or(parts) => Ok(parts),
        other => Err(Box::new(other)),
    }
}
