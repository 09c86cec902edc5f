// SPDX-License-Identifier: Apache-2.0
//! Out and in again, through every format.

use super::{contents, count, done, exported, fill, muster, plain, stderr};
use crate::derived::dump;
use crate::store::assert_counts_are_exact;
use muster::model::record::NewRecord;
use std::process::Command;

/// Records whose texts would break a format that is not careful.
pub fn hostile() -> Vec<NewRecord> {
    let payloads = [
        "",
        "\0",
        "a\0b\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
        "line\r\nline\rline\n\n",
        "\"quoted\", 'and' \"\"twice\"\"",
        "=1+1\t@x;\\N\\.\\",
        "\\.\n",
        "# no comment",
        "é®ÿ ✓ 𝄞",
        " spaces at both ends ",
    ];
    let mut records: Vec<NewRecord> = plain(payloads.len() as u64 * 4);
    for (index, record) in records.iter_mut().enumerate() {
        record.payload = payloads[index % payloads.len()].to_owned();
        let version = 1 + (index / payloads.len()) as u8;
        record.record_format_version = version;
        if version < 4 {
            record.event_id = None;
        }
        if version < 3 {
            (record.board_name, record.cpu_model, record.bios_version) = (None, None, None);
        }
        if version < 2 {
            (record.system_name, record.payload_format_version) = (None, None);
        }
    }
    records[5].machine_id = "\"me\",\\é".to_owned();
    records[6].host_type = "Vendor, \"Inc.\"|=é|'".to_owned();
    records[7].classification = "a,b/\"c\"/d e".to_owned();
    records[35].payload = "ÿ".repeat(300 << 10);
    records[36].payload = "\u{1}".repeat(300 << 10);
    records
}

#[test]
fn every_field_survives_ndjson_and_csv_plain_and_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    fill(&from, &hostile());
    let expected = contents(&from);
    assert_eq!(expected.len(), 40);
    for (index, format) in
        [&["ndjson"][..], &["csv"], &["ndjson", "--gzip"], &["csv", "--gzip"]].iter().enumerate()
    {
        let file = directory.path().join(format!("file{index}"));
        let mut words = vec!["export", "--output", file.to_str().unwrap(), "--format"];
        words.extend(format.iter());
        assert!(done(&muster(&from, &words)).contains("Exported 40 records"));
        let to = directory.path().join(format!("to{index}"));
        let said = done(&muster(&to, &["import", file.to_str().unwrap()]));
        assert!(said.contains("40 rows stored, 0 known, 0 rejected"), "{said}");
        assert_eq!(contents(&to), expected, "{format:?}");
        assert_counts_are_exact(&to);
        assert!(!file.with_extension("rejects").exists());
        // The same once more changes nothing; neither does the other format.
        let again = done(&muster(&from, &["import", file.to_str().unwrap()]));
        assert!(again.contains("0 rows stored, 40 known, 0 rejected"), "{again}");
    }
}

#[test]
fn what_is_derived_from_a_fleets_records_is_the_same_after_an_import() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    done(&muster(&from, &["demo", "--records", "3000", "--machines", "50", "--weeks", "3", "--agents", "0"]));
    let file = directory.path().join("x.ndjson");
    let path = file.to_str().unwrap();
    done(&muster(&from, &["export", "--output", path]));
    done(&muster(&to, &["import", path]));
    assert_eq!(exported(&from), exported(&to));
    assert_eq!(dump(&from), dump(&to));
    assert_counts_are_exact(&to);
    assert_eq!(count(&to, "SELECT count(*) FROM clock_steps"), 0);
    let audit = "SELECT count(*) FROM audit WHERE action = 'record.import' AND origin = 'muster import'";
    assert!(count(&to, audit) >= 1);
    let last = "SELECT json_extract(after, '$.rows_stored') FROM audit ORDER BY id DESC LIMIT 1";
    assert_eq!(count(&to, last), 3000);
}

