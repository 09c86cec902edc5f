// SPDX-License-Identifier: Apache-2.0
//! `muster tls`, and what openssl says of what it makes.

use super::muster;
use std::path::Path;
use std::process::{Command, Output};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn openssl(words: &[&str], file: &Path) -> String {
    said(&Command::new("openssl").args(words).arg(file).output().unwrap())
}

#[test]
fn what_init_makes_holds_before_openssl() {
    let dir = tempfile::tempdir().unwrap();
    let made =
        muster(&["tls", "init", "--name", "muster.lan", "--name", "10.1.2.3", "--days", "90"], dir.path());
    assert!(made.status.success(), "{}", said(&made));
    let at = |name: &str| dir.path().join("tls").join(name);
    let ca = at("ca.pem");
    let verified = openssl(
        &["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca.to_str().unwrap()],
        &at("server.pem"),
    );
    assert!(verified.ends_with(": OK\n"), "{verified}");
    let authority = openssl(&["x509", "-noout", "-text", "-in"], &ca);
    for text in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "prime256v1",
        "X509v3 Basic Constraints: critical",
    ] {
        assert!(authority.contains(text), "{text}: {authority}");
    }
    let server = openssl(&["x509", "-noout", "-text", "-in"], &at("server.pem"));
    for text in [
        "DNS:muster.lan, IP Address:10.1.2.3",
        "DNS:localhost, IP Address:127.0.0.1",
        "TLS Web Server Authentication",
        "Subject: CN = muster.lan",
        "Digital Signature",
    ] {
        assert!(server.contains(text), "{text}: {server}");
    }
    assert!(!server.contains("CA:TRUE"));
    let end = openssl(&["x509", "-noout", "-checkend", &(89 * 86_400).to_string(), "-in"], &at("server.pem"));
    assert!(end.contains("will not expire"), "{end}");
    let end = openssl(&["x509", "-noout", "-checkend", &(91 * 86_400).to_string(), "-in"], &at("server.pem"));
    assert!(end.contains("will expire"), "{end}");
}

#[test]
fn init_prints_what_clients_need_and_show_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let made = said(&muster(&["tls", "init", "--name", "muster.lan"], dir.path()));
    for text in [
        "server=https://muster.lan:8443/v2/collector",
        "cainfo=/etc/muster/ca.pem",
        "muster agent run --server https://muster.lan:8443 --ca",
        "curl --cacert",
        "listen = [\"0.0.0.0:8443\"]",
        "hostnames = [\"muster.lan\"]",
    ] {
        assert!(made.contains(text), "{text}: {made}");
    }
    let shown = said(&muster(&["tls", "show"], dir.path()));
    for text in ["authority: ", "server: ", "names    muster.lan, "] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    // A second later the last day has begun to run out.
    for days in [825, 3650] {
        let left = |days: u32| shown.contains(&format!("({days} days left)"));
        assert!(left(days) || left(days - 1), "{days}: {shown}");
    }
}

#[test]
fn show_ends_with_a_fault_where_the_key_is_another_s() {
    let [dir, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for dir in [&dir, &other] {
        assert!(muster(&["tls", "init"], dir.path()).status.success());
    }
    assert!(muster(&["tls", "show"], dir.path()).status.success());
    std::fs::copy(other.path().join("tls/server.key"), dir.path().join("tls/server.key")).unwrap();
    let output = muster(&["tls", "show"], dir.path());
    assert_eq!(output.status.code(), Some(2));
    for text in ["server: ", "the key is not that of the certificate"] {
        assert!(said(&output).contains(text), "{text}: {}", said(&output));
    }
}

#[test]
fn init_says_that_the_configuration_names_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("muster.toml");
    std::fs::write(&config, "[tls]\ncertificate = \"/etc/muster/own.pem\"\n").unwrap();
    let output = muster(&["tls", "init", "--config", config.to_str().unwrap()], &dir.path().join("data"));
    for text in ["not the ones made: /etc/muster/own.pem", "Leave out tls.certificate"] {
        assert!(said(&output).contains(text), "{text}: {}", said(&output));
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["tls", "init", "--renew"], 2, "There is no authority"),
        (&["tls", "show"], 2, "server.pem"),
        (&["tls", "init", "--name", "a b"], 2, "is no name for a certificate"),
        (&["tls", "init", "--name", "https://a"], 2, "is no name for a certificate"),
        (&["tls", "init", "--days", "0"], 2, "from 1 to 36500"),
        (&["tls", "init", "--days", "36500"], 0, ""),
    ];
    for (words, code, text) in cases {
        let output = muster(words, dir.path());
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(text), "{words:?}: {}", said(&output));
        assert_eq!(dir.path().join("tls").exists(), code == 0, "{words:?}");
    }
    let read = || std::fs::read(dir.path().join("tls/server.pem")).unwrap();
    let before = read();
    let again = muster(&["tls", "init"], dir.path());
    assert!(again.status.code() == Some(1) && said(&again).contains("is there already"), "{}", said(&again));
    assert_eq!(read(), before);
}
