// SPDX-License-Identifier: Apache-2.0
//! A TOML file with places: tables whose keys are checked, values with their line and column, all mistakes
//! gathered.

use crate::custom::definition::{KEYS, Mistake, Sql};
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a file and what was found wrong in it so far.
pub struct Source<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

/// A table and where it begins.
#[derive(Clone, Copy)]
pub struct Section<'a, 'i> {
    /// What it is, as the first of a pair of [`KEYS`].
    pub what: &'static str,
    table: &'a DeTable<'i>,
    start: usize,
}

/// A text and where it stands.
pub struct Word<'a> {
    /// The text.
    pub text: &'a str,
    /// The bytes of the file that hold it, quotes included.
    pub span: Range<usize>,
}

impl<'a> Source<'a> {
    /// A file in which nothing was found wrong yet.
    pub fn new(text: &'a str) -> Source<'a> {
        Source { text, mistakes: Vec::new() }
    }

    /// Notes a mistake at a byte of the file.
    pub fn refuse(&mut self, at: usize, message: impl Into<String>) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        self.mistakes.push(Mistake {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        });
    }

    /// The line of a byte of the file, counted from 1.
    pub fn line_of(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    /// All mistakes in the order of the file.
    pub fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.mistakes
    }

    /// Takes a table; each key that `what` has not is a mistake.
    pub fn section<'t, 'i>(
        &mut self,
        what: &'static str,
        table: &'t DeTable<'i>,
        start: usize,
    ) -> Section<'t, 'i> {
        let keys = KEYS.iter().find(|(name, _)| *name == what).map_or(&[][..], |(_, keys)| keys);
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let near = nearest(key.get_ref(), keys.iter().copied()).unwrap_or_default();
            let name = shortened(key.get_ref());
            self.refuse(
                key.span().start,
                format!("There is no key {name} in {what}; the nearest one is {near}"),
            );
        }
        Section { what, table, start }
    }

    /// The text under a key; none where there is none, and where it is no text or too long, which is a
    /// mistake.
    pub fn word<'t>(&mut self, section: Section<'t, '_>, key: &str, chars_max: usize) -> Option<Word<'t>> {
        let value = section.get(key)?;
        let span = value.span();
        match value.get_ref() {
            DeValue::String(text) => {
                let chars = text.chars().count();
                if chars > chars_max {
                    let message = format!("{key} must have at most {chars_max} characters, not {chars}");
                    self.refuse(span.start, message);
                    return None;
                }
                Some(Word { text, span })
            }
            other => {
                self.refuse(span.start, format!("{key} must be a text in quotes, not {}", other.type_str()));
                None
            }
        }
    }

    /// The text under a key that must be there and not be empty; a mistake and an empty text where it is not.
    pub fn required(&mut self, section: Section<'_, '_>, key: &str, chars_max: usize) -> String {
        match self.word(section, key, chars_max) {
            Some(word) if word.text.trim().is_empty() => {
                self.refuse(word.span.start, format!("{key} must not be empty"));
                String::new()
            }
            Some(word) => word.text.to_owned(),
            None => {
                if section.get(key).is_none() {
                    let what = section.what.replacen("the ", "The ", 1).replacen("a ", "A ", 1);
                    self.refuse(section.start, format!("{what} must have the key {key}"));
                }
                String::new()
            }
        }
    }

    /// The text under a key, empty where there is none.
    pub fn optional(&mut self, section: Section<'_, '_>, key: &str, chars_max: usize) -> String {
        self.word(section, key, chars_max).map_or_else(String::new, |word| word.text.to_owned())
    }

    /// A query with the line on which it begins.
    pub fn sql(&self, word: &Word<'_>) -> Sql {
        let written = self.text.get(word.span.clone()).unwrap_or_default();
        let is_long = written.starts_with("'''") || written.starts_with("\"\"\"");
        // A line end right after the quotes is not part of the text.
        let begins_below = is_long && written.get(3..).is_some_and(|rest| rest.starts_with(['\n', '\r']));
        Sql {
            text: word.text.to_owned(),
            first_line: self.line_of(word.span.start) + usize::from(begins_below),
        }
    }

    /// The tables of `[[key]]`, in their order; anything else under the key and more than `most` are
    /// mistakes.
    pub fn tables<'t, 'i>(
        &mut self,
        section: Section<'t, 'i>,
        key: &str,
        most: usize,
    ) -> Vec<(&'t DeTable<'i>, usize)> {
        let Some(value) = section.get(key) else { return Vec::new() };
        let items: &[Spanned<DeValue<'i>>] = match value.get_ref() {
            DeValue::Array(items) => items,
            _ => {
                self.refuse(value.span().start, format!("{key} must be written as [[{key}]]"));
                return Vec::new();
            }
        };
        if items.len() > most {
            let message = format!("A view has at most {most} of [[{key}]], not {}", items.len());
            self.refuse(items[most].span().start, message);
        }
        let mut tables = Vec::new();
        for item in items.iter().take(most) {
            match item.get_ref().as_table() {
                Some(table) => tables.push((table, item.span().start)),
                None => self.refuse(item.span().start, format!("{key} must be written as [[{key}]]")),
            }
        }
        tables
    }
}

impl<'a, 'i> Section<'a, 'i> {
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Where it begins.
    pub fn start(&self) -> usize {
        self.start
    }
}
