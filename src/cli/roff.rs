// SPDX-License-Identifier: Apache-2.0
//! Writing a man page: text in, the macros of man(7) out. What the pages say is not here.

/// Source lines are broken before they are longer; sentences begin lines of their own.
const LINE_CHARS_MAX: usize = 76;

/// A page that is written from top to bottom.
pub struct Page {
    text: String,
}

impl Page {
    /// Begins a page of `name` in this section of the manual; the date is that of the foot, YYYY-MM-DD.
    pub fn new(name: &str, section: u8, date: &str) -> Page {
        let version = env!("CARGO_PKG_VERSION");
        let name = escaped(&name.to_uppercase());
        let text = format!(
            ".\\\" SPDX-License-Identifier: Apache-2.0\n\
             .TH \"{name}\" \"{section}\" \"{date}\" \"muster {version}\" \"muster\"\n\
             .nh\n.ad l\n"
        );
        Page { text }
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.text.push_str(&format!(".SH \"{}\"\n", escaped(title)));
    }

    /// Begins a part of a section.
    pub fn part(&mut self, title: &str) {
        self.text.push_str(&format!(".SS \"{}\"\n", escaped(title)));
    }

    /// The line under NAME that whatis(1) finds.
    pub fn name(&mut self, name: &str, what: &str) {
        self.section("NAME");
        self.text.push_str(&format!("{} \\- {}\n", escaped(name), escaped(what)));
    }

    /// Text, in as many paragraphs as there are empty lines between; words between backquotes are bold.
    pub fn paragraphs(&mut self, text: &str) {
        for (at, paragraph) in text.split("\n\n").enumerate() {
            if at > 0 {
                self.text.push_str(".PP\n");
            }
            self.flow(paragraph);
        }
    }

    /// Begins another paragraph.
    pub fn between(&mut self) {
        self.text.push_str(".PP\n");
    }

    /// A term and, indented below it, what it means. The term is bold, what follows it is as it is.
    pub fn term(&mut self, term: &str, rest: &str, meaning: &str) {
        self.text.push_str(&format!(".TP\n\\fB{}\\fR{}\n", escaped(term), escaped(rest)));
        self.flow(meaning);
    }

    /// Lines as they are.
    pub fn verbatim(&mut self, lines: &str) {
        self.text.push_str(".RS 4\n.nf\n");
        for line in lines.lines() {
            self.text.push_str(&format!("{}\n", guarded(&escaped(line))));
        }
        self.text.push_str(".fi\n.RE\n");
    }

    /// A command with what may follow it: parts in brackets or not, each a word that is bold and one that is not.
    pub fn usage(&mut self, command: &str, parts: &[(String, String)]) {
        self.text.push_str(&format!(".HP 4\n\\fB{}\\fR\n", escaped(command)));
        for (bold, plain) in parts {
            self.text.push_str(&guarded(&format!("{}{}\n", self::bold(bold), escaped(plain))));
        }
    }

    /// Other pages, with their sections.
    pub fn references(&mut self, pages: &[(String, u8)]) {
        let last = pages.len().saturating_sub(1);
        for (at, (name, section)) in pages.iter().enumerate() {
            let comma = if at < last { "," } else { "" };
            self.text.push_str(&format!(".BR {} ({section}){comma}\n", escaped(name)));
        }
    }

    /// The finished page.
    pub fn into_text(self) -> String {
        self.text
    }

    fn flow(&mut self, text: &str) {
        let mut line = String::new();
        let mut is_bold = false;
        for word in text.split_whitespace() {
            let (shown, width) = (marked(&escaped(word), &mut is_bold), word.chars().count());
            let is_new_sentence = line.ends_with(['.', '?', '!']);
            if !line.is_empty() && (is_new_sentence || line.chars().count() + 1 + width > LINE_CHARS_MAX) {
                self.text.push_str(&format!("{}\n", guarded(&line)));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&shown);
        }
        if is_bold {
            line.push_str("\\fR");
        }
        self.text.push_str(&format!("{}\n", guarded(&line)));
    }
}

fn bold(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\\fB{}\\fR", escaped(text)) }
}

/// Backquotes turned into changes of the font.
fn marked(word: &str, is_bold: &mut bool) -> String {
    let mut text = String::new();
    for (at, piece) in word.split('`').enumerate() {
        if at > 0 {
            text.push_str(if *is_bold { "\\fR" } else { "\\fB" });
            *is_bold = !*is_bold;
        }
        text.push_str(piece);
    }
    text
}

/// Text that roff shows as it is: hyphens that can be copied, no escapes, nothing beyond ASCII.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

/// A line that roff does not take for a macro.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new("x", 1, "2026-01-01");
        write(&mut page);
        page.into_text().split_once(".ad l\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    #[test]
    fn nothing_of_a_text_is_a_macro_or_an_escape() {
        for (text, shown) in [
            (".SH x", "\\&.SH x\n"),
            ("'q'", "\\(aqq\\(aq\n"),
            ("a\\fB --x", "a\\efB \\-\\-x\n"),
            ("one `two three` four", "one \\fBtwo three\\fR four\n"),
            ("left `open", "left \\fBopen\\fR\n"),
            ("One. Two", "One.\nTwo\n"),
            ("ä…", "\\[u00E4]\\[u2026]\n"),
        ] {
            assert_eq!(body(|page| page.paragraphs(text)), shown);
        }
        assert_eq!(body(|page| page.verbatim(".x\n y")), ".RS 4\n.nf\n\\&.x\n y\n.fi\n.RE\n");
    }

    #[test]
    fn long_lines_are_broken() {
        let text = "word ".repeat(100);
        assert!(body(|page| page.paragraphs(&text)).lines().all(|line| line.len() <= LINE_CHARS_MAX));
    }
}
