// SPDX-License-Identifier: Apache-2.0
//! `http.…`: addresses, names and limits of the wire.

use super::{GIB, Kind, MIB, Setting};
use crate::config::access::parse_network;
use crate::config::value::{DefaultValue, Value};

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "http.listen",
        kind: Kind::List {
            least: 1,
            rule: "ADDR:PORT, for example 0.0.0.0:8080 or [::]:8080",
            is_valid: super::is_address,
        },
        default: DefaultValue::List(&["127.0.0.1:8080"]),
        help: "Addresses to listen on: ADDR:PORT, an IPv6 address in brackets; port 0 takes a free one.\n\
               Sockets passed by systemd (muster.socket) replace them; ports under 1024 need those.",
        set: |config, value| config.listen = value.into_list(),
        get: |config| Value::List(config.listen.clone()),
    },
    Setting {
        key: "http.hostnames",
        kind: Kind::List { least: 0, rule: "a host name without port", is_valid: is_hostname },
        default: DefaultValue::List(&[]),
        help: "Names by which browsers call this server, beside localhost, its addresses and its own name.\n\
               A request for another name is refused (421), so that no foreign site can pose as this one.",
        set: |config, value| config.hostnames = value.into_list(),
        get: |config| Value::List(config.hostnames.clone()),
    },
    Setting {
        key: "http.base_path",
        kind: Kind::Text {
            rule: "empty, or a path like /muster without a slash at its end",
            is_valid: is_base_path,
        },
        default: DefaultValue::Text(""),
        help: "The path below which a proxy offers this server, for example /muster; empty where it is at the root.",
        set: |config, value| config.base_path = value.into_text(),
        get: |config| Value::Text(config.base_path.clone()),
    },
    Setting {
        key: "http.trusted_proxies",
        kind: Kind::List {
            least: 0,
            rule: "an address or a network, for example 127.0.0.1 or 10.0.0.0/8",
            is_valid: |text| parse_network(text).is_some(),
        },
        default: DefaultValue::List(&[]),
        help: "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        set: |config, value| {
            config.trusted_proxies = value.into_list().iter().filter_map(|text| parse_network(text)).collect()
        },
        get: |config| Value::List(config.trusted_proxies.iter().map(super::shown_network).collect()),
    },
    Setting {
        key: "http.connections_max",
        kind: Kind::Number(8, 1_000_000),
        default: DefaultValue::Number(1024),
        help: "Connections at once; the limit of open files less 64 may make it fewer.",
        set: |config, value| config.connections_max = value.into_usize(),
        get: |config| Value::Number(config.connections_max as u64),
    },
    Setting {
        key: "http.head_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(10),
        help: "Time for a whole request head, in seconds.",
        set: |config, value| config.head_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.head_timeout_secs),
    },
    Setting {
        key: "http.body_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(30),
        help: "Time for a whole request body, in seconds.",
        set: |config, value| config.body_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.body_timeout_secs),
    },
    Setting {
        key: "http.idle_timeout_secs",
        kind: Kind::Number(1, 86_400),
        default: DefaultValue::Number(60),
        help: "How long a connection may rest between two requests, in seconds.",
        set: |config, value| config.idle_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.idle_timeout_secs),
    },
    Setting {
        key: "http.write_timeout_secs",
        kind: Kind::Number(1, 3_600),
        default: DefaultValue::Number(30),
        help: "Time for each 64 KiB of an answer, in seconds.",
        set: |config, value| config.write_timeout_secs = value.into_number(),
        get: |config| Value::Number(config.write_timeout_secs),
    },
    Setting {
        key: "http.bodies_bytes_max",
        kind: Kind::Bytes(MIB, 64 * GIB),
        default: DefaultValue::Number(32 * MIB),
        help: "All request bodies in memory together; further ones wait.",
        set: |config, value| config.bodies_bytes_max = value.into_usize(),
        get: |config| Value::Number(config.bodies_bytes_max as u64),
    },
];

/// Letters beyond ASCII are sent by browsers as punycode, so a name that has them would never match.
fn is_hostname(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.trim_end_matches('.').split('.').all(is_part)
}

fn is_base_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}
