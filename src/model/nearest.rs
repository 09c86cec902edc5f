// SPDX-License-Identifier: Apache-2.0
//! The known name nearest to a mistyped one.

/// How many letters must be put in, taken out, exchanged or swapped with their neighbour to make `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // Three rows of the usual table: i - 2, i - 1, i.
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchange = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = exchange.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before_last[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Longer names than this are cut before they are compared: the table grows with the product of the lengths.
const NAME_CHARS_MAX: usize = 80;

/// The one of `known` that is nearest to `name`, capitals aside. A forgotten or wrong section (`listen` for
/// `http.listen`) counts as one slip. None where nothing is known.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect::<String>().to_lowercase();
    let last_part = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    known.into_iter().min_by_key(|key| {
        let key = key.to_lowercase();
        edit_distance(&name, &key).min(edit_distance(&last_part(&name), &last_part(&key)) + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_slips() {
        for (a, b, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("listen", "lisetn", 1),
            ("level", "levels", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_key_is_found() {
        let known = ["data", "log.level", "http.listen", "http.hostnames", "store.readers"];
        for (name, key) in [
            ("http.lsiten", "http.listen"),
            ("listen", "http.listen"),
            ("htp.listen", "http.listen"),
            ("server.listen", "http.listen"),
            ("loglevel", "log.level"),
            ("DATA", "data"),
            ("store.reader", "store.readers"),
        ] {
            assert_eq!(nearest(name, known), Some(key), "{name}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
