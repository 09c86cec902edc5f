// SPDX-License-Identifier: Apache-2.0
//! `store.…` and `views.…`: the database and the files of custom views.

use super::{Kind, Setting, TIB};
use crate::config::value::{DefaultValue, Value};
use std::path::PathBuf;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "store.disk_reserve",
        kind: Kind::Bytes(0, TIB),
        default: DefaultValue::Number(64_000_000),
        help: "Free disk space below which posts are refused (503), so that purging and restarting still work.\n\
               On a small file system a tenth of it, where that is less.",
        set: |config, value| config.disk_reserve_bytes = value.into_number(),
        get: |config| Value::Number(config.disk_reserve_bytes),
    },
    Setting {
        key: "store.readers",
        kind: Kind::Number(1, 256),
        default: DefaultValue::Number(8),
        help: "Connections that read the database at once.",
        set: |config, value| config.readers = u32::try_from(value.into_number()).unwrap_or(u32::MAX),
        get: |config| Value::Number(u64::from(config.readers)),
    },
    Setting {
        key: "views.dir",
        kind: Kind::Path,
        default: DefaultValue::Text("views"),
        help: "Where the files of custom views are; a relative path begins at the data directory.\n\
               They are read again when they change. docs/custom-views.md says how to write one.",
        set: |config, value| config.views_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.views_dir.to_string_lossy().into_owned()),
    },
];
