// SPDX-License-Identifier: Apache-2.0
//! The certificate and key that TLS is spoken with: loaded at the start, read again when they change and when the
//! admin says so. A pair that is no good never takes the place of one that is.
//!
//! No `Strict-Transport-Security` is sent: a browser that once saw it takes no exception for a certificate of a LAN any
//! more, for months, and the plain port that machines use would be gone for it too. A proxy in front may add it.

use crate::certificates::{Certificate, read_file};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::http::wire::Tls;
use crate::model::time::utc_text;
use crate::stop::Stop;
use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The files are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A certificate that ends so soon is worth a warning.
const DAYS_LEFT_WARNED: i64 = 21;
/// And worth another after so long.
const WARN_EVERY_SECS: i64 = 86_400;
/// Permissions that let others than owner and group have the key.
const OTHERS: u32 = 0o007;

/// What the file of a key has where it takes a password.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// The files of certificate and key, and what speaks TLS with them.
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    tls: Arc<Tls>,
    clock: Clock,
    seen: Mutex<Seen>,
}

/// What the files looked like.
#[derive(Debug)]
struct Seen {
    in_use: Stamps,
    /// A change that was found, and may not be finished yet.
    changed: Option<Stamps>,
    /// The change that was refused, told once.
    refused: Option<Stamps>,
    /// What the certificate in use says, and when it was looked at last.
    certificate: Certificate,
    warned_at: i64,
}

/// Of both files: inode, size, and the second and nanosecond of the last change; none where it is not there.
type Stamps = [Option<(u64, u64, i64, i64)>; 2];

impl TlsFiles {
    /// Loads them. Usage, with both files and the remedy, where they are missing, unreadable, damaged or do not belong
    /// together.
    pub fn open(certificate: PathBuf, key: PathBuf, clock: Clock) -> Result<TlsFiles> {
        // Looked at before it is read: what changes in between is then read again.
        let in_use = stamps(&certificate, &key);
        let (config, found) = load(&certificate, &key)?;
        let warned_at = clock.now();
        warn(&found, &key, warned_at);
        log::info!("TLS with {}", described(&found, &certificate));
        let seen = Mutex::new(Seen { in_use, changed: None, refused: None, certificate: found, warned_at });
        Ok(TlsFiles { certificate, key, tls: Arc::new(Tls::new(config)), clock, seen })
    }

    /// What speaks TLS.
    pub fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Reads the files now, whether they have changed or not. A pair that is no good is told in the log, and the one
    /// before stays in use.
    pub fn reload(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.certificate, &self.key);
        self.read_again(&mut seen, now);
    }

    /// Reads the files where they have changed and not moved since the last look: two files are never written at once.
    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.certificate, &self.key);
        if now == seen.in_use || seen.refused == Some(now) {
            seen.changed = None;
        } else if seen.changed != Some(now) {
            seen.changed = Some(now);
        } else {
            self.read_again(&mut seen, now);
        }
        let now = self.clock.now();
        if is_due(seen.warned_at, now) {
            seen.warned_at = now;
            warn(&seen.certificate, &self.key, now);
        }
    }

    fn read_again(&self, seen: &mut Seen, now: Stamps) {
        seen.changed = None;
        match load(&self.certificate, &self.key) {
            Ok((config, found)) => {
                self.tls.replace(config);
                (seen.in_use, seen.refused) = (now, None);
                log::info!("TLS from now on with {}", described(&found, &self.certificate));
                (seen.certificate, seen.warned_at) = (found, self.clock.now());
                warn(&seen.certificate, &self.key, seen.warned_at);
            }
            Err(error) => {
                seen.refused = Some(now);
                log::error!("The certificate before stays in use: {}", error.with_causes());
            }
        }
    }
}

/// Looks at the files again and again; ends with `stop`.
pub fn watch(files: Arc<TlsFiles>, stop: Stop) -> Result<JoinHandle<()>> {
    let look = move || {
        while !stop.wait(LOOK_EVERY) {
            files.look();
        }
    };
    thread::Builder::new().name("tls-files".to_owned()).spawn(look).map_err(|error| {
        Error::internal("Cannot start the thread that watches the certificate").because(error)
    })
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
    })
}

/// Whether TLS can be spoken with these files. Kinds: those of [`TlsFiles::open`].
pub fn check_pair(certificate: &Path, key: &Path) -> Result<()> {
    load(certificate, key).map(drop)
}

