// SPDX-License-Identifier: Apache-2.0
//! Which source wins, and what each refuses.

use super::*;
use crate::config::{QuarantinePolicy, show, template};
use std::fs;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads from a file with this text, which every test gives: the machine may have an /etc/muster/muster.toml.
fn load(text: &str, flags: Flags, pairs: &[(&str, &str)]) -> Result<Loaded> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.toml");
    fs::write(&path, text).unwrap();
    Config::load(&Flags { config: Some(path), ..flags }, &environment(pairs))
}

fn data_dir(text: &str, flag: Option<&str>, pairs: &[(&str, &str)]) -> String {
    load(text, Flags::new(None, flag), pairs).unwrap().config.data_dir.display().to_string()
}

#[test]
fn the_data_directory_comes_from_the_strongest_source() {
    let state = ("STATE_DIRECTORY", "/state:/other");
    let variable = ("MUSTER_DATA", "/variable");
    assert_eq!(data_dir("", None, &[]), "muster-data");
    assert_eq!(data_dir("", None, &[("STATE_DIRECTORY", "")]), "muster-data");
    assert_eq!(data_dir("", None, &[state]), "/state");
    assert_eq!(data_dir("data = '/file'", None, &[state]), "/file");
    assert_eq!(data_dir("data = '/file'", None, &[state, variable]), "/variable");
    assert_eq!(data_dir("data = '/file'", Some("/flag"), &[state, variable]), "/flag");
}

#[test]
fn flags_override_variables_and_those_the_file() {
    let file = "[http]\nlisten = ['127.0.0.1:1']\nhostnames = ['one']\nconnections_max = 9";
    let flags =
        Flags::default().with("http.listen", "--listen", vec!["[::1]:3".to_owned(), "0.0.0.0:3".to_owned()]);
    let variables = [
        ("MUSTER_HTTP_LISTEN", "127.0.0.1:2"),
        ("MUSTER_HTTP_HOSTNAMES", "two, three"),
        ("MUSTER_LOG_LEVEL", "debug"),
    ];
    let loaded = load(file, flags, &variables).unwrap();
    assert_eq!(loaded.config.listen, ["[::1]:3", "0.0.0.0:3"]);
    assert_eq!(loaded.config.hostnames, ["two", "three"]);
    assert_eq!(loaded.config.connections_max, 9);
    assert_eq!(loaded.config.log_level, log::LevelFilter::Debug);
    assert_eq!(loaded.config.quarantine, QuarantinePolicy::Unattended);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let source = |key: &str| &loaded.sources[SETTINGS.iter().position(|setting| setting.key == key).unwrap()];
    assert_eq!(*source("http.listen"), Source::Flag("--listen"));
    assert_eq!(*source("http.hostnames"), Source::Environment("MUSTER_HTTP_HOSTNAMES".to_owned()));
    assert_eq!(*source("http.connections_max"), Source::File(loaded.file.clone().unwrap(), 4));
    assert_eq!(*source("store.readers"), Source::Default);
}

#[test]
fn settings_of_proxies_that_cannot_be_meant_are_warned_of_or_refused() {
    let header = "proxy_header = \"X-Remote-User\"\n";
    let cases = [
        (format!("[access]\n{header}proxy_login_from = [\"127.0.0.1\"]"), vec![]),
        (format!("[access]\n{header}"), vec!["proxy_header without access.proxy_login_from"]),
        (
            "[access]\nproxy_login_from = [\"::1\"]".to_owned(),
            vec!["proxy_login_from without access.proxy_header"],
        ),
        (format!("[access]\n{header}proxy_login_from = [\"0.0.0.0/0\"]"), vec!["be any account"]),
        ("[http]\ntrusted_proxies = [\"10.0.0.1\", \"::/0\"]".to_owned(), vec!["from where a request comes"]),
    ];
    for (text, expected) in cases {
        let warnings = load(&text, Flags::default(), &[]).unwrap().warnings;
        assert_eq!(warnings.len(), expected.len(), "{text}: {warnings:?}");
        for (warning, part) in warnings.iter().zip(expected) {
            assert!(warning.contains(part), "{warning}");
        }
    }
    for name in ["Cookie", "authorization", "HOST", "X-Forwarded-For"] {
        let error = load(&format!("[access]\nproxy_header = \"{name}\""), Flags::default(), &[]).unwrap_err();
        assert!(error.message().contains("no other meaning"), "{error}");
    }
}

