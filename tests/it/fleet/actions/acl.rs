// SPDX-License-Identifier: Apache-2.0
//! Weights of signatures, and the bundle for agents.

use super::*;
use crate::support::tester;
use muster::model::action::Operation;
use muster::ops::fleet::acl;

fn weights(words: &[(&str, u32)]) -> Vec<(String, u32)> {
    words.iter().map(|(who, weight)| ((*who).to_owned(), *weight)).collect()
}

fn with_modules(name: &str, modules: &[&str]) -> Action {
    let operation = |module: &&str| Operation { module: (*module).to_owned(), ..Operation::default() };
    Action { operations: Some(modules.iter().map(operation).collect()), ..unsigned(name) }
}

#[test]
fn every_operation_needs_its_weight() {
    let bench = Bench::new();
    acl::set(&bench.app, "default", 2, &weights(&[("Bob Kelso", 1), ("Kim", 1)]), &tester()).unwrap();
    acl::set(&bench.app, "file", 1, &weights(&[("Bob Kelso", 1)]), &tester()).unwrap();
    let bob = keys().bob.as_str();
    let kim = keys().kim.as_str();
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&["file"], &[bob], ""),
        (&["file"], &[kim], "Module file needs signatures of weight 1; those of this action have 0"),
        (&["file", "ping"], &[bob], "Module ping needs signatures of weight 2; those of this action have 1"),
        (&["ping", "file"], &[bob, kim], ""),
        (&["ping"], &[kim], "Module ping needs signatures of weight 2"),
    ];
    for (index, (modules, signers, expected)) in cases.iter().enumerate() {
        let action = sign(with_modules(&format!("case {index}"), modules), signers);
        match *expected {
            "" => drop(bench.submit(&action).unwrap()),
            expected => {
                let (kind, message) = bench.refusal(&action);
                assert!(kind == Kind::Forbidden && message.starts_with(expected), "{index}: {message}");
            }
        }
    }
    // With an ACL the weights decide, not action_create.
    bench.execute("UPDATE investigators SET permissions = 1");
    bench.submit(&sign(with_modules("no permission", &["file"]), &[bob])).unwrap();
    // Without a default entry a module is nobody's.
    acl::remove(&bench.app, "default", &tester()).unwrap();
    let (kind, message) = bench.refusal(&sign(with_modules("no entry", &["ping"]), &[bob, kim]));
    assert_eq!(
        (kind, message.as_str()),
        (Kind::Forbidden, "The ACL has no entry for module ping and no default one")
    );
    assert_eq!(acl::remove(&bench.app, "default", &tester()).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn the_acl_comes_out_as_migs_json_and_goes_in_again() {
    let bench = Bench::new();
    assert_eq!(acl::export(&bench.app).unwrap(), "{}\n");
    acl::set(&bench.app, "default", 2, &weights(&[("2", 2), (&keys().bob.to_lowercase(), 1)]), &tester())
        .unwrap();
    acl::set(&bench.app, "agentdestroy", 1, &weights(&[("Kim", 1)]), &tester()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&acl::export(&bench.app).unwrap()).unwrap();
    let expected = serde_json::json!({
        "agentdestroy": {"minimumweight": 1, "investigators": {"Kim": {"fingerprint": keys().kim, "weight": 1}}},
        "default": {"minimumweight": 2, "investigators": {
            "Bob Kelso": {"fingerprint": keys().bob, "weight": 1},
            "Kim": {"fingerprint": keys().kim, "weight": 2}}}
    });
    assert_eq!(json, expected);
    let before = acl::entries(&bench.app).unwrap();
    acl::set(&bench.app, "file", 1, &weights(&[("Kim", 1)]), &tester()).unwrap();
    assert_eq!(acl::import(&bench.app, expected.to_string().as_bytes(), &tester()).unwrap(), 2);
    assert_eq!(acl::entries(&bench.app).unwrap(), before);
    // All or nothing.
    for bad in [
        "[]".to_owned(),
        "{\"default\": {\"minimumweight\": 0}}".to_owned(),
        "{\"a b\": {\"minimumweight\": 1}}".to_owned(),
        format!(
            "{{\"x\": {{\"minimumweight\": 1, \"investigators\": {{\"S\": {{\"fingerprint\": \"{}\", \"weight\": 1}}}}}}}}",
            keys().stranger
        ),
    ] {
        assert!(acl::import(&bench.app, bad.as_bytes(), &tester()).is_err(), "{bad}");
        assert_eq!(acl::entries(&bench.app).unwrap(), before);
    }
}

#[test]
fn a_bundle_holds_the_keys_of_who_is_active_and_the_rule() {
    let bench = Bench::new();
    let dir = bench.dir.path().join("bundle");
    let made = acl::write_bundle(&bench.app, &dir).unwrap();
    assert_eq!((made.keys, made.unusable_keys, made.acl_entries), (2, 0, 0));
    let names = || -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir.join("keyring"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let mut expected = [format!("{}.asc", keys().bob), format!("{}.asc", keys().kim)];
    expected.sort();
    assert_eq!(names(), expected);
    let key = std::fs::read(dir.join("keyring").join(format!("{}.asc", keys().kim))).unwrap();
    assert_eq!(PublicKey::read(&key).unwrap().fingerprint(), keys().kim);
    let read = || -> muster::model::acl::Acl {
        serde_json::from_slice(&std::fs::read(dir.join("acl.json")).unwrap()).unwrap()
    };
    // Without an ACL agents get the rule that the server follows.
    let judged = |signers: &[&str]| {
        let signers: Vec<String> = signers.iter().map(|signer| (*signer).to_owned()).collect();
        read().judge(["ping"].into_iter(), &signers).is_ok()
    };
    assert!(judged(&[&keys().bob]) && judged(&[&keys().kim]) && !judged(&[&keys().stranger]));

    bench.execute("UPDATE investigators SET is_active = 0 WHERE name = 'Kim'");
    acl::set(&bench.app, "default", 1, &weights(&[("Kim", 1), ("Bob Kelso", 1)]), &tester()).unwrap();
    let made = acl::write_bundle(&bench.app, &dir).unwrap();
    assert_eq!((made.keys, made.acl_entries), (1, 1));
    assert_eq!(names(), [format!("{}.asc", keys().bob)]);
    assert!(judged(&[&keys().bob]) && !judged(&[&keys().kim]));
    assert_eq!(
        std::fs::read_dir(bench.dir.path())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("bundle") })
            .count(),
        1
    );

    std::fs::write(dir.join("precious.txt"), "mine").unwrap();
    let error = acl::write_bundle(&bench.app, &dir).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("precious.txt"), "{error}");
    assert!(dir.join("precious.txt").exists());
}
