// SPDX-License-Identifier: Apache-2.0
//! The load: connections that each send the next record as soon as the last one is answered.
//!
//! Kept connections are carried by a few threads, because a thread for each would take from the servers the processors on
//! which they are measured. A thread goes round its connections: it reads the answer of one, and sends the next request
//! on it before it turns to the next connection. So each connection always has a request under way. New connections
//! are opened by a thread each: going round would make them wait for each other.

use crate::request::{Answers, Request};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Threads that carry the kept connections.
const KEEP_ALIVE_THREADS: usize = 4;
/// What is sent first is not counted: connections, caches and clock speeds settle.
const WARM_UP: Duration = Duration::from_millis(300);
/// The real client gives up after this.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Whether connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Many records over one connection.
    KeepAlive,
    /// A new connection for each record, as the real client does.
    NewConnection,
}

/// What a load saw.
#[derive(Debug, Default)]
pub struct Load {
    /// Answers 201, or of a server that does nothing 200: all of them, the warm-up's too.
    pub n_created: u64,
    /// Everything else.
    pub n_errors: u64,
    /// The first error.
    pub first_error: Option<String>,
    /// Times from the first byte sent (for a new connection: from its opening) to the last byte read, without the warm-up.
    pub micros: Vec<u32>,
    /// Answers for each second, without the warm-up.
    pub rate: f64,
}

impl Load {
    fn add(&mut self, other: Load) {
        self.n_created += other.n_created;
        self.n_errors += other.n_errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.micros.extend(other.micros);
        self.rate += other.rate;
    }
}

/// Opens a connection to `address` from the loopback address of client `client`: a fleet has many addresses.
pub fn connect(address: SocketAddr, client: usize) -> io::Result<TcpStream> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let host = IpAddr::V4(Ipv4Addr::new(127, 0, (1 + client / 250) as u8, (1 + client % 250) as u8));
    socket.bind(&SocketAddr::new(host, 0).into())?;
    socket.connect_timeout(&address.into(), GIVE_UP)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GIVE_UP))?;
    Ok(stream)
}

/// Loads a server for `duration`, the warm-up not counted.
pub fn measure(address: SocketAddr, mode: Mode, connections: usize, duration: Duration) -> Load {
    let mut lanes: Vec<Lane> = (0..connections).map(|client| Lane::new(client, mode)).collect();
    let mut load = Load::default();
    let threads = match mode {
        Mode::KeepAlive => {
            prime(&mut load, &mut lanes, address);
            connections.min(KEEP_ALIVE_THREADS)
        }
        Mode::NewConnection => connections,
    };
    let mut shares: Vec<Vec<Lane>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, lane) in lanes.into_iter().enumerate() {
        shares[number % threads].push(lane);
    }
    let barrier = Arc::new(Barrier::new(threads));
    let workers = shares.into_iter().map(|lanes| {
        let barrier = barrier.clone();
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        thread.spawn(move || worker(address, mode, lanes, &barrier, duration)).unwrap()
    });
    for worker in workers.collect::<Vec<_>>() {
        load.add(worker.join().unwrap());
    }
    load
}

/// A connection, and the request under way on it.
struct Lane {
    client: usize,
    stream: Option<TcpStream>,
    request: Request,
    answers: Answers,
    sent_at: Instant,
}

impl Lane {
    fn new(client: usize, mode: Mode) -> Lane {
        Lane {
            client,
            stream: None,
            request: Request::new(client, mode == Mode::KeepAlive),
            answers: Answers::default(),
            sent_at: Instant::now(),
        }
    }

    fn send(&mut self, address: SocketAddr) -> io::Result<()> {
        self.sent_at = Instant::now();
        if self.stream.is_none() {
            self.answers.reset();
            self.stream = Some(connect(address, self.client)?);
        }
        let bytes = self.request.next();
        self.stream.as_mut().map_or(Ok(()), |stream| stream.write_all(bytes))
    }

    fn read(&mut self) -> io::Result<u16> {
        match &mut self.stream {
            Some(stream) => self.answers.read(stream),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

fn worker(
    address: SocketAddr,
    mode: Mode,
    mut lanes: Vec<Lane>,
    barrier: &Barrier,
    duration: Duration,
) -> Load {
    let mut load = Load { micros: Vec::with_capacity(1 << 18), ..Load::default() };
    barrier.wait();
    let counted_from = Instant::now() + WARM_UP;
    let until = counted_from + duration;
    for lane in &mut lanes {
        note(&mut load, lane.send(address).map(|()| None));
    }
    let mut is_over = false;
    while !is_over {
        is_over = Instant::now() >= until;
        for lane in &mut lanes {
            if Instant::now() > until + GIVE_UP {
                // Its server has died or forgotten the connection; it must not hold up the bench as well.
                note(&mut load, Err(io::ErrorKind::TimedOut.into()));
                continue;
            }
            let outcome = lane.read();
            let is_broken = outcome.is_err();
            let time = (lane.sent_at >= counted_from).then(|| lane.sent_at.elapsed());
            note(&mut load, outcome.map(|status| Some((status, time))));
            if is_broken || mode == Mode::NewConnection {
                lane.stream = None;
            }
            if !is_over {
                note(&mut load, lane.send(address).map(|()| None));
            }
        }
    }
    load.rate = load.micros.len() as f64 / counted_from.elapsed().as_secs_f64();
    load
}

/// Opens the connections one after the other and sends a record on each: tiny_http, under rouille, may leave a
/// connection without a thread for as long as the others last when several come at once.
fn prime(load: &mut Load, lanes: &mut [Lane], address: SocketAddr) {
    for lane in lanes {
        let outcome = lane.send(address).and_then(|()| lane.read());
        if outcome.is_err() {
            lane.stream = None;
        }
        note(load, outcome.map(|status| Some((status, None))));
    }
}

/// Notes an answer, with its time where that counts, or an error; none where a request was only sent.
fn note(load: &mut Load, outcome: io::Result<Option<(u16, Option<Duration>)>>) {
    match outcome {
        Ok(None) => {}
        Ok(Some((200 | 201, time))) => {
            load.n_created += 1;
            load.micros.extend(time.map(|time| time.as_micros() as u32));
        }
        Ok(Some((status, _))) => {
            load.n_errors += 1;
            load.first_error.get_or_insert_with(|| format!("status {status}"));
        }
        Err(error) => {
            load.n_errors += 1;
            load.first_error.get_or_insert_with(|| error.to_string());
        }
    }
}
