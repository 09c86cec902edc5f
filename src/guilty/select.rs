// SPDX-License-Identifier: Apache-2.0
//! The rule that picks the guilty among the frames of a thread.

use super::blacklist::Blacklist;
use super::trace::function_name;

/// The index of the guilty among the frames of the crashing thread, top first: (function as sent or as
/// [`function_name`] makes it, module). It is the first frame that is not in `blacklist` and has symbols;
/// else the first that is not in it; else the last frame. None where there is no frame.
pub fn guilty_frame<'a>(
    frames: impl IntoIterator<Item = (&'a str, &'a str)>,
    blacklist: &Blacklist,
) -> Option<usize> {
    let mut frames = frames.into_iter().enumerate().peekable();
    let mut nameless = None;
    let mut last = None;
    while let Some((index, (function, module))) = frames.next() {
        last = Some(index);
        let name = function_name(function);
        if blacklist.holds(name, module, frames.peek().is_none()) {
            continue;
        }
        if has_symbols(name) {
            return Some(index);
        }
        nameless = nameless.or(last);
    }
    nameless.or(last)
}

/// False for `???`, and for `? name`: an address that the kernel found on the stack and is not sure of.
pub fn has_symbols(function: &str) -> bool {
    let name = function_name(function);
    name != "???" && !name.starts_with("? ")
}

#[cfg(test)]
mod tests {
    use super::super::blacklist::Entry;
    use super::super::trace::Trace;
    use super::*;
    use std::fs;
    use std::path::Path;

    fn chosen(frames: &[(&str, &str)], entries: &[&str]) -> Option<usize> {
        let entries = entries.iter().map(|text| Entry::parse(text).unwrap());
        guilty_frame(frames.iter().copied(), &Blacklist::new(entries))
    }

    #[test]
    fn the_first_frame_with_symbols_that_is_not_listed_is_guilty() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], Option<usize>);
        let cases: &[Case<'_>] = &[
            (&[], &[], None),
            (&[("a()", "x"), ("b()", "x")], &[], Some(0)),
            (&[("a()", "x"), ("b()", "x")], &["a"], Some(1)),
            (&[("a", "x"), ("a", "y")], &["a [x]"], Some(1)),
            (&[("a@@V_1.2()", "x"), ("b", "x")], &["a"], Some(1)),
            // without symbols: skipped, remembered, used where nothing better is left
            (&[("???", "x"), ("a", "x")], &[], Some(1)),
            (&[("???", "x"), ("? a", "x"), ("b", "x")], &["b"], Some(0)),
            (&[("b", "x"), ("? a", "x"), ("???", "x")], &["b"], Some(1)),
            // listed comes before without symbols
            (&[("???", "x"), ("? a", "kernel"), ("b", "x")], &["??? [x]", "b"], Some(1)),
            (&[("? a", "kernel"), ("? b", "kernel")], &["? a"], Some(1)),
            // everything is listed: the last of the walk
            (&[("a", "x"), ("b", "x"), ("c", "x")], &["a", "b", "c"], Some(2)),
            (&[("???", "x")], &["???"], Some(0)),
            // the fixed entries
            (&[("_start()", "x"), ("a", "x")], &[], Some(0)),
            (&[("__libc_start_main@@GLIBC_2.34()", "libc.so.6"), ("_start()", "x")], &[], Some(1)),
            (&[("__libc_start_main()", "libc.so.6"), ("a", "x"), ("_start()", "x")], &[], Some(1)),
            (&[("???", "x"), ("_start()", "x")], &[], Some(0)),
        ];
        for (frames, entries, expected) in cases {
            assert_eq!(chosen(frames, entries), *expected, "{frames:?} {entries:?}");
        }
    }

    #[test]
    fn with_an_empty_list_the_samples_have_the_guilties_of_their_index() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads");
        let index = fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
        let mut guilty_count = 0;
        for line in index.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [file, .., function, module] = columns[..] else { panic!("{line}") };
            let payload = fs::read_to_string(folder.join(file)).unwrap();
            let trace = Trace::parse(&payload);
            let frames = trace.crashing().iter();
            let guilty =
                guilty_frame(frames.map(|frame| (frame.function, frame.module)), &Blacklist::empty());
            let found = guilty.map(|at| (trace.crashing()[at].function, trace.crashing()[at].module));
            assert_eq!(found.unwrap_or_default(), (function, module), "{file}");
            guilty_count += usize::from(!function.is_empty());
        }
        assert!(guilty_count >= 8);
    }
}
