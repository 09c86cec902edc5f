// SPDX-License-Identifier: Apache-2.0
//! Reading one file: line by line for content filters, whole for digests, never more than it had when it was opened.

use crate::modules::file::digest::DigestKind;
use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Instant;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A longer line is judged in pieces, each of which begins with the end of the one before.
const LINE_BYTES_MAX: usize = 1 << 20;
const OVERLAP_BYTES: usize = 4 * 1024;
/// Files of the kernel say that they are empty; so much of one is read.
const UNSIZED_BYTES_MAX: u64 = 1 << 20;

/// Why a file was not read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The time of the module is over.
    Deadline,
    /// It cannot be opened or read.
    Unreadable(String),
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::Unreadable(format!("Cannot read {}: {error}", path.display()))
}

/// Opens a regular file for reading, unpacked where it is gzipped and `decompresses` says so. Whatever else has come to
/// stand there is refused, and opening it does not wait.
pub(super) fn open(path: &Path, decompresses: bool) -> Result<Box<dyn Read>, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unreadable(path, &error))?;
    let mut file = File::from(opened);
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(unreadable(path, &"it is not a regular file"));
    }
    // A log that grows as fast as it is read would never end.
    let bytes_max = if metadata.len() == 0 { UNSIZED_BYTES_MAX } else { metadata.len() };
    if !decompresses {
        return Ok(Box::new(file.take(bytes_max)));
    }
    let mut magic = Vec::with_capacity(2);
    (&mut file).take(2).read_to_end(&mut magic).map_err(|error| unreadable(path, &error))?;
    let is_gzipped = magic == [0x1f, 0x8b];
    let whole = Cursor::new(magic).chain(file).take(bytes_max);
    // Unpacked it has no bound but the deadline, and is not kept.
    Ok(if is_gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Gives every line to `judge`, without its end, until that says `false`. Lines are never kept.
pub(super) fn each_line(
    path: &Path,
    reader: &mut dyn Read,
    deadline: Instant,
    judge: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), Fault> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut chunk = vec![0_u8; CHUNK_BYTES];
    // What of the buffer was already looked at for the end of a line.
    let mut seen = 0;
    loop {
        if Instant::now() >= deadline {
            return Err(Fault::Deadline);
        }
        let count = read_some(path, reader, &mut chunk)?;
        buffer.extend_from_slice(&chunk[..count]);
        let mut begin = 0;
        while let Some(at) = buffer[seen..].iter().position(|byte| *byte == b'\n') {
            let end = seen + at;
            if !judge(without_return(&buffer[begin..end])) {
                return Ok(());
            }
            begin = end + 1;
            seen = begin;
        }
        buffer.drain(..begin);
        seen = buffer.len();
        if count == 0 {
            if !buffer.is_empty() {
                judge(without_return(&buffer));
            }
            return Ok(());
        }
        if buffer.len() >= LINE_BYTES_MAX {
            if !judge(&buffer) {
                return Ok(());
            }
            buffer.drain(..buffer.len() - OVERLAP_BYTES);
            seen = buffer.len();
        }
    }
}

/// The digests of what the reader gives, in the order of `kinds`.
pub(super) fn digests(
    path: &Path,
    reader: &mut dyn Read,
    deadline: Instant,
    kinds: &[DigestKind],
) -> Result<Vec<Vec<u8>>, Fault> {
    let mut digesters: Vec<_> = kinds.iter().map(|kind| kind.begin()).collect();
    let mut chunk = vec![0_u8; CHUNK_BYTES];
    loop {
        if Instant::now() >= deadline {
            return Err(Fault::Deadline);
        }
        let count = read_some(path, reader, &mut chunk)?;
        if count == 0 {
            break;
        }
        digesters.iter_mut().for_each(|digester| digester.update(&chunk[..count]));
    }
    Ok(digesters.into_iter().map(|digester| digester.finalize().to_vec()).collect())
}

fn read_some(path: &Path, reader: &mut dyn Read, chunk: &mut [u8]) -> Result<usize, Fault> {
    loop {
        match reader.read(chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            outcome => return outcome.map_err(|error| unreadable(path, &error)),
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let later = Instant::now() + Duration::from_secs(60);
        each_line(Path::new("x"), &mut &bytes[..], later, &mut |line| {
            lines.push(line.to_vec());
            true
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_are_those_of_go() {
        let none: [&str; 0] = [];
        assert_eq!(lines(b""), none.map(Vec::from));
        assert_eq!(lines(b"a"), ["a"].map(Vec::from));
        assert_eq!(lines(b"a\n"), ["a"].map(Vec::from));
        assert_eq!(lines(b"a\r\n\nb\rc\n"), ["a", "", "b\rc"].map(Vec::from));
        assert_eq!(lines(b"\n\n"), ["", ""].map(Vec::from));
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_miss_nothing() {
        let mut bytes = vec![b'x'; 3 * LINE_BYTES_MAX];
        bytes.extend(b"\nend");
        // Across the place where the first piece ends.
        bytes[LINE_BYTES_MAX - 3..LINE_BYTES_MAX + 3].copy_from_slice(b"needle");
        let pieces = lines(&bytes);
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= LINE_BYTES_MAX + CHUNK_BYTES));
        assert!(pieces.iter().any(|piece| piece.windows(6).any(|part| part == b"needle")));
        assert_eq!(pieces.last().unwrap(), b"end");
    }

    #[test]
    fn a_reader_without_end_meets_the_deadline() {
        let soon = Instant::now() + Duration::from_millis(50);
        let endless = &mut std::io::repeat(b'a');
        assert_eq!(each_line(Path::new("x"), endless, soon, &mut |_| true), Err(Fault::Deadline));
        let digests = digests(Path::new("x"), endless, soon, &[DigestKind::Md5]);
        assert_eq!(digests, Err(Fault::Deadline));
    }
}
