// SPDX-License-Identifier: Apache-2.0
//! A file to be imported: opened, known again by its beginning and size, unpacked where it is gzip.

use crate::error::{Error, Result};
use crate::model::filter::shortened;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of a file so much is looked at to know it again.
const KNOWN_BY_BYTES: u64 = 1 << 20;
/// Of what it holds so much is looked at to tell its format, and at least its first line.
const BEGINNING_BYTES: u64 = 64 << 10;
/// Some editors and spreadsheets put it before a text; it is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const BUFFER_BYTES: usize = 256 << 10;

/// An open file.
pub struct Source {
    /// As people know it, without control characters.
    pub name: String,
    /// What it is known by; none where it cannot be read twice, a pipe for one.
    pub digest: Option<[u8; 32]>,
    /// Its bytes; 0 where that is not known.
    pub total_bytes: u64,
    reader: Box<dyn Read>,
    read_bytes: Arc<AtomicU64>,
}

impl Source {
    /// Opens a file; `/dev/stdin` is standard input. Usage where it cannot be read.
    pub fn open(path: &str) -> Result<Source> {
        let name = if path == "/dev/stdin" { "standard input".to_owned() } else { shortened_path(path) };
        let cannot = |error: std::io::Error| Error::usage(format!("Cannot read {name}")).because(error);
        let mut file = File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if about.is_dir() {
            return Err(Error::usage(format!("{name} is a directory")));
        }
        let (mut digest, mut total_bytes) = (None, 0);
        if about.is_file() {
            total_bytes = about.len();
            let mut hash = Sha256::new();
            hash.update(total_bytes.to_le_bytes());
            let mut beginning = Vec::new();
            file.by_ref().take(KNOWN_BY_BYTES).read_to_end(&mut beginning).map_err(cannot)?;
            hash.update(&beginning);
            digest = Some(hash.finalize().into());
            file.rewind().map_err(cannot)?;
        }
        let read_bytes = Arc::<AtomicU64>::default();
        let mut packed =
            BufReader::with_capacity(BUFFER_BYTES, Counted { file, read: Arc::clone(&read_bytes) });
        let is_gzip = packed.fill_buf().map_err(cannot)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn Read> =
            if is_gzip { Box::new(MultiGzDecoder::new(packed)) } else { Box::new(packed) };
        Ok(Source { name, digest, total_bytes, reader, read_bytes })
    }

    /// The beginning of what it holds (behind a byte order mark), with its first line where that has at most `line_bytes_max`, and a reader of all
    /// that.
    pub fn into_parts(self, line_bytes_max: usize) -> (Vec<u8>, impl BufRead) {
        let mut reader = self.reader;
        let mut beginning = Vec::new();
        // A damaged file is told of when its rows are read.
        let failure = loop {
            let before = beginning.len();
            let failure = reader.by_ref().take(BEGINNING_BYTES).read_to_end(&mut beginning).err();
            let is_enough = beginning[before..].contains(&b'\n') || beginning.len() > line_bytes_max;
            if failure.is_some() || is_enough || beginning.len() == before {
                break failure;
            }
        };
        if beginning.starts_with(BYTE_ORDER_MARK) {
            beginning.drain(..BYTE_ORDER_MARK.len());
        }
        let rest: Box<dyn Read> = match failure {
            Some(error) => Box::new(Failing(Some(error))),
            None => reader,
        };
        let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(beginning.clone()).chain(rest));
        (beginning, whole)
    }

    /// Tells how many bytes of the file were read.
    pub fn read_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read_bytes)
    }
}

/// A file's name as a message shows it: its end, control characters escaped.
fn shortened_path(path: &str) -> String {
    const CHARS_MAX: usize = 200;
    let chars: Vec<char> = path.chars().flat_map(char::escape_debug).collect();
    let from = chars.len().saturating_sub(CHARS_MAX);
    let end: String = chars[from..].iter().collect();
    if end.is_empty() { shortened(path) } else { end }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Fails as a reader before it did.
struct Failing(Option<std::io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
