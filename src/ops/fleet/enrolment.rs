// SPDX-License-Identifier: Apache-2.0
//! Who may bring an agent: the token, keys that bind, an admin who unbinds.

use crate::config::{Config, Enrol};
use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::model::record::hex;
use crate::ops::App;
use crate::store::fleet::{EndpointRow, ShownKey, is_same};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Fewest characters of an agent's key.
const KEY_BYTES_MIN: usize = 16;
/// Most characters of an agent's key.
const KEY_BYTES_MAX: usize = 512;
/// Bytes of the token's file that are looked at.
const TOKEN_FILE_BYTES_MAX: u64 = 1_024;

/// SHA-256 of an agent's key, which is all that is stored of it.
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// What a field `Authorization: Bearer KEY` shows.
pub fn shown_key(head_authorization: Option<&str>) -> ShownKey {
    match bearer_key(head_authorization) {
        Ok(None) => ShownKey::None,
        Ok(Some(key)) => ShownKey::Key(key_digest(key)),
        Err(_) => ShownKey::Malformed,
    }
}

/// The key of a field `Authorization: Bearer KEY`; none where there is no such field. Unauthorized where it is of
/// another form.
pub fn bearer_key(head_authorization: Option<&str>) -> Result<Option<&str>> {
    let Some(field) = head_authorization else { return Ok(None) };
    let key = match field.trim().split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => "",
    };
    let is_key = (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key {
        return Ok(Some(key));
    }
    Err(unauthorized(format!(
        "The field Authorization must be Bearer and a key of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} visible characters"
    )))
}

/// The digest of the key that a request shows. Unauthorized where it shows none.
pub fn required_key(head_authorization: Option<&str>) -> Result<[u8; 32]> {
    let key = bearer_key(head_authorization)?;
    let key = key.ok_or_else(|| unauthorized("This needs the agent's key: Authorization: Bearer KEY"))?;
    Ok(key_digest(key))
}

/// The endpoint whose key a request shows. Unauthorized where it shows none or another, and where the endpoint has
/// none: only agents with a bound key fetch commands.
pub fn authenticated_endpoint(
    app: &App,
    head_authorization: Option<&str>,
    queueloc: &str,
) -> Result<EndpointRow> {
    let shown = required_key(head_authorization)?;
    let endpoint = app.store.endpoint_by_queueloc(queueloc)?;
    match endpoint {
        Some(endpoint) if endpoint.key_digest.is_some_and(|digest| is_same(&digest, &shown)) => Ok(endpoint),
        // Whoever guesses does not learn which queuelocs there are.
        _ => Err(unauthorized(
            "This key is not bound to this queueloc; a heartbeat that shows it binds it where enrolment allows",
        )),
    }
}

/// Runs `look`, which judges what an agent at `peer` shows. A key that no endpoint has and a wrong `token` count for the
/// address where they are refused, and after too many nothing like them is looked at for a while: TooOften. Bound keys and
/// the right token are not held up, whoever else has that address.
pub fn limited<T>(
    app: &App,
    peer: IpAddr,
    head_authorization: Option<&str>,
    token: ShownToken,
    look: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let is_doubtful = match shown_key(head_authorization) {
        _ if token == ShownToken::Right => false,
        ShownKey::Malformed => true,
        ShownKey::None => token == ShownToken::Wrong,
        ShownKey::Key(digest) => !app.store.is_key_bound(&digest)?,
    };
    if !is_doubtful {
        return look();
    }
    let trial = app.attempts.begin_agent(peer)?;
    let outcome = look();
    if matches!(&outcome, Err(error) if error.kind() == Kind::Unauthorized) {
        trial.fail();
    }
    outcome
}

/// The token of enrolment that an agent shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownToken {
    /// None.
    None,
    /// That of this server.
    Right,
    /// Another.
    Wrong,
}

impl ShownToken {
    /// What the field `X-Muster-Token` shows.
    pub fn of(app: &App, field: Option<&str>) -> ShownToken {
        match field {
            None => ShownToken::None,
            Some(token) if is_token(app, token) => ShownToken::Right,
            Some(_) => ShownToken::Wrong,
        }
    }
}

fn unauthorized(message: impl Into<String>) -> Error {
    Error::new(Kind::Unauthorized, message)
}

/// What `fleet.enrol` comes to for a server that listens on these addresses. Open by itself is only what nobody reaches
/// from another host: neither an address nor a proxy leads there.
pub fn resolve(config: &Config, listening: &[SocketAddr]) -> Enrol {
    let is_of_this_host = || listening.iter().all(|address| address.ip().is_loopback());
    match config.fleet.enrol {
        Enrol::Auto if !config.is_behind_proxy() && is_of_this_host() => Enrol::Open,
        Enrol::Auto => Enrol::Token,
        chosen => chosen,
    }
}

/// The file of the token in a data directory.
pub fn token_path(data_dir: &Path) -> PathBuf {
    data_dir.join("agent-token")
}

/// The token of a data directory; none where none was made.
pub fn token(data_dir: &Path) -> Result<Option<String>> {
    let path = token_path(data_dir);
    let cannot = |error: std::io::Error| {
        Error::usage(format!("Cannot read {}; check its owner and permissions", path.display()))
            .because(error)
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let mut text = String::new();
    file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).map_err(cannot)?;
    let token = text.trim();
    Ok((!token.is_empty()).then(|| token.to_owned()))
}

