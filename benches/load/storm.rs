// SPDX-License-Identifier: Apache-2.0
//! The storm: after an outage every machine sends what it has kept, each record over a connection of its own.

use crate::load::connect;
use crate::request::{Answers, Request};
use crate::server::{Muster, Target};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const RECORDS_PER_CLIENT: usize = 50;
/// The budget: all answered by then, each within the client's patience.
const ALL_MOST: Duration = Duration::from_secs(60);
const EACH_MOST: Duration = Duration::from_secs(10);

/// Memory of the server at most; 150 MB.
const MEMORY_KIB_MAX: u64 = 150_000_000 / 1024;

/// Sends the storm of `clients` at once, prints what became of it, and panics where it is out of its budget.
pub fn run(muster: &mut Muster, clients: usize) {
    storm(muster, clients, None);
}

/// The same over TLS: a new session for each record too, whose certificate is verified by `ca`.
pub fn run_tls(muster: &mut Muster, clients: usize, ca: &Path) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The real client is a new process's worth of state for each record: it resumes nothing.
    config.resumption = Resumption::disabled();
    storm(muster, clients, Some(&Arc::new(config)));
}

fn storm(muster: &mut Muster, clients: usize, tls: Option<&Arc<ClientConfig>>) {
    let address = muster.process().address;
    let barrier = Arc::new(Barrier::new(clients + 1));
    let threads: Vec<_> = (0..clients)
        .map(|number| {
            let (barrier, tls) = (barrier.clone(), tls.cloned());
            let thread = std::thread::Builder::new().stack_size(512 << 10);
            thread.spawn(move || client(address, number, &barrier, tls.as_ref())).unwrap()
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
    let most_kib = muster.process().usage().rss_max_kib;
    muster.add_stored(times.len() as u64);
    times.sort();
    let longest = times.last().copied().unwrap_or_default();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "storm{}: {clients} clients with {RECORDS_PER_CLIENT} records each, a new connection for each: {} of {} answered 201 in \
         {:.1} s; p50 {}, longest {}; {} errors {}; memory of the server {} MB at most\n",
        if tls.is_some() { " over TLS" } else { "" },
        times.len(),
        clients * RECORDS_PER_CLIENT,
        took.as_secs_f64(),
        crate::ms(median),
        crate::ms(longest),
        errors.len(),
        errors.first().map_or("", String::as_str),
        most_kib * 1024 / 1_000_000
    );
    assert!(errors.is_empty() && took < ALL_MOST && longest < EACH_MOST, "the storm is out of its budget");
    assert!(most_kib < MEMORY_KIB_MAX, "the server took too much memory");
}

fn client(
    address: SocketAddr,
    number: usize,
    barrier: &Barrier,
    tls: Option<&Arc<ClientConfig>>,
) -> Vec<io::Result<(u16, Duration)>> {
    let mut request = Request::new(number, false);
    let mut answers = Answers::default();
    barrier.wait();
    let mut send = || {
        let began = Instant::now();
        let mut stream = connect(address, number)?;
        answers.reset();
        let status = match tls {
            None => {
                stream.write_all(request.next())?;
                answers.read(&mut stream)?
            }
            Some(config) => {
                let name = ServerName::from(address.ip());
                let session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(session, stream);
                stream.write_all(request.next())?;
                answers.read(&mut stream)?
            }
        };
        Ok((status, began.elapsed()))
    };
    (0..RECORDS_PER_CLIENT).map(|_| send()).collect()
}
