// SPDX-License-Identifier: Apache-2.0
//! Rules that say how long records are kept. Applying them is `ops::purge`.

use crate::model::record::Severity;
use crate::model::time::DAY_SECS;

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

impl RetentionRule {
    /// True where every condition holds.
    pub fn matches(&self, severity: Severity, classification: &str, machine_id: &str) -> bool {
        let has_classification = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => classification.starts_with(prefix),
            None => classification == pattern,
        };
        self.severity.is_none_or(|wanted| wanted == severity)
            && self.classification.as_ref().is_none_or(has_classification)
            && self.machine_id.as_ref().is_none_or(|wanted| wanted == machine_id)
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let severity = self.severity.map(|severity| format!("severity={}", severity.number()));
        let classification = self.classification.as_ref().map(|name| format!("classification={name}"));
        let machine_id = self.machine_id.as_ref().map(|id| format!("machine_id={id}"));
        let words = [severity, classification, machine_id, Some(format!("days={}", self.days))];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// For how long a record is kept, and what says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule, by its place in the list; none where none matches.
    pub rule: Option<usize>,
    /// Days since the reception; 0 keeps for ever.
    pub days: i64,
}

impl Verdict {
    /// True where a record received at `received_at` has had its time at `now`.
    pub fn is_over(self, received_at: i64, now: i64) -> bool {
        self.days > 0 && received_at < now - self.days * DAY_SECS
    }
}

/// How long records are kept that rules match (`rules`), and all others (`days`, 0 for ever).
#[derive(Clone, Copy, Debug)]
pub struct Retention<'a> {
    /// For records that no rule matches.
    pub days: i64,
    /// In the order of the configuration.
    pub rules: &'a [RetentionRule],
}

impl Retention<'_> {
    /// Of all rules that match, the one that keeps longest.
    pub fn verdict(&self, severity: Severity, classification: &str, machine_id: &str) -> Verdict {
        let mut verdict = Verdict { rule: None, days: self.days };
        for (index, rule) in self.rules.iter().enumerate() {
            let is_longer =
                verdict.rule.is_none() || verdict.days != 0 && (rule.days == 0 || rule.days > verdict.days);
            if is_longer && rule.matches(severity, classification, machine_id) {
                verdict = Verdict { rule: Some(index), days: rule.days };
            }
        }
        verdict
    }

    /// The fewest days after which anything may go; none where all is kept for ever.
    pub fn days_least(&self) -> Option<i64> {
        let all = self.rules.iter().map(|rule| rule.days).chain([self.days]);
        all.filter(|days| *days > 0).min()
    }

    /// True where a rule asks for the machine.
    pub fn asks_for_machine(&self) -> bool {
        self.rules.iter().any(|rule| rule.machine_id.is_some())
    }
}

/// The last time at or before `now` at which the local clock, `offset_secs` ahead of UTC, showed minute `at_minute` of
/// a day.
pub fn last_due(now: i64, offset_secs: i64, at_minute: u32) -> i64 {
    let local = now + offset_secs;
    let today = local - local.rem_euclid(DAY_SECS) + i64::from(at_minute) * 60;
    let due = if today > local { today - DAY_SECS } else { today };
    due - offset_secs
}

/// A clock that is so far ahead of what is known is doubted.
const CLOCK_JUMP_SECS: i64 = 30 * DAY_SECS;
/// A doubted clock that has gone on for so long is believed.
const CLOCK_PROOF_SECS: i64 = DAY_SECS;

