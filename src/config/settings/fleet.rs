// SPDX-License-Identifier: Apache-2.0
//! `fleet.…`: agents, actions and their spool.

use super::{Kind, Setting};
use crate::config::Enrol;
use crate::config::value::{DefaultValue, Value};
use std::path::PathBuf;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "fleet.enrol",
        kind: Kind::Choice(&["auto", "open", "token", "closed"]),
        default: DefaultValue::Text("auto"),
        help: "Who may bring a new agent: open (anybody, and the first key of an endpoint binds), token (a key binds only\n\
               with the token that `muster agent token` prints), closed (nobody), or auto: open where muster listens on\n\
               loopback addresses only and no proxy is configured, else token.",
        set: |config, value| config.fleet.enrol = Enrol::from_word(&value.into_text()),
        get: |config| Value::Text(config.fleet.enrol.word().to_owned()),
    },
    Setting {
        key: "fleet.agents_max",
        kind: Kind::Number(1, 10_000_000),
        default: DefaultValue::Number(500_000),
        help: "Agents that are kept; heartbeats of further ones are refused.",
        set: |config, value| config.fleet.agents_max = value.into_i64(),
        get: |config| Value::Number(config.fleet.agents_max.unsigned_abs()),
    },
    Setting {
        key: "fleet.heartbeat_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(300),
        help: "How often agents beat, in seconds. One that was heard of within two of these is online.",
        set: |config, value| config.fleet.heartbeat_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.heartbeat_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.offline_after_secs",
        kind: Kind::Number(1, 31_536_000),
        default: DefaultValue::Number(1200),
        help: "Without a heartbeat for so many seconds an agent is offline; before that it is idle.",
        set: |config, value| config.fleet.offline_after_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.offline_after_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.token_window_secs",
        kind: Kind::Number(10, 86_400),
        default: DefaultValue::Number(600),
        help: "How far the time of an investigator's signed token may be from the server's, in seconds.",
        set: |config, value| config.fleet.token_window_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.token_window_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.confirm_above",
        kind: Kind::Number(0, 10_000_000),
        default: DefaultValue::Number(100),
        help: "On the page and on the command line an action on more agents than this must be confirmed.",
        set: |config, value| config.fleet.confirm_above = value.into_i64(),
        get: |config| Value::Number(config.fleet.confirm_above.unsigned_abs()),
    },
    Setting {
        key: "fleet.module_timeout_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(300),
        help: "How long a module may run on an agent, in seconds. A command that was fetched is given out again when\n\
               five minutes and this have passed without an answer.",
        set: |config, value| config.fleet.module_timeout_secs = value.into_i64(),
        get: |config| Value::Number(config.fleet.module_timeout_secs.unsigned_abs()),
    },
    Setting {
        key: "fleet.poll_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(2),
        help: "How long an agent is told to wait, in seconds, when all places for waiting connections are taken.",
        set: |config, value| config.fleet.poll_secs = value.into_number(),
        get: |config| Value::Number(config.fleet.poll_secs),
    },
    Setting {
        key: "fleet.spool",
        kind: Kind::Path,
        default: DefaultValue::Text("spool"),
        help: "The directory of actions and commands as files; a relative path begins at the data directory.\n\
               Where a flag or a variable names another data directory than this file, it is spool in that one.",
        set: |config, value| config.fleet.spool_dir = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.fleet.spool_dir.to_string_lossy().into_owned()),
    },
    Setting {
        key: "fleet.spool_keep_hours",
        kind: Kind::Number(1, 87_600),
        default: DefaultValue::Number(72),
        help: "How long the spool keeps files of actions and commands that are over, in hours.",
        set: |config, value| config.fleet.spool_keep_hours = value.into_i64(),
        get: |config| Value::Number(config.fleet.spool_keep_hours.unsigned_abs()),
    },
];
