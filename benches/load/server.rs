// SPDX-License-Identifier: Apache-2.0
//! The servers that are measured, each a process of its own: the release binary, and rouille doing nothing.

use muster::clock::Clock;
use muster::store::{Missing, Store, StoreOptions};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Says to this program that it is to be a server that does nothing, and of which kind.
pub const IDLE_VARIABLE: &str = "MUSTER_BENCH_IDLE_SERVER";
/// Ticks of /proc/PID/stat for each second; Linux tells programs 100 on every architecture.
const TICKS_PER_SEC: u64 = 100;

/// What a process has used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Bytes that it had the kernel write to the disk.
    pub written_bytes: u64,
    /// Memory now.
    pub rss_kib: u64,
    /// Most memory so far.
    pub rss_max_kib: u64,
}

/// A running server.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts a server that says `listening on SCHEME://ADDRESS` on its standard error.
    fn start(command: &mut Command, scheme: &str) -> Process {
        let said_at_start = format!("listening on {scheme}://");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else { panic!("the server did not start: {said}") };
            if let Some((_, address)) = line.split_once(said_at_start.as_str()) {
                break address.trim().parse().unwrap();
            }
            said.push_str(&line);
        };
        // A full pipe would stop the server.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("server: {line}")));
        Process { child, address }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        usage(&self.child.id().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn usage(process: &str) -> Usage {
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let stat = read("stat");
    let after_name = stat.rsplit(") ").next().unwrap_or("");
    let ticks: u64 =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    let number = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let status = read("status");
    Usage {
        cpu: Duration::from_millis(ticks * 1_000 / TICKS_PER_SEC),
        written_bytes: number(&read("io"), "write_bytes:"),
        rss_kib: number(&status, "VmRSS:"),
        rss_max_kib: number(&status, "VmHWM:"),
    }
}

/// Processor time of this process: the load's own.
pub fn own_cpu() -> Duration {
    usage("self").cpu
}

/// Something to be measured.
pub trait Target {
    /// For the table.
    fn name(&self) -> &str;
    /// Where it runs.
    fn process(&self) -> &Process;
    /// Notes how many records it said are stored.
    fn add_stored(&mut self, records: u64);
}

/// The release binary on a data directory.
pub struct Muster {
    name: String,
    process: Process,
    data_dir: PathBuf,
    /// Records that must be there at the end.
    expected: u64,
}

impl Muster {
    /// Starts it; the directory is made where it is missing.
    pub fn start(name: &str, data_dir: &Path) -> Muster {
        Muster::start_with(name, data_dir, &[])
    }

    /// Starts it with certificates made by `muster tls init`; its address is the one on which TLS is spoken.
    pub fn start_tls(name: &str, data_dir: &Path) -> Muster {
        let made = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["tls", "init", "--data"])
            .arg(data_dir)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        Muster::start_on(name, data_dir, &[("MUSTER_TLS_LISTEN", "127.0.0.1:0")], "https")
    }

    /// Starts it with settings as variables of its environment.
    pub fn start_with(name: &str, data_dir: &Path, settings: &[(&str, &str)]) -> Muster {
        Muster::start_on(name, data_dir, settings, "http")
    }

    /// The address is that of `scheme`.
    fn start_on(name: &str, data_dir: &Path, settings: &[(&str, &str)], scheme: &str) -> Muster {
        let expected = if data_dir.join("muster.db").exists() { count_records(data_dir) } else { 0 };
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data_dir);
        for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("MUSTER_")) {
            command.env_remove(variable);
        }
        // A purge in the background would be measured too.
        command.env("MUSTER_RETENTION_DAYS", "0").envs(settings.iter().copied());
        Muster {
            name: name.to_owned(),
            process: Process::start(&mut command, scheme),
            data_dir: data_dir.to_owned(),
            expected,
        }
    }

    /// Stops it in order and compares what is in its database with what it promised.
    pub fn stop_and_compare(mut self) {
        let usage = self.process.usage();
        let pid = Pid::from_raw(self.process.child.id() as i32).unwrap();
        let began = Instant::now();
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.process.child.wait().unwrap();
        let stored = count_records(&self.data_dir);
        println!(
            "{}: {} records promised, {stored} stored; memory {} MB at the end, {} MB at most; stopped in {:.1} s with {status}",
            self.name,
            self.expected,
            usage.rss_kib / 1024,
            usage.rss_max_kib / 1024,
            began.elapsed().as_secs_f64()
        );
        assert_eq!(stored, self.expected, "what was answered 201 and what is stored differ");
    }
}

impl Target for Muster {
    fn name(&self) -> &str {
        &self.name
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn add_stored(&mut self, records: u64) {
        self.expected += records;
    }
}

/// How many records a database has that no server uses.
pub fn count_records(data_dir: &Path) -> u64 {
    let options = StoreOptions {
        data_dir: data_dir.to_owned(),
        missing: Missing::Refuse,
        disk_reserve_bytes: 0,
        readers: 1,
        clock: Clock::system(),
    };
    Store::open(&options).unwrap().count_records().unwrap().unsigned_abs()
}

/// rouille's own server, which reads requests and answers nothing: what the machine can do at best.
pub struct Idle {
    /// For the table.
    pub name: String,
    /// Where it runs.
    pub process: Process,
}

impl Idle {
    /// Starts one: `kind` is `pool` (eight threads) or `default` (a thread for each request).
    pub fn start(name: &str, kind: &str) -> Idle {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Idle { name: name.to_owned(), process: Process::start(command.env(IDLE_VARIABLE, kind), "http") }
    }
}

/// Is a server that does nothing, until its standard input ends.
pub fn run_idle(kind: &str) {
    let server = rouille::Server::new("127.0.0.1:0", |_| rouille::Response::text("")).unwrap();
    let server = if kind == "pool" { server.pool_size(8) } else { server };
    eprintln!("listening on http://{}", server.server_addr());
    std::thread::spawn(|| {
        // The end of the input is the end of the bench, also where that was killed.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    server.run();
}
