// SPDX-License-Identifier: Apache-2.0
//! `muster serve`: starting, stopping, and what the service manager is told.

use super::{muster, run, word};
use crate::support::{Connection, Server, record_fields};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// Reads the log of a started server up to the line with this text, and returns that.
fn wait_for(child: &mut Child, text: &str) -> (String, BufReader<ChildStderr>) {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "no line with {text:?} in:\n{all}");
        if line.contains(text) {
            return (line, reader);
        }
        all.push_str(&line);
    }
}

#[test]
fn a_second_server_on_the_same_data_says_who_has_it() {
    let first = Server::start();
    let data = word(&first.data_dir);
    let (code, _, err) = run(&["serve", "--config", "/dev/null", "--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!(code, 1);
    assert!(err.contains(data) && err.contains(&format!("muster serve, process {}", first.pid())), "{err}");
    assert_eq!(first.get("/healthz").status, 200);
}

#[test]
fn a_taken_port_is_named_with_a_remedy() {
    let first = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let address = first.address.to_string();
    let (code, _, err) =
        run(&["serve", "--config", "/dev/null", "--data", word(dir.path()), "--listen", &address]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("Cannot listen on {address}: another program has it")), "{err}");
}

#[test]
fn several_addresses_are_told_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut child =
        muster(&["serve", "--config=/dev/null", "--listen=127.0.0.1:0", "--listen", "127.0.0.2:0", "--data"])
            .arg(dir.path().join("data"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let (_first, mut reader) = wait_for(&mut child, "listening on http://127.0.0.1:");
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let address = line.split_once("listening on http://").unwrap().1.trim();
    assert!(address.starts_with("127.0.0.2:"), "{line}");
    TcpStream::connect(address).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A server that is waited for by hand.
struct Started {
    child: Child,
    connection: Connection,
    log: BufReader<ChildStderr>,
}

fn start(data: &Path) -> Started {
    let mut child = muster(&["serve", "--config", "/dev/null", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (line, log) = wait_for(&mut child, "listening on http://");
    let address = line.split_once("http://").unwrap().1.trim().parse().unwrap();
    Started { child, connection: Connection::open(address).unwrap(), log }
}

impl Started {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the end: exit code and the rest of the log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

#[test]
fn sigterm_and_sigint_stop_in_order_and_sighup_does_nothing() {
    for name in ["TERM", "INT"] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = start(dir.path());
        let answer = server.connection.request("POST", "/", &record_fields(1), b"x").unwrap();
        assert_eq!(answer.status, 201);
        server.signal("HUP");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(server.connection.request("GET", "/healthz", &[], b"").unwrap().status, 200);
        let began = Instant::now();
        server.signal(name);
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        for text in ["SIGHUP: there is no certificate", &format!("Stopping on SIG{name}"), "Stopped\n"] {
            assert!(log.contains(text), "{log}");
        }
        let wal = std::fs::metadata(dir.path().join("muster.db-wal"));
        assert_eq!(wal.map_or(0, |wal| wal.len()), 0, "the database's log was not emptied");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(dir.path());
    // A request in work would hold the stop up for ten seconds.
    let mut head = b"POST / HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for (name, value) in record_fields(1) {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"Content-Length: 10\r\n\r\n1");
    server.connection.send(&head).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.child.try_wait().unwrap().is_none(), "it did not wait for the request in work");
    server.signal("TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_service_manager_is_told_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut child = muster(&["serve", "--config", "/dev/null", "--listen", "127.0.0.1:0", "--data"])
        .arg(dir.path().join("data"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let receive = |wanted: &str| {
        let mut seen = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let count =
                socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error}: no {wanted} in {seen:?}"));
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if text.contains(wanted) {
                return text;
            }
            seen.push(text);
        }
    };
    receive("EXTEND_TIMEOUT_USEC=");
    let ready = receive("READY=1");
    assert!(ready.contains("STATUS=listening on http://127.0.0.1:"), "{ready}");
    for _ in 0..3 {
        receive("WATCHDOG=1");
    }
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    receive("STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[test]
fn a_passed_socket_replaces_the_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" serve --config /dev/null --data "$1" --listen 127.0.0.1:1 3<&0 </dev/null"#;
    let mut child = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_muster"), word(&dir.path().join("data"))])
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (line, _reader) = wait_for(&mut child, "listening on");
    assert!(line.contains(&format!("http://{address}")), "{line}");
    TcpStream::connect(address).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_damaged_or_newer_database_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("muster.db"), "not a database at all").unwrap();
    let (code, _, err) =
        run(&["serve", "--config", "/dev/null", "--listen", "127.0.0.1:0", "--data", word(dir.path())]);
    assert_eq!(code, 2, "systemd does not restart on 2: {err}");
    assert!(err.contains("muster.db"), "{err}");
    assert_eq!(std::fs::read(dir.path().join("muster.db")).unwrap(), b"not a database at all");
}
