// SPDX-License-Identifier: Apache-2.0
//! A setting's value, from whichever source, and the rule that it must keep.

use crate::config::bytes;
use crate::config::settings::Kind;
use crate::model::filter::shortened;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A path or a word.
    Text(String),
    /// A number, also of bytes.
    Number(u64),
    /// Texts.
    List(Vec<String>),
}

impl Value {
    /// The text; empty where it is none.
    pub fn into_text(self) -> String {
        match self {
            Value::Text(text) => text,
            _ => String::new(),
        }
    }

    /// The number; 0 where it is none.
    pub fn into_number(self) -> u64 {
        match self {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    /// The number, at most what fits.
    pub fn into_usize(self) -> usize {
        usize::try_from(self.into_number()).unwrap_or(usize::MAX)
    }

    /// The number, at most what fits.
    pub fn into_i64(self) -> i64 {
        i64::try_from(self.into_number()).unwrap_or(i64::MAX)
    }

    /// The texts; none where it is no list.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Value::List(list) => list,
            _ => Vec::new(),
        }
    }

    /// As TOML. Bytes are written with a unit.
    pub fn to_toml(&self, kind: Kind) -> String {
        match self {
            Value::Text(text) => quoted(text),
            Value::Number(number) if matches!(kind, Kind::Bytes(..) | Kind::BytesOrNone(..)) => {
                quoted(&bytes::format(*number))
            }
            Value::Number(number) => number.to_string(),
            Value::List(list) => {
                let texts: Vec<String> = list.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A default, as a constant.
#[derive(Clone, Copy, Debug)]
pub enum DefaultValue {
    /// A path or a word.
    Text(&'static str),
    /// A number, also of bytes.
    Number(u64),
    /// Texts.
    List(&'static [&'static str]),
}

impl DefaultValue {
    /// The value.
    pub fn to_value(self) -> Value {
        match self {
            DefaultValue::Text(text) => Value::Text(text.to_owned()),
            DefaultValue::Number(number) => Value::Number(number),
            DefaultValue::List(list) => Value::List(list.iter().map(|text| (*text).to_owned()).collect()),
        }
    }
}

impl Kind {
    /// The rule in words, to follow "must be".
    pub fn rule(self) -> String {
        match self {
            Kind::Path => "a path".to_owned(),
            Kind::Text { rule, .. } => rule.to_owned(),
            Kind::Choice(words) => match words {
                [first @ .., last] => format!("{} or {last}", first.join(", ")),
                [] => "nothing".to_owned(),
            },
            Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Bytes(least, most) => format!(
                "a number of bytes from {} to {}, for example 1000000 or \"64 MB\"",
                bytes::format(least),
                bytes::format(most)
            ),
            Kind::BytesOrNone(least, most) => format!("0, or {}", Kind::Bytes(least, most).rule()),
            Kind::List { least: 0, rule, .. } => format!("a list of texts, each {rule}"),
            Kind::List { rule, .. } => format!("a list of at least one text, each {rule}"),
        }
    }

    /// Brings a value of a file or a flag to its final form. Err: the part of it that breaks the rule, shortened.
    pub fn check(self, value: Value) -> Result<Value, String> {
        match (self, value) {
            (Kind::Path, Value::Text(path)) if !path.is_empty() && !path.contains('\0') => {
                Ok(Value::Text(path))
            }
            (Kind::Text { is_valid, .. }, Value::Text(text)) if is_valid(&text) => Ok(Value::Text(text)),
            (Kind::Choice(words), Value::Text(word)) if words.contains(&word.as_str()) => {
                Ok(Value::Text(word))
            }
            (Kind::BytesOrNone(..), Value::Number(0)) => Ok(Value::Number(0)),
            (Kind::Bytes(..) | Kind::BytesOrNone(..), Value::Text(text)) => match bytes::parse(&text) {
                Some(number) => self.check(Value::Number(number)).map_err(|_| shortened(&text)),
                None => Err(shortened(&text)),
            },
            (
                Kind::Number(least, most) | Kind::Bytes(least, most) | Kind::BytesOrNone(least, most),
                Value::Number(number),
            ) if (least..=most).contains(&number) => Ok(Value::Number(number)),
            (Kind::List { least, is_valid, .. }, Value::List(list)) => {
                if let Some(bad) = list.iter().find(|text| !is_valid(text)) {
                    return Err(shortened(bad));
                }
                if list.len() < least { Err("an empty list".to_owned()) } else { Ok(Value::List(list)) }
            }
            (_, Value::Text(text)) => Err(shortened(&text)),
            (_, Value::Number(number)) => Err(number.to_string()),
            (_, Value::List(_)) => Err("a list".to_owned()),
        }
    }

    /// Reads the text of a variable or a flag; lists are separated by commas. Err: as of [`Kind::check`].
    pub fn parse_text(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Kind::Path => Value::Text(text.to_owned()),
            Kind::Choice(_) | Kind::Text { .. } | Kind::Bytes(..) | Kind::BytesOrNone(..) => {
                Value::Text(text.trim().to_owned())
            }
            Kind::Number(..) => match text.trim().parse() {
                Ok(number) => Value::Number(number),
                Err(_) => return Err(shortened(text)),
            },
            Kind::List { .. } => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::List(parts.map(str::to_owned).collect())
            }
        };
        self.check(value)
    }
}
