// SPDX-License-Identifier: Apache-2.0
//! The functions that are never guilty: what an entry is, and whether a list holds a frame.

use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::demangle::rust_path;
use super::trace::function_name;

/// The two fixed entries as a person reads them; they are in every list but [`Blacklist::empty`].
pub const FIXED: &[&str] = &["_start, as the last frame of its thread", "__libc_start_main [libc.so.6]"];

/// An entry's text is no longer, in characters.
pub const ENTRY_CHARS_MAX: usize = 2_000;

/// An entry: a function in any module or in one. A Rust function is best named by its path as people read it
/// (`core::panicking::panic_fmt`): its symbol ends in a hash that differs from compiler to compiler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The function's name, as [`function_name`] makes it.
    pub name: String,
    /// The one module that it holds for; None for any. The empty text is a frame whose module is not known.
    pub module: Option<String>,
}

impl Entry {
    /// Reads `function` or `function [module]`, as [`Entry`]'s `Display` writes them. The function may have
    /// its `()` and `@VERSION`. Invalid where the text is empty, has control characters, is longer than
    /// [`ENTRY_CHARS_MAX`] or is a module without a function.
    pub fn parse(text: &str) -> Result<Entry> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::invalid("An entry needs a function, as in: abort [libc.so.6]"));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("An entry cannot have control characters, such as line ends, in it"));
        }
        let chars = text.chars().count();
        if chars > ENTRY_CHARS_MAX {
            let why = format!("An entry may have {ENTRY_CHARS_MAX} characters, this one has {chars}");
            return Err(Error::invalid(why));
        }
        let (function, module) = match bracket(text) {
            Some(at) => (&text[..at], Some(text[at + 1..text.len() - 1].trim().to_owned())),
            None => (text, None),
        };
        let name = function_name(function).to_owned();
        if name.is_empty() {
            return Err(Error::invalid(
                "An entry needs a function before its module, as in: abort [libc.so.6]",
            ));
        }
        Ok(Entry { name, module })
    }

    /// Every entry that holds a function of this module, the best one first: by the path of a Rust function,
    /// then by its name, each in this module and in any. `name` is as [`function_name`] makes it.
    pub fn holding(name: &str, module: &str) -> Vec<Entry> {
        let modules = [Some(module.to_owned()), None];
        names(name)
            .flat_map(|name| modules.clone().map(|module| Entry { name: name.clone(), module }))
            .collect()
    }
}

/// The names by which an entry may hold a function: the path of a Rust function, then `name` itself.
pub fn names(name: &str) -> impl Iterator<Item = String> {
    path(name).into_iter().chain([name.to_owned()])
}

/// The path of a Rust function; None for one without a crate before it, which could be any function of C.
fn path(name: &str) -> Option<String> {
    rust_path(name).filter(|path| path.contains("::"))
}

