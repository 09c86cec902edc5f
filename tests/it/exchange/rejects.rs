// SPDX-License-Identifier: Apache-2.0
//! Files that are not as they should be.

use super::{contents, count, done, exported, fill, muster, plain, stderr};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn export(data: &Path, words: &[&str]) -> Vec<u8> {
    let mut all = vec!["export"];
    all.extend(words);
    let output = muster(data, &all);
    done(&muster(data, &["export", "--format", "ndjson"]));
    assert!(output.status.success());
    output.stdout
}

fn import(data: &Path, file: &Path, bytes: &[u8]) -> (Option<i32>, String) {
    std::fs::write(file, bytes).unwrap();
    let output = muster(data, &["import", file.to_str().unwrap()]);
    (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output)))
}

#[test]
fn rows_that_break_a_rule_are_kept_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from, &plain(4));
    for (format, cut_json) in [("ndjson", true), ("csv", false)] {
        let text = String::from_utf8(export(&from, &["--format", format])).unwrap();
        let mut bad = text.replacen("org.clearlinux/class/1", "no classification", 1).replacen(
            "payload 2",
            "new payload",
            1,
        );
        if cut_json {
            bad.push_str("{\"id\": }\n[1]\n\n# a comment\n{\"id\":1}\n");
        } else {
            bad.push_str("1,2,3\r\n\"a\"b\r\n");
        }
        let file = directory.path().join(format!("bad.{format}"));
        let (code, said) = import(&to, &file, bad.as_bytes());
        assert_eq!(code, Some(1), "{said}");
        let n_bad = if cut_json { 4 } else { 3 };
        assert!(said.contains(&format!("{n_bad} rejected")), "{said}");
        let rejects = std::fs::read_to_string(format!("{}.rejects", file.display())).unwrap();
        assert!(rejects.contains("classification must be three non-empty parts"), "{rejects}");
        assert!(rejects.contains(&format!("bad.{format}, line ")), "{rejects}");
        // Corrected, they can be imported.
        let (_, said) = import(&to, &file, rejects.replace("no classification", "a/b/c").as_bytes());
        assert!(said.contains("1 rows stored") || said.contains("1 known"), "{said}");
    }
    assert!(exported(&to).iter().any(|row| row["classification"] == "a/b/c"));
}

/// The lines of a file of rejects that are none of its own words.
fn rows_of(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn rows_are_rejected_into_a_file_of_their_own_again() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    let file = directory.path().join("file");
    let rejects = format!("{}.rejects", file.display());
    for number in 1..=3 {
        let (code, said) = import(&to, &file, b"{\"id\":1}\n[2]\n");
        let path = if number == 1 { rejects.clone() } else { format!("{rejects}.{number}") };
        assert!(code == Some(1) && said.contains(&format!("they are in {path}")), "{said}");
        assert_eq!(rows_of(&path), ["{\"id\":1}", "[2]"]);
    }
    // Files of one run share the file that is named.
    let (shared, other) = (directory.path().join("shared"), directory.path().join("other"));
    std::fs::write(&other, "{\"id\":3}\n").unwrap();
    let [shared, file, other] = [&shared, &file, &other].map(|path| path.to_str().unwrap());
    assert_eq!(muster(&to, &["import", "--rejects", shared, file, other]).status.code(), Some(1));
    assert_eq!(rows_of(shared), ["{\"id\":1}", "[2]", "{\"id\":3}"]);
    assert_eq!(muster(&to, &["import", "--rejects", "/dev/null", file]).status.code(), Some(1));
    assert!(Path::new("/dev/null").exists());
}

#[test]
fn a_quote_in_a_reason_takes_no_row_along() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from, &plain(6));
    let text = String::from_utf8(export(&from, &["--format", "csv"])).unwrap();
    let bad = exported(&from)
        .iter()
        .fold(text, |text, row| text.replace(row["ts_reception"].as_str().unwrap(), "\"a \"\"b\""));
    let file = directory.path().join("a \"file");
    let (_, said) = import(&to, &file, bad.as_bytes());
    assert!(said.contains("6 rejected"), "{said}");
    let rejects = std::fs::read_to_string(format!("{}.rejects", file.display())).unwrap();
    let (_, said) = import(&to, &file, rejects.replace("\"a \"\"b\"", "2026-01-01T00:00:00Z").as_bytes());
    assert!(said.contains("6 rows stored, 0 known, 0 rejected"), "{said}");
    // A quote that is never closed: which rows it took is told.
    let open = bad.replacen("payload 3", "\"payload 3", 1);
    let (_, said) = import(&to, &file, open.as_bytes());
    assert!(said.contains(", lines 5 to "), "{said}");
}

#[test]
fn one_stored_record_answers_for_one_row() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from, &plain(2));
    let file = directory.path().join("file");
    let once = export(&from, &[]);
    import(&to, &file, &once);
    let (_, said) = import(&to, &file, &once.repeat(3));
    assert!(said.contains("4 rows stored, 2 known"), "{said}");
    let (_, said) = import(&to, &file, &once.repeat(3));
    assert!(said.contains("0 rows stored, 6 known"), "{said}");
}

