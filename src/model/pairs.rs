// SPDX-License-Identifier: Apache-2.0
//! The name-value pairs of a query or a form, parsed once, in the order sent, repeated names kept.

/// Decoded pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// The pairs of a query as it stands in an address after the question mark: `a=b&c=d`, percent-encoded, `+` for a
    /// space. None where it is not UTF-8, or a pair has no `=`.
    pub fn of_query(query: &str) -> Option<Pairs> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((decoded(name)?, decoded(value)?))
        });
        decoded.collect::<Option<Vec<_>>>().map(Pairs)
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name`, trimmed, where it is not empty: an empty field of a form means nothing.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.first(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Every value of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Undoes the encoding of a query; a stray `%` stands for itself.
fn decoded(text: &str) -> Option<String> {
    let hex = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok()
    };
    let mut bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        match (first, rest.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*first),
        }
        bytes = rest;
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_pair_by_pair() {
        type Case<'a> = (&'a str, Option<&'a [(&'a str, &'a str)]>);
        let cases: [Case; 7] = [
            ("", Some(&[])),
            ("severity=1&machine_id=ab", Some(&[("severity", "1"), ("machine_id", "ab")])),
            ("payload=a%26b%3Dc+d", Some(&[("payload", "a&b=c d")])),
            ("a=b=c&&d=", Some(&[("a", "b=c"), ("d", "")])),
            ("a=100%&b=%zz%2", Some(&[("a", "100%"), ("b", "%zz%2")])),
            ("severity", None),
            ("a=%ff", None),
        ];
        for (query, expected) in cases {
            let expected =
                expected.map(|pairs| Pairs(pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect()));
            assert_eq!(Pairs::of_query(query), expected, "{query}");
        }
    }
}
