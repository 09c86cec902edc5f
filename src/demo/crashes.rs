// SPDX-License-Identifier: Apache-2.0
//! Backtraces of user programs, in the crash probe's format: the sites of `assets/demo/crashes.txt`.

use crate::demo::random::{Random, Weighted, mix, mix_below};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fmt::Write;

/// The groups of frames in which threads wait that did not crash.
const WAITS: [&str; 3] = ["wait_futex", "wait_poll", "wait_epoll"];
/// Groups may name others, this deep.
const GROUP_DEPTH_MAX: u32 = 6;

/// A frame of a backtrace.
#[derive(Clone, Debug)]
struct Frame {
    /// As printed, up to the line number.
    text: String,
    line: Option<u64>,
    /// True where only some backtraces have it.
    is_optional: bool,
    /// True where its line moves from one version of the program to the next.
    is_own: bool,
}

/// A place where a program crashes.
#[derive(Debug)]
struct Site {
    program: &'static str,
    signal: u32,
    weight: f64,
    threads: usize,
    frames: Vec<Frame>,
    /// Other threads.
    waits: Vec<Vec<Frame>>,
    /// The part of the demo's weeks in which it was not yet mended.
    from: f64,
    to: f64,
}

/// All places.
#[derive(Debug)]
pub struct Sites {
    sites: Vec<Site>,
}

/// A group of frames as written: lines that are frames or name other groups.
type Groups = HashMap<&'static str, Vec<&'static str>>;

/// A crash: which program, and what the probe reports.
#[derive(Debug)]
pub struct Crash {
    /// The program's path.
    pub program: &'static str,
    /// The signal that ended it.
    pub signal: u32,
    /// The payload.
    pub payload: String,
}

impl Sites {
    /// Reads the sites.
    pub fn load() -> Result<Sites> {
        let (groups, raw) = read_file(include_str!("../../assets/demo/crashes.txt"));
        let sites = raw.iter().enumerate().map(|(number, (head, lines))| {
            site(&groups, head, lines, number as u64)
                .ok_or_else(|| Error::internal(format!("Not a crash site in crashes.txt: {head}")))
        });
        Ok(Sites { sites: sites.collect::<Result<_>>()? })
    }

    /// How often each site comes at a part (0 to 1) of the weeks.
    pub fn weights(&self, progress: f64) -> Weighted {
        let is_there = |site: &Site| (site.from..site.to).contains(&progress);
        Weighted::new(
            self.sites.iter().map(|site| if is_there(site) { site.weight } else { site.weight * 0.03 }),
        )
    }

    /// A crash at a site; `epoch` says how old the programs are, and so which lines their functions are on.
    pub fn crash(&self, site: usize, epoch: u64, random: &mut Random) -> Crash {
        let site = &self.sites[site.min(self.sites.len().saturating_sub(1))];
        let pid = random.between(700, 90_000);
        let mut payload = String::with_capacity(2_000);
        // Writing to a String cannot fail; the same holds below.
        let _ = write!(payload, "Process: {}\nPID: {pid}\nSignal: {}\n", site.program, site.signal);
        let with_optional = random.chance(0.7);
        let others = match random.below(100) {
            0..55 => 0,
            55..85 => site.threads.saturating_sub(1).min(2),
            _ => site.threads.saturating_sub(1),
        };
        let is_in_thread = site.frames.last().is_some_and(|frame| frame.text.starts_with("__clone3"));
        let crashing_tid = pid + if is_in_thread { random.between(1, 40) } else { 0 };
        thread(&mut payload, crashing_tid, &site.frames, with_optional, epoch);
        for other in 0..others {
            let tid = crashing_tid + 1 + other as i64 * 2;
            thread(&mut payload, tid, &site.waits[other % site.waits.len()], true, epoch);
        }
        Crash { program: site.program, signal: site.signal, payload }
    }
}

fn thread(payload: &mut String, tid: i64, frames: &[Frame], with_optional: bool, epoch: u64) {
    let _ = writeln!(payload, "\nBacktrace (TID {tid}):");
    let shown = frames.iter().filter(|frame| with_optional || !frame.is_optional);
    for (number, frame) in shown.enumerate() {
        let _ = write!(payload, "#{number} {}", frame.text);
        if let Some(line) = frame.line {
            let moved = if frame.is_own { mix_below(line, epoch, 3) * 7 } else { 0 };
            let _ = write!(payload, "{}", line + moved);
        }
        payload.push('\n');
    }
}

