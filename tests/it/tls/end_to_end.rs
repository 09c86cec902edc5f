// SPDX-License-Identifier: Apache-2.0
//! The programs that talk to the server, over TLS: `muster send`, the agent, a client of MIG.

use super::{TlsServer, muster, wait_for};
use std::process::{Command, Stdio};

#[test]
fn a_record_is_sent_with_the_authority_and_not_without() {
    let tls = TlsServer::start();
    let ca = tls.file("ca.pem");
    let send = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["send", "--url", &tls.url("/")])
            .args(words)
            .output()
            .unwrap()
    };
    for encoding in ["header", "json"] {
        let sent = send(&["--ca", ca.to_str().unwrap(), "--encoding", encoding]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    }
    let refused = send(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && said.contains("No TLS connection") && said.contains("--ca"),
        "{said}"
    );
    let missing = send(&["--ca", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(tls.server.count_records(), 2);
}

#[test]
fn an_agent_enrols_over_tls_and_one_without_the_authority_does_not() {
    let tls = TlsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle");
    let made = muster(&["agent", "bundle", bundle.to_str().unwrap()], &tls.server.data_dir);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let start = |name: &str, words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["agent", "run", "--heartbeat-secs", "2", "--server", &tls.url(""), "--bundle"])
            .arg(&bundle)
            .arg("--state")
            .arg(dir.path().join(name))
            .args(words)
            .env_remove("STATE_DIRECTORY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join(format!("{name}.log"))).unwrap())
            .spawn()
            .unwrap()
    };
    let ca = tls.file("ca.pem");
    let mut children = [start("stranger", &[]), start("friend", &["--ca", ca.to_str().unwrap()])];
    let log = |name: &str| std::fs::read_to_string(dir.path().join(format!("{name}.log"))).unwrap();
    let listed = || String::from_utf8(muster(&["agent", "list"], &tls.server.data_dir).stdout).unwrap();
    let queueloc = |name: &str| {
        std::fs::read_to_string(dir.path().join(name).join("queueloc"))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    wait_for("the agent", || queueloc("friend").filter(|queueloc| listed().contains(queueloc)));
    wait_for("the refusal", || log("stranger").contains("No TLS connection").then_some(()));
    let strange = queueloc("stranger");
    assert!(strange.is_none_or(|strange| !listed().contains(&strange)), "{}", listed());
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn the_api_of_migs_clients_gives_addresses_with_https() {
    let tls = TlsServer::start();
    let data_dir = &tls.server.data_dir;
    let add = ["investigator", "add", "--name", "Kim", "--permissions", "all"];
    assert!(muster(&add, data_dir).status.success());
    let key = String::from_utf8(muster(&["investigator", "apikey", "1"], data_dir).stdout).unwrap();
    let mut client = tls.connect();
    let fields = [("X-MIGAPIKEY".to_owned(), key.trim().to_owned())];
    let answer = client.request("GET", "/api/v1/dashboard", &fields, b"").unwrap();
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("\"href\":\"https://localhost/api/v1/dashboard\""), "{text}");
    assert!(!text.contains("http://localhost"), "{text}");
}