#[test]
fn an_unknown_variable_warns_and_names_the_nearest() {
    let loaded = load("", Flags::default(), &[("MUSTER_HTTP_LISTN", "x"), ("OTHER", "x")]).unwrap();
    assert_eq!(
        loaded.warnings,
        ["The variable MUSTER_HTTP_LISTN is not known and ignored; the nearest one is MUSTER_HTTP_LISTEN"]
    );
}

#[test]
fn a_variable_that_breaks_a_rule_is_refused_by_its_name() {
    for (name, value, key) in [
        ("MUSTER_DATA", "", "data"),
        ("MUSTER_STORE_READERS", "many", "store.readers"),
        ("MUSTER_STORE_READERS", "", "store.readers"),
        ("MUSTER_STORE_DISK_RESERVE", "1 XB", "store.disk_reserve"),
        ("MUSTER_HTTP_LISTEN", "", "http.listen"),
        ("MUSTER_HTTP_LISTEN", "127.0.0.1:1,nonsense", "http.listen"),
        ("MUSTER_INGEST_QUARANTINE", "ALL", "ingest.quarantine"),
    ] {
        let error = load("", Flags::default(), &[(name, value)]).expect_err(name);
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        let text = error.to_string();
        assert!(text.starts_with(&format!("Variable {name}: {key} must be ")), "{text}");
    }
}

#[test]
fn a_long_value_is_shortened_and_control_characters_are_escaped() {
    let error = load(&format!("log.level = \"\\u001b{}\"", "x".repeat(5000)), Flags::default(), &[])
        .expect_err("bad");
    assert!(error.to_string().len() < 400, "{error}");
    assert!(!error.to_string().contains('\u{1b}'));
}

#[test]
fn the_spool_that_a_file_names_belongs_to_the_data_directory_that_it_names() {
    let spool = |file: &str, data: Option<&str>, environment: &[(&str, &str)]| {
        load(file, Flags::new(None, data), environment).unwrap().config.fleet.spool_dir
    };
    let both = "data = '/a'\nfleet.spool = '/s'";
    assert_eq!(spool(both, None, &[]), Path::new("/s"));
    assert_eq!(spool(both, Some("/a/"), &[]), Path::new("/s"));
    assert_eq!(spool(both, Some("/b"), &[]), Path::new("spool"));
    assert_eq!(spool(both, None, &[("MUSTER_DATA", "/b")]), Path::new("spool"));
    assert_eq!(spool(both, Some("/b"), &[("MUSTER_FLEET_SPOOL", "/t")]), Path::new("/t"));
    assert_eq!(spool("fleet.spool = '/s'", Some("/b"), &[]), Path::new("/s"));
}

#[test]
fn what_is_shown_can_be_used_as_a_file_and_means_the_same() {
    let file = "data = \"/a \\\" \\n'b\"\nstore.disk_reserve = 1001\ningest.payload_bytes_max = '1 MiB'\nhttp.hostnames = ['b-c', 'd.e']";
    let first = load(file, Flags::default(), &[]).unwrap();
    let second = load(&show(&first), Flags::default(), &[]).unwrap();
    assert_eq!(first.config, second.config);
    assert!(show(&first).contains("disk_reserve = \"1001 B\"  # file "), "{}", show(&first));
    assert!(show(&first).contains("payload_bytes_max = \"1 MiB\"  # file "));
    assert!(show(&first).contains("listen = [\"127.0.0.1:8080\"]  # default"));
}

#[test]
fn the_commented_file_changes_nothing_but_two_directories_also_without_its_comments() {
    let mut defaults = Config::defaults(Path::new("/var/lib/muster"));
    defaults.fleet.spool_dir = PathBuf::from("/var/spool/muster");
    assert_eq!(load(&template(), Flags::default(), &[]).unwrap().config, defaults);
    let is_setting =
        |line: &str| line.starts_with('#') && line.as_bytes().get(1).is_some_and(u8::is_ascii_lowercase);
    let lines: Vec<&str> = template()
        .lines()
        .map(|line| if is_setting(line) { &line[1..] } else { line })
        .map(|l| l.to_owned().leak() as &str)
        .collect();
    let loaded = load(&lines.join("\n"), Flags::default(), &[]).unwrap();
    assert_eq!(loaded.config, defaults);
    assert!(loaded.sources.iter().all(|source| *source != Source::Default), "{:?}", loaded.sources);
}

#[test]
fn the_packaged_file_equals_the_table() {
    let packaged = include_str!("../../../packaging/muster.toml");
    assert!(
        packaged == template(),
        "write it anew: cargo run -- config show --template > packaging/muster.toml"
    );
}
