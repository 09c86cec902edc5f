// SPDX-License-Identifier: Apache-2.0
//! The operating systems of the fleet: which builds and kernels there are at a time.
//!
//! Clear Linux brings out a build on most working days, numbered in tens; openSUSE Tumbleweed one a day, named by its
//! date; the others have releases whose kernels are updated.

use crate::demo::random::mix_below;
use crate::model::time::{DAY_SECS, date_text};

/// A release of a distribution: its build, and its kernels from old to new.
#[derive(Debug)]
pub struct Release {
    /// VERSION_ID of os-release.
    pub build: &'static str,
    kernels: &'static [&'static str],
}

/// What decides build and kernel.
#[derive(Debug)]
pub enum Builds {
    /// Clear Linux: build numbers that advance.
    Numbered,
    /// Builds named by their date.
    Dated,
    /// Releases, oldest first.
    Releases(&'static [Release]),
}

/// An operating system.
#[derive(Debug)]
pub struct System {
    /// ID of os-release.
    pub name: &'static str,
    /// How many machines run it, in proportion to the others.
    pub weight: f64,
    /// Its builds.
    pub builds: Builds,
}

const fn release(build: &'static str, kernels: &'static [&'static str]) -> Release {
    Release { build, kernels }
}

/// All systems; the first is Clear Linux.
pub const SYSTEMS: [System; 9] = [
    System { name: CLEAR_LINUX, weight: 66.0, builds: Builds::Numbered },
    System {
        name: "debian",
        weight: 8.0,
        builds: Builds::Releases(&[
            release("11", &["5.10.0-28-", "5.10.0-32-", "5.10.0-35-"]),
            release("12", &["6.1.0-25-", "6.1.0-31-", "6.1.0-37-", "6.1.0-40-"]),
            release("13", &["6.12.38+deb13-", "6.12.48+deb13-", "6.12.57+deb13-"]),
        ]),
    },
    System {
        name: "ubuntu",
        weight: 9.0,
        builds: Builds::Releases(&[
            release("20.04", &["5.4.0-200-generic", "5.4.0-216-generic"]),
            release("22.04", &["5.15.0-139-generic", "5.15.0-151-generic", "5.15.0-157-generic"]),
            release(
                "24.04",
                &["6.8.0-60-generic", "6.8.0-71-generic", "6.8.0-85-generic", "6.14.0-33-generic"],
            ),
            release("25.10", &["6.17.0-5-generic", "6.17.0-7-generic"]),
        ]),
    },
    System {
        name: "fedora",
        weight: 6.0,
        builds: Builds::Releases(&[
            release("41", &["6.15.4-100.fc41.", "6.16.8-100.fc41.", "6.17.6-100.fc41."]),
            release("42", &["6.15.9-201.fc42.", "6.16.10-200.fc42.", "6.17.7-200.fc42."]),
            release("43", &["6.17.1-300.fc43.", "6.17.4-300.fc43.", "6.17.8-300.fc43."]),
        ]),
    },
    System {
        name: "opensuse-leap",
        weight: 4.0,
        builds: Builds::Releases(&[
            release("15.5", &["5.14.21-150500.55.83-default", "5.14.21-150500.55.110-default"]),
            release("15.6", &["6.4.0-150600.23.53-default", "6.4.0-150600.23.70-default"]),
        ]),
    },
    System { name: "opensuse-tumbleweed", weight: 3.0, builds: Builds::Dated },
    System {
        name: "rhel",
        weight: 2.0,
        builds: Builds::Releases(&[
            release("8.10", &["4.18.0-553.el8_10.", "4.18.0-553.69.1.el8_10."]),
            release("9.6", &["5.14.0-570.12.1.el9_6.", "5.14.0-570.49.1.el9_6."]),
        ]),
    },
    System {
        name: "almalinux",
        weight: 1.0,
        builds: Builds::Releases(&[release("9.6", &["5.14.0-570.12.1.el9_6.", "5.14.0-570.42.2.el9_6."])]),
    },
    System {
        name: "raspbian",
        weight: 1.0,
        builds: Builds::Releases(&[release(
            "12",
            &["6.6.51+rpt-rpi-v8", "6.12.25+rpt-rpi-v8", "6.12.47+rpt-rpi-v8"],
        )]),
    },
];

/// The system whose builds are numbers.
pub const CLEAR_LINUX: &str = "clear-linux-os";

/// The day of a known build, a Monday, and its number.
const KNOWN_BUILD: (i64, i64) = (19_891, 41_880);

/// Build and kernel that a system had when it was last updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// As the client sends it.
    pub build: String,
    /// `uname -r`.
    pub kernel_version: String,
    /// What changes slowly with the build: how old the programs are.
    pub epoch: u64,
}

/// The number of the newest Clear Linux build at a time.
pub fn newest_numbered(at: i64) -> i64 {
    let today = at.div_euclid(DAY_SECS);
    let out = (0..14).map(|back| today - back).find(|day| released_at(*day).is_some_and(|time| time <= at));
    number_of(out.unwrap_or(today - 14))
}

/// When the build of a day came out; none where there was none.
fn released_at(day: i64) -> Option<i64> {
    // 1970 began on a Thursday.
    let is_weekend = matches!((day + 4).rem_euclid(7), 0 | 6);
    let is_left_out = mix_below(0xb11d, day.unsigned_abs(), 9) == 0;
    (!is_weekend && !is_left_out)
        .then(|| day * DAY_SECS + 14 * 3_600 + mix_below(day.unsigned_abs(), 3, 6 * 3_600) as i64)
}

fn number_of(day: i64) -> i64 {
    let days = day - KNOWN_BUILD.0;
    KNOWN_BUILD.1 + (days.div_euclid(7) * 5 + days.rem_euclid(7).min(4)) * 10
}

/// When a machine was last updated.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Unix seconds.
    pub at: i64,
    /// How far through the weeks of the demo that was, 0 to 1.
    pub progress: f64,
}

