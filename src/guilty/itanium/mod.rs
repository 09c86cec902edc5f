// SPDX-License-Identifier: Apache-2.0
//! C++ symbols (Itanium ABI) made readable, in bounded time, memory and stack whatever the symbol is.
//!
//! A symbol is read once from left to right: what comes next always follows from the next letters, nothing is
//! tried and taken back, because that is what makes demanglers exponential. [`name`], [`types`] and
//! [`expression`] read into an arena of [`Node`]s, [`print`] writes them. Where the symbol breaks the
//! grammar, uses a rare part of it that is not known here, or goes past a limit, there is no answer, and the
//! caller shows the symbol as it is.

mod expression;
mod name;
mod operators;
mod print;
mod types;

/// Types, expressions and functions within one another. They need 100 KiB of stack; 350 KiB without
/// optimization.
const DEPTH_MAX: u32 = 96;
/// How many levels of depth an expression counts: reading one needs that much more stack than reading a type.
const EXPRESSION_LEVELS: u32 = 4;
/// Steps of reading and steps of printing; a symbol of 4 KiB takes at most a few thousand.
const STEPS_MAX: u32 = 50_000;

/// The index of a node in its arena.
type Id = usize;

/// A part of a name, a type or an expression.
enum Node<'a> {
    /// Pieces one after another.
    Sequence(Vec<Piece<'a>>),
    /// `scope::name`.
    Nested(Id, Id),
    /// `name<arguments>`.
    Template(Id, Vec<Id>),
    /// `std::string` and its like: how it is written, and the name of its constructor.
    Standard(&'static str, &'static str),
    /// A type with `const` and its like behind it.
    Qualified(Id, &'static str),
    /// A pointer (`*`) or reference (`&`, `&&`).
    Pointer(Id, &'static str),
    /// A pointer to a member: the class, the member's type.
    Member(Id, Id),
    /// An array and its dimension, which may be empty.
    Array(Id, Vec<Piece<'a>>),
    /// A function: its name where it is one rather than a type, and what it takes and gives.
    Function(Option<Id>, Signature),
    /// The arguments of a template parameter pack; one of them while an expansion is printed.
    Pack(Vec<Id>),
    /// `pattern...`: the pattern once for each argument of the packs in it.
    Expansion(Id),
    /// A template parameter that is known only later in the symbol: its number, then the argument.
    Forward(usize, Option<Id>),
}

/// What a function takes and gives.
struct Signature {
    returned: Option<Id>,
    parameters: Vec<Id>,
    /// `const` and its like, `&`, `noexcept`, with a space before each.
    endings: Vec<&'static str>,
}

/// What a sequence is made of.
enum Piece<'a> {
    Text(&'a str),
    Owned(String),
    Node(Id),
    /// Nodes with `, ` between them.
    List(Vec<Id>),
}

/// Reads a symbol; everything that is read is in `nodes`.
struct Reader<'a> {
    /// What is not read yet.
    rest: &'a str,
    nodes: Vec<Node<'a>>,
    /// What `S_`, `S0_` … stand for.
    substitutions: Vec<Id>,
    /// What `T_`, `T0_` … stand for.
    arguments: Vec<Id>,
    /// The [`Node::Forward`]s whose argument is not known yet.
    forwards: Vec<Id>,
    /// True within a conversion operator's type: its template parameters may come later in the symbol.
    is_in_conversion: bool,
    /// True there too, but for what is within template arguments: `I` behind a template parameter or a
    /// substitution belongs to the operator rather than to the type.
    is_without_arguments: bool,
    /// True within the parameters of a lambda, whose own template parameters are `auto`.
    is_in_lambda: bool,
    depth: u32,
    steps: u32,
}

/// The symbol as a person reads it, at most `bytes_max` bytes of it; None where it is no C++ symbol that can
/// be read or it is longer.
pub(super) fn demangle(symbol: &str, bytes_max: usize) -> Option<String> {
    let mut reader = Reader {
        rest: symbol.strip_prefix("_Z")?,
        nodes: Vec::new(),
        substitutions: Vec::new(),
        arguments: Vec::new(),
        forwards: Vec::new(),
        is_in_conversion: false,
        is_without_arguments: false,
        is_in_lambda: false,
        depth: 0,
        steps: STEPS_MAX,
    };
    let root = reader.encoding()?;
    let clone = reader.rest;
    let is_clone = clone.is_empty() || clone.starts_with('.');
    if !is_clone || reader.nodes.iter().any(|node| matches!(node, Node::Forward(_, None))) {
        return None;
    }
    let mut text = print::text(&reader.nodes, root, bytes_max)?;
    if !clone.is_empty() {
        text = format!("{text} [clone {clone}]");
    }
    (text.len() <= bytes_max).then_some(text)
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Reads `text` if it is next.
    fn takes(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads `text`, which has to be next.
    fn expect(&mut self, text: &str) -> Option<()> {
        self.takes(text).then_some(())
    }

    /// Reads one of `letters` if it is next.
    fn takes_one_of(&mut self, letters: &str) -> Option<char> {
        let letter = self.rest.chars().next().filter(|letter| letters.contains(*letter))?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    /// Reads as many digits as there are, perhaps none.
    fn digits(&mut self) -> &'a str {
        let end = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits
    }

    /// Reads a number and the `_` behind it: 0 for `_`, 1 for `0_`, 2 for `1_`.
    fn index(&mut self) -> Option<usize> {
        let digits = self.digits();
        self.expect("_")?;
        if digits.is_empty() { Some(0) } else { digits.parse::<usize>().ok()?.checked_add(1) }
    }

    /// Reads up to `end`, which is read too.
    fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(before)
    }

    fn add(&mut self, node: Node<'a>) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn add_text(&mut self, text: &'a str) -> Id {
        self.add(Node::Sequence(vec![Piece::Text(text)]))
    }

    /// A node that a later `S…_` may stand for.
    fn remember(&mut self, id: Id) -> Id {
        self.substitutions.push(id);
        id
    }

    /// Reads what lies so many levels deeper; None past the limits.
    fn deeper<T>(&mut self, levels: u32, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth + levels > DEPTH_MAX {
            return None;
        }
        self.step()?;
        self.depth += levels;
        let result = read(self);
        self.depth -= levels;
        result
    }

    fn step(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        Some(())
    }
}

#[cfg(test)]
mod tests;
