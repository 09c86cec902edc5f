// SPDX-License-Identifier: Apache-2.0
//! The frames of one crash payload as HTML, for the record page and the page of backtraces.
//!
//! Payloads are hostile: names are cut, and a [`Budget`] bounds what all frames of a page take together.

use crate::guilty::demangled;
use crate::views::text;
use maud::{Markup, html};
use std::borrow::Cow;

/// Characters of a function that a table shows; its title has more.
const FUNCTION_CHARS_MAX: usize = 300;
/// Characters of a function in a title.
const TITLE_CHARS_MAX: usize = 1_000;
/// Characters of a module or a source.
const PLACE_CHARS_MAX: usize = 200;
/// What a frame takes beside its texts.
const FRAME_BYTES: usize = 160;

/// How much HTML the frames of a page may still take, in bytes, roughly.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    bytes_left: usize,
}

impl Default for Budget {
    /// What one page may spend on frames: with a payload of the usual limit below them it stays under about 2
    /// MB.
    fn default() -> Budget {
        Budget { bytes_left: 800_000 }
    }
}

impl Budget {
    /// Takes the bytes of a frame; false, and nothing is taken, where they are not there any more.
    fn take(&mut self, bytes: usize) -> bool {
        let is_there = bytes <= self.bytes_left;
        if is_there {
            self.bytes_left -= bytes;
        } else {
            // A later, shorter frame must not come after one that was left out.
            self.bytes_left = 0;
        }
        is_there
    }
}

/// A frame as it is shown.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its number as sent.
    pub number: u32,
    /// The function as people read it, cut and visible.
    pub function: Cow<'a, str>,
    /// The function as sent, where that is something else: for a title.
    pub sent: Option<Cow<'a, str>>,
    /// The module, cut and visible; empty where there is none.
    pub module: Cow<'a, str>,
    /// `FILE:LINE`, cut and visible; empty where it is not known.
    pub source: Cow<'a, str>,
}

impl<'a> Row<'a> {
    /// A frame, its function demangled here.
    pub fn new(number: u32, function: &'a str, module: &'a str, source: Option<&'a str>) -> Row<'a> {
        Row::shown_as(number, function, &demangled(function), module, source)
    }

    /// A frame whose function was demangled before.
    pub fn shown_as(
        number: u32,
        function: &'a str,
        shown: &str,
        module: &'a str,
        source: Option<&'a str>,
    ) -> Row<'a> {
        let cut = text::start(shown, FUNCTION_CHARS_MAX).into_owned();
        let is_same = cut == function;
        Row {
            number,
            function: Cow::Owned(cut),
            sent: (!is_same).then(|| text::start(function, TITLE_CHARS_MAX)),
            module: text::start(module, PLACE_CHARS_MAX),
            source: text::start(source.unwrap_or(""), PLACE_CHARS_MAX),
        }
    }

    fn bytes(&self) -> usize {
        let texts = [self.function.as_ref(), self.sent.as_deref().unwrap_or(""), &self.module, &self.source];
        FRAME_BYTES + texts.iter().map(|text| escaped_bytes(text)).sum::<usize>()
    }

    /// The function, with what was sent in its title; long names may break after each part.
    pub fn function(&self) -> Markup {
        html! { bdi title=[&self.sent] { (breakable(&self.function)) } }
    }
}

/// The bytes of a text once it is escaped and may break.
fn escaped_bytes(text: &str) -> usize {
    let more = text.bytes().map(|byte| match byte {
        b'"' => 5,
        b'&' => 4,
        b'<' | b'>' | b':' => 3,
        // A place to break stands behind these.
        b',' | b'/' => 5,
        _ => 0,
    });
    text.len() + more.sum::<usize>()
}

/// A name that may break where a person would break it: behind `::`, `,` and `/`.
pub fn breakable(name: &str) -> Markup {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, sign) in name.match_indices([':', ',', '/']) {
        let end = at + sign.len();
        if sign != ":" || name[..at].ends_with(':') {
            parts.push(&name[start..end]);
            start = end;
        }
    }
    html! { @for part in parts { (part) wbr; } (&name[start..]) }
}

/// As many of the rows as `budget` and `rows_max` allow, and how many are left out.
pub fn within<'a>(
    rows: impl ExactSizeIterator<Item = Row<'a>>,
    rows_max: usize,
    budget: &mut Budget,
) -> (Vec<Row<'a>>, usize) {
    let all = rows.len();
    let kept: Vec<Row<'a>> = rows.take(rows_max).take_while(|row| budget.take(row.bytes())).collect();
    let left_out = all - kept.len();
    (kept, left_out)
}

/// The frames as a list: number, function, module, source. `guilty` is the index of the row that is marked.
pub fn list(rows: &[Row<'_>], guilty: Option<usize>, left_out: usize) -> Markup {
    html! {
        ol.frames {
            @for (index, row) in rows.iter().enumerate() {
                li.guilty[guilty == Some(index)] {
                    span.muted { "#" (row.number) } " "
                    (row.function())
                    @if !row.module.is_empty() { " " span.module { "[" bdi { (row.module) } "]" } }
                    @if !row.source.is_empty() { " " span.muted { bdi { (row.source) } } }
                    @if guilty == Some(index) { " " (guilty_tag("guilty")) }
                }
            }
        }
        (left_out_note(left_out))
    }
}

/// The word beside a frame that is guilty.
pub fn guilty_tag(word: &str) -> Markup {
    html! { span.tag.guilty { (word) } }
}

/// Says how many frames are not shown; nothing where all are.
pub fn left_out_note(left_out: usize) -> Markup {
    let left_out = i64::try_from(left_out).unwrap_or(i64::MAX);
    html! {
        @if left_out > 0 {
            p.muted { (text::counted(left_out, "more frame is", "more frames are")) " left out here." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_end_where_the_budget_does() {
        let long = "<".repeat(250);
        let rows = || (0..10).map(|number| Row::new(number, &long, "m", None));
        let (kept, left_out) = within(rows(), 5, &mut Budget::default());
        assert_eq!((kept.len(), left_out), (5, 5));
        let mut budget = Budget { bytes_left: 3_000 };
        let (kept, left_out) = within(rows(), 10, &mut budget);
        assert_eq!((kept.len(), left_out), (2, 8));
        let html = list(&kept, None, left_out).into_string();
        assert!(html.len() < 3_200, "{}", html.len());
        // What comes after a frame that was left out is left out too.
        assert_eq!(within([Row::new(1, "f", "m", None)].into_iter(), 10, &mut budget).0.len(), 0);
    }

    #[test]
    fn a_name_breaks_behind_its_parts() {
        let html = breakable("a::b<c,d>::/e").into_string();
        assert_eq!(html, "a::<wbr>b&lt;c,<wbr>d&gt;::<wbr>/<wbr>e");
    }

    #[test]
    fn the_sent_form_is_told_only_where_it_is_another() {
        assert!(Row::new(0, "main", "m", None).sent.is_none());
        assert_eq!(Row::new(0, "a\0", "m", None).sent.as_deref(), Some(r"a\0"));
        assert_eq!(Row::shown_as(0, "_Z1fv", "f()", "m", None).sent.as_deref(), Some("_Z1fv"));
    }
}
