// SPDX-License-Identifier: Apache-2.0
//! The tables of the original telemetrics-backend as PostgreSQL's `COPY` writes them: alone, or inside of what pg_dump
//! made. Both of its layouts are known: the one with a row of all texts (2018 and later), and the one before, whose
//! records name rows of `classification` and `build`.
//!
//! What the original kept otherwise than a post may say: `N/A` or nothing in a field that the format version lacks, no
//! system name (the record becomes one of format version 1), no platform (`blank|blank|blank`, what the client sends
//! then), no payload version (0), no capture time (that of the reception), parts of seconds (cut off).

use crate::guilty::Entry;
use crate::ingest::Limits;
use crate::model::crash::COMMENT_CHARS_MAX;
use crate::ops::import::draft::{Draft, Rejected, text_of, time};
use crate::ops::import::muster::Unknown;
use crate::store::ImportItem;
use std::borrow::Cow;
use std::collections::HashMap;

/// Most rows of the old layout's tables of names.
const NAMES_MAX: usize = 200_000;
/// Most bytes of a function's or module's name.
const FUNCTION_BYTES_MAX: usize = 2_000;
/// What the client sends where the firmware tells nothing.
const NO_HOST_TYPE: &str = "blank|blank|blank";

/// A table of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The records.
    Records,
    /// What is noted about guilties.
    Guilty,
    /// Functions that are never guilty.
    GuiltyBlacklisted,
    /// Names of the old layout.
    Classification,
    /// Names of the old layout.
    Build,
}

impl Table {
    const ALL: [Table; 5] =
        [Table::Records, Table::Guilty, Table::GuiltyBlacklisted, Table::Classification, Table::Build];

    /// Its name in the original.
    pub fn name(self) -> &'static str {
        match self {
            Table::Records => "records",
            Table::Guilty => "guilty",
            Table::GuiltyBlacklisted => "guilty_blacklisted",
            Table::Classification => "classification",
            Table::Build => "build",
        }
    }

    /// The table of a name.
    pub fn from_name(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The columns in the order in which the original's last layout has them, for a file that does not name them.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Table::Records => &[
                "id",
                "architecture",
                "bios_version",
                "board_name",
                "build",
                "classification",
                "cpu_model",
                "event_id",
                "external",
                "host_type",
                "kernel_version",
                "machine_id",
                "payload_version",
                "record_version",
                "severity",
                "system_name",
                "timestamp_client",
                "timestamp_server",
                "payload",
                "processed",
                "guilty_id",
            ],
            Table::Guilty => &["id", "function", "module", "comment", "hide"],
            Table::GuiltyBlacklisted => &["id", "function", "module"],
            Table::Classification => &["id", "classification", "domain", "probe"],
            Table::Build => &["id", "build"],
        }
    }

    /// True where a column means something here or is known to mean nothing.
    fn knows(self, column: &str) -> bool {
        let is_column = self.columns().contains(&column);
        let is_old = self == Table::Records && OLD_COLUMNS.contains(&column);
        is_column || is_old
    }
}

/// Columns of records in the old layout. Those from `buildstamp` on carry nothing for us.
const OLD_COLUMNS: [&str; 17] = [
    "machine",
    "os_name",
    "record_format_version",
    "payload_format_version",
    "tsp",
    "tsp_server",
    "backtrace",
    "classification_id",
    "build_id",
    "buildstamp",
    "guilty",
    "dupe_of",
    "dupecount",
    "dupemaster",
    "security",
    "hide",
    "icon",
];

/// The table that a reader is in.
#[derive(Clone, Debug)]
struct Within {
    table: Table,
    columns: Vec<String>,
}

#[derive(Clone, Debug)]
enum State {
    /// SQL text, between tables.
    Outside,
    /// Rows of a table.
    Rows(Within),
    /// Rows of a table that is left out.
    Skipped,
}

