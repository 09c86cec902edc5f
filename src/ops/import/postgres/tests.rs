// SPDX-License-Identifier: Apache-2.0
//! Cells and lines of COPY text.

use super::*;

fn limits(tids: &[String]) -> Limits<'_> {
    Limits { tids, payload_bytes_max: 1_000 }
}

fn read(reader: &mut CopyReader, line: &str) -> Rejected<Option<Rejected<ImportItem>>> {
    reader.line(line.as_bytes(), false, &limits(&[]))
}

#[test]
fn every_escape_of_copy_is_undone() {
    let cases: &[(&[u8], Option<&[u8]>)] = &[
        (b"\\N", None),
        (b"", Some(b"")),
        (b"\\\\N", Some(b"\\N")),
        (b"a\\tb\\nc\\rd\\\\e\\bf\\fg\\v", Some(b"a\tb\nc\rd\\e\x08f\x0cg\x0b")),
        (b"\\101\\60x\\7", Some(b"A0x\x07")),
        (b"\\x41\\x4g\\xg", Some(b"A\x04gxg")),
        (b"\\q\\.", Some(b"q.")),
        (b"\\777", Some(b"\xff")),
        (b"end\\", Some(b"end\\")),
    ];
    for (cell, expected) in cases {
        assert_eq!(unescaped(cell).as_deref(), *expected, "{}", String::from_utf8_lossy(cell));
    }
}

#[test]
fn tables_begin_and_end_and_others_are_left_out() {
    let mut reader = CopyReader::of_dump();
    for line in ["--", "SET x = 1;", "COPY public.alembic_version (version_num) FROM stdin;", "ac1c5921bf2f"]
    {
        assert!(read(&mut reader, line).unwrap().is_none(), "{line}");
    }
    assert_eq!(reader.lacks(), Some("It ends in the middle of a table"));
    assert!(read(&mut reader, "\\.").unwrap().is_none());
    assert_eq!(reader.lacks(), None);
    read(&mut reader, "COPY public.guilty_blacklisted (id, module, function) FROM stdin;").unwrap();
    let found = read(&mut reader, "1\t[libc.so.6]\traise()").unwrap().unwrap().unwrap();
    assert!(matches!(found, ImportItem::Blacklisted(entry) if entry.to_string() == "raise [libc.so.6]"));
    assert!(read(&mut reader, "1\t2").unwrap().unwrap().unwrap_err().contains("2 columns, its table 3"));
    assert!(read(&mut reader, "1\tm\t").unwrap().unwrap().unwrap_err().contains("function"));
}

#[test]
fn what_cannot_be_imported_is_refused_as_a_whole() {
    let mut reader = CopyReader::of_dump();
    let inserts = read(&mut reader, "INSERT INTO public.records VALUES (1);").unwrap_err();
    assert!(inserts.contains("--inserts"), "{inserts}");
    let lacking = read(&mut reader, "COPY records (id, build) FROM stdin;").unwrap_err();
    assert!(lacking.contains("lacks the column classification"), "{lacking}");
    assert!(CopyReader::of_table(None, b"1\t2").unwrap_err().contains("--table"));
}

#[test]
fn a_table_alone_is_known_by_its_number_of_columns_or_its_header() {
    let mut reader = CopyReader::of_table(None, b"7\tf()\tm\tnote\tt").unwrap();
    let found = read(&mut reader, "7\tf()\tm\tnote\tt").unwrap().unwrap().unwrap();
    assert!(matches!(found, ImportItem::Guilty { is_hidden: true, .. }));
    let header = "function\tmodule";
    let mut reader = CopyReader::of_table(Some(Table::GuiltyBlacklisted), header.as_bytes()).unwrap();
    assert!(read(&mut reader, header).unwrap().is_none());
    assert!(read(&mut reader, "f\tm").unwrap().unwrap().is_ok());
}

#[test]
fn a_payload_of_the_old_layout_is_bytes() {
    let row =
        |payload: &[u8]| HashMap::from([("payload", payload.to_vec()), ("backtrace", b"rewritten".to_vec())]);
    assert_eq!(payload(&row(b"\\x68c3a9")), "hé");
    assert_eq!(payload(&row(b"\\x68e9")), "hé");
    assert_eq!(payload(&row(b"\\x6")), "\\x6");
    assert_eq!(payload(&row(b"")), "rewritten");
    let new = HashMap::from([("payload", b"\\x68".to_vec())]);
    assert_eq!(payload(&new), "\\x68");
}