/// True where others than owner and group have the key.
pub fn is_for_others(key: &Path) -> bool {
    fs::metadata(key).is_ok_and(|key| key.mode() & OTHERS != 0)
}

fn load(certificate: &Path, key: &Path) -> Result<(Arc<ServerConfig>, Certificate)> {
    read_pair(certificate, key).map_err(|error| {
        let message = format!(
            "TLS needs a certificate and its key, {} and {}: {}; make both with `muster tls init`, or name others with \
             tls.certificate and tls.key",
            certificate.display(),
            key.display(),
            error.message()
        );
        Error::usage(message).because(error)
    })
}

fn read_pair(certificate: &Path, key: &Path) -> Result<(Arc<ServerConfig>, Certificate)> {
    let chain = CertificateDer::pem_slice_iter(&read_file(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::usage("the certificate is damaged").because(error.to_string()))?;
    let first = chain.first().ok_or_else(|| Error::usage("the certificate's file has none in PEM form"))?;
    let found = Certificate::of_der(first)?;
    let key = read_key(&read_file(key)?)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").because(error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            let what = match error {
                rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate",
                _ => "certificate or key is of a kind that is not known here",
            };
            Error::usage(what).because(error)
        })?;
    // The clients of records know nothing else.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets need no memory here; one is enough for who comes again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer =
        Ticketer::new().map_err(|error| Error::internal("TLS cannot be set up").because(error))?;
    config.send_tls13_tickets = 1;
    Ok((Arc::new(config), found))
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let text = String::from_utf8_lossy(pem);
        let is_encrypted = ENCRYPTED.iter().any(|mark| text.contains(mark));
        let what = match is_encrypted {
            true => "the key is encrypted, and nobody is there to give its password (openssl pkey -in KEY -out NEW)",
            false => "the key's file has none in PEM form",
        };
        Error::usage(what).because(error.to_string())
    })
}

fn described(found: &Certificate, path: &Path) -> String {
    format!(
        "{} ({}) for {}, good until {}",
        path.display(),
        found.subject,
        if found.names.is_empty() { "no name".to_owned() } else { found.names.join(", ") },
        utc_text(found.not_after)
    )
}

/// True a day after the last look, and where the clock was set back behind it.
fn is_due(warned_at: i64, now: i64) -> bool {
    !(0..WARN_EVERY_SECS).contains(&(now - warned_at))
}

fn warn(found: &Certificate, key: &Path, now: i64) {
    if let Some(warning) = about_the_end(found, now) {
        log::warn!("{warning}");
    }
    if is_for_others(key) {
        log::warn!("Everybody on this machine can use the key {}; chmod o= {0}", key.display());
    }
}

fn about_the_end(found: &Certificate, now: i64) -> Option<String> {
    let days_left = found.days_left(now);
    if now < found.not_before {
        let from = utc_text(found.not_before);
        Some(format!("The certificate is good only from {from} on: clients refuse it"))
    } else if days_left < 0 {
        Some(format!("The certificate has ended on {}: clients refuse it", utc_text(found.not_after)))
    } else {
        let is_soon = days_left < DAYS_LEFT_WARNED;
        is_soon.then(|| {
            format!("The certificate ends in {days_left} days; `muster tls init --renew` makes another")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tls_init::{Places, Wanted, init};

    #[test]
    fn the_end_is_told_of_once_a_day_also_long_after_the_start() {
        let now = 1_795_228_041;
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let names = vec!["a".to_owned()];
        let wanted = Wanted { host: "box".to_owned(), names, days: 30, is_forced: false };
        let found = init(&places, &wanted, now).unwrap();
        assert_eq!(about_the_end(&found, now), None);
        for (days, text) in [(10, "ends in 20 days"), (31, "has ended on"), (-3, "is good only from")] {
            let told = about_the_end(&found, now + days * 86_400).unwrap();
            assert!(told.contains(text), "{told}");
        }
        let clock = Clock::fixed(now);
        let files = TlsFiles::open(places.server.clone(), places.server_key.clone(), clock.clone()).unwrap();
        let warned_at = |files: &TlsFiles| files.seen.lock().unwrap().warned_at;
        for (later, expected) in [(0, 0), (86_399, 0), (86_400, 86_400), (90_000, 86_400), (50, 50)] {
            clock.set(now + later);
            files.look();
            assert_eq!(warned_at(&files), now + expected, "{later}");
        }
    }
}