/// Where the bracket of the module opens: the one that matches the last, behind a space or at the very start.
/// None where there is no module; `foo [clone .cold]` is how a demangled name says that it is a part of a
/// function.
fn bracket(text: &str) -> Option<usize> {
    text.strip_suffix(']')?;
    let is_start = |at: usize| text[..at].ends_with(' ') || at == 0;
    let mut depth = 0_usize;
    let mut matching = None;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            matching = Some(at);
            break;
        }
    }
    // Brackets within a module need not be in pairs; then the last one behind a space has to do.
    let at = matching.filter(|&at| is_start(at)).or_else(|| text.rfind(" [").map(|at| at + 1))?;
    (!text[at + 1..].starts_with("clone .")).then_some(at)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{} [{module}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The functions that are never guilty, ready to be asked about frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blacklist {
    anywhere: HashSet<String>,
    /// The names that are held in some modules only, and these modules.
    somewhere: HashMap<String, HashSet<String>>,
    has_fixed: bool,
    /// True where an entry may be the path of a Rust function, so that symbols have to be made paths to be
    /// found.
    has_paths: bool,
}

impl Blacklist {
    /// A list of these entries and the two fixed ones.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Blacklist {
        let mut list = Blacklist { has_fixed: true, ..Blacklist::empty() };
        for entry in entries {
            list.has_paths |= entry.name.contains("::");
            match entry.module {
                Some(module) => {
                    list.somewhere.entry(entry.name).or_default().insert(module);
                }
                None => {
                    list.anywhere.insert(entry.name);
                }
            }
        }
        list
    }

    /// A list of nothing, the two fixed entries off too.
    pub fn empty() -> Blacklist {
        Blacklist { anywhere: HashSet::new(), somewhere: HashMap::new(), has_fixed: false, has_paths: false }
    }

    /// True where a function of this module is never guilty. `name` is as [`function_name`] makes it;
    /// `is_last` says that it is the bottom frame of its thread, the only place where `_start` is fixed. The
    /// symbol of a Rust function is held too where the list has its path.
    pub fn holds(&self, name: &str, module: &str, is_last: bool) -> bool {
        let is_fixed = match name {
            "_start" => is_last,
            "__libc_start_main" => module == "libc.so.6",
            _ => false,
        };
        (self.has_fixed && is_fixed)
            || self.has_entry(name, module)
            || (self.has_paths && path(name).is_some_and(|path| self.has_entry(&path, module)))
    }

    fn has_entry(&self, name: &str, module: &str) -> bool {
        self.anywhere.contains(name)
            || self.somewhere.get(name).is_some_and(|modules| modules.contains(module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_function_and_perhaps_a_module() {
        let cases = [
            ("abort", "abort", None),
            ("  abort [libc.so.6] ", "abort", Some("libc.so.6")),
            ("abort() [libc.so.6]", "abort", Some("libc.so.6")),
            ("memcpy@@GLIBC_2.14 [libc.so.6]", "memcpy", Some("libc.so.6")),
            ("? dump_stack [kernel]", "? dump_stack", Some("kernel")),
            ("operator new[](unsigned long)", "operator new[](unsigned long)", None),
            ("operator new[] [libstdc++.so.6]", "operator new[]", Some("libstdc++.so.6")),
            ("name[abi:cxx11]", "name[abi:cxx11]", None),
            ("grow() [clone .cold]", "grow() [clone .cold]", None),
            ("gettime [[vdso: 12]]", "gettime", Some("[vdso: 12]")),
            ("f [/opt/a [b]]", "f", Some("/opt/a [b]")),
            ("f [/opt/a]b]", "f", Some("/opt/a]b")),
            ("f []", "f", Some("")),
            ("Größe [größe.so]", "Größe", Some("größe.so")),
        ];
        for (text, name, module) in cases {
            let entry = Entry::parse(text).unwrap();
            assert_eq!((entry.name.as_str(), entry.module.as_deref()), (name, module), "{text}");
            assert_eq!(Entry::parse(&entry.to_string()).unwrap(), entry, "{text}");
        }
    }

    #[test]
    fn an_entry_that_is_none_is_refused() {
        let long = "x".repeat(ENTRY_CHARS_MAX + 1);
        for text in ["", "  ", "[libc.so.6]", "a\0b", "a\nb", &long] {
            let error = Entry::parse(text).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Invalid, "{text:?}");
        }
        assert!(Entry::parse(&"ä".repeat(ENTRY_CHARS_MAX)).is_ok());
    }

    #[test]
    fn every_entry_that_holds_a_function_is_known_the_best_first() {
        let legacy = "_ZN4core9panicking9panic_fmt17h986431a242f411cbE";
        let in_app = format!("{legacy} [app]");
        let cases: &[(&str, &[&str])] = &[
            ("abort", &["abort [app]", "abort"]),
            ("_ZN3foo3barEv", &["_ZN3foo3barEv [app]", "_ZN3foo3barEv"]),
            (legacy, &["core::panicking::panic_fmt [app]", "core::panicking::panic_fmt", &in_app, legacy]),
        ];
        for (name, expected) in cases {
            let holding = Entry::holding(name, "app");
            assert_eq!(holding.iter().map(Entry::to_string).collect::<Vec<_>>(), *expected);
            for entry in holding {
                assert!(Blacklist::new([entry.clone()]).holds(name, "app", false), "{entry}");
            }
        }
    }

    #[test]
    fn a_list_holds_its_entries_and_the_two_fixed_ones() {
        let entries = ["abort [libc.so.6]", "g_log", "core::panicking::panic_fmt", "std::rt::run [app]"];
        let list = Blacklist::new(entries.map(|text| Entry::parse(text).unwrap()));
        let legacy = "_ZN4core9panicking9panic_fmt17h986431a242f411cbE";
        let cases = [
            ("abort", "libc.so.6", false, true),
            ("abort", "app", false, false),
            ("g_log", "libglib-2.0.so.0", false, true),
            ("g_log", "", false, true),
            ("g_lo", "", false, false),
            ("_start", "app", true, true),
            ("_start", "app", false, false),
            ("__libc_start_main", "libc.so.6", false, true),
            ("__libc_start_main", "app", true, false),
            (legacy, "app", false, true),
            ("_RNvNtCs5QSdWC790r4_4core9panicking9panic_fmt", "app", false, true),
            ("_RNvNtCs5QSdWC790r4_4core9panicking9panic_str", "app", false, false),
            ("_ZN3std2rt3run17h986431a242f411cbE", "app", false, true),
            ("_ZN3std2rt3run17h986431a242f411cbE", "lib", false, false),
        ];
        for (name, module, is_last, expected) in cases {
            assert_eq!(list.holds(name, module, is_last), expected, "{name} [{module}]");
        }
        let mut main = Blacklist::new([Entry::parse("main").unwrap(), Entry::parse("a::b").unwrap()]);
        assert!(main.holds("main", "app", false));
        for has_paths in [true, false] {
            main.has_paths = has_paths;
            assert!(!main.holds("_ZN4main17h986431a242f411cbE", "app", false));
        }
        assert_eq!(FIXED.len(), 2);
        let empty = Blacklist::empty();
        assert!(!empty.holds("_start", "app", true) && !empty.holds("__libc_start_main", "libc.so.6", false));
        assert_ne!(empty, Blacklist::new([]));
    }
}
