// SPDX-License-Identifier: Apache-2.0
//! Records posted while something else is measured: eight connections, as fast as they get answers or at a given
//! pace.

use crate::client::Client;
use muster::model::record::NewRecord;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Connections that post.
pub const CONNECTIONS: usize = 8;
/// Requests made ahead.
const WAITING_MAX: usize = 1_000;

/// One post: when it was sent, and how long its answer took.
#[derive(Clone, Copy, Debug)]
pub struct Post {
    /// When its first byte was sent.
    pub sent_at: Instant,
    /// Until the last byte of its answer.
    pub time: Duration,
}

/// What was posted.
#[derive(Debug, Default)]
pub struct Posted {
    /// Those that were answered 201.
    pub posts: Vec<Post>,
    /// How many were not.
    pub n_errors: u64,
    /// The first of these.
    pub first_error: Option<String>,
}

impl Posted {
    /// Posts sent between two moments: how many each second, and the longest time of one.
    pub fn between(&self, from: Instant, to: Instant) -> (f64, Duration) {
        let within = self.posts.iter().filter(|post| (from..to).contains(&post.sent_at));
        let (count, longest) =
            within.fold((0, Duration::ZERO), |(count, longest), post| (count + 1, longest.max(post.time)));
        (f64::from(count) / to.duration_since(from).as_secs_f64().max(1e-3), longest)
    }
}

/// Posts until it is stopped.
pub struct Posting {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Posted>>,
}

impl Posting {
    /// Starts; `records` must not end before it is stopped. `rate`: how many each second in all, none for as many as
    /// are answered.
    pub fn start(
        address: SocketAddr,
        records: impl Iterator<Item = NewRecord> + Send + 'static,
        rate: Option<f64>,
    ) -> Posting {
        let (made, waiting) = sync_channel::<Vec<u8>>(WAITING_MAX);
        std::thread::spawn(move || {
            // It fails when all who take from it are gone, and then it is over.
            let _ = records.map(|record| request(&record)).try_for_each(|request| made.send(request));
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let waiting = Arc::new(Mutex::new(waiting));
        let every = rate.map(|rate| Duration::from_secs_f64(CONNECTIONS as f64 / rate.max(1.0)));
        let threads = (0..CONNECTIONS).map(|_| {
            let (is_over, waiting) = (is_over.clone(), waiting.clone());
            std::thread::spawn(move || post(address, &waiting, &is_over, every))
        });
        Posting { threads: threads.collect(), is_over }
    }

    /// Ends it after the posts under way.
    pub fn stop(self) -> Posted {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Posted::default();
        for thread in self.threads {
            let posted = thread.join().unwrap();
            all.posts.extend(posted.posts);
            all.n_errors += posted.n_errors;
            all.first_error = all.first_error.or(posted.first_error);
        }
        if let Some(error) = &all.first_error {
            eprintln!("{} posts failed, the first: {error}", all.n_errors);
        }
        all
    }
}

fn post(
    address: SocketAddr,
    waiting: &Mutex<Receiver<Vec<u8>>>,
    is_over: &AtomicBool,
    every: Option<Duration>,
) -> Posted {
    let mut client = Client::new(address);
    let mut posted = Posted::default();
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let Ok(request) = waiting.lock().unwrap().recv() else { break };
        if let Some(every) = every {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // Who is late does not catch up: that would be a burst.
            due = (due + every).max(Instant::now());
        }
        let sent_at = Instant::now();
        let failure = match client.send(&request) {
            Ok(answer) if answer.status == 201 => {
                posted.posts.push(Post { sent_at, time: answer.time });
                continue;
            }
            Ok(answer) => format!("status {}: {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        posted.n_errors += 1;
        posted.first_error.get_or_insert(failure);
    }
    posted
}

/// A record in the header encoding, made now.
fn request(record: &NewRecord) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut head = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Telemetry-TID: 6907c830-eed9-4ce9-81ae-76daf8d88f0f\r\n\
         creation_timestamp: {now}\r\nseverity: {}\r\nrecord_format_version: {}\r\n",
        record.severity.number(),
        record.record_format_version
    );
    let numbers = (record.payload_format_version, record.event_id.map(|id| id.to_string()));
    let version = numbers.0.map(|version| version.to_string());
    let fields = [
        ("classification", Some(&record.classification)),
        ("machine_id", Some(&record.machine_id)),
        ("arch", Some(&record.arch)),
        ("host_type", Some(&record.host_type)),
        ("build", Some(&record.build)),
        ("kernel_version", Some(&record.kernel_version)),
        ("payload_format_version", version.as_ref()),
        ("system_name", record.system_name.as_ref()),
        ("board_name", record.board_name.as_ref()),
        ("cpu_model", record.cpu_model.as_ref()),
        ("bios_version", record.bios_version.as_ref()),
        ("event_id", numbers.1.as_ref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
    }
    if record.is_external {
        head.push_str("X-CLR-External: true\r\n");
    }
    write!(head, "Content-Type: application/text\r\nContent-Length: {}\r\n\r\n", record.payload.len())
        .unwrap();
    head.push_str(&record.payload);
    head.into_bytes()
}
