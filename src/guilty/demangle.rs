// SPDX-License-Identifier: Apache-2.0
//! Functions as people read them: C++ and Rust symbols demangled. For showing and for matching, never for
//! storing.

use super::itanium;
use super::trace::function_name;
use rustc_demangle::try_demangle;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// Longer symbols are shown as they are.
const SYMBOL_BYTES_MAX: usize = 4_096;
/// What is shown is no longer, but for the mark that it was cut.
const SHOWN_BYTES_MAX: usize = 2_000;

/// A function as people read it: demangled where it is a C++ (Itanium) or Rust (legacy or v0) symbol, without
/// `()` and `@VERSION` then; else as it is. Also as it is where the symbol is longer than 4 KiB, broken, or
/// nested too deep, or where it would be longer than 2,000 bytes. A name that is longer as it is is cut there
/// and ends in `…`.
///
/// Time, memory and stack are bounded whatever the name is.
pub fn demangled(function: &str) -> Cow<'_, str> {
    let name = function_name(function);
    let (doubt, symbol) = name.strip_prefix("? ").map_or(("", name), |symbol| ("? ", symbol));
    match readable(symbol) {
        Some(text) if doubt.is_empty() => Cow::Owned(text),
        Some(text) => Cow::Owned(format!("{doubt}{text}")),
        None => cut(function),
    }
}

fn readable(symbol: &str) -> Option<String> {
    rust_path(symbol).or_else(|| {
        let is_fit = symbol.len() <= SYMBOL_BYTES_MAX;
        is_fit.then(|| itanium::demangle(symbol, SHOWN_BYTES_MAX)).flatten()
    })
}

/// The path of a Rust function, without the hash that its symbol ends in and that changes with each compiler;
/// None where it is no Rust symbol or too long.
pub(super) fn rust_path(symbol: &str) -> Option<String> {
    let is_rust = symbol.starts_with("_R") || is_legacy_rust(symbol);
    if !is_rust || symbol.len() > SYMBOL_BYTES_MAX {
        return None;
    }
    let demangled = try_demangle(symbol).ok()?;
    let mut text = Bounded { text: String::new() };
    write!(text, "{demangled:#}").ok()?;
    Some(text.text)
}

/// True for `_ZN…17h` and a hash of 16 digits, `E`, perhaps with more behind a dot: what tells Rust from C++.
fn is_legacy_rust(symbol: &str) -> bool {
    const HASH_DIGITS: usize = 16;
    if !symbol.starts_with("_ZN") {
        return false;
    }
    let Some(at) = symbol.rfind("17h") else { return false };
    let rest = &symbol.as_bytes()[at + "17h".len()..];
    let is_hash = |hash: &[u8]| hash.iter().all(u8::is_ascii_hexdigit);
    let end = rest.get(HASH_DIGITS..).unwrap_or_default();
    end.first() == Some(&b'E') && is_hash(&rest[..HASH_DIGITS]) && matches!(end.get(1), None | Some(b'.'))
}

fn cut(function: &str) -> Cow<'_, str> {
    if function.len() <= SHOWN_BYTES_MAX {
        return Cow::Borrowed(function);
    }
    Cow::Owned(format!("{}…", &function[..function.floor_char_boundary(SHOWN_BYTES_MAX)]))
}

/// Takes no more than may be shown: a symbol of 4 KiB can stand for gigabytes.
struct Bounded {
    text: String,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.text.len() + more.len() > SHOWN_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_shown_as_people_read_them() {
        let cases = [
            ("main()", "main()"),
            ("", ""),
            ("???", "???"),
            ("? _nv007312rm", "? _nv007312rm"),
            ("_ZN1AclEi()", "A::operator()(int)"),
            ("_ZN1AclEi@@V_1()", "A::operator()(int)"),
            // Rust, legacy: without the hash
            ("_ZN4core9panicking9panic_fmt17h986431a242f411cbE()", "core::panicking::panic_fmt"),
            ("_ZN4core9panicking9panic_fmt17h986431a242f411cbE.llvm.123", "core::panicking::panic_fmt"),
            (
                "_ZN3std9panicking19begin_panic_handler28_$u7b$$u7b$closure$u7d$$u7d$17hc386f35dc490294fE",
                "std::panicking::begin_panic_handler::{{closure}}",
            ),
            // Rust, v0
            ("_RNvNtCs5QSdWC790r4_4core9panicking9panic_fmt()", "core::panicking::panic_fmt"),
            ("? _RNvNtCs5QSdWC790r4_4core9panicking9panic_fmt", "? core::panicking::panic_fmt"),
            // C++ that ends as a Rust name might
            ("_ZN3foo3barE", "foo::bar"),
            ("_ZN3foo17h98643E", "_ZN3foo17h98643E"),
            // neither
            ("_ZN3fo", "_ZN3fo"),
            ("_R", "_R"),
            ("_Zebra", "_Zebra"),
            ("std::terminate()", "std::terminate()"),
        ];
        for (function, expected) in cases {
            assert_eq!(demangled(function), expected, "{function}");
        }
    }

    #[test]
    fn long_names_are_cut_and_long_symbols_are_left() {
        let long = "ä".repeat(SHOWN_BYTES_MAX);
        let shown = demangled(&long);
        assert!(shown.ends_with('…') && shown.len() <= SHOWN_BYTES_MAX + "…".len());
        assert!(long.starts_with(shown.trim_end_matches('…')));
        let symbol = format!("_Z{}{}v", SYMBOL_BYTES_MAX, "a".repeat(SYMBOL_BYTES_MAX));
        assert!(demangled(&symbol).starts_with("_Z4096aaa"));
        let symbol = format!("_Z1900{}v", "a".repeat(1900));
        assert_eq!(demangled(&symbol).len(), 1902);
        let symbol = format!("_Z1999{}v", "a".repeat(1999));
        assert!(demangled(&symbol).starts_with("_Z1999aaa"));
    }

    #[test]
    fn a_rust_symbol_that_stands_for_gigabytes_is_left() {
        // Each reference is to a pair of the one before it.
        let mut symbol = "_RINvC1a1bTuuE".to_owned();
        let mut at = "INvC1a1b".len();
        for _ in 0..40 {
            let start = symbol.len() - "_R".len();
            let reference = format!("B{}", base_62(at));
            symbol.push_str(&format!("T{reference}{reference}E"));
            at = start;
        }
        symbol.push('E');
        assert_eq!(demangled(&symbol), symbol);
        // With two of them it is a Rust symbol.
        assert!(demangled("_RINvC1a1bTuuETB7_B7_EE").starts_with("a::b::<((), ()), (("));
    }

    fn base_62(number: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut left = match number {
            0 => return "_".to_owned(),
            _ => number - 1,
        };
        let mut digits = vec![DIGITS[left % 62] as char];
        while left >= 62 {
            left /= 62;
            digits.insert(0, DIGITS[left % 62] as char);
        }
        digits.into_iter().collect::<String>() + "_"
    }
}
