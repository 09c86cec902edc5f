// SPDX-License-Identifier: Apache-2.0
//! The tables of the original telemetrics-backend.

use super::{count, exported, muster, stderr};
use crate::store::{assert_counts_are_exact, database};
use std::path::{Path, PathBuf};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exchange").join(name)
}

/// Imports a copy of a sample, beside which the rejects go.
fn import(directory: &Path, data: &Path, name: &str, words: &[&str]) -> (String, String, String) {
    let file = directory.join(name);
    std::fs::copy(sample(name), &file).unwrap();
    let mut all = vec!["import", file.to_str().unwrap()];
    all.extend(words);
    let output = muster(data, &all);
    let rejects = std::fs::read_to_string(format!("{}.rejects", file.display())).unwrap_or_default();
    (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output), rejects)
}

#[test]
fn a_dump_brings_records_comments_and_the_blacklist() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (said, errors, rejects) = import(directory.path(), &data, "original.sql", &[]);
    // 4 records, 3 guilties of which one says nothing new, 2 entries of which one is shipped.
    assert!(said.contains("9 rows stored, 1 known, 5 rejected"), "{said}{errors}");
    let rows = exported(&data);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["payload"], "hello\n\tworld\\n\\N\\.\r\n");
    assert_eq!(rows[0]["ts_reception"], "2018-09-15T08:26:50Z");
    assert_eq!(rows[0]["event_id"], "84dcb7c607ee90b2cae721fbcd896b5f");
    let first_version = &rows[1];
    assert_eq!(first_version["record_format_version"], 1);
    assert_eq!(first_version["payload"], "\u{8}\u{c}\u{b}\\x41 é");
    assert_eq!(first_version["machine_type"], "blank|blank|blank");
    assert_eq!(first_version["ts_capture"], first_version["ts_reception"]);
    assert_eq!((&rows[2]["external"], &rows[2]["cpu_model"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!((&rows[3]["board_name"], &rows[3]["payload"]), (&"".into(), &"".into()));
    for reason in [
        "build must be",
        "classification must be",
        "timestamp_client must be",
        "comment must have",
        "function is missing",
    ] {
        assert!(rejects.contains(reason) && errors.contains(reason), "{reason}: {rejects}");
    }
    // Both functions above it are never guilty: one by the shipped list, one by the entry that came along.
    let guilty =
        "SELECT count(*) FROM crash_totals t JOIN functions f ON f.id = t.guilty_id WHERE f.name = 'main'";
    let noted =
        "SELECT count(*) FROM functions WHERE name = 'g_assertion_message' AND comment = 'known since 3.2'";
    assert_eq!(count(&data, "SELECT count(*) FROM functions WHERE is_hidden = 1 AND name = 'noise'"), 1);
    assert_eq!(
        count(&data, "SELECT count(*) FROM blacklist WHERE entry IN ('anywhere', 'my_abort [libmy.so.1]')"),
        2
    );
    assert_eq!(count(&data, "SELECT count(*) FROM blacklist"), 2);
    assert_counts_are_exact(&data);
    assert_eq!((count(&data, guilty), count(&data, noted)), (1, 1));
    assert!(errors.contains("older than"), "{errors}");
}

#[test]
fn rejects_of_a_dump_can_be_corrected_and_imported() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (_, _, rejects) = import(directory.path(), &data, "original.sql", &[]);
    let corrected = directory.path().join("corrected.sql");
    let text = rejects
        .replace("not a build", "9")
        .replace("a//c", "a/b/c")
        .replace("100000000000000000000", "1537000040");
    std::fs::write(&corrected, text).unwrap();
    let output = muster(&data, &["import", corrected.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "the comment and the empty function stay");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("3 rows stored, 0 known, 2 rejected"),
        "{output:?}"
    );
    assert_eq!(exported(&data).len(), 7);
}

#[test]
fn a_table_alone_is_the_same_as_in_the_dump() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (said, errors, _) = import(directory.path(), &data, "records.copy", &[]);
    assert!(said.contains("4 rows stored, 0 known, 3 rejected"), "{said}{errors}");
    let (said, errors, _) = import(directory.path(), &data, "original.sql", &[]);
    assert!(said.contains("5 rows stored, 5 known, 5 rejected"), "{said}{errors}");
    let output = muster(
        &data,
        &["import", "--table", "guilty", sample("records.copy").to_str().unwrap(), "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("its table 5"), "{}", stderr(&output));
}

#[test]
fn the_layout_before_2018_names_its_strings_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (said, errors, rejects) = import(directory.path(), &data, "old.sql", &[]);
    assert!(said.contains("2 rows stored, 0 known, 1 rejected"), "{said}{errors}");
    assert!(errors.contains("The column colour of records is not known"), "{errors}");
    assert!(rejects.contains("classification_id 5 is not in the table classification"), "{rejects}");
    // A rejected row brings the names along that it means by numbers.
    let corrected = directory.path().join("corrected.sql");
    let text = rejects.replace("\t5\t2\t", "\t4\t2\t");
    let text = format!("COPY classification (id, classification) FROM stdin;\n4\ta/b/c\n\\.\n{text}");
    std::fs::write(&corrected, text).unwrap();
    let output = muster(&data, &["import", corrected.to_str().unwrap()]);
    assert!(output.status.success(), "{rejects}{}", stderr(&output));
    let rows = exported(&data);
    assert_eq!((&rows[2]["classification"], &rows[2]["build"]), (&"a/b/c".into(), &"16.04".into()));
    assert_eq!((&rows[0]["payload"], &rows[0]["build"]), (&"helloé\n".into(), &"2980".into()));
    assert_eq!((&rows[1]["payload"], &rows[1]["machine_id"]), (&"text\tonly".into(), &"mAB".into()));
}

#[test]
fn a_table_alone_may_begin_with_a_long_row() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let text = std::fs::read_to_string(sample("records.copy")).unwrap();
    let row = text.lines().find(|line| line.contains("hello")).unwrap();
    let file = directory.path().join("long.copy");
    let at = row.rfind("hello").unwrap();
    std::fs::write(&file, format!("{}{}{}\n", &row[..at], "hello".repeat(40_000), &row[at..])).unwrap();
    let output = muster(&data, &["import", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(exported(&data).len(), 1);
}

#[test]
fn a_dry_run_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    super::fill(&data, &super::plain(1));
    let (said, _, rejects) = import(directory.path(), &data, "original.sql", &["--dry-run"]);
    assert!(said.contains("would be stored"), "{said}");
    assert_eq!(rejects, "");
    assert_eq!(exported(&data).len(), 1);
    let tables = "SELECT (SELECT count(*) FROM imports) + (SELECT count(*) FROM audit) + (SELECT count(*) FROM blacklist)";
    assert_eq!(database(&data).query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_dry_run_of_what_is_imported_finds_nothing_new() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    super::fill(&data, &super::plain(1));
    let (_, errors, _) = import(directory.path(), &data, "original.sql", &[]);
    let (said, _, _) = import(directory.path(), &data, "original.sql", &["--dry-run"]);
    assert!(said.contains("0 rows would be stored, 10 known, 5 rejected"), "{said}{errors}");
}
