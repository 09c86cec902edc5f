// SPDX-License-Identifier: Apache-2.0
//! All open connections, who is idle since when, and who must go for a newcomer.
//!
//! ```text
//!            head complete
//!   idle ─────────────────────> working
//!    │ <───────────────────────
//!    │       answer written
//!    └──────> evicted            (chosen for a newcomer; its thread finds out and ends)
//! ```
//!
//! Idle means without a complete head, whether nothing came yet or a part. Only idle connections are evicted, and of
//! these only such as have no input that their thread has yet to read: the change of state is one atomic exchange, so a
//! request that has come whole is not cut off. The longest idle goes first; where most of the idle have not been answered
//! yet, as in a flood of connections that say nothing, these go among themselves.

use super::head::Origin;
use super::tls::Tls;
use crate::model::network::network_of;
use ipnet::IpNet;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const WORKING: u64 = u64::MAX;
const EVICTED: u64 = u64::MAX - 1;

/// So many evicted connections may still hold their descriptors before newcomers wait for them to go.
const LEAVING_MAX: usize = 16;

/// The longest such wait: the accept loop must not hang on a thread that does not end.
const LEAVING_WAIT: Duration = Duration::from_millis(200);

/// A connection as the others see it.
#[derive(Debug)]
pub(super) struct Conn {
    /// Its number in order of arrival.
    pub(super) number: u64,
    /// The peer's address.
    pub(super) peer: SocketAddr,
    /// With what TLS is spoken on it; none where it is plain.
    pub(super) tls: Option<Arc<Tls>>,
    /// Its socket.
    pub(super) socket: Arc<TcpStream>,
    /// Microseconds since the registry was made at which it became idle, or WORKING or EVICTED.
    state: AtomicU64,
    /// True from its first answer on.
    is_answered: AtomicBool,
    origin: Instant,
}

impl Conn {
    /// Where its requests come from.
    pub(super) fn origin(&self) -> Origin {
        Origin { peer: self.peer, is_tls: self.tls.is_some() }
    }

