// SPDX-License-Identifier: Apache-2.0
//! Help, version, and what is no command line.

use super::{muster, outcome, run};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

#[test]
fn the_version_is_that_of_the_package() {
    let expected = (0, format!("muster {}\n", env!("CARGO_PKG_VERSION")), String::new());
    assert_eq!(run(&["--version"]), expected);
}

#[test]
fn help_is_everywhere() {
    for words in
        [&[][..], &["serve"], &["config"], &["config", "check"], &["config", "show"], &["send"], &["demo"]]
    {
        for help in ["--help", "-h"] {
            let (code, out, err) = run(&[words, &[help]].concat());
            assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
            let usage = ["Usage: muster"].iter().chain(words).copied().collect::<Vec<_>>().join(" ");
            assert!(out.starts_with(&usage), "{out}");
            assert!(out.contains("--help"), "{out}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_the_usage() {
    for (words, said) in [
        (&[][..], "subcommands"),
        (&["srve"], "srve"),
        (&["serve", "--nonsense"], "--nonsense"),
        (&["serve", "--nonsense=1"], "--nonsense"),
        (&["serve", "extra"], "extra"),
        (&["serve", "--data"], "--data"),
        (&["config"], "subcommands"),
        (&["demo", "--records", "many"], "many"),
        (&["demo", "--into-existing=1"], "1"),
        (&["send", "--encoding=xml"], "header or json"),
        (&["config", "check", "--data", "a", "--data", "b"], "duplicate"),
    ] {
        let (code, out, err) = run(words);
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}");
        assert!(err.starts_with("muster: ") && err.contains(said) && err.contains("Usage: muster"), "{err}");
        assert!(err.contains("--help` for more"), "{err}");
    }
    let (code, _, err) = outcome(muster(&["serve"]).arg(OsStr::from_bytes(b"--data=\xff")));
    assert_eq!(code, 2);
    assert!(err.contains("UTF-8"), "{err}");
}

#[test]
fn a_value_may_follow_an_equals_sign() {
    let (code, out, err) = run(&["config", "show", "--config=/dev/null", "--data=/a=b"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("data = \"/a=b\"  # flag --data"), "{out}");
}

#[test]
fn a_closed_output_is_no_failure() {
    let script = r#"exec "$0" config show --config /dev/null >&- 2>&-"#;
    let status = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_muster")])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    // Rust opens /dev/null in place of closed standard streams.
    assert_eq!(status.code(), Some(0));
    let script = r#""$0" serve --help | true"#;
    let status = std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", script, env!("CARGO_BIN_EXE_muster")])
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
}
