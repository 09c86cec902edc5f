// SPDX-License-Identifier: Apache-2.0
//! A small tmpfs of our own in a mount namespace, that a server runs on and a test fills.
//!
//! ```text
//! unshare (holder) ── mounts the tmpfs, waits     test ── /proc/HOLDER/root/… ──> fills, frees, looks
//!        └── nsenter ── muster serve
//! ```
//!
//! The mount is seen in the namespace alone and is gone with its last process: nothing is left behind.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The mounted tmpfs.
pub struct SmallDisk {
    holder: Child,
    mount_point: tempfile::TempDir,
    is_root: bool,
}

impl SmallDisk {
    /// Mounts a tmpfs of so many bytes.
    pub fn mount(bytes: usize) -> SmallDisk {
        let is_root = rustix::process::geteuid().is_root();
        let mount_point = tempfile::tempdir().unwrap();
        let script = format!(
            "mount -t tmpfs -o size={bytes},mode=700 tmpfs '{}' && echo mounted && exec cat",
            mount_point.path().display()
        );
        let mut holder = Command::new("unshare")
            .args(if is_root { &["-m"][..] } else { &["-U", "-r", "-m"][..] })
            .args(["sh", "-c", &script])
            // It ends with its standard input: also where the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux is needed");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "a tmpfs cannot be mounted in a namespace of our own");
        SmallDisk { holder, mount_point, is_root }
    }

    /// The words before a program that shall see it.
    pub fn wrapper(&self) -> Vec<String> {
        let mut words =
            vec!["nsenter".to_owned(), format!("--target={}", self.holder.id()), "--mount".to_owned()];
        if !self.is_root {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words
    }

    /// Where a program in the namespace sees it.
    pub fn path(&self) -> PathBuf {
        self.mount_point.path().to_owned()
    }

    /// Where the test sees it.
    pub fn seen_from_outside(&self) -> PathBuf {
        let inside = self.mount_point.path().strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    fn filler(&self, name: &str) -> PathBuf {
        self.seen_from_outside().join(name)
    }

    /// Bytes that are free.
    pub fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.seen_from_outside()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Writes a file until `left` bytes are free; 0 takes the last page.
    pub fn fill_until(&self, name: &str, left: u64) {
        let mut file = File::options().append(true).create(true).open(self.filler(name)).unwrap();
        let page = [b'f'; 4096];
        while self.free_bytes() > left {
            match file.write_all(&page) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(self.free_bytes() <= left);
    }

    /// Removes what [`SmallDisk::fill_until`] wrote.
    pub fn free(&self, name: &str) {
        std::fs::remove_file(self.filler(name)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Every file below a directory with what it holds.
pub fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut bytes = Vec::new();
            File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}
