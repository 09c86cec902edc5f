// SPDX-License-Identifier: Apache-2.0
//! The storm: after an outage every machine sends what it has kept, each record over a connection of its own.

use crate::load::connect;
use crate::request::{Answers, Request};
use crate::server::{Muster, Target};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const RECORDS_PER_CLIENT: usize = 50;
/// The budget: all answered by then, each within the client's patience.
const ALL_MOST: Duration = Duration::from_secs(60);
const EACH_MOST: Duration = Duration::from_secs(10);

/// Sends the storm of `clients` at once, prints what became of it, and panics where it is out of its budget.
pub fn run(muster: &mut Muster, clients: usize) {
    let address = muster.process().address;
    let barrier = Arc::new(Barrier::new(clients + 1));
    let threads: Vec<_> = (0..clients)
        .map(|number| {
            let barrier = barrier.clone();
            let thread = std::thread::Builder::new().stack_size(128 << 10);
            thread.spawn(move || client(address, number, &barrier)).unwrap()
        })
        .collect();
    barrier.wait();
    let began = Instant::now();
    let mut times: Vec<Duration> = Vec::new();
    let mut errors: Vec<String> = Vec::new();
    for thread in threads {
        for outcome in thread.join().unwrap() {
            match outcome {
                Ok((201, time)) => times.push(time),
                Ok((status, _)) => errors.push(format!("status {status}")),
                Err(error) => errors.push(error.to_string()),
            }
        }
    }
    let took = began.elapsed();
    muster.add_stored(times.len() as u64);
    times.sort();
    let longest = times.last().copied().unwrap_or_default();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "storm: {clients} clients with {RECORDS_PER_CLIENT} records each, a new connection for each: {} of {} answered 201 in \
         {:.1} s; p50 {}, longest {}; {} errors {}\n",
        times.len(),
        clients * RECORDS_PER_CLIENT,
        took.as_secs_f64(),
        crate::ms(median),
        crate::ms(longest),
        errors.len(),
        errors.first().map_or("", String::as_str)
    );
    assert!(errors.is_empty() && took < ALL_MOST && longest < EACH_MOST, "the storm is out of its budget");
}

fn client(address: SocketAddr, number: usize, barrier: &Barrier) -> Vec<io::Result<(u16, Duration)>> {
    let mut request = Request::new(number, false);
    let mut answers = Answers::default();
    barrier.wait();
    let mut send = || {
        let began = Instant::now();
        let mut stream = connect(address, number)?;
        stream.write_all(request.next())?;
        answers.reset();
        let status = answers.read(&mut stream)?;
        Ok((status, began.elapsed()))
    };
    (0..RECORDS_PER_CLIENT).map(|_| send()).collect()
}
