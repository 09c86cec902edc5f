// SPDX-License-Identifier: Apache-2.0
//! Writing what was read. A type is written in two halves, since a function pointer's name stands in its
//! middle.

use super::{DEPTH_MAX, Id, Node, Piece, STEPS_MAX, Signature};

/// The text of a node; None where it is longer than `bytes_max`, or nested deeper than anything that was read
/// alone.
pub(super) fn text(nodes: &[Node<'_>], id: Id, bytes_max: usize) -> Option<String> {
    let text = String::new();
    let mut printer = Printer { nodes, text, bytes_max, depth: 0, steps: STEPS_MAX, pack: None };
    printer.whole(id)?;
    Some(printer.text)
}

struct Printer<'n, 'a> {
    nodes: &'n [Node<'a>],
    text: String,
    bytes_max: usize,
    depth: u32,
    steps: u32,
    /// Within an expansion: which argument of its packs is written.
    pack: Option<Expanding>,
}

#[derive(Clone, Copy)]
struct Expanding {
    index: usize,
    /// How many arguments there are; None until a pack was met.
    length: Option<usize>,
}

/// What decides about parentheses: `int (*)[3]`, `int (*)(int)`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Array,
    Function,
}

impl<'n, 'a> Printer<'n, 'a> {
    fn put(&mut self, text: &str) -> Option<()> {
        if self.text.len() + text.len() > self.bytes_max {
            return None;
        }
        self.text.push_str(text);
        Some(())
    }

    fn whole(&mut self, id: Id) -> Option<()> {
        self.left(id)?;
        self.right(id)
    }

    fn left(&mut self, id: Id) -> Option<()> {
        self.enter()?;
        self.left_of(id)?;
        self.depth -= 1;
        Some(())
    }

    fn right(&mut self, id: Id) -> Option<()> {
        self.enter()?;
        self.right_of(id)?;
        self.depth -= 1;
        Some(())
    }

    fn enter(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        // Printing goes through more levels than reading: a template within a name within a type.
        if self.depth >= 4 * DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        Some(())
    }

    fn left_of(&mut self, id: Id) -> Option<()> {
        let nodes = self.nodes;
        match &nodes[id] {
            Node::Sequence(pieces) => self.pieces(pieces),
            Node::Nested(scope, name) => {
                self.whole(*scope)?;
                self.put("::")?;
                self.whole(*name)
            }
            Node::Template(name, arguments) => self.template(*name, arguments),
            Node::Standard(text, _) => self.put(text),
            Node::Qualified(of, qualifier) => {
                self.left(*of)?;
                self.put(qualifier)
            }
            Node::Pointer(_, sign) => {
                let (to, sign) = self.pointer(id, sign)?;
                self.left(to)?;
                match self.shape(to)? {
                    Shape::Plain => {}
                    Shape::Array => self.put(" (")?,
                    Shape::Function => self.put("(")?,
                }
                self.put(sign)
            }
            Node::Member(class, member) => {
                self.left(*member)?;
                match self.shape(*member)? {
                    Shape::Plain => self.put(" ")?,
                    Shape::Array => self.put(" (")?,
                    Shape::Function => self.put("(")?,
                }
                self.whole(*class)?;
                self.put("::*")
            }
            Node::Array(of, _) => self.left(*of),
            Node::Function(name, signature) => self.function_left(*name, signature),
            Node::Pack(elements) => match self.chosen(elements) {
                Some(chosen) => chosen.map_or(Some(()), |chosen| self.left(chosen)),
                None => self.list(elements),
            },
            Node::Expansion(pattern) => self.expansion(*pattern),
            Node::Forward(_, argument) => self.left((*argument)?),
        }
    }

    fn right_of(&mut self, id: Id) -> Option<()> {
        let nodes = self.nodes;
        match &nodes[id] {
            Node::Qualified(of, _) => self.right(*of),
            Node::Pointer(_, sign) => {
                let (to, _) = self.pointer(id, sign)?;
                if self.shape(to)? != Shape::Plain {
                    self.put(")")?;
                }
                self.right(to)
            }
            Node::Member(_, member) => {
                if self.shape(*member)? != Shape::Plain {
                    self.put(")")?;
                }
                self.right(*member)
            }
            Node::Array(of, dimension) => {
                if !self.text.ends_with(']') {
                    self.put(" ")?;
                }
                self.put("[")?;
                self.pieces(dimension)?;
                self.put("]")?;
                self.right(*of)
            }
            Node::Function(_, signature) => {
                self.put("(")?;
                self.list(&signature.parameters)?;
                self.put(")")?;
                if let Some(returned) = signature.returned {
                    self.right(returned)?;
                }
                signature.endings.iter().try_for_each(|ending| self.put(ending))
            }
            Node::Pack(elements) => match self.chosen(elements) {
                Some(Some(chosen)) => self.right(chosen),
                _ => Some(()),
            },
            Node::Forward(_, argument) => self.right((*argument)?),
            Node::Sequence(_)
            | Node::Nested(..)
            | Node::Template(..)
            | Node::Standard(..)
            | Node::Expansion(_) => Some(()),
        }
    }

