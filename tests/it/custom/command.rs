// SPDX-License-Identifier: Apache-2.0
//! `muster view check`, `list` and `sample`.

use super::{panel, run, view, word};
use crate::support::Server;
use muster::custom::SAMPLES;
use std::fs;

#[test]
fn a_check_tells_columns_rows_and_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    let parameter = "[[parameter]]\nname = 'p'\ntype = 'choice'\nchoices_sql = 'VALUES (1)'\n";
    fs::write(&file, view("table", "SELECT id, build FROM export_records WHERE build = :p") + parameter)
        .unwrap();
    let (code, out, err) = run(&["view", "check", word(&file)]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("tab Tab, 1 parameter, 1 panel\n"), "{out}");
    assert!(out.contains("1 'choices of p' (line 12): columns column1; rows 1\n"), "{out}");
    assert!(out.contains("2 Panel (line 4): columns id, build; rows 0\n"), "{out}");

    fs::write(
        &file,
        view("table", "SELECT 1,\nmistyped") + &panel("pie", "SELECT 1") + &panel("table", "SELECT :q"),
    )
    .unwrap();
    let (code, out, err) = run(&["view", "check", word(&file)]);
    assert_eq!((code, err.trim()), (2, format!("muster: {} has 3 mistakes", word(&file)).as_str()));
    assert!(out.contains("1 Panel (line 4): mistake at line 8: no such column: mistyped\n"), "{out}");
    assert!(out.contains("2 Panel (line 11): mistake at line 11: A chart needs"), "{out}");
    assert!(out.contains("mistake at line 20: There is no parameter :q in this view"), "{out}");

    fs::write(&file, "tab = 3\nx = 1").unwrap();
    let (code, out, err) = run(&["view", "check", word(&file)]);
    assert_eq!((code, out.as_str()), (2, ""));
    for expected in
        ["line 1, column 7: tab must be a text", "line 2, column 1: There is no key x", "[[panel]]"]
    {
        assert!(err.contains(&format!("x.toml: {expected}")) || err.contains(expected), "{err}");
    }
    let (code, _, err) = run(&["view", "check", word(&dir.path().join("missing.toml"))]);
    assert!(code == 2 && err.contains("cannot be read"), "{err}");
}

#[test]
fn a_check_asks_the_database_of_a_running_server() {
    let server = Server::start();
    server.post_record(1, "payload");
    let file = server.data_dir.join("x.toml");
    fs::write(&file, view("table", "SELECT machine_id FROM export_records")).unwrap();
    let data = word(&server.data_dir);
    let (code, out, err) = run(&["view", "check", word(&file), "--data", data]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("columns machine_id; rows 1\n"), "{out}");
    let (code, _, err) = run(&["view", "check", word(&file), "--data", "/nowhere"]);
    assert!(code == 2 && err.contains("There is no data directory /nowhere"), "{err}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&["view", "check", word(&file), "--data", word(empty.path())]);
    assert!(code == 2 && err.contains("There is no database"), "{err}");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_list_tells_tabs_and_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let data = word(dir.path());
    let (code, out, _) = run(&["view", "list", "--data", data]);
    assert!(code == 0 && out.contains("no views; `muster view sample`"), "{out}");
    let views = dir.path().join("views");
    fs::create_dir(&views).unwrap();
    fs::write(views.join("a.toml"), view("table", "SELECT 1")).unwrap();
    fs::write(views.join("B.toml"), "").unwrap();
    let (code, out, _) = run(&["view", "list", "--data", data]);
    assert!(code == 0 && out.contains("/views/a  Tab\n") && out.contains("B.toml is passed over"), "{out}");
    fs::write(views.join("c.toml"), "tab = 3").unwrap();
    let (code, out, err) = run(&["view", "list", "--data", data]);
    assert!(code == 2 && err.contains("1 of 2 views have mistakes"), "{err}");
    assert!(
        out.contains("/views/c  has mistakes:\n") && out.contains("line 1, column 7: tab must be"),
        "{out}"
    );
}

#[test]
fn samples_are_printed_as_they_are() {
    let (code, out, _) = run(&["view", "sample"]);
    assert_eq!((code, out), (0, SAMPLES.map(|(name, _)| format!("{name}\n")).concat()));
    for (name, text) in SAMPLES {
        let (code, out, _) = run(&["view", "sample", name]);
        assert_eq!((code, out.as_str()), (0, text));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(format!("{name}.toml"));
        fs::write(&file, text).unwrap();
        let (code, out, err) = run(&["view", "check", word(&file)]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
    let (code, _, err) = run(&["view", "sample", "helo"]);
    assert!(code == 2 && err.contains("There is no sample helo; the nearest one is hello"), "{err}");
}
