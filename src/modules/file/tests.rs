// SPDX-License-Identifier: Apache-2.0
//! The module `file` over real directories.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn outcome(parameters: &Value, millis: u64, output_bytes_max: usize) -> Outcome {
    let limits = Limits { deadline: Instant::now() + Duration::from_millis(millis), output_bytes_max };
    // The files of the tests are as old as the test.
    let host =
        Host { pid: 1, version: "1".into(), now_secs: crate::clock::Clock::system().now(), now_nanos: 0 };
    run(parameters, &limits, &host)
}

fn result(parameters: &Value) -> OperationResult {
    match outcome(parameters, 20_000, 1 << 20) {
        Outcome::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

/// The files that one search finds below a directory, without the directory, and the whole result.
fn search(root: &Path, mut search: Value) -> (Vec<String>, OperationResult) {
    if search.get("paths").is_none() {
        search["paths"] = json!([root]);
    }
    let result = result(&json!({"searches": {"s": search}}));
    let prefix = format!("{}/", root.display());
    let entries = result.elements["s"].as_array().unwrap();
    let files = entries.iter().map(|entry| entry["file"].as_str().unwrap()).filter(|file| !file.is_empty());
    (files.map(|file| file.strip_prefix(&prefix).unwrap_or(file).to_owned()).collect(), result)
}

fn found(root: &Path, parameters: Value) -> Vec<String> {
    search(root, parameters).0
}

fn write(root: &Path, name: &str, contents: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

fn gzipped(contents: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(contents).unwrap();
    encoder.finish().unwrap()
}

/// A small tree of plain files.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "empty", b"");
    write(dir.path(), "hosts", b"127.0.0.1 localhost\n# comment\n");
    write(dir.path(), "a/keys", b"ssh-rsa AAA bob\r\nssh-rsa BBB eve\r\n");
    write(dir.path(), "a/b/deep", &[b'x'; 2_000]);
    write(dir.path(), "a/b/binary", b"\xff\xfe\0evil\0\n");
    write(dir.path(), "a/b/packed.gz", &gzipped(b"hidden inside\n"));
    fs::set_permissions(dir.path().join("hosts"), Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(dir.path().join("a/b/deep"), Permissions::from_mode(0o4755)).unwrap();
    dir
}

#[test]
fn filters_find_what_they_say() {
    let dir = tree();
    let all = ["a/b/binary", "a/b/deep", "a/b/packed.gz", "a/keys", "empty", "hosts"];
    let md5_of_empty = "d41d8cd98f00b204e9800998ecf8427e";
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({"names": ["."]}), &all),
        (json!({"names": ["^h.*s$"]}), &["hosts"]),
        (json!({"names": ["!e"]}), &["a/b/binary", "hosts"]),
        (json!({"names": ["^hosts"], "sizes": [">1k"]}), &[]),
        (json!({"sizes": [">1k"]}), &["a/b/deep"]),
        (json!({"sizes": ["0"]}), &["empty"]),
        (json!({"sizes": ["<29", ">1"]}), &["a/b/binary"]),
        (json!({"modes": ["^-rw-r-----$"]}), &["hosts"]),
        (json!({"modes": ["^u"]}), &["a/b/deep"]),
        (json!({"modes": ["!^-"]}), &["a/b/deep"]),
        (json!({"mtimes": ["<1h"]}), &all),
        (json!({"mtimes": [">1h"]}), &[]),
        (json!({"contents": ["^ssh-rsa"]}), &["a/keys"]),
        (json!({"contents": ["bob$"]}), &["a/keys"]),
        (json!({"contents": ["evil"]}), &["a/b/binary"]),
        (json!({"contents": ["^..\\x00evil"]}), &["a/b/binary"]),
        (json!({"contents": ["bob", "eve"]}), &["a/keys"]),
        (json!({"contents": ["bob", "!eve"]}), &[]),
        (json!({"contents": ["bob", "!ann"]}), &["a/keys"]),
        (json!({"contents": ["!o"], "names": ["^[^p]*$"]}), &["a/b/binary"]),
        (json!({"contents": ["hidden"]}), &[]),
        (json!({"contents": ["hidden"], "options": {"decompress": true}}), &["a/b/packed.gz"]),
        (json!({"md5": [md5_of_empty]}), &["empty"]),
        (json!({"md5": [md5_of_empty.to_uppercase()]}), &["empty"]),
        (json!({"sha1": ["da39a3ee5e6b4b0d3255bfef95601890afd80709"], "md5": [md5_of_empty]}), &["empty"]),
        (json!({"sha1": ["00".repeat(20)]}), &[]),
        (json!({"sha2": ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}), &["empty"]),
        (json!({"sha3": ["a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"]}), &["empty"]),
        (json!({}), &[]),
    ];
    for (parameters, expected) in cases {
        let (files, result) = search(dir.path(), parameters.clone());
        assert_eq!(files, expected, "{parameters}");
        assert_eq!(result.foundanything, !expected.is_empty(), "{parameters}");
        assert!(result.success && result.errors.is_none(), "{result:?}");
    }
}

#[test]
fn options_turn_filters_round() {
    let dir = tree();
    let keys = |contents: Value, options: Value| {
        found(dir.path(), json!({"names": ["^keys$"], "contents": contents, "options": options}))
    };
    for (contents, options, is_found) in [
        (json!(["^ssh-rsa"]), json!({"macroal": true}), true),
        (json!(["bob$"]), json!({"macroal": true}), false),
        (json!(["^ssh-rsa", "AAA"]), json!({"macroal": true}), false),
        (json!(["!^ssh-dss"]), json!({"macroal": true}), true),
        (json!(["!eve"]), json!({"macroal": true}), false),
        (json!(["bob$"]), json!({"macroal": true, "mismatch": ["content"]}), true),
        (json!(["^ssh-rsa"]), json!({"macroal": true, "mismatch": ["content"]}), false),
        (json!(["bob$"]), json!({"mismatch": ["content"]}), false),
        (json!(["ann$"]), json!({"mismatch": ["content"]}), true),
        (json!(["!ann$"]), json!({"mismatch": ["content"]}), false),
    ] {
        assert_eq!(!keys(contents.clone(), options.clone()).is_empty(), is_found, "{contents} {options}");
    }
    let empty = |parameters: Value| !found(dir.path(), parameters).is_empty();
    assert!(!empty(json!({"names": ["^empty$"], "contents": ["."], "options": {"macroal": true}})));
    assert!(empty(json!({"names": ["^empty$"], "contents": ["!."], "options": {"macroal": true}})));
    let mismatch = json!({"names": ["^hosts$"], "sizes": [">1k"], "options": {"mismatch": ["size"]}});
    assert_eq!(found(dir.path(), mismatch), ["hosts"]);
}

#[test]
fn each_filter_tells_its_own_files_where_any_may_match() {
    let dir = tree();
    let parameters =
        json!({"names": ["^hosts$", "^none$"], "contents": ["bob", "eve"], "options": {"matchall": false}});
    let (files, result) = search(dir.path(), parameters);
    assert_eq!(files, ["a/keys", "a/keys", "hosts"]);
    assert_eq!(result.statistics["totalhits"], 3);
    let entries = result.elements["s"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    let names: Vec<_> = entries.iter().filter(|entry| entry["search"]["names"].is_array()).collect();
    assert_eq!(names[0]["search"]["names"], json!(["^hosts$"]));
    assert_eq!((&names[1]["file"], &names[1]["search"]["names"]), (&json!(""), &json!(["^none$"])));
    assert_eq!(names[1]["search"]["options"]["matchall"], false);
}

#[test]
fn what_is_told_has_the_form_of_mig() {
    let dir = tree();
    let parameters = json!({"names": ["^hosts$"], "options": {"returnsha256": true}});
    let (_, result) = search(dir.path(), parameters);
    let entry = &result.elements["s"][0];
    assert_eq!(entry["file"], json!(dir.path().join("hosts")));
    assert_eq!(entry["fileinfo"]["size"], 30);
    assert_eq!(entry["fileinfo"]["mode"], "-rw-r-----");
    assert!(entry["fileinfo"]["lastmodified"].as_str().unwrap().ends_with(" +0000 UTC"));
    let sha256 = Sha256::digest(b"127.0.0.1 localhost\n# comment\n");
    assert_eq!(entry["fileinfo"]["sha256"], json!(digest::hex(&sha256)));
    assert_eq!(
        entry["search"],
        json!({"paths": [dir.path()], "options": {"maxdepth": 0, "matchall": true, "macroal": false,
            "mismatch": null, "matchlimit": 0}})
    );
    assert_eq!(result.statistics["filescount"], 6);
    assert_eq!(result.statistics["openfailed"], 0);
    let (_, result) = search(dir.path(), json!({"names": ["^none$"]}));
    assert_eq!(
        result.elements["s"][0],
        json!({"file": "", "fileinfo": {"size": 0, "mode": "", "lastmodified": ""}, "search": {"paths": [dir.path()],
            "options": {"maxdepth": 0, "matchall": true, "macroal": false, "mismatch": null, "matchlimit": 0}}})
    );
    // Nothing of what is in a file is ever told.
    let (_, result) = search(dir.path(), json!({"contents": ["^127"], "options": {"debug": "print"}}));
    assert!(result.foundanything && !result.to_json().unwrap().contains("localhost"));
}

#[test]
fn depth_and_number_are_bounded() {
    let dir = tree();
    for (depth, files) in [(1, 2), (2, 3), (3, 6), (4, 6)] {
        let parameters = json!({"names": ["."], "options": {"maxdepth": depth}});
        assert_eq!(found(dir.path(), parameters).len(), files, "{depth}");
    }
    assert_eq!(found(dir.path(), json!({"names": ["."], "options": {"matchlimit": 2}})).len(), 2);
    let nested =
        json!({"names": ["."], "paths": [dir.path(), dir.path().join("a"), dir.path().join("a/keys")]});
    assert_eq!(found(dir.path(), nested).len(), 6);
    let many = tempfile::tempdir().unwrap();
    for n in 0..200 {
        write(many.path(), &format!("file{n}"), b"");
    }
    let parameters = json!({"searches": {"s": {"paths": [many.path()], "names": ["."]}}});
    let Outcome::Done(result) = outcome(&parameters, 20_000, 20_000) else { panic!() };
    assert!(result.to_json().unwrap().len() <= 20_000);
    assert!(result.elements["s"].as_array().unwrap().len() > 20);
    assert!(result.errors.unwrap().iter().any(|error| error.contains("full")));
}

#[test]
fn odd_things_neither_stop_nor_fool_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "plain", b"needle\n");
    symlink("plain", root.join("link")).unwrap();
    symlink("loop2", root.join("loop1")).unwrap();
    symlink("loop1", root.join("loop2")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("..", root.join("up")).unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    symlink(root, root.join("sub/back")).unwrap();
    symlink("/dev/zero", root.join("zero")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    fs::write(root.join(OsStr::from_bytes(b"bad\xffname")), b"needle").unwrap();
    let (files, result) = search(root, json!({"contents": ["needle"]}));
    assert_eq!(files, ["bad\u{fffd}name", "link", "plain"]);
    assert_eq!(result.statistics["openfailed"], 3);
    assert_eq!(result.errors.unwrap().len(), 3);
    assert_eq!(found(root, json!({"names": ["^bad.name$"]})).len(), 1);
    for (path, part) in [
        ("up", "was not followed"),
        ("fifo", "neither"),
        ("missing", "Cannot look"),
        ("loop1", "Cannot follow"),
    ] {
        let (files, result) = search(root, json!({"paths": [root.join(path)], "names": ["."]}));
        assert!(files.is_empty());
        assert!(result.errors.unwrap()[0].contains(part), "{path}");
    }
    // A link that is the path itself is told under the name of its end.
    assert_eq!(found(root, json!({"paths": [root.join("link")], "names": ["plain"]})), ["plain"]);
}

#[test]
fn unreadable_files_count_as_such() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "secret", b"needle");
    write(dir.path(), "bad.gz", b"\x1f\x8b\x08damaged");
    fs::set_permissions(dir.path().join("secret"), Permissions::from_mode(0o000)).unwrap();
    let is_root = File::open(dir.path().join("secret")).is_ok();
    // An inverse filter must not take what it could not read for something that does not match.
    let parameters = json!({"contents": ["!other"], "options": {"decompress": true}});
    let (files, result) = search(dir.path(), parameters);
    assert_eq!(files, if is_root { vec!["secret"] } else { vec![] });
    assert_eq!(result.statistics["openfailed"], if is_root { 1 } else { 2 });
}

