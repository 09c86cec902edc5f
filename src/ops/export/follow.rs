// SPDX-License-Identifier: Apache-2.0
//! Handing over every record as it is stored, at least once, with a cursor in the database.
//!
//! Ids ascend in the order of commits, so whoever has seen an id has seen every record before it. The cursor moves once
//! a batch was handed over: written to standard output and flushed, or taken by a command that ended with 0. What
//! standard output's reader had not read when it was killed is lost with it; a command is asked again.

use crate::error::{Error, Kind, Result};
use crate::model::audit::Actor;
use crate::model::filter::{RecordFilter, shortened};
use crate::ops::App;
use crate::ops::export::{Format, tell_damaged};
use crate::store::ExportWalk;
use rustix::fs::{FileType, fdatasync, fstat};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks for news.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// Between two looks whether it is to stop.
const STOP_EVERY: Duration = Duration::from_millis(50);
/// A batch for standard output ends after this, so that the cursor is never far behind.
const BATCH_MOST: Duration = Duration::from_millis(500);
/// Most characters of a cursor's name.
const NAME_CHARS_MAX: usize = 64;

/// Where a new cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind the newest record.
    Now,
    /// Before the oldest record.
    Oldest,
}

/// Who follows, and how.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The cursor's name.
    pub name: String,
    /// Where it begins if it is new.
    pub start: Start,
    /// Only these records.
    pub filter: RecordFilter,
    /// How they are written; CSV has a header line before each batch for a command, and one in all without.
    pub format: Format,
    /// A command line of sh that takes each batch on its standard input; none: standard output.
    pub command: Option<String>,
    /// Most records of a batch.
    pub batch_records: usize,
    /// Ends once there is nothing new.
    pub is_once: bool,
}

/// Refuses a name that is none: 1 to 64 letters, digits, `.`, `_`, `-`.
pub fn check_name(name: &str) -> Result<()> {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match is_word && (1..=NAME_CHARS_MAX).contains(&name.len()) {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "The name of a cursor is 1 to {NAME_CHARS_MAX} letters, digits, '.', '_' or '-', not {}",
            shortened(name)
        ))),
    }
}

/// Hands records over until `is_stopping` is set, or until there is nothing new where that was asked for. Returns how
/// many. Kinds: Busy where a reader has gone, a command failed or the database file was replaced, Conflict where
/// somebody else uses the cursor.
pub fn follow(app: &App, follow: &Follow, actor: &Actor, is_stopping: &AtomicBool) -> Result<u64> {
    check_name(&follow.name)?;
    let bounds = app.store.record_id_bounds()?;
    let first = match follow.start {
        Start::Now => bounds.map_or(0, |(_, newest)| newest),
        Start::Oldest => bounds.map_or(0, |(oldest, _)| oldest - 1),
    };
    let (at, is_new) = app.store.begin_export_cursor(&follow.name, first, actor)?;
    log::info!(
        "The export cursor {} {} behind record {at}",
        follow.name,
        if is_new { "begins" } else { "goes on" }
    );
    let file = file_identity(app);
    let mut run = Run {
        app,
        follow,
        is_stopping,
        walk: ExportWalk::new(follow.filter.clone(), at),
        cursor: at,
        handed_over: 0,
        has_head: false,
    };
    loop {
        let is_caught_up = run.batch()?;
        if is_stopping.load(Ordering::Relaxed) || (is_caught_up && follow.is_once) {
            return Ok(run.handed_over);
        }
        if is_caught_up {
            wait(is_stopping);
            if file_identity(app) != file {
                return Err(Error::busy(
                    "The database was replaced by another file; start the export again to follow that",
                ));
            }
        }
    }
}

/// What tells the database file from another of its name; none while there is no such file.
fn file_identity(app: &App) -> Option<(u64, u64)> {
    fs::metadata(app.store.path()).ok().map(|found| (found.dev(), found.ino()))
}

fn wait(is_stopping: &AtomicBool) {
    let until = Instant::now() + POLL_EVERY;
    while Instant::now() < until && !is_stopping.load(Ordering::Relaxed) {
        std::thread::sleep(STOP_EVERY);
    }
}

struct Run<'a> {
    app: &'a App,
    follow: &'a Follow,
    is_stopping: &'a AtomicBool,
    walk: ExportWalk,
    cursor: i64,
    handed_over: u64,
    has_head: bool,
}

