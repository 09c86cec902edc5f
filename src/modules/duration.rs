// SPDX-License-Identifier: Apache-2.0
//! Spans of time as Go writes and reads them: `1h30m`, `1.5s`, `250ms`.

use std::time::Duration;

/// Nanoseconds of each unit.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `1h30m`, `1.5s`, `0`; none where it is no such span, is negative, or is longer than Go's 292 years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanos: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail.bytes().take_while(|b| !b.is_ascii_digit() && *b != b'.').count();
        let (unit, after) = tail.split_at(unit_len);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(part(number, *factor)?)?;
        rest = after;
    }
    let is_bounded = !text.is_empty() && nanos <= i64::MAX.unsigned_abs();
    is_bounded.then(|| Duration::from_nanos(nanos))
}

/// The nanoseconds of a decimal number of units.
fn part(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = (!whole.is_empty() || !fraction.is_empty()) && !fraction.contains('.');
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let mut nanos = whole.checked_mul(factor)?;
    let mut unit = factor;
    for digit in fraction.bytes() {
        unit /= 10;
        nanos = nanos.checked_add(u64::from(digit.checked_sub(b'0')?) * unit)?;
    }
    is_number.then_some(nanos)
}

/// Writes a span as Go does: `1h0m0.5s`, `1.25ms`, `0s`.
pub(super) fn format(span: Duration) -> String {
    let nanos = span.as_nanos();
    let of = |unit: u128, name: &str| {
        let fraction = nanos % unit;
        let digits = format!("{:0width$}", fraction, width = unit.ilog10() as usize);
        match digits.trim_end_matches('0') {
            "" => format!("{}{name}", nanos / unit),
            digits => format!("{}.{digits}{name}", nanos / unit),
        }
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => of(1_000, "\u{b5}s"),
        1_000_000..1_000_000_000 => of(1_000_000, "ms"),
        _ => {
            let (minutes, nanos) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let digits = format!("{:09}", nanos % 1_000_000_000);
            let secs = match digits.trim_end_matches('0') {
                "" => format!("{}s", nanos / 1_000_000_000),
                digits => format!("{}.{digits}s", nanos / 1_000_000_000),
            };
            match minutes {
                0 => secs,
                1..60 => format!("{minutes}m{secs}"),
                _ => format!("{}h{}m{secs}", minutes / 60, minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_and_written_as_by_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (5_000_000_000, "5s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for (text, nanos) in [("0", 0), ("+5s", 5_000_000_000), (".5s", 500_000_000), ("1.s", 1_000_000_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for bad in
            ["", "+", "5", "-5s", "s", ".s", "5 s", "5x", "1.2.3s", "5s5", "99999999999999h", "3000000h"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..i64::MAX.unsigned_abs()) {
            prop_assert_eq!(parse(&format(Duration::from_nanos(nanos))), Some(Duration::from_nanos(nanos)));
        }

        #[test]
        fn no_text_is_too_much(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
