// SPDX-License-Identifier: Apache-2.0
//! One file against the filters of all searches that look at it.

use crate::modules::file::contents::{self, Fault};
use crate::modules::file::digest::{DigestKind, hex};
use crate::modules::file::filter::{Filter, Test, mode_text};
use crate::modules::file::found::{FileInfo, Found};
use crate::modules::file::parameters::Search;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

/// A search that looks at a file, and what its filters gave: none while it is not known, or where it cannot be known.
struct Judged<'a> {
    at: usize,
    search: &'a Search,
    wanted: Vec<Option<bool>>,
}

impl Judged<'_> {
    /// True where the filters that are still open could bring the file into the result.
    fn is_open(&self) -> bool {
        !self.search.options.is_match_all || self.wanted.iter().all(|wanted| *wanted != Some(false))
    }

    /// The filters of contents that have to be tried.
    fn open_filters(&self, of_contents: bool) -> impl Iterator<Item = (usize, &Filter)> {
        let is_open = self.is_open();
        self.search.filters.iter().enumerate().filter(move |(at, filter)| {
            is_open && self.wanted[*at].is_none() && matches!(filter.test, Test::Content(_)) == of_contents
        })
    }
}

/// Where a file is: under which path it is told, and which one is opened (the end of a link).
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) shown: &'a Path,
    pub(super) opened: &'a Path,
}

/// Tries a regular file; `metadata` asks for its metadata, which is done only where its name does not decide. Fails
/// where the deadline is over.
pub(super) fn inspect(
    searches: &[(usize, &Search)],
    place: Place<'_>,
    metadata: impl FnOnce() -> std::io::Result<Metadata>,
    deadline: Instant,
    found: &mut Found,
) -> Result<(), Fault> {
    found.files += 1;
    let mut judged: Vec<Judged<'_>> = searches
        .iter()
        .map(|&(at, search)| Judged { at, search, wanted: vec![None; search.filters.len()] })
        .collect();
    let name = place.shown.file_name().unwrap_or_default().to_string_lossy();
    judge(&mut judged, |test| match test {
        Test::Name(regex) => Some(regex.is_match(&name)),
        _ => None,
    });
    judged.retain(Judged::is_open);
    if judged.is_empty() {
        return Ok(());
    }
    let metadata = match metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            found.open_failures += 1;
            found.error(format!("Cannot look at {}: {error}", place.shown.display()));
            return Ok(());
        }
    };
    let info = info(&metadata);
    judge_metadata(&mut judged, &info);
    for decompresses in [false, true] {
        let (mut group, rest): (Vec<_>, Vec<_>) =
            judged.into_iter().partition(|one| one.search.options.decompresses == decompresses);
        judged = rest;
        let read = read(&mut group, place.opened, decompresses, deadline);
        unless_unreadable(read, found)?;
        for one in &group {
            tell(one, place, &info, deadline, found)?;
        }
    }
    Ok(())
}

/// Notes that a file cannot be read and goes on; the deadline is passed on.
fn unless_unreadable<T>(outcome: Result<T, Fault>, found: &mut Found) -> Result<Option<T>, Fault> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Deadline) => Err(Fault::Deadline),
        Err(Fault::Unreadable(message)) => {
            found.open_failures += 1;
            found.error(message);
            Ok(None)
        }
    }
}

