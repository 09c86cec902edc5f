// SPDX-License-Identifier: Apache-2.0
//! Text that came from outside, made fit to be seen: nothing in it is invisible, reorders what stands around it, or
//! is longer than it should be. Escaping is maud's business.

use crate::model::visible::is_hidden;
use std::borrow::Cow;

/// What begins nearly every classification of a Clear Linux client; lists leave it out.
const USUAL_DOMAIN: &str = "org.clearlinux/";

/// The text with a visible escape for each control character and each mark that changes the direction of writing.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_visible(&mut shown, c));
    Cow::Owned(shown)
}

/// The beginning of a text in one line: white space is one space each, at most `chars_max` characters are read.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let mut is_space_due = false;
    for c in text.chars().take(chars_max) {
        if c.is_whitespace() {
            is_space_due = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut is_space_due) {
            line.push(' ');
        }
        push_visible(&mut line, c);
    }
    line
}

/// The text cut into runs: true with the escapes of characters that are else not seen, false with plain text.
///
/// Line ends and tabs are plain. Runs are never empty and their kinds alternate.
pub fn runs(text: &str) -> Vec<(bool, Cow<'_, str>)> {
    let is_marked = |c: char| is_hidden(c) && c != '\n' && c != '\t';
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_sign = is_marked(first);
        let end = rest.find(|c| is_marked(c) != is_sign).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        runs.push((is_sign, if is_sign { visible(run) } else { Cow::Borrowed(run) }));
        rest = after;
    }
    runs
}

/// Escapes as Rust writes them, as in our messages: `\0`, `\r`, `\u{1b}`. The pictures of Unicode for them (␀) are
/// missing from the fonts of many systems.
fn push_visible(text: &mut String, c: char) {
    match is_hidden(c) {
        true => text.extend(c.escape_debug()),
        false => text.push(c),
    }
}

/// A classification as lists show it: without the domain that nearly all have, and visible.
pub fn short_classification(classification: &str) -> Cow<'_, str> {
    match classification.strip_prefix(USUAL_DOMAIN) {
        Some(rest) if !rest.is_empty() => visible(rest),
        _ => visible(classification),
    }
}

/// The first `chars` characters and an ellipsis where there are more.
pub fn start(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", visible(&text[..end]))),
        None => visible(text),
    }
}

/// The first `chars` characters in one line, and an ellipsis where there are more.
pub fn line_start(text: &str, chars: usize) -> String {
    let mut line = one_line(text, chars);
    if text.chars().nth(chars).is_some() {
        line.push('…');
    }
    line
}

/// A number with a comma between each three digits.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 record`, `2,000 records`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        let cases = [
            ("plain é 😀", "plain é 😀"),
            ("a\0b\x1b\x7f", r"a\0b\u{1b}\u{7f}"),
            ("\u{85}\u{202e}evil", r"\u{85}\u{202e}evil"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn a_line_has_no_line_ends_and_no_more_than_asked() {
        assert_eq!(one_line("\n a\r\n\tb  c\0\n", 100), r"a b c\0");
        assert_eq!(one_line("😀😀😀", 2), "😀😀");
        assert_eq!(one_line("", 2), "");
    }

    #[test]
    fn runs_join_to_the_whole_text() {
        let runs = runs("a\n\tb\0\0c");
        let texts: Vec<_> = runs.iter().map(|(is_sign, text)| (*is_sign, text.as_ref())).collect();
        assert_eq!(texts, [(false, "a\n\tb"), (true, r"\0\0"), (false, "c")]);
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "-1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(counted(1, "record", "records"), "1 record");
    }

    #[test]
    fn a_classification_loses_the_usual_domain_only() {
        assert_eq!(short_classification("org.clearlinux/crash/clr"), "crash/clr");
        assert_eq!(short_classification("org.example/a/b"), "org.example/a/b");
        assert_eq!(start("abcdef", 3), "abc…");
        assert_eq!(start("abc", 3), "abc");
        assert_eq!(line_start("a\nb\0cd", 4), "a b\\0…");
        assert_eq!(line_start("a\nb", 3), "a b");
    }
}
