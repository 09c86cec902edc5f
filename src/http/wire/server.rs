// SPDX-License-Identifier: Apache-2.0
//! The server: starts the accept loops, and ends in good order.
//!
//! At stop the listening sockets close at once, idle connections close at once, and requests in work have a time to
//! finish; their answers say `Connection: close`.

use super::accept;
use super::body::Bounds;
use super::budget::Budget;
use super::connection::Shared;
use super::exchange::Handler;
use super::limits::Limits;
use super::listener::{Listeners, Listening};
use super::registry::Registry;
use super::tls::Tls;
use super::workers::Workers;
use crate::error::{Error, Result};
use crate::stop::Stop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one wait for the stop lasts; it is then waited for again.
const STOP_WAIT: Duration = Duration::from_secs(3600);

/// After the last connections are shut their threads get so long to notice.
const SHUT_WAIT: Duration = Duration::from_millis(500);

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    stop: Stop,
    addresses: Vec<SocketAddr>,
    urls: Vec<String>,
    stopper: JoinHandle<()>,
}

/// A view on the figures of a server that can be kept elsewhere.
#[derive(Clone)]
pub struct Stats {
    shared: Arc<Shared>,
}

impl Stats {
    /// Connections open now.
    pub fn count_connections(&self) -> usize {
        self.shared.registry.count()
    }

    /// Connections turned away since the start, because all were at work.
    pub fn count_turned_away(&self) -> u64 {
        self.shared.registry.count_turned_away()
    }

    /// Finished and failed TLS handshakes since the start; none where no socket speaks TLS.
    pub fn count_handshakes(&self) -> Option<(u64, u64)> {
        self.shared.tls.as_ref().map(|tls| (tls.count_handshakes(), tls.count_failed()))
    }

    /// Requests with a proper head since the start.
    pub fn count_requests(&self) -> u64 {
        self.shared.registry.count_requests()
    }
}

impl Server {
    /// Begins to serve: one thread for each listening socket, one that waits for `stop`. Fails with `Internal` where
    /// a thread cannot be started.
    pub fn start(
        listeners: Listeners,
        limits: Limits,
        handler: Arc<dyn Handler>,
        stop: Stop,
    ) -> Result<Server> {
        Server::start_with_tls(listeners, limits, handler, stop, None)
    }

    /// The same, with what speaks TLS on those sockets that are for it. `Internal` where there are some and nothing
    /// speaks it.
    pub fn start_with_tls(
        listeners: Listeners,
        limits: Limits,
        handler: Arc<dyn Handler>,
        stop: Stop,
        tls: Option<Arc<Tls>>,
    ) -> Result<Server> {
        if listeners.has_tls() && tls.is_none() {
            return Err(Error::internal("A socket for TLS has no certificate"));
        }
        let cap = limits.connection_cap();
        let crowds = limits.crowds.clone();
        let bytes_free = limits.body_bytes_free(cap);
        let budget = Budget::new(limits.bodies_bytes_max.saturating_sub(bytes_free * cap));
        let shared = Arc::new(Shared {
            handler,
            limits,
            registry: Registry::new(cap, crowds),
            bounds: Bounds { budget, bytes_free },
            workers: Workers::default(),
            tls,
        });
        let (addresses, urls) = (listeners.local_addresses(), listeners.urls());
        let listening: Vec<Arc<Listening>> = listeners.all.into_iter().map(Arc::new).collect();
        let mut loops = Vec::new();
        for (i, listening) in listening.iter().enumerate() {
            let (shared, listening) = (Arc::clone(&shared), Arc::clone(listening));
            loops.push(spawn(format!("accept-{i}"), move || accept::run(&shared, &listening))?);
        }
        let stopper = {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            spawn("http-stop".to_owned(), move || wait_for_stop(&shared, &stop, listening, loops))?
        };
        Ok(Server { shared, stop, addresses, urls, stopper })
    }

    /// The addresses that are listened on, with their real ports.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it is reached: `http://ADDR:PORT` or `https://ADDR:PORT`, with the real ports.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The figures of this server.
    pub fn stats(&self) -> Stats {
        Stats { shared: Arc::clone(&self.shared) }
    }

    /// Waits for the stop, then at most `most` for requests in work, then shuts what is left. True where all had
    /// finished.
    pub fn join(self, most: Duration) -> bool {
        while !self.stop.wait(STOP_WAIT) {}
        if self.stopper.join().is_err() {
            log::error!("The thread that ends the HTTP server panicked");
        }
        let all_finished = self.shared.registry.wait_empty(most);
        if !all_finished {
            let n = self.shared.registry.count();
            log::warn!(
                "{n} connections were still at work {} s after the stop; they are shut",
                most.as_secs()
            );
            self.shared.registry.shut_all();
            self.shared.registry.wait_empty(SHUT_WAIT);
        }
        all_finished
    }
}

/// Waits for the stop, then closes the listening sockets and what is idle.
fn wait_for_stop(shared: &Shared, stop: &Stop, listening: Vec<Arc<Listening>>, loops: Vec<JoinHandle<()>>) {
    while !stop.wait(STOP_WAIT) {}
    shared.registry.begin_stop();
    for listening in &listening {
        listening.shut();
    }
    drop(listening);
    for accept_loop in loops {
        if accept_loop.join().is_err() {
            log::error!("An accept loop panicked");
        }
    }
    shared.workers.close();
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| Error::internal("Cannot start a thread of the HTTP server").because(error))
}
