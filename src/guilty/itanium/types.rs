// SPDX-License-Identifier: Apache-2.0
//! Reading types, and what stands for something that was read before.

use super::name::About;
use super::{Id, Node, Piece, Reader, Signature};

impl<'a> Reader<'a> {
    pub(super) fn any_type(&mut self) -> Option<Id> {
        self.deeper(1, Self::read_type)
    }

    fn read_type(&mut self) -> Option<Id> {
        let first = self.peek()?;
        if let Some(name) = builtin(first) {
            self.rest = &self.rest[1..];
            return Some(self.add_text(name));
        }
        let id = match first {
            b'r' | b'V' | b'K' => self.qualified()?,
            b'U' if !matches!(self.rest.as_bytes().get(1), Some(b't' | b'l')) => self.vendor_qualified()?,
            b'u' => {
                self.rest = &self.rest[1..];
                self.source_name()?
            }
            b'P' => self.prefixed(|to| Node::Pointer(to, "*"))?,
            b'R' => self.prefixed(|to| Node::Pointer(to, "&"))?,
            b'O' => self.prefixed(|to| Node::Pointer(to, "&&"))?,
            b'C' => self.suffixed(" complex")?,
            b'G' => self.suffixed(" imaginary")?,
            b'F' => self.function_type(Vec::new())?,
            b'A' => self.array()?,
            b'M' => {
                self.rest = &self.rest[1..];
                let class = self.any_type()?;
                let member = self.any_type()?;
                self.add(Node::Member(class, member))
            }
            b'T' => self.template_type()?,
            b'S' if !self.rest.starts_with("St") => {
                let id = self.substitution()?;
                if self.peek() != Some(b'I') || self.is_without_arguments {
                    return Some(id);
                }
                let arguments = self.template_arguments(false)?;
                self.add(Node::Template(id, arguments))
            }
            b'D' => match self.lettered()? {
                (id, true) => id,
                (id, false) => return Some(id),
            },
            _ => self.name(&mut About::class())?,
        };
        Some(self.remember(id))
    }

    fn prefixed(&mut self, make: impl FnOnce(Id) -> Node<'a>) -> Option<Id> {
        self.rest = &self.rest[1..];
        let to = self.any_type()?;
        Some(self.add(make(to)))
    }

    fn suffixed(&mut self, suffix: &'a str) -> Option<Id> {
        self.rest = &self.rest[1..];
        let of = self.any_type()?;
        Some(self.add(Node::Sequence(vec![Piece::Node(of), Piece::Text(suffix)])))
    }

    /// `const` and its like as they are written, with a space before each, `const` first.
    pub(super) fn qualifiers(&mut self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for (letter, text) in [("r", " restrict"), ("V", " volatile"), ("K", " const")] {
            if self.takes(letter) {
                found.insert(0, text);
            }
        }
        found
    }

    fn qualified(&mut self) -> Option<Id> {
        let qualifiers = self.qualifiers();
        let is_function =
            self.peek() == Some(b'F') || ["Do", "DO", "Dw"].iter().any(|start| self.rest.starts_with(start));
        if is_function {
            return if self.peek() == Some(b'F') {
                self.function_type(qualifiers)
            } else {
                self.throwing_function(qualifiers)
            };
        }
        let of = self.any_type()?;
        Some(qualifiers.into_iter().fold(of, |id, text| self.add(Node::Qualified(id, text))))
    }

    fn vendor_qualified(&mut self) -> Option<Id> {
        self.expect("U")?;
        let name = self.identifier()?;
        let arguments = if self.peek() == Some(b'I') { Some(self.template_arguments(false)?) } else { None };
        let of = self.any_type()?;
        let mut pieces = vec![Piece::Node(of), Piece::Text(" "), Piece::Text(name)];
        if let Some(arguments) = arguments {
            pieces.extend([Piece::Text("<"), Piece::List(arguments), Piece::Text(">")]);
        }
        Some(self.add(Node::Sequence(pieces)))
    }

