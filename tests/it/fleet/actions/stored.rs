// SPDX-License-Identifier: Apache-2.0
//! What is accepted, and how it is stored.

use super::*;
use crate::support::tester;
use muster::ops::fleet::{preview, signatures};
use muster::spool::{Name, Place};
use std::sync::Barrier;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/mig/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn an_action_is_stored_as_it_was_signed() {
    let bench = Bench::new();
    let mut action = sign(unsigned("all fields <&>"), &[&keys().bob, &keys().kim]);
    let signed = action.clone();
    // What only the server fills is not taken from outside.
    action.id = 4_711.0;
    action.status = "completed".to_owned();
    action.counters.success = 9;
    action.starttime = action.validfrom;
    action.investigators = Some(vec![Default::default()]);
    let row = bench.submit(&action).unwrap();
    assert_eq!(row.id, 1);
    assert_eq!(row.document, signed.to_json().unwrap());
    assert_eq!((row.status.word(), row.reason.as_str()), ("pending", ""));
    assert_eq!((row.threat_family.as_str(), row.created_by), ("test", None));
    assert_eq!((row.created_at, row.started_at, row.finished_at), (bench.clock.now(), None, None));
    assert_eq!(row.valid_from, action.validfrom.unix_secs);
    let signers: Vec<(i64, &str)> =
        row.signers.iter().map(|signer| (signer.investigator_id, signer.fingerprint.as_str())).collect();
    assert_eq!(signers, [(bench.bob, keys().bob.as_str()), (bench.kim, keys().kim.as_str())]);

    let told = row.to_action().unwrap();
    assert_eq!(told.signed_text().unwrap(), signed.signed_text().unwrap());
    let json: serde_json::Value = serde_json::from_str(&told.to_json().unwrap()).unwrap();
    assert_eq!(json["id"], 1);
    assert_eq!(json["status"], "pending");
    assert_eq!(json["starttime"], "0009-01-11T11:11:11Z");
    assert_eq!(json["finishtime"], "9998-01-11T11:11:11Z");
    assert_eq!(json["counters"], serde_json::json!({}));
    assert_eq!(json["investigators"][0]["name"], "Bob Kelso");
    assert_eq!(json["investigators"][1]["pgpfingerprint"], keys().kim.as_str());
    assert_eq!(json["investigators"][0]["status"], "active");

    let file = bench.app.spool.path(Place::ActionNew, Name::Action(1));
    assert_eq!(std::fs::read_to_string(file).unwrap().trim_end(), told.to_json().unwrap());
    assert_eq!(bench.app.store.action(1).unwrap().unwrap(), row);
    assert_eq!(bench.app.store.actions(&[7, 1, 0]).unwrap(), [row]);
}

#[test]
fn armored_signatures_become_one_line() {
    let bench = Bench::new();
    let mut action = unsigned("armored");
    let armored = keys().gpg.sign(&keys().bob, &action.signed_text().unwrap());
    action.pgpsignatures = Some(vec![armored]);
    let stored = bench.submit(&action).unwrap().submitted().unwrap();
    let line = &stored.pgpsignatures.unwrap()[0];
    assert!(!line.contains('\n') && !line.contains("BEGIN") && line.contains('='), "{line}");
}

#[test]
fn the_vectors_verify_and_the_generators_action_is_accepted_in_its_time() {
    // 2026-11-21T02:00:00Z
    let bench = Bench::at(1_795_226_400);
    let armored = String::from_utf8(data("investigator.asc")).unwrap();
    let id = add_investigator(bench.dir.path(), "MIG", &armored);
    for (name, refusal) in [
        ("v1-escapes.signed.json", "action expireafter is set before action validfrom"),
        ("v2-simple.signed.json", "action expireafter is set before action validfrom"),
        ("v4-generator-signed.json", ""),
    ] {
        let action = Action::from_json(&data(name)).unwrap();
        let signers = signatures::verify(&bench.app, &action).unwrap();
        assert_eq!(signers.iter().map(|row| row.id).collect::<Vec<_>>(), [id], "{name}");
        match refusal {
            "" => assert_eq!(bench.submit(&action).unwrap().signers.len(), 1),
            refusal => assert_eq!(bench.refusal(&action), (Kind::Invalid, refusal.to_owned()), "{name}"),
        }
    }
}

