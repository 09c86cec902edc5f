// SPDX-License-Identifier: Apache-2.0
//! Kernel oopses as the client's log scanner reports them: the sites of `assets/demo/kernel.txt`.

use crate::demo::hardware::{Form, Model};
use crate::demo::random::{Random, Weighted, mix, mix_below};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fmt::Write;

/// The registers in the scanner's order.
const REGISTERS: [&str; 28] = [
    "EFLAGS", "RSP", "RCX", "RBX", "RAX", "RDI", "RSI", "RDX", "R09", "R08", "RBP", "R12", "R11", "R10",
    "R15", "R14", "R13", "FS", "CS", "CR4", "CR3", "CR2", "DR2", "DR1", "DR0", "DR7", "DR6", "DR3",
];

/// Modules that most machines have loaded.
const MODULES: &str = "rfcomm xt_conntrack nft_chain_nat xt_MASQUERADE nf_nat nf_conntrack nf_defrag_ipv6 \
    nf_defrag_ipv4 xt_addrtype nft_compat nf_tables nfnetlink br_netfilter bridge stp llc overlay \
    bnep binfmt_misc nls_iso8859_1 intel_rapl_msr intel_rapl_common coretemp crct10dif_pclmul \
    crc32_pclmul ghash_clmulni_intel aesni_intel crypto_simd cryptd rapl wmi_bmof joydev input_leds \
    serio_raw mac_hid sch_fq_codel msr parport_pc ppdev lp efi_pstore ip_tables x_tables autofs4";

/// One group of frames that a site may name, or the site's own.
type Groups = HashMap<&'static str, Vec<&'static str>>;

#[derive(Debug)]
struct Site {
    class: &'static str,
    weight: f64,
    taint: &'static str,
    reason: &'static str,
    frames: Vec<&'static str>,
}

/// All places where the kernel complains.
#[derive(Debug)]
pub struct Oopses {
    sites: Vec<Site>,
}

/// The machine that an oops is from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Its hardware.
    pub model: &'a Model,
    /// Its kernel.
    pub kernel_version: &'a str,
    /// Decides which modules it has loaded.
    pub seed: u64,
}

impl Oopses {
    /// Reads the sites.
    pub fn load() -> Result<Oopses> {
        let mut groups = Groups::new();
        let mut sites = Vec::new();
        let mut group = None;
        let lines = include_str!("../../assets/demo/kernel.txt").lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let fault = || Error::internal(format!("A line of kernel.txt cannot be read: {line}"));
            if let Some(name) = line.strip_prefix("* ") {
                group = Some(name);
            } else if let Some(head) = line.strip_prefix("= ") {
                group = None;
                sites.push(site(head).ok_or_else(fault)?);
            } else if let Some(name) = group {
                groups.entry(name).or_default().push(line);
            } else {
                let frames = &mut sites.last_mut().ok_or_else(fault)?.frames;
                match line.strip_prefix('@') {
                    Some(name) => frames.extend(groups.get(name).ok_or_else(fault)?),
                    None => frames.push(line),
                }
            }
        }
        Ok(Oopses { sites })
    }

    /// The payload of an oops of `class` (`bug`, `warning` or `stackoverflow`).
    pub fn payload(&self, class: &str, origin: Origin<'_>, random: &mut Random) -> String {
        let of_class = self.sites.iter().map(|site| if site.class == class { site.weight } else { 0.0 });
        let Some(site) = self.sites.get(Weighted::new(of_class).at(random.unit())) else {
            return String::new();
        };
        let mut text = String::with_capacity(3_000);
        // Writing to a String cannot fail; the same holds below.
        let _ = writeln!(text, "Crash Report:\nReason: {}", reason(site.reason, random));
        if site.reason.starts_with("Badness") {
            return text;
        }
        add_origin(&mut text, site, origin);
        text.push_str("Backtrace :\n");
        if site.class == "bug" {
            add_registers(&mut text, site.reason, random);
        }
        for (number, function) in site.frames.iter().enumerate() {
            let _ = writeln!(text, "#{} {function} - [kernel]", number + 1);
        }
        text
    }
}

