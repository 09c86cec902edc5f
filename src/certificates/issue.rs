// SPDX-License-Identifier: Apache-2.0
//! Makes the certificates of a LAN: an authority, and what it signs for a server. Keys are ECDSA P-256, which every
//! client takes and which sign fastest.

use crate::error::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use std::net::IpAddr;
use std::time::Duration;

/// Certificates begin so long before they are made: the clocks of a LAN differ.
const EARLIER_SECS: i64 = 86_400;
const DAY_SECS: i64 = 86_400;
/// Characters of a common name.
const COMMON_NAME_CHARS_MAX: usize = 64;

/// A certificate and its key, both in PEM form.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS #8.
    pub key: String,
}

/// What can sign certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// An authority made before. Invalid where certificate or key cannot be read, or do not belong together: what
    /// such a pair signs no client takes.
    pub fn read(certificate: &str, key: &str) -> Result<Authority> {
        let refused = |error: rcgen::Error| {
            Error::invalid("The authority's certificate or key cannot be read").because(error)
        };
        let key = KeyPair::from_pem(key).map_err(refused)?;
        if !super::has_key(certificate.as_bytes(), &key.subject_public_key_info())? {
            return Err(Error::invalid("The authority's key does not belong to its certificate"));
        }
        Ok(Authority { issuer: Issuer::from_ca_cert_pem(certificate, key).map_err(refused)? })
    }
}

/// A new authority, named after `host`, good for `days` from `now` on.
pub fn new_authority(host: &str, now: i64, days: u32) -> Result<Pair> {
    let mut params = params(&format!("muster CA of {host}"), now, days)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = new_key()?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A certificate for a server of these names and addresses, the first of which is its common name, with a new key,
/// good for `days` from `now` on. Usage where a name cannot be one, see [`check_name`].
pub fn issue_server(authority: &Authority, names: &[String], now: i64, days: u32) -> Result<Pair> {
    names.iter().try_for_each(|name| check_name(name))?;
    let common = names.first().ok_or_else(|| Error::usage("A certificate needs a name"))?;
    let mut params = params(common, now, days)?;
    params.subject_alt_names = CertificateParams::new(names.to_vec()).map_err(failed)?.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = new_key()?;
    let certificate = params.signed_by(&key, &authority.issuer).map_err(failed)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Usage where `name` is neither an address nor a host's name, which may begin with `*.`.
pub fn check_name(name: &str) -> Result<()> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let is_host = host.len() <= 253 && host.split('.').all(is_label);
    if name.parse::<IpAddr>().is_ok() || is_host {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{} is no name for a certificate; give a host's name or an address, without a port",
        crate::model::filter::shortened(name)
    )))
}

fn params(common_name: &str, now: i64, days: u32) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let epoch = date_time_ymd(1970, 1, 1);
    let seconds = |at: i64| Duration::from_secs(u64::try_from(at).unwrap_or(0));
    params.not_before = epoch + seconds(now - EARLIER_SECS);
    params.not_after = epoch + seconds(now + i64::from(days) * DAY_SECS);
    params.distinguished_name = DistinguishedName::new();
    let common_name: String = common_name.chars().take(COMMON_NAME_CHARS_MAX).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate().map_err(failed)
}

fn failed(error: rcgen::Error) -> Error {
    Error::internal("The certificate cannot be made").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_or_addresses() {
        for good in ["muster", "a-b.c_d.lan", "*.lan", "10.0.0.1", "fd00::1", &"a".repeat(63)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "http://a",
            "a:80",
            "[::1]",
            "é",
            "a\n",
            "*",
            "*.*.a",
            &"a".repeat(64),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_long_host_fits_into_the_common_name() {
        assert!(new_authority(&"h".repeat(200), 1_795_228_041, 10).is_ok());
    }
}
