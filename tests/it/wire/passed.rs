// SPDX-License-Identifier: Apache-2.0
//! A listening socket passed as systemd passes it. That is a matter of a whole process, so a second copy of this test
//! program serves it.

use super::*;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

const IN_CHILD: &str = "MUSTER_TEST_WIRE_PASSED";

#[test]
fn a_passed_socket_replaces_the_addresses_and_outlives_the_stop() {
    if std::env::var_os(IN_CHILD).is_some() {
        return serve_one_request();
    }
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // The shell puts the socket where systemd does.
    let mut child = Command::new("sh")
        .args(["-c", "exec 3<&0 </dev/null; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "wire::passed::a_passed_socket_replaces_the_addresses_and_outlives_the_stop"])
        .env(IN_CHILD, "1")
        .env("LISTEN_FDS", "1")
        .env_remove("LISTEN_PID")
        .stdin(OwnedFd::from(socket.try_clone().unwrap()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let answer = read_answer(&mut client);
    let is_success = child.wait().unwrap().success();
    assert!(answer.1.starts_with("GET / host=a") && is_success, "{answer:?}");
    // systemd goes on listening: who comes now waits for the next start.
    let _waiting = TcpStream::connect(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    assert!(socket.accept().is_ok());
}

fn serve_one_request() {
    let stop = Stop::new();
    let echo = Arc::new(Echo { stop: stop.clone(), n_handled: AtomicUsize::new(0) });
    let listeners = Listeners::open(&["192.0.2.1:1".to_owned()]).unwrap();
    let handler = Arc::clone(&echo) as Arc<dyn Handler>;
    let server = Server::start(listeners, Limits::default(), handler, stop.clone()).unwrap();
    while echo.n_handled.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    stop.set();
    assert!(server.join(Duration::from_secs(5)));
}
