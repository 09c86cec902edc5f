// SPDX-License-Identifier: Apache-2.0
//! The short payloads: heartbeats, greetings, updates, log lines, and what other people's programs report.

use crate::demo::random::{Random, mix_below};
use std::fmt::Write;

const BUNDLES: [&str; 36] = [
    "bootloader",
    "c-basic",
    "cloud-control",
    "containers-basic",
    "curl",
    "desktop",
    "desktop-gnomelibs",
    "devpkg-base",
    "diffutils",
    "editors",
    "findutils",
    "firefox",
    "games",
    "git",
    "go-basic",
    "iperf",
    "java-basic",
    "kernel-native",
    "kvm-host",
    "libreoffice",
    "lib-openssl",
    "machine-learning-basic",
    "network-basic",
    "nfs-utils",
    "openssh-server",
    "os-core",
    "os-core-update",
    "os-core-update-index",
    "perl-basic",
    "python3-basic",
    "storage-utils",
    "sysadmin-basic",
    "telemetrics",
    "thermal_daemon",
    "vim",
    "xfce4-desktop",
];

const LOG_LINES: [&str; 22] = [
    "MESSAGE={u}.service: Control process exited, code=exited, status=203/EXEC",
    "MESSAGE={u}.service: Main process exited, code=exited, status=1/FAILURE",
    "MESSAGE={u}.service: Failed with result 'exit-code'.",
    "MESSAGE={u}.service: Failed with result 'timeout'.",
    "MESSAGE=Failed to start {u}.service.",
    "MESSAGE={u}.service: Watchdog timeout (limit 3min)!",
    "MESSAGE={u}.service: Start request repeated too quickly.",
    "MESSAGE=Dependency failed for {u}.service.",
    "MESSAGE=Timed out waiting for device /dev/disk/by-uuid/{h}.",
    "MESSAGE=EXT4-fs error (device sda{n}): ext4_lookup:{n}: inode #{n}: comm {u}: deleted inode referenced: {n}",
    "MESSAGE=blk_update_request: I/O error, dev sdb, sector {n} op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0",
    "MESSAGE=nvme nvme0: I/O {n} QID {n} timeout, aborting",
    "MESSAGE=iwlwifi 0000:00:14.3: Microcode SW error detected. Restarting 0x0.",
    "MESSAGE=usb 1-{n}: device descriptor read/64, error -110",
    "MESSAGE=ACPI Error: AE_NOT_FOUND, While resolving a named reference package element - \\_SB_.PCI0.LPCB.EC0",
    "MESSAGE=pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.{n}",
    "MESSAGE=Failed to mount /mnt/{u}: Connection timed out",
    "MESSAGE=systemd-resolved: Using degraded feature set UDP instead of UDP+EDNS0 for DNS server 192.0.2.53.",
    "MESSAGE=[drm:intel_cpu_fifo_underrun_irq_handler [i915]] *ERROR* CPU pipe A FIFO underrun",
    "MESSAGE=Out of memory: Killed process {n} ({u}) total-vm:{n}kB, anon-rss:{n}kB, file-rss:0kB, shmem-rss:0kB",
    "MESSAGE=audit: backlog limit exceeded",
    "MESSAGE={u}: certificate of ldap.example.org is not yet valid (clock?)",
];

const UNITS: [&str; 20] = [
    "telemetrics-demo",
    "docker",
    "NetworkManager",
    "nginx",
    "postgresql",
    "bluetooth",
    "cups",
    "chronyd",
    "nfs-mountd",
    "thermald",
    "libvirtd",
    "fwupd",
    "gdm",
    "sssd",
    "inventoryd",
    "scanagent",
    "backup",
    "tallow",
    "snapd",
    "pcscd",
];

/// The heartbeat of a machine that has been up this long.
pub fn heartbeat(uptime_secs: i64) -> String {
    format!("hello\nLC_ALL: C.UTF-8\nuptime: {uptime_secs}\n")
}

/// The first words of a client; some list what is installed.
pub fn hello(seed: u64, random: &mut Random) -> String {
    if random.chance(0.7) {
        return "hello\n".to_owned();
    }
    let installed: Vec<&str> = BUNDLES
        .iter()
        .enumerate()
        .filter(|(n, _)| mix_below(seed, *n as u64, 10) < 5)
        .map(|(_, b)| *b)
        .collect();
    format!("hello\n\nBundles ({}):\n{}\n", installed.len(), installed.join("\n"))
}

