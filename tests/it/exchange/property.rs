// SPDX-License-Identifier: Apache-2.0
//! Whatever a record holds, its line is read back as the same record.

use crate::store::{NOW, record};
use muster::ingest::{self, Limits};
use muster::model::record::{NewRecord, Record};
use muster::ops::export::Format;
use muster::ops::import::muster::{CsvHead, Unknown, from_json};
use muster::ops::import::rows::{RawRows, Shape};
use muster::store::ImportItem;
use proptest::prelude::*;

const LIMITS: Limits<'static> = Limits { tids: &[], payload_bytes_max: 1 << 20 };

fn read_back(format: Format, lines: &[u8]) -> Vec<(NewRecord, i64)> {
    let shape = if format == Format::Csv { Shape::Csv } else { Shape::Lines };
    let mut rows = RawRows::new(lines, shape, 1 << 23);
    let mut head = None;
    let mut found = Vec::new();
    while let Some(row) = rows.next_row() {
        let item = match (format, &head) {
            (Format::Ndjson, _) => from_json(&row.bytes, &LIMITS, &mut Unknown::default()),
            (Format::Csv, None) => {
                head = Some(CsvHead::read(row.bytes.trim_ascii_end(), &mut Unknown::default()).unwrap());
                None
            }
            (Format::Csv, Some(head)) => head.item(&row.bytes, &LIMITS),
        };
        match item {
            Some(Ok(ImportItem::Record(record, at))) => found.push((*record, at)),
            None => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

/// A record as a post may bring it, or none.
fn validated(texts: &[String], version: u8) -> Option<NewRecord> {
    let good = record(u64::from(version));
    let or =
        |text: &String, other: &str| if text.trim().is_empty() { other.to_owned() } else { text.clone() };
    let values = [
        ("record_format_version", version.to_string()),
        ("classification", format!("a/b/{}", or(&texts[0], "c").replace('/', ""))),
        ("severity", "2".to_owned()),
        ("machine_id", or(&texts[1], &good.machine_id)),
        ("creation_timestamp", NOW.to_string()),
        ("arch", good.arch.clone()),
        ("host_type", or(&texts[2], "x")),
        ("build", "b-1.2".to_owned()),
        ("kernel_version", format!("6.1{}", texts[3])),
        ("payload_format_version", "4294967295".to_owned()),
        ("system_name", or(&texts[4], "os")),
        ("board_name", texts[5].clone()),
        ("cpu_model", texts[3].clone()),
        ("bios_version", texts[2].clone()),
        ("event_id", good.event_id.unwrap().to_string()),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let payload = texts.concat();
    let length = payload.len();
    ingest::accept_values(values, payload, length, version == 3, &LIMITS).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_line_is_read_back_as_the_record_that_it_was(
        texts in prop::collection::vec("[\"',\\\\ \r\n\t\0#=é\u{a0}ÿ✓a1/.]{0,12}|\\PC{0,12}", 6..=6),
        version in 1_u8..=4,
        at in 0_i64..=253_402_300_799,
    ) {
        let Some(content) = validated(&texts, version) else { return Ok(()) };
        let record = Record { id: 7, received_at: at, content };
        for format in [Format::Ndjson, Format::Csv] {
            let mut lines = format.head().unwrap();
            lines.extend(format.line(&record).unwrap());
            lines.extend(format.line(&record).unwrap());
            let expected = (record.content.clone(), at);
            prop_assert_eq!(read_back(format, &lines), vec![expected.clone(), expected]);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = from_json(&bytes, &LIMITS, &mut Unknown::default());
        let _ = muster::ops::import::rows::csv_cells(&bytes);
        let _ = muster::ops::import::postgres::unescaped(&bytes);
        let mut reader = muster::ops::import::postgres::CopyReader::of_dump();
        for line in bytes.split(|byte| *byte == b'\n') {
            let _ = reader.line(line, false, &LIMITS);
        }
    }
}
