// SPDX-License-Identifier: Apache-2.0
//! Going through the directories below the paths of the searches. Links to directories are not followed, links to files
//! are; file systems of the kernel are not entered, those of other hosts only where an option says so.

use crate::modules::file::contents::Fault;
use crate::modules::file::found::Found;
use crate::modules::file::inspect::{Place, inspect};
use crate::modules::file::parameters::Search;
use rustix::fs::statfs;
use std::fs::{DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Directories that wait to be entered.
const WAITING_MAX: usize = 200_000;

/// File systems that the kernel makes up: proc, sysfs, devpts, debugfs, tracefs, cgroups, bpf, securityfs, pstore,
/// configfs, selinuxfs, mqueue, binfmt_misc, fuse control.
const KERNEL_TYPES: &[u64] = &[
    0x9fa0,
    0x6265_6572,
    0x1cd1,
    0x6462_6720,
    0x7472_6163,
    0x27_e0eb,
    0x6367_7270,
    0xcafe_4a11,
    0x7363_6673,
    0x6165_676c,
    0x6265_6570,
    0xf97c_ff8c,
    0x1980_0202,
    0x4249_4e4d,
    0x6573_5543,
];
/// File systems of other hosts: NFS, SMB in three ages, Coda, AFS twice, Ceph, 9P, FUSE (which may be one).
const REMOTE_TYPES: &[u64] = &[
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x7375_7245,
    0x5346_414f,
    0x6b41_4653,
    0x00c3_6400,
    0x0102_1997,
    0x6573_5546,
];

struct Waiting {
    path: PathBuf,
    /// The level of what lies in it: 1 for the path of the searches itself.
    depth: usize,
    /// The file system.
    device: u64,
}

/// Goes through everything that the searches ask for. Fails only where the deadline is over.
pub(super) fn walk(searches: &[Search], deadline: Instant, found: &mut Found) -> Result<(), Fault> {
    let mut roots: Vec<&Path> = searches.iter().flat_map(|s| &s.paths).map(PathBuf::as_path).collect();
    roots.sort();
    roots.dedup();
    for root in roots {
        let of_root: Vec<(usize, &Search)> = searches
            .iter()
            .enumerate()
            .filter(|(_, search)| search.paths.iter().any(|path| path == root))
            .collect();
        walk_root(root, &of_root, deadline, found)?;
    }
    Ok(())
}

fn walk_root(
    root: &Path,
    searches: &[(usize, &Search)],
    deadline: Instant,
    found: &mut Found,
) -> Result<(), Fault> {
    let metadata = match root.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            found.open_failures += 1;
            found.error(format!("Cannot look at {}: {error}", root.display()));
            return Ok(());
        }
    };
    if metadata.is_symlink() {
        return follow(root, searches, deadline, found, true);
    }
    if metadata.is_file() {
        return inspect(searches, Place { shown: root, opened: root }, || Ok(metadata), deadline, found);
    }
    if !metadata.is_dir() {
        found.error(format!("{} is neither a directory nor a regular file", root.display()));
        return Ok(());
    }
    let mut waiting = vec![Waiting { path: root.to_owned(), depth: 1, device: metadata.dev() }];
    while let Some(directory) = waiting.pop() {
        let open: Vec<(usize, &Search)> = searches
            .iter()
            .copied()
            .filter(|(at, search)| directory.depth <= search.options.depth_max && found.has_room(*at, search))
            .collect();
        if !open.is_empty() {
            enter(&directory, &open, deadline, &mut waiting, found)?;
        }
    }
    Ok(())
}

fn enter(
    directory: &Waiting,
    searches: &[(usize, &Search)],
    deadline: Instant,
    waiting: &mut Vec<Waiting>,
    found: &mut Found,
) -> Result<(), Fault> {
    let entries = match directory.path.read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            found.open_failures += 1;
            found.error(format!("Cannot read {}: {error}", directory.path.display()));
            return Ok(());
        }
    };
    for entry in entries {
        if Instant::now() >= deadline {
            return Err(Fault::Deadline);
        }
        let kind = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)));
        let (entry, kind) = match kind {
            Ok(known) => known,
            Err(error) => {
                found.open_failures += 1;
                found.error(format!("Cannot read {}: {error}", directory.path.display()));
                // A directory that cannot be read on may say so for ever.
                return Ok(());
            }
        };
        let path = entry.path();
        if kind.is_dir() {
            let goes_deeper = searches.iter().any(|(_, search)| directory.depth < search.options.depth_max);
            if goes_deeper && may_enter(&entry, directory.device, searches, found) {
                push(waiting, entry_waiting(&entry, path, directory), found);
            }
        } else if kind.is_symlink() {
            follow(&path, searches, deadline, found, false)?;
        } else if kind.is_file() {
            let place = Place { shown: &path, opened: &path };
            inspect(searches, place, || entry.metadata(), deadline, found)?;
        }
    }
    Ok(())
}

fn entry_waiting(entry: &DirEntry, path: PathBuf, directory: &Waiting) -> Waiting {
    let device = entry.metadata().map_or(directory.device, |metadata| metadata.dev());
    Waiting { path, depth: directory.depth + 1, device }
}

fn push(waiting: &mut Vec<Waiting>, next: Waiting, found: &mut Found) {
    match waiting.len() < WAITING_MAX {
        true => waiting.push(next),
        false => found.error(format!("Too many directories wait, {} is left out", next.path.display())),
    }
}

/// True where a directory lies in the same file system as the one above it, or in one that may be entered.
fn may_enter(entry: &DirEntry, device: u64, searches: &[(usize, &Search)], found: &mut Found) -> bool {
    if entry.metadata().is_ok_and(|metadata| metadata.dev() == device) {
        return true;
    }
    match statfs(entry.path()) {
        Ok(stat) => {
            // The type is a signed number of the system's word size; only its lower half is used.
            let kind = u64::from(stat.f_type as u32);
            let is_remote = REMOTE_TYPES.contains(&kind);
            let enters_remote = searches.iter().any(|(_, search)| search.options.enters_remote);
            !KERNEL_TYPES.contains(&kind) && (!is_remote || enters_remote)
        }
        Err(error) => {
            found.open_failures += 1;
            found.error(format!("Cannot look at {}: {error}", entry.path().display()));
            false
        }
    }
}

/// Looks at what a link leads to. `is_root`: it is a path of a search, and told under the name of its end.
fn follow(
    link: &Path,
    searches: &[(usize, &Search)],
    deadline: Instant,
    found: &mut Found,
    is_root: bool,
) -> Result<(), Fault> {
    let end: std::io::Result<(PathBuf, Metadata)> =
        link.canonicalize().and_then(|end| end.symlink_metadata().map(|metadata| (end, metadata)));
    match end {
        Ok((end, metadata)) if metadata.is_file() => {
            let place = Place { shown: if is_root { &end } else { link }, opened: &end };
            inspect(searches, place, || Ok(metadata), deadline, found)
        }
        Ok((end, _)) if is_root => {
            let (link, end) = (link.display(), end.display());
            found.error(format!("warning: {link} is a link to {end} and was not followed"));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => {
            found.open_failures += 1;
            found.error(format!("Cannot follow the link {}: {error}", link.display()));
            Ok(())
        }
    }
}
