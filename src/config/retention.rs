// SPDX-License-Identifier: Apache-2.0
//! The settings of retention, `retention.…`.

use crate::model::retention::RetentionRule;

/// How long what is stored is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// `retention.days`: records that no rule matches; 0 keeps them for ever.
    pub days: i64,
    /// `retention.rules`.
    pub rules: Vec<RetentionRule>,
    /// `retention.at`: minute of the local day at which it is checked.
    pub at_minute: u32,
    /// `retention.database_bytes_max`: 0 for no limit.
    pub database_bytes_max: u64,
    /// `retention.fleet_days`: what is over in the fleet; 0 keeps it for ever.
    pub fleet_days: i64,
    /// `retention.audit_days`: entries of the audit log; 0 keeps them for ever.
    pub audit_days: i64,
    /// The texts of `rules`, as they were written.
    pub(super) rule_texts: Vec<String>,
}

impl RetentionConfig {
    /// Before the defaults are put in.
    pub(super) fn unset() -> RetentionConfig {
        RetentionConfig {
            days: 0,
            rules: Vec::new(),
            at_minute: 0,
            database_bytes_max: 0,
            fleet_days: 0,
            audit_days: 0,
            rule_texts: Vec::new(),
        }
    }
}

/// The minute of the day that `HH:MM` names.
pub(super) fn parse_minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two_digits.then(|| text.parse::<u32>().ok()).flatten().filter(|number| *number < below)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        let cases = [("04:30", Some(270)), ("00:00", Some(0)), ("23:59", Some(1_439)), ("24:00", None)];
        let bad = ["4:30", "04:60", "0430", "", "+4:30", "04:3x", "004:30"];
        for (text, minute) in cases.into_iter().chain(bad.map(|text| (text, None))) {
            assert_eq!(parse_minute(text), minute, "{text}");
        }
    }
}