/// An update from one build to another. `result` 0 is success.
pub fn update(from: &str, to: &str, result: u32, random: &mut Random) -> String {
    let secs = if result == 0 { 8.0 + 120.0 * random.unit() } else { 1.0 + 20.0 * random.unit() };
    let bytes = if result == 0 { random.between(900_000, 210_000_000) } else { 0 };
    format!(
        "PACKAGE_NAME=swupd-client\nPACKAGE_VERSION=4.3.7\ncurrent_version={from}\nserver_version={to}\n\
         result={result}\ntime={secs:5.1}\nbytes={bytes}\n"
    )
}

/// The results of updates that fail: no network, no space, a broken mirror, a bad signature.
pub fn update_failure(random: &mut Random) -> u32 {
    *random.pick(&[13, 13, 13, 12, 12, 22, 8, 18, 4])
}

/// A bundle that somebody added.
pub fn bundle_added(build: &str, random: &mut Random) -> String {
    let bundle = random.pick(&BUNDLES);
    let result = if random.chance(0.93) { 0 } else { 9 };
    format!(
        "PACKAGE_NAME=swupd-client\nPACKAGE_VERSION=4.3.7\nbundle={bundle}\ncurrent_version={build}\nresult={result}\n\
         bytes={}\n",
        random.between(20_000, 90_000_000)
    )
}

/// A line of the journal at priority error.
pub fn log_line(random: &mut Random) -> String {
    let line = *random.pick(&LOG_LINES);
    let unit = *random.pick(&UNITS);
    let line = line.replace("{u}", unit);
    let line =
        if line.contains("{h}") { line.replace("{h}", &format!("{:016x}", random.bits())) } else { line };
    let mut text = String::with_capacity(line.len() + 16);
    let mut parts = line.split("{n}");
    text.push_str(parts.next().unwrap_or(""));
    for part in parts {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{part}", random.between(1, 253));
    }
    text.push('\n');
    text
}

/// What the journal says when a service crashed.
pub fn crash_log_line(program: &str, signal: u32) -> String {
    let unit = program.rsplit('/').next().unwrap_or(program);
    let name = match signal {
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        31 => "SYS",
        _ => "SEGV",
    };
    format!("MESSAGE={unit}.service: Main process exited, code=dumped, status={signal}/{name}\n")
}

/// A report of the backup program of some other organisation.
pub fn backup_failed(random: &mut Random) -> String {
    let set = *random.pick(&["home", "mail", "databases", "projects", "vm-images"]);
    let cause = *random.pick(&[
        "no space left on device",
        "connection reset by peer",
        "checksum mismatch in chunk",
        "repository is locked",
    ]);
    format!(
        "set: {set}\ntarget: backup-{}.example.org\nerror: {cause}\nretries: {}\n",
        random.between(1, 4),
        random.between(1, 5)
    )
}

/// A reading of a sensor, as JSON: what a payload says is the sender's business.
pub fn sensor_reading(random: &mut Random) -> String {
    let celsius = 18.0 + 12.0 * random.unit();
    let room = random.between(1, 40);
    format!(
        "{{\"room\": \"{room:03}\", \"celsius\": {celsius:.1}, \"humidity\": {}}}\n",
        random.between(25, 70)
    )
}

/// A printer that does not print, in the words of its users.
pub fn print_queue(random: &mut Random) -> String {
    let text = *random.pick(&[
        "Drucker «Etage 3» antwortet nicht – Papierstau gemeldet",
        "file d’attente bloquée: 12 travaux en attente",
        "プリンターがオフラインです",
        "queue \"plotter\" stuck: <unknown> & 4 jobs behind it",
    ]);
    format!("{text}\n")
}

/// A report full of characters that mean something elsewhere.
pub fn special_characters() -> String {
    "first line\nsecond \"quoted\" line, back\\slash, sl/ash, <b>tag</b> & amp\n\ttab-indented\n\
     {\"looks\": \"like json\", \"n\": 1}\npercent %s %n %00, null-ish \\u0000 \\x00\ntrailing spaces   \n"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_have_their_blanks_filled() {
        let mut random = Random::new(2);
        for _ in 0..500 {
            let line = log_line(&mut random);
            assert!(line.starts_with("MESSAGE=") && !line.contains('{') && line.ends_with('\n'), "{line}");
        }
    }
}
