// SPDX-License-Identifier: Apache-2.0
//! What a telemetry client would say of this machine, from the same places where it looks.
//!
//! Its machine id is a hash of /etc/machine-id, which must not leave the machine.

use crate::model::record::hex;
use rustix::system::uname;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const DMI_DIR: &str = "/sys/class/dmi/id";

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// 32 hexadecimal digits, always the same for one machine.
    pub machine_id: String,
    /// `uname -m`.
    pub arch: String,
    /// `sys_vendor|product_name|product_version`.
    pub host_type: String,
    /// VERSION_ID of os-release, else BUILD_ID.
    pub build: String,
    /// `uname -r`.
    pub kernel_version: String,
    /// ID of os-release.
    pub system_name: String,
    /// `board_name|board_vendor`.
    pub board_name: String,
    /// The first `model name` of /proc/cpuinfo.
    pub cpu_model: String,
    /// The firmware's version.
    pub bios_version: String,
}

impl Facts {
    /// The facts of this machine. What cannot be read has the client's stand-in, so that the record is whole.
    pub fn of_this_machine() -> Facts {
        let dmi = |file: &str, stand_in: &str| {
            let text = read(&Path::new(DMI_DIR).join(file));
            if text.is_empty() { stand_in.to_owned() } else { text }
        };
        let first = |paths: [&str; 2]| {
            paths
                .into_iter()
                .map(|path| read(Path::new(path)))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
        };
        let os_release = first(["/etc/os-release", "/usr/lib/os-release"]);
        let system = uname();
        let or = |text: Option<String>, stand_in: &str| text.unwrap_or_else(|| stand_in.to_owned());
        Facts {
            machine_id: hidden(&first(["/etc/machine-id", "/var/lib/dbus/machine-id"])),
            arch: system.machine().to_string_lossy().into_owned(),
            host_type: [
                dmi("sys_vendor", "no_sv_file"),
                dmi("product_name", "no_pn_file"),
                dmi("product_version", "no_pvr_file"),
            ]
            .join("|"),
            build: or(os_value(&os_release, "VERSION_ID").or_else(|| os_value(&os_release, "BUILD_ID")), "0"),
            kernel_version: system.release().to_string_lossy().into_owned(),
            system_name: or(os_value(&os_release, "ID"), "linux"),
            board_name: [dmi("board_name", "no_bn_file"), dmi("board_vendor", "no_bv_file")].join("|"),
            cpu_model: or(cpu_model(&read(Path::new("/proc/cpuinfo"))), "blank"),
            bios_version: dmi("bios_version", "no_bv_file"),
        }
    }
}

fn read(path: &Path) -> String {
    // Not every system has every file; the stand-in says so.
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// 32 hexadecimal digits from which the id cannot be found again.
fn hidden(machine_id: &str) -> String {
    hex(&Sha256::digest(format!("muster send {machine_id}"))[..16])
}

fn os_value(os_release: &str, name: &str) -> Option<String> {
    let values = os_release.lines().filter_map(|line| line.split_once('='));
    let (_, value) = values.into_iter().find(|(key, _)| key.trim() == name)?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let (_, model) = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")?;
    Some(model.trim().to_owned()).filter(|model| !model.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let text = "NAME=\"openSUSE Leap\"\nID='opensuse-leap'\nVERSION_ID=\"15.5\"\nBUILD_ID=\n";
        assert_eq!(os_value(text, "ID").as_deref(), Some("opensuse-leap"));
        assert_eq!(os_value(text, "VERSION_ID").as_deref(), Some("15.5"));
        assert_eq!(os_value(text, "BUILD_ID"), None);
    }

    #[test]
    fn the_facts_of_this_machine_are_whole_and_hide_its_id() {
        let facts = Facts::of_this_machine();
        assert_eq!(facts.machine_id.len(), 32);
        assert!(
            !facts.machine_id.contains(&read(Path::new("/etc/machine-id")))
                || read(Path::new("/etc/machine-id")).is_empty()
        );
        for text in [&facts.arch, &facts.build, &facts.kernel_version, &facts.system_name, &facts.cpu_model] {
            assert!(!text.is_empty());
        }
        assert!(facts.host_type.matches('|').count() >= 2);
    }
}
