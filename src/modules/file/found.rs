// SPDX-License-Identifier: Apache-2.0
//! What a run has found so far, in MIG's form and within the bounds of its result.

use crate::modules::file::filter::{Filter, moment_text};
use crate::modules::file::parameters::Search;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Bytes of the result that are kept for statistics and errors.
const RESERVE_BYTES: usize = 4 * 1024;
/// Bytes of one error.
const ERROR_BYTES_MAX: usize = 500;
/// Paths of a search that are shown where it found nothing.
const PATHS_SHOWN_MAX: usize = 10;

/// What is told of a file.
#[derive(Clone, Debug)]
pub(super) struct FileInfo {
    pub(super) bytes: u64,
    /// As Go writes it.
    pub(super) mode: String,
    pub(super) modified_secs: i64,
    pub(super) modified_nanos: u32,
}

/// The findings of one search.
#[derive(Debug, Default)]
struct Findings {
    entries: Vec<Value>,
    /// What was told already: a path that lies in another one is walked twice. By number of the filter where each
    /// filter tells its own files.
    told: HashSet<(usize, PathBuf)>,
    /// Filters that found something.
    successful: HashSet<usize>,
}

/// All that was found.
#[derive(Debug)]
pub(super) struct Found {
    findings: Vec<Findings>,
    bytes_left: usize,
    errors: Vec<String>,
    errors_max: usize,
    errors_left_out: usize,
    pub(super) files: u64,
    pub(super) open_failures: u64,
    pub(super) is_full: bool,
}

impl Found {
    /// Nothing yet.
    pub(super) fn new(searches: &[Search], output_bytes_max: usize, ignored: Vec<String>) -> Found {
        let mut found = Found {
            findings: searches.iter().map(|_| Findings::default()).collect(),
            bytes_left: output_bytes_max.saturating_sub(RESERVE_BYTES),
            errors: Vec::new(),
            errors_max: searches.iter().map(|search| search.options.errors_max).max().unwrap_or(0),
            errors_left_out: 0,
            files: 0,
            open_failures: 0,
            is_full: false,
        };
        ignored.into_iter().for_each(|message| found.error(message));
        found
    }

    /// Notes an error, unless there are enough.
    pub(super) fn error(&mut self, mut message: String) {
        let mut end = ERROR_BYTES_MAX.min(message.len());
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        if self.errors.len() < self.errors_max && self.spend(message.len() + 16) {
            self.errors.push(message);
        } else {
            self.errors_left_out += 1;
        }
    }

    /// True where a search may tell of more files.
    pub(super) fn has_room(&self, at: usize, search: &Search) -> bool {
        !self.is_full && self.findings[at].entries.len() < search.options.matches_max
    }

    /// Tells of a file that a search found: by all its filters, or by one (its number and itself).
    pub(super) fn tell(
        &mut self,
        (at, search): (usize, &Search),
        by: Option<(usize, &Filter)>,
        path: &Path,
        info: &FileInfo,
        sha256: Option<&str>,
    ) {
        let filter_at = by.map_or(0, |(filter_at, _)| filter_at);
        let is_new = !self.findings[at].told.contains(&(filter_at, path.to_owned()));
        if !is_new || !self.has_room(at, search) {
            return;
        }
        let directory = path.parent().unwrap_or(path).to_string_lossy().into_owned();
        let mut fileinfo = json!({
            "size": info.bytes,
            "mode": info.mode,
            "lastmodified": moment_text(info.modified_secs, info.modified_nanos),
        });
        if let Some(sha256) = sha256 {
            fileinfo["sha256"] = Value::from(sha256);
        }
        let entry = json!({
            "file": path.to_string_lossy(),
            "search": search_json(search, by.map(|(_, filter)| filter), vec![directory]),
            "fileinfo": fileinfo,
        });
        if self.spend(entry.to_string().len() + 1) {
            let findings = &mut self.findings[at];
            findings.told.insert((filter_at, path.to_owned()));
            findings.successful.insert(filter_at);
            findings.entries.push(entry);
        } else {
            self.is_full = true;
        }
    }

    fn spend(&mut self, bytes: usize) -> bool {
        let rest = self.bytes_left.checked_sub(bytes);
        self.bytes_left = rest.unwrap_or(self.bytes_left);
        rest.is_some()
    }

    /// Files that were told.
    pub(super) fn hits(&self) -> usize {
        self.findings.iter().map(|findings| findings.entries.len()).sum()
    }

    /// The elements of the result: for each label its files in order, or one entry without a file where there are
    /// none.
    pub(super) fn elements(&mut self, searches: &[Search]) -> Value {
        let mut elements = Map::new();
        for (at, search) in searches.iter().enumerate() {
            let mut entries = std::mem::take(&mut self.findings[at].entries);
            entries.sort_by(|a, b| a["file"].as_str().cmp(&b["file"].as_str()));
            for missed in self.missed(at, search) {
                let paths = search.paths.iter().take(PATHS_SHOWN_MAX);
                let paths = paths.map(|path| path.to_string_lossy().into_owned()).collect();
                let entry = json!({
                    "file": "",
                    "search": search_json(search, missed, paths),
                    "fileinfo": {"size": 0, "mode": "", "lastmodified": ""},
                });
                if self.spend(entry.to_string().len() + search.label.len() + 6) {
                    entries.push(entry);
                }
            }
            elements.insert(search.label.clone(), Value::from(entries));
        }
        Value::from(elements)
    }

    /// The filters of a search that found nothing; none for all of them together.
    fn missed<'a>(&self, at: usize, search: &'a Search) -> Vec<Option<&'a Filter>> {
        let successful = &self.findings[at].successful;
        match search.options.is_match_all {
            true if successful.is_empty() => vec![None],
            true => Vec::new(),
            false => {
                let filters = search.filters.iter().enumerate();
                filters.filter(|(at, _)| !successful.contains(at)).map(|(_, filter)| Some(filter)).collect()
            }
        }
    }

    /// The errors, with a last one that tells how many were left out.
    pub(super) fn into_errors(mut self, more: Option<String>) -> Option<Vec<String>> {
        if self.is_full {
            self.errors.push("The result is full; files beyond it are left out".to_owned());
        }
        if self.errors_left_out > 0 {
            self.errors.push(format!("{} more errors are left out", self.errors_left_out));
        }
        self.errors.extend(more);
        (!self.errors.is_empty()).then_some(self.errors)
    }
}

/// What is repeated of a search beside each file: its options, and the one filter that matched where each matches for
/// itself.
fn search_json(search: &Search, by: Option<&Filter>, paths: Vec<String>) -> Value {
    let mut json = json!({
        "paths": paths,
        "options": {
            "maxdepth": 0,
            "matchall": search.options.is_match_all,
            "macroal": search.options.is_all_lines,
            "mismatch": search.options.mismatch,
            "matchlimit": 0,
        },
    });
    if !search.description.is_empty() {
        json["description"] = Value::from(search.description.as_str());
    }
    if let Some(filter) = by {
        json[filter.kind.key] = json!([filter.value]);
    }
    json
}
