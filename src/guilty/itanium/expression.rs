// SPDX-License-Identifier: Apache-2.0
//! Reading expressions and literals, as they stand in template arguments, dimensions and `decltype`.

use super::operators::{self, Operator, Use};
use super::types::builtin;
use super::{EXPRESSION_LEVELS, Id, Node, Piece, Reader};

impl<'a> Reader<'a> {
    pub(super) fn expression(&mut self) -> Option<Id> {
        self.deeper(EXPRESSION_LEVELS, |reader| {
            let pieces = reader.expression_pieces()?;
            Some(reader.add(Node::Sequence(pieces)))
        })
    }

    fn expression_pieces(&mut self) -> Option<Vec<Piece<'a>>> {
        let rest = self.rest;
        match self.peek()? {
            b'L' => return Some(vec![Piece::Node(self.literal()?)]),
            b'T' => return Some(vec![Piece::Node(self.template_parameter()?)]),
            b'0'..=b'9' => return Some(vec![Piece::Node(self.simple_name()?)]),
            b'f' if matches!(rest.as_bytes().get(1), Some(b'p' | b'L')) => return self.parameter(),
            b'f' if matches!(rest.as_bytes().get(1), Some(b'l' | b'r' | b'R')) => return self.fold(),
            _ => {}
        }
        if self.takes("sr") {
            return self.scoped_name();
        }
        if self.takes("gs") {
            let inner = self.expression()?;
            return Some(vec![Piece::Text("::"), Piece::Node(inner)]);
        }
        if self.takes("on") || rest.starts_with("dn") {
            return Some(vec![Piece::Node(self.base_name()?)]);
        }
        if self.takes("il") {
            return Some(vec![Piece::Text("{"), Piece::List(self.list()?), Piece::Text("}")]);
        }
        if self.takes("tl") {
            let of = self.any_type()?;
            return Some(vec![
                Piece::Node(of),
                Piece::Text("{"),
                Piece::List(self.list()?),
                Piece::Text("}"),
            ]);
        }
        let operator = operators::find(rest)?;
        self.rest = &self.rest[2..];
        self.operation(operator)
    }

    fn operation(&mut self, operator: &'static Operator) -> Option<Vec<Piece<'a>>> {
        let text = Piece::Text(operator.text);
        match operator.used {
            Use::Prefix => Some(vec![text, Piece::Text("("), self.operand()?, Piece::Text(")")]),
            Use::Step if self.takes("_") => Some(vec![text, self.operand()?]),
            Use::Step => Some(vec![self.operand()?, text]),
            Use::Member => Some(vec![self.operand()?, text, self.operand()?]),
            Use::Binary => {
                let (left, right) = (self.operand()?, self.operand()?);
                let spaced = vec![Piece::Text("(("), left, Piece::Text(") "), text, Piece::Text(" ("), right];
                Some(spaced.into_iter().chain([Piece::Text("))")]).collect())
            }
            Use::Cast => {
                let to = Piece::Node(self.any_type()?);
                let of = self.operand()?;
                Some(vec![text, Piece::Text("<"), to, Piece::Text(">("), of, Piece::Text(")")])
            }
            Use::Special | Use::Expression => self.special_operation(operator),
        }
    }

    fn special_operation(&mut self, operator: &'static Operator) -> Option<Vec<Piece<'a>>> {
        let text = Piece::Text(operator.text);
        let (open, close) = (Piece::Text("("), Piece::Text(")"));
        Some(match operator.code {
            "cl" => vec![self.operand()?, open, Piece::List(self.list()?), close],
            "ix" => vec![self.operand()?, Piece::Text("["), self.operand()?, Piece::Text("]")],
            "qu" => {
                let (asked, yes, no) = (self.operand()?, self.operand()?, self.operand()?);
                vec![open, asked, Piece::Text(" ? "), yes, Piece::Text(" : "), no, close]
            }
            "cv" => {
                let to = Piece::Node(self.any_type()?);
                let of = if self.takes("_") { self.list()? } else { vec![self.expression()?] };
                vec![open, to, Piece::Text(")("), Piece::List(of), close]
            }
            "nw" | "na" => return self.creation(operator.text),
            "dl" | "da" => vec![text, Piece::Text(" "), self.operand()?],
            "st" | "at" | "ti" => vec![text, Piece::Text(" ("), Piece::Node(self.any_type()?), close],
            "sz" | "az" | "te" | "nx" => vec![text, Piece::Text(" ("), self.operand()?, close],
            "sZ" => vec![text, open, self.operand()?, close],
            "sP" => {
                let mut elements = Vec::new();
                while !self.takes("E") {
                    elements.push(self.template_argument_of_pack()?);
                }
                vec![text, open, Piece::List(elements), close]
            }
            "sp" => {
                let pattern = self.expression()?;
                vec![Piece::Node(self.add(Node::Expansion(pattern)))]
            }
            "tw" => vec![text, self.operand()?],
            "tr" => vec![text],
            _ => return None,
        })
    }

    /// `new type(arguments)`, behind its code: where to place it, `_`, the type, how to begin it.
    fn creation(&mut self, text: &'a str) -> Option<Vec<Piece<'a>>> {
        let mut pieces = vec![Piece::Text(text), Piece::Text(" ")];
        let mut places = Vec::new();
        while !self.takes("_") {
            places.push(self.expression()?);
        }
        if !places.is_empty() {
            pieces.extend([Piece::Text("("), Piece::List(places), Piece::Text(") ")]);
        }
        pieces.push(Piece::Node(self.any_type()?));
        if self.takes("pi") {
            pieces.extend([Piece::Text("("), Piece::List(self.list()?), Piece::Text(")")]);
        } else if !self.takes("E") {
            pieces.push(Piece::Node(self.expression()?));
        }
        Some(pieces)
    }

    fn template_argument_of_pack(&mut self) -> Option<Id> {
        if self.peek()? == b'L' { self.literal() } else { self.any_type() }
    }

    fn operand(&mut self) -> Option<Piece<'a>> {
        Some(Piece::Node(self.expression()?))
    }

    /// Expressions up to `E`.
    fn list(&mut self) -> Option<Vec<Id>> {
        let mut found = Vec::new();
        while !self.takes("E") {
            found.push(self.expression()?);
        }
        Some(found)
    }

    /// A parameter of the function itself: `{parm#1}`, or `this`.
    fn parameter(&mut self) -> Option<Vec<Piece<'a>>> {
        if self.takes("fpT") {
            return Some(vec![Piece::Text("this")]);
        }
        if self.takes("fL") {
            self.digits();
            self.expect("p")?;
        } else {
            self.expect("fp")?;
        }
        self.qualifiers();
        let number = self.index()?.checked_add(1)?;
        Some(vec![Piece::Owned(format!("{{parm#{number}}}"))])
    }

    /// `(... + pack)` and its three other forms.
    fn fold(&mut self) -> Option<Vec<Piece<'a>>> {
        self.expect("f")?;
        let kind = self.takes_one_of("lrLR")?;
        let operator = operators::find(self.rest).filter(|operator| operator.used == Use::Binary)?;
        self.rest = &self.rest[2..];
        let (first, text) = (self.operand()?, Piece::Text(operator.text));
        let (open, close) = (Piece::Text("("), Piece::Text(")"));
        Some(match kind {
            'l' => vec![Piece::Text("(..."), text, first, close],
            'r' => vec![open, first, text, Piece::Text("...)")],
            _ => {
                let second = self.operand()?;
                let again = Piece::Text(operator.text);
                vec![open, first, text, Piece::Text("..."), again, second, close]
            }
        })
    }

    /// A name within a type that depends on template parameters, behind the `sr`.
    fn scoped_name(&mut self) -> Option<Vec<Piece<'a>>> {
        let is_long = self.takes("N");
        let has_type = is_long || !self.peek()?.is_ascii_digit();
        let mut pieces = Vec::new();
        if has_type {
            pieces.extend([Piece::Node(self.any_type()?), Piece::Text("::")]);
        }
        if is_long || !has_type {
            while !self.takes("E") {
                pieces.extend([Piece::Node(self.simple_name()?), Piece::Text("::")]);
            }
        }
        let base = if self.takes("on") || !self.peek()?.is_ascii_digit() {
            self.base_name()?
        } else {
            self.simple_name()?
        };
        pieces.push(Piece::Node(base));
        Some(pieces)
    }

    /// An operator's name, or a destructor's with its `dn`.
    fn base_name(&mut self) -> Option<Id> {
        if self.takes("dn") {
            let of = if self.peek()?.is_ascii_digit() { self.simple_name()? } else { self.any_type()? };
            return Some(self.add(Node::Sequence(vec![Piece::Text("~"), Piece::Node(of)])));
        }
        let id = self.unqualified(None, &mut super::name::About::default())?;
        self.with_arguments(id)
    }

    fn simple_name(&mut self) -> Option<Id> {
        let id = self.source_name()?;
        self.with_arguments(id)
    }

    fn with_arguments(&mut self, id: Id) -> Option<Id> {
        if self.peek() != Some(b'I') {
            return Some(id);
        }
        let arguments = self.template_arguments(false)?;
        Some(self.add(Node::Template(id, arguments)))
    }

    /// `L`, a type and a value or a symbol, `E`.
    pub(super) fn literal(&mut self) -> Option<Id> {
        self.deeper(1, Self::read_literal)
    }

    fn read_literal(&mut self) -> Option<Id> {
        self.expect("L")?;
        if self.takes("_Z") || self.takes("Z") {
            let id = self.encoding()?;
            self.expect("E")?;
            return Some(id);
        }
        for (code, text) in [("b0E", "false"), ("b1E", "true"), ("DnE", "nullptr"), ("Dn0E", "nullptr")] {
            if self.takes(code) {
                return Some(self.add_text(text));
            }
        }
        let letter = self.peek()?;
        let suffix = match letter {
            b'i' => Some(""),
            b'j' => Some("u"),
            b'l' => Some("l"),
            b'm' => Some("ul"),
            b'x' => Some("ll"),
            b'y' => Some("ull"),
            _ => None,
        };
        if let Some(suffix) = suffix {
            self.rest = &self.rest[1..];
            let (is_negative, digits) = self.number()?;
            self.expect("E")?;
            let sign = if is_negative { "-" } else { "" };
            let pieces = vec![Piece::Text(sign), Piece::Text(digits), Piece::Text(suffix)];
            return Some(self.add(Node::Sequence(pieces)));
        }
        let kind = self.any_type()?;
        let value = self.until('E')?;
        let is_value = value.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if !is_value {
            return None;
        }
        let (sign, value) = match value.strip_prefix('n') {
            Some(value) if builtin(letter).is_none_or(|name| !is_float(name)) => ("-", value),
            _ => ("", value),
        };
        let (open, close) = (Piece::Text("("), Piece::Text(")"));
        // A string or a closure has a type only.
        let mut pieces = vec![open, Piece::Node(kind), close, Piece::Text(sign)];
        match builtin(letter).filter(|name| is_float(name)).and_then(|name| float(name, value)) {
            Some(text) => pieces.push(Piece::Owned(text)),
            None => pieces.push(Piece::Text(value)),
        }
        Some(self.add(Node::Sequence(pieces)))
    }
}

fn is_float(name: &str) -> bool {
    matches!(name, "float" | "double" | "long double" | "__float128")
}

/// A number of floating point from its bytes in hexadecimal; None for the long ones.
fn float(name: &str, value: &str) -> Option<String> {
    match name {
        "float" if value.len() == 8 => Some(f32::from_bits(u32::from_str_radix(value, 16).ok()?).to_string()),
        "double" if value.len() == 16 => {
            Some(f64::from_bits(u64::from_str_radix(value, 16).ok()?).to_string())
        }
        _ => None,
    }
}
