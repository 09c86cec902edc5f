// SPDX-License-Identifier: Apache-2.0
//! A file cut into rows: lines, or CSV records whose quoted cells may hold line ends. However long a row is, only its
//! beginning is kept in memory.

use std::io::BufRead;

/// Of a row that is too long so much is kept, to be shown among the rejects.
const KEPT_BYTES: usize = 64 << 10;

/// How rows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With a line feed.
    Lines,
    /// With a line feed outside of double quotes.
    Csv,
}

/// A row as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRow {
    /// Without its line feed.
    pub bytes: Vec<u8>,
    /// Where it begins.
    pub begin: u64,
    /// Where the next begins.
    pub end: u64,
    /// The number of its first line, from 1.
    pub line: u64,
    /// And of its last.
    pub last_line: u64,
    /// False where the file ends in the middle of it, or at least without a line feed.
    pub is_ended: bool,
    /// True where it is longer than allowed; `bytes` is its beginning then.
    pub is_too_long: bool,
}

/// Reads rows.
pub struct RawRows<R> {
    reader: R,
    shape: Shape,
    bytes_max: usize,
    has_comments: bool,
    offset: u64,
    line: u64,
    failure: Option<std::io::Error>,
}

impl<R: BufRead> RawRows<R> {
    /// Rows of at most `bytes_max` bytes.
    pub fn new(reader: R, shape: Shape, bytes_max: usize) -> RawRows<R> {
        RawRows { reader, shape, bytes_max, has_comments: true, offset: 0, line: 1, failure: None }
    }

    /// Whether a row that begins with `#` is a comment, in which quotes mean nothing; so it is at first.
    pub fn set_comments(&mut self, has_comments: bool) {
        self.has_comments = has_comments;
    }

    /// Why reading ended before the end of the file, a damaged gzip file for one.
    pub fn failure(&self) -> Option<&std::io::Error> {
        self.failure.as_ref()
    }

    /// The next row; none at the end of the file or where it cannot be read on.
    pub fn next_row(&mut self) -> Option<RawRow> {
        let mut row = RawRow { begin: self.offset, line: self.line, ..RawRow::default() };
        let mut is_quoted = false;
        while !row.is_ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            if chunk.is_empty() {
                break;
            }
            let line_end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..line_end.unwrap_or(chunk.len())];
            let first = row.bytes.first().or(part.first());
            let is_comment = self.has_comments && first == Some(&b'#');
            if self.shape == Shape::Csv
                && !is_comment
                && part.iter().filter(|byte| **byte == b'"').count() % 2 == 1
            {
                is_quoted = !is_quoted;
            }
            // Quotes mean nothing any more in a row that is given up.
            let goes_on = is_quoted && !row.is_too_long;
            row.is_ended = line_end.is_some() && !goes_on;
            let used = part.len() + usize::from(line_end.is_some());
            let kept = if row.is_ended { part.len() } else { used };
            keep(&mut row, &chunk[..kept], self.bytes_max);
            self.offset += used as u64;
            row.last_line = self.line;
            self.line += u64::from(line_end.is_some());
            self.reader.consume(used);
        }
        row.end = self.offset;
        (row.is_ended || row.end > row.begin).then_some(row)
    }
}

fn keep(row: &mut RawRow, part: &[u8], bytes_max: usize) {
    if !row.is_too_long {
        row.bytes.extend_from_slice(part);
    }
    if row.bytes.len() > bytes_max {
        row.is_too_long = true;
        row.bytes.truncate(KEPT_BYTES.min(bytes_max));
        row.bytes.shrink_to_fit();
    }
}

/// The cells of a CSV record; none where quotes stand where none may.
pub fn csv_cells(row: &[u8]) -> Option<Vec<Vec<u8>>> {
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let mut cell = Vec::new();
        if row.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match (row.get(at)?, row.get(at + 1)) {
                    (b'"', Some(b'"')) => {
                        cell.push(b'"');
                        at += 2;
                    }
                    (b'"', _) => break,
                    (byte, _) => {
                        cell.push(*byte);
                        at += 1;
                    }
                }
            }
            at += 1;
        } else {
            let length = row[at..].iter().take_while(|byte| **byte != b',').count();
            cell.extend_from_slice(&row[at..at + length]);
            if cell.contains(&b'"') {
                return None;
            }
            at += length;
        }
        cells.push(cell);
        match row.get(at) {
            None => return Some(cells),
            Some(b',') => at += 1,
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], shape: Shape, bytes_max: usize) -> Vec<RawRow> {
        // A buffer of three bytes, so that everything is parted somewhere.
        let mut rows = RawRows::new(std::io::BufReader::with_capacity(3, text), shape, bytes_max);
        std::iter::from_fn(|| rows.next_row()).collect()
    }

    #[test]
    fn rows_know_where_they_are_and_whether_they_are_whole() {
        let found = rows(b"ab\n\ncd\r\nef", Shape::Lines, 100);
        let told: Vec<_> =
            found.iter().map(|row| (&row.bytes[..], row.begin, row.end, row.line, row.is_ended)).collect();
        assert_eq!(
            told,
            [
                (&b"ab"[..], 0, 3, 1, true),
                (b"", 3, 4, 2, true),
                (b"cd\r", 4, 8, 3, true),
                (b"ef", 8, 10, 4, false)
            ]
        );
    }

    #[test]
    fn a_line_end_in_quotes_does_not_end_a_csv_record() {
        let text = b"a,\"x\r\ny \"\" z\",b\r\nc,d,e\r\n";
        let found = rows(text, Shape::Csv, 100);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].line, 3);
        assert_eq!(csv_cells(&found[0].bytes).unwrap(), [&b"a"[..], b"x\r\ny \" z", b"b"]);
        assert_eq!(csv_cells(&found[1].bytes).unwrap(), [b"c", b"d", b"e"]);
    }

    #[test]
    fn a_quote_in_a_comment_opens_nothing() {
        let text = b"# line 4: a \" quote\n1,\"x\ny\"\n#,\"z\n\"\n";
        let found = rows(text, Shape::Csv, 100);
        let lines: Vec<_> = found.iter().map(|row| (row.line, row.last_line)).collect();
        assert_eq!(lines, [(1, 1), (2, 3), (4, 4), (5, 5)]);
        let mut without = RawRows::new(&text[28..], Shape::Csv, 100);
        without.set_comments(false);
        assert_eq!(std::iter::from_fn(|| without.next_row()).map(|row| row.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_row_that_is_too_long_is_cut_and_the_next_is_found() {
        let long = vec![b'x'; 200_000];
        let text = [b"\"".as_slice(), &long, b"\nnext\n"].concat();
        for shape in [Shape::Lines, Shape::Csv] {
            let found = rows(&text, shape, 100_000);
            assert!(found[0].is_too_long && found[0].bytes.len() == KEPT_BYTES, "{shape:?}");
            assert_eq!((found.len(), &found[1].bytes[..]), (2, &b"next"[..]), "{shape:?}");
        }
    }

    #[test]
    fn cells_are_read_strictly() {
        assert_eq!(csv_cells(b"").unwrap(), [b""]);
        assert_eq!(csv_cells(b"\"\",,\"a,b\"").unwrap(), [&b""[..], b"", b"a,b"]);
        for bad in [&b"a\"b"[..], b"\"a", b"\"a\"b,c", b"\"a\"\"", b"\""] {
            assert_eq!(csv_cells(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
