// SPDX-License-Identifier: Apache-2.0
//! The threads that serve connections. A thread that is done waits a little for another connection: the real client
//! opens one for every record, and starting a thread costs as much as all the rest of a short connection.

use super::connection::{self, Shared};
use super::registry::Conn;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a thread: handlers render pages and run SQLite, nothing recurses deeply.
const STACK_BYTES: usize = 512 * 1024;

/// So many threads wait for another connection at most.
const WAITING_MAX: usize = 32;

/// And so long.
const WAIT: Duration = Duration::from_secs(5);

/// Connections on their way to a thread that waits.
#[derive(Debug, Default)]
pub(super) struct Workers {
    queue: Mutex<Queue>,
    changed: Condvar,
    n_started: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Never longer than `n_waiting`: nobody is queued behind a connection that may last for hours.
    ready: VecDeque<Arc<Conn>>,
    n_waiting: usize,
    is_closed: bool,
}

impl Workers {
    /// Has `conn` served by a waiting thread or a new one. Fails where no thread can be started.
    pub(super) fn serve(&self, shared: &Arc<Shared>, conn: &Arc<Conn>) -> io::Result<()> {
        let mut queue = self.lock();
        if queue.n_waiting > queue.ready.len() {
            queue.ready.push_back(Arc::clone(conn));
            drop(queue);
            self.changed.notify_one();
            return Ok(());
        }
        drop(queue);
        let name = format!("conn-{}", self.n_started.fetch_add(1, Ordering::Relaxed) % 1_000_000_000);
        let (shared, conn) = (Arc::clone(shared), Arc::clone(conn));
        thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || work(&shared, conn))?;
        Ok(())
    }

    /// Lets the waiting threads end.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// The next connection for a thread that is done; none where it should end.
    fn next(&self) -> Option<Arc<Conn>> {
        let mut queue = self.lock();
        if queue.is_closed || queue.n_waiting >= WAITING_MAX {
            return None;
        }
        queue.n_waiting += 1;
        let until = Instant::now() + WAIT;
        let mut conn = queue.ready.pop_front();
        while conn.is_none() && !queue.is_closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            conn = queue.ready.pop_front();
        }
        queue.n_waiting -= 1;
        conn
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared, first: Arc<Conn>) {
    let mut next = Some(first);
    while let Some(conn) = next.take() {
        connection::serve(shared, &conn);
        shared.registry.remove(&conn);
        // The socket closes here, not when the next connection comes.
        drop(conn);
        next = shared.workers.next();
    }
}
