// SPDX-License-Identifier: Apache-2.0
//! `retention.…`: how long what is stored is kept.

use super::{Kind, MIB, Setting, TIB};
use crate::config::retention::parse_minute;
use crate::config::value::{DefaultValue, Value};
use crate::model::retention::{DAYS_MAX, RetentionRule};

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "retention.days",
        kind: Kind::Number(0, DAYS_MAX as u64),
        default: DefaultValue::Number(35),
        help: "Days for which records are kept that no rule matches, counted from their reception; 0 keeps them for ever.",
        set: |config, value| config.retention.days = value.into_i64(),
        get: |config| Value::Number(config.retention.days.unsigned_abs()),
    },
    Setting {
        key: "retention.rules",
        kind: Kind::List {
            least: 0,
            rule: "like severity=4 days=365, with severity, classification (may end with *) and machine_id, 0 days for ever",
            is_valid: is_rule,
        },
        default: DefaultValue::List(&[]),
        help: "Records that are kept for another time, for example [\"severity=4 days=365\", \"classification=org.clearlinux/crash/* days=90\",\n\
               \"machine_id=ID days=0\"]; 0 keeps for ever. Where several rules match, the longest time counts.",
        set: |config, value| {
            config.retention.rule_texts = value.into_list();
            config.retention.rules =
                config.retention.rule_texts.iter().filter_map(|text| RetentionRule::parse(text)).collect();
        },
        get: |config| Value::List(config.retention.rule_texts.clone()),
    },
    Setting {
        key: "retention.at",
        kind: Kind::Text { rule: "a time of day, HH:MM", is_valid: |text| parse_minute(text).is_some() },
        default: DefaultValue::Text("04:30"),
        help: "The time of day, in local time, at which what is too old is removed.",
        set: |config, value| config.retention.at_minute = parse_minute(&value.into_text()).unwrap_or(0),
        get: |config| {
            Value::Text(format!(
                "{:02}:{:02}",
                config.retention.at_minute / 60,
                config.retention.at_minute % 60
            ))
        },
    },
    Setting {
        key: "retention.database_bytes_max",
        kind: Kind::BytesOrNone(4 * MIB, TIB),
        default: DefaultValue::Number(0),
        help: "The database is kept under so many bytes by removing the oldest records of the least severity first; 0 for no limit,\n\
               otherwise at least 4 MiB. What a rule keeps for ever is spared.",
        set: |config, value| config.retention.database_bytes_max = value.into_number(),
        get: |config| Value::Number(config.retention.database_bytes_max),
    },
    Setting {
        key: "retention.fleet_days",
        kind: Kind::Number(0, DAYS_MAX as u64),
        default: DefaultValue::Number(90),
        help: "Days for which actions and commands that are over, and agents that are gone, are kept; 0 keeps them for ever.",
        set: |config, value| config.retention.fleet_days = value.into_i64(),
        get: |config| Value::Number(config.retention.fleet_days.unsigned_abs()),
    },
    Setting {
        key: "retention.audit_days",
        kind: Kind::Number(0, DAYS_MAX as u64),
        default: DefaultValue::Number(730),
        help: "Days for which entries of the audit log are kept; 0 keeps them for ever.",
        set: |config, value| config.retention.audit_days = value.into_i64(),
        get: |config| Value::Number(config.retention.audit_days.unsigned_abs()),
    },
];

fn is_rule(text: &str) -> bool {
    RetentionRule::parse(text).is_some()
}