#[test]
fn large_and_deep_things_meet_the_deadline_or_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(1 << 42).unwrap();
    for filter in [json!({"contents": ["needle"]}), json!({"sha3": ["00".repeat(64)]})] {
        let mut search = filter;
        search["paths"] = json!([dir.path()]);
        let begun = Instant::now();
        let outcome = outcome(&json!({"searches": {"s": search}}), 300, 1 << 20);
        let Outcome::TimedOut(result) = outcome else { panic!("{outcome:?}") };
        assert!(!result.success && begun.elapsed() < Duration::from_secs(2));
        assert!(result.errors.unwrap().last().unwrap().contains("time was over"));
    }
    // By size alone it is found at once.
    assert_eq!(found(dir.path(), json!({"sizes": [">4t"]})), ["sparse"]);
    let deep = tempfile::tempdir().unwrap();
    let mut path = deep.path().to_owned();
    for _ in 0..300 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("bottom"), b"").unwrap();
    assert_eq!(found(deep.path(), json!({"names": ["^bottom$"]})).len(), 1);
    assert_eq!(found(deep.path(), json!({"names": ["^bottom$"], "options": {"maxdepth": 300}})).len(), 0);
}

#[test]
fn the_kernels_files_are_read_only_where_a_path_says_so() {
    let parameters = json!({"paths": ["/proc/self/status"], "contents": ["^Pid:"]});
    assert_eq!(found(Path::new("/"), parameters).len(), 1);
    let parameters =
        json!({"searches": {"s": {"paths": ["/"], "names": ["^smaps_rollup$"], "options": {"maxdepth": 3}}}});
    let Outcome::Done(result) = outcome(&parameters, 20_000, 1 << 20) else { panic!() };
    assert!(!result.foundanything);
}
