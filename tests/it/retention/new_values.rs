// SPDX-License-Identifier: Apache-2.0
//! The bound on new strings a day.

use super::Place;
use crate::support::server::Options;
use crate::support::{Server, record_fields, with};

fn start(place: &Place, quarantine: &str) -> Server {
    let config = format!("[ingest]\nnew_values_per_day_max = 3\nquarantine = \"{quarantine}\"\n");
    Server::start_with(Options {
        data_dir: Some(place.data_dir()),
        config: Some(config),
        ..Options::default()
    })
}

#[test]
fn new_strings_beyond_the_bound_are_kept_aside_and_known_ones_go_on() {
    let place = Place::new("");
    let server = start(&place, "unattended");
    let post = |event: u64, name: &str, value: &str| {
        server.post(&with(record_fields(event), name, Some(value)), b"x")
    };
    for n in 1..=3 {
        assert_eq!(post(n, "build", &format!("{n}")).status, 201);
    }
    // A sender with a User-Agent too, and nothing of the record is left in the tables of strings.
    let answer =
        server.post(&with(with(record_fields(4), "build", Some("4")), "classification", Some("a/b/c")), b"x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("new build") && text.contains("ingest.new_values_per_day_max"), "{text}");
    assert_eq!(place.number("SELECT count(*) FROM quarantine"), 1);
    assert_eq!(place.number("SELECT count(*) FROM classifications WHERE name = 'a/b/c'"), 0);
    // What is known goes on, also sent again, and other dimensions have bounds of their own.
    assert_eq!(post(5, "build", "2").status, 201);
    assert_eq!(post(1, "build", "1").status, 201);
    let known_build = with(record_fields(6), "build", Some("3"));
    assert_eq!(server.post(&with(known_build, "classification", Some("a/b/c")), b"x").status, 201);
    let n = place.number("SELECT added FROM new_values WHERE dimension = 'build'");
    assert_eq!(n, 3);
    assert_eq!(place.number("SELECT count(*) FROM records"), 5);
}

#[test]
fn without_quarantine_the_sender_is_told_to_come_back_tomorrow() {
    let place = Place::new("");
    let server = start(&place, "none");
    let build = |n: u64| with(record_fields(n), "build", Some(&n.to_string()));
    for n in 1..=3 {
        assert_eq!(server.post(&build(n), b"x").status, 201);
    }
    let answer = server.post(&build(4), b"x");
    assert_eq!(answer.status, 429);
    let retry_after: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!(retry_after > 0 && retry_after <= 86_400);
    assert_eq!(place.number("SELECT count(*) FROM quarantine"), 0);
    // A day later there is room again.
    drop(server);
    crate::store::database(&place.data_dir()).execute("UPDATE new_values SET day = day - 1", []).unwrap();
    let server = start(&place, "none");
    assert_eq!(server.post(&build(4), b"x").status, 201);
    drop(server);
    place.run_well(&["purge"]);
    assert_eq!(place.number("SELECT count(*) FROM new_values"), 1);
}
