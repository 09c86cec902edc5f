// SPDX-License-Identifier: Apache-2.0
//! The order of version numbers.

use std::cmp::Ordering;

/// Compares two versions: runs of digits as numbers, everything else as text. `9` < `10`, `22.04` < `22.10`.
pub fn by_version(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    while !a_rest.is_empty() && !b_rest.is_empty() {
        let (a_part, a_next) = first_part(a_rest);
        let (b_part, b_next) = first_part(b_rest);
        let order = match (is_number(a_part), is_number(b_part)) {
            (true, true) => by_number(a_part, b_part),
            _ => a_part.cmp(b_part),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a_rest, b_rest) = (a_next, b_next);
    }
    // Equal as versions ("7" and "07"): the text decides, so that the order is total.
    a_rest.len().cmp(&b_rest.len()).then_with(|| a.cmp(b))
}

fn first_part(text: &str) -> (&str, &str) {
    let starts_with_digit = is_number(&text[..text.chars().next().map_or(0, char::len_utf8)]);
    let end = text.find(|c: char| c.is_ascii_digit() != starts_with_digit).unwrap_or(text.len());
    text.split_at(end)
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Digits of any length, without a number type that could overflow.
fn by_number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_that_people_expect() {
        let ordered =
            ["", "2", "10", "10.1", "22.04", "22.10", "22.10-rc1", "41890", "99999999999999999999999", "a1"];
        for pair in ordered.windows(2) {
            assert_eq!(by_version(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(by_version(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(by_version("7", "7"), Ordering::Equal);
    }
}
