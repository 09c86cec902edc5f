// SPDX-License-Identifier: Apache-2.0
//! What a file is asked for: one filter of a search, read from its text, and the rules that need no file.

use crate::modules::file::digest::DigestKind;
use crate::modules::file::pattern;
use chrono::DateTime;
use regex::Regex;

/// The key of MIG's JSON under which a filter stands, and its name in the option `mismatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) key: &'static str,
    pub(super) mismatch: &'static str,
}

/// A filter.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) kind: Kind,
    /// As it came.
    pub(super) value: String,
    pub(super) test: Test,
    /// It began with `!`: files that do not match are wanted.
    pub(super) is_inverse: bool,
    /// The option `mismatch` names it: what it gives is turned round.
    pub(super) is_mismatch: bool,
}

/// What a filter looks at.
#[derive(Debug)]
pub(super) enum Test {
    /// The last part of the path.
    Name(Regex),
    /// The mode as Go writes it.
    Mode(Regex),
    /// Bytes, both bounds included.
    Size { min: u64, max: u64 },
    /// Time of modification, both bounds excluded.
    Mtime { after_nanos: i128, before_nanos: i128 },
    /// A line of the contents.
    Content(Regex),
    /// A digest of the contents.
    Digest(DigestKind, Vec<u8>),
}

impl Filter {
    /// True where a file is wanted for which the test gave `is_match`.
    pub(super) fn wants(&self, is_match: bool) -> bool {
        is_match ^ self.is_inverse ^ self.is_mismatch
    }
}

/// Reads a regular expression, and whether a `!` turns it round.
pub(super) fn expression(text: &str) -> Result<(Regex, bool), String> {
    match text.strip_prefix('!').filter(|rest| !rest.is_empty()) {
        Some(rest) => Ok((pattern::compile(rest)?, true)),
        None if text.is_empty() => Err("A filter must not be empty".to_owned()),
        None => Ok((pattern::compile(text)?, false)),
    }
}

/// Reads `<10k`, `>1m`, `0`: at most, at least, exactly so many bytes; the units count by 1024.
pub(super) fn size(text: &str) -> Result<Test, String> {
    let fault = || format!("{text:?} is no size like <10k, >1m or 0");
    let (sign, rest) = split_sign(text);
    let (digits, unit) = match rest.char_indices().next_back() {
        Some((at, 'k')) => (&rest[..at], 1_u64 << 10),
        Some((at, 'm')) => (&rest[..at], 1 << 20),
        Some((at, 'g')) => (&rest[..at], 1 << 30),
        Some((at, 't')) => (&rest[..at], 1 << 40),
        _ => (rest, 1),
    };
    let bytes = number(digits).and_then(|count| count.checked_mul(unit)).ok_or_else(fault)?;
    Ok(match sign {
        Some('<') => Test::Size { min: 0, max: bytes },
        Some(_) => Test::Size { min: bytes, max: u64::MAX },
        None => Test::Size { min: bytes, max: bytes },
    })
}

/// Reads `<90d`, `>5h`: modified since, before so many days, hours or minutes before `now_nanos`.
pub(super) fn mtime(text: &str, now_nanos: i128) -> Result<Test, String> {
    let fault = || format!("{text:?} is no span like <90d, >5h or <30m");
    let (sign, rest) = split_sign(text);
    let (digits, unit_secs) = match rest.char_indices().next_back() {
        Some((at, 'd')) => (&rest[..at], 86_400_u64),
        Some((at, 'h')) => (&rest[..at], 3_600),
        Some((at, 'm')) => (&rest[..at], 60),
        _ => return Err(fault()),
    };
    let secs = number(digits).and_then(|count| count.checked_mul(unit_secs)).ok_or_else(fault)?;
    let moment = now_nanos - i128::from(secs) * 1_000_000_000;
    match sign {
        Some('<') => Ok(Test::Mtime { after_nanos: moment, before_nanos: i128::MAX }),
        Some(_) => Ok(Test::Mtime { after_nanos: i128::MIN, before_nanos: moment }),
        None => Err(fault()),
    }
}

/// Reads a digest in hexadecimal digits, of one of the kinds.
pub(super) fn digest(text: &str, kinds: &[DigestKind]) -> Result<Test, String> {
    let kind = kinds.iter().find(|kind| 2 * kind.bytes() == text.len());
    let bytes = kind.and_then(|kind| {
        let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
        (0..kind.bytes()).map(byte).collect::<Option<Vec<u8>>>()
    });
    match (kind, bytes) {
        (Some(kind), Some(bytes)) if text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Test::Digest(*kind, bytes))
        }
        _ => Err(format!("{:?} is no digest of this kind", text.chars().take(140).collect::<String>())),
    }
}

fn split_sign(text: &str) -> (Option<char>, &str) {
    match text.chars().next() {
        Some(sign @ ('<' | '>')) => (Some(sign), &text[1..]),
        _ => (None, text),
    }
}

