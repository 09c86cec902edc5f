// SPDX-License-Identifier: Apache-2.0
//! `ingest.…`: which records are taken.

use super::{KIB, Kind, MIB, Setting, TIB};
use crate::config::QuarantinePolicy;
use crate::config::value::{DefaultValue, Value};

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "ingest.tids",
        kind: Kind::List { least: 1, rule: "1 to 100 letters, digits, - or _", is_valid: is_tid },
        default: DefaultValue::List(&["6907c830-eed9-4ce9-81ae-76daf8d88f0f"]),
        help: "Ids of organisations (X-Telemetry-TID) whose records are taken.",
        set: |config, value| config.tids = value.into_list(),
        get: |config| Value::List(config.tids.clone()),
    },
    Setting {
        key: "ingest.payload_bytes_max",
        kind: Kind::Bytes(KIB, 64 * MIB),
        default: DefaultValue::Number(300 * KIB),
        help: "The largest payload of a record.",
        set: |config, value| config.payload_bytes_max = value.into_usize(),
        get: |config| Value::Number(config.payload_bytes_max as u64),
    },
    Setting {
        key: "ingest.quarantine",
        kind: Kind::Choice(&["unattended", "all", "none"]),
        default: DefaultValue::Text("unattended"),
        help: "Which posts that break a rule are kept aside and answered 200, so that nobody sends them again for hours:\n\
               unattended (those of senders without User-Agent: the telemetry client), all, or none.",
        set: |config, value| config.quarantine = quarantine_policy(&value.into_text()),
        get: |config| Value::Text(quarantine_word(config.quarantine).to_owned()),
    },
    Setting {
        key: "ingest.quarantine_rows_max",
        kind: Kind::Number(0, 1_000_000),
        default: DefaultValue::Number(1000),
        help: "Posts kept in quarantine; the oldest give way.",
        set: |config, value| config.quarantine_rows_max = value.into_i64(),
        get: |config| Value::Number(config.quarantine_rows_max.unsigned_abs()),
    },
    Setting {
        key: "ingest.quarantine_bytes_max",
        kind: Kind::Bytes(0, TIB),
        default: DefaultValue::Number(16 * MIB),
        help: "Bytes kept in quarantine; the oldest give way.",
        set: |config, value| config.quarantine_bytes_max = value.into_i64(),
        get: |config| Value::Number(config.quarantine_bytes_max.unsigned_abs()),
    },
    Setting {
        key: "ingest.new_values_per_day_max",
        kind: Kind::Number(1, 10_000_000),
        default: DefaultValue::Number(10_000),
        help: "New classifications, builds and hardware profiles that a day may bring, of each; records with further ones go to\n\
               quarantine.",
        set: |config, value| config.new_values_per_day_max = value.into_i64(),
        get: |config| Value::Number(config.new_values_per_day_max.unsigned_abs()),
    },
];

fn is_tid(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn quarantine_policy(word: &str) -> QuarantinePolicy {
    match word {
        "all" => QuarantinePolicy::All,
        "none" => QuarantinePolicy::None,
        _ => QuarantinePolicy::Unattended,
    }
}

fn quarantine_word(policy: QuarantinePolicy) -> &'static str {
    match policy {
        QuarantinePolicy::Unattended => "unattended",
        QuarantinePolicy::All => "all",
        QuarantinePolicy::None => "none",
    }
}
