// SPDX-License-Identifier: Apache-2.0
//! TLS: the server with a certificate of `muster tls init`, and clients that check it.

mod certificates;
mod client;
mod command;
mod end_to_end;
mod hostile;
mod wire;

use crate::support::Server;
use crate::support::server::Options;
use client::Client;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A server that speaks TLS, and its certificates.
pub struct TlsServer {
    pub server: Server,
    pub address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl TlsServer {
    pub fn start() -> TlsServer {
        TlsServer::with("", Vec::new())
    }

    /// With lines of a configuration file and words before the program.
    pub fn with(config: &str, wrapper: Vec<String>) -> TlsServer {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let made = muster(&["tls", "init"], &data_dir);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        TlsServer::on(dir, config, wrapper)
    }

    /// On a directory whose `data` has certificates.
    pub fn on(dir: tempfile::TempDir, config: &str, wrapper: Vec<String>) -> TlsServer {
        let server = Server::start_with(options(&dir.path().join("data"), config, wrapper));
        let address = wait_for("the TLS address", || {
            let log = server.log();
            let (_, rest) = log.split_once("listening on https://")?;
            rest.lines().next().filter(|_| rest.contains('\n')).map(|line| line.trim().parse().unwrap())
        });
        TlsServer { server, address, _dir: dir }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.server.data_dir.join("tls").join(name)
    }

    /// A client that trusts the authority of the data directory.
    pub fn connect(&self) -> Client {
        Client::connect(self.address, &self.file("ca.pem")).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Waits until the log has a text.
    pub fn wait_for_log(&self, text: &str) {
        wait_for(text, || self.server.log().contains(text).then_some(()));
    }
}

fn options(data_dir: &Path, config: &str, wrapper: Vec<String>) -> Options {
    let arguments = ["--tls-listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let config = (!config.is_empty()).then(|| config.to_owned());
    Options { data_dir: Some(data_dir.to_owned()), config, wrapper, arguments }
}

/// Runs a subcommand on a data directory.
fn muster(words: &[&str], data_dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(words)
        .arg("--data")
        .arg(data_dir)
        .env_remove("STATE_DIRECTORY")
        .output()
        .unwrap()
}

fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: it did not come");
}