/// Applies what a test gives, where it gives something.
fn judge(judged: &mut [Judged<'_>], test: impl Fn(&Test) -> Option<bool>) {
    for one in judged {
        for (wanted, filter) in one.wanted.iter_mut().zip(&one.search.filters) {
            if let Some(is_match) = test(&filter.test) {
                *wanted = Some(filter.wants(is_match));
            }
        }
    }
}

fn judge_metadata(judged: &mut [Judged<'_>], info: &FileInfo) {
    let modified = i128::from(info.modified_secs) * 1_000_000_000 + i128::from(info.modified_nanos);
    judge(judged, |test| match test {
        Test::Mode(regex) => Some(regex.is_match(&info.mode)),
        Test::Size { min, max } => Some((*min..=*max).contains(&info.bytes)),
        Test::Mtime { after_nanos, before_nanos } => {
            Some(modified > *after_nanos && modified < *before_nanos)
        }
        _ => None,
    });
}

fn info(metadata: &Metadata) -> FileInfo {
    FileInfo {
        bytes: metadata.len(),
        mode: mode_text(metadata.mode()),
        modified_secs: metadata.mtime(),
        // Below 10^9, as the system promises.
        modified_nanos: u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
    }
}

/// Reads the file for what is still open: once for all content filters, once for all digests.
fn read(judged: &mut [Judged<'_>], path: &Path, decompresses: bool, deadline: Instant) -> Result<(), Fault> {
    if judged.iter().any(|one| one.open_filters(true).next().is_some()) {
        let mut reader = contents::open(path, decompresses)?;
        judge_lines(judged, |line| contents::each_line(path, &mut reader, deadline, line))?;
    }
    let mut kinds: Vec<DigestKind> = Vec::new();
    for one in &*judged {
        for (_, filter) in one.open_filters(false) {
            match &filter.test {
                Test::Digest(kind, _) if !kinds.contains(kind) => kinds.push(*kind),
                _ => {}
            }
        }
    }
    if kinds.is_empty() {
        return Ok(());
    }
    let mut reader = contents::open(path, decompresses)?;
    let digests = contents::digests(path, &mut reader, deadline, &kinds)?;
    judge(judged, |test| match test {
        Test::Digest(kind, expected) => {
            let at = kinds.iter().position(|of| of == kind)?;
            digests.get(at).map(|digest| digest == expected)
        }
        _ => None,
    });
    Ok(())
}

/// What the lines of a file gave for one content filter.
struct OfLines {
    judged_at: usize,
    filter_at: usize,
    any_matched: bool,
}

fn judge_lines(
    judged: &mut [Judged<'_>],
    each_line: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut open: Vec<OfLines> = Vec::new();
    for (judged_at, one) in judged.iter().enumerate() {
        let of_one = one.open_filters(true);
        open.extend(of_one.map(|(filter_at, _)| OfLines { judged_at, filter_at, any_matched: false }));
    }
    // For searches where all lines must match: none while there was no line.
    let mut all_matched: Vec<Option<bool>> = vec![None; judged.len()];
    let view = &*judged;
    each_line(&mut |line| {
        let text = String::from_utf8_lossy(line);
        let mut is_undecided = false;
        for of in &mut open {
            let search = view[of.judged_at].search;
            let filter = &search.filters[of.filter_at];
            let Test::Content(regex) = &filter.test else { continue };
            let all = &mut all_matched[of.judged_at];
            if search.options.is_all_lines {
                if *all != Some(false) {
                    *all = Some(regex.is_match(&text) ^ filter.is_inverse);
                }
                is_undecided |= *all == Some(true);
            } else if !of.any_matched {
                of.any_matched = regex.is_match(&text);
                is_undecided |= !of.any_matched;
            }
        }
        is_undecided
    })?;
    for of in open {
        let one = &mut judged[of.judged_at];
        let filter = &one.search.filters[of.filter_at];
        one.wanted[of.filter_at] = Some(match all_matched[of.judged_at] {
            // Whether a line must not match is in it already.
            Some(all) => all ^ filter.is_mismatch,
            None => filter.wants(of.any_matched),
        });
    }
    Ok(())
}

fn tell(
    one: &Judged<'_>,
    place: Place<'_>,
    info: &FileInfo,
    deadline: Instant,
    found: &mut Found,
) -> Result<(), Fault> {
    let by: Vec<Option<(usize, &Filter)>> = match one.search.options.is_match_all {
        true if !one.wanted.is_empty() && one.wanted.iter().all(|wanted| *wanted == Some(true)) => vec![None],
        true => Vec::new(),
        false => {
            let filters = one.search.filters.iter().enumerate();
            filters.filter(|(at, _)| one.wanted[*at] == Some(true)).map(Some).collect()
        }
    };
    if by.is_empty() || !found.has_room(one.at, one.search) {
        return Ok(());
    }
    let mut sha256 = None;
    if one.search.options.returns_sha256 {
        let digest = contents::open(place.opened, one.search.options.decompresses).and_then(|mut reader| {
            contents::digests(place.opened, &mut reader, deadline, &[DigestKind::Sha256])
        });
        sha256 = unless_unreadable(digest, found)?.and_then(|digests| digests.first().map(|d| hex(d)));
    }
    for by in by {
        found.tell((one.at, one.search), by, place.shown, info, sha256.as_deref());
    }
    Ok(())
}