/// The token of a data directory, made where there is none. With `is_new` another one takes its place; keys that are
/// bound stay bound.
pub fn make_token(data_dir: &Path, is_new: bool) -> Result<String> {
    if !is_new && let Some(token) = token(data_dir)? {
        return Ok(token);
    }
    let mut secret = [0; 24];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))?;
    let made = hex(&secret);
    let path = token_path(data_dir);
    // Whoever reads meanwhile sees the old token or the new one, never half of one.
    let draft = data_dir.join(format!(".agent-token.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            writeln!(file, "{made}")?;
            file.sync_all()
        })
        .and_then(|()| match is_new {
            true => fs::rename(&draft, &path),
            // Another process may have made one in the meantime; that one stays.
            false => fs::hard_link(&draft, &path),
        })
        .and_then(|()| File::open(data_dir)?.sync_all());
    if !is_new || written.is_err() {
        // What is left of a failure harms nobody.
        let _ = fs::remove_file(&draft);
    }
    match written {
        Ok(()) => Ok(made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => token(data_dir)?.ok_or_else(|| {
            Error::usage(format!("{} is empty; make a new one: muster agent token --renew", path.display()))
        }),
        Err(error) => {
            Err(Error::usage(format!("Cannot write the token to {}", path.display())).because(error))
        }
    }
}

/// Makes a new token in place of what there was, with its entry in the audit log. Kinds: those of [`make_token`], Busy
/// where the database cannot be written.
pub fn renew_token(app: &App, actor: &Actor) -> Result<String> {
    let data_dir = app.config.data_dir.clone();
    let audit = Audit::new(actor, "enrolment_token.renew", "enrolment token");
    app.store.audited(audit, move || make_token(&data_dir, true))
}

/// True where `shown` is the token. It is read anew each time: a renewed one counts at once.
pub fn is_token(app: &App, shown: &str) -> bool {
    match token(&app.config.data_dir) {
        Ok(Some(token)) => {
            is_same(&Sha256::digest(token.as_bytes()), &Sha256::digest(shown.trim().as_bytes()))
        }
        Ok(None) => false,
        Err(error) => {
            log::warn!("A token cannot be checked: {}", error.with_causes());
            false
        }
    }
}

/// Forgets the key of an endpoint, so that its next one binds: for a machine that was installed anew. NotFound where
/// no agent of it was ever heard of.
pub fn unbind(app: &App, queueloc: &str, actor: &Actor) -> Result<()> {
    match app.store.unbind_endpoint(queueloc, actor)? {
        Some(true) => log::info!("Unbound endpoint {queueloc:?}; its next key binds"),
        Some(false) => {}
        None => {
            let queueloc = crate::model::filter::shortened(queueloc);
            return Err(Error::not_found(format!(
                "There is no endpoint {queueloc}; `muster agent list` names those that there are"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_characters_of_a_bearer() {
        let key = ShownKey::Key(key_digest("0123456789abcdef"));
        let cases = [
            ("Bearer 0123456789abcdef", key),
            ("bearer  0123456789abcdef ", key),
            ("Bearer 0123456789abcde", ShownKey::Malformed),
            ("Bearer 0123456789 abcdef", ShownKey::Malformed),
            ("Bearer 0123456789abcd\u{e9}", ShownKey::Malformed),
            ("Basic 0123456789abcdef", ShownKey::Malformed),
            ("0123456789abcdef", ShownKey::Malformed),
            ("", ShownKey::Malformed),
        ];
        for (field, expected) in cases {
            assert_eq!(shown_key(Some(field)), expected, "{field}");
        }
        assert_eq!(shown_key(None), ShownKey::None);
        assert_ne!(shown_key(Some(&format!("Bearer {}", "k".repeat(512)))), ShownKey::Malformed);
        assert_eq!(shown_key(Some(&format!("Bearer {}", "k".repeat(513)))), ShownKey::Malformed);
    }

    #[test]
    fn who_may_enrol_follows_the_addresses_and_the_proxy() {
        let local: Vec<SocketAddr> = vec!["127.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap()];
        let wide: Vec<SocketAddr> = vec!["127.0.0.1:80".parse().unwrap(), "[::]:80".parse().unwrap()];
        let plain = Config::defaults(Path::new("data"));
        let network = || vec!["127.0.0.1/32".parse().unwrap()];
        let [mut below, mut trusting, mut named] = [plain.clone(), plain.clone(), plain.clone()];
        below.base_path = "/muster".to_owned();
        trusting.trusted_proxies = network();
        named.access.proxy_login_from = network();
        let cases = [
            (&plain, &local, Enrol::Open),
            (&plain, &wide, Enrol::Token),
            (&below, &local, Enrol::Token),
            (&trusting, &local, Enrol::Token),
            (&named, &local, Enrol::Token),
        ];
        for (config, listening, expected) in cases {
            assert_eq!(resolve(config, listening), expected, "{config:?} {listening:?}");
            for chosen in [Enrol::Open, Enrol::Token, Enrol::Closed] {
                let mut config = config.clone();
                config.fleet.enrol = chosen;
                assert_eq!(resolve(&config, listening), chosen);
            }
        }
    }

    #[test]
    fn a_token_is_made_once_and_renewed_when_asked() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(token(dir.path()).unwrap(), None);
        let made = make_token(dir.path(), false).unwrap();
        assert_eq!(made.len(), 48);
        assert_eq!(make_token(dir.path(), false).unwrap(), made);
        assert_eq!(fs::metadata(token_path(dir.path())).unwrap().permissions().mode() & 0o777, 0o600);
        let renewed = make_token(dir.path(), true).unwrap();
        assert_ne!(renewed, made);
        assert_eq!(token(dir.path()).unwrap(), Some(renewed));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
