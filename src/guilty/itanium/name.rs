// SPDX-License-Identifier: Apache-2.0
//! Reading names: of functions, classes, operators, lambdas, what is local to a function, and template
//! arguments.

use super::operators::{self, Use};
use super::{Id, Node, Piece, Reader, Signature};

/// What a function's name says about the rest of its symbol.
#[derive(Default)]
pub(super) struct About {
    /// It is a constructor, destructor or conversion: its return type is not in the symbol.
    is_without_return: bool,
    /// It ends in template arguments, so that its return type is in the symbol.
    is_template: bool,
    endings: Vec<&'static str>,
    /// It is a class: its template arguments are not what the function's template parameters stand for.
    is_class: bool,
}

impl About {
    pub(super) fn class() -> About {
        About { is_class: true, ..About::default() }
    }
}

impl<'a> Reader<'a> {
    /// A function with its parameters, or data, or something that the compiler made.
    pub(super) fn encoding(&mut self) -> Option<Id> {
        self.deeper(1, |reader| {
            if matches!(reader.peek(), Some(b'T' | b'G')) {
                return reader.special();
            }
            // Template parameters within belong to this function alone.
            let outer = std::mem::take(&mut reader.arguments);
            let outer_forwards = std::mem::take(&mut reader.forwards);
            let id = reader.function();
            reader.arguments = outer;
            reader.forwards = outer_forwards;
            id
        })
    }

    fn function(&mut self) -> Option<Id> {
        let mut about = About::default();
        let name = self.name(&mut about)?;
        for forward in std::mem::take(&mut self.forwards) {
            let Node::Forward(number, _) = self.nodes[forward] else { continue };
            let argument = *self.arguments.get(number)?;
            self.nodes[forward] = Node::Forward(number, Some(argument));
        }
        if self.is_at_end() {
            return Some(name);
        }
        let returned =
            if about.is_template && !about.is_without_return { Some(self.any_type()?) } else { None };
        let mut parameters = Vec::new();
        if !self.takes("v") {
            while !self.is_at_end() {
                parameters.push(self.any_type()?);
            }
        }
        let signature = Signature { returned, parameters, endings: about.endings };
        Some(self.add(Node::Function(Some(name), signature)))
    }

