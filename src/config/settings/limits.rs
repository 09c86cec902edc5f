// SPDX-License-Identifier: Apache-2.0
//! `limits.…`: how often one address may do something.

use super::{Kind, Setting};
use crate::config::value::{DefaultValue, Value};

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "limits.posts_per_minute",
        kind: Kind::Number(0, 1_000_000),
        default: DefaultValue::Number(0),
        help: "Records that one address may post in a minute; 0 for no limit. The telemetry client sends up to 50 at once and\n\
               stops at a refusal (429) until its next try.",
        set: |config, value| {
            config.limits.posts_per_minute = u32::try_from(value.into_number()).unwrap_or(u32::MAX)
        },
        get: |config| Value::Number(u64::from(config.limits.posts_per_minute)),
    },
    Setting {
        key: "limits.posts_burst",
        kind: Kind::Number(1, 1_000_000),
        default: DefaultValue::Number(500),
        help: "So many of them may come at once.",
        set: |config, value| {
            config.limits.posts_burst = u32::try_from(value.into_number()).unwrap_or(u32::MAX)
        },
        get: |config| Value::Number(u64::from(config.limits.posts_burst)),
    },
    Setting {
        key: "limits.logins_per_minute",
        kind: Kind::Number(0, 1_000_000),
        default: DefaultValue::Number(10),
        help: "Failed logins and API authentications of one address in a minute; of one account five times as many. 0 for no limit.",
        set: |config, value| {
            config.limits.logins_per_minute = u32::try_from(value.into_number()).unwrap_or(u32::MAX)
        },
        get: |config| Value::Number(u64::from(config.limits.logins_per_minute)),
    },
    Setting {
        key: "limits.logins_burst",
        kind: Kind::Number(1, 1_000_000),
        default: DefaultValue::Number(10),
        help: "So many of them may come at once before 429 is answered.",
        set: |config, value| {
            config.limits.logins_burst = u32::try_from(value.into_number()).unwrap_or(u32::MAX)
        },
        get: |config| Value::Number(u64::from(config.limits.logins_burst)),
    },
];
