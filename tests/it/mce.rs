// SPDX-License-Identifier: Apache-2.0
//! Machine checks over HTTP: each number of `/mce` leads to the very records that it counts.

use crate::support::{Server, record_fields, with};
use crate::views::html::read_document;
use std::collections::BTreeSet;

const CORRECTED: &str = include_str!("../data/payloads/mce-corrected.txt");
/// 2026-11-21, as in the fields of a good record.
const NOW: i64 = 1_795_228_041;

/// Classes and status codes as they are sent, one record each; some are no machine checks.
const SENT: [(&str, &str); 12] = [
    ("corrected", "STATUS 90000040000F0005 MCGSTATUS 0"),
    ("corrected", "STATUS 90000040000f0005 MCGSTATUS 0"),
    ("SRAO", "STATUS 900000400 00F0005 MCGSTATUS 0"),
    ("SRAR", "STATUS 90000040000F000a MCGSTATUS 0"),
    ("UCNA", "STATUS 90000040000f000A MCGSTATUS 0"),
    ("UCNA", "MCA: Internal parity error"),
    // A code that no register's name stands before.
    ("corrected", "000F0005 MCGSTATUS 0"),
    // Thermal events that do not say so, and classes that nobody knows.
    ("thermal", "STATUS 90000040000f0005 MCGSTATUS 0"),
    ("thermal", "hot"),
    ("other", "STATUS 90000040000F0005 MCGSTATUS 0"),
    ("srao", "STATUS 90000040000F000a MCGSTATUS 0"),
    ("corrected.more", "STATUS 90000040000F0005 MCGSTATUS 0"),
];

fn filled() -> Server {
    let server = Server::start();
    let mut event = 0;
    for round in 0..6_i64 {
        for (class, line) in SENT {
            event += 1;
            let payload = CORRECTED.replace("STATUS 90000040000f0005 MCGSTATUS 0", line);
            let classification = format!("org.clearlinux/mce/{class}");
            let captured_at = (NOW - (event as i64 % 4) * 9 * 86_400).to_string();
            let mut fields = record_fields(event);
            for (name, value) in [
                ("classification", Some(classification.as_str())),
                ("creation_timestamp", Some(captured_at.as_str())),
                ("machine_id", Some(["m one", "0000000000000000000000000000000a"][event as usize % 2])),
                ("build", Some(["b1", "b2", "b3"][round as usize % 3])),
                ("system_name", Some(["fedora", "debian"][round as usize / 3])),
            ] {
                fields = with(fields, name, value);
            }
            let answer = server.post(&fields, payload.as_bytes());
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    }
    server
}

/// What a link of the page says that it counts: at the end of a mark's title, or as a number of a table.
fn count_of(text: &str) -> Option<usize> {
    let number = text.rsplit(": ").next()?.split(' ').next()?;
    number.replace(',', "").parse().ok()
}

#[test]
fn every_link_counts_what_its_mark_says() {
    let server = filled();
    let year = server.get("/api/mce?year=2026").json();
    assert_eq!(year["reports"]["all"], 42);
    assert_eq!(
        year["statuses"],
        serde_json::json!([
            { "status": "", "reports": 18 },
            { "status": "000f0005", "reports": 12 },
            { "status": "000f000a", "reports": 12 },
        ])
    );
    let page = read_document(&server.get("/mce?year=2026").text());
    let mut checked = BTreeSet::new();
    let mut named = BTreeSet::new();
    for link in page.iter().filter(|e| e.name == "a") {
        let Some(address) = link.attribute("href").filter(|href| href.starts_with("/records?")) else {
            continue;
        };
        let Some(count) = count_of(&link.text) else {
            // The name of a build; the bar beside it says how many.
            named.insert(address);
            continue;
        };
        if checked.insert(address) {
            let found = server.get(&format!("/api{address}")).json();
            assert_eq!(found["records"].as_array().map(Vec::len), Some(count), "{}: {address}", link.text);
        }
    }
    assert!(named.is_subset(&checked), "{named:?}");
    // Weeks, classes, codes, builds, machines and their builds.
    for (part, least) in
        [("classification=", 20), ("payload=", 2), ("classification_in=", 8), ("machine_id=", 6)]
    {
        let found = checked.iter().filter(|address| address.contains(part)).count();
        assert!(found >= least, "{part} is in {found} of {checked:#?}");
    }
}
