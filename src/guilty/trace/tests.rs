// SPDX-License-Identifier: Apache-2.0
//! Tests of payloads: both forms, damaged ones, very large ones, and any text at all.

use super::*;
use crate::guilty::blacklist::Blacklist;
use crate::guilty::defaults::default_entries;
use crate::guilty::demangle::demangled;
use crate::guilty::select::guilty_frame;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_user_crash_has_its_headers_and_frames() {
    let payload = sample("crash-abort.txt");
    let trace = Trace::parse(&payload);
    assert_eq!(trace.process, Some("/usr/bin/crash_abort"));
    assert_eq!((trace.pid, trace.signal), (Some("2203"), Some("6")));
    assert!(trace.oops.is_none());
    assert_eq!(trace.threads.len(), 1);
    assert_eq!(trace.threads[0].tid, Some("2203"));
    let frames = trace.crashing();
    assert_eq!(frames.len(), 13);
    let expected = Frame {
        number: 1,
        function: "raise()",
        module: "libc.so.6",
        source: Some("../sysdeps/posix/raise.c:26"),
        line: 6,
    };
    assert_eq!(frames[1], expected);
    assert_eq!((frames[12].function, frames[12].source, frames[12].line), ("_start()", None, 17));
}

#[test]
fn an_oops_has_its_headers_and_frames() {
    let payload = sample("klog-bug.txt");
    let trace = Trace::parse(&payload);
    assert_eq!((trace.process, trace.pid, trace.signal), (None, None, None));
    let oops = trace.oops.as_ref().unwrap();
    assert_eq!(oops.reason, "BUG: unable to handle kernel paging request at 0000000000002658");
    assert_eq!(oops.kernel, Some("3.7.9-201.fc18.x86_64 #1 Apple Inc. MacBookPro6,2/Mac-F22586C8"));
    assert_eq!(oops.tainted, Some("PF          O 3."));
    assert!(oops.modules.len() > 50 && oops.modules[0] == "nf_conntrack_netbios_ns");
    assert_eq!(oops.registers.len(), 28);
    assert_eq!(oops.registers[2], ("RCX", "Zero"));
    assert_eq!(trace.threads.len(), 1);
    assert_eq!(trace.threads[0].tid, None);
    assert_eq!(trace.crashing().len(), 23);
    assert_eq!((trace.crashing()[0].function, trace.crashing()[0].module), ("? _nv007312rm", "kernel"));
}

#[test]
fn a_reason_alone_is_an_oops_without_threads() {
    let payload = sample("klog-badness.txt");
    let trace = Trace::parse(&payload);
    assert_eq!(trace.oops.unwrap().reason, "Badness at drivers/char/tty_ldisc.c:738");
    assert!(trace.threads.is_empty());
}

#[test]
fn other_payloads_have_nothing_in_them() {
    for file in ["bundles.txt", "hello.txt", "journal.txt", "mce-corrected.txt", "swupd-update.txt"] {
        assert_eq!(Trace::parse(&sample(file)), Trace::default(), "{file}");
    }
}

