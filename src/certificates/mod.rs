// SPDX-License-Identifier: Apache-2.0
//! X.509 certificates as files: what they say, and making those of a LAN ([`issue`]). TLS itself is in `http::wire`;
//! what a certificate is worth is its client's business.

pub mod issue;

use crate::error::{Error, Result};
use rustix::fs::OFlags;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs::OpenOptions;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Bytes of a file of certificates or of a key that are read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

const DAY_SECS: i64 = 86_400;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is: `CN=muster.lan`.
    pub subject: String,
    /// The names and addresses that it is for; empty for an authority's.
    pub names: Vec<String>,
    /// It is good from this second on.
    pub not_before: i64,
    /// And until this one.
    pub not_after: i64,
    /// Who signed it; the subject where it has signed itself.
    pub issuer: String,
    /// True where it may sign others.
    pub is_authority: bool,
}

impl Certificate {
    /// The first certificate of a PEM file: a server's own. Usage where the file cannot be read or has none.
    pub fn of_file(path: &Path) -> Result<Certificate> {
        let pem = read_file(path)?;
        Certificate::of_pem(&pem).map_err(|error| {
            Error::usage(format!("{} holds no certificate in PEM form", path.display())).because(error)
        })
    }

    /// The first certificate of a PEM text. Invalid where there is none that can be read.
    pub fn of_pem(pem: &[u8]) -> Result<Certificate> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|error| {
            Error::invalid("This is no certificate in PEM form").because(error.to_string())
        })?;
        Certificate::of_der(&der)
    }

    /// A certificate in DER form. Invalid where it cannot be read.
    pub fn of_der(der: &[u8]) -> Result<Certificate> {
        let (_, found) = X509Certificate::from_der(der)
            .map_err(|error| Error::invalid("The certificate cannot be read").because(error.to_string()))?;
        let names = match found.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name_of).collect(),
            // What cannot be read names nothing.
            Ok(None) | Err(_) => Vec::new(),
        };
        let validity = found.validity();
        Ok(Certificate {
            subject: printable(&found.subject().to_string()),
            names,
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            issuer: printable(&found.issuer().to_string()),
            is_authority: found.is_ca(),
        })
    }

    /// Whole days until it ends; negative where it has.
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(DAY_SECS)
    }

    /// True where it is good at `now`.
    pub fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// True where the public key of the first certificate of a PEM text is this one, in DER form. Invalid where there is no
/// certificate that can be read.
fn has_key(pem: &[u8], public_key: &[u8]) -> Result<bool> {
    let cannot = |error: String| Error::invalid("The certificate cannot be read").because(error);
    let der = CertificateDer::from_pem_slice(pem).map_err(|error| cannot(error.to_string()))?;
    let (_, found) = X509Certificate::from_der(&der).map_err(|error| cannot(error.to_string()))?;
    Ok(found.public_key().raw == public_key)
}

/// A file of certificates or of a key, at most [`FILE_BYTES_MAX`] of it. Usage where it cannot be read, or is no regular
/// file: a pipe would be waited for.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .and_then(|file| match file.metadata()?.is_file() {
            true => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes),
            false => Err(std::io::Error::other("it is no regular file")),
        })
        .map_err(|error| Error::usage(format!("Cannot read {}: {error}", path.display())).because(error))?;
    Ok(bytes)
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress(bytes) => address_of(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use super::issue::{Authority, issue_server, new_authority};
    use super::*;

    const NOW: i64 = 1_795_228_041;

    #[test]
    fn what_is_issued_is_read_again() {
        let authority = new_authority("box", NOW, 3_650).unwrap();
        let ca = Certificate::of_pem(authority.certificate.as_bytes()).unwrap();
        assert_eq!((ca.subject.as_str(), ca.issuer == ca.subject), ("CN=muster CA of box", true));
        assert!(ca.is_authority && ca.names.is_empty());
        let names = ["muster.lan", "10.0.0.1", "::1", "*.lab.example"].map(str::to_owned);
        let again = Authority::read(&authority.certificate, &authority.key).unwrap();
        let server = issue_server(&again, &names, NOW, 825).unwrap();
        let leaf = Certificate::of_pem(server.certificate.as_bytes()).unwrap();
        assert_eq!((leaf.subject.as_str(), &leaf.issuer), ("CN=muster.lan", &ca.subject));
        assert_eq!(leaf.names, names);
        assert_eq!((leaf.days_left(NOW), leaf.is_authority), (825, false));
    }

    #[test]
    fn an_authority_s_key_must_be_its_own() {
        let [one, other] = ["one", "other"].map(|host| new_authority(host, NOW, 10).unwrap());
        assert!(Authority::read(&one.certificate, &one.key).is_ok());
        let Err(error) = Authority::read(&one.certificate, &other.key) else { panic!("it was taken") };
        assert!(error.message().contains("does not belong"), "{error}");
    }

    #[test]
    fn validity_is_counted_in_whole_days() {
        let certificate = Certificate {
            subject: String::new(),
            names: Vec::new(),
            not_before: 1_000,
            not_after: 1_000 + 2 * DAY_SECS,
            issuer: String::new(),
            is_authority: false,
        };
        assert_eq!(
            [1_000, 1_001, 1_000 + 2 * DAY_SECS + 1].map(|now| certificate.days_left(now)),
            [2, 1, -1]
        );
        assert_eq!(
            [999, 1_000, 1_001 + 2 * DAY_SECS].map(|now| certificate.is_valid_at(now)),
            [false, true, false]
        );
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for bad in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Certificate::of_pem(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let error = Certificate::of_file(Path::new("/nonexistent/x.pem")).unwrap_err();
        assert!(error.message().contains("/nonexistent/x.pem"), "{error}");
    }
}