    fn function_left(&mut self, name: Option<Id>, signature: &Signature) -> Option<()> {
        if let Some(returned) = signature.returned {
            self.left(returned)?;
            self.put(" ")?;
        }
        name.map_or(Some(()), |name| self.whole(name))
    }

    fn template(&mut self, name: Id, arguments: &[Id]) -> Option<()> {
        self.whole(name)?;
        self.put(if self.text.ends_with('<') { " <" } else { "<" })?;
        self.list(arguments)?;
        self.put(">")
    }

    fn pieces(&mut self, pieces: &[Piece<'a>]) -> Option<()> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.put(text)?,
                Piece::Owned(text) => self.put(text)?,
                Piece::Node(id) => self.whole(*id)?,
                Piece::List(ids) => self.list(ids)?,
            }
        }
        Some(())
    }

    /// With `, ` between them; an empty pack takes its comma along.
    fn list(&mut self, ids: &[Id]) -> Option<()> {
        let mut is_first = true;
        for id in ids {
            let before = self.text.len();
            if !is_first {
                self.put(", ")?;
            }
            let start = self.text.len();
            self.whole(*id)?;
            if self.text.len() == start {
                self.text.truncate(before);
            } else {
                is_first = false;
            }
        }
        Some(())
    }

    /// The argument of a pack that is written now: outside of an expansion None, past the pack's end
    /// Some(None).
    fn chosen(&mut self, elements: &[Id]) -> Option<Option<Id>> {
        let expanding = self.pack.as_mut()?;
        expanding.length.get_or_insert(elements.len());
        Some(elements.get(expanding.index).copied())
    }

    fn expansion(&mut self, pattern: Id) -> Option<()> {
        let outer = self.pack.replace(Expanding { index: 0, length: None });
        let start = self.text.len();
        self.whole(pattern)?;
        match self.pack.and_then(|expanding| expanding.length) {
            None => self.put("...")?,
            Some(0) => self.text.truncate(start),
            Some(length) => {
                for index in 1..length {
                    self.put(", ")?;
                    self.pack = Some(Expanding { index, length: Some(length) });
                    self.whole(pattern)?;
                }
            }
        }
        self.pack = outer;
        Some(())
    }

    /// Through packs and template parameters to what is meant; None past the limits.
    fn meant(&mut self, id: Id) -> Option<Id> {
        let nodes = self.nodes;
        let mut id = id;
        loop {
            self.steps = self.steps.checked_sub(1)?;
            id = match &nodes[id] {
                Node::Forward(_, argument) => (*argument)?,
                Node::Pack(elements) => match self.chosen(elements) {
                    Some(Some(chosen)) => chosen,
                    _ => return Some(id),
                },
                _ => return Some(id),
            };
        }
    }

    fn shape(&mut self, id: Id) -> Option<Shape> {
        let nodes = self.nodes;
        let mut id = id;
        loop {
            id = self.meant(id)?;
            match &nodes[id] {
                Node::Qualified(of, _) => id = *of,
                Node::Array(..) => return Some(Shape::Array),
                Node::Function(..) => return Some(Shape::Function),
                _ => return Some(Shape::Plain),
            }
        }
    }

    /// What a pointer or reference is to, and its sign: references to references are one, `&&` only where all
    /// are.
    fn pointer(&mut self, id: Id, sign: &'static str) -> Option<(Id, &'static str)> {
        let nodes = self.nodes;
        let (mut id, mut sign) = (id, sign);
        while let Node::Pointer(to, _) = &nodes[id] {
            let to = self.meant(*to)?;
            match &nodes[to] {
                Node::Pointer(_, inner) if sign != "*" && *inner != "*" => {
                    sign = if *inner == "&" { "&" } else { sign };
                    id = to;
                }
                _ => return Some((to, sign)),
            }
        }
        Some((id, sign))
    }
}
