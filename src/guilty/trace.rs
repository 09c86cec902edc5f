// SPDX-License-Identifier: Apache-2.0
//! What a crash payload says: headers, threads, frames. Both forms, that of user crashes and that of kernel
//! oopses.
//!
//! A user crash has `Process:`, `PID:` and `Signal:` lines, then `Backtrace (TID N):` and frames for each
//! thread. An oops has `Reason:`, `Kernel Version :`, `Tainted :`, `Modules :`, `Backtrace :`, `Register X:`
//! lines, then frames. A frame is `#N FUNCTION - [MODULE]`, perhaps with ` - FILE:LINE` after it. Everything
//! is borrowed from the payload.

/// Reading stops before the thread after this many.
pub const THREADS_MAX: usize = 1_000;
/// Reading stops before the frame after this many, all threads together.
pub const FRAMES_MAX: usize = 100_000;
/// Names of loaded kernel modules after this many are left out.
const MODULES_MAX: usize = 10_000;
/// Registers after this many are left out.
const REGISTERS_MAX: usize = 1_000;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number as sent; a number that is too large counts as the largest.
    pub number: u32,
    /// The function as sent, trimmed, never empty: with its `()`, version and `? `; `???` where it is not
    /// known.
    pub function: &'a str,
    /// The module as sent, without its brackets; empty where there is none.
    pub module: &'a str,
    /// `FILE:LINE` where it is known.
    pub source: Option<&'a str>,
    /// The index of its line in the payload, as `str::lines` counts, from 0.
    pub line: usize,
}

/// The frames of one thread, top first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread<'a> {
    /// The thread's id as sent; None where the payload gives none, as oopses do.
    pub tid: Option<&'a str>,
    /// Its frames in the order of the payload, whatever their numbers; may be empty.
    pub frames: Vec<Frame<'a>>,
}

/// What a crash payload of either form says; whatever is not understood is left out. Where a header comes
/// twice the first one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace<'a> {
    /// Path of the program that crashed; user crashes only.
    pub process: Option<&'a str>,
    /// Its process id; user crashes only.
    pub pid: Option<&'a str>,
    /// The signal's number; user crashes only.
    pub signal: Option<&'a str>,
    /// The headers of a kernel oops; None where the payload has none of them.
    pub oops: Option<Oops<'a>>,
    /// The threads, the crashing one first, at most [`THREADS_MAX`]; empty where no thread has a frame.
    pub threads: Vec<Thread<'a>>,
}

/// The headers of a kernel oops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oops<'a> {
    /// The line of the kernel's log that began it; empty where it was not sent.
    pub reason: &'a str,
    /// Version of the kernel, perhaps with the machine's name after it.
    pub kernel: Option<&'a str>,
    /// The taint flags, or `Not tainted`.
    pub tainted: Option<&'a str>,
    /// Names of the modules that were loaded, in the order sent.
    pub modules: Vec<&'a str>,
    /// Registers and what was in them (`Zero`, `Non-zero`), in the order sent.
    pub registers: Vec<(&'a str, &'a str)>,
}

impl<'a> Trace<'a> {
    /// Reads a payload in one pass, within the bounds [`THREADS_MAX`] and [`FRAMES_MAX`]. Never fails: a
    /// payload of another kind gives a trace with nothing in it. The first line may be a header but never a
    /// frame.
    pub fn parse(payload: &'a str) -> Trace<'a> {
        let mut trace = Trace::default();
        let mut frame_count = 0;
        for (index, line) in payload.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('#') {
                let Some(frame) = frame(line, index).filter(|_| index > 0) else { continue };
                if frame_count == FRAMES_MAX {
                    break;
                }
                frame_count += 1;
                if trace.threads.is_empty() {
                    trace.threads.push(Thread::default());
                }
                if let Some(thread) = trace.threads.last_mut() {
                    thread.frames.push(frame);
                }
            } else if let Some(tid) = thread_start(line) {
                if trace.threads.len() == THREADS_MAX {
                    break;
                }
                trace.threads.push(Thread { tid, frames: Vec::new() });
            } else {
                trace.read_header(line);
            }
        }
        if frame_count == 0 {
            trace.threads.clear();
        }
        trace
    }

    /// The frames of the crashing thread, top first; empty where there are none.
    pub fn crashing(&self) -> &[Frame<'a>] {
        self.threads.first().map_or(&[], |thread| &thread.frames)
    }

