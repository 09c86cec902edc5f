// SPDX-License-Identifier: Apache-2.0
//! Reading the parameters of a page or an API address strictly: what is unknown, repeated or out of its rule is said.
//!
//! An empty value is that of an empty field of a form and means "not given".

use crate::error::{Error, Result};
use crate::model::filter::{bounded, shortened};
use crate::model::pairs::Pairs;
use crate::model::time::parse_date;

/// The parameters of one address.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    pairs: &'a Pairs,
}

impl<'a> Parameters<'a> {
    /// Takes the pairs of a query; Invalid where one is not among `known` or comes twice.
    pub fn new(pairs: &'a Pairs, known: &[&str]) -> Result<Parameters<'a>> {
        for (index, (name, _)) in pairs.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let name = shortened(name);
                return Err(Error::invalid(format!("Unknown parameter {name}; known are {known}")));
            }
            if pairs.0[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::invalid(format!("{} must be given once", shortened(name))));
            }
        }
        Ok(Parameters { pairs })
    }

    /// A text of at most `chars_max` characters.
    pub fn text(&self, name: &str, chars_max: usize) -> Result<Option<&'a str>> {
        let Some(value) = self.pairs.first(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        match value.chars().count() {
            chars if chars > chars_max => {
                Err(Error::invalid(format!("{name} must have at most {chars_max} characters, not {chars}")))
            }
            _ => Ok(Some(value)),
        }
    }

    /// A whole number within bounds, both included.
    pub fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>> {
        self.pairs.filled(name).map(|value| Ok(bounded(name, value, least, most)?)).transpose()
    }

    /// One of a few words; the index among them.
    pub fn choice(&self, name: &str, words: &[&str]) -> Result<Option<usize>> {
        let Some(value) = self.pairs.filled(name) else { return Ok(None) };
        words.iter().position(|word| *word == value).map(Some).ok_or_else(|| {
            let value = shortened(value);
            Error::invalid(format!("{name} must be one of {}, not {value}", words.join(", ")))
        })
    }

    /// `1` or `0`; false where it is not given.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.choice(name, &["0", "1"])? == Some(1))
    }

    /// A day as YYYY-MM-DD: the Unix seconds of its beginning.
    pub fn date(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.pairs.filled(name) else { return Ok(None) };
        parse_date(value).map(Some).ok_or_else(|| {
            Error::invalid(format!("{name} must be a day as YYYY-MM-DD, not {}", shortened(value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &[(&str, &str)]) -> Pairs {
        Pairs(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("colour", "red")], "Unknown parameter colour; known are days, kind"),
            (&[("days", "1"), ("days", "1")], "days must be given once"),
            (&[("days", "31")], "days must be from 1 to 30, not 31"),
            (&[("days", "x")], "days must be a whole number, not x"),
            (&[("kind", "all")], "kind must be one of a, b, not all"),
        ];
        for (given, expected) in cases {
            let pairs = pairs(given);
            let error = Parameters::new(&pairs, &["days", "kind"])
                .and_then(|parameters| {
                    parameters.integer("days", 1, 30)?;
                    parameters.choice("kind", &["a", "b"])
                })
                .unwrap_err();
            assert_eq!(error.message(), *expected);
        }
    }

    #[test]
    fn an_empty_value_is_not_given() {
        let pairs = pairs(&[("days", ""), ("kind", " "), ("name", "")]);
        let parameters = Parameters::new(&pairs, &["days", "kind", "name"]).unwrap();
        assert_eq!(parameters.integer("days", 1, 30).unwrap(), None);
        assert_eq!(parameters.choice("kind", &["a"]).unwrap(), None);
        assert_eq!(parameters.text("name", 5).unwrap(), None);
    }
}