    fn is_at_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'E' | b'.' | b'_'))
    }

    /// Tables, guards and thunks.
    fn special(&mut self) -> Option<Id> {
        let (kind, rest) = self.rest.split_at_checked(2)?;
        self.rest = rest;
        let title = match kind {
            "TV" => "vtable for ",
            "TT" => "VTT for ",
            "TI" => "typeinfo for ",
            "TS" => "typeinfo name for ",
            "TW" => "TLS wrapper function for ",
            "TH" => "TLS init function for ",
            "Th" => "non-virtual thunk to ",
            "Tv" => "virtual thunk to ",
            "Tc" => "covariant return thunk to ",
            "TC" => "construction vtable for ",
            "GV" => "guard variable for ",
            "GR" => "reference temporary for ",
            _ => return None,
        };
        let of = match kind {
            "TV" | "TT" | "TI" | "TS" => self.any_type()?,
            "Th" | "Tv" => {
                self.offset(kind == "Tv")?;
                self.encoding()?
            }
            "Tc" => {
                for _ in 0..2 {
                    let is_virtual = self.takes_one_of("hv")? == 'v';
                    self.offset(is_virtual)?;
                }
                self.encoding()?
            }
            "TC" => return self.construction_table(title),
            _ => self.name(&mut About::default())?,
        };
        if kind == "GR" {
            self.until('_');
        }
        Some(self.add(Node::Sequence(vec![Piece::Text(title), Piece::Node(of)])))
    }

    /// The table of a base, as it is while the class around it is built.
    fn construction_table(&mut self, title: &'a str) -> Option<Id> {
        let class = self.any_type()?;
        self.number()?;
        self.expect("_")?;
        let base = self.any_type()?;
        let pieces = vec![Piece::Text(title), Piece::Node(base), Piece::Text("-in-"), Piece::Node(class)];
        Some(self.add(Node::Sequence(pieces)))
    }

    /// How far a thunk moves `this`; not shown.
    fn offset(&mut self, is_virtual: bool) -> Option<()> {
        for _ in 0..1 + usize::from(is_virtual) {
            self.number()?;
            self.expect("_")?;
        }
        Some(())
    }

    /// A number that may be negative, as `n` and digits: its sign and digits.
    pub(super) fn number(&mut self) -> Option<(bool, &'a str)> {
        let is_negative = self.takes("n");
        let digits = self.digits();
        (!digits.is_empty()).then_some((is_negative, digits))
    }

    pub(super) fn name(&mut self, about: &mut About) -> Option<Id> {
        self.step()?;
        if self.takes("N") {
            return self.nested(about);
        }
        if self.takes("Z") {
            return self.deeper(1, |reader| reader.local(about));
        }
        if self.peek() == Some(b'S') && !self.rest.starts_with("St") {
            let id = self.substitution()?;
            return if self.peek() == Some(b'I') { self.template(id, about) } else { None };
        }
        let scope = if self.takes("St") { Some(self.add_text("std")) } else { None };
        let id = self.unqualified(scope, about)?;
        if self.peek() == Some(b'I') {
            self.remember(id);
            return self.template(id, about);
        }
        Some(id)
    }

    fn template(&mut self, name: Id, about: &mut About) -> Option<Id> {
        let arguments = self.template_arguments(!about.is_class)?;
        about.is_template = true;
        Some(self.add(Node::Template(name, arguments)))
    }

    fn nested(&mut self, about: &mut About) -> Option<Id> {
        self.takes("H");
        about.endings = self.qualifiers();
        if self.takes("R") {
            about.endings.push(" &");
        } else if self.takes("O") {
            about.endings.push(" &&");
        }
        let mut current: Option<Id> = None;
        while !self.takes("E") {
            self.step()?;
            let next = match self.peek()? {
                b'T' => self.template_parameter()?,
                b'I' => {
                    let id = self.template(current?, about)?;
                    current = Some(self.remember(id));
                    continue;
                }
                b'D' if matches!(self.rest.as_bytes().get(1), Some(b't' | b'T')) => self.decltype()?,
                b'S' if current.is_none() && self.takes("St") => {
                    current = Some(self.add_text("std"));
                    continue;
                }
                b'S' if current.is_none() => {
                    current = Some(self.substitution()?);
                    continue;
                }
                // The member whose initializer a lambda is in.
                b'M' => {
                    self.takes("M");
                    continue;
                }
                _ => self.unqualified(current, about)?,
            };
            about.is_template = false;
            current = Some(self.remember(next));
        }
        // The whole name is remembered by the type that it is, if it is one.
        self.substitutions.pop()?;
        current
    }

    /// What is local to a function, behind the `Z`.
    fn local(&mut self, about: &mut About) -> Option<Id> {
        let function = self.encoding()?;
        self.expect("E")?;
        if let Node::Function(_, signature) = &mut self.nodes[function] {
            signature.returned = None;
        }
        if self.takes("s") {
            self.discriminator()?;
            let literal = self.add_text("string literal");
            return Some(self.add(Node::Nested(function, literal)));
        }
        if self.takes("d") {
            self.index()?;
        }
        let entity = self.name(about)?;
        self.discriminator()?;
        Some(self.add(Node::Nested(function, entity)))
    }

    /// Which of several of the same name it is; not shown.
    fn discriminator(&mut self) -> Option<()> {
        if self.takes("__") {
            self.digits();
            return self.expect("_");
        }
        let is_one_digit = self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if is_one_digit && self.takes("_") {
            self.digits();
        }
        Some(())
    }

    /// One name, within `scope` where there is one.
    pub(super) fn unqualified(&mut self, scope: Option<Id>, about: &mut About) -> Option<Id> {
        self.step()?;
        self.takes("L");
        self.takes("F");
        about.is_without_return = false;
        let rest = self.rest.as_bytes();
        let mut id = match (self.peek()?, rest.get(1)) {
            (b'0'..=b'9', _) => self.source_name()?,
            (b'U', Some(b't' | b'l')) => self.deeper(1, Self::nameless)?,
            (b'C', Some(b'1'..=b'5' | b'I')) => self.constructor(scope?, "", about)?,
            (b'D', Some(b'0'..=b'5')) => self.constructor(scope?, "~", about)?,
            (b'D', Some(b'C')) => self.binding()?,
            _ => self.operator(about)?,
        };
        while self.takes("B") {
            let tag = self.identifier()?;
            let pieces = vec![Piece::Node(id), Piece::Text("[abi:"), Piece::Text(tag), Piece::Text("]")];
            id = self.add(Node::Sequence(pieces));
        }
        Some(scope.map_or(id, |scope| self.add(Node::Nested(scope, id))))
    }

    /// The length of an identifier and the identifier.
    pub(super) fn identifier(&mut self) -> Option<&'a str> {
        let length: usize = self.digits().parse().ok().filter(|length| *length > 0)?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(if text.starts_with("_GLOBAL__N") { "(anonymous namespace)" } else { text })
    }

    pub(super) fn source_name(&mut self) -> Option<Id> {
        let text = self.identifier()?;
        Some(self.add_text(text))
    }

    /// A constructor or, with `~`, a destructor: named as the last part of its scope.
    fn constructor(&mut self, scope: Id, sign: &'a str, about: &mut About) -> Option<Id> {
        self.rest = &self.rest[1..];
        let is_inherited = self.takes("I");
        self.takes_one_of("012345")?;
        if is_inherited {
            self.any_type()?;
        }
        about.is_without_return = true;
        let base = self.last_part(scope)?;
        Some(self.add(Node::Sequence(vec![Piece::Text(sign), Piece::Node(base)])))
    }

    fn last_part(&mut self, scope: Id) -> Option<Id> {
        let mut id = scope;
        loop {
            self.step()?;
            id = match &self.nodes[id] {
                Node::Nested(_, name) => *name,
                Node::Template(name, _) => *name,
                Node::Standard(_, name) => {
                    let name = *name;
                    return Some(self.add_text(name));
                }
                // A name with its tag: constructors do not repeat the tag.
                Node::Sequence(pieces) => match pieces[..] {
                    [Piece::Node(tagged), Piece::Text("[abi:"), ..] => tagged,
                    _ => return Some(id),
                },
                _ => return Some(id),
            };
        }
    }

    /// Structured bindings: `[a, b]`.
    fn binding(&mut self) -> Option<Id> {
        self.expect("DC")?;
        let mut names = Vec::new();
        while !self.takes("E") {
            names.push(self.source_name()?);
        }
        Some(self.add(Node::Sequence(vec![Piece::Text("["), Piece::List(names), Piece::Text("]")])))
    }

    /// A lambda or a type without a name.
    fn nameless(&mut self) -> Option<Id> {
        if self.takes("Ut") {
            let number = self.index()? + 1;
            let text = format!("{{unnamed type#{number}}}");
            return Some(self.add(Node::Sequence(vec![Piece::Owned(text)])));
        }
        self.expect("Ul")?;
        let was_in_lambda = std::mem::replace(&mut self.is_in_lambda, true);
        self.lambda_template()?;
        let mut parameters = Vec::new();
        if !self.takes("v") {
            while self.peek()? != b'E' {
                parameters.push(self.any_type()?);
            }
        }
        self.expect("E")?;
        self.is_in_lambda = was_in_lambda;
        let number = self.index()? + 1;
        let end = Piece::Owned(format!(")#{number}}}"));
        Some(self.add(Node::Sequence(vec![Piece::Text("{lambda("), Piece::List(parameters), end])))
    }

    /// The declared template parameters of a lambda; not shown.
    fn lambda_template(&mut self) -> Option<()> {
        loop {
            self.step()?;
            if self.takes("Ty") || self.takes("Tp") {
                continue;
            }
            if !self.takes("Tn") {
                return Some(());
            }
            self.any_type()?;
        }
    }

    fn operator(&mut self, about: &mut About) -> Option<Id> {
        if self.takes("cv") {
            let was_in_conversion = std::mem::replace(&mut self.is_in_conversion, true);
            let was_without_arguments = std::mem::replace(&mut self.is_without_arguments, true);
            let target = self.any_type()?;
            self.is_in_conversion = was_in_conversion;
            self.is_without_arguments = was_without_arguments;
            about.is_without_return = true;
            return Some(self.add(Node::Sequence(vec![Piece::Text("operator "), Piece::Node(target)])));
        }
        if self.takes("li") {
            let name = self.identifier()?;
            return Some(self.add(Node::Sequence(vec![Piece::Text("operator\"\" "), Piece::Text(name)])));
        }
        let operator = operators::find(self.rest)?;
        if matches!(operator.used, Use::Expression | Use::Cast) {
            return None;
        }
        self.rest = &self.rest[2..];
        let is_word = operator.text.starts_with(|c: char| c.is_alphabetic());
        let title = if is_word { "operator " } else { "operator" };
        Some(self.add(Node::Sequence(vec![Piece::Text(title), Piece::Text(operator.text)])))
    }

    /// `I`, the arguments, `E`. Those of a function are what its template parameters stand for from then on.
    pub(super) fn template_arguments(&mut self, is_of_function: bool) -> Option<Vec<Id>> {
        self.expect("I")?;
        if is_of_function {
            self.arguments.clear();
        }
        let was_without_arguments = std::mem::replace(&mut self.is_without_arguments, false);
        let mut arguments = Vec::new();
        while !self.takes("E") {
            let argument = self.template_argument()?;
            arguments.push(argument);
            if is_of_function {
                self.arguments.push(argument);
            }
        }
        self.is_without_arguments = was_without_arguments;
        Some(arguments)
    }

    fn template_argument(&mut self) -> Option<Id> {
        self.step()?;
        if self.takes("X") {
            let id = self.expression()?;
            self.expect("E")?;
            return Some(id);
        }
        if self.takes("J") {
            let mut elements = Vec::new();
            while !self.takes("E") {
                elements.push(self.deeper(1, Self::template_argument)?);
            }
            return Some(self.add(Node::Pack(elements)));
        }
        if self.peek()? == b'L' { self.literal() } else { self.any_type() }
    }
}
