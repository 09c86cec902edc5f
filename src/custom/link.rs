// SPDX-License-Identifier: Apache-2.0
//! Links with blanks: `/records?build={build}`, filled from a row with everything percent-encoded.

use std::fmt::Write;

/// A link within this server, with blanks to be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Blank(String),
}

impl Template {
    /// Reads a link. Err: what is wrong with it.
    pub fn parse(text: &str) -> Result<Template, String> {
        if !text.starts_with('/') || text.starts_with("//") || text.starts_with("/\\") {
            return Err("A link must begin with one /: it leads to a page of this server".to_owned());
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`|".contains(*c)) {
            let bad = bad.escape_debug();
            return Err(format!("A link must not hold '{bad}'; write it percent-encoded"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (plain, from) = rest.split_at(open);
            let Some((name, after)) = from.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
                return Err(
                    "The braces of a link must stand in pairs, around the name of a column".to_owned()
                );
            };
            if name.is_empty() || name.contains('{') {
                return Err("Between the braces of a link there must be the name of a column".to_owned());
            }
            parts.push(Part::Plain(plain.to_owned()));
            parts.push(Part::Blank(name.to_owned()));
            rest = after;
        }
        parts.push(Part::Plain(rest.to_owned()));
        Ok(Template { parts })
    }

    /// The names of the blanks.
    pub fn blanks(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Blank(name) => Some(name.as_str()),
            Part::Plain(_) => None,
        })
    }

    /// The link with its blanks filled; none where a value is missing, or where it would lead to another
    /// server.
    pub fn fill(&self, value_of: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut link = String::new();
        for part in &self.parts {
            match part {
                Part::Plain(text) => link.push_str(text),
                Part::Blank(name) => encode_into(&mut link, &value_of(name)?),
            }
        }
        // An empty value in "/{a}/{b}" would make a host of the next one.
        (!link.starts_with("//")).then_some(link)
    }
}

/// Percent-encodes all but letters, digits and four signs that mean nothing anywhere in an address.
fn encode_into(link: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                link.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            _ => _ = write!(link, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_within_this_server_are_taken() {
        for good in ["/", "/records", "/records?classification=org.clearlinux/*&build={build}#x", "/{a}/{b}"]
        {
            assert!(Template::parse(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "records",
            "javascript:alert(1)",
            "http://example.org/",
            "//example.org/",
            "/\\example.org",
            "/a b",
            "/a\"b",
            "/é",
            "/a\nb",
            "/{",
            "/}",
            "/{}",
            "/{a",
            "/a}",
            "/{a{b}}",
        ];
        for bad in bad {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_cannot_leave_their_place() {
        let link = Template::parse("/records?build={build}&payload={text}").unwrap();
        assert_eq!(link.blanks().collect::<Vec<_>>(), ["build", "text"]);
        let value =
            |name: &str| Some(if name == "build" { "1&x=/../" } else { "é\"'<>{build}\n" }.to_owned());
        let filled = link.fill(value).unwrap();
        assert_eq!(filled, "/records?build=1%26x%3D%2F..%2F&payload=%C3%A9%22%27%3C%3E%7Bbuild%7D%0A");
        assert_eq!(link.fill(|name| (name == "build").then(String::new)), None);
    }

    #[test]
    fn empty_values_do_not_make_a_host_of_the_next() {
        let link = Template::parse("/{a}/{b}").unwrap();
        let value = |name: &str| Some(if name == "a" { "" } else { "example.org" }.to_owned());
        assert_eq!(link.fill(value), None);
    }
}
