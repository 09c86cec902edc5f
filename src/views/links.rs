// SPDX-License-Identifier: Apache-2.0
//! Addresses of our own pages: written with everything escaped, and matched against the paths of views.

use std::fmt::Write;

/// `path?name=value&…`, names and values percent-encoded; without a `?` where there are no pairs.
pub fn link<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut url = path.to_owned();
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        encode_into(&mut url, name);
        url.push('=');
        encode_into(&mut url, value);
    }
    url
}

/// Percent-encodes all but letters, digits and the few signs that mean nothing in a query.
fn encode_into(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'*' => {
                url.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => _ = write!(url, "%{byte:02X}"),
        }
    }
}

/// The decoded values of `pattern`'s `{…}` segments where `path` has its shape.
pub fn parameters(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            values.push(decode(segment).filter(|value| !value.is_empty())?);
        } else if segment != expected {
            return None;
        }
    }
    segments.next().is_none().then_some(values)
}

/// Undoes percent-encoding; none where what comes out is not UTF-8. A stray `%` stands for itself.
fn decode(segment: &str) -> Option<String> {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_hex = digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.filter(|_| byte == b'%' && is_hex).and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_escapes_what_would_end_or_split_it() {
        let url = link("/records", [("classification", "a/b/*"), ("payload", "x&y=z +#\"<é")]);
        assert_eq!(url, "/records?classification=a/b/*&payload=x%26y%3Dz%20%2B%23%22%3C%C3%A9");
        assert_eq!(link("/records", []), "/records");
    }

    #[test]
    fn a_path_is_matched_by_segment_and_decoded_after() {
        let cases: &[(&str, &str, Option<&[&str]>)] = &[
            ("/records", "/records", Some(&[])),
            ("/records", "/records/", None),
            ("/records", "/record", None),
            ("/records/{id}", "/records/17", Some(&["17"])),
            ("/records/{id}", "/records/", None),
            ("/records/{id}", "/records/17/payload", None),
            ("/build/{system}/{build}", "/build/a%2Fb/1%2e0", Some(&["a/b", "1.0"])),
            ("/records/{id}", "/records/%ff", None),
            ("/records/{id}", "/records/100%", Some(&["100%"])),
            ("/records/{id}", "/records/%é0", Some(&["%é0"])),
        ];
        for (pattern, path, expected) in cases {
            let found = parameters(pattern, path);
            let expected = expected.map(|values| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{pattern} {path}");
        }
    }
}
