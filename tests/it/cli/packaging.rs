// SPDX-License-Identifier: Apache-2.0
//! The units and the packaged files hold what they promise.

use super::{run, word};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most that `systemd-analyze security` may say of each unit. The agent reads files of all users, in /tmp too.
const EXPOSURE_MAX: [(&str, f64); 3] =
    [("muster.service", 1.5), ("muster-agent.service", 1.8), ("muster-backup.service", 1.0)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_packaged_configuration_equals_the_table() {
    let (code, out, _) = run(&["config", "show", "--template"]);
    assert_eq!(code, 0);
    assert!(
        out == text("packaging/muster.toml"),
        "write it anew: muster config show --template > packaging/muster.toml"
    );
    let path = root().join("packaging/muster.toml");
    let (code, out, err) = run(&["config", "show", "--config", word(&path)]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("data = \"/var/lib/muster\"") && out.contains("spool = \"/var/spool/muster\""),
        "{out}"
    );
    // Whoever only tries it must not clear away the spool of the service.
    let (_, out, _) = run(&["config", "show", "--config", word(&path), "--data", "elsewhere"]);
    assert!(out.contains("spool = \"spool\"  # default"), "{out}");
}

/// A copy of a unit whose program is there, so that `verify` looks at the rest.
fn with_our_program(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(
        &path,
        text(&format!("systemd/{name}")).replace("/usr/bin/muster", env!("CARGO_BIN_EXE_muster")),
    )
    .unwrap();
    path
}

#[test]
fn the_units_are_hardened_and_sound() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    for (name, exposure_max) in EXPOSURE_MAX {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager"])
            .arg(root().join("systemd").join(name))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, exposure) = said.split_once(&format!("Overall exposure level for {name}: ")).unwrap();
        let exposure: f64 = exposure.split_whitespace().next().unwrap().parse().unwrap();
        assert!(exposure <= exposure_max, "{said}");
    }

    let dir = tempfile::tempdir().unwrap();
    let names = [
        "muster.service",
        "muster.socket",
        "muster-agent.service",
        "muster-backup.service",
        "muster-backup.timer",
    ];
    let units = names.map(|name| with_our_program(dir.path(), name));
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("muster")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn unit_configuration_and_user_agree() {
    let unit = text("systemd/muster.service");
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/muster serve --config /etc/muster/muster.toml",
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "User=muster",
        "StateDirectory=muster",
        "StateDirectoryMode=0700",
        "ReadWritePaths=-/var/spool/muster",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    assert!(text("packaging/sysusers.d/muster.conf").contains("\nu muster "));
    let directories = text("packaging/tmpfiles.d/muster.conf");
    assert!(directories.contains("/var/lib/muster      0700 muster muster"));
    assert!(directories.contains("/var/spool/muster    0750 muster muster"));
}

#[test]
fn the_agent_s_unit_environment_and_user_agree() {
    let unit = text("systemd/muster-agent.service");
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/muster agent run",
        "EnvironmentFile=/etc/muster/agent.env",
        "User=muster-agent",
        "StateDirectory=muster-agent",
        // An agent that an action ended exits with 0 and stays ended.
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    assert!(text("packaging/sysusers.d/muster-agent.conf").contains("\nu muster-agent "));
    assert!(text("packaging/tmpfiles.d/muster-agent.conf").contains("muster-agent muster-agent"));
    let (_, help, _) = run(&["agent", "run", "--help"]);
    for line in text("packaging/agent.env").lines() {
        let Some((name, _)) = line.trim_start_matches('#').split_once('=') else { continue };
        let Some(option) = name.strip_prefix("MUSTER_AGENT_").filter(|option| *option != "TAGS") else {
            continue;
        };
        let option = format!("--{}", option.to_lowercase().replace('_', "-"));
        assert!(help.contains(&option), "{option}");
    }
}

#[test]
fn the_backup_s_unit_timer_and_directory_agree() {
    let unit = text("systemd/muster-backup.service");
    for line in [
        "Type=oneshot",
        "Environment=BACKUP_DIR=/var/backups/muster BACKUP_KEEP=14",
        "EnvironmentFile=-/etc/muster/backup.env",
        "ExecStart=/usr/bin/muster backup --config /etc/muster/muster.toml --keep ${BACKUP_KEEP} ${BACKUP_DIR}",
        "User=muster",
        "ReadWritePaths=/var/lib/muster -/var/backups/muster",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let timer = text("systemd/muster-backup.timer");
    for line in ["RandomizedDelaySec=30min", "Persistent=yes", "WantedBy=timers.target"] {
        assert!(timer.lines().any(|found| found == line), "{line}");
    }
    assert!(text("packaging/tmpfiles.d/muster.conf").contains("/var/backups/muster  0700 muster muster"));
    for line in
        text("packaging/backup.env").lines().filter(|line| line.contains("BACKUP_") && line.contains('='))
    {
        assert!(unit.contains(line.trim_start_matches('#')), "{line}");
    }
    let (_, help, _) = run(&["backup", "--help"]);
    assert!(help.contains("--keep"), "{help}");
}
