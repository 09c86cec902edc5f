// SPDX-License-Identifier: Apache-2.0
//! `access.…`: who may read and change.

use super::{Kind, Setting};
use crate::config::access::{ReadAccess, WriteAccess, parse_network};
use crate::config::value::{DefaultValue, Value};

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "access.read",
        kind: Kind::Choice(&["open", "login"]),
        default: DefaultValue::Text("open"),
        help: "Who may read records and the views of them: open (anybody) or login. The fleet, actions, investigators,\n\
               quarantine and the audit log are never open.",
        set: |config, value| {
            config.access.read =
                if value.into_text() == "open" { ReadAccess::Open } else { ReadAccess::Login }
        },
        get: |config| {
            Value::Text(if config.access.read == ReadAccess::Open { "open" } else { "login" }.to_owned())
        },
    },
    Setting {
        key: "access.write",
        kind: Kind::Choice(&["login", "open"]),
        default: DefaultValue::Text("login"),
        help: "Who may change what the telemetry pages show (comments, hidden guilties, the blacklist): login or open\n\
               (anybody). The fleet is never open. While there is no account, login means this host alone.",
        set: |config, value| {
            config.access.write =
                if value.into_text() == "open" { WriteAccess::Open } else { WriteAccess::Login }
        },
        get: |config| {
            Value::Text(if config.access.write == WriteAccess::Open { "open" } else { "login" }.to_owned())
        },
    },
    Setting {
        key: "access.session_secs",
        kind: Kind::Number(1, 31_536_000),
        default: DefaultValue::Number(43_200),
        help: "Without a request for so many seconds who is logged in must log in again.",
        set: |config, value| config.access.session_secs = value.into_i64(),
        get: |config| Value::Number(config.access.session_secs.unsigned_abs()),
    },
    Setting {
        key: "access.proxy_header",
        kind: Kind::Text {
            rule: "empty or the name of a header field that has no other meaning",
            is_valid: is_field_name,
        },
        default: DefaultValue::Text(""),
        help: "The header field in which a proxy names the account of who logged in there, for example X-Remote-User; empty\n\
               where none does. It is believed from access.proxy_login_from alone.",
        set: |config, value| config.access.proxy_header = value.into_text(),
        get: |config| Value::Text(config.access.proxy_header.clone()),
    },
    Setting {
        key: "access.proxy_login_from",
        kind: Kind::List {
            least: 0,
            rule: "an address or a network, for example 10.0.0.2 or 10.0.0.0/8",
            is_valid: is_network,
        },
        default: DefaultValue::List(&[]),
        help: "Addresses or networks of the proxies whose access.proxy_header is believed.",
        set: |config, value| {
            config.access.proxy_login_from =
                value.into_list().iter().filter_map(|text| parse_network(text)).collect()
        },
        get: |config| Value::List(config.access.proxy_login_from.iter().map(super::shown_network).collect()),
    },
];

fn is_network(text: &str) -> bool {
    parse_network(text).is_some()
}

/// Fields that clients send by themselves, or that say something else here already: none of them names an account.
const TAKEN_FIELDS: &[&str] = &[
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

fn is_field_name(text: &str) -> bool {
    let is_taken = TAKEN_FIELDS.iter().any(|name| name.eq_ignore_ascii_case(text));
    !is_taken
        && text.len() <= 100
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
