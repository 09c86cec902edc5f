// SPDX-License-Identifier: Apache-2.0
//! The file of rows that were not taken, each with the reason, in a form that can be corrected and imported again.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Reasons that are told on the terminal too.
const TOLD_MAX: u64 = 10;

/// Files of one name, told apart by a number behind it.
const NAMES_MAX: u32 = 1_000;

/// The file; without one, rows are counted and told only.
#[derive(Debug, Default)]
pub struct Rejects {
    path: PathBuf,
    is_kept: bool,
    file: Option<File>,
    len_bytes: u64,
    told: u64,
    has_head: bool,
}

impl Rejects {
    /// Rows go to `path`, or, where rows of an earlier import are there, to a name with a number behind it.
    pub fn at(path: PathBuf) -> Rejects {
        Rejects { path, is_kept: true, ..Rejects::default() }
    }

    /// Counts and tells only.
    pub fn nowhere() -> Rejects {
        Rejects::default()
    }

    /// Begins with a file of rows: opens the file, readable by its owner alone, unless the file of rows before was in
    /// the same run. `earlier` is where an import that goes on put its rows and how long that was: what came behind it
    /// comes again. Usage where it cannot be opened.
    pub fn begin(&mut self, earlier: (&str, u64)) -> Result<()> {
        (self.told, self.has_head) = (0, false);
        if !self.is_kept || self.file.is_some() {
            return Ok(());
        }
        let wanted = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let wanted = wanted.to_string_lossy();
        let (earlier_path, earlier_bytes) = earlier;
        let goes_on = earlier_path.strip_prefix(&*wanted).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('.').is_some_and(|number| number.parse::<u32>().is_ok())
        });
        self.path = if goes_on { PathBuf::from(earlier_path) } else { free_name(&self.path)? };
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path);
        let opened = opened.and_then(|file| {
            let about = file.metadata()?;
            self.len_bytes = about.len();
            if goes_on && about.is_file() && about.len() > earlier_bytes {
                file.set_len(earlier_bytes)?;
                self.len_bytes = earlier_bytes;
            }
            Ok(file)
        });
        let file = opened.map_err(|error| {
            Error::usage(format!(
                "Cannot write the rejects to {}; name another place with --rejects",
                self.path.display()
            ))
            .because(error)
        })?;
        self.file = Some(file);
        Ok(())
    }

    /// Where the rows are, so that another run finds the file; empty where they are not kept.
    pub fn place(&self) -> String {
        match &self.file {
            Some(_) => std::path::absolute(&self.path)
                .unwrap_or_else(|_| self.path.clone())
                .to_string_lossy()
                .into_owned(),
            None => String::new(),
        }
    }

    /// How long the file is.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Writes a row. `place` says where it stands, `head` and `tail` are the lines between which it can be read again;
    /// the head stands once where there is no tail.
    pub fn add(&mut self, place: &str, reason: &str, row: &[u8], frame: &Frame) -> Result<()> {
        let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let place = place.replace(|c: char| c.is_control(), " ");
        self.told += 1;
        if self.told <= TOLD_MAX {
            log::warn!("{place}: {reason}");
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        // A quote in a comment would open a cell of CSV for who does not know comments.
        let mut lines = format!("{} {place}: {reason}\n", frame.comment).replace('"', "'").into_bytes();
        if !frame.head.is_empty() && (!frame.tail.is_empty() || !self.has_head) {
            lines.extend_from_slice(&frame.head);
            lines.push(b'\n');
            self.has_head = true;
        }
        if frame.is_lost {
            // It cannot be read again, and a quote that it leaves open would take the rows behind it along.
            for line in row.split(|byte| *byte == b'\n') {
                lines.extend_from_slice(&[frame.comment.as_bytes(), b" ", line, b"\n"].concat());
            }
        } else {
            lines.extend_from_slice(row);
            lines.push(b'\n');
        }
        if !frame.tail.is_empty() {
            lines.extend_from_slice(frame.tail.as_bytes());
            lines.push(b'\n');
        }
        let written = file.write_all(&lines);
        self.len_bytes += lines.len() as u64;
        written.map_err(|error| self.cannot(error))
    }

    /// Makes durable what was written, before the rows count as seen to.
    pub fn sync(&mut self) -> Result<()> {
        match &self.file {
            Some(file) => file.sync_data().map_err(|error| self.cannot(error)),
            None => Ok(()),
        }
    }

    /// The path where there are rows in it.
    pub fn path(&self) -> Option<&Path> {
        (self.file.is_some() && self.len_bytes > 0).then_some(&self.path)
    }

    /// Ends it: an empty file is removed.
    pub fn end(self) {
        let Some(file) = self.file else { return };
        let is_empty = file.metadata().is_ok_and(|about| about.is_file() && about.len() == 0);
        if is_empty && let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("Cannot remove the empty {}: {error}", self.path.display());
        }
    }

    fn cannot(&self, error: std::io::Error) -> Error {
        Error::busy(format!("Cannot write the rejects to {}", self.path.display())).because(error)
    }
}

/// What stands around a rejected row.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// What begins a comment.
    pub comment: &'static str,
    /// The line before the row, or nothing.
    pub head: Vec<u8>,
    /// The line behind it, or nothing.
    pub tail: &'static str,
    /// The row is only its beginning: it is kept as a comment.
    pub is_lost: bool,
}

/// The name, or the first with a number behind it, where no rows are yet. Usage where there is none.
fn free_name(wanted: &Path) -> Result<PathBuf> {
    let has_rows = |path: &Path| path.metadata().is_ok_and(|about| about.is_file() && about.len() > 0);
    let numbered = (2..=NAMES_MAX).map(|number| {
        let mut name = wanted.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let found = std::iter::once(wanted.to_owned()).chain(numbered).find(|path| !has_rows(path));
    found.ok_or_else(|| {
        Error::usage(format!("There are {NAMES_MAX} files of rejects like {}; remove some", wanted.display()))
    })
}
