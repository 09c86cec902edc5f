// SPDX-License-Identifier: Apache-2.0
//! Lines of CSV (RFC 4180), and cells that a spreadsheet leaves alone.

use crate::error::{Error, Result};
use std::borrow::Cow;

/// One line with its CRLF.
pub fn line<T: AsRef<[u8]>>(cells: &[T]) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let cannot = |error: &dyn std::fmt::Display| Error::internal(format!("Cannot write CSV: {error}"));
    writer.write_record(cells).map_err(|error| cannot(&error))?;
    writer.into_inner().map_err(|error| cannot(&error))
}

/// A cell that a spreadsheet does not take for a formula: one that begins like one gets a `'` before it.
pub fn guarded(cell: &str) -> Cow<'_, str> {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{cell}").into(),
        false => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_begins_with_an_apostrophe() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "-"] {
            assert_eq!(guarded(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", " =1", "'=1", "1-1", "é"] {
            assert_eq!(guarded(cell), cell);
        }
    }

    #[test]
    fn a_cell_ends_neither_its_line_nor_itself() {
        let bytes = line(&["a,b", "say \"x\"", "one\r\ntwo", ""]).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "\"a,b\",\"say \"\"x\"\"\",\"one\r\ntwo\",\r\n");
    }
}
