// SPDX-License-Identifier: Apache-2.0
//! Text in a drawing: how wide it is, cut to a width, and thinned along an axis.
//!
//! The server does not know the fonts, so widths are estimates that err on the wide side.

use crate::views::text;
use maud::{Markup, html};

/// Height of letters in a drawing, in its units; `style.css` has the same.
pub const LETTER: f64 = 12.0;

/// Most characters of a label that the title of a mark and the table show.
const CHARS_MAX: usize = 1_000;

/// Space between two labels at an axis.
const GAP: f64 = 8.0;

/// A text from outside in one line, with nothing hidden in it; a word where it is blank.
pub fn plain(text: &str) -> String {
    let line = text::one_line(text, CHARS_MAX);
    let is_cut = text.chars().nth(CHARS_MAX).is_some();
    match line.is_empty() {
        true => "(none)".to_owned(),
        false if is_cut => line + "…",
        false => line,
    }
}

/// A text that a browser may break after the signs between its parts, and visible.
pub fn breakable(text: &str) -> Markup {
    let text = plain(text);
    html! { @for part in text.split_inclusive(['|', '/', '-', '_']) { (part) wbr; } }
}

/// A text that does not turn around what follows it in the same line, for where there is no markup.
pub fn isolated(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("\u{2068}{text}\u{2069}") }
}

/// About how wide a text is.
pub fn width(text: &str) -> f64 {
    text.chars().map(letter_width).sum()
}

fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.36 * LETTER,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95 * LETTER,
        'A'..='Z' | '_' => 0.74 * LETTER,
        c if c.is_ascii() || c == '–' => 0.59 * LETTER,
        _ => 1.05 * LETTER,
    }
}

/// The text, cut with an ellipsis where it is wider than `width_max`.
pub fn cut(text: &str, width_max: f64) -> String {
    if width(text) <= width_max {
        return text.to_owned();
    }
    let mut left = width_max - letter_width('…');
    let mut short: String = text
        .chars()
        .take_while(|c| {
            left -= letter_width(*c);
            left >= 0.0
        })
        .collect();
    short.truncate(short.trim_end().len());
    short + "…"
}

/// Which labels of an axis are written, and the middle of each, so that none overlaps another or leaves the
/// drawing.
///
/// `labels`: middle and width of each, from left to right. Counted from the last, every nth is written, since
/// the last is the newest on most axes. `end` is the drawing's right edge.
pub fn thinned(labels: &[(f64, f64)], end: f64) -> Vec<(usize, f64)> {
    let widest = labels.iter().map(|(_, width)| *width).fold(0.0, f64::max) + GAP;
    let pitch = match labels {
        [(first, _), .., (last, _)] => (last - first) / (labels.len() as f64 - 1.0),
        _ => widest,
    };
    let nth = (1..=labels.len()).find(|nth| *nth as f64 * pitch >= widest).unwrap_or(labels.len()).max(1);
    let mut kept = Vec::new();
    let mut free_until = end + GAP;
    for (index, (middle, width)) in labels.iter().enumerate().rev().step_by(nth) {
        let half = width / 2.0;
        let middle = middle.min(end - half).max(half);
        if middle + half + GAP <= free_until + 1e-6 {
            free_until = middle - half;
            kept.push((index, middle));
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_overlap_and_never_leave_the_drawing() {
        for count in [1, 2, 3, 10, 53, 500] {
            for width in [8.0, 40.0, 90.0] {
                for pitch in [4.0, 11.0, 60.0] {
                    let labels: Vec<_> = (0..count).map(|i| (40.0 + pitch * f64::from(i), width)).collect();
                    let end = 40.0 + pitch * f64::from(count);
                    let kept = thinned(&labels, end);
                    assert!(!kept.is_empty() || end < width);
                    assert!(kept.iter().all(|(_, middle)| middle - width / 2.0 >= -1e-6));
                    assert!(kept.iter().all(|(_, middle)| middle + width / 2.0 <= end + 1e-6));
                    for pair in kept.windows(2) {
                        assert!(pair[1].1 - pair[0].1 >= width, "{count} {width} {pitch}: {pair:?}");
                    }
                }
            }
        }
        let kept = thinned(&[(20.0, 10.0), (50.0, 10.0), (80.0, 10.0)], 100.0);
        assert_eq!(kept, [(0, 20.0), (1, 50.0), (2, 80.0)]);
    }

    #[test]
    fn a_cut_text_fits() {
        for text in ["41890", "a very long label of a custom query", "العربية", "漢字漢字漢字漢字漢字"]
        {
            for width_max in [20.0, 60.0, 1000.0] {
                let short = cut(text, width_max);
                assert!(width(&short) <= width_max, "{short}");
                assert!(short == text || short.ends_with('…'));
            }
        }
    }

    #[test]
    fn a_label_shows_what_is_in_it_and_has_an_end() {
        assert_eq!(plain(" a\n\u{202e}b\0"), r"a \u{202e}b\0");
        assert_eq!(plain(""), "(none)");
        assert_eq!(plain(&"x".repeat(10_000)).chars().count(), CHARS_MAX + 1);
    }
}
