// SPDX-License-Identifier: Apache-2.0
//! Regular expressions as Go reads them, for a library that reads a few things otherwise: there `\d` knows all digits
//! of the world, `[` within brackets nests, and a `{` that repeats nothing is a fault.

use regex::{Regex, RegexBuilder};

/// Bytes of an expression, so that it cannot hold up whoever compiles it.
const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a compiled expression, and of what it remembers while it searches.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const REMEMBERED_BYTES_MAX: usize = 256 * 1024;

/// Compiles an expression. Fails with a sentence that shows where it is wrong, or that it is too large.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("A regular expression has more than {PATTERN_BYTES_MAX} bytes"));
    }
    RegexBuilder::new(&translate(pattern))
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(REMEMBERED_BYTES_MAX)
        .build()
        .map_err(|error| format!("The regular expression {pattern:?} is not valid: {error}"))
}

/// The same expression in the library's own dialect.
fn translate(go: &str) -> String {
    let mut out = String::with_capacity(go.len() + 16);
    let mut rest = go;
    let mut is_in_class = false;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escape(rest, is_in_class, &mut out),
            '[' if !is_in_class => {
                is_in_class = true;
                open_class(rest, &mut out)
            }
            '[' => match rest.strip_prefix("[:").and_then(|tail| tail.find(":]")) {
                Some(at) => copy(&rest[..at + 4], &mut out),
                None => write(r"\[", 1, &mut out),
            },
            ']' if is_in_class => {
                is_in_class = false;
                write("]", 1, &mut out)
            }
            '&' | '~' if is_in_class => write(&format!("\\{c}"), 1, &mut out),
            '{' if !is_in_class && !is_repetition(rest) => write(r"\{", 1, &mut out),
            _ => copy(&rest[..c.len_utf8()], &mut out),
        };
        rest = &rest[taken..];
    }
    out
}

/// Appends what stands for `len` bytes of the original, and gives that length.
fn write(text: &str, len: usize, out: &mut String) -> usize {
    out.push_str(text);
    len
}

fn copy(text: &str, out: &mut String) -> usize {
    write(text, text.len(), out)
}

/// `[`, `[^`, and a `]` that comes first and is one of the characters.
fn open_class(rest: &str, out: &mut String) -> usize {
    let open = if rest.starts_with("[^") { "[^" } else { "[" };
    out.push_str(open);
    match rest[open.len()..].starts_with(']') {
        true => write(r"\]", open.len() + 1, out),
        false => open.len(),
    }
}

fn escape(rest: &str, is_in_class: bool, out: &mut String) -> usize {
    let Some(c) = rest[1..].chars().next() else { return copy(rest, out) };
    match c {
        'd' => write("[0-9]", 2, out),
        'D' => write("[^0-9]", 2, out),
        's' => write(r"[\t\n\x0C\r ]", 2, out),
        'S' => write(r"[^\t\n\x0C\r ]", 2, out),
        'w' => write("[0-9A-Za-z_]", 2, out),
        'W' => write("[^0-9A-Za-z_]", 2, out),
        'b' if !is_in_class => write(r"(?-u:\b)", 2, out),
        'B' if !is_in_class => write(r"(?-u:\B)", 2, out),
        'Q' => {
            let quoted = &rest[2..];
            let len = quoted.find(r"\E").unwrap_or(quoted.len());
            out.push_str(&regex::escape(&quoted[..len]));
            (2 + len + 2).min(rest.len())
        }
        c if c.is_ascii_punctuation() => write(&regex::escape(&c.to_string()), 2, out),
        c => copy(&rest[..1 + c.len_utf8()], out),
    }
}

/// True for `{3}`, `{3,}` and `{3,5}` at the beginning.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty() && [low, high].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_mean_what_they_mean_in_go() {
        for (pattern, text, is_match) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "\u{0663}", false),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\d]$", "a", true),
            (r"\bssh\b", "an ssh key", true),
            (r"\Bsh", "ssh", true),
            (r"^[[]a$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]a]$", "b", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[[:alpha:]_]+$", "ab_", true),
            (r"^{x}$", "{x}", true),
            (r"^a{2}$", "aa", true),
            (r"^a{2,}$", "aaa", true),
            (r"^a{,3}$", "a{,3}", true),
            (r"^\<a\>$", "<a>", true),
            (r"^a\/b$", "a/b", true),
            (r"^\Qa.b[\E.$", "a.b[c", true),
            (r"^\Qa.b", "a.bc", true),
            (r"^(?i)É$", "é", true),
            (r"^root:\$6", "root:$6$x", true),
            (r"^((#.+)|(\s+)|ssh-rsa [A-Za-z0-9+/=]+)$", "# a key", true),
            (r"\x41\pL", "AB", true),
            (r"^.$", "\u{fffd}", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), is_match, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_wrong_or_too_large_is_refused() {
        let long = "a".repeat(PATTERN_BYTES_MAX + 1);
        let deep = "(".repeat(5_000) + &")".repeat(5_000);
        for bad in
            ["(", "[a", r"\", "a**b(", "(?=a)", r"\1", r"(a{1000}){1000}", r"\pL{500}{500}", &long, &deep]
        {
            assert!(compile(bad).is_err(), "{}", &bad[..bad.len().min(40)]);
        }
    }

    proptest! {
        #[test]
        fn no_expression_is_too_much(pattern in r"([\\\[\]\^{}()dDsSwWbBQE&~:,0-9a-c<é]|.){0,30}") {
            let _ = compile(&pattern);
        }
    }
}
