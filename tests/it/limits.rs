// SPDX-License-Identifier: Apache-2.0
//! The limit on posts: off by default, with a burst, told with the time to wait, and no reason to lose a connection.

use super::support::server::Options;
use super::support::{Server, record_fields};
use std::time::Duration;

fn limited(per_minute: u32, burst: u32) -> Server {
    let config = format!("[limits]\nposts_per_minute = {per_minute}\nposts_burst = {burst}\n");
    Server::start_with(Options { config: Some(config), ..Options::default() })
}

#[test]
fn there_is_none_by_default() {
    let server = Server::start();
    let mut connection = server.connect();
    for event in 0..700 {
        let answer = connection.request("POST", "/", &record_fields(event), b"x").unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

#[test]
fn a_burst_is_taken_and_the_next_is_told_how_long_to_wait() {
    let server = limited(30, 5);
    let mut connection = server.connect();
    let mut post = |event: u64| connection.request("POST", "/", &record_fields(event), b"x").unwrap();
    for event in 0..5 {
        assert_eq!(post(event).status, 201);
    }
    let refused = post(5);
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.message().starts_with("Too many records from your address"), "{}", refused.text());
    let secs: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&secs), "{secs}");
    // The same connection is still good, and what is asked otherwise is not limited.
    assert_eq!(post(6).status, 429);
    std::thread::sleep(Duration::from_secs(secs));
    assert_eq!(post(7).status, 201, "the wait was told right");
    assert_eq!(post(8).status, 429, "and no more than one had come back");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.count_records(), 6);
    let figures = server.get("/metrics").text();
    assert!(figures.contains("\nmuster_posts_total{outcome=\"refused\"} 3\n"), "{figures}");
}

#[test]
fn a_long_body_that_is_refused_is_not_read_and_its_answer_arrives() {
    let server = limited(1, 1);
    server.post_record(1, "x");
    let before = server.memory_kib().1;
    let refused = server.post(&record_fields(2), &vec![b'a'; 8 << 20]);
    assert_eq!(refused.status, 429);
    assert!(server.memory_kib().1 < before + 4_096, "{before} {:?}", server.memory_kib());
}
