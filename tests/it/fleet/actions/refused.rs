// SPDX-License-Identifier: Apache-2.0
//! What is refused, with which text; nothing of it is stored.

use super::*;
use crate::support::tester;
use muster::model::timestamp::Timestamp;
use muster::store::fleet::{NewAction, NewSignature};

/// What it is, the action, and how it is refused.
type Case = (&'static str, Action, Kind, &'static str);

fn with(good: &Action, signatures: Vec<String>) -> Action {
    Action { pgpsignatures: Some(signatures), ..good.clone() }
}

/// Signatures that are none.
fn malformed(good: &Action) -> Vec<Case> {
    let signature = good.pgpsignatures.clone().unwrap()[0].clone();
    let (body, _) = signature.rsplit_once('=').unwrap();
    let mut flipped = signature.clone().into_bytes();
    flipped[100] = if flipped[100] == b'A' { b'B' } else { b'A' };
    let of = |text: String| with(good, vec![text]);
    let key = keys().gpg.public_key(&keys().bob);
    let cut_armor = "-----BEGIN PGP SIGNATURE-----\n\nwsBc".to_owned();
    let cases = [
        ("none", with(good, Vec::new()), "action pgpsignatures is empty"),
        ("empty", of(String::new()), "VerifySignatures() -> EOF (signature 1: "),
        ("no base64", of("!!!".to_owned()), "VerifySignatures() -> EOF"),
        ("cut armor", of(cut_armor), "VerifySignatures() -> EOF"),
        ("wrong checksum", of(format!("{body}=AAAA")), "its checksum does not match"),
        ("flipped", of(String::from_utf8(flipped).unwrap()), "its checksum does not match"),
        ("two in one", of(format!("{signature} {signature}")), "VerifySignatures() -> EOF"),
        ("huge", of("A".repeat(100_000)), "it is too large"),
        ("a key", of(key), "another kind of OpenPGP block"),
        ("too many", with(good, vec![signature; 17]), "has 17 pgpsignatures; at most 16"),
    ];
    cases.into_iter().map(|(what, action, text)| (what, action, Kind::Invalid, text)).collect()
}

/// Signatures by the wrong ones, or over something else.
fn insufficient(good: &Action) -> Vec<Case> {
    let signature = good.pgpsignatures.clone().unwrap()[0].clone();
    let text = good.signed_text().unwrap();
    let newline = keys().gpg.sign_one_line(&keys().bob, &format!("{text}\n"));
    let later = Timestamp::utc(good.expireafter.unix_secs + 1);
    let again = keys().gpg.sign(&keys().bob, &text);
    let cases = [
        (
            "another text",
            with(good, vec![newline]),
            "openpgp: invalid signature: hash tag doesn't match (signature 1: The signature does not match the text)",
        ),
        (
            "unknown",
            sign(good.clone(), &[&keys().stranger]),
            "openpgp: signature made by unknown entity (signature 1: The signature was made by a key that is not known",
        ),
        (
            "one of two unknown",
            sign(good.clone(), &[&keys().bob, &keys().stranger]),
            "openpgp: signature made by unknown entity (signature 2: ",
        ),
        (
            "twice the same",
            with(good, vec![signature.clone(), signature.clone()]),
            "used to sign multiple times",
        ),
        ("twice by one", with(good, vec![signature, again]), "used to sign multiple times"),
        (
            "changed after signing",
            Action { name: "changed".into(), ..good.clone() },
            "openpgp: invalid signature",
        ),
        ("longer after signing", Action { expireafter: later, ..good.clone() }, "openpgp: invalid signature"),
    ];
    cases.into_iter().map(|(what, action, text)| (what, action, Kind::Forbidden, text)).collect()
}

#[test]
fn signatures_that_do_not_suffice_are_refused() {
    let bench = Bench::new();
    let good = by_bob(unsigned("good"));
    for (what, action, kind, text) in malformed(&good).into_iter().chain(insufficient(&good)) {
        let (found, message) = bench.refusal(&action);
        assert!(found == kind && message.contains(text), "{what}: {found:?} {message}");
    }
    assert_eq!(bench.count_actions(), 0);
    // And without a checksum it is still a signature.
    let signature = &good.pgpsignatures.clone().unwrap()[0];
    let (body, _) = signature.rsplit_once('=').unwrap();
    bench.submit(&with(&good, vec![body.to_owned()])).unwrap();
}

#[test]
fn who_is_disabled_or_may_not_create_does_not_count() {
    let bench = Bench::new();
    let action = by_bob(unsigned("disabled"));
    bench.execute("UPDATE investigators SET is_active = 0 WHERE name = 'Bob Kelso'");
    let (kind, message) = bench.refusal(&action);
    assert!(kind == Kind::Forbidden && message.contains("or its owner is disabled"), "{message}");
    bench.execute("UPDATE investigators SET is_active = 1, permissions = 3 WHERE name = 'Bob Kelso'");
    let (kind, message) = bench.refusal(&action);
    assert!(kind == Kind::Forbidden && message.contains("permission action_create"), "{message}");
    // One of two suffices.
    bench.submit(&sign(action, &[&keys().bob, &keys().kim])).unwrap();
}

