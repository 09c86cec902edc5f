// SPDX-License-Identifier: Apache-2.0
//! Rows of muster's own export and of its API: NDJSON and CSV with the same names.

use crate::ingest::Limits;
use crate::model::record_row::COLUMNS;
use crate::ops::import::draft::{Draft, Rejected, text_of, time};
use crate::ops::import::rows::csv_cells;
use crate::store::ImportItem;
use serde_json::Value;
use std::collections::BTreeSet;

/// Columns without which there is no record.
const REQUIRED: [&str; 9] = [
    "arch",
    "build",
    "classification",
    "kernel_version",
    "machine_id",
    "machine_type",
    "payload",
    "severity",
    "record_format_version",
];

/// Unknown names that are remembered, to be told.
const UNKNOWN_MAX: usize = 20;

/// The names that were met and mean nothing here.
#[derive(Debug, Default)]
pub struct Unknown(BTreeSet<String>);

impl Unknown {
    /// Notes a name; true where it is to be told of.
    pub fn note(&mut self, name: &str) -> bool {
        self.0.len() < UNKNOWN_MAX && self.0.insert(name.to_owned())
    }
}

fn tell(unknown: &mut Unknown, name: &str) {
    if unknown.note(name) {
        log::warn!("The field {} is not known and left out", crate::model::filter::shortened(name));
    }
}

/// A line of NDJSON; none where it is empty or a comment.
pub fn from_json(line: &[u8], limits: &Limits<'_>, unknown: &mut Unknown) -> Option<Rejected<ImportItem>> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    Some(read_json(line, unknown).and_then(|draft| draft.finish(limits)))
}

fn read_json(line: &[u8], unknown: &mut Unknown) -> Rejected<Draft> {
    let members: serde_json::Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("It is not a JSON object: {error}"))?;
    for name in REQUIRED {
        if matches!(members.get(name), None | Some(Value::Null)) {
            return Err(format!("{name} is missing"));
        }
    }
    let mut draft = Draft::default();
    let mut has_times = [false; 2];
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(is) => is.to_string(),
            Value::Null => continue,
            _ => return Err(format!("{name} must be a text or a number")),
        };
        put(&mut draft, &mut has_times, &name, text, unknown)?;
    }
    whole(draft, has_times)
}

fn put(
    draft: &mut Draft,
    has_times: &mut [bool; 2],
    name: &str,
    text: String,
    unknown: &mut Unknown,
) -> Rejected<()> {
    match name {
        "id" => {}
        "payload" => draft.payload = text,
        "ts_capture" => {
            has_times[0] = true;
            draft.set("creation_timestamp", time(name, &text)?.to_string());
        }
        "ts_reception" => {
            has_times[1] = true;
            draft.received_at = time(name, &text)?;
        }
        "external" => {
            draft.is_external = match text.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err("external must be true or false".to_owned()),
            }
        }
        "machine_type" => draft.set("host_type", text),
        name if COLUMNS.contains(&name) => draft.set(name, text),
        name => tell(unknown, name),
    }
    Ok(())
}

fn whole(draft: Draft, has_times: [bool; 2]) -> Rejected<Draft> {
    match has_times {
        [true, true] => Ok(draft),
        [false, _] => Err("ts_capture is missing".to_owned()),
        _ => Err("ts_reception is missing".to_owned()),
    }
}

/// The columns of a CSV file.
#[derive(Debug)]
pub struct CsvHead {
    /// As it stands in the file.
    pub row: Vec<u8>,
    columns: Vec<String>,
}

impl CsvHead {
    /// Reads the header line; the error names what it lacks.
    pub fn read(row: &[u8], unknown: &mut Unknown) -> Rejected<CsvHead> {
        let cells = csv_cells(row).ok_or_else(|| "Its first line is no header of CSV".to_owned())?;
        let columns: Vec<String> = cells.iter().map(|cell| text_of(cell).into_owned()).collect();
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .chain(["ts_capture", "ts_reception"])
            .filter(|name| !columns.iter().any(|column| column == name))
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "Its header lacks {}; the table of a page has no more, `muster export --format csv` has all",
                missing.join(", ")
            ));
        }
        let repeated = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name));
        if let Some((_, name)) = repeated {
            return Err(format!("Its header has {} twice", crate::model::filter::shortened(name)));
        }
        for column in columns.iter().filter(|column| !COLUMNS.contains(&column.as_str())) {
            tell(unknown, column);
        }
        Ok(CsvHead { row: row.to_owned(), columns })
    }

    /// True where a row that begins with `#` is a comment: where the first cell of a record is a number.
    pub fn has_comments(&self) -> bool {
        self.columns[0] == "id"
    }

    /// A record of the file; none where it is a comment or the header once more.
    pub fn item(&self, row: &[u8], limits: &Limits<'_>) -> Option<Rejected<ImportItem>> {
        let is_comment = row.starts_with(b"#") && self.has_comments();
        if is_comment || row.trim_ascii().is_empty() || row == self.row {
            return None;
        }
        Some(self.draft(row).and_then(|draft| draft.finish(limits)))
    }

    fn draft(&self, row: &[u8]) -> Rejected<Draft> {
        let cells = csv_cells(row).ok_or_else(|| "Its quotes are not those of CSV".to_owned())?;
        if cells.len() != self.columns.len() {
            return Err(format!("It has {} cells, its header {}", cells.len(), self.columns.len()));
        }
        let mut draft = Draft::default();
        let mut has_times = [false; 2];
        for (name, cell) in self.columns.iter().zip(cells) {
            // An empty cell is no value; an empty payload is one.
            if COLUMNS.contains(&name.as_str()) && !cell.is_empty() {
                let text = text_of(&cell).into_owned();
                put(&mut draft, &mut has_times, name, text, &mut Unknown::default())?;
            }
        }
        whole(draft, has_times)
    }
}
