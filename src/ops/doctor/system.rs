// SPDX-License-Identifier: Apache-2.0
//! The machine: its clock, the unit of the service, the limit of descriptors.

use super::Finding;
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Descriptors beside those of connections.
const DESCRIPTORS_KEPT: u64 = 64;
/// `FileDescriptorName=` of the sockets on which TLS is spoken.
const TLS_SOCKET_NAME: &str = "https";
/// What a hardened unit says, as `systemctl show` tells it.
const HARDENING: &[(&str, &str)] = &[
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
];

/// True where a time server sets the clock.
pub fn clock() -> Finding {
    const CHECK: &str = "clock";
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Finding::ok(CHECK, "a time server sets it");
    }
    match output("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref().map(str::trim)
    {
        Some("yes") => Finding::ok(CHECK, "a time server sets it"),
        Some("no") => Finding::warn(
            CHECK,
            "no time server sets it",
            "run one of systemd-timesyncd, chrony or ntpd: records and tokens go by the clock",
        ),
        _ => Finding::ok(CHECK, "whether a time server sets it cannot be told here"),
    }
}

/// The unit of the service, where systemd runs.
pub fn unit() -> Vec<Finding> {
    const CHECK: &str = "unit";
    if !Path::new("/run/systemd/system").is_dir() {
        return vec![Finding::ok(CHECK, "systemd does not run here")];
    }
    let mut arguments =
        vec!["show", "muster.service", "--property=LoadState,UnitFileState,ActiveState,ExecStart"];
    let hardening: Vec<String> = HARDENING.iter().map(|(name, _)| format!("--property={name}")).collect();
    arguments.extend(hardening.iter().map(String::as_str));
    match output("systemctl", &arguments) {
        Some(shown) => {
            let own = std::env::current_exe().unwrap_or_default();
            judge_unit(&shown, &own)
        }
        None => {
            vec![Finding::warn(CHECK, "systemctl does not answer", "see `systemctl status muster.service`")]
        }
    }
}

/// Addresses on which systemd listens for the server; those of the configuration do not count then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// The units.
    pub units: Vec<String>,
    /// For plain HTTP, as `http.listen` has them.
    pub plain: Vec<String>,
    /// For TLS.
    pub tls: Vec<String>,
}

/// The sockets of systemd that lead to the server, which is the process `server`; none where no such unit is active, or
/// where it is not systemd that runs this process.
pub fn sockets(server: u32) -> Option<Sockets> {
    let shown = output("systemctl", &["show", "muster.service", "--property=MainPID,TriggeredBy"])?;
    let value = |name: &str| shown.lines().find_map(|line| line.strip_prefix(name));
    if value("MainPID=")?.parse() != Ok(server) {
        return None;
    }
    let mut found = Sockets::default();
    for unit in value("TriggeredBy=")?.split_whitespace().filter(|unit| unit.ends_with(".socket")) {
        let properties = "--property=ActiveState,FileDescriptorName,Listen";
        if let Some(shown) = output("systemctl", &["show", unit, properties]) {
            add_socket(&mut found, unit, &shown);
        }
    }
    (!found.units.is_empty()).then_some(found)
}

/// Adds what `systemctl show` says of a socket unit, where it is active.
fn add_socket(found: &mut Sockets, unit: &str, shown: &str) {
    let values = || shown.lines().filter_map(|line| line.split_once('='));
    if !values().any(|pair| pair == ("ActiveState", "active")) {
        return;
    }
    found.units.push(unit.to_owned());
    let is_tls = values().any(|pair| pair == ("FileDescriptorName", TLS_SOCKET_NAME));
    let addresses = if is_tls { &mut found.tls } else { &mut found.plain };
    let streams = values().filter(|(name, _)| *name == "Listen");
    addresses.extend(streams.filter_map(|(_, value)| value.strip_suffix(" (Stream)")).map(str::to_owned));
}

