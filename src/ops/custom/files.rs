// SPDX-License-Identifier: Apache-2.0
//! The views directory: which views there are, read again where a file has changed.
//!
//! Every request looks at names, times and sizes; only what changed is parsed. Whatever stands in the
//! directory, the server goes on: what cannot be read is a view that says so, what is no view is passed over.

use crate::custom::{Definition, FILE_BYTES_MAX, Mistake, is_name, parse};
use crate::error::{Error, Result};
use crate::model::filter::shortened;
use crate::model::visible::plain;
use rustix::fs::OFlags;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most views.
pub const VIEWS_MAX: usize = 100;
/// Entries of the directory that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Pages of custom views made at once: each may take seconds, and the built-in ones must not wait for them.
const PAGES_MAX: usize = 8;

/// A view's file as it was read last.
#[derive(Debug)]
pub struct ViewFile {
    /// The view's name: that of the file without `.toml`.
    pub name: String,
    /// What it says, or what is wrong with it, at least one mistake.
    pub definition: Result<Definition, Vec<Mistake>>,
    /// A bit for each panel whose mistake is in the log.
    logged: AtomicU32,
}

impl ViewFile {
    fn new(name: &str, definition: Result<Definition, Vec<Mistake>>) -> ViewFile {
        ViewFile { name: name.to_owned(), definition, logged: AtomicU32::new(0) }
    }

    /// What the bar across the top calls it.
    pub fn tab(&self) -> &str {
        self.definition.as_ref().map_or(&self.name, |definition| &definition.tab)
    }

    /// Logs the mistake of a panel, once until the file changes.
    pub fn log_once(&self, panel: usize, title: &str, mistake: &Mistake) {
        let bit = 1_u32.checked_shl(u32::try_from(panel).unwrap_or(u32::MAX)).unwrap_or(0);
        if self.logged.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let title = shortened(title);
            log::warn!("Custom view {}.toml, panel {title}: {}", self.name, one_line(mistake));
        }
    }
}

