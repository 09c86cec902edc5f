// SPDX-License-Identifier: Apache-2.0
//! `muster account` with and without a server.

use super::*;

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_first_account_makes_the_database_and_is_an_admin() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for words in [&["list"][..], &["disable", "a"], &["token", "a", "--for", "x"], &["logout", "--all"]] {
        assert_eq!(said(&run(&data, words)).0, Some(2), "{words:?}");
        assert!(!data.exists());
    }
    assert_eq!(printed(&run(&data, &["add", "ada"])), "Added account ada, admin\n");
    assert_eq!(printed(&run(&data, &["add", "vic"])), "Added account vic, viewer\n");
    let list = printed(&run(&data, &["list"]));
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["ada", "admin", "active", "password"]);
    assert_eq!(lines[1][..4], ["vic", "viewer", "active", "password"]);
    let server = Server::start_on(&data);
    assert!(counts(&server, &login(&server, "ada")));
    assert!(!server.log().contains("No account yet"));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_asked_for_or_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for name in ["", "a b", "a\n", "\u{1b}[2J", "аda", ".a", "job", "spool", &"x".repeat(65)] {
        let (code, text) = said(&run(&data, &["add", name]));
        assert_eq!(code, Some(2), "{name:?}: {text}");
        assert!(text.contains("The name of an account") && !text.contains('\u{1b}'), "{text}");
    }
    for (input, says) in [
        (&b"short\n"[..], "at least 10"),
        (b"administrator\n", "must not be the name"),
        (b"one line here\nand another\n", "a single line"),
        (b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe", "not UTF-8"),
        (&[b'x'; 2_000], "larger than"),
        (b"", "at least 10"),
    ] {
        let (_, text) = said(&run_with(&data, &["add", "administrator"], input));
        assert!(text.contains(says), "{text}");
    }
    assert!(!data.exists());
    for (words, code, says) in [
        (&["add", "ada", "--role", "root"][..], 2, "viewer, operator or admin"),
        (&["add", "ada", "--generate", "--no-password"], 2, "Give one of"),
        (&["add", "ada", "--password-file", "/nonexistent"], 2, "Cannot read /nonexistent"),
    ] {
        let output = said(&run(&data, words));
        assert!(output.0 == Some(code) && output.1.contains(says), "{output:?}");
    }
    printed(&run(&data, &["add", "ada"]));
    for (words, code, says) in [
        (&["role", "ada", "root"][..], 2, "viewer, operator or admin"),
        (&["role", "bob", "admin"], 2, "There is no account bob"),
        (&["token", "ada", "--for", " "], 2, "what the API token is for"),
        (&["token", "ada", "--for", "x", "--scope", "all"], 2, "records, read, write or admin"),
        (&["token", "ada", "--for", "x", "--days", "0"], 2, "from 1 to 36500"),
        (&["token", "bob", "--for", "x"], 2, "There is no account bob"),
        (&["revoke", "7"], 2, "There is no API token 7"),
        (&["logout"], 2, "Name an account, or give --all"),
        (&["logout", "ada", "--all"], 2, "Name an account, or give --all"),
        (&["tokens", "bob"], 2, "There is no account bob"),
    ] {
        let output = said(&run(&data, words));
        assert!(output.0 == Some(code) && output.1.contains(says), "{words:?}: {output:?}");
    }
    // Here the last admin may go, with a warning.
    let (code, text) = said(&run(&data, &["disable", "ada"]));
    assert!(code == Some(0) && text.contains("There is no active admin"), "{text}");
    assert_eq!(said(&run(&data, &["token", "ada", "--for", "x"])).0, Some(1));
    // Without any account this host is let in again, which is what is told.
    let (code, text) = said(&run(&data, &["remove", "ada"]));
    assert!(code == Some(0) && text.contains("who is on this host may do everything"), "{text}");
    assert!(!text.contains("alone can change"), "{text}");
}

#[test]
fn an_admin_whom_a_proxy_logs_in_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("muster.toml"));
    std::fs::write(
        &config,
        "[access]\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"127.0.0.1\"]\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    for words in [
        &["add", "ada", "--no-password"][..],
        &["add", "bob", "--no-password", "--role", "admin"],
        &["disable", "bob"],
    ] {
        let output = said(&run(&data, &[words, &["--config", config]].concat()));
        assert!(output.0 == Some(0) && !output.1.contains("no active admin"), "{words:?}: {output:?}");
    }
    // By itself nobody gets in without a password.
    let (code, text) = said(&run(&data, &["enable", "bob"]));
    assert!(code == Some(0) && text.contains("There is no active admin who can log in"), "{text}");
}

#[test]
fn a_terminal_shows_no_password() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let command = format!("{} account add ada --data {}", env!("CARGO_BIN_EXE_muster"), data.display());
    let ask = |input: &str| {
        // The two answers come one after the other, as somebody types them.
        let typed = format!("({input}) | script -qec '{command}' /dev/null");
        let output = Command::new("sh").args(["-c", &typed]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = ask("sleep 1; echo first long one; sleep 1; echo second long one; sleep 1");
    assert!(shown.contains("Password of ada:") && shown.contains("are not the same"), "{shown}");
    assert!(!shown.contains("long one"), "{shown}");
    let shown = ask(&format!("sleep 1; echo {PASSWORD}; sleep 1; echo {PASSWORD}; sleep 1"));
    assert!(shown.contains("Added account ada, admin") && !shown.contains(PASSWORD), "{shown}");
}