/// What `systemctl show` says of the unit. `own` is this program.
fn judge_unit(shown: &str, own: &Path) -> Vec<Finding> {
    const CHECK: &str = "unit";
    let values: BTreeMap<&str, &str> = shown.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| values.get(name).copied().unwrap_or("");
    if value("LoadState") != "loaded" {
        let remedy = "install the package, or packaging/install.sh";
        return vec![Finding::warn(CHECK, "there is no muster.service", remedy)];
    }
    let mut findings = Vec::new();
    let (enabled, active) = (value("UnitFileState"), value("ActiveState"));
    findings.push(match (enabled, active) {
        ("enabled" | "static" | "indirect", "active") => {
            Finding::ok(CHECK, "muster.service is enabled and active")
        }
        (_, "active") => Finding::warn(
            CHECK,
            format!("muster.service is active and {enabled}: it will not start with the machine"),
            "systemctl enable muster.service",
        ),
        (_, active) => Finding::warn(
            CHECK,
            format!("muster.service is {enabled} and {active}"),
            "systemctl enable --now muster.service; journalctl -u muster.service says why it ended",
        ),
    });
    // { path=/usr/bin/muster ; argv[]=… }
    let program = value("ExecStart").split_once("path=").and_then(|(_, rest)| rest.split(" ;").next());
    if let Some(program) = program
        && fs::canonicalize(program).unwrap_or_else(|_| program.into()) != own
    {
        findings.push(Finding::warn(
            CHECK,
            format!("it runs {program}, and this is {}", own.display()),
            "call the program that runs, or change ExecStart=",
        ));
    }
    let open: Vec<&str> = HARDENING
        .iter()
        .filter(|(name, wanted)| values.contains_key(name) && value(name) != *wanted)
        .map(|(name, _)| *name)
        .collect();
    if !open.is_empty() {
        findings.push(Finding::warn(
            CHECK,
            format!("it may do more than it needs: {}", open.join(", ")),
            "take the unit of the package, and put changes into a drop-in",
        ));
    }
    findings
}

/// The limit of descriptors of the process `server`, or of this one where none runs or it may not be looked at.
pub fn descriptors(server: Option<u32>, connections_max: usize) -> Finding {
    const CHECK: &str = "descriptors";
    let of_server = server.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok());
    let (whose, limit) = match of_server.as_deref().and_then(limit_of) {
        Some(limit) => ("the server", limit),
        None => ("a process started here", getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)),
    };
    let wanted = connections_max as u64 + DESCRIPTORS_KEPT;
    if limit < wanted {
        let message = format!(
            "{whose} may have {limit}: that is {} connections, fewer than http.connections_max",
            limit.saturating_sub(DESCRIPTORS_KEPT)
        );
        return Finding::warn(CHECK, message, format!("LimitNOFILE={wanted} in the unit, or ulimit -n"));
    }
    Finding::ok(CHECK, format!("{whose} may have {limit}"))
}

/// The soft limit of open files in the text of `/proc/PID/limits`.
fn limit_of(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The process that serves a data directory, as its lock file tells, while it is there.
pub fn server_process(data_dir: &Path) -> Option<u32> {
    let holder = fs::read_to_string(data_dir.join("muster.lock")).ok()?;
    let pid: u32 = holder.trim().strip_prefix("muster serve, process ")?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "muster").then_some(pid)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::doctor::Level;

    #[test]
    fn a_unit_is_judged_by_what_systemctl_shows() {
        let good = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n\
                    ExecStart={ path=/nowhere/muster ; argv[]=/nowhere/muster serve ; }\nNoNewPrivileges=yes\n\
                    ProtectSystem=strict\n";
        let own = Path::new("/nowhere/muster");
        let levels = |shown: &str, own: &Path| -> Vec<Level> {
            judge_unit(shown, own).iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels(good, own), [Level::Ok]);
        assert_eq!(levels(good, Path::new("/elsewhere/muster")), [Level::Ok, Level::Warn]);
        assert_eq!(levels(&good.replace("=enabled", "=disabled"), own), [Level::Warn]);
        assert_eq!(levels(&good.replace("=active", "=failed"), own), [Level::Warn]);
        assert_eq!(levels(&good.replace("=strict", "=no"), own), [Level::Ok, Level::Warn]);
        assert_eq!(levels("LoadState=not-found\n", own), [Level::Warn]);
        assert_eq!(levels("", own), [Level::Warn]);
    }

    #[test]
    fn sockets_are_read_where_their_unit_is_active() {
        let mut found = Sockets::default();
        add_socket(&mut found, "off.socket", "ActiveState=inactive\nListen=[::]:81 (Stream)\n");
        assert_eq!(found, Sockets::default());
        let shown = "ActiveState=active\nFileDescriptorName=muster.socket\nListen=[::]:80 (Stream)\n\
                     Listen=127.0.0.1:8080 (Stream)\nListen=/run/x (Stream)\nListen=[::]:9 (Datagram)\n";
        add_socket(&mut found, "muster.socket", shown);
        add_socket(
            &mut found,
            "muster-tls.socket",
            "FileDescriptorName=https\nListen=[::]:443 (Stream)\nActiveState=active\n",
        );
        assert_eq!(found.units, ["muster.socket", "muster-tls.socket"]);
        assert_eq!(found.plain, ["[::]:80", "127.0.0.1:8080", "/run/x"]);
        assert_eq!(found.tls, ["[::]:443"]);
    }

    #[test]
    fn limits_of_a_process_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 4096                 files\n";
        assert_eq!(limit_of(limits), Some(1024));
        assert_eq!(limit_of("Max open files unlimited"), None);
        assert_eq!(descriptors(None, usize::MAX >> 1).level, Level::Warn);
    }
}