#[test]
fn the_same_text_is_accepted_once_however_many_try() {
    let bench = Bench::new();
    let action = by_bob(unsigned("race"));
    let start = Barrier::new(64);
    let outcomes: Vec<Option<Kind>> = std::thread::scope(|scope| {
        let submit = || {
            start.wait();
            bench.submit(&action).err().map(|error| error.kind())
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(submit)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|kind| kind.is_none()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|kind| **kind == Some(Kind::Conflict)).count(), 63, "{outcomes:?}");
    assert_eq!(bench.count_actions(), 1);
    // Another signature, or what is not signed, does not make it another action.
    let mut other = sign(action, &[&keys().kim]);
    other.description.author = "Somebody else".to_owned();
    let (kind, message) = bench.refusal(&other);
    assert!(kind == Kind::Conflict && message.contains("accepted before, as action 1"), "{message}");
}

#[test]
fn a_text_is_remembered_until_it_cannot_run() {
    let bench = Bench::new();
    let action = by_bob(unsigned("remembered"));
    bench.submit(&action).unwrap();
    let count = || -> i64 {
        bench.database().query_row("SELECT count(*) FROM signed_texts", [], |row| row.get(0)).unwrap()
    };
    // A clock that was wrong and is set back.
    let soon = bench.clock.now();
    bench.clock.set(soon + 3_600);
    bench.submit(&by_bob(unsigned_at("later", soon + 3_600))).unwrap();
    bench.clock.set(soon);
    assert_eq!(bench.refusal(&action).0, Kind::Conflict);
    assert_eq!(count(), 2);
    bench.clock.set(soon + 3_600 + 86_400 + 600);
    let late = sign(unsigned_at("much later", bench.clock.now()), &[&keys().bob]);
    bench.submit(&late).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn the_spool_may_name_a_free_id() {
    let bench = Bench::new();
    let with_id = |name: &str, id: f64, origin: Origin| {
        let mut action = by_bob(unsigned(name));
        action.id = id;
        let actor = tester();
        submit(&bench.app, &action, &Submitter { investigator_id: None, origin, actor }).unwrap().id
    };
    assert_eq!(with_id("a", 500.0, Origin::Api), 1);
    assert_eq!(with_id("b", 500.0, Origin::Spool), 500);
    assert_eq!(with_id("c", 500.0, Origin::Spool), 501);
    assert_eq!(with_id("d", 0.0, Origin::Spool), 502);
    assert_eq!(with_id("e", -7.0, Origin::Spool), 503);
    assert_eq!(with_id("f", 28_047_392_506_076.0, Origin::Spool), 28_047_392_506_076);
    assert_eq!(with_id("g", (1_i64 << 50) as f64, Origin::Spool), 28_047_392_506_077);
    assert_eq!(with_id("h", 1.5, Origin::Spool), 28_047_392_506_078);
    assert_eq!(with_id("i", 0.0, Origin::Page), 28_047_392_506_079);
}

#[test]
fn a_target_is_previewed() {
    let bench = Bench::new();
    let found = preview::preview(&bench.app, "name ILIKE '%'").unwrap();
    assert_eq!((found.agents, found.names.len()), (0, 0));
    let now = bench.clock.now();
    bench.execute(&agents_sql(120, now));
    let found = preview::preview(&bench.app, "name ILIKE '%'").unwrap();
    assert_eq!((found.agents, found.names.len()), (120, 100));
    assert_eq!(found.names[0], "host0000");
    let found = preview::preview(&bench.app, "name = 'host0007'").unwrap();
    assert_eq!((found.agents, &found.names[..]), (1, &["host0007".to_owned()][..]));
    let error = preview::preview(&bench.app, "name = 1; DROP TABLE agents").unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(preview::require_confirmed(&bench.app, &found, false).is_ok());
}

/// So many agents that are online at `now`, straight in the tables.
pub(super) fn agents_sql(n: usize, now: i64) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {n})
         INSERT INTO endpoints (id, queueloc) SELECT i + 1, printf('linux.host%04d', i) FROM n;
         INSERT INTO agent_names (id, name) SELECT id, substr(queueloc, 7) FROM endpoints;
         INSERT INTO agent_versions (id, version) VALUES (1, '1');
         INSERT INTO environments (id, digest, environment) VALUES (1, x'00', '{{\"os\":\"linux\"}}');
         INSERT INTO tag_sets (id, digest, tags) VALUES (1, x'00', '{{}}');
         INSERT INTO agents (id, endpoint_id, pid, mode, publicip, addresses)
           SELECT id, id, 7, 'daemon', '10.0.0.1', '[]' FROM endpoints;
         INSERT INTO agent_states (endpoint_id, agent_id, heartbeat_at, started_at, name_id, version_id, environment_id,
             tags_id)
           SELECT id, id, {now}, {now}, id, 1, 1, 1 FROM endpoints;"
    )
}
