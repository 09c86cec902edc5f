// SPDX-License-Identifier: Apache-2.0
//! `packaging/install.sh` into a directory: what it puts where, twice, and what it takes away again.

use super::{Outcome, outcome};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn install(destdir: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(root().join("packaging/install.sh"));
    outcome(command.args(arguments).env("DESTDIR", destdir).current_dir("/"))
}

/// Every file below a directory, with its mode, relative to it.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            found.insert(format!("/{} {mode:o}", path.strip_prefix(dir).unwrap().display()));
        }
    }
    found
}

/// The names of the files of a directory of this tree.
fn names(dir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(dir)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What must be there, but for the man pages of the commands.
fn expected(prefix: &str) -> BTreeSet<String> {
    let mut expected: BTreeSet<String> = [
        "bin/muster 755",
        "share/man/man1/muster.1 644",
        "share/man/man5/muster.toml.5 644",
        "share/bash-completion/completions/muster 644",
        "share/zsh/site-functions/_muster 644",
        "share/fish/vendor_completions.d/muster.fish 644",
    ]
    .map(|file| format!("{prefix}/{file}"))
    .into();
    expected.insert("/etc/muster/muster.toml 644".to_owned());
    let environments = names("packaging").into_iter().filter(|name| name.ends_with(".env"));
    expected.extend(environments.map(|name| format!("/etc/muster/{name} 600")));
    expected.extend(names("systemd").iter().map(|name| format!("/etc/systemd/system/{name} 644")));
    for kind in ["sysusers.d", "tmpfiles.d"] {
        let found = names(&format!("packaging/{kind}"));
        expected.extend(found.iter().map(|name| format!("/usr/lib/{kind}/{name} 644")));
    }
    expected
}

#[test]
fn a_plain_copy_is_installed_upgraded_and_removed() {
    for prefix in ["/usr/local", "/opt/muster-1.0"] {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["--prefix", prefix, env!("CARGO_BIN_EXE_muster")];
        let (code, out, err) = install(dir.path(), &arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let first = files(dir.path());
        let plain: BTreeSet<String> =
            first.iter().filter(|file| !file.contains("/man1/muster-")).cloned().collect();
        assert_eq!(plain, expected(prefix));
        assert!(first.len() > plain.len() + 20, "{first:?}");

        let unit =
            |name: &str| std::fs::read_to_string(dir.path().join("etc/systemd/system").join(name)).unwrap();
        for name in ["muster.service", "muster-agent.service"] {
            assert!(unit(name).contains(&format!("\nExecStart={prefix}/bin/muster ")), "{}", unit(name));
        }
        let program = dir.path().join(prefix.trim_start_matches('/')).join("bin/muster");
        assert!(outcome(Command::new(program).arg("--version")).1.starts_with("muster "));

        // Again: what an admin changed stays, the rest is as before.
        let configuration = dir.path().join("etc/muster/muster.toml");
        std::fs::write(&configuration, "# changed\n").unwrap();
        let (code, out, _) = install(dir.path(), &arguments);
        assert!(code == 0 && out.contains("kept "), "{out}");
        assert_eq!(files(dir.path()), first);
        assert_eq!(std::fs::read_to_string(&configuration).unwrap(), "# changed\n");

        // Somebody else's, though it begins alike.
        let foreign = dir.path().join(prefix.trim_start_matches('/')).join("share/man/man1/muster-roll.1");
        std::fs::write(&foreign, "").unwrap();
        let data = dir.path().join("var/lib/muster");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("muster.db"), "").unwrap();
        std::fs::create_dir_all(dir.path().join("var/backups/muster")).unwrap();
        let (code, out, err) = install(dir.path(), &["--prefix", prefix, "--uninstall"]);
        assert_eq!((code, err.as_str()), (0, ""));
        for place in ["/var/lib/muster", "/etc/muster", "/var/backups/muster"] {
            assert!(out.contains(&format!("{place}\n")), "{out}");
        }
        assert!(foreign.exists());
        std::fs::remove_file(&foreign).unwrap();
        let left = files(dir.path());
        assert!(
            left.iter().all(|file| file.starts_with("/etc/muster/") || file.starts_with("/var/")),
            "{left:?}"
        );
        assert!(left.iter().any(|file| file.starts_with("/var/lib/muster/muster.db ")), "{left:?}");
        assert_eq!(install(dir.path(), &["--prefix", prefix, "--uninstall"]).0, 0);
    }
}

#[test]
fn what_cannot_be_installed_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (&["/nowhere/muster"][..], "there is no /nowhere/muster"),
        (&["/bin/false"], "does not run here"),
        (&["--prefix", "relative"], "must begin with /"),
        (&["--prefix", "/a|b"], "letters, digits"),
        (&["--prefix"], "--uninstall"),
        (&["--nonsense"], "--uninstall"),
        (&["a", "b"], "--uninstall"),
    ] {
        let (code, _, err) = install(dir.path(), arguments);
        assert!(code != 0 && err.contains(said), "{arguments:?}: {err}");
    }
    assert!(files(dir.path()).is_empty());
}

#[test]
fn beside_the_package_nothing_is_installed_and_nothing_of_it_removed() {
    let dir = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_muster");
    assert_eq!(install(dir.path(), &[binary]).0, 0);
    let before = files(dir.path());
    let list = dir.path().join("var/lib/dpkg/info/muster.list");
    std::fs::create_dir_all(list.parent().unwrap()).unwrap();
    // Removed, but not purged: the program is no longer in the list.
    std::fs::write(&list, "/etc\n/etc/muster/muster.toml\n").unwrap();
    assert_eq!(install(dir.path(), &[binary]).0, 0);
    std::fs::write(&list, "/usr/bin\n/usr/bin/muster\n").unwrap();
    let (code, _, err) = install(dir.path(), &[binary]);
    assert!(code == 1 && err.contains("the Debian package muster is installed"), "{err}");
    let (code, _, err) = install(dir.path(), &["--uninstall"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let left = files(dir.path());
    let stays = |file: &&String| {
        ["/usr/lib/sysusers.d/", "/usr/lib/tmpfiles.d/", "/etc/muster/"]
            .iter()
            .any(|dir| file.starts_with(dir))
    };
    let expected: Vec<&String> = before.iter().filter(stays).collect();
    let found: Vec<&String> = left.iter().filter(|file| !file.contains("/dpkg/")).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_installed_is_for_everybody_whatever_the_mask() {
    let dir = tempfile::tempdir().unwrap();
    let script = root().join("packaging/install.sh");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(script).arg(env!("CARGO_BIN_EXE_muster"));
    assert_eq!(outcome(command.env("DESTDIR", dir.path())).0, 0);
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("usr/local/bin"), mode("usr/local/share/man/man1")), (0o755, 0o755));
}

#[test]
fn the_scripts_are_sound() {
    if Command::new("shellcheck").arg("--version").output().is_err() {
        return;
    }
    let scripts = [
        ".ci/run",
        ".ci/full",
        "tests/run",
        "tests/follow-postgres",
        "packaging/install.sh",
        "packaging/build-deb.sh",
        "packaging/try-deb.sh",
        "packaging/debian/postinst",
        "packaging/debian/prerm",
        "packaging/debian/postrm",
    ];
    let (code, out, _) = outcome(Command::new("shellcheck").args(scripts).current_dir(root()));
    assert_eq!(code, 0, "{out}");
}