    fn read_header(&mut self, line: &'a str) {
        let Some((key, value)) = line.split_once(':') else { return };
        let (key, value) = (key.trim_end(), value.trim());
        match key {
            "Process" => keep_first(&mut self.process, value),
            "PID" => keep_first(&mut self.pid, value),
            "Signal" => keep_first(&mut self.signal, value),
            "Kernel Version" => keep_first(&mut self.oops().kernel, value),
            "Tainted" => keep_first(&mut self.oops().tainted, value),
            "Reason" if self.oops().reason.is_empty() => self.oops().reason = value,
            "Modules" if self.oops().modules.is_empty() => {
                self.oops().modules = value.split_whitespace().take(MODULES_MAX).collect();
            }
            _ => {
                let Some(register) = key.strip_prefix("Register ") else { return };
                let registers = &mut self.oops().registers;
                if registers.len() < REGISTERS_MAX {
                    registers.push((register.trim(), value));
                }
            }
        }
    }

    fn oops(&mut self) -> &mut Oops<'a> {
        self.oops.get_or_insert_default()
    }
}

fn keep_first<'a>(field: &mut Option<&'a str>, value: &'a str) {
    if field.is_none() && !value.is_empty() {
        *field = Some(value);
    }
}

/// The thread's id, if any, where the line begins a thread: `Backtrace (TID N):` or `Backtrace :`.
fn thread_start(line: &str) -> Option<Option<&str>> {
    let rest = line.strip_prefix("Backtrace")?.strip_suffix(':')?.trim();
    if rest.is_empty() {
        return Some(None);
    }
    let tid = rest.strip_prefix("(TID")?.strip_suffix(')')?.trim();
    Some(Some(tid).filter(|tid| !tid.is_empty()))
}

/// Reads `#N FUNCTION - [MODULE] - FILE:LINE`; None where there is no number or no function.
fn frame(line: &str, index: usize) -> Option<Frame<'_>> {
    let rest = line.strip_prefix('#')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    if number.is_empty() || !rest.starts_with(char::is_whitespace) {
        return None;
    }
    // Only digits are left, so the one thing that can be wrong is their number.
    let number = number.parse().unwrap_or(u32::MAX);
    let (function, module, source) = parts(rest);
    let (function, module, source) = (function.trim(), module.trim(), source.trim());
    if function.is_empty() {
        return None;
    }
    Some(Frame { number, function, module, source: Some(source).filter(|s| !s.is_empty()), line: index })
}

/// Function, module and source of a frame. Demangled C++ functions hold ` - `, brackets and spaces of their
/// own, so the module is the last ` - [` that has a `]` with nothing or with ` - ` behind it.
fn parts(rest: &str) -> (&str, &str, &str) {
    const OPEN: &str = " - [";
    let is_close = |at: usize| rest[at + 1..].is_empty() || rest[at + 1..].starts_with(" - ");
    let last_close = rest.rmatch_indices(']').map(|(at, _)| at).find(|&at| is_close(at));
    if let Some(open) = last_close.and_then(|close| rest[..close].rfind(OPEN)) {
        let module = open + OPEN.len();
        let close = rest[module..].match_indices(']').map(|(at, _)| module + at).find(|&at| is_close(at));
        if let Some(close) = close {
            let source = rest[close + 1..].strip_prefix(" - ").unwrap_or("");
            return (&rest[..open], &rest[module..close], source);
        }
    }
    // The last line of a payload that was cut off: the bracket is never closed.
    match rest.rfind(OPEN) {
        Some(open) if !rest[open..].contains(']') => (&rest[..open], &rest[open + OPEN.len()..], ""),
        _ => (rest, "", ""),
    }
}

/// A function as it is matched and grouped: without a trailing `()` and without `@VERSION` or `@@VERSION`,
/// however often they come; the call operator of C++ keeps its `operator()`. Doing it twice changes nothing
/// more. A name that would become empty stays as it is.
pub fn function_name(function: &str) -> &str {
    let mut name = function.trim();
    loop {
        let shorter = match name.strip_suffix("()") {
            Some(before) if !ends_with_operator(before) => before.trim_end(),
            _ => without_version(name),
        };
        if shorter.is_empty() || shorter.len() == name.len() {
            return name;
        }
        name = shorter;
    }
}

/// True where a `()` behind it is the name of the call operator rather than an empty list of parameters.
fn ends_with_operator(before: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    before.strip_suffix("operator").is_some_and(|scope| !scope.ends_with(is_word))
}

/// Without the version that the dynamic linker knows a symbol by: letters, digits, `_`, `.`, `-`, `+` behind
/// the `@`.
fn without_version(name: &str) -> &str {
    let is_version = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    let before = name.trim_end_matches(is_version);
    if before.len() < name.len() && before.ends_with('@') {
        return before.trim_end_matches('@').trim_end();
    }
    name
}

#[cfg(test)]
mod tests;
