// SPDX-License-Identifier: Apache-2.0
//! Certificates that are good, bad, old and new: what the server does at its start and when they change.

use super::client::Client;
use super::{TlsServer, muster, options, wait_for};
use crate::support::Server;
use muster::certificates::issue::{Authority, Pair, issue_server, new_authority};
use muster::clock::Clock;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Writes an authority and a certificate made at `now` for `days`.
fn write_pair(data_dir: &Path, now: i64, days: u32) -> Pair {
    let ca = new_authority("box", Clock::system().now(), 3_650).unwrap();
    let authority = Authority::read(&ca.certificate, &ca.key).unwrap();
    let server = issue_server(&authority, &["127.0.0.1".to_owned()], now, days).unwrap();
    let dir = data_dir.join("tls");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("ca.pem"), &ca.certificate).unwrap();
    fs::write(dir.join("server.pem"), &server.certificate).unwrap();
    fs::write(dir.join("server.key"), &server.key).unwrap();
    server
}

/// Starts a server that must refuse to; what it says, and its exit code.
fn refused(data_dir: &Path) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--data"])
        .arg(data_dir)
        .env_remove("STATE_DIRECTORY")
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn a_pair_that_is_no_good_is_refused_with_both_files_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::system().now();
    let other = write_pair(&dir.path().join("other"), now, 100);
    type Spoil = fn(&Path, &Pair);
    let cases: [(&str, Spoil); 8] = [
        ("the key is encrypted", |tls, _| {
            let begin =
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
            fs::write(tls.join("server.key"), format!("{begin}AAAA\n-----END RSA PRIVATE KEY-----\n"))
                .unwrap();
        }),
        ("the key is encrypted", |tls, _| {
            let (key, clear) = (tls.join("server.key"), tls.join("clear.key"));
            fs::rename(&key, &clear).unwrap();
            let made = Command::new("openssl")
                .args(["pkcs8", "-topk8", "-passout", "pass:secret", "-in"])
                .arg(clear)
                .arg("-out")
                .arg(key)
                .status();
            assert!(made.unwrap().success());
        }),
        ("no regular file", |tls, _| {
            fs::remove_file(tls.join("server.key")).unwrap();
            assert!(Command::new("mkfifo").arg(tls.join("server.key")).status().unwrap().success());
        }),
        ("Cannot read", |tls, _| fs::remove_file(tls.join("server.pem")).unwrap()),
        ("Cannot read", |tls, _| fs::remove_file(tls.join("server.key")).unwrap()),
        ("the key is not that of the certificate", |tls, other| {
            fs::write(tls.join("server.key"), &other.key).unwrap();
        }),
        ("certificate's file has none", |tls, _| fs::write(tls.join("server.pem"), "x").unwrap()),
        ("key's file has none", |tls, _| fs::write(tls.join("server.key"), [0; 100]).unwrap()),
    ];
    for (number, (what, spoil)) in cases.into_iter().enumerate() {
        let data_dir = dir.path().join(number.to_string());
        write_pair(&data_dir, now, 100);
        spoil(&data_dir.join("tls"), &other);
        let (said, code) = refused(&data_dir);
        assert_eq!(code, Some(2), "{said}");
        for text in [what, "server.pem", "server.key", "muster tls init"] {
            assert!(said.contains(text), "{text}: {said}");
        }
    }
}

