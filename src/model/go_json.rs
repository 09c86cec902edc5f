// SPDX-License-Identifier: Apache-2.0
//! JSON as Go's `encoding/json` reads and writes it, byte for byte, because MIG signs what Go wrote. Which
//! types there are is not known here.

use crate::error::{Error, Result};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// A type that Go's encoder can write.
pub(crate) trait GoJson {
    /// Appends the value as Go's encoder writes it; fails where Go cannot write it.
    fn encode(&self, out: &mut String) -> Result<()>;

    /// True for what `omitempty` leaves out. Go never leaves out a struct, a time included.
    fn is_empty(&self) -> bool {
        false
    }
}

/// A struct of Go: its fields in order, each with its name in JSON and, where empty ones are left out,
/// `omit`.
///
/// Reading is Go's too: keys in any case, unknown keys ignored, `null` leaves the field as it was, the last
/// of several wins.
macro_rules! go_struct {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $( $(#[$field_about:meta])* $field:ident: $type:ty = $key:literal $($omit:ident)?, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_about])* pub $field: $type, )*
        }

        impl $name {
            /// The JSON as a Go program writes it. Fails where Go cannot: an infinite number, a year past 9999.
            #[allow(dead_code, reason = "some are only read")]
            pub fn to_json(&self) -> $crate::error::Result<String> {
                let mut text = String::new();
                $crate::model::go_json::GoJson::encode(self, &mut text)?;
                Ok(text)
            }
        }

        impl $crate::model::go_json::GoJson for $name {
            fn encode(&self, out: &mut String) -> $crate::error::Result<()> {
                let mut object = $crate::model::go_json::ObjectWriter::begin(out);
                $( object.field($key, &self.$field, &[$(stringify!($omit))?])?; )*
                object.end();
                Ok(())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the object ", stringify!($name)))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            match $crate::model::go_json::fold(&key).as_str() {
                                $( $key => if let Some(value) = map.next_value::<Option<$type>>()? {
                                    read.$field = value;
                                }, )*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(read)
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }
    };
}
pub(crate) use go_struct;

/// Writes the fields of one object.
pub(crate) struct ObjectWriter<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Opens the object.
    pub(crate) fn begin(out: &'a mut String) -> ObjectWriter<'a> {
        out.push('{');
        ObjectWriter { out, is_first: true }
    }

    /// Appends a field, unless it is empty and `options` say that empty ones are left out.
    pub(crate) fn field(&mut self, key: &str, value: &impl GoJson, options: &[&str]) -> Result<()> {
        if value.is_empty() && options.contains(&"omit") {
            return Ok(());
        }
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
        push_string(self.out, key);
        self.out.push(':');
        value.encode(self.out)
    }

    /// Closes the object.
    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// A key in the case in which it is compared: Go folds letters, and two that are not ASCII fold to ASCII
/// ones.
pub(crate) fn fold(key: &str) -> String {
    let fold_one = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold_one).collect()
}

/// JSON text of a client as text that a strict parser reads as Go would: each byte that is not UTF-8, and
/// each half of a surrogate pair without its other half, becomes U+FFFD.
pub(crate) fn lenient_text(bytes: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len() + 16);
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
            }
            Cow::Owned(text)
        }
    };
    match text.contains("\\u") {
        true => Cow::Owned(mend_surrogates(&text)),
        false => text,
    }
}

/// Backslashes stand in strings only, so strings need not be told from the rest here.
fn mend_surrogates(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match unit(rest) {
            Some(0xd800..=0xdbff) => match unit(&rest[6..]) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            Some(0xdc00..=0xdfff) => 0,
            Some(_) => 6,
            // An escape of one character; the character may be a backslash itself, and of any width.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        if taken == 0 {
            mended.push_str("\\ufffd");
            rest = &rest[6..];
        } else {
            mended.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    mended + rest
}

/// The UTF-16 unit of an escape of four digits that the text begins with.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// A string with Go's escapes, which are also those that are safe in HTML.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A float64 as Go writes it: the shortest digits that read back as the same number, with an exponent below
/// 1e-6 and from 1e21 on.
pub(crate) fn push_float(out: &mut String, number: f64) -> Result<()> {
    if !number.is_finite() {
        return Err(Error::invalid("A number of the action is infinite or not a number"));
    }
    let size = number.abs();
    let is_short = size == 0.0 || (1e-6..1e21).contains(&size);
    if is_short {
        let _ = write!(out, "{number}");
    } else {
        let text = format!("{number:e}");
        let sign = if size >= 1.0 { "e+" } else { "e" };
        out.push_str(&text.replacen('e', sign, 1));
    }
    Ok(())
}

/// The float64 that Go reads; one too large for it is refused, as by Go.
fn float_of(number: &Number) -> Result<f64> {
    let text = number.to_string();
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
    float.ok_or_else(|| {
        let start: String = text.chars().take(40).collect();
        Error::invalid(format!("The number {start} of the action is too large"))
    })
}

impl GoJson for Value {
    fn encode(&self, out: &mut String) -> Result<()> {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => push_float(out, float_of(number)?)?,
            Value::String(text) => push_string(out, text),
            Value::Array(items) => push_items(out, items)?,
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
                let mut object = ObjectWriter::begin(out);
                for (key, value) in entries {
                    object.field(key, value, &[])?;
                }
                object.end();
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        // An empty map in an interface is not empty for Go.
        self.is_null()
    }
}

fn push_items<T: GoJson>(out: &mut String, items: &[T]) -> Result<()> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item.encode(out)?;
    }
    out.push(']');
    Ok(())
}

/// A slice of Go, which knows `nil` (written `null`) besides the empty one (`[]`).
impl<T: GoJson> GoJson for Option<Vec<T>> {
    fn encode(&self, out: &mut String) -> Result<()> {
        match self {
            None => out.push_str("null"),
            Some(items) => push_items(out, items)?,
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(Vec::is_empty)
    }
}

impl GoJson for String {
    fn encode(&self, out: &mut String) -> Result<()> {
        push_string(out, self);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        String::is_empty(self)
    }
}

impl GoJson for f64 {
    fn encode(&self, out: &mut String) -> Result<()> {
        push_float(out, *self)
    }

    fn is_empty(&self) -> bool {
        *self == 0.0
    }
}

impl GoJson for bool {
    fn encode(&self, out: &mut String) -> Result<()> {
        out.push_str(if *self { "true" } else { "false" });
        Ok(())
    }

    fn is_empty(&self) -> bool {
        !*self
    }
}

impl GoJson for i64 {
    fn encode(&self, out: &mut String) -> Result<()> {
        let _ = write!(out, "{self}");
        Ok(())
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }
}

impl GoJson for u16 {
    fn encode(&self, out: &mut String) -> Result<()> {
        i64::from(*self).encode(out)
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }
}
