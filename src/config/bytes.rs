// SPDX-License-Identifier: Apache-2.0
//! Numbers of bytes with a unit: `64 MB`, `300 KiB`.

/// The units, and what they stand for.
const UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads a whole number with or without a unit, in capitals or not; none where it is not one or too large.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Some(number);
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

/// Writes a number of bytes with the unit that makes it shortest, exactly.
pub fn format(bytes: u64) -> String {
    let exact = UNITS.iter().filter(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor));
    match exact.min_by_key(|(_, factor)| bytes / factor) {
        Some((unit, factor)) => format!("{} {unit}", bytes / factor),
        None => "0 B".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("64 MB", Some(64_000_000)),
            ("64MB", Some(64_000_000)),
            (" 300 KiB ", Some(307_200)),
            ("1 gib", Some(1 << 30)),
            ("2 KB", Some(2_000)),
            ("", None),
            ("MB", None),
            ("-1 MB", None),
            ("1.5 MB", None),
            ("1 MX", None),
            ("99999999999 TB", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (64_000_000, "64 MB"),
            (307_200, "300 KiB"),
            (1 << 40, "1 TiB"),
            (1001, "1001 B"),
        ] {
            assert_eq!(format(bytes), text);
            assert_eq!(parse(text), Some(bytes));
        }
    }
}
