// SPDX-License-Identifier: Apache-2.0
//! An exhausted descriptor table. It belongs to a whole process, so the server runs in a second copy of this test
//! program, which is told so by a variable.

use super::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const IN_CHILD: &str = "MUSTER_TEST_WIRE_DESCRIPTORS";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_without_free_descriptors_recovers() {
    if std::env::var_os(IN_CHILD).is_some() {
        return serve_with_few_descriptors();
    }
    let mut child = Killed(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "wire::descriptors::a_server_without_free_descriptors_recovers", "--nocapture"])
            .env(IN_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut to_child = child.0.stdin.take().unwrap();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for = |word: &str| {
        lines.find_map(|line| line.split_once(word).map(|(_, rest)| rest.trim().to_owned())).unwrap()
    };
    let address: SocketAddr = wait_for("address ").parse().unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 200 "));
        stream
    };
    // More idle connections than the table has places: the cap keeps some free.
    let idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    drop(ask());
    drop(idle);
    // Fewer than the cap, then every place taken by something else: accept fails, and the longest idle make room.
    let mut held: Vec<TcpStream> = (0..10).map(|_| ask()).collect();
    to_child.write_all(b"take\n").unwrap();
    wait_for("taken");
    held.extend((0..8).map(|_| ask()));
    to_child.write_all(b"free\n").unwrap();
    wait_for("freed");
    held.extend((0..5).map(|_| ask()));
}

fn serve_with_few_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(90), maximum: hard }).unwrap();
    let server = TestServer::start();
    println!("\naddress {}", server.address);
    let mut taken = Vec::new();
    for line in std::io::stdin().lines() {
        if line.unwrap() == "take" {
            while let Ok(file) = File::open("/dev/null") {
                taken.push(file);
            }
            println!("taken");
        } else {
            taken.clear();
            println!("freed");
        }
    }
}
