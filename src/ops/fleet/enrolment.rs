// SPDX-License-Identifier: Apache-2.0
//! Who may bring an agent: the token, keys that bind, an admin who unbinds.

use crate::error::{Error, Kind, Result};
use crate::ops::App;
use crate::store::fleet::EndpointRow;
use sha2::{Digest, Sha256};

/// Fewest characters of an agent's key.
const KEY_BYTES_MIN: usize = 16;
/// Most characters of an agent's key.
const KEY_BYTES_MAX: usize = 512;

/// SHA-256 of an agent's key, which is all that is stored of it.
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
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

/// The endpoint whose key a request shows. Unauthorized where it shows none or another, and where the endpoint has
/// none: only agents with a bound key fetch commands.
pub fn authenticated_endpoint(
    app: &App,
    head_authorization: Option<&str>,
    queueloc: &str,
) -> Result<EndpointRow> {
    let key = bearer_key(head_authorization)?;
    let key = key.ok_or_else(|| unauthorized("This needs the agent's key: Authorization: Bearer KEY"))?;
    let shown = key_digest(key);
    let endpoint = app.store.endpoint_by_queueloc(queueloc)?;
    match endpoint {
        Some(endpoint) if endpoint.key_digest.is_some_and(|digest| is_same(&digest, &shown)) => Ok(endpoint),
        // Whoever guesses does not learn which queuelocs there are.
        _ => Err(unauthorized(
            "This key is not bound to this queueloc; a heartbeat that shows it binds it where enrolment allows",
        )),
    }
}

fn unauthorized(message: impl Into<String>) -> Error {
    Error::new(Kind::Unauthorized, message)
}

/// Compares in a time that does not depend on where the two differ.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_characters_of_a_bearer() {
        let cases = [
            ("Bearer 0123456789abcdef", Some("0123456789abcdef")),
            ("bearer  0123456789abcdef ", Some("0123456789abcdef")),
            ("Bearer 0123456789abcde", None),
            ("Bearer 0123456789 abcdef", None),
            ("Bearer 0123456789abcd\u{e9}", None),
            ("Basic 0123456789abcdef", None),
            ("0123456789abcdef", None),
            ("", None),
        ];
        for (field, expected) in cases {
            assert_eq!(bearer_key(Some(field)).ok().flatten(), expected, "{field}");
        }
        assert_eq!(bearer_key(None).unwrap(), None);
        assert!(bearer_key(Some(&format!("Bearer {}", "k".repeat(512)))).is_ok());
        assert!(bearer_key(Some(&format!("Bearer {}", "k".repeat(513)))).is_err());
    }

    #[test]
    fn comparing_compares() {
        assert!(is_same(b"abc", b"abc") && is_same(b"", b""));
        assert!(!is_same(b"abc", b"abd") && !is_same(b"abc", b"ab") && !is_same(b"xbc", b"abc"));
    }
}