fn site(head: &'static str) -> Option<Site> {
    let mut fields = head.split(" | ");
    let (class, weight) = (fields.next()?, fields.next()?.parse().ok()?);
    let (taint, reason) = (fields.next()?, fields.next()?);
    Some(Site { class, weight, taint, reason, frames: Vec::new() })
}

fn reason(template: &str, random: &mut Random) -> String {
    let address = format!("ffff{:012x}", random.bits() >> 20);
    template
        .replace("{a}", &address)
        .replace("{c}", &random.below(16).to_string())
        .replace("{p}", &random.between(1, 60_000).to_string())
        .replace("{n}", &(0x100 + random.below(8) * 8).to_string())
}

fn add_origin(text: &mut String, site: &Site, origin: Origin<'_>) {
    let hardware: Vec<&str> = origin.model.host_type.split('|').take(2).collect();
    let board = origin.model.board_name.split('|').next().unwrap_or("");
    let _ = writeln!(text, "Kernel Version : {} #1 {}/{board}", origin.kernel_version, hardware.join(" "));
    match site.taint {
        "-" => text.push_str("Tainted : Not tainted\n"),
        taint => {
            let _ = writeln!(text, "Tainted : {taint}");
        }
    }
    text.push_str("Modules :");
    let modules = MODULES.split(' ').chain(modules_of(origin.model.form).split(' '));
    for (number, module) in modules.enumerate() {
        if mix_below(origin.seed, number as u64, 10) < 7 {
            text.push(' ');
            text.push_str(module);
        }
    }
    text.push('\n');
}

fn modules_of(form: Form) -> &'static str {
    match form {
        Form::Laptop => {
            "snd_sof_pci_intel_tgl snd_hda_codec_hdmi snd_hda_intel snd_hda_codec snd_pcm iwlmvm mac80211 \
             iwlwifi cfg80211 btusb bluetooth uvcvideo videodev thinkpad_acpi i915 drm_buddy ttm \
             drm_display_helper video thunderbolt intel_lpss_pci"
        }
        Form::Desktop => {
            "snd_hda_codec_realtek snd_hda_intel snd_pcm igc r8169 amdgpu i915 drm_kms_helper drm usbhid \
             nvme nvme_core xhci_pci i2c_i801 video"
        }
        Form::Server => {
            "ipmi_ssif ipmi_si ipmi_devintf acpi_power_meter mgag200 megaraid_sas ixgbe i40e mlx5_core \
             ib_uverbs ib_core nfsd lockd sunrpc skx_edac nfit bonding raid1"
        }
        Form::Virtual => "virtio_net virtio_blk virtio_rng bochs qemu_fw_cfg vmw_vsock_virtio_transport",
        Form::Board => "brcmfmac brcmutil vc4 v3d snd_bcm2835 bcm2835_v4l2 i2c_bcm2835",
    }
}

fn add_registers(text: &mut String, reason: &str, random: &mut Random) {
    // Mostly the same for one site, so that equal oopses look equal.
    let bits = mix(reason.len() as u64, random.below(3));
    for (number, register) in REGISTERS.iter().enumerate() {
        let is_zero =
            register.starts_with("DR") && !matches!(*register, "DR6" | "DR7") || bits >> number & 3 == 0;
        let _ = writeln!(text, "Register {register}: {}", if is_zero { "Zero" } else { "Non-zero" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_oopses_in_the_scanner_s_form() {
        let (oopses, models) = (Oopses::load().unwrap(), crate::demo::hardware::models().unwrap());
        let mut random = Random::new(5);
        for class in ["bug", "warning", "stackoverflow"] {
            for _ in 0..50 {
                let origin = Origin { model: &models[0], kernel_version: "6.8.9-1425.native", seed: 4 };
                let payload = oopses.payload(class, origin, &mut random);
                assert!(payload.starts_with("Crash Report:\nReason: "), "{payload}");
                assert!(payload.contains("\n#1 ") || payload.contains("Badness"), "{payload}");
                assert!(!payload.contains('{') && !payload.contains('@'), "{payload}");
            }
        }
    }
}
