// SPDX-License-Identifier: Apache-2.0
//! Where the data is, who may make the directory, and as whom.

use super::{muster, outcome, run, word};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

/// Any user but root.
const SOMEBODY: u32 = 54_321;

#[test]
fn a_data_directory_that_cannot_be_is_refused_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        for command in ["serve", "demo"] {
            let (code, _, err) = run(&[command, "--config", "/dev/null", "--data", word(&path)]);
            assert_eq!(code, 2, "{err}");
            assert!(err.contains(word(&path)), "{err}");
        }
    }
}

#[test]
fn demo_makes_its_directory_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let mut command =
        muster(&["demo", "--config", "/dev/null", "--records", "100", "--machines", "5", "--weeks", "1"]);
    let (code, out, err) = outcome(command.env("STATE_DIRECTORY", word(&data)));
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("Stored 100 records of 5 machines") && out.contains(word(&data)), "{out}");
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(data.join("muster.db").exists());
}

#[test]
fn the_last_resort_is_a_directory_where_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut command =
        muster(&["demo", "--config", "/dev/null", "--records", "10", "--machines", "2", "--weeks", "1"]);
    let (code, _, err) = outcome(command.current_dir(dir.path()));
    assert_eq!(code, 0, "{err}");
    assert!(dir.path().join("muster-data/muster.db").exists());
}

#[test]
fn root_becomes_the_owner_of_the_directory() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The owner must be able to reach it.
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    chown(&data, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let (code, _, err) =
        run(&["demo", "--config", "/dev/null", "--data", word(&data), "--records", "10", "--machines", "2"]);
    assert_eq!(code, 0, "{err}");
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (SOMEBODY, SOMEBODY), "{:?}", entry.path());
    }
    let server = crate::support::Server::start_on(&data);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let ids = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!((ids("Uid:"), ids("Gid:")), (vec![SOMEBODY; 4], vec![SOMEBODY; 4]));
    assert_eq!(ids("Groups:"), [SOMEBODY]);
    assert_eq!(server.post_record(1, "x"), 11);
}