#[test]
fn a_second_import_beside_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    fill(&to, &plain(2));
    let file = directory.path().join("file");
    let line = export(&to, &[]);
    let mut first = super::command(&to, &["import", "--format", "ndjson", "-"]);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    first.stdin.as_mut().unwrap().write_all(&vec![b'\n'; 200 << 10]).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !to.join("import.lock").exists() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (code, said) = import(&to, &file, &line);
    assert!(code == Some(1) && said.contains("in use by muster import, process"), "{said}");
    let dry = muster(&to, &["import", "--dry-run", file.to_str().unwrap()]);
    assert!(done(&dry).contains("0 rows would be stored, 2 known"));
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    assert_eq!(import(&to, &file, &line).0, Some(0));
}

#[test]
fn entries_for_a_full_blacklist_are_rejected_as_rows() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    let mut text = "COPY guilty_blacklisted (id, function, module) FROM stdin;\n".to_owned();
    for number in 0..10_003 {
        text.push_str(&format!("{number}\tf{number}\tm\n"));
    }
    let (code, said) =
        import(&to, &directory.path().join("file"), format!("{text}10\tf1\tm\n\\.\n").as_bytes());
    assert_eq!(code, Some(1));
    assert!(said.contains("10000 rows stored, 1 known, 3 rejected"), "{said}");
    assert!(said.contains("The blacklist is full"), "{said}");
}

#[test]
fn half_a_file_gives_its_whole_rows_and_ends_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    fill(&from, &plain(20));
    for (index, words) in [&["--format", "ndjson"][..], &["--format", "csv"], &["--gzip"]].iter().enumerate()
    {
        let whole = export(&from, words);
        let to = directory.path().join(format!("to{index}"));
        let file = directory.path().join(format!("half{index}"));
        let (code, said) = import(&to, &file, &whole[..whole.len() - 30]);
        assert_eq!(code, Some(1), "{said}");
        let stored = exported(&to).len();
        assert!((1..20).contains(&stored) || index == 2, "{stored}: {said}");
        let reason = if index == 2 { "It cannot be read on" } else { "It ends in the middle of a row" };
        assert!(said.contains(reason), "{said}");
        // The whole file brings the rest.
        let (code, said) = import(&to, &file, &whole);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("{} rows stored, {stored} known", 20 - stored)), "{said}");
        assert_eq!(contents(&to), contents(&from));
    }
    let dump = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exchange/original.sql"))
        .unwrap();
    let at = dump.windows(12).position(|part| part == b"COPY public.").unwrap();
    let (code, said) =
        import(&directory.path().join("to9"), &directory.path().join("half.sql"), &dump[..at + 200]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("It ends before the end that pg_dump writes"), "{said}");
}

#[test]
fn files_that_are_none_of_ours_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    let file = directory.path().join("bad\u{1b}[31m\nname");
    for (bytes, why) in [
        (&b"PGDMP\x01\x0e"[..], "pg_restore -f"),
        (b"hello\nworld\n", "Its format is not known"),
        (b"id,external,server_timestamp,severity,classification,build,machine_id,payload\r\n", "lacks arch"),
        (b"--\nINSERT INTO records VALUES (1);\n", "--inserts"),
        (b"\x1f\x8b\x08rubbish", "It cannot be read on"),
    ] {
        let (code, said) = import(&to, &file, bytes);
        assert_ne!(code, Some(0), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!said.contains('\u{1b}') && !said.contains("m\nname"), "{said:?}");
    }
    let output = muster(&to, &["import", directory.path().to_str().unwrap()]);
    assert!(stderr(&output).contains("is a directory"));
    for words in [
        &["import"][..],
        &["import", "--format", "xml", "x"],
        &["import", "--table", "build", "x"],
        &["import", "/no/such"],
    ] {
        assert_eq!(muster(&to, words).status.code(), Some(2), "{words:?}");
    }
    if to.exists() {
        assert_eq!(exported(&to).len(), 0);
    }
}

#[test]
fn a_row_without_an_end_takes_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("to");
    fill(&to, &plain(1));
    let line = exported(&to)[0].to_string().replace("payload 0", "another");
    let script = format!(
        "ulimit -v 300000; {{ printf '{{'; head -c 250000000 /dev/zero | tr '\\0' x; echo; cat; }} | '{}' import --data '{}' --rejects '{}' --format ndjson -",
        env!("CARGO_BIN_EXE_muster"),
        to.display(),
        directory.path().join("rejects").display()
    );
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("1 rows stored, 0 known, 1 rejected"), "{said}{}", stderr(&output));
    assert!(std::fs::metadata(directory.path().join("rejects")).unwrap().len() < 100_000);
    assert_eq!(count(&to, "SELECT count(*) FROM imports"), 0);
}