/// Reads lines one after the other.
#[derive(Debug)]
pub struct CopyReader {
    state: State,
    /// True where the file is rows of one table alone.
    is_bare: bool,
    /// What pg_dump writes first was read, and what it writes last was not.
    lacks_end: bool,
    classifications: HashMap<String, String>,
    builds: HashMap<String, String>,
    unknown: Unknown,
}

impl CopyReader {
    /// For what pg_dump made.
    pub fn of_dump() -> CopyReader {
        CopyReader {
            state: State::Outside,
            is_bare: false,
            lacks_end: false,
            classifications: HashMap::new(),
            builds: HashMap::new(),
            unknown: Unknown::default(),
        }
    }

    /// For the rows of one table alone. `first_line` may be a header with names of columns; else its number of cells
    /// tells the table where that is not given. The error says what is not understood.
    pub fn of_table(table: Option<Table>, first_line: &[u8]) -> Rejected<CopyReader> {
        let cells: Vec<Cow<'_, str>> = first_line.split(|byte| *byte == b'\t').map(text_of).collect();
        let table = match table {
            Some(table) => table,
            None => {
                let found = Table::ALL[..3].iter().find(|table| table.columns().len() == cells.len());
                *found.ok_or_else(|| {
                    format!(
                        "It has {} columns, as no table of the original; name it with --table",
                        cells.len()
                    )
                })?
            }
        };
        let is_head = cells.iter().all(|cell| table.knows(cell));
        let columns: Vec<String> = match is_head {
            true => cells.iter().map(|cell| cell.clone().into_owned()).collect(),
            false => table.columns().iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut reader = CopyReader { is_bare: true, ..CopyReader::of_dump() };
        reader.enter(table, columns)?;
        Ok(reader)
    }

    /// Why the file may not end here; none where it may.
    pub fn lacks(&self) -> Option<&'static str> {
        if self.is_bare {
            None
        } else if !matches!(self.state, State::Outside) {
            Some("It ends in the middle of a table")
        } else {
            self.lacks_end.then_some("It ends before the end that pg_dump writes")
        }
    }

    /// The statement that begins the table which a row just read is of.
    pub fn statement(&self) -> Option<String> {
        match &self.state {
            State::Rows(within) => {
                Some(format!("COPY {} ({}) FROM stdin;", within.table.name(), within.columns.join(", ")))
            }
            _ => None,
        }
    }

    /// What stands before a rejected row so that it can be read again: the statement, and in the old layout the names
    /// that the row means by numbers. Empty outside of a table.
    pub fn head(&self, line: &[u8]) -> String {
        let (State::Rows(within), Some(statement)) = (&self.state, self.statement()) else {
            return String::new();
        };
        let mut head = String::new();
        let cells: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
        for (table, column, names) in [
            (Table::Classification, "classification_id", &self.classifications),
            (Table::Build, "build_id", &self.builds),
        ] {
            let at = within.columns.iter().position(|name| name == column);
            let id = at
                .filter(|_| within.table == Table::Records)
                .and_then(|at| cells.get(at))
                .map(|id| text_of(id));
            if let Some((id, name)) = id.and_then(|id| names.get_key_value(id.as_ref())) {
                let table = table.name();
                let name = escaped(name);
                head.push_str(&format!("COPY {table} (id, {table}) FROM stdin;\n{id}\t{name}\n\\.\n"));
            }
        }
        head + &statement
    }

    /// Takes a line; none where it is no row. The outer error is about the file as a whole.
    pub fn line(
        &mut self,
        line: &[u8],
        is_skipped: bool,
        limits: &Limits<'_>,
    ) -> Rejected<Option<Rejected<ImportItem>>> {
        match &self.state {
            State::Outside => self.sql(line).map(|()| None),
            _ if line == b"\\." || line == b"\\.\r" => {
                if !self.is_bare {
                    self.state = State::Outside;
                }
                Ok(None)
            }
            State::Skipped => Ok(None),
            State::Rows(within) => {
                // A bare file may name its columns in its first line.
                let is_head = self.is_bare && line == within.columns.join("\t").as_bytes();
                let is_name = matches!(within.table, Table::Classification | Table::Build);
                if is_head || (is_skipped && !is_name) {
                    return Ok(None);
                }
                let within = within.clone();
                Ok(self.row(&within, line, limits).transpose())
            }
        }
    }

