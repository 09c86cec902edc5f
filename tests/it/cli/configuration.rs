// SPDX-License-Identifier: Apache-2.0
//! `muster config`: every setting broken in turn, from every source; what is unknown; which source wins.

use super::{muster, outcome, run, word};
use muster::config::settings::{Kind, SETTINGS, Setting};
use std::path::PathBuf;
use tempfile::TempDir;

fn file(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

/// `config check` of a file with this text: exit status and standard error.
fn check(text: &str) -> (i32, String) {
    let (_dir, path) = file(text);
    let (code, _, err) = run(&["config", "check", "--config", word(&path)]);
    (code, err)
}

/// Values in TOML that break a setting's rule.
fn bad_values(setting: &Setting) -> Vec<&'static str> {
    match setting.kind {
        Kind::Path => vec!["''", "7", "['a']", "true"],
        Kind::Text { .. } => vec!["7", "['a']", "true", "'not good?'", "'\\n'"],
        Kind::Choice(_) => vec!["'nonsense'", "''", "1", "'INFO '"],
        Kind::Number(..) => vec!["-1", "99999999999999999999", "1.5", "'1'", "true", "[1]", "9000000000000"],
        Kind::Bytes(..) => vec!["-1", "'much'", "'1.5 MB'", "''", "9000000000000000000", "1979-05-27", "{}"],
        Kind::BytesOrNone(..) => vec!["-1", "1", "10", "'100 KB'", "'much'", "9000000000000000000", "{}"],
        Kind::List { least: 0, .. } => {
            vec!["'text'", "[1]", "['']", "[['a']]", "['a b']", "['a', '\\u0000']"]
        }
        Kind::List { .. } => vec!["'text'", "[1]", "['']", "[]", "['a b']", "['good?']"],
    }
}

#[test]
fn every_setting_broken_in_turn_is_refused_by_its_name() {
    for setting in SETTINGS.iter() {
        for bad in bad_values(setting) {
            let (code, err) = check(&format!("{} = {bad}", setting.key));
            assert_eq!(code, 2, "{} = {bad}: {err}", setting.key);
            assert!(
                err.starts_with("muster: ") && err.contains(setting.key),
                "{} = {bad}: {err}",
                setting.key
            );
            assert!(err.contains("muster.toml, line 1"), "{err}");
            assert_eq!(err.lines().count(), 1, "{err}");
        }
    }
}

#[test]
fn every_variable_broken_in_turn_is_refused_by_its_name() {
    for setting in SETTINGS.iter() {
        let bad = match setting.kind {
            Kind::Path => "",
            Kind::List { .. } => "good,not good",
            _ => "nonsense?",
        };
        let variable = setting.variable();
        let (code, _, err) =
            outcome(muster(&["config", "check", "--config", "/dev/null"]).env(&variable, bad));
        assert_eq!(code, 2, "{variable}: {err}");
        assert!(err.contains(&variable) && err.contains(setting.key), "{err}");
    }
}

#[test]
fn the_default_of_every_setting_is_taken_from_a_file() {
    for setting in SETTINGS.iter() {
        let value = setting.default.to_value().to_toml(setting.kind);
        let (code, err) = check(&format!("{} = {value}", setting.key));
        assert_eq!((code, err.as_str()), (0, ""), "{}", setting.key);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    for (text, line, name, near) in [
        ("[http]\nlsiten = []", 2, "http.lsiten", "http.listen"),
        ("listen = []", 1, "listen", "http.listen"),
        ("[log]\nlevel = 'info'\n[stor]\nreaders = 1", 4, "stor.readers", "store.readers"),
        ("[log]\nLevel = 'info'", 2, "log.Level", "log.level"),
    ] {
        let (code, err) = check(text);
        assert_eq!(code, 2);
        assert!(
            err.contains(&format!("line {line}: there is no setting {name}; the nearest one is {near}")),
            "{err}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_by_its_path() {
    let (dir, path) = file("data = \n");
    assert!(run(&["config", "check", "--config", word(&path)]).2.contains("muster.toml, line 1"));
    let missing = dir.path().join("missing.toml");
    for (path, code) in [(missing.as_path(), 2), (dir.path(), 2)] {
        let (found, _, err) = run(&["serve", "--config", word(path)]);
        assert_eq!(found, code);
        assert!(err.contains(word(path)), "{err}");
    }
    std::fs::write(&path, b"data = '\xff'").unwrap();
    assert!(run(&["config", "check", "--config", word(&path)]).2.contains("UTF-8"));
    assert!(run(&["config", "check", "--config", "/dev/zero"]).2.contains("too large"));
}

#[test]
fn show_says_where_each_setting_comes_from() {
    let (dir, path) = file("data = '/from/file'\n[store]\nreaders = 3\ndisk_reserve = 1024");
    let mut command = muster(&["config", "show", "--config", word(&path)]);
    let (code, out, err) = outcome(
        command
            .env("MUSTER_STORE_READERS", "5")
            .env("MUSTER_HTTP_LISTEN", "127.0.0.1:1, [::1]:2")
            .env("STATE_DIRECTORY", "/state"),
    );
    assert_eq!((code, err.as_str()), (0, ""));
    let from_file = format!("# file {}, line", path.display());
    for line in [
        &format!("data = \"/from/file\"  {from_file} 1"),
        "readers = 5  # environment MUSTER_STORE_READERS",
        "listen = [\"127.0.0.1:1\", \"[::1]:2\"]  # environment MUSTER_HTTP_LISTEN",
        &format!("disk_reserve = \"1 KiB\"  {from_file} 4"),
        "level = \"info\"  # default",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    for setting in SETTINGS.iter() {
        assert!(out.contains(&format!("\n{} = ", setting.section_and_name().1)), "{out}");
    }
    // What is shown is itself a configuration.
    let shown = dir.path().join("shown.toml");
    std::fs::write(&shown, &out).unwrap();
    assert_eq!(run(&["config", "check", "--config", word(&shown)]).0, 0);
}

#[test]
fn an_unknown_variable_only_warns() {
    let (code, out, err) =
        outcome(muster(&["config", "check", "--config", "/dev/null"]).env("MUSTER_LOGLEVEL", "debug"));
    assert_eq!(code, 0);
    assert!(out.contains("good"), "{out}");
    assert!(
        err.contains("WARN") && err.contains("MUSTER_LOGLEVEL") && err.contains("MUSTER_LOG_LEVEL"),
        "{err}"
    );
}

#[test]
fn a_warning_for_the_journal_has_a_priority_and_no_time() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let stat = log.metadata().unwrap();
    let mut command = muster(&["config", "check", "--config", "/dev/null"]);
    command.env("MUSTER_X", "").env("JOURNAL_STREAM", format!("{}:{}", stat.dev(), stat.ino())).stderr(log);
    assert!(command.stdout(std::process::Stdio::null()).status().unwrap().success());
    let text = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(text.starts_with("<4>The variable MUSTER_X "), "{text}");
}