    /// A whole head has come: from now on it is not evicted. False where that has happened already.
    pub(super) fn begin_work(&self) -> bool {
        let state = self.state.load(Ordering::SeqCst);
        state != EVICTED
            && self.state.compare_exchange(state, WORKING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The answer is written: from now on it may be evicted. An eviction that has happened is not undone.
    pub(super) fn begin_idle(&self) {
        let now = micros_since(self.origin);
        self.is_answered.store(true, Ordering::SeqCst);
        // It fails only where the connection was not at work.
        let _ = self.state.compare_exchange(WORKING, now, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn idle_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::SeqCst);
        (state < EVICTED).then_some(state)
    }

    /// True where something has come that its thread has not read yet, perhaps for want of a processor.
    fn has_unread_input(&self) -> bool {
        // Where it cannot be told the connection is broken.
        rustix::io::ioctl_fionread(&*self.socket).is_ok_and(|n_bytes| n_bytes > 0)
    }

    fn shut(&self, how: Shutdown) {
        // It fails only where the peer has closed already, which is as well.
        let _ = self.socket.shutdown(how);
    }
}

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Registry {
    cap: usize,
    /// Peers that speak for many: no quarter limits them.
    crowds: Vec<IpNet>,
    origin: Instant,
    is_stopping: AtomicBool,
    n_requests: AtomicU64,
    n_turned_away: AtomicU64,
    members: Mutex<Members>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Members {
    next_number: u64,
    all: HashMap<u64, Arc<Conn>>,
    n_by_address: HashMap<IpAddr, usize>,
    n_leaving: usize,
}

impl Registry {
    pub(super) fn new(cap: usize, crowds: Vec<IpNet>) -> Registry {
        Registry {
            cap,
            crowds,
            origin: Instant::now(),
            is_stopping: AtomicBool::new(false),
            n_requests: AtomicU64::new(0),
            n_turned_away: AtomicU64::new(0),
            members: Mutex::new(Members::default()),
            left: Condvar::new(),
        }
    }

    /// Takes a newcomer in, for whom the longest idle may have to go. Gives the socket back where nobody can.
    pub(super) fn admit(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        tls: Option<Arc<Tls>>,
    ) -> Result<Arc<Conn>, TcpStream> {
        let (ip, address) = (peer.ip().to_canonical(), network_of(peer.ip()));
        let mut members = self.lock();
        if !ip.is_loopback() && !self.crowds.iter().any(|crowd| crowd.contains(&ip)) {
            let quarter = (self.cap / 4).max(1);
            let n = members.n_by_address.get(&address).copied().unwrap_or(0);
            if n >= quarter && !members.evict(Some(address)) {
                return Err(socket);
            }
        }
        if members.all.len() - members.n_leaving >= self.cap && !members.evict(None) {
            return Err(socket);
        }
        let until = Instant::now() + LEAVING_WAIT;
        while members.n_leaving > LEAVING_MAX {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            members = self.left.wait_timeout(members, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let number = members.next_number;
        members.next_number += 1;
        let conn = Arc::new(Conn {
            number,
            peer,
            tls,
            socket: Arc::new(socket),
            state: AtomicU64::new(micros_since(self.origin)),
            is_answered: AtomicBool::new(false),
            origin: self.origin,
        });
        members.all.insert(number, Arc::clone(&conn));
        *members.n_by_address.entry(address).or_insert(0) += 1;
        Ok(conn)
    }

    /// Forgets a connection whose thread ends.
    pub(super) fn remove(&self, conn: &Conn) {
        let mut members = self.lock();
        if members.all.remove(&conn.number).is_some() {
            if conn.state.load(Ordering::SeqCst) == EVICTED {
                members.n_leaving -= 1;
            } else {
                members.uncount(conn.peer);
            }
        }
        self.left.notify_all();
    }

    /// Evicts the longest idle connection, to free a descriptor; false where none is idle.
    pub(super) fn evict_one(&self) -> bool {
        self.lock().evict(None)
    }

    /// From now on no connection waits for another request. Idle ones lose their reading side only: a request that
    /// has already come is still answered.
    pub(super) fn begin_stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        for conn in self.lock().all.values() {
            if conn.idle_since().is_some() {
                conn.shut(Shutdown::Read);
            }
        }
    }

    /// True after [`Registry::begin_stop`].
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Waits until no connection is left; false where some are after `most`.
    pub(super) fn wait_empty(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut members = self.lock();
        while !members.all.is_empty() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return false;
            }
            members = self.left.wait_timeout(members, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Shuts every connection, whatever it does.
    pub(super) fn shut_all(&self) {
        for conn in self.lock().all.values() {
            conn.shut(Shutdown::Both);
        }
    }

    /// Connections open now.
    pub(super) fn count(&self) -> usize {
        self.lock().all.len()
    }

    /// Requests since the start.
    pub(super) fn count_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }

    /// Connections turned away since the start.
    pub(super) fn count_turned_away(&self) -> u64 {
        self.n_turned_away.load(Ordering::Relaxed)
    }

    /// Counts a connection that is turned away.
    pub(super) fn note_turned_away(&self) {
        self.n_turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request.
    pub(super) fn note_request(&self) {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    /// Shuts an idle connection, of one address ([`network_of`]) or of all; false where there is none.
    fn evict(&mut self, address: Option<IpAddr>) -> bool {
        let idle: Vec<(bool, u64, u64)> = self
            .all
            .values()
            .filter(|conn| address.is_none_or(|a| network_of(conn.peer.ip()) == a))
            .filter_map(|conn| {
                let since = conn.idle_since()?;
                Some((conn.is_answered.load(Ordering::SeqCst), since, conn.number))
            })
            .collect();
        let n_answered = idle.iter().filter(|(is_answered, ..)| *is_answered).count();
        let is_flood = n_answered < idle.len() / 2;
        let in_order = idle
            .into_iter()
            .map(|(is_answered, since, number)| Reverse((is_flood && is_answered, since, number)));
        let mut in_order = BinaryHeap::from_iter(in_order);
        while let Some(Reverse((_, since, number))) = in_order.pop() {
            let Some(conn) = self.all.get(&number).cloned() else { continue };
            // Where the exchange fails its request has just come: look for another.
            if !conn.has_unread_input()
                && conn.state.compare_exchange(since, EVICTED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            {
                conn.shut(Shutdown::Both);
                self.n_leaving += 1;
                self.uncount(conn.peer);
                return true;
            }
        }
        false
    }

    fn uncount(&mut self, peer: SocketAddr) {
        let address = network_of(peer.ip());
        if let Some(n) = self.n_by_address.get_mut(&address) {
            *n -= 1;
            if *n == 0 {
                self.n_by_address.remove(&address);
            }
        }
    }
}

fn micros_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_micros()).unwrap_or(EVICTED - 1).min(EVICTED - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn admit(registry: &Registry, peer: &str) -> (Option<Arc<Conn>>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        (registry.admit(socket, SocketAddr::new(peer.parse().unwrap(), 1), None).ok(), client)
    }

    fn is_closed(mut client: &TcpStream) -> bool {
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        client.read(&mut [0]).is_ok()
    }

    #[test]
    fn an_address_holds_at_most_a_quarter_and_makes_room_among_its_own() {
        let registry = Registry::new(8, Vec::new());
        let (other, _keep) = admit(&registry, "192.0.2.9");
        let (first, first_client) = admit(&registry, "192.0.2.1");
        let (second, second_client) = admit(&registry, "::ffff:192.0.2.1");
        assert!(!is_closed(&first_client));
        let (third, _keep) = admit(&registry, "192.0.2.1");
        assert!(third.is_some() && is_closed(&first_client) && !is_closed(&second_client));
        assert!(second.as_ref().unwrap().begin_work() && third.as_ref().unwrap().begin_work());
        assert!(admit(&registry, "192.0.2.1").0.is_none(), "all of its own are at work");
        assert!(!first.as_ref().unwrap().begin_work(), "it is evicted");
        first.as_ref().unwrap().begin_idle();
        registry.remove(&first.unwrap());
        registry.remove(&second.unwrap());
        assert!(admit(&registry, "192.0.2.1").0.is_some());
        assert!(other.unwrap().begin_work());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_proxy_has_no_quarter() {
        let registry = Registry::new(8, vec!["192.0.2.7/32".parse().unwrap()]);
        let held = ["2001:db8:0:1::1", "2001:db8:0:1::2"].map(|peer| admit(&registry, peer));
        assert!(held.iter().all(|(conn, _)| conn.as_ref().unwrap().begin_work()));
        assert!(admit(&registry, "2001:db8:0:1:ffff::3").0.is_none(), "one network has its quarter");
        let (other, _keep) = admit(&registry, "2001:db8:0:2::1");
        assert!(other.is_some());
        let crowd: Vec<_> = (0..4).map(|_| admit(&registry, "192.0.2.7")).collect();
        assert!(crowd.iter().all(|(conn, _)| conn.as_ref().unwrap().begin_work()));
        registry.remove(held[0].0.as_ref().unwrap());
        assert!(admit(&registry, "2001:db8:0:1::4").0.is_some());
    }

    #[test]
    fn loopback_may_hold_them_all_and_the_cap_holds_for_all() {
        let registry = Registry::new(8, Vec::new());
        let held: Vec<_> = (0..8).map(|_| admit(&registry, "127.0.0.1")).collect();
        assert!(held.iter().all(|(_, client)| !is_closed(client)));
        let (newcomer, _keep) = admit(&registry, "192.0.2.1");
        assert!(newcomer.is_some() && is_closed(&held[0].1) && !is_closed(&held[1].1));
        registry.remove(held[0].0.as_ref().unwrap());
        assert_eq!(registry.count(), 8);
    }
    #[test]
    fn what_is_not_read_yet_stays_and_so_does_who_was_answered_in_a_flood() {
        let registry = Registry::new(6, Vec::new());
        let (answered, answered_client) = admit(&registry, "127.0.0.1");
        assert!(answered.as_ref().unwrap().begin_work());
        answered.as_ref().unwrap().begin_idle();
        let (_waiting, mut waiting_client) = admit(&registry, "127.0.0.1");
        waiting_client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let silent: Vec<_> = (0..4).map(|_| admit(&registry, "127.0.0.1")).collect();
        // They go among themselves, in their order.
        let newcomers: Vec<_> = (0..6).map(|_| admit(&registry, "127.0.0.1")).collect();
        assert!(silent.iter().chain(&newcomers[..2]).all(|(_, client)| is_closed(client)));
        assert!(newcomers[2..].iter().all(|(_, client)| !is_closed(client)));
        assert!(!is_closed(&answered_client) && !is_closed(&waiting_client));
        // Without a flood the longest idle goes.
        for (conn, _) in &newcomers[3..] {
            assert!(conn.as_ref().unwrap().begin_work());
            conn.as_ref().unwrap().begin_idle();
        }
        let _late = admit(&registry, "127.0.0.1");
        assert!(is_closed(&answered_client) && !is_closed(&waiting_client));
    }
}