fn number(digits: &str) -> Option<u64> {
    // A plus sign is a number to the library.
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The mode of a file as Go writes it: type and special bits as letters, then nine of permissions.
pub(super) fn mode_text(mode: u32) -> String {
    let mut text = String::new();
    match mode & 0o170_000 {
        0o040_000 => text.push('d'),
        0o120_000 => text.push('L'),
        0o060_000 => text.push('D'),
        0o010_000 => text.push('p'),
        0o140_000 => text.push('S'),
        0o020_000 => text.push_str("Dc"),
        _ => {}
    }
    for (bit, letter) in [(0o4_000, 'u'), (0o2_000, 'g'), (0o1_000, 't')] {
        if mode & bit != 0 {
            text.push(letter);
        }
    }
    if text.is_empty() {
        text.push('-');
    }
    for (at, letter) in "rwxrwxrwx".chars().enumerate() {
        let is_set = mode & (0o400 >> at) != 0;
        text.push(if is_set { letter } else { '-' });
    }
    text
}

/// A moment as Go prints it: `2026-11-21 02:19:51.469739 +0000 UTC`.
pub(super) fn moment_text(secs: i64, nanos: u32) -> String {
    let Some(moment) = DateTime::from_timestamp(secs, nanos) else { return String::new() };
    let digits = format!("{nanos:09}");
    let fraction = match digits.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    format!("{}{fraction} +0000 UTC", moment.format("%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHA2: &[DigestKind] = &[DigestKind::Sha256, DigestKind::Sha512];

    fn bounds(text: &str) -> Option<(u64, u64)> {
        match size(text) {
            Ok(Test::Size { min, max }) => Some((min, max)),
            _ => None,
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("<10k", Some((0, 10_240))),
            (">1m", Some((1 << 20, u64::MAX))),
            ("0", Some((0, 0))),
            ("17", Some((17, 17))),
            ("<2g", Some((0, 2 << 30))),
            (">1t", Some((1 << 40, u64::MAX))),
            ("", None),
            ("<", None),
            ("k", None),
            (">k", None),
            ("<10K", None),
            ("<+1", None),
            ("< 1", None),
            ("<-1", None),
            ("<1.5k", None),
            ("<99999999t", None),
            ("<99999999999999999999", None),
            ("é", None),
        ] {
            assert_eq!(bounds(text), expected, "{text}");
        }
    }

    #[test]
    fn spans_are_read() {
        let now = 1_800_000_000_000_000_000;
        for (text, secs) in [("<90d", 90 * 86_400), ("<5h", 18_000), ("<30m", 1_800), ("<0m", 0)] {
            match mtime(text, now) {
                Ok(Test::Mtime { after_nanos, before_nanos: i128::MAX }) => {
                    assert_eq!(after_nanos, now - secs * 1_000_000_000, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
            assert!(matches!(
                mtime(&text.replace('<', ">"), now),
                Ok(Test::Mtime { after_nanos: i128::MIN, .. })
            ));
        }
        for bad in ["", "<", "90d", "<d", "<90", "<90s", "<9 0d", "<-1d", "<99999999999999999999d", "<é"] {
            assert!(mtime(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_read() {
        assert!(matches!(digest(&"aB".repeat(32), SHA2), Ok(Test::Digest(DigestKind::Sha256, _))));
        assert!(matches!(digest(&"00".repeat(64), SHA2), Ok(Test::Digest(DigestKind::Sha512, _))));
        for bad in ["", "ab", &"ag".repeat(32), &"+1".repeat(32), &"é".repeat(32)] {
            assert!(digest(bad, SHA2).is_err(), "{bad}");
        }
    }

    #[test]
    fn modes_and_moments_are_written_as_by_go() {
        for (mode, text) in [
            (0o100_644, "-rw-r--r--"),
            (0o104_755, "urwxr-xr-x"),
            (0o106_710, "ugrwx--x---"),
            (0o041_777, "dtrwxrwxrwx"),
            (0o010_600, "prw-------"),
            (0o020_666, "Dcrw-rw-rw-"),
            (0o060_660, "Drw-rw----"),
            (0o120_777, "Lrwxrwxrwx"),
            (0o100_000, "----------"),
        ] {
            assert_eq!(mode_text(mode), text);
        }
        assert_eq!(moment_text(1_700_000_000, 0), "2023-11-14 22:13:20 +0000 UTC");
        assert_eq!(moment_text(1_700_000_000, 120_000_000), "2023-11-14 22:13:20.12 +0000 UTC");
        assert_eq!(moment_text(-1, 5), "1969-12-31 23:59:59.000000005 +0000 UTC");
        assert_eq!(moment_text(i64::MAX, 0), "");
    }

    proptest! {
        #[test]
        fn sizes_are_their_number_times_their_unit(count in 0_u64..1 << 20, sign in "[<>]?", unit in "[kmgt]?") {
            let factor = match unit.as_str() { "k" => 1 << 10, "m" => 1 << 20, "g" => 1 << 30, "t" => 1 << 40, _ => 1 };
            let bytes = count * factor;
            let expected = match sign.as_str() { "<" => (0, bytes), ">" => (bytes, u64::MAX), _ => (bytes, bytes) };
            prop_assert_eq!(bounds(&format!("{sign}{count}{unit}")), Some(expected));
        }

        #[test]
        fn no_text_is_too_much(text in ".{0,24}", sign in "[<>]", rest in "[0-9kmgtdh+]{0,24}") {
            for text in [text.clone(), format!("{sign}{text}"), format!("{sign}{rest}")] {
                let _ = (size(&text), mtime(&text, 1 << 70), expression(&text), digest(&text, SHA2));
            }
        }
    }
}