/// Parts the file into groups and sites: head and lines of each.
fn read_file(text: &'static str) -> (Groups, Vec<(&'static str, Vec<&'static str>)>) {
    let mut groups = Groups::new();
    let mut sites: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    let mut group = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("* ") {
            group = Some(name);
        } else if let Some(head) = line.strip_prefix("= ") {
            group = None;
            sites.push((head, Vec::new()));
        } else if let Some(name) = group {
            groups.entry(name).or_default().push(line);
        } else if let Some((_, lines)) = sites.last_mut() {
            lines.push(line);
        }
    }
    (groups, sites)
}

fn site(groups: &Groups, head: &'static str, lines: &[&'static str], number: u64) -> Option<Site> {
    let mut fields = head.split(" | ");
    let program = fields.next()?;
    let signal = fields.next()?.parse().ok()?;
    let weight = fields.next()?.parse().ok()?;
    let threads: usize = fields.next()?.parse().ok()?;
    let mut frames = Vec::new();
    add_frames(&mut frames, groups, lines, program, GROUP_DEPTH_MAX)?;
    let wait = |thread: usize| {
        let name = WAITS[mix_below(number, thread as u64, WAITS.len() as u64) as usize];
        let mut frames = Vec::new();
        add_frames(&mut frames, groups, groups.get(name)?, program, GROUP_DEPTH_MAX)?;
        Some(frames)
    };
    let waits = (0..threads.max(2) - 1).map(wait).collect::<Option<Vec<_>>>()?;
    // Half of the faults were there all the time, a quarter were brought in, a quarter were mended.
    let part = mix(number, 77) as f64 / u64::MAX as f64;
    let (from, to) = match number % 4 {
        1 => (0.15 + 0.7 * part, 2.0),
        3 => (0.0, 0.25 + 0.7 * part),
        _ => (0.0, 2.0),
    };
    Some(Site { program, signal, weight, threads, frames, waits, from, to })
}

fn add_frames(
    frames: &mut Vec<Frame>,
    groups: &Groups,
    lines: &[&'static str],
    program: &str,
    depth: u32,
) -> Option<()> {
    for line in lines {
        match line.strip_prefix('@') {
            Some(name) if depth > 0 => add_frames(frames, groups, groups.get(name)?, program, depth - 1)?,
            Some(_) => return None,
            None => frames.push(frame(line, program)?),
        }
    }
    Some(())
}

fn frame(line: &str, program: &str) -> Option<Frame> {
    let is_optional = line.starts_with("~ ");
    let mut fields = line.trim_start_matches("~ ").split(" | ");
    let (function, module, place) = (fields.next()?, fields.next()?, fields.next()?);
    let parentheses = if function == "???" { "" } else { "()" };
    let is_own = module == "." || !module.starts_with("libc.");
    let module = if module == "." { program } else { module };
    let text = format!("{function}{parentheses} - [{module}]");
    Some(match place.rsplit_once(':') {
        Some((file, number)) => {
            Frame { text: format!("{text} - {file}:"), line: Some(number.parse().ok()?), is_optional, is_own }
        }
        None => Frame { text, line: None, is_optional, is_own },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_gives_a_payload_as_the_crash_probe_writes_it() {
        let sites = Sites::load().unwrap();
        assert!(sites.sites.len() >= 60);
        let mut random = Random::new(3);
        for site in 0..sites.sites.len() {
            let payload = sites.crash(site, 7, &mut random).payload;
            let mut lines = payload.lines();
            for start in ["Process: /", "PID: ", "Signal: ", "", "Backtrace (TID ", "#0 "] {
                let line = lines.next().unwrap();
                assert!(line.starts_with(start) && (!start.is_empty() || line.is_empty()), "{payload}");
            }
            assert!(
                payload.len() < 30_000 && !payload.contains(" | ") && !payload.contains("\n@"),
                "{payload}"
            );
        }
    }

    #[test]
    fn one_site_in_one_epoch_has_few_different_backtraces() {
        let (sites, mut random) = (Sites::load().unwrap(), Random::new(3));
        let first_thread = |payload: &str| {
            let start = payload.find("#0 ").unwrap();
            payload[start..].split("\n\n").next().unwrap().trim_end().to_owned()
        };
        let mut traces: Vec<String> =
            (0..200).map(|_| first_thread(&sites.crash(0, 7, &mut random).payload)).collect();
        traces.sort();
        traces.dedup();
        assert_eq!(traces.len(), 2);
    }
}
