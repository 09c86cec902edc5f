// SPDX-License-Identifier: Apache-2.0
//! What people drop into the spool.

use super::{Fleet, action, wait_for};
use muster::model::action::ACTION_BYTES_MAX;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

#[test]
fn bad_files_are_refused_with_their_reason_and_hold_nothing_up() {
    let fleet = Fleet::start(1);
    let new = fleet.spool().join("action/new");
    let good = action("good").to_json().unwrap();
    let mut unsigned = action("unsigned");
    unsigned.pgpsignatures = None;
    let mut altered = action("altered");
    altered.target = "status = 'idle'".to_owned();
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("truncated.json", good.as_bytes()[..good.len() / 2].to_vec(), "not valid JSON"),
        ("foreign.json", b"{\"hello\":\"world\"}".to_vec(), "empty"),
        ("text.txt", b"hello".to_vec(), "not valid JSON"),
        ("empty.json", Vec::new(), "not valid JSON"),
        ("nested.json", "[".repeat(100_000).into_bytes(), "not valid JSON"),
        ("huge.json", vec![b' '; ACTION_BYTES_MAX + 1], "larger than"),
        ("unsigned.json", unsigned.to_json().unwrap().into_bytes(), "pgpsignatures"),
        ("altered.json", altered.to_json().unwrap().into_bytes(), "signature"),
    ];
    for (name, bytes, _) in &cases {
        fleet.drop_file(name, bytes);
    }
    symlink("/etc/passwd", new.join("link.json")).unwrap();
    mknodat(CWD, new.join("fifo.json"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    std::fs::create_dir(new.join("directory.json")).unwrap();
    let begun = Instant::now();
    let id = fleet.submit(&action("good"));
    assert!(begun.elapsed() < Duration::from_secs(3), "the good one waited {:?}", begun.elapsed());
    wait_for("the refusals", || fleet.files("action/new").iter().all(|name| *name == format!("{id}.json")));
    let reason = |name: &str| {
        std::fs::read_to_string(fleet.spool().join(format!("action/invalid/{name}.reason"))).unwrap()
    };
    for (name, bytes, part) in &cases {
        assert!(reason(name).contains(part), "{name}: {}", reason(name));
        assert_eq!(&std::fs::read(fleet.spool().join("action/invalid").join(name)).unwrap(), bytes, "{name}");
    }
    assert!(reason("link.json").contains("symbolic link"));
    assert!(reason("fifo.json").contains("regular"));
    assert!(reason("directory.json").contains("regular"));
    let invalid = fleet.files("action/invalid");
    assert!(!invalid.contains(&"link.json".to_owned()) && !invalid.contains(&"fifo.json".to_owned()));
    assert_eq!(fleet.number("SELECT count(*) FROM actions"), 1);
    fleet.wait_for_status(id, "inflight");
    fleet.assert_spool_clean();
}

#[test]
fn a_file_that_grows_is_waited_for_and_its_id_counts_where_it_is_free() {
    let fleet = Fleet::start(1);
    let mut wanted = action("slow");
    wanted.id = 77.0;
    let text = wanted.to_json().unwrap();
    let path = fleet.spool().join("action/new/slow.json");
    for n in 1..=4 {
        std::fs::write(&path, &text[..text.len() * n / 4]).unwrap();
        std::thread::sleep(Duration::from_millis(900));
    }
    wait_for("the row", || fleet.number("SELECT count(*) FROM actions WHERE id = 77") == 1);
    fleet.wait_for_status(77, "inflight");
    assert!(!path.exists());
    // The same again is a repetition, and the number is taken for another.
    fleet.drop_file("again.json", text.as_bytes());
    wait_for("the refusal", || fleet.files("action/invalid").contains(&"again.json.reason".to_owned()));
    let mut other = action("other");
    other.id = 77.0;
    let id = fleet.submit(&other);
    assert_ne!(id, 77);
    fleet.wait_for_status(id, "inflight");
    fleet.assert_spool_clean();
}

#[test]
fn a_dropped_file_named_like_an_action_of_ours_is_another_action() {
    let fleet = Fleet::start(1);
    let id = fleet.submit(&action("ours"));
    fleet.wait_for_status(id, "inflight");
    fleet.drop_file(&format!("{id}.json"), action("theirs").to_json().unwrap().as_bytes());
    wait_for("the row", || fleet.number("SELECT count(*) FROM actions WHERE name = 'theirs'") == 1);
    wait_for("its end", || fleet.number("SELECT count(*) FROM actions WHERE status = 4") == 2);
    fleet.drop_file(&format!("{id}.json"), b"nothing");
    wait_for("the refusal", || fleet.files("action/invalid").len() == 2);
    assert_eq!(fleet.status(id), "inflight");
    fleet.assert_spool_clean();
}

#[test]
fn a_file_that_a_kill_left_behind_is_removed_and_not_refused() {
    let mut fleet = Fleet::start(1);
    let text = action("left").to_json().unwrap();
    fleet.drop_file("left.json", text.as_bytes());
    wait_for("the row", || fleet.number("SELECT count(*) FROM actions") == 1);
    fleet.wait_for_status(1, "inflight");
    fleet.server.kill();
    // As if the file had lain there when the action was accepted: its own time cannot be set.
    fleet.database().execute("UPDATE actions SET created_at = created_at + 3600", []).unwrap();
    fleet.drop_file("left.json", text.as_bytes());
    fleet.server = super::start(&fleet.data_dir(), &fleet.options);
    wait_for("its removal", || fleet.files("action/new").is_empty());
    assert_eq!(fleet.files("action/invalid"), Vec::<String>::new());
    // From then on the same is a repetition again.
    fleet.drop_file("left.json", text.as_bytes());
    wait_for("the refusal", || fleet.files("action/invalid").contains(&"left.json.reason".to_owned()));
    assert_eq!(fleet.number("SELECT count(*) FROM actions"), 1);
    fleet.assert_spool_clean();
}