    fn sql(&mut self, line: &[u8]) -> Rejected<()> {
        let Ok(text) = std::str::from_utf8(line) else { return Ok(()) };
        let text = text.trim_end();
        match text {
            "-- PostgreSQL database dump" => self.lacks_end = true,
            "-- PostgreSQL database dump complete" => self.lacks_end = false,
            _ => {}
        }
        if let Some(("INSERT", rest)) = text.split_once(" INTO ") {
            let name = rest.split([' ', '(']).next().unwrap_or("");
            return match Table::from_name(&bare_name(name)) {
                Some(table) => Err(format!(
                    "It has INSERT statements for {}; make it with pg_dump's COPY, without --inserts",
                    table.name()
                )),
                None => Ok(()),
            };
        }
        let Some(rest) = text.strip_prefix("COPY ").and_then(|rest| rest.strip_suffix(" FROM stdin;")) else {
            return Ok(());
        };
        let (name, columns) = match rest.split_once(" (") {
            Some((name, columns)) => (name, columns.strip_suffix(')').unwrap_or(columns)),
            None => (rest, ""),
        };
        let Some(table) = Table::from_name(&bare_name(name)) else {
            log::info!("The table {} is left out", crate::model::filter::shortened(name));
            self.state = State::Skipped;
            return Ok(());
        };
        let columns = match columns {
            "" => table.columns().iter().map(|name| (*name).to_owned()).collect(),
            columns => columns.split(',').map(|column| bare_name(column.trim())).collect(),
        };
        self.enter(table, columns)
    }

    fn enter(&mut self, table: Table, columns: Vec<String>) -> Rejected<()> {
        let lacks = |names: &[&str]| !names.iter().any(|name| columns.iter().any(|column| column == name));
        let required: &[&[&str]] = match table {
            Table::Records => &[
                &["classification", "classification_id"],
                &["build", "build_id"],
                &["machine_id"],
                &["severity"],
                &["timestamp_server", "tsp_server"],
                &["payload", "backtrace"],
            ],
            Table::Guilty | Table::GuiltyBlacklisted => &[&["function"], &["module"]],
            Table::Classification => &[&["id"], &["classification"]],
            Table::Build => &[&["id"], &["build"]],
        };
        if let Some(missing) = required.iter().find(|names| lacks(names)) {
            return Err(format!("Its table {} lacks the column {}", table.name(), missing[0]));
        }
        for column in columns.iter().filter(|column| !table.knows(column)) {
            if self.unknown.note(&format!("{}.{column}", table.name())) {
                log::warn!(
                    "The column {} of {} is not known and left out",
                    crate::model::filter::shortened(column),
                    table.name()
                );
            }
        }
        self.state = State::Rows(Within { table, columns });
        Ok(())
    }

    fn row(&mut self, within: &Within, line: &[u8], limits: &Limits<'_>) -> Rejected<Option<ImportItem>> {
        let cells: Vec<Option<Vec<u8>>> = line.split(|byte| *byte == b'\t').map(unescaped).collect();
        if cells.len() != within.columns.len() {
            return Err(format!("It has {} columns, its table {}", cells.len(), within.columns.len()));
        }
        let row: HashMap<&str, Vec<u8>> = within
            .columns
            .iter()
            .map(String::as_str)
            .zip(cells)
            .filter_map(|(name, cell)| Some((name, cell?)))
            .collect();
        let text = |name: &str| row.get(name).map_or(Cow::Borrowed(""), |cell| text_of(cell));
        match within.table {
            Table::Records => self.record(&row, limits).map(Some),
            Table::Guilty => guilty(&text).map(Some),
            Table::GuiltyBlacklisted => blacklisted(&text).map(Some),
            Table::Classification => {
                note_name(&mut self.classifications, &text("id"), &text("classification"))
            }
            Table::Build => note_name(&mut self.builds, &text("id"), &text("build")),
        }
    }