#[test]
fn an_old_certificate_and_an_open_key_are_used_with_a_warning() {
    for (age_days, days, warning) in [
        (100, 10, "The certificate has ended on "),
        (-10, 100, "The certificate is good only from "),
        (90, 100, "The certificate ends in 10 days"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        write_pair(&data_dir, Clock::system().now() - age_days * 86_400, days);
        let key = data_dir.join("tls/server.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let tls = TlsServer::on(dir, "", Vec::new());
        assert!(tls.server.log().contains(warning), "{warning}: {}", tls.server.log());
        assert!(tls.server.log().contains("Everybody on this machine can use the key"));
        let outcome = tls.connect().get("/healthz");
        assert_eq!(outcome.is_ok(), warning.contains("ends in"), "{outcome:?}");
        assert_eq!(tls.server.get("/healthz").status, 200);
    }
}

#[test]
fn a_new_pair_is_taken_without_dropping_a_connection() {
    let tls = TlsServer::start();
    let mut kept = tls.connect();
    assert_eq!(kept.get("/healthz").unwrap().status, 200);
    let before = kept.certificate();
    let renewed = muster(&["tls", "init", "--renew", "--days", "300"], &tls.server.data_dir);
    assert!(renewed.status.success(), "{}", String::from_utf8_lossy(&renewed.stderr));
    wait_for("the new certificate", || {
        let mut client = tls.connect();
        client.get("/healthz").unwrap();
        (client.certificate() != before).then_some(())
    });
    tls.wait_for_log("TLS from now on with ");
    assert_eq!(kept.get("/healthz").unwrap().status, 200, "it is still the same connection");
    assert_eq!(kept.certificate(), before);
}

#[test]
fn a_bad_pair_never_takes_the_place_of_a_good_one() {
    let tls = TlsServer::start();
    let mut kept = tls.connect();
    kept.get("/healthz").unwrap();
    let (before, good) = (kept.certificate(), fs::read(tls.file("server.pem")).unwrap());
    let shown = || {
        let mut client = tls.connect();
        assert_eq!(client.get("/healthz").unwrap().status, 200);
        client.certificate()
    };
    for bad in ["", "garbage", &fs::read_to_string(tls.file("ca.pem")).unwrap()] {
        let n_told = tls.server.log().matches("The certificate before stays in use").count();
        fs::write(tls.file("server.pem"), bad).unwrap();
        wait_for("the refusal", || {
            (tls.server.log().matches("The certificate before stays in use").count() > n_told).then_some(())
        });
        assert_eq!(shown(), before);
    }
    // It is told once, not at every look.
    let n_told = tls.server.log().matches("The certificate before stays in use").count();
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(tls.server.log().matches("The certificate before stays in use").count(), n_told);
    fs::write(tls.file("server.pem"), &good).unwrap();
    tls.wait_for_log("TLS from now on with ");
    assert_eq!((shown(), kept.get("/healthz").unwrap().status), (before, 200));
}

#[test]
fn sighup_reads_them_at_once() {
    let tls = TlsServer::start();
    let mut first = tls.connect();
    first.get("/healthz").unwrap();
    fs::write(tls.file("server.key"), "garbage").unwrap();
    tls.server.signal("HUP");
    tls.wait_for_log("The certificate before stays in use");
    assert!(muster(&["tls", "init", "--renew"], &tls.server.data_dir).status.success());
    tls.server.signal("HUP");
    tls.wait_for_log("TLS from now on with ");
    let mut second = tls.connect();
    second.get("/healthz").unwrap();
    assert_ne!(first.certificate(), second.certificate());
}

#[test]
fn another_authority_is_not_trusted_by_clients_of_the_first() {
    let tls = TlsServer::start();
    let old_ca = tls.server.data_dir.join("old.pem");
    fs::copy(tls.file("ca.pem"), &old_ca).unwrap();
    let forced = muster(&["tls", "init", "--force"], &tls.server.data_dir);
    assert!(forced.status.success(), "{}", String::from_utf8_lossy(&forced.stderr));
    tls.server.signal("HUP");
    tls.wait_for_log("TLS from now on with ");
    let error = Client::connect(tls.address, &old_ca).unwrap().get("/healthz").unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(tls.connect().get("/healthz").unwrap().status, 200);
}

#[test]
fn without_addresses_for_tls_no_certificate_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let mut server = Server::start_on(&data_dir);
    assert!(!server.log().contains("https://"));
    assert_eq!(server.stop(), Some(0));
    let log = Server::try_start(options(&data_dir, "", Vec::new())).err().unwrap();
    assert!(log.contains("muster tls init"), "{log}");
}