#[test]
fn the_submitter_needs_the_permission_too() {
    let bench = Bench::new();
    let action = by_bob(unsigned("by kim"));
    let by_kim = Submitter { investigator_id: Some(bench.kim), origin: Origin::Api, actor: tester() };
    for change in ["is_active = 0", "is_active = 1, permissions = 3"] {
        bench.execute(&format!("UPDATE investigators SET {change} WHERE id = {}", bench.kim));
        let error = submit(&bench.app, &action, &by_kim).unwrap_err();
        assert_eq!(error.kind(), Kind::Forbidden);
        assert_eq!(error.message(), "Insufficient permissions to access endpoint");
    }
    bench.execute("UPDATE investigators SET permissions = 4");
    assert_eq!(submit(&bench.app, &action, &by_kim).unwrap().created_by, Some(bench.kim));
}

#[test]
fn a_change_between_verification_and_storing_is_seen() {
    let bench = Bench::new();
    let new = |public_key: &str| NewAction {
        wanted_id: None,
        name: "n".to_owned(),
        target: "t".to_owned(),
        threat_family: String::new(),
        valid_from: bench.clock.now(),
        expire_after: bench.clock.now() + 60,
        modules: vec!["ping".to_owned()],
        document: unsigned("n").to_json().unwrap(),
        signed_digest: [7; 32],
        signatures: vec![NewSignature {
            investigator_id: bench.bob,
            public_key: public_key.to_owned(),
            signature: "s".to_owned(),
        }],
        created_by: None,
    };
    let key = keys().gpg.public_key(&keys().bob);
    let store = |new: NewAction| bench.app.store.insert_action(new, &tester(), |_, _| Ok(()));
    let refused = |new: NewAction| store(new).unwrap_err().message().to_owned();
    assert!(refused(new("another key")).contains("disabled or got another key just now"));
    bench.execute("UPDATE investigators SET is_active = 0");
    assert!(refused(new(&key)).contains("disabled or got another key just now"));
    bench.execute("UPDATE investigators SET is_active = 1");
    assert_eq!(refused(NewAction { signatures: Vec::new(), ..new(&key) }), "action pgpsignatures is empty");
    let past = NewAction { expire_after: bench.clock.now(), ..new(&key) };
    assert_eq!(refused(past), "action expireafter is in the past");
    // What the hook cannot do is not stored.
    let error = bench
        .app
        .store
        .insert_action(new(&key), &tester(), |_, _| Err(muster::error::Error::busy("no file")))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert_eq!(bench.count_actions(), 0);
    store(new(&key)).unwrap();
}

#[test]
fn the_time_of_an_action_must_lie_ahead() {
    let bench = Bench::new();
    let action = by_bob(unsigned("in time"));
    bench.clock.set(action.expireafter.unix_secs);
    assert_eq!(bench.refusal(&action), (Kind::Invalid, "action expireafter is in the past".to_owned()));
    bench.clock.set(action.expireafter.unix_secs - 1);
    bench.submit(&action).unwrap();
}

#[test]
fn hostile_targets_are_refused_before_anything_is_stored() {
    let bench = Bench::new();
    let cases = [
        "1=1; DROP TABLE actions",
        "name = 'a' -- comment",
        "name = 'a' /* comment */",
        "id IN (SELECT id FROM investigators)",
        "id = (SELECT max(id) FROM agents)",
        "EXISTS (SELECT 1)",
        "pg_sleep(10) IS NULL",
        "lower(name) = 'a'",
        "name = 'a' UNION SELECT 1",
        "name || 'a' = 'b'",
        "name::text = 'a'",
        "CAST(id AS text) = '1'",
        "CASE WHEN true THEN true END",
        "name = $1",
        "name = :p",
        "\"name\"\" = 'a'",
        "name = 'a' OR",
        "investigators.name = 'a'",
        "publickey IS NULL",
        "tags = '{}'::jsonb",
        "name ~ '(a+)+$' COLLATE \"C\"",
        "name = E'\\x27'",
        "name = U&'\\0061'",
        "name LIKE 'a' ESCAPE 'b'",
        "id = 1e400",
        "true",
        "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((id=1",
        "name = 'a\u{0}b'",
        "name = 'a';validfrom=1'",
        " ",
    ];
    for target in cases {
        let mut action = unsigned("hostile");
        action.target = target.to_owned();
        let (kind, message) = bench.refusal(&by_bob(action));
        assert_eq!(kind, Kind::Invalid, "{target}: {message}");
    }
    assert_eq!(bench.count_actions(), 0);
}
