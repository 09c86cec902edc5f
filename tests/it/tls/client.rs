// SPDX-License-Identifier: Apache-2.0
//! A client over rustls that checks the server's certificate.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A configuration that trusts the authority of a file.
pub fn config(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A connection that is kept.
pub struct Client {
    reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

/// An answer: its status, the lines of its head, its body.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects; the handshake is done with the first request.
    pub fn connect(address: SocketAddr, ca: &Path) -> io::Result<Client> {
        Client::with(address, config(ca))
    }

    pub fn with(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Client> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        socket.set_write_timeout(Some(Duration::from_secs(30)))?;
        socket.set_nodelay(true)?;
        let connection =
            ClientConnection::new(config, ServerName::from(address.ip())).map_err(io::Error::other)?;
        Ok(Client { reader: BufReader::new(StreamOwned::new(connection, socket)) })
    }

    /// What TLS knows of the connection.
    pub fn tls(&self) -> &ClientConnection {
        &self.reader.get_ref().conn
    }

    /// The certificate that the server has shown.
    pub fn certificate(&self) -> Vec<u8> {
        self.tls().peer_certificates().unwrap()[0].to_vec()
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    pub fn get(&mut self, target: &str) -> io::Result<Answered> {
        self.request("GET", target, &[], b"")
    }

    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(String, String)],
        body: &[u8],
    ) -> io::Result<Answered> {
        let mut bytes =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in fields {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        self.send(bytes.as_bytes())?;
        // Whoever is refused early may be told so before all is sent.
        let _ = self.send(body);
        self.answer()
    }

    pub fn answer(&mut self) -> io::Result<Answered> {
        let mut head = String::new();
        loop {
            let before = head.len();
            if self.reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.len() - before <= 2 {
                break;
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lower = head.to_ascii_lowercase();
        let mut body = Vec::new();
        match lower.split_once("content-length: ") {
            Some((_, rest)) => {
                body.resize(rest.lines().next().unwrap().parse().unwrap(), 0);
                self.reader.read_exact(&mut body)?;
            }
            None => drop(self.reader.read_to_end(&mut body)?),
        }
        Ok(Answered { status, head, body })
    }

    /// True where the server has closed in order: rustls makes an end without a farewell an error.
    pub fn is_closed_in_order(&mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0))
    }
}