/// Since when the clock is doubted, so that the daily purge waits; none where it is not. A clock set years ahead by
/// mistake must not remove everything at once, and a server that was off for long must purge all the same.
///
/// `known` is a time at or before `now` at which the clock was right; `doubted_at` what this said last.
pub fn clock_doubted_at(now: i64, known: Option<i64>, doubted_at: Option<i64>) -> Option<i64> {
    match doubted_at {
        Some(at) if (at..at + CLOCK_PROOF_SECS).contains(&now) => Some(at),
        Some(at) if (at + CLOCK_PROOF_SECS..at + CLOCK_JUMP_SECS).contains(&now) => None,
        // Another jump, or none any more.
        _ => known.filter(|known| now - known > CLOCK_JUMP_SECS).map(|_| now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<RetentionRule> {
        texts.iter().map(|text| RetentionRule::parse(text).unwrap()).collect()
    }

    #[test]
    fn of_overlapping_rules_the_longest_wins() {
        let rules = rules(&[
            "severity=1 days=7",
            "classification=org.clearlinux/crash/* days=90",
            "severity=4 classification=org.clearlinux/crash/clr days=400",
            "machine_id=aa days=0",
            "severity=2 days=90",
            "classification=a/b/c days=3",
        ]);
        let retention = Retention { days: 35, rules: &rules };
        let cases: [(i64, &str, &str, Option<usize>, i64); 10] = [
            (1, "x/y/z", "bb", Some(0), 7),
            (1, "org.clearlinux/crash/clr", "bb", Some(1), 90),
            (4, "org.clearlinux/crash/clr", "bb", Some(2), 400),
            (4, "org.clearlinux/crash/clr", "aa", Some(3), 0),
            (1, "x/y/z", "aa", Some(3), 0),
            (2, "org.clearlinux/crash/clr", "bb", Some(1), 90),
            (3, "x/y/z", "bb", None, 35),
            // A rule replaces the default, also with fewer days.
            (3, "a/b/c", "bb", Some(5), 3),
            (3, "a/b/cd", "bb", None, 35),
            (3, "org.clearlinux/crash", "aaa", None, 35),
        ];
        for (severity, classification, machine_id, rule, days) in cases {
            let severity = Severity::from_number(severity).unwrap();
            let verdict = retention.verdict(severity, classification, machine_id);
            assert_eq!(verdict, Verdict { rule, days }, "{severity:?} {classification} {machine_id}");
        }
        assert_eq!(retention.days_least(), Some(3));
        assert_eq!(Retention { days: 0, rules: &rules[3..4] }.days_least(), None);
        assert!(rules.iter().all(|rule| RetentionRule::parse(&rule.text()).as_ref() == Some(rule)));
    }

    #[test]
    fn time_is_over_after_whole_days() {
        let (received_at, now) = (1_000, 1_000 + 35 * DAY_SECS);
        for (days, at, is_over) in
            [(35, now, false), (35, now + 1, true), (0, i64::MAX / 2, false), (36, now + 1, false)]
        {
            assert_eq!(Verdict { rule: None, days }.is_over(received_at, at), is_over, "{days} {at}");
        }
    }

    #[test]
    fn the_last_due_time_is_today_or_yesterday() {
        let day = 20_000 * DAY_SECS;
        let cases = [
            (day + 4 * 3_600, 0, 270, day - DAY_SECS + 16_200),
            (day + 16_200, 0, 270, day + 16_200),
            (day + 20_000, 0, 270, day + 16_200),
            // 04:30 at two hours ahead of UTC is 02:30 there.
            (day + 9_000, 7_200, 270, day + 9_000),
            (day + 8_999, 7_200, 270, day + 9_000 - DAY_SECS),
            // Ten hours behind: 04:30 is 14:30 UTC.
            (day + 3_600, -36_000, 270, day + 52_200 - DAY_SECS),
        ];
        for (now, offset_secs, at_minute, due) in cases {
            assert_eq!(last_due(now, offset_secs, at_minute), due, "{now} {offset_secs}");
        }
    }

    #[test]
    fn a_clock_that_jumped_is_doubted_for_a_day() {
        let now = 20_000 * DAY_SECS;
        let cases = [
            (None, None, None),
            (Some(now - DAY_SECS), None, None),
            (Some(now - 30 * DAY_SECS), None, None),
            (Some(now - 30 * DAY_SECS - 1), None, Some(now)),
            // It goes on.
            (Some(now - 400 * DAY_SECS), Some(now - 3_600), Some(now - 3_600)),
            (Some(now - 400 * DAY_SECS), Some(now - DAY_SECS + 1), Some(now - DAY_SECS + 1)),
            (Some(now - 400 * DAY_SECS), Some(now - DAY_SECS), None),
            (Some(now - 400 * DAY_SECS), Some(now - 29 * DAY_SECS), None),
            // Records that came meanwhile prove nothing.
            (Some(now), Some(now - 3_600), Some(now - 3_600)),
            // It jumped once more, ahead or back.
            (Some(now - 400 * DAY_SECS), Some(now - 30 * DAY_SECS), Some(now)),
            (Some(now - 40 * DAY_SECS), Some(now + 1), Some(now)),
            (Some(now - DAY_SECS), Some(now + 900 * DAY_SECS), None),
        ];
        for (known, doubted_at, expected) in cases {
            assert_eq!(clock_doubted_at(now, known, doubted_at), expected, "{known:?} {doubted_at:?}");
        }
    }

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
