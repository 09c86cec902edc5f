// SPDX-License-Identifier: Apache-2.0
//! The real binary, started on port 0 and stopped when dropped.

use super::client::{Answer, Connection};
use super::record_fields;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a server is started.
#[derive(Default)]
pub struct Options {
    /// The data directory; a temporary one where none is given.
    pub data_dir: Option<PathBuf>,
    /// Lines of a configuration file.
    pub config: Option<String>,
    /// Words before the program: `prlimit --nofile=64`.
    pub wrapper: Vec<String>,
    /// Further words of `muster serve`.
    pub arguments: Vec<String>,
}

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub data_dir: PathBuf,
    log: Arc<Mutex<String>>,
    _temporary: Option<tempfile::TempDir>,
}

impl Server {
    /// A server with the default configuration and an empty database.
    pub fn start() -> Server {
        Server::start_with(Options::default())
    }

    pub fn start_on(data_dir: &Path) -> Server {
        Server::start_with(Options { data_dir: Some(data_dir.to_owned()), ..Options::default() })
    }

    pub fn start_with(options: Options) -> Server {
        match Server::try_start(options) {
            Ok(server) => server,
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }

    /// The log of the server where it did not get ready.
    pub fn try_start(options: Options) -> Result<Server, String> {
        let temporary = match &options.data_dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().unwrap()),
        };
        let data_dir =
            options.data_dir.clone().unwrap_or_else(|| temporary.as_ref().unwrap().path().join("data"));
        let mut words = options.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_muster").to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data_dir)
            .args(&options.arguments);
        let config_file = temporary.as_ref().map_or_else(
            || data_dir.with_extension("toml"),
            |directory| directory.path().join("muster.toml"),
        );
        if let Some(config) = &options.config {
            std::fs::write(&config_file, config).unwrap();
            command.arg("--config").arg(&config_file);
        }
        let mut child = command
            .env_remove("STATE_DIRECTORY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let address = wait_for_address(&mut child, &log);
        match address {
            Some(address) => Ok(Server { child, address, data_dir, log, _temporary: temporary }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let log = log.lock().unwrap().clone();
                Err(log)
            }
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    pub fn request(&self, method: &str, target: &str, fields: &[(String, String)], body: &[u8]) -> Answer {
        self.connect().request(method, target, fields, body).unwrap()
    }

    pub fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[], b"")
    }

    /// Posts a record in the header encoding.
    pub fn post(&self, fields: &[(String, String)], body: &[u8]) -> Answer {
        self.request("POST", "/", fields, body)
    }

    /// Posts a good record and returns its id.
    pub fn post_record(&self, event: u64, payload: &str) -> i64 {
        let answer = self.post(&record_fields(event), payload.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_i64().unwrap()
    }

    /// How many records the API lists.
    pub fn count_records(&self) -> usize {
        self.get("/api/records").json()["records"].as_array().unwrap().len()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// Resident memory in KiB: now, and at most so far.
    pub fn memory_kib(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let value = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (value("VmRSS:"), value("VmHWM:"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

fn wait_for_address(child: &mut Child, log: &Arc<Mutex<String>>) -> Option<SocketAddr> {
    let stderr = child.stderr.take().unwrap();
    let (found, address) = std::sync::mpsc::channel();
    let kept = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let _ = found.send(rest.trim().parse::<SocketAddr>().unwrap());
            }
            let mut log = kept.lock().unwrap();
            // A server that logs without end must not fill the memory of the test.
            if log.len() < 1 << 20 {
                log.push_str(&line);
                log.push('\n');
            }
        }
    });
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if let Ok(address) = address.recv_timeout(Duration::from_millis(50)) {
            return Some(address);
        }
        if child.try_wait().unwrap().is_some() {
            // The rest of the log may still be on its way.
            std::thread::sleep(Duration::from_millis(100));
            return address.try_recv().ok();
        }
    }
    None
}
