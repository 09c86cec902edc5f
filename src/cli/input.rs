// SPDX-License-Identifier: Apache-2.0
//! Files that are named on the command line, read within a bound.

use crate::error::{Error, Kind, Result};
use std::fs::File;
use std::io::Read;

/// The bytes of a file; `-` is standard input. Usage where it cannot be read, TooLarge beyond `bytes_max`.
pub fn read_file(file: &str, bytes_max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = bytes_max as u64 + 1;
    let read = match file {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        file => File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Error::usage(format!("Cannot read {file}: {error}")))?;
    match bytes.len() > bytes_max {
        true => Err(Error::new(Kind::TooLarge, format!("{file} is larger than {bytes_max} bytes"))),
        false => Ok(bytes),
    }
}
