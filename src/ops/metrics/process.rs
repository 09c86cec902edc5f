// SPDX-License-Identifier: Apache-2.0
//! This process as the kernel sees it, from /proc.

use std::fs;

/// Ticks of the kernel's times in a second, which is part of its interface.
const TICKS_PER_SEC: f64 = 100.0;
/// Bytes of a KiB, in which the kernel tells memory.
const KIB: u64 = 1024;

/// What is known of this process; what the kernel does not tell is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Bytes of memory in RAM.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Most of them.
    pub descriptors_max: Option<u64>,
    /// Seconds of processor time.
    pub cpu_secs: Option<f64>,
}

impl Process {
    /// Looks now.
    pub fn look() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Process {
            resident_bytes: number(&status, "VmRSS:").map(|kib| kib * KIB),
            threads: number(&status, "Threads:"),
            // One of them is the reading itself.
            descriptors: fs::read_dir("/proc/self/fd").ok().map(|all| all.count().saturating_sub(1) as u64),
            descriptors_max: limits.current,
            cpu_secs: cpu_secs(&stat),
        }
    }
}

fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of a line of `/proc/PID/stat`. The name of the program in it may hold anything but ends with
/// the last parenthesis.
fn cpu_secs(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        assert_eq!(number("Name:\tx\nVmRSS:\t  7000 kB\nThreads:\t3\n", "VmRSS:"), Some(7000));
        assert_eq!(number("Threads:\n", "Threads:"), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0";
        assert_eq!(cpu_secs(stat), Some(2.0));
        assert_eq!(cpu_secs("7 (a"), None);
        let process = Process::look();
        assert!(process.resident_bytes > Some(1 << 20) && process.threads >= Some(1), "{process:?}");
    }
}
