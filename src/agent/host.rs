// SPDX-License-Identifier: Apache-2.0
//! What the agent finds out about its machine, in the words of MIG's agents.

use crate::agent::addresses;
use crate::model::agent::Environment;
use crate::modules;
use rustix::system::uname;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// Bytes of a small file that are looked at.
const TEXT_CHARS_MAX: usize = 1_024;

/// The host's name; `localhost` where it has none.
pub fn name() -> String {
    let name = uname().nodename().to_string_lossy().into_owned();
    let is_set = !name.is_empty() && name != "(none)";
    if is_set { name } else { "localhost".to_owned() }
}

/// The environment but for what the server sees: `publicip` is the first address of this machine, and to be replaced
/// where the server tells another.
pub fn environment() -> Environment {
    let addresses = addresses::of_this_machine();
    let first = addresses.first().map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip);
    let machine = uname().machine().to_string_lossy().into_owned();
    Environment {
        init: init(Path::new("/")).to_owned(),
        ident: ident(Path::new("/")),
        os: std::env::consts::OS.to_owned(),
        arch: go_arch(&machine).to_owned(),
        addresses: Some(addresses.iter().map(ToString::to_string).collect()),
        publicip: first.to_string(),
        modules: Some(modules::NAMES.iter().map(|name| (*name).to_owned()).collect()),
        ..Environment::default()
    }
}

/// The static id of this machine, by which the server finds its records; none where it has none.
pub fn machine_id() -> Option<String> {
    let text = line(Path::new("/etc/machine-id"))?;
    (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

fn init(root: &Path) -> &'static str {
    if root.join("run/systemd/system").is_dir() {
        return "systemd";
    }
    match line(&root.join("proc/1/comm")).as_deref() {
        Some("systemd") => "systemd",
        Some("runit") => "runit",
        Some("openrc-init") => "openrc",
        Some("init") if root.join("etc/init.d").is_dir() => "sysvinit",
        _ => "unknown",
    }
}

/// `Debian GNU/Linux 12 (bookworm)`.
fn ident(root: &Path) -> String {
    let pretty = |path: &str| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        let value = text.lines().find_map(|line| line.trim().strip_prefix("PRETTY_NAME="))?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.chars().take(TEXT_CHARS_MAX).collect())
    };
    let kernel = || format!("Linux {}", uname().release().to_string_lossy());
    pretty("etc/os-release").or_else(|| pretty("usr/lib/os-release")).unwrap_or_else(kernel)
}

/// The architecture in Go's words, which targets use.
fn go_arch(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "i386" | "i486" | "i586" | "i686" => "386",
        "aarch64" => "arm64",
        "ppc64" | "ppc64le" | "riscv64" | "s390x" | "mips" | "mips64" => machine,
        "loongarch64" => "loong64",
        other if other.starts_with("arm") => "arm",
        other => other,
    }
}

fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.chars().take(TEXT_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described_whole() {
        let environment = environment();
        for text in [&environment.init, &environment.ident, &environment.arch] {
            assert!(!text.is_empty());
        }
        assert_eq!(environment.os, "linux");
        assert!(environment.publicip.parse::<IpAddr>().is_ok());
        assert!(environment.modules.unwrap().contains(&"file".to_owned()));
        assert!(!name().is_empty());
    }

    #[test]
    fn a_system_is_named_by_its_os_release() {
        let root = tempfile::tempdir().unwrap();
        assert!(ident(root.path()).starts_with("Linux "));
        assert_eq!(init(root.path()), "unknown");
        fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        fs::write(root.path().join("usr/lib/os-release"), "ID=x\nPRETTY_NAME='Some 1'\n").unwrap();
        assert_eq!(ident(root.path()), "Some 1");
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/os-release"), "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
            .unwrap();
        assert_eq!(ident(root.path()), "Debian GNU/Linux 12 (bookworm)");
        fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        assert_eq!(init(root.path()), "systemd");
    }

    #[test]
    fn architectures_are_called_as_go_calls_them() {
        for (machine, expected) in [
            ("x86_64", "amd64"),
            ("i686", "386"),
            ("aarch64", "arm64"),
            ("armv7l", "arm"),
            ("riscv64", "riscv64"),
        ] {
            assert_eq!(go_arch(machine), expected);
        }
    }
}
