// SPDX-License-Identifier: Apache-2.0
//! The operators of C++: their codes, how they are written, how an expression uses them.

/// How an expression uses an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Before its one operand.
    Prefix,
    /// `++` and `--`: before its operand where a `_` is in front, else behind it.
    Step,
    /// Between two operands.
    Binary,
    /// `.` and its like, between two operands and tight.
    Member,
    /// With a form of its own that is read by its code.
    Special,
    /// As [`Use::Special`], and never the name of a function.
    Expression,
    /// `static_cast<type>(operand)`; never the name of a function.
    Cast,
}

/// An operator.
pub(super) struct Operator {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
    pub(super) used: Use,
}

/// The operator whose code the text begins with.
pub(super) fn find(text: &str) -> Option<&'static Operator> {
    let code = text.get(..2)?;
    OPERATORS.iter().find(|operator| operator.code == code)
}

const fn row(code: &'static str, text: &'static str, used: Use) -> Operator {
    Operator { code, text, used }
}

const OPERATORS: &[Operator] = &[
    row("aN", "&=", Use::Binary),
    row("aS", "=", Use::Binary),
    row("aa", "&&", Use::Binary),
    row("ad", "&", Use::Prefix),
    row("an", "&", Use::Binary),
    row("at", "alignof", Use::Expression),
    row("aw", "co_await", Use::Prefix),
    row("az", "alignof", Use::Expression),
    row("cc", "const_cast", Use::Cast),
    row("cl", "()", Use::Special),
    row("cm", ",", Use::Binary),
    row("co", "~", Use::Prefix),
    row("cv", "", Use::Expression),
    row("dV", "/=", Use::Binary),
    row("da", "delete[]", Use::Special),
    row("dc", "dynamic_cast", Use::Cast),
    row("de", "*", Use::Prefix),
    row("dl", "delete", Use::Special),
    row("ds", ".*", Use::Member),
    row("dt", ".", Use::Member),
    row("dv", "/", Use::Binary),
    row("eO", "^=", Use::Binary),
    row("eo", "^", Use::Binary),
    row("eq", "==", Use::Binary),
    row("ge", ">=", Use::Binary),
    row("gt", ">", Use::Binary),
    row("ix", "[]", Use::Special),
    row("lS", "<<=", Use::Binary),
    row("le", "<=", Use::Binary),
    row("ls", "<<", Use::Binary),
    row("lt", "<", Use::Binary),
    row("mI", "-=", Use::Binary),
    row("mL", "*=", Use::Binary),
    row("mi", "-", Use::Binary),
    row("ml", "*", Use::Binary),
    row("mm", "--", Use::Step),
    row("na", "new[]", Use::Special),
    row("ne", "!=", Use::Binary),
    row("ng", "-", Use::Prefix),
    row("nt", "!", Use::Prefix),
    row("nw", "new", Use::Special),
    row("nx", "noexcept", Use::Expression),
    row("oR", "|=", Use::Binary),
    row("oo", "||", Use::Binary),
    row("or", "|", Use::Binary),
    row("pL", "+=", Use::Binary),
    row("pl", "+", Use::Binary),
    row("pm", "->*", Use::Member),
    row("pp", "++", Use::Step),
    row("ps", "+", Use::Prefix),
    row("pt", "->", Use::Member),
    row("qu", "?", Use::Special),
    row("rM", "%=", Use::Binary),
    row("rS", ">>=", Use::Binary),
    row("rc", "reinterpret_cast", Use::Cast),
    row("rm", "%", Use::Binary),
    row("rs", ">>", Use::Binary),
    row("sZ", "sizeof...", Use::Expression),
    row("sP", "sizeof...", Use::Expression),
    row("sc", "static_cast", Use::Cast),
    row("sp", "...", Use::Expression),
    row("ss", "<=>", Use::Binary),
    row("st", "sizeof", Use::Expression),
    row("sz", "sizeof", Use::Expression),
    row("te", "typeid", Use::Expression),
    row("ti", "typeid", Use::Expression),
    row("tr", "throw", Use::Expression),
    row("tw", "throw ", Use::Expression),
];
