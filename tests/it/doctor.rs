// SPDX-License-Identifier: Apache-2.0
//! `muster doctor` on good and broken servers: it says what is wrong, ends with the right status, changes nothing.

use crate::access;
use crate::support::Server;
use crate::support::server::Options;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs it: exit status, the report, what it wrote to standard error.
fn doctor(data_dir: &Path, more: &[&str]) -> (i32, Value, String) {
    let (status, out, err) = run(data_dir, &[&["--json"], more].concat());
    (status, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")), err)
}

fn run(data_dir: &Path, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["doctor", "--data"])
        .arg(data_dir)
        .args(more)
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The worst level of a check, and its messages with their remedies.
fn finding(report: &Value, check: &str) -> (String, String) {
    let found = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let mut worst = String::new();
    let mut said = String::new();
    for finding in found {
        let level = finding["level"].as_str().unwrap();
        if worst.is_empty() || level == "fail" || level == "warn" && worst == "ok" {
            worst = level.to_owned();
        }
        said.push_str(finding["message"].as_str().unwrap());
        said.push_str(finding["remedy"].as_str().unwrap_or(""));
    }
    (worst, said)
}

/// Every file below a directory with its bytes.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                // Readers mark themselves in the shared memory of a log.
                false if path.to_string_lossy().ends_with("-shm") => {}
                false => drop(found.insert(path.display().to_string(), fs::read(path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn a_running_server_is_healthy_and_clients_are_told_its_address() {
    let server = Server::start();
    server.post_record(1, "hello");
    let before = contents(&server.data_dir);
    let url = server.url("");
    let (status, report, err) = doctor(&server.data_dir, &["--url", &url]);
    assert_eq!((status, report["is_healthy"].as_bool()), (0, Some(true)), "{report:#}{err}");
    for check in ["configuration", "data directory", "database", "disk", "descriptors", "reachability"] {
        assert_eq!(finding(&report, check).0, "ok", "{check}: {report:#}");
    }
    assert!(finding(&report, "database").1.contains("1 records"), "{report:#}");
    let (level, said) = finding(&report, "accounts");
    assert_eq!(level, "warn");
    assert!(said.contains("muster account add"));
    assert_eq!(finding(&report, "backups").0, "warn");
    let lines = report["clients"].to_string();
    for line in [format!("server={url}/v2/collector"), format!("muster agent run --server {url}")] {
        assert!(lines.contains(&line), "{line}: {lines}");
    }
    // Asking whether a record could be stored writes one row; beside that nothing has changed.
    let after = contents(&server.data_dir);
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    let (status, out, _) = run(&server.data_dir, &["--url", &url]);
    assert_eq!(status, 0);
    let is_line = |line: &str| ["ok    ", "warn  ", "FAIL  "].iter().any(|word| line.starts_with(word));
    assert!(out.lines().take_while(|line| !line.is_empty()).all(is_line), "{out}");
    assert!(
        out.contains("\nThe telemetry client, in /etc/telemetrics/telemetrics.conf:\n  [settings]\n"),
        "{out}"
    );
}

#[test]
fn a_stopped_server_is_not_touched() {
    let mut server = Server::start();
    server.post_record(1, "hello");
    server.stop();
    let before = contents(&server.data_dir);
    let config = server.data_dir.with_extension("closed.toml");
    // Nobody listens there.
    fs::write(&config, "[http]\nlisten = [\"127.0.0.1:9\"]\n").unwrap();
    let (status, report, _) = doctor(&server.data_dir, &["--config", config.to_str().unwrap()]);
    assert_eq!(status, 0, "{report:#}");
    let (level, said) = finding(&report, "reachability");
    assert_eq!(level, "warn");
    assert!(said.contains("127.0.0.1:9") && said.contains("muster serve"), "{said}");
    assert!(finding(&report, "networks").1.contains("this machine alone"));
    fs::write(&config, "[http]\nlisten = [\"127.0.0.1:9\"]\ntrusted_proxies = [\"127.0.0.1\"]\n").unwrap();
    let (_, behind, _) = doctor(&server.data_dir, &["--config", config.to_str().unwrap()]);
    let (_, said) = finding(&behind, "networks");
    assert!(said.contains("through the proxy") && !said.contains("alone"), "{said}");
    assert_eq!(before, contents(&server.data_dir));
    let (status, report, _) = doctor(&server.data_dir, &["--url", "http://127.0.0.1:9"]);
    assert_eq!((status, finding(&report, "reachability").0.as_str()), (1, "fail"));
}

#[test]
fn accounts_that_nobody_can_use_are_told_of() {
    let server = Server::start();
    access::add(&server, "ada", "admin");
    access::add(&server, "vic", "viewer");
    let said = |words: &[&str]| {
        access::printed(&access::run(&server.data_dir, words));
        finding(&doctor(&server.data_dir, &[]).1, "accounts")
    };
    let (level, text) = said(&["disable", "ada"]);
    assert!(level == "warn" && text.contains("no admin"), "{text}");
    let (level, text) = said(&["disable", "vic"]);
    assert!(level == "warn" && text.contains("account enable") && !text.contains("may change"), "{text}");
    assert_eq!(said(&["enable", "ada"]).0, "ok");
}

#[test]
fn broken_databases_and_directories_fail_with_a_remedy() {
    let mut server = Server::start();
    server.post_record(1, "hello");
    server.stop();
    let dir = &server.data_dir;
    let database = dir.join("muster.db");
    let good = fs::read(&database).unwrap();
    let set_version = |version: i64| {
        let connection = Connection::open(&database).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    };
    let check = |what: &str, expected: (i32, &str), words: &[&str]| {
        let (status, report, err) = doctor(dir, &[]);
        let (level, said) = finding(&report, "database");
        assert_eq!((status, level.as_str()), expected, "{what}: {report:#}{err}");
        for word in words {
            assert!(said.contains(word), "{what}: {said}");
        }
    };
    set_version(99);
    check("newer", (1, "fail"), &["newer (schema 99)"]);
    for (what, bytes) in [
        ("not a database", b"hello, this is not a database".to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("zeroes inside", [&good[..100], &vec![0; good.len() - 100][..]].concat()),
    ] {
        fs::write(&database, bytes).unwrap();
        check(what, (1, "fail"), &["restore"]);
    }
    fs::write(&database, &good).unwrap();
    check("good again", (0, "ok"), &["1 records"]);
    fs::remove_file(&database).unwrap();
    check("missing", (0, "warn"), &["start the server once"]);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, report, _) = doctor(dir, &[]);
    let (level, said) = finding(&report, "data directory");
    assert_eq!((status, level.as_str()), (0, "warn"));
    assert!(said.contains("mode 0755") && said.contains("chmod 0700"), "{said}");
    let (status, report, _) = doctor(&dir.join("nowhere"), &[]);
    assert_eq!((status, finding(&report, "data directory").0.as_str()), (1, "fail"));
    let (status, report, _) = doctor(&database.with_file_name("muster.lock"), &[]);
    assert_eq!((status, finding(&report, "data directory").0.as_str()), (1, "fail"));
}

#[test]
fn configurations_certificates_and_addresses_are_looked_at() {
    let server = Server::start();
    let dir = &server.data_dir;
    let file = dir.with_extension("doctor.toml");
    let config = |text: &str| {
        fs::write(&file, text).unwrap();
        doctor(dir, &["--config", file.to_str().unwrap(), "--url", &server.url("")])
    };
    let (status, report, _) = config("[http]\nlisten = 7\n");
    let (level, said) = finding(&report, "configuration");
    assert_eq!((status, level.as_str()), (1, "fail"));
    assert!(said.contains("http.listen"), "{said}");
    let tls = "[tls]\nlisten = [\"127.0.0.1:0\"]\n";
    let (status, report, _) = config(tls);
    assert_eq!((status, finding(&report, "certificate").0.as_str()), (1, "fail"), "{report:#}");
    let made = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["tls", "init", "--data"])
        .arg(dir)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let (status, report, _) = config(tls);
    assert_eq!((status, finding(&report, "certificate").0.as_str()), (0, "ok"), "{report:#}");
    let key = dir.join("tls/server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (status, report, _) = config(tls);
    let (level, said) = finding(&report, "certificate");
    assert!(status == 0 && level == "warn" && said.contains("chmod o="), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    // The certificate of the authority does not belong to the server's key.
    fs::copy(dir.join("tls/ca.pem"), dir.join("tls/server.pem")).unwrap();
    let (status, report, _) = config(tls);
    assert_eq!((status, finding(&report, "certificate").0.as_str()), (1, "fail"), "{report:#}");
    for bad in [&["--url", "ftp://x"][..], &["--nonsense"], &["extra"]] {
        let (status, _, err) = run(dir, bad);
        assert_eq!(status, 2, "{bad:?}: {err}");
    }
}

/// A `systemctl` that tells of a server that was started with a socket of systemd.
fn fake_systemctl(dir: &Path, pid: u32, address: &str) {
    let told = format!(
        "#!/bin/sh\ncase \"$2\" in\nmuster.service) printf 'MainPID={pid}\\nTriggeredBy=muster.socket\\n' ;;\n\
         *) printf 'ActiveState=active\\nListen={address} (Stream)\\n' ;;\nesac\n"
    );
    let file = dir.join("systemctl");
    fs::write(&file, told).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_server_behind_a_socket_of_systemd_is_healthy() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("muster.toml");
    // Nobody listens there.
    fs::write(&config, "[http]\nlisten = [\"127.0.0.1:9\"]\n").unwrap();
    let look = || {
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["doctor", "--json", "--data"]).arg(&server.data_dir).arg("--config").arg(&config);
        let output = command.env("PATH", path).stdin(Stdio::null()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    };
    fake_systemctl(dir.path(), server.pid(), &server.address.to_string());
    let (status, report) = look();
    let (level, said) = finding(&report, "reachability");
    assert_eq!((status, level.as_str()), (0, "ok"), "{report:#}");
    assert!(said.contains("muster.socket") && said.contains("is alive"), "{said}");
    assert!(report["clients"].to_string().contains(&format!("{}", server.address)), "{report:#}");
    // Another process is not the server that systemd runs.
    fake_systemctl(dir.path(), 1, &server.address.to_string());
    let (status, report) = look();
    assert_eq!((status, finding(&report, "reachability").0.as_str()), (1, "fail"), "{report:#}");
}

#[test]
fn an_authority_of_ours_is_told_of_where_it_issued_the_certificate_alone() {
    use muster::certificates::issue::{Authority, issue_server, new_authority};
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    fs::create_dir_all(data_dir.join("tls")).unwrap();
    let now = muster::clock::Clock::system().now();
    let [ours, other] = ["ours", "other"].map(|host| new_authority(host, now, 365).unwrap());
    fs::write(data_dir.join("tls/ca.pem"), &ours.certificate).unwrap();
    let config = dir.path().join("muster.toml");
    fs::write(&config, "[tls]\nlisten = [\"127.0.0.1:9\"]\n").unwrap();
    for (authority, is_told) in [(&ours, true), (&other, false)] {
        let signer = Authority::read(&authority.certificate, &authority.key).unwrap();
        let pair = issue_server(&signer, &["muster.lan".to_owned()], now, 90).unwrap();
        fs::write(data_dir.join("tls/server.pem"), pair.certificate).unwrap();
        fs::write(data_dir.join("tls/server.key"), pair.key).unwrap();
        let (_, report, _) = doctor(&data_dir, &["--config", config.to_str().unwrap()]);
        let lines = report["clients"].to_string();
        assert!(lines.contains("https://127.0.0.1:9/"), "{lines}");
        assert_eq!(lines.contains("cainfo=") && lines.contains("tls/ca.pem"), is_told, "{lines}");
        assert_eq!(lines.contains("cainfo=") || lines.contains("ca.pem"), is_told, "{lines}");
    }
}

#[test]
fn a_server_with_tls_is_reached_by_its_authority_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let init = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["tls", "init", "--data"])
        .arg(&data_dir)
        .stdout(Stdio::null())
        .status();
    assert!(init.unwrap().success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!("[tls]\nlisten = [\"127.0.0.1:{port}\"]\n");
    let server = Server::start_with(Options {
        data_dir: Some(data_dir.clone()),
        config: Some(config),
        ..Options::default()
    });
    let url = format!("https://localhost:{port}");
    let (status, report, _) = doctor(&data_dir, &["--url", &url]);
    assert_eq!((status, finding(&report, "reachability").0.as_str()), (0, "ok"), "{report:#}");
    assert!(report["clients"].to_string().contains("cainfo="), "{report:#}");
    let other = directory.path().join("other.pem");
    fs::write(&other, "no certificate").unwrap();
    let (status, report, _) = doctor(&data_dir, &["--url", &url, "--ca", other.to_str().unwrap()]);
    assert_eq!((status, finding(&report, "reachability").0.as_str()), (1, "fail"), "{report:#}");
    drop(server);
}