impl Run<'_> {
    /// Hands one batch over and moves the cursor; true where nothing is left.
    fn batch(&mut self) -> Result<bool> {
        let newest = self.app.store.record_id_bounds()?.map_or(0, |(_, newest)| newest);
        let mut taker = Taker::new(self.follow.command.as_deref());
        let (records, missing, is_caught_up) = match self.fill(&mut taker, newest) {
            Ok(filled) => filled,
            // Ctrl-C in a terminal ends the command too; its batch comes again.
            Err(_) if self.is_stopping.load(Ordering::Relaxed) => return Ok(true),
            Err(error) => return Err(error),
        };
        self.has_head &= self.follow.command.is_none();
        self.move_cursor()?;
        self.handed_over += records;
        if missing > 0 {
            log::warn!(
                "{missing} records up to {} were deleted before {} could be given them",
                self.cursor,
                self.follow.name
            );
        }
        Ok(is_caught_up)
    }

    /// Hands one batch over; how many records it has, how many were deleted before, and whether nothing is left.
    fn fill(&mut self, taker: &mut Taker<'_>, newest: i64) -> Result<(u64, i64, bool)> {
        let began = Instant::now();
        let (mut records, mut missing) = (0, 0);
        let mut is_caught_up = true;
        while let Some(found) = self.walk.next(&self.app.store, newest)? {
            missing += found.missing_ids;
            tell_damaged(&found);
            records += found.records.len();
            let mut lines = Vec::new();
            for record in &found.records {
                if !self.has_head {
                    lines.extend(self.follow.format.head()?);
                    self.has_head = true;
                }
                lines.extend(self.follow.format.line(record)?);
            }
            taker.take(&lines)?;
            let is_full = records >= self.follow.batch_records
                || (self.follow.command.is_none() && began.elapsed() >= BATCH_MOST)
                || self.is_stopping.load(Ordering::Relaxed);
            if is_full {
                is_caught_up = false;
                break;
            }
        }
        taker.end()?;
        Ok((records as u64, missing, is_caught_up))
    }

    fn move_cursor(&mut self) -> Result<()> {
        let to = self.walk.after_id();
        if to != self.cursor {
            self.app.store.move_export_cursor(&self.follow.name, self.cursor, to)?;
            self.cursor = to;
        }
        Ok(())
    }
}

/// Who is given the lines of one batch.
enum Taker<'a> {
    Output,
    /// The command, which is started with the first line.
    Command {
        line: &'a str,
        child: Option<Child>,
    },
}

impl<'a> Taker<'a> {
    fn new(command: Option<&'a str>) -> Taker<'a> {
        match command {
            Some(line) => Taker::Command { line, child: None },
            None => Taker::Output,
        }
    }

    fn take(&mut self, lines: &[u8]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Taker::Output => std::io::stdout().lock().write_all(lines).map_err(reader_gone),
            Taker::Command { line, child } => {
                let child = match child {
                    Some(child) => child,
                    None => child.insert(start(line)?),
                };
                let input = child.stdin.as_mut();
                match input.map_or(Ok(()), |input| input.write_all(lines)) {
                    // Its exit status says more, unless it is 0: of a pipeline that is its last command's.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        self.end()?;
                        Err(Error::busy(
                            "The command of the export ended with 0 but has not read all of its records; the cursor \
                             stays, they come again",
                        ))
                    }
                    outcome => outcome.map_err(reader_gone),
                }
            }
        }
    }

    /// Waits until the batch was taken.
    fn end(&mut self) -> Result<()> {
        match self {
            Taker::Output => {
                let mut out = std::io::stdout().lock();
                out.flush().and_then(|()| sync_if_file(out.as_fd())).map_err(reader_gone)
            }
            Taker::Command { child: None, .. } => Ok(()),
            Taker::Command { child: Some(child), .. } => {
                drop(child.stdin.take());
                let status = child.wait().map_err(|error| {
                    Error::internal("Cannot wait for the command of the export").because(error)
                })?;
                if status.success() { Ok(()) } else { Err(command_failed(status)) }
            }
        }
    }
}

impl Drop for Taker<'_> {
    /// A batch that was broken off must not look like a whole one to its command.
    fn drop(&mut self) {
        if let Taker::Command { child: Some(child), .. } = self
            && matches!(child.try_wait(), Ok(None))
        {
            // A pipeline's parts, too; in a terminal there is no such group, and the shell alone is ended.
            let group = kill_process_group(Pid::from_child(child), Signal::KILL);
            log::debug!("Ended the group of the export's command: {group:?}");
            let ended = child.kill().and_then(|()| child.wait());
            if let Err(error) = ended {
                log::warn!("Cannot end the command of the export: {error}");
            }
        }
    }
}

/// Makes durable what was written into a file: the cursor that moves next is durable, too.
fn sync_if_file(out: BorrowedFd<'_>) -> std::io::Result<()> {
    if FileType::from_raw_mode(fstat(out)?.st_mode).is_file() {
        fdatasync(out)?;
    }
    Ok(())
}

fn start(line: &str) -> Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).stdin(Stdio::piped());
    // A group of its own can be ended as a whole, but may not ask for a password in a terminal.
    if !std::io::stdin().is_terminal() {
        command.process_group(0);
    }
    command.spawn().map_err(|error| Error::internal("Cannot start the command of the export").because(error))
}

fn command_failed(status: ExitStatus) -> Error {
    Error::new(
        Kind::Busy,
        format!("The command of the export ended with {status}; the cursor stays, its records come again"),
    )
}

fn reader_gone(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => {
            Error::busy("Who read the records has gone; the cursor stays, the last records come again")
        }
        _ => Error::busy("Cannot hand over the records").because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_command_ends_with_a_batch_that_is_broken_off() {
        if std::io::stdin().is_terminal() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let line = format!("sleep 600 & echo $! > '{}.new' && mv '{0}.new' '{0}'; wait", file.display());
        let mut taker = Taker::new(Some(&line));
        taker.take(b"line\n").unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !file.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = fs::read_to_string(&file).unwrap();
        drop(taker);
        let is_running = || {
            let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        while is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!is_running());
    }
}
