// SPDX-License-Identifier: Apache-2.0
//! What the records list says where it has no rows, and what to do about it.

use crate::views::records::{Data, VIEW};
use maud::{Markup, html};

/// The panel in the rows' place.
pub fn render(data: &Data) -> Markup {
    // The stream's rows need their place also where there is none yet.
    html! {
        div.sheet hidden { table.records { tbody #rows {} } }
        section.panel.empty #empty {
            @if data.n_records == 0 {
                (no_record_yet(data))
            } @else if data.searched_back_to.is_some() {
                h2 { "Nothing found yet" }
            } @else if data.from_id.is_some() {
                h2 { "No older records" }
                p { a href=(data.url(VIEW.path, None)) { "Back to the newest" } }
            } @else {
                h2 { "Nothing matches" }
                p { "No stored record fulfils all of these conditions. Remove one above, or " a href=(VIEW.path) { "show all records" } "." }
            }
        }
    }
}

/// The panel where a condition breaks its rule.
pub fn refused() -> Markup {
    html! {
        section.panel.empty role="alert" {
            h2 { "A condition is not understood" }
            p { "Correct the field that is marked above, or " a href=(VIEW.path) { "show all records" } "." }
        }
    }
}

fn no_record_yet(data: &Data) -> Markup {
    html! {
        h2 { "No record yet" }
        p { "Machines post their telemetry to this server. To see that it works, post a first record from a shell:" }
        pre.command tabindex="0" { code { (curl(&data.origin, &data.tid)) } }
        p.muted { "A Clear Linux client is pointed here by " code { "server=" (data.origin) "/v2/collector" } " in its telemetrics.conf." }
    }
}

/// The shell command that posts a record of format version 2.
fn curl(origin: &str, tid: &str) -> String {
    let fields = [
        ("record_format_version", "2"),
        ("classification", "org.clearlinux/hello/world"),
        ("severity", "1"),
        ("machine_id", "0123456789abcdef0123456789abcdef"),
        ("arch", "x86_64"),
        ("host_type", "blank|blank|blank"),
        ("build", "1"),
        ("kernel_version", "6.1"),
        ("payload_format_version", "1"),
        ("system_name", "clear-linux-os"),
        ("X-Telemetry-TID", tid),
    ];
    let mut command = format!("curl {} \\\n", in_quotes(&format!("{origin}/")));
    for (name, value) in fields {
        command.push_str(&format!("  -H {} \\\n", in_quotes(&format!("{name}: {value}"))));
    }
    command + "  -H \"creation_timestamp: $(date +%s)\" \\\n  -d 'hello'"
}

/// A word of a shell command.
fn in_quotes(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
