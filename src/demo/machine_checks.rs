// SPDX-License-Identifier: Apache-2.0
//! Machine checks as mcelog prints them, and firmware error records of the boot before.

use crate::demo::hardware::Model;
use crate::demo::random::Random;
use chrono::DateTime;
use std::fmt::Write;

/// A fault that a processor reports: lower half of its status, its text, and the bank that has it.
struct Fault {
    status: u32,
    text: &'static str,
    bank: u32,
}

const fn fault(status: u32, bank: u32, text: &'static str) -> Fault {
    Fault { status, text, bank }
}

/// What goes wrong now and then on any machine, the frequent first.
const FAULTS: [Fault; 9] = [
    fault(0x000f_0005, 0, "MCA: Internal parity error"),
    fault(0x0080_0400, 3, "MCA: Internal Timer error"),
    fault(0x0010_0135, 1, "MCA: Data CACHE Level-1 Data-Read Error"),
    fault(0x0010_0179, 2, "MCA: Generic CACHE Level-1 Eviction Error"),
    fault(0x0001_0092, 7, "MCA: MEMORY CONTROLLER RD_CHANNEL2_ERR\nTransaction: Memory read error"),
    fault(0x0001_0090, 7, "MCA: MEMORY CONTROLLER RD_CHANNEL0_ERR\nTransaction: Memory read error"),
    fault(0x0000_110a, 4, "MCA: Generic CACHE Level-2 Generic Error"),
    fault(0x0800_0402, 5, "MCA: Internal unclassified error: 2"),
    fault(0x0040_0e0b, 4, "MCA: BUS Generic Generic Other-transaction Request-did-not-timeout Error"),
];

/// The fault of the machine whose memory dies.
const DYING_MEMORY: Fault =
    fault(0x0001_0093, 13, "MCA: MEMORY CONTROLLER RD_CHANNEL3_ERR\nTransaction: Memory read error");

/// How bad a machine check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The hardware mended it.
    Corrected,
    /// Uncorrected, no action needed.
    Ucna,
    /// Uncorrected, action optional.
    Srao,
    /// Uncorrected, action required.
    Srar,
}

/// Where and when a machine check is from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The machine's hardware.
    pub model: &'a Model,
    /// By the machine's clock.
    pub captured_at: i64,
    /// True for the machine whose memory dies: always the same channel, always nearly the same address.
    pub is_dying: bool,
}

/// A machine check.
pub fn machine_check(check: Check, origin: Origin<'_>, random: &mut Random) -> String {
    // The smaller of two draws: the first are the frequent ones.
    let usual = &FAULTS[random.index(FAULTS.len()).min(random.index(FAULTS.len()))];
    let fault = if origin.is_dying { &DYING_MEMORY } else { usual };
    let cpu = random.below(16);
    let mut text = head(&format!("CPU {cpu} BANK {} TSC {:x} ", fault.bank, random.bits() >> 18));
    let has_address = fault.text.contains("MEMORY");
    // Writing to a String cannot fail; the same holds below.
    if has_address {
        let row = if origin.is_dying { 0x7_3a4c_0000 } else { random.below(1 << 34) };
        let _ = writeln!(text, "MISC {:x} ADDR {:x} ", random.below(1 << 40), row + random.below(64) * 64);
    }
    add_time(&mut text, origin.captured_at);
    let (state, high) = match check {
        Check::Corrected => ("Corrected error", 0x9000_0040),
        Check::Ucna => ("Uncorrected error\nUCNA", 0xbc00_0000),
        Check::Srao => ("Uncorrected error\nSRAO", 0xbd00_0000),
        Check::Srar => ("Uncorrected error\nSRAR", 0xbd80_0000_u32),
    };
    let high = if has_address { high | 0x0c00_0000 } else { high };
    let restart = u32::from(check != Check::Corrected) * 5;
    let _ = write!(
        text,
        "MCG status:\nMCi status:\n{state}\nError enabled\n{}\nSTATUS {high:08x}{:08x} MCGSTATUS {restart:x}\n",
        fault.text, fault.status,
    );
    add_processor(&mut text, "c0a", cpu, origin.model);
    text
}