#[test]
fn twins_of_one_file_are_two_and_stay_two() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from, &plain(3));
    let line = exported(&from)[1].to_string();
    let file = directory.path().join("twins");
    std::fs::write(&file, format!("{line}\n{line}\n{}\n", line.replace("payload 1", "payload x"))).unwrap();
    let path = file.to_str().unwrap();
    assert!(done(&muster(&to, &["import", path])).contains("3 rows stored"));
    assert!(done(&muster(&to, &["import", path])).contains("0 rows stored, 3 known"));
    // Another reception time makes another record, even a second earlier than the last one.
    let seconds = exported(&from)[0]["ts_reception"].as_str().unwrap().to_owned();
    let earlier = line.replace(exported(&from)[1]["ts_reception"].as_str().unwrap(), &seconds);
    std::fs::write(&file, format!("{earlier}\n")).unwrap();
    assert!(done(&muster(&to, &["import", path])).contains("1 rows stored"));
    assert_eq!(exported(&to)[3]["ts_reception"], seconds.as_str());
    assert_counts_are_exact(&to);
}

#[test]
fn a_filter_chooses_and_a_reader_that_goes_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(3000));
    let filtered = done(&muster(
        &data,
        &["export", "--filter", "severity=4&machine_id=00000000000000000000000000000003"],
    ));
    let ids: Vec<i64> = filtered
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_i64().unwrap())
        .collect();
    let expected: Vec<i64> = (0..3000_i64).filter(|n| n % 4 == 3 && n % 5 == 3).map(|n| n + 1).collect();
    assert_eq!(ids, expected);
    let csv = done(&muster(&data, &["export", "--format=csv", "--filter=?payload=%5Epayload+7%24"]));
    assert_eq!(csv.split("\r\n").count(), 3, "{csv}");
    for (bad, why) in [("colour=1", "Unknown parameter colour"), ("payload=(", "regular expression")] {
        let output = muster(&data, &["export", "--filter", bad]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    let piped = format!(
        "set -o pipefail; '{}' export --data '{}' | head -n 1 | wc -l",
        env!("CARGO_BIN_EXE_muster"),
        data.display()
    );
    let output = Command::new("bash").args(["-c", &piped]).output().unwrap();
    assert_eq!(done(&output).trim(), "1");
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_output_file_is_there_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fill(&data, &plain(5));
    let file = directory.path().join("out");
    std::fs::write(&file, "before").unwrap();
    let limited = format!(
        "ulimit -f 1; '{}' export --data '{}' --output '{}'",
        env!("CARGO_BIN_EXE_muster"),
        data.display(),
        file.display()
    );
    let output = Command::new("bash").args(["-c", &limited]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
    // What another left or made beside it stays as it is.
    let mut other = Command::new("bash");
    let script = "echo other > \"$1.$$.partial\"; exec \"$2\" export --data \"$3\" --output \"$1\"";
    let words = [file.as_os_str(), env!("CARGO_BIN_EXE_muster").as_ref(), data.as_os_str()];
    let output = other.args(["-c", script, "x"]).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
    for (name, why) in [("muster.db", "taken for a database"), ("muster.db-wal", "taken for a database")] {
        let output = muster(&data, &["export", "--output", data.join(name).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    assert_eq!(exported(&data).len(), 5);
    let output = muster(&data, &["export", "--output", "/dev/null"]);
    assert!(stderr(&output).contains("is not a file"), "{}", stderr(&output));
    let nowhere = directory.path().join("no/such/place");
    let output = muster(&data, &["export", "--output", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Cannot write"), "{}", stderr(&output));
    assert!(stderr(&output).contains("no/such/place"));
}

#[test]
fn a_byte_order_mark_before_a_file_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    super::fill(&from, &super::plain(2));
    for format in ["ndjson", "csv"] {
        let text = super::done(&super::muster(&from, &["export", "--format", format]));
        let file = directory.path().join(format);
        std::fs::write(&file, format!("\u{feff}{text}")).unwrap();
        let to = directory.path().join(format!("to-{format}"));
        let said = super::done(&super::muster(&to, &["import", file.to_str().unwrap()]));
        assert!(said.contains("2 rows stored, 0 known, 0 rejected"), "{said}");
        assert_eq!(super::contents(&to), super::contents(&from));
    }
}
