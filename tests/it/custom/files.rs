// SPDX-License-Identifier: Apache-2.0
//! The views directory: what changes is seen, what is broken is said, nothing in it stops the server.

use super::{page, put, view};
use crate::support::Server;
use crate::support::server::Options;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn files_are_read_again_without_a_restart() {
    let server = Server::start();
    let tabs = |server: &Server| {
        let html = server.get("/records").text();
        let tabs = html.split("href=\"/views/").skip(1).filter_map(|rest| rest.split('"').next());
        tabs.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tabs(&server), "");
    assert_eq!(page(&server, "a").status, 404);

    put(&server, "b", &view("table", "SELECT 'first'"));
    put(&server, "a", &view("table", "SELECT 'other'"));
    assert_eq!(tabs(&server), "a b");
    assert!(page(&server, "b").text().contains("first"));

    put(&server, "b", &view("table", "SELECT 'second'"));
    assert!(page(&server, "b").text().contains("second"));

    let broken = view("table", "SELECT 1").replace("title = 'Title'", "titel = 'Title'");
    for _ in 0..2 {
        put(&server, "b", &broken);
        let answer = page(&server, "b");
        assert_eq!(answer.status, 200);
        let html = answer.text();
        assert!(
            html.contains("line 2, column 1: There is no key titel in the view; the nearest one is title"),
            "{html}"
        );
        assert_eq!(tabs(&server), "a b");
        page(&server, "b");
        let api = server.get("/api/views/b");
        assert_eq!(api.status, 400);
        assert!(api.message().starts_with("b.toml has mistakes: line 1"), "{}", api.message());
    }
    // Once for each time that the file was put there.
    assert_eq!(server.log().matches("Custom view b.toml: line 2, column 1: ").count(), 2, "{}", server.log());

    put(&server, "b", &view("table", "SELECT 'third'"));
    assert!(page(&server, "b").text().contains("third"));
    fs::remove_file(server.data_dir.join("views/b.toml")).unwrap();
    assert_eq!(page(&server, "b").status, 404);
    assert_eq!(tabs(&server), "a");
    fs::remove_dir_all(server.data_dir.join("views")).unwrap();
    assert_eq!((tabs(&server).as_str(), page(&server, "a").status), ("", 404));
}

#[test]
fn whatever_stands_in_the_directory_harms_nothing() {
    let server = Server::start();
    let dir = server.data_dir.join("views");
    fs::create_dir(&dir).unwrap();
    fs::create_dir(dir.join("directory.toml")).unwrap();
    fs::write(dir.join("latin.toml"), b"tab = '\xe9'").unwrap();
    fs::write(dir.join("empty.toml"), b"").unwrap();
    fs::write(dir.join("large.toml"), "#".repeat(65 << 10)).unwrap();
    fs::write(dir.join("zeros.toml"), [0; 100]).unwrap();
    fs::write(dir.join("deep.toml"), format!("a = {}", "[".repeat(50_000))).unwrap();
    fs::write(dir.join("dotted.toml"), format!("a{} = 1", ".a".repeat(20_000))).unwrap();
    let outside = server.data_dir.join("outside.toml");
    fs::write(&outside, view("table", "SELECT 'outside'")).unwrap();
    symlink(&outside, dir.join("link.toml")).unwrap();
    symlink("/dev/zero", dir.join("zero.toml")).unwrap();
    symlink("loop.toml", dir.join("loop.toml")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.join("fifo.toml")).status().unwrap().success());
    for ignored in ["README", "Upper.toml", "a b.toml", ".hidden.toml", "x.toml~", "x.TOML", "é.toml"] {
        fs::write(dir.join(ignored), view("table", "SELECT 1")).unwrap();
    }
    for (name, expected) in [
        ("directory", "It is not a regular file"),
        ("latin", "It is not UTF-8"),
        ("empty", "The view must have the key tab"),
        ("large", "It is larger than 64 KiB"),
        ("zeros", "This is not TOML"),
        ("deep", "This is not TOML"),
        ("dotted", "line 1"),
        ("link", "It is a symbolic link"),
        ("zero", "It is a symbolic link"),
        ("loop", "It is a symbolic link"),
        ("fifo", "It is not a regular file"),
    ] {
        let answer = page(&server, name);
        assert_eq!(answer.status, 200, "{name}");
        let text = answer.text();
        assert!(text.contains(expected) && !text.contains("outside"), "{name}: {text}");
    }
    for name in [
        "README",
        "Upper",
        "a%20b",
        ".hidden",
        "x",
        "%C3%A9",
        "..%2Foutside",
        "../outside",
        "directory.toml",
        "",
    ] {
        let status = page(&server, name).status;
        assert!(status == 404, "{name}: {status}");
    }
    let log = server.log();
    assert_eq!(log.matches("Upper.toml is passed over").count(), 1, "{log}");
    assert!(!log.contains("README") && !log.contains("hidden"), "{log}");
    assert_eq!(server.get("/records").status, 200);
}

#[test]
fn there_are_a_hundred_views_at_most() {
    let server = Server::start();
    for n in 0..103 {
        put(&server, &format!("v{n:03}"), &view("table", "SELECT 1"));
    }
    let html = server.get("/records").text();
    assert_eq!(html.matches("href=\"/views/").count(), 100);
    assert_eq!((page(&server, "v099").status, page(&server, "v100").status), (200, 404));
    assert!(server.log().contains("v100.toml is passed over: there are more than 100 views"));
}

#[test]
fn the_directory_is_a_setting() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("here.toml"), view("table", "SELECT 'elsewhere'")).unwrap();
    let config = format!("[views]\ndir = '{}'\n", elsewhere.path().display());
    let server = Server::start_with(Options { config: Some(config), ..Options::default() });
    assert!(page(&server, "here").text().contains("elsewhere"));
    let file = elsewhere.path().join("file");
    fs::write(&file, "").unwrap();
    let config = format!("[views]\ndir = '{}'\n", file.display());
    let server = Server::start_with(Options { config: Some(config), ..Options::default() });
    assert_eq!((server.get("/records").status, page(&server, "here").status), (200, 404));
    server.get("/records");
    assert_eq!(server.log().matches("cannot be read").count(), 1, "{}", server.log());
}