#[test]
fn frames_are_taken_apart_at_the_module() {
    // line, function, module, source
    let cases = [
        ("#0 f() - [m] - a.c:3", "f()", "m", "a.c:3"),
        ("#0 f() - [m]", "f()", "m", ""),
        ("  #0\tf() - [m]\r", "f()", "m", ""),
        ("#0 f", "f", "", ""),
        ("#0 ??? - [/a b]", "???", "/a b", ""),
        ("#1 ? f - [kernel]", "? f", "kernel", ""),
        ("#1 f - []", "f", "", ""),
        ("#1 f - [[vdso: 12]]", "f", "[vdso: 12]", ""),
        ("#1 f - [/opt/x [1]/y] - a.c:3", "f", "/opt/x [1]/y", "a.c:3"),
        ("#1 f - [m] - /opt/[x]", "f", "m", "/opt/[x]"),
        ("#1 f - [m] - /opt/a - [b]/c.c:9", "f", "m", "/opt/a - [b]/c.c:9"),
        ("#1 f - [m] - a - b.c:9", "f", "m", "a - b.c:9"),
        ("#2 a::operator-(b const&) - [m] - a.cc:1", "a::operator-(b const&)", "m", "a.cc:1"),
        ("#2 operator- [abi:cxx11]() - [m]", "operator- [abi:cxx11]()", "m", ""),
        ("#2 operator - [abi:x]() - [m]", "operator - [abi:x]()", "m", ""),
        (
            "#2 main::{lambda(int)#1}::operator()(int) const - [m]",
            "main::{lambda(int)#1}::operator()(int) const",
            "m",
            "",
        ),
        ("#2 v<(a)1 - [b]>() - [m]", "v<(a)1 - [b]>()", "m", ""),
        ("#2 v<a, b> - [/bin/m - [x]]", "v<a, b> - [/bin/m", "x]", ""),
        ("#2 <b>bold</b> - [<i>]", "<b>bold</b>", "<i>", ""),
        ("#2 f - [cut of", "f", "cut of", ""),
        ("#2 f - [", "f", "", ""),
        ("#2 f() - [m] -", "f() - [m] -", "", ""),
        ("#99999999999 f - [m]", "f", "m", ""),
    ];
    for (line, function, module, source) in cases {
        let payload = format!("first\n{line}\n");
        let trace = Trace::parse(&payload);
        let frame = trace.crashing().first().unwrap_or_else(|| panic!("{line}"));
        let found = (frame.function, frame.module, frame.source.unwrap_or(""));
        assert_eq!(found, (function, module, source), "{line}");
    }
    for line in ["#", "#0", "# f", "#x f", "#0f - [m]", "#0  - [m]", "#-1 f", "0 f - [m]", "##1 f"] {
        let payload = format!("first\n{line}\n");
        assert!(Trace::parse(&payload).threads.is_empty(), "{line}");
    }
}

#[test]
fn the_first_line_is_never_a_frame() {
    let trace = Trace::parse("#0 a - [m]\n#1 b - [m]");
    assert_eq!(trace.crashing().len(), 1);
    assert_eq!((trace.crashing()[0].function, trace.crashing()[0].line), ("b", 1));
    assert!(Trace::parse("#0 a - [m]").threads.is_empty());
    assert_eq!(Trace::parse("Process: /bin/x").process, Some("/bin/x"));
}

#[test]
fn the_first_thread_is_the_crashing_one() {
    let payload =
        "Process: x\nBacktrace (TID 7):\n#0 a - [m]\n\nBacktrace (TID 8):\n#0 b - [m]\n#1 c - [m]\n";
    let trace = Trace::parse(payload);
    let shape: Vec<_> = trace.threads.iter().map(|thread| (thread.tid, thread.frames.len())).collect();
    assert_eq!(shape, [(Some("7"), 1), (Some("8"), 2)]);
    assert_eq!(trace.crashing()[0].function, "a");
    // The probe could not read the crashing thread: nobody else's frames count for it.
    let trace = Trace::parse("x\nBacktrace (TID 7):\nBacktrace (TID 8):\n#0 b - [m]\n");
    assert!(trace.crashing().is_empty() && trace.threads.len() == 2);
    let trace = Trace::parse("x\r\nBacktrace (TID 7):\r\n#0 b - [m]\r\n");
    assert_eq!((trace.threads[0].tid, trace.crashing()[0].module), (Some("7"), "m"));
}

#[test]
fn the_first_of_two_headers_counts() {
    let trace = Trace::parse("PID: 1\nPID: 2\nReason: a\nReason: b\nTainted: G\nTainted : P\n");
    assert_eq!(trace.pid, Some("1"));
    let oops = trace.oops.unwrap();
    assert_eq!((oops.reason, oops.tainted), ("a", Some("G")));
}

#[test]
fn function_names_lose_parentheses_and_versions() {
    let cases = [
        ("main()", "main"),
        ("main", "main"),
        ("  main() ", "main"),
        ("f()()", "f"),
        ("__libc_start_main@@GLIBC_2.34()", "__libc_start_main"),
        ("pthread_cond_wait@GLIBC_2.3.2", "pthread_cond_wait"),
        ("f@V()@W", "f"),
        ("???", "???"),
        ("? f", "? f"),
        ("a::f(int)", "a::f(int)"),
        ("a::f() const", "a::f() const"),
        ("a::operator()()", "a::operator()"),
        ("a::operator()", "a::operator()"),
        ("myoperator()", "myoperator"),
        ("()", "()"),
        ("@V", "@V"),
        ("f@", "f@"),
        ("f@g h", "f@g h"),
        ("", ""),
    ];
    for (function, name) in cases {
        assert_eq!(function_name(function), name, "{function}");
        assert_eq!(function_name(name), name, "{function}");
    }
}

