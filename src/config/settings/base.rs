// SPDX-License-Identifier: Apache-2.0
//! Where the data is, and how much is logged.

use super::{Kind, Setting};
use crate::config::value::{DefaultValue, Value};
use std::path::PathBuf;

/// The levels of the log, least first.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "data",
        kind: Kind::Path,
        default: DefaultValue::Text("muster-data"),
        help: "The data directory. Without it: $STATE_DIRECTORY, which systemd sets, else ./muster-data.",
        set: |config, value| config.data_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.data_dir.to_string_lossy().into_owned()),
    },
    Setting {
        key: "log.level",
        kind: Kind::Choice(LEVELS),
        default: DefaultValue::Text("info"),
        help: "What is logged: error, warn, info, debug (each request) or trace.",
        set: |config, value| config.log_level = value.into_text().parse().unwrap_or(log::LevelFilter::Info),
        get: |config| Value::Text(config.log_level.as_str().to_ascii_lowercase()),
    },
];
