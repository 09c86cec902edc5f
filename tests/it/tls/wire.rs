// SPDX-License-Identifier: Apache-2.0
//! What HTTP over TLS has to do as without: keep connections, long bodies both ways, ends that are told; and versions,
//! protocols and tickets, as curl and openssl see them.

use super::client::{Client, config};
use super::{TlsServer, muster};
use crate::support::record_fields;
use rustls::HandshakeKind;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn curl(tls: &TlsServer, words: &[&str]) -> Output {
    Command::new("curl")
        .args(["-sS", "--noproxy", "*", "--max-time", "20", "-w", "\n%{http_code}", "--cacert"])
        .arg(tls.file("ca.pem"))
        .args(words)
        .output()
        .unwrap()
}

fn s_client(tls: &TlsServer, words: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &tls.address.to_string(), "-verify_return_error", "-CAfile"])
        .arg(tls.file("ca.pem"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // Where the handshake fails nobody reads it.
    let _ = child.stdin.take().unwrap().write_all(request);
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn curl_speaks_both_versions_by_name_and_by_address() {
    let tls = TlsServer::start();
    let port = tls.address.port();
    for host in ["127.0.0.1", "localhost"] {
        for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"], &["--http2"]] {
            let url = format!("https://{host}:{port}/healthz");
            let output = curl(&tls, &[version, &[url.as_str()]].concat());
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.ends_with("\n200"),
                "{version:?}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let strange = Command::new("curl").args(["-sS", &tls.url("/healthz")]).output().unwrap();
    assert_eq!(strange.status.code(), Some(60), "without --cacert it is not trusted");
}

#[test]
fn openssl_sees_versions_alpn_and_an_orderly_end() {
    let tls = TlsServer::start();
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&tls, &[version, "-alpn", "h2,http/1.1", "-ign_eof"]);
        assert!(said.contains("ALPN protocol: http/1.1"), "{version}: {said}");
        assert!(
            said.contains("HTTP/1.1 200 OK") && said.contains("Verify return code: 0 (ok)"),
            "{version}: {said}"
        );
        assert!(!said.contains("unexpected eof"), "{version}: {said}");
    }
    let only_h2 = s_client(&tls, &["-alpn", "h2"]);
    assert!(only_h2.contains("no application protocol"), "{only_h2}");
    let without = s_client(&tls, &["-ign_eof"]);
    assert!(without.contains("No ALPN negotiated") && without.contains("200 OK"), "{without}");
    let old = s_client(&tls, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    assert!(!old.contains("200 OK"), "{old}");
}

#[test]
fn a_connection_is_kept_and_takes_pipelined_requests() {
    let tls = TlsServer::start();
    let mut client = tls.connect();
    for event in 0..20 {
        let answer = client.request("POST", "/", &record_fields(event), b"payload").unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    client.send(&b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5)).unwrap();
    for _ in 0..5 {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(tls.server.count_records(), 20);
}

#[test]
fn long_bodies_pass_whole_in_both_directions() {
    let tls = TlsServer::with("[ingest]\npayload_bytes_max = \"4 MiB\"\n", Vec::new());
    let payload: String = (0..3 << 18).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let mut client = tls.connect();
    let stored = client.request("POST", "/", &record_fields(1), payload.as_bytes()).unwrap();
    assert_eq!(stored.status, 201, "{}", stored.head);
    let read = client.get("/records/1/payload").unwrap();
    assert!(read.status == 200 && read.body == payload.as_bytes(), "{} {}", read.status, read.body.len());
}

#[test]
fn an_early_answer_to_a_long_body_arrives() {
    let tls = TlsServer::start();
    let body = vec![b'a'; 8 << 20];
    for _ in 0..5 {
        let mut client = tls.connect();
        let answer = client.request("POST", "/api/records", &[], &body).unwrap();
        assert_eq!(answer.status, 405, "{}", answer.head);
        assert!(client.is_closed_in_order());
    }
}

#[test]
fn the_end_is_told_at_a_close_and_at_a_stop() {
    let mut tls = TlsServer::start();
    let mut one = tls.connect();
    one.send(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(one.answer().unwrap().status, 200);
    assert!(one.is_closed_in_order());
    let mut kept = tls.connect();
    assert_eq!(kept.get("/healthz").unwrap().status, 200);
    let reading = std::thread::spawn(move || kept.is_closed_in_order());
    assert_eq!(tls.server.stop(), Some(0));
    assert!(reading.join().unwrap());
}

#[test]
fn who_comes_again_resumes() {
    let tls = TlsServer::start();
    let config = config(&tls.file("ca.pem"));
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let mut client = Client::with(tls.address, config.clone()).unwrap();
        assert_eq!(client.get("/healthz").unwrap().status, 200);
        kinds.push(client.tls().handshake_kind().unwrap());
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);
}

#[test]
fn the_wrong_protocol_is_told_on_either_port() {
    let tls = TlsServer::start();
    let mut plain = crate::support::Connection::open(tls.address).unwrap();
    let answer = plain.request("GET", "/healthz", &[], b"").unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        answer.message().contains("speaks TLS") && answer.message().contains("https://"),
        "{}",
        answer.text()
    );
    let asked = Instant::now();
    let error =
        Client::connect(tls.server.address, &tls.file("ca.pem")).unwrap().get("/healthz").unwrap_err();
    assert!(error.to_string().contains("corrupt message"), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(5), "it is told at once");
    assert_eq!(tls.connect().get("/healthz").unwrap().status, 200);
}

/// The shell puts the sockets where systemd does.
#[test]
fn a_socket_that_systemd_calls_https_speaks_tls() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    assert!(muster(&["tls", "init"], &data_dir).status.success());
    let sockets = ["127.0.0.1:0"; 2].map(|address| std::net::TcpListener::bind(address).unwrap());
    let [plain, secure] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let [first, second] = sockets.map(std::os::fd::OwnedFd::from);
    let mut child = Command::new("sh")
        .args([
            "-c",
            "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_muster"),
        ])
        .args(["serve", "--tls-listen", "192.0.2.1:1", "--data"])
        .arg(&data_dir)
        .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "http:https")])
        .env_remove("LISTEN_PID")
        .stdin(first)
        .stdout(second)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = Client::connect(secure, &data_dir.join("tls/ca.pem")).unwrap();
    let over_tls = client.get("/healthz").map(|answer| answer.status);
    let mut connection = crate::support::Connection::open(plain).unwrap();
    let without = connection.request("GET", "/healthz", &[], b"").map(|answer| answer.status);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((over_tls.unwrap(), without.unwrap()), (200, 200));
}