#[test]
fn large_payloads_are_read_within_their_bounds() {
    let threads = "x\n".to_owned() + &"Backtrace (TID 1):\n#0 f - [m]\n".repeat(THREADS_MAX + 10);
    assert_eq!(Trace::parse(&threads).threads.len(), THREADS_MAX);
    let frames = "x\n".to_owned() + &"#0 f\n".repeat(FRAMES_MAX + 10);
    assert_eq!(Trace::parse(&frames).crashing().len(), FRAMES_MAX);
    let modules = "Modules : ".to_owned() + &"m ".repeat(MODULES_MAX + 10);
    assert_eq!(Trace::parse(&modules).oops.unwrap().modules.len(), MODULES_MAX);
}

#[test]
fn hostile_lines_take_linear_time() {
    let size = 300 * 1024;
    let lines = [
        "#0 ".to_owned() + &" - [".repeat(size / 4),
        "#0 ".to_owned() + &" - []x".repeat(size / 6),
        "#0 ".to_owned() + &"]".repeat(size),
        "#0 f".to_owned() + &"@V()".repeat(size / 4),
        "#0 f".to_owned() + &"()".repeat(size / 2),
        "#0 f".to_owned() + &"@".repeat(size),
    ];
    let started = std::time::Instant::now();
    for line in &lines {
        let payload = format!("x\n{line}");
        for frame in Trace::parse(&payload).crashing() {
            assert!(demangled(frame.function).len() < 2_100);
            assert!(function_name(frame.function).len() <= line.len());
        }
    }
    // Quadratic would be minutes.
    assert!(started.elapsed().as_secs() < 20);
}

/// Text that looks like a payload often enough to reach every branch.
fn payload_like() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("#1 ".to_owned()),
        Just(" - [".to_owned()),
        Just("]".to_owned()),
        Just(" - ".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("()".to_owned()),
        Just("@@V_2.1".to_owned()),
        Just("? ".to_owned()),
        Just("???".to_owned()),
        Just("Backtrace (TID 1):".to_owned()),
        Just("Backtrace :".to_owned()),
        Just("Reason: ".to_owned()),
        Just("Register A: ".to_owned()),
        Just("_ZN3foo".to_owned()),
        Just("_RNvC1a1b".to_owned()),
        "[a-z0-9_]{1,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

/// True where `part` lies in `whole` in memory.
fn is_slice(whole: &str, part: &str) -> bool {
    let range = whole.as_bytes().as_ptr_range();
    let part = part.as_bytes().as_ptr_range();
    range.start <= part.start && part.end <= range.end
}

proptest! {
    #[test]
    fn any_text_can_be_analysed(payload in prop_oneof![payload_like(), any::<String>()]) {
        let trace = Trace::parse(&payload);
        for frame in trace.threads.iter().flat_map(|thread| &thread.frames) {
            prop_assert!(is_slice(&payload, frame.function) && !frame.function.is_empty());
            prop_assert!(frame.module.is_empty() || is_slice(&payload, frame.module));
            prop_assert!(frame.source.is_none_or(|source| is_slice(&payload, source)));
            let line = payload.lines().nth(frame.line).unwrap();
            prop_assert!(frame.line > 0 && line.contains(frame.function));
            let name = function_name(frame.function);
            prop_assert_eq!(function_name(name), name);
            demangled(frame.function);
        }
        let frames = || trace.crashing().iter().map(|frame| (frame.function, frame.module));
        for list in [Blacklist::empty(), Blacklist::new(default_entries().cloned())] {
            let guilty = guilty_frame(frames(), &list);
            prop_assert_eq!(guilty.is_none(), trace.crashing().is_empty());
            prop_assert!(guilty.is_none_or(|at| at < trace.crashing().len()));
        }
    }
}
