// SPDX-License-Identifier: Apache-2.0
//! Man pages and completions say what the help texts say, and the programs that read them have nothing against them.

use super::{muster, outcome, run, word};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each command that the help texts lead to, with its help text; the program itself first.
fn commands() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let (code, help, _) = run(&words);
        assert_eq!(code, 0, "{words:?}");
        for name in section(&help, "Commands:") {
            open.push(path.iter().cloned().chain([name]).collect());
        }
        found.push((path, help));
    }
    assert!(found.len() > 20, "{}", found.len());
    found
}

/// The first words of the lines of a section that begin an entry.
fn section(help: &str, title: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != title).skip(1).take_while(|line| !line.is_empty());
    let entries = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    entries.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn write_manual(dir: &Path) -> Vec<PathBuf> {
    let (code, out, err) =
        outcome(muster(&["manual", "--output", word(dir)]).env("SOURCE_DATE_EPOCH", "1780272000"));
    assert_eq!((code, err.as_str()), (0, ""));
    let mut pages = Vec::new();
    for section in ["man1", "man5"] {
        pages.extend(std::fs::read_dir(dir.join(section)).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert!(out.starts_with(&format!("{} pages written", pages.len())), "{out}");
    pages
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn every_command_has_a_page_that_names_each_of_its_options() {
    let dir = tempfile::tempdir().unwrap();
    let pages = write_manual(dir.path());
    let commands = commands();
    assert_eq!(pages.len(), commands.len() + 1, "one for each, and that of the configuration");
    for (path, help) in commands {
        let name = ["muster".to_owned()].into_iter().chain(path).collect::<Vec<_>>().join("-");
        let page = std::fs::read_to_string(dir.path().join(format!("man1/{name}.1"))).unwrap();
        let plain = page.replace("\\-", "-");
        assert!(plain.contains("2026-06-01") && plain.contains(&format!("\n{name} - ")), "{page}");
        for option in section(&help, "Options:").iter().chain(&section(&help, "Commands:")) {
            let option = option.trim_end_matches(',');
            assert!(plain.contains(option), "{name} does not name {option}");
        }
    }
    let page = std::fs::read_to_string(dir.path().join("man5/muster.toml.5")).unwrap();
    for setting in muster::config::settings::SETTINGS.iter() {
        assert!(page.contains(&setting.variable()), "{}", setting.key);
    }
}

#[test]
fn the_pages_are_good_roff() {
    let dir = tempfile::tempdir().unwrap();
    let pages = write_manual(dir.path());
    let programs: [(&str, &[&str]); 2] = [
        ("man", &["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]),
        ("mandoc", &["-T", "lint", "-W", "warning"]),
    ];
    for (program, arguments) in programs {
        if Command::new(program).arg("-V").output().is_err() {
            continue;
        }
        let output =
            Command::new(program).args(arguments).args(&pages).env("LC_ALL", "C.UTF-8").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = if program == "mandoc" {
            said + &String::from_utf8_lossy(&output.stdout)
        } else {
            assert!(output.stdout.len() > 10_000);
            said
        };
        assert!(output.status.success() && said.is_empty(), "{program}: {said}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("man1"), "").unwrap();
    let (code, _, err) = run(&["manual", "--output", word(dir.path())]);
    assert!(code == 2 && err.contains("Cannot write"), "{err}");
    let mut command = muster(&["manual", "--output", word(dir.path())]);
    let (code, _, err) = outcome(command.env("SOURCE_DATE_EPOCH", "yesterday"));
    assert!(code == 2 && err.contains("SOURCE_DATE_EPOCH"), "{err}");
    let (code, out, err) = run(&["completions", "ksh"]);
    assert!(code == 2 && out.is_empty() && err.contains("bash, zsh or fish"), "{err}");
}

/// The completions for a shell in a directory of their own, with two things in it to be found.
fn completions(shell: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = run(&["completions", shell]);
    assert_eq!((code, err.as_str()), (0, ""));
    std::fs::write(dir.path().join(".completions"), out).unwrap();
    std::fs::write(dir.path().join("found.toml"), "").unwrap();
    std::fs::create_dir(dir.path().join("fold")).unwrap();
    dir
}

/// What a shell must complete: the words before the cursor, all that is offered at least, something that is not.
const COMPLETED: &[(&[&str], &[&str], &str)] = &[
    (&["ser"], &["serve"], "send"),
    (&["agent", ""], &["list", "run", "bundle"], "serve"),
    (&["config", "show", "--te"], &["--template"], "--data"),
    (&["agent", "list", "--s"], &["--status"], "--data"),
    (&["agent", "show", "--j"], &["--json"], "--status"),
    (&["serve", "--config", "fo"], &["found.toml"], "--config"),
    (&["serve", "--data", "fo"], &["fold"], "found.toml"),
    (&["send", "--encoding", ""], &["header", "json"], "--url"),
    (&["view", "check", "fo"], &["found.toml"], "list"),
    (&["completions", "z"], &["zsh"], "bash"),
];

fn offered(output: std::process::Output) -> Vec<String> {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.lines().filter_map(|line| line.split('\t').next());
    words.map(|word| word.trim_end_matches('/').to_owned()).collect()
}

fn assert_completes(shell: &str, offer: impl Fn(&Path, &[&str]) -> Vec<String>) {
    let dir = completions(shell);
    for (words, expected, other) in COMPLETED {
        let found = offer(dir.path(), words);
        for word in *expected {
            assert!(found.iter().any(|offered| offered == word), "{words:?}: {found:?}");
        }
        assert!(!found.iter().any(|offered| offered == other), "{words:?}: {found:?}");
    }
}

/// Runs the function that bash would call.
const BASH_TRY: &str = r#"
set -u
source ./.completions
COMP_WORDS=(muster "$@")
COMP_CWORD=$#
_muster
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes() {
    let offer = |dir: &Path, words: &[&str]| {
        let mut command = Command::new("bash");
        offered(command.args(["-c", BASH_TRY, "bash"]).args(words).current_dir(dir).output().unwrap())
    };
    assert_completes("bash", offer);
    let dir = completions("bash");
    assert_eq!(offer(dir.path(), &["serve", "--config", "=", "fou"]), ["found.toml"]);
    assert!(offer(dir.path(), &["serve", "--config", "="]).contains(&"found.toml".to_owned()));
    if is_there("shellcheck") {
        let output = Command::new("shellcheck")
            .args(["-s", "bash", "-"])
            .stdin(std::fs::File::open(dir.path().join(".completions")).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn fish_completes() {
    if !is_there("fish") {
        return;
    }
    assert_completes("fish", |dir, words| {
        let line = format!("source ./.completions; complete -C 'muster {}'", words.join(" "));
        let mut command = Command::new("fish");
        let home = dir.join(".home");
        offered(
            command.args(["--no-config", "-c", &line]).env("HOME", home).current_dir(dir).output().unwrap(),
        )
    });
}

/// Runs zsh on a terminal of its own, with a key that lists what may follow.
const ZSH_TRY: &str = r#"
zmodload zsh/zpty
zpty shell "COLUMNS=200 LINES=400 zsh -f -i"
zpty -w shell "PROMPT= RPROMPT=; unsetopt zle_bracketed_paste"
zpty -w shell "autoload -U compinit && compinit -u -d ./.dump && source ./.completions"
zpty -w shell "zstyle ':completion:*' list-separator '#'; bindkey '^X' list-choices; LISTMAX=1000; print -r RE''ADY"
zpty -r -m shell line "*READY*"
zpty -w -n shell "muster $*"
zpty -w -n shell $'\x18'
sleep 1
while zpty -r -t shell line; do print -r -- $line; done
zpty -d shell
"#;

#[test]
fn zsh_completes() {
    if !is_there("zsh") {
        return;
    }
    let dir = completions("zsh");
    for (words, expected) in
        [("agent ", "unbind"), ("config show --te", "--template"), ("send --encoding ", "header")]
    {
        let mut command = Command::new("zsh");
        let output =
            command.args(["-f", "-c", ZSH_TRY, "zsh", words]).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(expected), "{words}: {said}");
    }
}