    /// `F`, the type returned, the parameters, `E`.
    fn function_type(&mut self, mut endings: Vec<&'static str>) -> Option<Id> {
        self.expect("F")?;
        self.takes("Y");
        let returned = Some(self.any_type()?);
        let mut parameters = Vec::new();
        loop {
            self.step()?;
            if self.takes("E") {
                break;
            }
            if self.takes("RE") {
                endings.insert(0, " &");
                break;
            }
            if self.takes("OE") {
                endings.insert(0, " &&");
                break;
            }
            if !self.takes("v") {
                parameters.push(self.any_type()?);
            }
        }
        // Qualifiers stand before the reference.
        endings.sort_by_key(|ending| ending.starts_with(" &"));
        Some(self.add(Node::Function(None, Signature { returned, parameters, endings })))
    }

    /// A function type that says what it throws.
    fn throwing_function(&mut self, mut endings: Vec<&'static str>) -> Option<Id> {
        if self.takes("DO") {
            self.expression()?;
            self.expect("E")?;
            endings.push(" noexcept(...)");
        } else if self.takes("Dw") {
            while !self.takes("E") {
                self.any_type()?;
            }
            endings.push(" throw(...)");
        } else {
            self.expect("Do")?;
            endings.push(" noexcept");
        }
        self.function_type(endings)
    }

    /// `A`, the dimension, `_`, the type of its elements.
    fn array(&mut self) -> Option<Id> {
        self.expect("A")?;
        let digits = self.digits();
        let mut dimension = vec![Piece::Text(digits)];
        if digits.is_empty() && self.peek()? != b'_' {
            dimension = vec![Piece::Node(self.expression()?)];
        }
        self.expect("_")?;
        let of = self.any_type()?;
        Some(self.add(Node::Array(of, dimension)))
    }

    /// Types that begin with `D`, and whether a later substitution may stand for them.
    fn lettered(&mut self) -> Option<(Id, bool)> {
        let second = *self.rest.as_bytes().get(1)?;
        let name = match second {
            b'd' => "decimal64",
            b'e' => "decimal128",
            b'f' => "decimal32",
            b'h' => "half",
            b'i' => "char32_t",
            b's' => "char16_t",
            b'u' => "char8_t",
            b'a' => "auto",
            b'c' => "decltype(auto)",
            b'n' => "std::nullptr_t",
            b't' | b'T' => return self.decltype().map(|id| (id, true)),
            b'o' | b'O' | b'w' => return self.throwing_function(Vec::new()).map(|id| (id, true)),
            b'p' => {
                self.expect("Dp")?;
                let pattern = self.any_type()?;
                return Some((self.add(Node::Expansion(pattern)), true));
            }
            b'v' => return self.vector().map(|id| (id, true)),
            b'F' => {
                self.expect("DF")?;
                let bits = self.digits();
                let end = if self.takes("x") {
                    "x"
                } else if self.takes("b") {
                    "b"
                } else {
                    ""
                };
                self.takes("_");
                let name = if end == "b" { "std::bfloat" } else { "_Float" };
                let pieces = vec![Piece::Text(name), Piece::Text(bits), Piece::Text(end)];
                let pieces = if end == "b" { vec![Piece::Text("std::bfloat16_t")] } else { pieces };
                return Some((self.add(Node::Sequence(pieces)), false));
            }
            b'B' | b'U' => {
                self.rest = &self.rest[2..];
                let bits = self.digits();
                self.expect("_")?;
                let name = if second == b'B' { "_BitInt(" } else { "unsigned _BitInt(" };
                let pieces = vec![Piece::Text(name), Piece::Text(bits), Piece::Text(")")];
                return Some((self.add(Node::Sequence(pieces)), false));
            }
            _ => return None,
        };
        self.rest = &self.rest[2..];
        Some((self.add_text(name), false))
    }

    fn vector(&mut self) -> Option<Id> {
        self.expect("Dv")?;
        let digits = self.digits();
        let length = if digits.is_empty() {
            self.takes("_");
            Piece::Node(self.expression()?)
        } else {
            Piece::Text(digits)
        };
        self.expect("_")?;
        let of = self.any_type()?;
        let pieces = vec![Piece::Node(of), Piece::Text(" __vector("), length, Piece::Text(")")];
        Some(self.add(Node::Sequence(pieces)))
    }

