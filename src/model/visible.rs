// SPDX-License-Identifier: Apache-2.0
//! Which characters of a text from outside are not seen, or change how the text around them is seen.

/// True for a character that a page or a terminal would not show, or that would turn around the text beside it.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text in one line for a terminal or a log: a question mark for each hidden character, so that nothing in it
/// moves the cursor, begins a line of its own or turns the direction of writing.
pub fn plain(text: &str) -> String {
    text.replace(is_hidden, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_becomes_a_question_mark() {
        let cases = [
            ("", ""),
            ("plain é 😀 \u{200d}", "plain é 😀 \u{200d}"),
            ("a\0b\x1b[2J\x7f\n\t", "a?b?[2J???"),
            ("\u{85}\u{202e}evil\u{2066}", "??evil?"),
            ("\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{feff}", "???????"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }
}
