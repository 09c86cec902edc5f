// SPDX-License-Identifier: Apache-2.0
//! The file of rows that were not taken, each with the reason, in a form that can be corrected and imported again.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Reasons that are told on the terminal too.
const TOLD_MAX: u64 = 10;

/// The file; without one, rows are counted and told only.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    file: Option<File>,
    told: u64,
    has_head: bool,
}

impl Rejects {
    /// Opens the file, at whose end rows are added; it is made readable by its owner alone. Usage where that cannot be.
    pub fn open(path: PathBuf) -> Result<Rejects> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(|error| {
            Error::usage(format!(
                "Cannot write the rejects to {}; name another place with --rejects",
                path.display()
            ))
            .because(error)
        })?;
        Ok(Rejects { path, file: Some(file), told: 0, has_head: false })
    }

    /// Counts and tells only.
    pub fn nowhere() -> Rejects {
        Rejects { path: PathBuf::new(), file: None, told: 0, has_head: false }
    }

    /// Writes a row. `place` says where it stands, `head` and `tail` are the lines between which it can be read again;
    /// the head stands once where there is no tail.
    pub fn add(&mut self, place: &str, reason: &str, row: &[u8], frame: &Frame) -> Result<()> {
        let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.told += 1;
        if self.told <= TOLD_MAX {
            log::warn!("{place}: {reason}");
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut lines = format!("{} {place}: {reason}\n", frame.comment).into_bytes();
        if !frame.head.is_empty() && (!frame.tail.is_empty() || !self.has_head) {
            lines.extend_from_slice(&frame.head);
            lines.push(b'\n');
            self.has_head = true;
        }
        lines.extend_from_slice(row);
        lines.push(b'\n');
        if !frame.tail.is_empty() {
            lines.extend_from_slice(frame.tail.as_bytes());
            lines.push(b'\n');
        }
        file.write_all(&lines).map_err(|error| self.cannot(error))
    }

    /// Makes durable what was written, before the rows count as seen to.
    pub fn sync(&mut self) -> Result<()> {
        match &self.file {
            Some(file) => file.sync_data().map_err(|error| self.cannot(error)),
            None => Ok(()),
        }
    }

    /// Ends it: an empty file is removed. The path where there are rows in it.
    pub fn end(self) -> Option<PathBuf> {
        let file = self.file?;
        let is_empty = file.metadata().is_ok_and(|about| about.len() == 0);
        if is_empty && let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("Cannot remove the empty {}: {error}", self.path.display());
        }
        (!is_empty).then_some(self.path)
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
}
