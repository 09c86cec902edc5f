// SPDX-License-Identifier: Apache-2.0
//! What the tests share: the real binary on a real port with a real database, and a small HTTP client.

pub mod client;
pub mod fleet;
pub mod gpg;
pub mod server;

pub use client::{Answer, Connection};
pub use gpg::Gpg;
pub use server::Server;

/// Who acts where a test calls an operation itself.
pub fn tester() -> muster::model::audit::Actor {
    muster::model::audit::Actor::job("test")
}

/// The organisation id that the default configuration takes.
pub const TID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

/// The header fields of a good record of format version 4; `event` makes it differ from others.
pub fn record_fields(event: u64) -> Vec<(String, String)> {
    [
        ("record_format_version", "4"),
        ("classification", "org.clearlinux/hello/world"),
        ("severity", "1"),
        ("machine_id", "5eed0000000000000000000000000001"),
        ("creation_timestamp", "1795228041"),
        ("arch", "x86_64"),
        ("host_type", "Intel Corporation|NUC7i5BNH|J31169-311"),
        ("build", "41890"),
        ("kernel_version", "6.18.44-lts-001"),
        ("payload_format_version", "1"),
        ("system_name", "clear-linux-os"),
        ("board_name", "NUC7i5BNB|Intel Corporation"),
        ("cpu_model", "Intel(R) Core(TM) i5-7260U CPU @ 2.20GHz"),
        ("bios_version", "BNKBL357.86A.0085.2020.1007.1917"),
        ("event_id", &format!("{event:032x}")),
        ("X-Telemetry-TID", TID),
        ("Content-Type", "application/text"),
        ("User-Agent", "muster-test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The same fields with one replaced, or removed where the value is `None`.
pub fn with(mut fields: Vec<(String, String)>, name: &str, value: Option<&str>) -> Vec<(String, String)> {
    fields.retain(|(n, _)| n != name);
    if let Some(value) = value {
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields
}