/// A processor that became too hot.
pub fn thermal(origin: Origin<'_>, random: &mut Random) -> String {
    let cpu = random.below(8);
    let mut text = head(&format!("CPU {cpu} THERMAL EVENT TSC {:x} ", random.bits() >> 24));
    add_time(&mut text, origin.captured_at);
    let status = random.pick(&["88370003", "883d0003", "88340003", "88010008", "88380002"]);
    let _ = writeln!(text, "STATUS {status} MCGSTATUS 0");
    add_processor(&mut text, "7000c08", cpu, origin.model);
    text
}

fn head(place: &str) -> String {
    format!("Hardware event. This is not a software error.\nMCE 0\n{place}\n")
}

fn add_time(text: &mut String, at: i64) {
    if let Some(time) = DateTime::from_timestamp(at, 0) {
        let _ = writeln!(text, "TIME {at} {}", time.format("%a %b %e %H:%M:%S %Y"));
    }
}

fn add_processor(text: &mut String, capabilities: &str, cpu: u64, model: &Model) {
    let _ = write!(
        text,
        "MCGCAP {capabilities} APICID {:x} SOCKETID {} \nCPUID Vendor {} {}\n",
        cpu * 2,
        cpu / 8,
        model.cpu_vendor(),
        model.cpu_family
    );
}

/// The firmware's error record of the boot before, as the kernel log has it.
pub fn firmware_errors(random: &mut Random) -> String {
    let lines = random.between(24, 193);
    let section =
        *random.pick(&["81212a96-09ed-4996-9471-8d729c8e69ed", "5c284c81-b0ae-4e87-a322-b04c85624323"]);
    let mut text = String::with_capacity(lines as usize * 80 + 400);
    let _ = write!(
        text,
        "Crash Report:\nReason: BERT: Error records from previous boot:\n\
         [Hardware Error]: event severity: fatal\n[Hardware Error]:  Error 0, type: fatal\n\
         [Hardware Error]:   section type: unknown, {section}\n[Hardware Error]:   section length: {:#x}\n",
        lines * 16
    );
    for line in 0..lines {
        let words: Vec<u32> = (0..4).map(|_| word(random)).collect();
        let _ = write!(text, "[Hardware Error]:   {:08x}:", line * 16);
        for word in &words {
            let _ = write!(text, " {word:08x}");
        }
        text.push_str("  ");
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            text.push(if byte.is_ascii_graphic() { char::from(byte) } else { '.' });
        }
        text.push('\n');
    }
    text
}

/// Mostly nothing, sometimes the same flags, seldom something else.
fn word(random: &mut Random) -> u32 {
    match random.below(10) {
        0..5 => 0,
        5 => 1,
        6 | 7 => 0x0100_1002,
        _ => random.below(1 << 32) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_check_has_the_status_where_the_page_looks_for_it() {
        let models = crate::demo::hardware::models().unwrap();
        let mut random = Random::new(9);
        for check in [Check::Corrected, Check::Ucna, Check::Srao, Check::Srar] {
            for is_dying in [false, true] {
                let origin = Origin { model: &models[0], captured_at: 1_705_312_345, is_dying };
                let text = machine_check(check, origin, &mut random);
                assert!(text.contains("\nTIME 1705312345 Mon Jan 15 09:52:25 2024\n"), "{text}");
                let line = text.lines().find(|line| line.starts_with("STATUS ")).unwrap();
                let status = line.split(' ').nth(1).unwrap();
                assert!(status.len() == 16 && line.contains(" MCGSTATUS "), "{text}");
                assert!(!is_dying || status.ends_with("00010093"));
            }
        }
        let origin = Origin { model: &models[0], captured_at: 1_705_312_345, is_dying: false };
        assert!(thermal(origin, &mut random).contains(" THERMAL EVENT TSC "));
    }
}
