// SPDX-License-Identifier: Apache-2.0
//! A small fleet's records, so that every page has something to show: frequent and rare, ordinary and odd.

use crate::support::{Connection, Server, record_fields, with};
use muster::clock::Clock;

pub const CRASH_C: &str = include_str!("../../data/payloads/crash-c.txt");
pub const CRASH_ABORT: &str = include_str!("../../data/payloads/crash-abort.txt");
const CRASH_CPP: &str = include_str!("../../data/payloads/crash-cpp.txt");
const CRASH_STRIPPED: &str = include_str!("../../data/payloads/crash-stripped.txt");
const WARNING: &str = include_str!("../../data/payloads/klog-warn_on.txt");
const BUG: &str = include_str!("../../data/payloads/klog-bug.txt");
const CORRECTED: &str = include_str!("../../data/payloads/mce-corrected.txt");
const THERMAL: &str = include_str!("../../data/payloads/mce-thermal.txt");
pub const SWUPD_UPDATE: &str = include_str!("../../data/payloads/swupd-update.txt");
pub const SWUPD_FAILED: &str = include_str!("../../data/payloads/swupd-update-failed.txt");
/// A machine check that names the memory controller.
pub const MEMORY_ERROR: &str = "Hardware event. This is not a software error.\nMCE 0\nCPU 0 BANK 7\n\
    MCi status:\nCorrected error\nMCA: MEMORY CONTROLLER RD_CHANNEL1_ERR\n\
    STATUS 8c00004000010091 MCGSTATUS 0\n";
const HEARTBEAT: &str = include_str!("../../data/payloads/heartbeat.txt");

pub const CRASH: &str = "org.clearlinux/crash/clr";

/// Posts records over one connection.
pub struct Fleet {
    connection: Connection,
    now: i64,
    n_posted: u64,
}

/// A record that is not posted yet.
pub struct Sent<'a> {
    fleet: &'a mut Fleet,
    fields: Vec<(String, String)>,
    payload: String,
}

impl Fleet {
    pub fn new(server: &Server) -> Fleet {
        Fleet { connection: server.connect(), now: Clock::system().now(), n_posted: 0 }
    }

    /// A record of a class.
    pub fn record(&mut self, classification: &str, payload: &str) -> Sent<'_> {
        self.n_posted += 1;
        let fields = record_fields(500_000 + self.n_posted);
        let sent = Sent { fields, payload: payload.to_owned(), fleet: self };
        sent.with("classification", classification).captured_days_ago(0)
    }

    /// Posts a crash of a program; its number.
    pub fn crash(&mut self, payload: &str) -> i64 {
        self.record(CRASH, payload).with("severity", "3").post()
    }
}

impl Sent<'_> {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields = with(self.fields, name, Some(value));
        self
    }

    pub fn captured_days_ago(self, days: i64) -> Self {
        let at = self.fleet.now - days * 86_400;
        self.with("creation_timestamp", &at.to_string())
    }

    /// Sends it; its number.
    pub fn post(self) -> i64 {
        let answer =
            self.fleet.connection.request("POST", "/", &self.fields, self.payload.as_bytes()).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_i64().unwrap()
    }
}

/// Posts some of everything.
pub fn post_fleet(server: &Server) {
    let fleet = &mut Fleet::new(server);
    post_builds_and_platforms(fleet);
    post_heartbeats(fleet);
    post_machine_checks(fleet);
    post_crashes(fleet);
    post_odd(fleet);
}

fn post_builds_and_platforms(fleet: &mut Fleet) {
    for build in 0..8 {
        for _ in 0..=build % 4 {
            fleet
                .record("org.clearlinux/hello/world", "hello")
                .with("build", &format!("{}", 41_880 + build))
                .post();
        }
    }
    for number in 0..11 {
        let class = format!("org.example/probe-{number}/rest");
        let platform = format!("Vendor {number}|Model <{number}>|1.{number}");
        fleet.record(&class, "x").with("host_type", &platform).post();
    }
    for build in ["40", "41", "41", "100"] {
        let record = fleet.record("org.clearlinux/hello/world", "hello");
        record.with("system_name", "fedora").with("build", build).post();
    }
}