    fn record(&self, row: &HashMap<&str, Vec<u8>>, limits: &Limits<'_>) -> Rejected<ImportItem> {
        let text = |names: [&str; 2]| first_of(row, names);
        let name = |column: &str, id: &str, known: &HashMap<String, String>| -> Rejected<String> {
            let value = text([column, column]);
            let number = text([id, id]);
            if !value.is_empty() || number.is_empty() {
                return Ok(value.into_owned());
            }
            let found = known.get(number.as_ref()).cloned();
            found.ok_or_else(|| format!("{id} {number} is not in the table {column} before it"))
        };
        let mut draft = Draft {
            received_at: time("timestamp_server", &text(["timestamp_server", "tsp_server"]))?,
            is_external: text(["external", "external"]) == "t",
            payload: payload(row),
            ..Draft::default()
        };
        let captured = match text(["timestamp_client", "tsp"]) {
            empty if empty.is_empty() => draft.received_at,
            captured => time("timestamp_client", &captured)?,
        };
        draft.set("creation_timestamp", captured.to_string());
        draft.set("classification", name("classification", "classification_id", &self.classifications)?);
        draft.set("build", name("build", "build_id", &self.builds)?);
        draft.set("system_name", text(["system_name", "os_name"]));
        draft.set("host_type", or(text(["host_type", "machine"]), NO_HOST_TYPE));
        draft.set("payload_format_version", or(text(["payload_version", "payload_format_version"]), "0"));
        draft.set("arch", text(["architecture", "architecture"]));
        for same in [
            "severity",
            "machine_id",
            "kernel_version",
            "board_name",
            "cpu_model",
            "bios_version",
            "event_id",
        ] {
            draft.set(same, text([same, same]));
        }
        let version = text(["record_version", "record_format_version"]);
        let version = version_of(&version, &draft);
        draft.set("record_format_version", version);
        draft.finish(limits)
    }
}

/// The first of two columns that has a value.
fn first_of<'a>(row: &'a HashMap<&str, Vec<u8>>, names: [&str; 2]) -> Cow<'a, str> {
    let cell = names.iter().find_map(|name| row.get::<str>(name).filter(|cell| !cell.is_empty()));
    cell.map_or(Cow::Borrowed(""), |cell| text_of(cell))
}

fn or<'a>(text: Cow<'a, str>, other: &'static str) -> Cow<'a, str> {
    if text.is_empty() { Cow::Borrowed(other) } else { text }
}

/// The format version: as stored, but 1 without a system name; where none is stored, by the fields that are there.
fn version_of(stored: &str, draft: &Draft) -> String {
    if draft.get("system_name").is_empty() {
        return "1".to_owned();
    }
    let is_there = |name: &str| !matches!(draft.get(name), "" | "N/A");
    match stored {
        "" | "0" if is_there("event_id") => "4".to_owned(),
        "" | "0" if is_there("cpu_model") || is_there("board_name") => "3".to_owned(),
        "" | "0" => "2".to_owned(),
        stored => stored.to_owned(),
    }
}