/// A machine as far as its system depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Processor architecture.
    pub arch: &'static str,
    /// True for a virtual machine.
    pub is_virtual: bool,
    /// Tells machines apart: decides release and kernel flavour.
    pub variant: u64,
}

/// What a machine has since its last update.
pub fn installed(system: &System, host: Host, update: Update) -> Installed {
    match system.builds {
        Builds::Numbered => numbered(newest_numbered(update.at), host),
        Builds::Dated => dated(update.at),
        Builds::Releases(releases) => released(releases, host, update.progress),
    }
}

fn numbered(build: i64, host: Host) -> Installed {
    let step = ((build - KNOWN_BUILD.1) / 50).max(0);
    let flavour = if host.is_virtual { "kvm" } else { "native" };
    let kernel_version = match host.variant % 10 {
        0 => format!("6.12.{}-{}.ltscurrent", step / 4 + 1, 1_420 + step),
        _ => format!("6.{}.{}-{}.{flavour}", 8 + step / 12, step % 12, 1_430 + step),
    };
    Installed { build: build.to_string(), kernel_version, epoch: (build / 60).unsigned_abs() }
}

fn dated(updated_at: i64) -> Installed {
    let day = updated_at.div_euclid(DAY_SECS);
    let week = day / 7;
    Installed {
        build: date_text(updated_at).replace('-', ""),
        kernel_version: format!("6.17.{}-{}-default", week.rem_euclid(13), 1 + day.rem_euclid(3)),
        epoch: (day / 10).unsigned_abs(),
    }
}

fn released(releases: &'static [Release], host: Host, progress: f64) -> Installed {
    // Newer releases have more machines: the larger of two draws.
    let draw = |salt| mix_below(host.variant, salt, releases.len() as u64) as usize;
    let release = &releases[draw(1).max(draw(2))];
    let step = ((release.kernels.len() as f64 * progress) as usize).min(release.kernels.len() - 1);
    let kernel = release.kernels[step];
    let kernel_version = match kernel.as_bytes().last() {
        Some(b'-') => format!("{kernel}{}", if host.arch == "x86_64" { "amd64" } else { "arm64" }),
        Some(b'.') => format!("{kernel}{}", host.arch),
        _ => kernel.to_owned(),
    };
    Installed { build: release.build.to_owned(), kernel_version, epoch: step as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_advance_with_time_and_never_go_back() {
        let start = 1_795_000_000;
        let builds: Vec<i64> = (0..42 * 24).map(|hour| newest_numbered(start + hour * 3_600)).collect();
        assert!(builds.is_sorted());
        let mut distinct = builds.clone();
        distinct.dedup();
        assert!((20..32).contains(&distinct.len()), "{distinct:?}");
    }
}
