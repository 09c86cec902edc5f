// SPDX-License-Identifier: Apache-2.0
//! Listening sockets: bound to addresses of the configuration, or passed by systemd, which then replace them.

use crate::error::{Error, Kind, Result};
use listenfd::ListenFd;
use rustix::io::FdFlags;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

/// How systemd names a socket on which TLS is spoken.
const TLS_SOCKET_NAME: &str = "https";

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// How long one accept waits before it looks whether to stop. Sockets of our own wake it at once; one that systemd
/// passed must not be shut, since systemd goes on listening on it.
const ACCEPT_WAIT: Duration = Duration::from_millis(250);

/// One or more sockets that listen.
#[derive(Debug)]
pub struct Listeners {
    pub(super) all: Vec<Listening>,
}

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    /// True where systemd listens on it too.
    is_passed: bool,
    /// True where TLS is spoken.
    pub(super) is_tls: bool,
}

impl Listeners {
    /// The sockets passed by systemd if there are any, else `addresses`, see [`Listeners::bind`]. To be called early
    /// and once: it takes the variables `LISTEN_FDS` and `LISTEN_PID` out of the environment.
    pub fn open(addresses: &[String]) -> Result<Listeners> {
        match Listeners::passed()? {
            Some(listeners) => Ok(listeners),
            None => Listeners::bind(addresses),
        }
    }

    /// Binds every address, `ADDR:PORT` with an IPv4 address or an IPv6 address in brackets; port 0 takes a free
    /// one. `[::]` takes IPv4 too, unless an IPv4 address with the same port is in the list. Fails with `Usage` where
    /// an address is no address or not allowed, with `Busy` where it is taken or not there.
    pub fn bind(addresses: &[String]) -> Result<Listeners> {
        Ok(Listeners { all: bind(addresses, false)? })
    }

    /// These and the addresses on which TLS is spoken, bound likewise.
    pub fn and_tls(mut self, addresses: &[String]) -> Result<Listeners> {
        if !addresses.is_empty() {
            self.all.extend(bind(addresses, true)?);
        }
        Ok(self)
    }

    /// True where TLS is spoken on any of them.
    pub fn has_tls(&self) -> bool {
        self.all.iter().any(|listening| listening.is_tls)
    }

    /// The sockets passed by systemd; none where there are none. TLS is spoken on those with
    /// `FileDescriptorName=https`. Fails with `Usage` where one is not a listening TCP
    /// socket.
    pub fn passed() -> Result<Option<Listeners>> {
        let names: Vec<String> = std::env::var("LISTEN_FDNAMES")
            .map(|names| names.split(':').map(str::to_owned).collect())
            .unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut all = Vec::new();
        for i in 0..passed.len() {
            let socket = passed.take_tcp_listener(i).map_err(|error| {
                Error::usage(format!(
                    "Socket {} passed by systemd is not a listening TCP socket; use ListenStream=ADDR:PORT",
                    i + 1
                ))
                .because(error)
            })?;
            if let Some(socket) = socket {
                // A program that we start must not inherit it. Failing that nothing worse happens.
                let _ = rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC);
                let is_tls = names.get(i).is_some_and(|name| name == TLS_SOCKET_NAME);
                all.push(Listening::new(socket, true, is_tls)?);
            }
        }
        Ok((!all.is_empty()).then_some(Listeners { all }))
    }

    /// The addresses that are listened on as a browser takes them, with their real ports.
    pub fn urls(&self) -> Vec<String> {
        let scheme = |listening: &Listening| if listening.is_tls { "https" } else { "http" };
        self.all.iter().map(|listening| format!("{}://{}", scheme(listening), listening.address)).collect()
    }

    /// The addresses that are listened on, with their real ports.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.all.iter().map(|listening| listening.address).collect()
    }
}

impl Listening {
    fn new(socket: TcpListener, is_passed: bool, is_tls: bool) -> Result<Listening> {
        let ready = || -> io::Result<SocketAddr> {
            socket.set_nonblocking(false)?;
            // On Linux the receive timeout of a listening socket is the timeout of accept.
            SockRef::from(&socket).set_read_timeout(Some(ACCEPT_WAIT))?;
            socket.local_addr()
        };
        let address = ready().map_err(|e| Error::internal("Cannot set up a listening socket").because(e))?;
        Ok(Listening { socket, address, is_passed, is_tls })
    }

