// SPDX-License-Identifier: Apache-2.0
//! The certificates of a LAN in the data directory: `tls/ca.pem`, `ca.key`, `server.pem`, `server.key`. Nothing that
//! is there is overwritten but on demand; the server notices new files by itself.

use crate::certificates::issue::{Authority, check_name, issue_server, new_authority};
use crate::certificates::{Certificate, read_file};
use crate::error::{Error, Kind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Days for which a server's certificate is good where nobody says otherwise: what all clients take.
pub const SERVER_DAYS: u32 = 825;
/// Days for which the authority is good.
pub const AUTHORITY_DAYS: u32 = 3_650;
/// Names in one certificate.
pub const NAMES_MAX: usize = 100;
/// The name of every machine for itself. Before it stand the names that were given, behind it the addresses that the
/// machine has.
pub const OWN_NAME: &str = "localhost";

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The directory of all four.
    pub dir: PathBuf,
    /// The authority's certificate, which every client gets.
    pub ca: PathBuf,
    /// The authority's key: whoever has it can pretend to be any server to these clients.
    pub ca_key: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
}

impl Places {
    /// In a data directory.
    pub fn new(data_dir: &Path) -> Places {
        let dir = data_dir.join("tls");
        Places {
            ca: dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            server: dir.join("server.pem"),
            server_key: dir.join("server.key"),
            dir,
        }
    }

    fn all(&self) -> [&Path; 4] {
        [&self.ca, &self.ca_key, &self.server, &self.server_key]
    }
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of the machine, for the authority's name.
    pub host: String,
    /// Names and addresses for the server's certificate, the first of which is its common name.
    pub names: Vec<String>,
    /// Days for which the server's certificate is good.
    pub days: u32,
    /// What is there already may be replaced, the authority too.
    pub is_forced: bool,
}

/// Makes an authority and a server's certificate. Conflict where any of the files is there and it is not forced, Usage
/// where a name cannot be one or the directory cannot be written.
pub fn init(places: &Places, wanted: &Wanted, now: i64) -> Result<Certificate> {
    check(wanted)?;
    if let Some(found) = places.all().into_iter().find(|path| path.symlink_metadata().is_ok())
        && !wanted.is_forced
    {
        return Err(Error::new(
            Kind::Conflict,
            format!(
                "{} is there already; --renew makes another server certificate of the same authority, --force \
                 replaces the authority too, and every client then needs the new ca.pem",
                found.display()
            ),
        ));
    }
    let ca = new_authority(&wanted.host, now, AUTHORITY_DAYS.max(wanted.days))?;
    let server = issue_server(&Authority::read(&ca.certificate, &ca.key)?, &wanted.names, now, wanted.days)?;
    make_dir(&places.dir)?;
    write_all(&[
        (&places.ca_key, &ca.key, 0o600),
        (&places.ca, &ca.certificate, 0o644),
        (&places.server_key, &server.key, 0o600),
        (&places.server, &server.certificate, 0o644),
    ])?;
    Certificate::of_pem(server.certificate.as_bytes())
}

/// Makes another certificate for the server, of the authority that is there, for the names of the one before too, but
/// for addresses that the machine had then and has no more. Usage where there is no authority, or it ends before the certificate would.
pub fn renew(places: &Places, wanted: &Wanted, now: i64) -> Result<Certificate> {
    let is_half = places.all().into_iter().any(|path| path.symlink_metadata().is_ok());
    let missing = |error: Error| {
        Error::usage(format!(
            "There is no authority to sign with in {}; `muster tls init{}` makes one",
            places.dir.display(),
            if is_half { " --force" } else { "" }
        ))
        .because(error)
    };
    let text = |path: &Path| {
        read_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(missing)
    };
    let (ca, ca_key) = (text(&places.ca)?, text(&places.ca_key)?);
    let authority = Authority::read(&ca, &ca_key)?;
    let left = Certificate::of_pem(ca.as_bytes())?.days_left(now);
    if left < i64::from(wanted.days) {
        return Err(Error::usage(format!(
            "The authority itself is good for {left} more days; give at most that many with --days, or make a new one \
             with --force"
        )));
    }
    let mut wanted = wanted.clone();
    check(&wanted)?;
    if let Ok(before) = Certificate::of_file(&places.server) {
        wanted.names = with_names_before(wanted.names, before.names);
    }
    let server = issue_server(&authority, &wanted.names, now, wanted.days)?;
    write_all(&[(&places.server_key, &server.key, 0o600), (&places.server, &server.certificate, 0o644)])?;
    Certificate::of_pem(server.certificate.as_bytes())
}

/// The names, and those of the certificate before. What stands there behind `localhost` are addresses that the machine
/// had then: who has one of them now may be another. What is too many is left out from the end.
fn with_names_before(mut names: Vec<String>, before: Vec<String>) -> Vec<String> {
    let own = |names: &[String]| names.iter().position(|name| name == OWN_NAME).unwrap_or(names.len());
    let first_own = own(&before);
    let kept = before.into_iter().enumerate().filter(|(at, name)| {
        check_name(name).is_ok() && (*at < first_own || name.parse::<IpAddr>().is_err())
    });
    let at = own(&names);
    names.splice(at..at, kept.map(|(_, name)| name));
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(name.clone()));
    names.truncate(NAMES_MAX);
    names
}

fn check(wanted: &Wanted) -> Result<()> {
    if wanted.names.len() > NAMES_MAX {
        return Err(Error::usage(format!("A certificate may have at most {NAMES_MAX} names")));
    }
    wanted.names.iter().try_for_each(|name| check_name(name))
}

