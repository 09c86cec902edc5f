// SPDX-License-Identifier: Apache-2.0
//! The blacklist that ships with the program: groups of functions that report a fault rather than cause it.
//!
//! The data is `assets/guilty/*.txt`, one file a group. A file's lines are `# title: …`, `# about: …`, other
//! `#` lines, which are comments, blank lines, and entries as [`Entry::parse`] reads them, one a line.

use super::blacklist::Entry;
use std::sync::LazyLock;

/// A group of the shipped list.
pub struct DefaultGroup {
    /// What these functions are, for a person.
    pub title: String,
    /// Why they are never guilty: one sentence or two.
    pub about: String,
    /// Its entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// The groups in the order of their files' names. A line that is no entry is left out, which a test forbids.
pub fn default_groups() -> &'static [DefaultGroup] {
    &GROUPS
}

/// The entries of all groups, in their order.
pub fn default_entries() -> impl Iterator<Item = &'static Entry> {
    default_groups().iter().flat_map(|group| &group.entries)
}

static GROUPS: LazyLock<Vec<DefaultGroup>> =
    LazyLock::new(|| FILES.iter().map(|(_, text)| group(text)).collect());

/// Each file's name and text, in the order of the names.
const FILES: &[(&str, &str)] = &[
    ("10-abort-and-signals.txt", include_str!("../../assets/guilty/10-abort-and-signals.txt")),
    ("20-assertions-and-fortify.txt", include_str!("../../assets/guilty/20-assertions-and-fortify.txt")),
    ("30-cxx-exceptions.txt", include_str!("../../assets/guilty/30-cxx-exceptions.txt")),
    ("35-rust-panics.txt", include_str!("../../assets/guilty/35-rust-panics.txt")),
    ("40-start-up.txt", include_str!("../../assets/guilty/40-start-up.txt")),
    ("50-allocator.txt", include_str!("../../assets/guilty/50-allocator.txt")),
    ("60-memory-and-strings.txt", include_str!("../../assets/guilty/60-memory-and-strings.txt")),
    ("70-glib-fatal-logging.txt", include_str!("../../assets/guilty/70-glib-fatal-logging.txt")),
    ("80-kernel.txt", include_str!("../../assets/guilty/80-kernel.txt")),
];

fn group(text: &str) -> DefaultGroup {
    let mut group = DefaultGroup { title: String::new(), about: String::new(), entries: Vec::new() };
    for line in text.lines() {
        let Some(comment) = line.strip_prefix('#') else {
            group.entries.extend(Entry::parse(line));
            continue;
        };
        match comment.trim_start().split_once(':') {
            Some(("title", title)) => group.title = title.trim().to_owned(),
            Some(("about", about)) => group.about = about.trim().to_owned(),
            _ => {}
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use super::super::blacklist::Blacklist;
    use super::super::select::guilty_frame;
    use super::super::trace::Trace;
    use super::*;
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_file_is_listed_in_order() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guilty");
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn every_line_of_the_files_is_an_entry_or_a_comment() {
        for (file, text) in FILES {
            assert_eq!(text.lines().next(), Some("# SPDX-License-Identifier: Apache-2.0"), "{file}");
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let entry = Entry::parse(line).unwrap_or_else(|error| panic!("{file}: {line:?}: {error:?}"));
                assert_eq!(entry.to_string(), line, "{file}");
                assert!(!line.contains('*') || line.contains('('), "{file}: wildcards mean nothing: {line}");
            }
        }
    }

    #[test]
    fn groups_say_what_they_are_and_no_entry_comes_twice() {
        let mut seen = HashSet::new();
        for group in default_groups() {
            assert!(!group.title.is_empty() && group.about.ends_with('.'), "{}", group.title);
            assert!(group.entries.len() > 10, "{}", group.title);
        }
        for entry in default_entries() {
            assert!(seen.insert(entry), "{entry} comes twice");
        }
    }

    #[test]
    fn with_the_shipped_list_the_samples_have_guilties_that_make_sense() {
        let list = Blacklist::new(default_entries().cloned());
        let cases = [
            ("crash-abort.txt", Some("release_buffer()")),
            ("crash-c.txt", Some("list_find()")),
            ("crash-cpp.txt", Some("_ZN6render15SoftwarePainterIhE4fillERNS_7SurfaceEh()")),
            ("crash-stripped.txt", Some("???")),
            ("klog-badness.txt", None),
            ("klog-bug.txt", Some("? _nv007312rm")),
            ("klog-gpf.txt", Some("alloc_pipe_info")),
            ("klog-kernel_null_pointer.txt", Some("fat_detach")),
            ("klog-warn_on.txt", Some("dev_watchdog")),
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads");
        for (file, expected) in cases {
            let payload = fs::read_to_string(folder.join(file)).unwrap();
            let trace = Trace::parse(&payload);
            let frames = trace.crashing();
            let guilty = guilty_frame(frames.iter().map(|frame| (frame.function, frame.module)), &list);
            assert_eq!(guilty.map(|index| frames[index].function), expected, "{file}");
        }
    }
}