    /// Stops listening at once where the socket is ours alone, and wakes who waits in accept.
    pub(super) fn shut(&self) {
        if !self.is_passed {
            // Where it fails the accept loop ends with its next look.
            let _ = SockRef::from(&self.socket).shutdown(Shutdown::Read);
        }
    }
}

fn bind(addresses: &[String], is_tls: bool) -> Result<Vec<Listening>> {
    if addresses.is_empty() {
        return Err(Error::usage("No address to listen on; give at least one, for example 127.0.0.1:8080"));
    }
    let parsed = addresses.iter().map(|text| parse(text)).collect::<Result<Vec<_>>>()?.concat();
    let all = parsed
        .iter()
        .map(|address| {
            let has_v4_twin = parsed
                .iter()
                .any(|other| other.is_ipv4() && other.port() == address.port() && address.port() != 0);
            let socket = listen(*address, has_v4_twin).map_err(|error| bind_error(*address, error))?;
            Listening::new(socket, false, is_tls)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(all)
}

/// An address, or those of a name. Of a name that has both kinds only the IPv4 ones: many machines have `::1` in their
/// hosts file and no IPv6.
fn parse(text: &str) -> Result<Vec<SocketAddr>> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    let refused = || {
        Error::usage(format!(
            "Listen address {text:?} is not ADDR:PORT; write for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
        ))
    };
    let mut addresses: Vec<SocketAddr> =
        text.to_socket_addrs().map_err(|error| refused().because(error))?.collect();
    if addresses.iter().any(SocketAddr::is_ipv4) {
        addresses.retain(SocketAddr::is_ipv4);
    }
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() { Err(refused()) } else { Ok(addresses) }
}

fn listen(address: SocketAddr, has_v4_twin: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(has_v4_twin)?;
    }
    // A restart must not wait for connections of its predecessor to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_error(address: SocketAddr, error: io::Error) -> Error {
    let (kind, remedy) = match error.kind() {
        ErrorKind::AddrInUse => (
            Kind::Busy,
            "another program has it; stop that (ss -ltnp shows it) or choose another port".to_owned(),
        ),
        ErrorKind::PermissionDenied if address.port() < 1024 => (
            Kind::Usage,
            "ports under 1024 belong to root; let systemd open it (systemd/muster.socket) or choose a higher port"
                .to_owned(),
        ),
        ErrorKind::PermissionDenied => (Kind::Usage, "it is not permitted".to_owned()),
        ErrorKind::AddrNotAvailable => (
            Kind::Busy,
            format!("this machine has no such address (yet); use {} for all", any_address(address)),
        ),
        _ => (Kind::Busy, error.to_string()),
    };
    Error::new(kind, format!("Cannot listen on {address}: {remedy}")).because(error)
}

fn any_address(address: SocketAddr) -> SocketAddr {
    let ip =
        if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal_of(addresses: &[&str]) -> String {
        let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
        Listeners::bind(&addresses).expect_err("refused").to_string()
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        for bad in ["", "8080", "localhost", "1.2.3.4", "::1:80x", "1.2.3.4:70000", ":8080"] {
            assert!(refusal_of(&[bad]).contains("127.0.0.1:8080"), "{bad}");
        }
    }

    #[test]
    fn an_address_in_use_is_named() {
        let first = Listeners::bind(&["127.0.0.1:0".to_owned()]).unwrap();
        let taken = first.local_addresses()[0].to_string();
        assert!(refusal_of(&[&taken]).contains(&format!("{taken}: another program has it")));
    }

    #[test]
    fn both_families_can_have_the_same_port() {
        let Ok(first) = Listeners::bind(&["[::1]:0".to_owned()]) else { return };
        let port = first.local_addresses()[0].port();
        drop(first);
        let both = Listeners::bind(&[format!("0.0.0.0:{port}"), format!("[::]:{port}")]).unwrap();
        assert_eq!(both.local_addresses().len(), 2);
    }
}