/// The payload. The old layout has it as bytes, and beside it a text that the original rewrote.
fn payload(row: &HashMap<&str, Vec<u8>>) -> String {
    let empty = Vec::new();
    let is_old = row.contains_key("backtrace");
    let payload = row.get("payload").filter(|payload| !(is_old && payload.is_empty()));
    let bytes = payload.or(row.get("backtrace")).unwrap_or(&empty);
    let from_hex = bytes.strip_prefix(b"\\x").filter(|_| is_old).and_then(unhex);
    text_of(from_hex.as_ref().unwrap_or(bytes)).into_owned()
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn guilty<'a>(text: &dyn Fn(&str) -> Cow<'a, str>) -> Rejected<ImportItem> {
    let (function, module) = function_and_module(text)?;
    let comment: String = text("comment").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let comment = comment.trim().to_owned();
    let chars = comment.chars().count();
    if chars > COMMENT_CHARS_MAX {
        return Err(format!("comment must have at most {COMMENT_CHARS_MAX} characters, not {chars}"));
    }
    Ok(ImportItem::Guilty { function, module, comment, is_hidden: text("hide") == "t" })
}

fn blacklisted<'a>(text: &dyn Fn(&str) -> Cow<'a, str>) -> Rejected<ImportItem> {
    let (function, module) = function_and_module(text)?;
    let entry = if module.is_empty() { function } else { format!("{function} [{module}]") };
    Entry::parse(&entry).map(ImportItem::Blacklisted).map_err(|error| error.message().to_owned())
}

fn function_and_module<'a>(text: &dyn Fn(&str) -> Cow<'a, str>) -> Rejected<(String, String)> {
    let function = text("function").trim().to_owned();
    let module = text("module").trim().to_owned();
    let module = match module.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.to_owned(),
        None => module,
    };
    if function.is_empty() {
        return Err("function is missing or empty".to_owned());
    }
    if function.len() > FUNCTION_BYTES_MAX || module.len() > FUNCTION_BYTES_MAX {
        return Err(format!("function and module must have at most {FUNCTION_BYTES_MAX} bytes each"));
    }
    Ok((function, module))
}

fn note_name(names: &mut HashMap<String, String>, id: &str, name: &str) -> Rejected<Option<ImportItem>> {
    if names.len() >= NAMES_MAX {
        return Err(format!("There are more than {NAMES_MAX} names"));
    }
    names.insert(id.to_owned(), name.to_owned());
    Ok(None)
}

/// A name without its schema and quotes.
fn bare_name(name: &str) -> String {
    name.rsplit('.').next().unwrap_or("").trim_matches('"').to_owned()
}

/// A text as a cell of COPY's text format.
fn escaped(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => cell.push_str("\\\\"),
            '\t' => cell.push_str("\\t"),
            '\n' => cell.push_str("\\n"),
            '\r' => cell.push_str("\\r"),
            other => cell.push(other),
        }
    }
    cell
}

/// A cell of COPY's text format; none for `\N`.
pub fn unescaped(cell: &[u8]) -> Option<Vec<u8>> {
    if cell == b"\\N" {
        return None;
    }
    let mut plain = Vec::with_capacity(cell.len());
    let mut at = 0;
    while let Some(&byte) = cell.get(at) {
        at += 1;
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let Some(&escaped) = cell.get(at) else {
            plain.push(b'\\');
            break;
        };
        let digits = |from: usize, most: usize, radix: u32| {
            let rest = cell.get(from..).unwrap_or(&[]);
            rest.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count()
        };
        let (from, length, radix) = match escaped {
            b'0'..=b'7' => (at, digits(at, 3, 8), 8),
            b'x' => (at + 1, digits(at + 1, 2, 16), 16),
            _ => (at, 0, 10),
        };
        let number = cell.get(from..from + length).and_then(|digits| std::str::from_utf8(digits).ok());
        match number.filter(|digits| !digits.is_empty()).and_then(|n| u32::from_str_radix(n, radix).ok()) {
            Some(number) => {
                // As PostgreSQL does: only the low eight bits count.
                plain.push((number & 0xff) as u8);
                at = from + length;
            }
            None => {
                plain.push(match escaped {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    other => other,
                });
                at += 1;
            }
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests;