    /// `decltype(expression)`.
    pub(super) fn decltype(&mut self) -> Option<Id> {
        self.expect("D")?;
        self.takes_one_of("tT")?;
        let of = self.expression()?;
        self.expect("E")?;
        let pieces = vec![Piece::Text("decltype("), Piece::Node(of), Piece::Text(")")];
        Some(self.add(Node::Sequence(pieces)))
    }

    /// Types that begin with `T`: template parameters, and names that say what they are.
    fn template_type(&mut self) -> Option<Id> {
        for (code, title) in [("Ts", "struct "), ("Tu", "union "), ("Te", "enum ")] {
            if self.takes(code) {
                let of = self.name(&mut About::class())?;
                return Some(self.add(Node::Sequence(vec![Piece::Text(title), Piece::Node(of)])));
            }
        }
        let id = self.template_parameter()?;
        if self.peek() != Some(b'I') || self.is_without_arguments {
            return Some(id);
        }
        self.remember(id);
        let arguments = self.template_arguments(false)?;
        Some(self.add(Node::Template(id, arguments)))
    }

    /// `T_`, `T0_` …: the argument that it stands for.
    pub(super) fn template_parameter(&mut self) -> Option<Id> {
        self.expect("T")?;
        if self.takes("L") {
            // A parameter of a lambda within a template.
            self.index()?;
            self.takes("_");
            self.index()?;
            return Some(self.add_text("auto"));
        }
        let number = self.index()?;
        if self.is_in_conversion {
            let id = self.add(Node::Forward(number, None));
            self.forwards.push(id);
            return Some(id);
        }
        match self.arguments.get(number) {
            Some(argument) => Some(*argument),
            None if self.is_in_lambda => Some(self.add_text("auto")),
            None => None,
        }
    }

    /// `S_`, `S0_` … or one of the short names for the standard library.
    pub(super) fn substitution(&mut self) -> Option<Id> {
        self.expect("S")?;
        let standard = match self.peek()? {
            b'a' => ("std::allocator", "allocator"),
            b'b' => ("std::basic_string", "basic_string"),
            b's' => ("std::string", "basic_string"),
            b'i' => ("std::istream", "basic_istream"),
            b'o' => ("std::ostream", "basic_ostream"),
            b'd' => ("std::iostream", "basic_iostream"),
            _ => return self.numbered(),
        };
        self.rest = &self.rest[1..];
        let mut id = self.add(Node::Standard(standard.0, standard.1));
        while self.takes("B") {
            let tag = self.identifier()?;
            let pieces = vec![Piece::Node(id), Piece::Text("[abi:"), Piece::Text(tag), Piece::Text("]")];
            id = self.add(Node::Sequence(pieces));
            self.remember(id);
        }
        Some(id)
    }

    /// The number of a substitution, in base 36, and `_`.
    fn numbered(&mut self) -> Option<Id> {
        let digits = self.until('_')?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let number = match digits {
            "" => 0,
            _ if is_number => usize::from_str_radix(digits, 36).ok()?.checked_add(1)?,
            _ => return None,
        };
        self.substitutions.get(number).copied()
    }
}

/// The types that one letter stands for.
pub(super) fn builtin(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'v' => "void",
        b'w' => "wchar_t",
        b'b' => "bool",
        b'c' => "char",
        b'a' => "signed char",
        b'h' => "unsigned char",
        b's' => "short",
        b't' => "unsigned short",
        b'i' => "int",
        b'j' => "unsigned int",
        b'l' => "long",
        b'm' => "unsigned long",
        b'x' => "long long",
        b'y' => "unsigned long long",
        b'n' => "__int128",
        b'o' => "unsigned __int128",
        b'f' => "float",
        b'd' => "double",
        b'e' => "long double",
        b'g' => "__float128",
        b'z' => "...",
        _ => return None,
    })
}