/// Some machines send several, and count once.
fn post_heartbeats(fleet: &mut Fleet) {
    for machine in 0..6 {
        for days in [0, 2, 5, 10, 30] {
            if days % (machine + 1) != 0 {
                continue;
            }
            let record = fleet.record("org.clearlinux/heartbeat/ping", HEARTBEAT).captured_days_ago(days);
            let record = record.with("machine_id", &format!("{machine:032x}"));
            let record = record.with("build", if machine % 2 == 0 { "41880" } else { "41890" });
            if machine > 3 {
                record.with("X-CLR-External", "true").post()
            } else {
                record.post()
            };
        }
    }
    fleet
        .record("org.clearlinux/heartbeat/ping", HEARTBEAT)
        .with("system_name", "fedora")
        .with("build", "41")
        .post();
}

fn post_machine_checks(fleet: &mut Fleet) {
    let classes = ["corrected", "corrected", "UCNA", "SRAO", "SRAR"];
    for machine in 0..12_usize {
        for (number, days) in [0, 8, 20].into_iter().enumerate() {
            let payload = CORRECTED.replace("000f0005", &format!("000f{:04x}", (machine + number) % 5));
            let class = format!("org.clearlinux/mce/{}", classes[(machine + number) % classes.len()]);
            let record = fleet.record(&class, &payload).captured_days_ago(days);
            let record = record.with("machine_id", &format!("c{machine:031x}"));
            record.with("build", if number == 0 { "41890" } else { "41880" }).post();
        }
    }
    for days in [0, 0, 8, 20, 60] {
        fleet.record("org.clearlinux/mce/thermal", THERMAL).captured_days_ago(days).post();
    }
}

fn post_crashes(fleet: &mut Fleet) {
    for (payload, count) in [(CRASH_C, 5), (CRASH_ABORT, 3), (CRASH_CPP, 2), (CRASH_STRIPPED, 1)] {
        for number in 0..count {
            let record = fleet.record(CRASH, payload).with("machine_id", &format!("d{number:031x}"));
            record.with("build", if number % 2 == 0 { "41880" } else { "41890" }).post();
        }
    }
    fleet.record("org.clearlinux/kernel/warning", WARNING).post();
    fleet.record("org.clearlinux/kernel/bug", BUG).post();
    // Enough guilties for a second page, some of several threads.
    for number in 0..12 {
        let payload = format!(
            "Process: /usr/bin/tool\nPID: 1\nSignal: 11\n\nBacktrace (TID 1):\n\
             #0 part_{number}() - [/usr/bin/tool] - tool.c:{number}\n#1 main() - [/usr/bin/tool]\n\n\
             Backtrace (TID 2):\n#0 poll() - [libc.so.6]\n"
        );
        fleet.crash(&payload);
    }
}

/// What is as long, or as odd, as the rules allow.
fn post_odd(fleet: &mut Fleet) {
    let long = "W".repeat(249);
    let script = "<script>document.title='broken'</script>";
    let record = fleet.record(&format!("org.example/{}/x", "W".repeat(100)), "x").with("host_type", &long);
    let record = record.with("system_name", "odd").with("build", &long.to_lowercase());
    record.with("cpu_model", script).post();
    let frames = [
        format!("{script}() - [/lib/{script}]"),
        format!("{}() - [/lib/{}.so] - {}.c:1", "W".repeat(2_000), "V".repeat(1_000), "U".repeat(500)),
        "\u{202e}gpj.exe() - [x]".to_owned(),
    ];
    for top in 0..frames.len() {
        let mut payload = format!("Process: /usr/bin/{script}\nPID: 1\nSignal: 6\n\nBacktrace (TID 1):\n");
        for number in 0..frames.len() {
            payload += &format!("#{number} {}\n", frames[(top + number) % frames.len()]);
        }
        let record = fleet.record(CRASH, &payload).with("build", &"b".repeat(256));
        record.with("system_name", &"W".repeat(64)).post();
    }
    let record = fleet.record("org.clearlinux/mce/SRAR", CORRECTED).with("machine_id", &"W".repeat(32));
    record.with("system_name", &"W".repeat(64)).with("build", &"b".repeat(256)).post();
    let record = fleet.record("org.clearlinux/heartbeat/ping", HEARTBEAT);
    record.with("system_name", "\u{202e}<b>system</b>&amp;").with("build", "41").post();
}