fn make_dir(dir: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(cannot_write(dir, error)),
        _ => Ok(()),
    }
}

/// Writes files whole, all or, but for a power cut in the middle of the renaming, none: whoever reads meanwhile sees
/// the old ones or the new ones.
fn write_all(files: &[(&Path, &str, u32)]) -> Result<()> {
    let draft_of = |path: &Path| path.with_extension(format!("{}.draft", draft_ending(path)));
    let written = files.iter().try_for_each(|(path, text, mode)| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(draft_of(path))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let named = written.and_then(|()| {
        files.iter().try_for_each(|(path, ..)| fs::rename(draft_of(path), path))?;
        let dir = files.first().and_then(|(path, ..)| path.parent());
        dir.map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    });
    named.map_err(|error| {
        for (path, ..) in files {
            // What is left of a failure harms nobody.
            let _ = fs::remove_file(draft_of(path));
        }
        let path = files.first().map_or(Path::new(""), |(path, ..)| path.parent().unwrap_or(path));
        cannot_write(path, error)
    })
}

/// `key.PID` for `server.key`: certificate and key have the same name before the dot.
fn draft_ending(path: &Path) -> String {
    let ending = path.extension().map(|ending| ending.to_string_lossy()).unwrap_or_default();
    format!("{ending}.{}", std::process::id())
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::usage(format!("Cannot write {}; check its owner and permissions", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: i64 = 1_795_228_041;

    fn wanted(names: &[&str]) -> Wanted {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Wanted { host: "box".to_owned(), names, days: SERVER_DAYS, is_forced: false }
    }

    #[test]
    fn nothing_is_overwritten_unless_forced_and_keys_are_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        assert_eq!(renew(&places, &wanted(&["a"]), NOW).unwrap_err().kind(), Kind::Usage);
        init(&places, &wanted(&["a"]), NOW).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([&places.ca_key, &places.server_key].map(|path| mode(path)), [0o600, 0o600]);
        let before = fs::read(&places.ca).unwrap();
        let error = init(&places, &wanted(&["a"]), NOW).unwrap_err();
        assert!(error.kind() == Kind::Conflict && error.message().contains("--renew"), "{error}");
        assert_eq!(fs::read(&places.ca).unwrap(), before);
        init(&places, &Wanted { is_forced: true, ..wanted(&["a"]) }, NOW).unwrap();
        assert_ne!(fs::read(&places.ca).unwrap(), before);
        assert_eq!(fs::read_dir(&places.dir).unwrap().count(), 4, "no draft is left");
    }

    #[test]
    fn a_renewal_keeps_the_authority_and_the_names() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        init(&places, &wanted(&["a", "10.0.0.1"]), NOW).unwrap();
        let (ca, key) = (fs::read(&places.ca).unwrap(), fs::read(&places.server_key).unwrap());
        let later = NOW + 86_400 * 800;
        let renewed = renew(&places, &wanted(&["b", "a"]), later).unwrap();
        assert_eq!((renewed.names.join(" "), renewed.days_left(later)), ("b a 10.0.0.1".to_owned(), 825));
        assert_eq!(fs::read(&places.ca).unwrap(), ca);
        assert_ne!(fs::read(&places.server_key).unwrap(), key);
        let too_late = renew(&places, &wanted(&["a"]), NOW + 86_400 * 3_000).unwrap_err();
        assert!(too_late.message().contains("650 more days"), "{too_late}");
    }

    #[test]
    fn a_renewed_certificate_drops_addresses_that_the_machine_had() {
        let list = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let cases = [
            (
                "b localhost ::1 10.0.0.2",
                "a 10.9.9.9 localhost ::1 10.0.0.1",
                "b a 10.9.9.9 localhost ::1 10.0.0.2",
            ),
            ("b localhost", "localhost fd00::1 late.lan", "b localhost late.lan"),
            ("b localhost", "a_name b", "b a_name localhost"),
            ("b", "a 10.0.0.1", "b a 10.0.0.1"),
        ];
        for (names, before, expected) in cases {
            assert_eq!(with_names_before(list(names), list(before)).join(" "), expected);
        }
        let many = (0..150).map(|n| format!("h{n}")).collect();
        let found = with_names_before(list("b localhost 10.0.0.1"), many);
        assert_eq!((found.len(), found[0].as_str(), found[99].as_str()), (NAMES_MAX, "b", "h98"));
    }

    #[test]
    fn half_an_authority_is_told_the_way_out_and_no_draft_stays() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let error = renew(&places, &wanted(&["a"]), NOW).unwrap_err();
        assert!(error.message().contains("`muster tls init` makes"), "{error}");
        init(&places, &wanted(&["a"]), NOW).unwrap();
        assert_eq!(fs::read_dir(&places.dir).unwrap().count(), 4);
        fs::remove_file(&places.ca_key).unwrap();
        let error = renew(&places, &wanted(&["a"]), NOW).unwrap_err();
        assert!(error.message().contains("`muster tls init --force` makes"), "{error}");
        // Nothing takes the place of a directory: then the certificate does not change either.
        init(&places, &Wanted { is_forced: true, ..wanted(&["a"]) }, NOW).unwrap();
        let before = fs::read(&places.server).unwrap();
        fs::create_dir(places.dir.join(format!("server.pem.{}.draft", std::process::id()))).unwrap();
        renew(&places, &wanted(&["a"]), NOW).unwrap_err();
        assert_eq!(fs::read(&places.server).unwrap(), before);
        let key = fs::read_to_string(&places.server_key).unwrap();
        assert!(
            crate::certificates::issue::Authority::read(&String::from_utf8(before).unwrap(), &key).is_ok()
        );
    }
}