/// What tells that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified_at: (i64, i64),
    changed_at: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Stamp {
        Stamp {
            inode: file.ino(),
            bytes: file.size(),
            modified_at: (file.mtime(), file.mtime_nsec()),
            changed_at: (file.ctime(), file.ctime_nsec()),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<String, (Stamp, Arc<ViewFile>)>,
    /// What was passed over, to be logged once.
    passed_over: BTreeSet<String>,
}

/// The views of a directory.
#[derive(Debug)]
pub struct CustomViews {
    dir: PathBuf,
    state: Mutex<State>,
    places_taken: AtomicUsize,
}

/// A page that is being made; given back when dropped.
#[derive(Debug)]
pub struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CustomViews {
    /// Those of `dir`, which need not be there.
    pub fn new(dir: PathBuf) -> CustomViews {
        CustomViews { dir, state: Mutex::default(), places_taken: AtomicUsize::new(0) }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All views in the order of their names, as their files are now.
    pub fn list(&self) -> Vec<Arc<ViewFile>> {
        let found = look(&self.dir);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for what in found.passed_over.difference(&state.passed_over) {
            log::warn!("Custom views: {what}");
        }
        state.passed_over = found.passed_over;
        state.known.retain(|name, _| found.views.contains_key(name));
        for (name, stamp) in found.views {
            if state.known.get(&name).is_none_or(|(known, _)| *known != stamp) {
                let file = Arc::new(read(&self.dir, &name));
                state.known.insert(name, (stamp, file));
            }
        }
        state.known.values().map(|(_, file)| Arc::clone(file)).collect()
    }

    /// What stands in the directory and is no view, each with the reason.
    pub fn passed_over(&self) -> Vec<String> {
        look(&self.dir).passed_over.into_iter().collect()
    }

    /// The view of this name, as its file is now; NotFound where there is none.
    pub fn find(&self, name: &str) -> Result<Arc<ViewFile>> {
        let file = self.list().into_iter().find(|file| file.name == name);
        file.ok_or_else(|| Error::not_found(format!("There is no custom view {}", shortened(name))))
    }

    /// A place among the pages that are made at once; Busy where none is free.
    pub fn take_place(&self) -> Result<Place<'_>> {
        let taken = self.places_taken.fetch_add(1, Ordering::Relaxed);
        // Dropped where it is not returned, which gives it back.
        let place = Place(&self.places_taken);
        match taken < PAGES_MAX {
            true => Ok(place),
            false => {
                let why = "Too many custom views are looked at at once; try again in a moment";
                Err(Error::busy(why).quiet())
            }
        }
    }
}

#[derive(Default)]
struct Found {
    views: BTreeMap<String, Stamp>,
    passed_over: BTreeSet<String>,
}

fn look(dir: &Path) -> Found {
    let mut found = Found::default();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return found,
        Err(error) => {
            found.passed_over.insert(format!("the directory {} cannot be read: {error}", dir.display()));
            return found;
        }
    };
    for entry in entries.take(ENTRIES_MAX).filter_map(std::result::Result::ok) {
        let file_name = entry.file_name();
        let Some(name) = Path::new(&file_name).file_stem().map(|stem| stem.to_string_lossy().into_owned())
        else {
            continue;
        };
        if !file_name.as_encoded_bytes().ends_with(b".toml") || name.starts_with('.') {
            continue;
        }
        if !is_name(&name) {
            let name = shortened(&file_name.to_string_lossy());
            found
                .passed_over
                .insert(format!("{name} is passed over: a view's name is 1 to 40 of a-z, 0-9 and -"));
            continue;
        }
        // Of a link its own stamp counts; one that has just gone is no view.
        if let Ok(file) = entry.metadata() {
            found.views.insert(name, Stamp::of(&file));
        }
    }
    while found.views.len() > VIEWS_MAX {
        if let Some((name, _)) = found.views.pop_last() {
            found
                .passed_over
                .insert(format!("{name}.toml is passed over: there are more than {VIEWS_MAX} views"));
        }
    }
    // So many names in the log say enough.
    while found.passed_over.len() > VIEWS_MAX {
        found.passed_over.pop_last();
    }
    found
}

fn read(dir: &Path, name: &str) -> ViewFile {
    let file = ViewFile::new(name, read_view(&dir.join(format!("{name}.toml"))));
    match &file.definition {
        Ok(_) => log::debug!("Custom view {name}.toml is read"),
        Err(mistakes) => {
            for mistake in mistakes.iter().take(10) {
                log::warn!("Custom view {name}.toml: {}", one_line(mistake));
            }
        }
    }
    file
}

/// Reads a view's file. Err: what is wrong, at least one mistake; one of line 0 is of the file itself.
pub fn read_view(path: &Path) -> Result<Definition, Vec<Mistake>> {
    let of_file = |message: String| vec![Mistake { line: 0, column: 0, message }];
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink()) => {
            return Err(of_file(format!("It is a symbolic link; copy the file here instead ({error})")));
        }
        Err(error) => return Err(of_file(format!("It cannot be read: {error}"))),
    };
    let text = match read_text(&file) {
        Ok(text) => text,
        Err(message) => return Err(of_file(message)),
    };
    parse(&text)
}

fn read_text(file: &File) -> Result<String, String> {
    let is_file = file.metadata().is_ok_and(|file| file.is_file());
    if !is_file {
        return Err("It is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("It cannot be read: {error}"))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("It is larger than {} KiB", FILE_BYTES_MAX >> 10));
    }
    String::from_utf8(bytes).map_err(|_| "It is not UTF-8".to_owned())
}

/// A mistake in one line of the log, whatever the file put into it.
fn one_line(mistake: &Mistake) -> String {
    plain(&mistake.to_string().chars().take(500).collect::<String>())
}
