// SPDX-License-Identifier: Apache-2.0
//! Rules that say how long records are kept. Applying them is `ops::purge`.

use crate::model::record::Severity;

/// Most days that a rule may name: a hundred years.
pub const DAYS_MAX: i64 = 36_500;

/// A rule of `retention.rules`: what it matches, and for how many days that is kept.
///
/// Written as words of `name=value`: `severity=4 days=365`, `classification=org.clearlinux/crash/* days=90`,
/// `machine_id=ID days=0`. Every condition must hold; at least one is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// Only records of this severity.
    pub severity: Option<Severity>,
    /// Only this classification, or those that begin with what is before a final `*`.
    pub classification: Option<String>,
    /// Only records of this machine.
    pub machine_id: Option<String>,
    /// Days since the reception; 0 keeps for ever.
    pub days: i64,
}

impl RetentionRule {
    /// Reads a rule; none where it is none.
    pub fn parse(text: &str) -> Option<RetentionRule> {
        let mut rule = RetentionRule { severity: None, classification: None, machine_id: None, days: -1 };
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').filter(|(_, value)| !value.is_empty())?;
            let is_repeated = match name {
                "severity" => rule.severity.replace(Severity::from_number(value.parse().ok()?)?).is_some(),
                "classification" => {
                    let stars = value.matches('*').count();
                    if stars > 1 || stars == 1 && !value.ends_with('*') {
                        return None;
                    }
                    rule.classification.replace(value.to_owned()).is_some()
                }
                "machine_id" => rule.machine_id.replace(value.to_owned()).is_some(),
                "days" => {
                    let days = value.parse().ok().filter(|days| (0..=DAYS_MAX).contains(days))?;
                    std::mem::replace(&mut rule.days, days) != -1
                }
                _ => return None,
            };
            if is_repeated {
                return None;
            }
        }
        let has_condition =
            rule.severity.is_some() || rule.classification.is_some() || rule.machine_id.is_some();
        (has_condition && rule.days >= 0).then_some(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_whole_or_not_at_all() {
        let rule =
            RetentionRule::parse(" classification=org.clearlinux/crash/*  severity=4 days=0 ").unwrap();
        assert_eq!(rule.classification.as_deref(), Some("org.clearlinux/crash/*"));
        assert_eq!((rule.severity.map(Severity::number), rule.days), (Some(4), 0));
        assert_eq!(RetentionRule::parse("machine_id=abc days=36500").unwrap().days, 36_500);
        for bad in [
            "",
            "days=3",
            "severity=4",
            "severity=5 days=1",
            "severity=x days=1",
            "severity=4 days=-1",
            "severity=4 days=36501",
            "severity=4 days=1 days=2",
            "severity=4 severity=3 days=1",
            "classification=a*b days=1",
            "classification=** days=1",
            "classification= days=1",
            "build=1 days=1",
            "severity=4 days=1 x",
        ] {
            assert_eq!(RetentionRule::parse(bad), None, "{bad}");
        }
    }
}
