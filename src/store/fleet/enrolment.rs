// SPDX-License-Identifier: Apache-2.0
//! Endpoints and their keys: binding, unbinding, refusals.

use crate::config::Enrol;
use crate::error::Result;
use crate::model::audit::{Actor, Audit};
use crate::model::time::utc_text;
use crate::store::writer::Write;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;

/// Refusals that are kept, the newest.
const REFUSALS_MAX: i64 = 1_000;

/// An endpoint and the key that its agents must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// Its id.
    pub id: i64,
    /// Its queueloc.
    pub queueloc: String,
    /// SHA-256 of its key; none while none is bound.
    pub key_digest: Option<[u8; 32]>,
    /// When that was bound, in Unix seconds.
    pub bound_at: Option<i64>,
    /// True where an admin lets the next key bind.
    pub may_bind: bool,
}

/// What a heartbeat shows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownKey {
    /// Nothing.
    None,
    /// Something that is no key.
    Malformed,
    /// A key with this SHA-256.
    Key([u8; 32]),
}

/// What a heartbeat shows of itself, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who may bring a new agent.
    pub enrol: Enrol,
    /// The key that is shown.
    pub key: ShownKey,
    /// True where the token is shown.
    pub has_token: bool,
    /// The address of the sender, for the list of refusals only.
    pub peer: String,
}

/// Why a heartbeat is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The key has another form.
    Malformed,
    /// The endpoint has a key and none is shown.
    NoKey,
    /// The endpoint has another key.
    OtherKey,
    /// The endpoint is known without a key.
    KnownWithout,
    /// A new endpoint's key without the token.
    NeedsToken,
    /// A new endpoint while none is taken.
    Closed,
}

impl KeyRefusal {
    /// A few words for the list of refusals.
    pub fn reason(self) -> &'static str {
        match self {
            KeyRefusal::Malformed => "what it shows is no key",
            KeyRefusal::NoKey => "no key, though its endpoint has one",
            KeyRefusal::OtherKey => "another key than its endpoint's",
            KeyRefusal::KnownWithout => "a key, though its endpoint was known without one",
            KeyRefusal::NeedsToken => "a new endpoint's key without the right token",
            KeyRefusal::Closed => "a new endpoint while enrolment is closed",
        }
    }

    /// What the agent is told: what is wrong and what helps.
    pub fn message(self) -> &'static str {
        match self {
            KeyRefusal::Malformed => {
                "the field Authorization must be Bearer and a key of 16 to 512 visible characters"
            }
            KeyRefusal::NoKey => {
                "this queueloc is bound to a key; send it as Authorization: Bearer KEY, or unbind it on the server \
                 with `muster agent unbind QUEUELOC`"
            }
            KeyRefusal::OtherKey => {
                "this queueloc is bound to another key; where the machine was installed anew, unbind it on the \
                 server with `muster agent unbind QUEUELOC`"
            }
            KeyRefusal::KnownWithout => {
                "this queueloc was known without a key before; let its next key bind with `muster agent unbind \
                 QUEUELOC` on the server"
            }
            KeyRefusal::NeedsToken => {
                "a new queueloc's key binds only with the field X-Muster-Token; `muster agent token` prints the \
                 token on the server"
            }
            KeyRefusal::Closed => "this queueloc is not known and fleet.enrol is closed on the server",
        }
    }
}

/// What becomes of a heartbeat as far as keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is taken.
    Taken,
    /// It is taken and its key binds.
    Binds([u8; 32]),
    /// It is refused.
    Refused(KeyRefusal),
}

/// Judges what is shown against what is known of the endpoint.
pub(super) fn judge(known: Option<&EndpointRow>, admission: &Admission) -> Verdict {
    let bound = known.and_then(|endpoint| endpoint.key_digest);
    match (known, bound, admission.key) {
        (_, _, ShownKey::Malformed) => Verdict::Refused(KeyRefusal::Malformed),
        (_, Some(_), ShownKey::None) => Verdict::Refused(KeyRefusal::NoKey),
        (_, Some(bound), ShownKey::Key(shown)) if is_same(&bound, &shown) => Verdict::Taken,
        (_, Some(_), ShownKey::Key(_)) => Verdict::Refused(KeyRefusal::OtherKey),
        (Some(_), None, ShownKey::None) => Verdict::Taken,
        (Some(endpoint), None, ShownKey::Key(shown)) if endpoint.may_bind => Verdict::Binds(shown),
        (Some(_), None, ShownKey::Key(_)) => Verdict::Refused(KeyRefusal::KnownWithout),
        (None, None, key) => match (admission.enrol, key) {
            (Enrol::Closed, _) => Verdict::Refused(KeyRefusal::Closed),
            (Enrol::Open, ShownKey::Key(shown)) => Verdict::Binds(shown),
            (Enrol::Token | Enrol::Auto, ShownKey::Key(shown)) if admission.has_token => {
                Verdict::Binds(shown)
            }
            (_, ShownKey::Key(_)) => Verdict::Refused(KeyRefusal::NeedsToken),
            _ => Verdict::Taken,
        },
    }
}

/// Compares in a time that does not depend on where the two differ.
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// Heartbeats of one sender that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct EnrolmentRefusal {
    /// The endpoint that they named.
    pub queueloc: String,
    /// The address of the sender.
    pub peer: String,
    /// [`KeyRefusal::reason`].
    pub reason: String,
    /// When the first came, in Unix seconds.
    pub first_at: i64,
    /// When the last came.
    pub last_at: i64,
    /// How many came.
    pub attempts: i64,
}

/// The endpoint with this queueloc, inside whatever reads it.
pub(super) fn find_endpoint(connection: &Connection, queueloc: &str) -> Result<Option<EndpointRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, queueloc, key_digest, bound_at, may_bind FROM endpoints WHERE queueloc = ?1",
    )?;
    let found = statement.query_row([queueloc], |row| {
        Ok(EndpointRow {
            id: row.get(0)?,
            queueloc: row.get(1)?,
            key_digest: row.get(2)?,
            bound_at: row.get(3)?,
            may_bind: row.get(4)?,
        })
    });
    Ok(found.optional()?)
}

/// The id of the endpoint of a heartbeat that was not refused; made where it is new, with the key where it binds.
pub(super) fn admit_endpoint(
    write: &Write<'_>,
    known: Option<&EndpointRow>,
    queueloc: &str,
    verdict: Verdict,
) -> Result<i64> {
    let binds = match verdict {
        Verdict::Binds(digest) => Some(digest),
        _ => None,
    };
    match (known, binds) {
        (Some(endpoint), None) => Ok(endpoint.id),
        (Some(endpoint), Some(digest)) => {
            write
                .connection
                .prepare_cached(
                    "UPDATE endpoints SET key_digest = ?2, bound_at = ?3, may_bind = 0 WHERE id = ?1",
                )?
                .execute(rusqlite::params![endpoint.id, digest, write.now])?;
            Ok(endpoint.id)
        }
        (None, binds) => {
            write
                .connection
                .prepare_cached("INSERT INTO endpoints (queueloc, key_digest, bound_at) VALUES (?1, ?2, ?3)")?
                .execute(rusqlite::params![queueloc, binds, binds.map(|_| write.now)])?;
            Ok(write.connection.last_insert_rowid())
        }
    }
}

/// Counts a refusal; the oldest goes where there are too many.
pub(super) fn note_refusal(write: &Write<'_>, queueloc: &str, peer: &str, refusal: KeyRefusal) -> Result<()> {
    let again = write
        .connection
        .prepare_cached(
            "UPDATE enrolment_refusals SET last_at = ?4, attempts = attempts + 1
             WHERE queueloc = ?1 AND peer = ?2 AND reason = ?3",
        )?
        .execute(rusqlite::params![queueloc, peer, refusal.reason(), write.now])?;
    if again > 0 {
        return Ok(());
    }
    write
        .connection
        .prepare_cached(
            "INSERT INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts)
             VALUES (?1, ?2, ?3, ?4, ?4, 1)",
        )?
        .execute(rusqlite::params![queueloc, peer, refusal.reason(), write.now])?;
    let new_id = write.connection.last_insert_rowid();
    let count: i64 = write
        .connection
        .prepare_cached("SELECT count(*) FROM enrolment_refusals")?
        .query_row([], |row| row.get(0))?;
    if count > REFUSALS_MAX {
        write
            .connection
            .prepare_cached(
                "DELETE FROM enrolment_refusals WHERE id = (
                   SELECT id FROM enrolment_refusals WHERE id <> ?1 ORDER BY last_at, id LIMIT 1)",
            )?
            .execute([new_id])?;
    }
    Ok(())
}

impl Store {
    /// The endpoint with this queueloc; none where no agent of it was ever heard of.
    pub fn endpoint_by_queueloc(&self, queueloc: &str) -> Result<Option<EndpointRow>> {
        self.read(READ_MOST, |connection| find_endpoint(connection, queueloc))
    }

    /// Forgets the key of an endpoint and lets the next one bind. False where that was so already, none where
    /// there is no such endpoint.
    pub fn unbind_endpoint(&self, queueloc: &str, actor: &Actor) -> Result<Option<bool>> {
        let (queueloc, actor) = (queueloc.to_owned(), actor.clone());
        self.writer().change(false, move |write| {
            let Some(before) = find_endpoint(write.connection, &queueloc)? else { return Ok(None) };
            if before.key_digest.is_none() && before.may_bind {
                return Ok(Some(false));
            }
            write
                .connection
                .prepare_cached(
                    "UPDATE endpoints SET key_digest = NULL, bound_at = NULL, may_bind = 1 WHERE queueloc = ?1",
                )?
                .execute([&queueloc])?;
            let key = if before.key_digest.is_some() { "bound" } else { "none" };
            let audit = Audit::new(&actor, "endpoint.unbind", format!("endpoint {queueloc}"))
                .before(json!({ "key": key, "bound": before.bound_at.map(utc_text), "may_bind": before.may_bind }))
                .after(json!({ "key": "none", "may_bind": true }));
            write.audit(&audit).map(|()| Some(true))
        })
    }

    /// Heartbeats that were refused, the last first; at most `rows_max`.
    pub fn enrolment_refusals(&self, rows_max: usize) -> Result<Vec<EnrolmentRefusal>> {
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT queueloc, peer, reason, first_at, last_at, attempts FROM enrolment_refusals
                 ORDER BY last_at DESC, id DESC LIMIT ?1",
            )?;
            let rows = statement.query_map([rows_max as i64], |row| {
                Ok(EnrolmentRefusal {
                    queueloc: row.get(0)?,
                    peer: row.get(1)?,
                    reason: row.get(2)?,
                    first_at: row.get(3)?,
                    last_at: row.get(4)?,
                    attempts: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ShownKey = ShownKey::Key([1; 32]);

    fn endpoint(key_digest: Option<[u8; 32]>, may_bind: bool) -> Option<EndpointRow> {
        Some(EndpointRow { id: 1, queueloc: "q".to_owned(), key_digest, bound_at: None, may_bind })
    }

    #[test]
    fn keys_bind_by_these_rules() {
        use Enrol::{Closed, Open, Token};
        use KeyRefusal::{KnownWithout, Malformed, NeedsToken, NoKey, OtherKey};
        let (bound, known) = (endpoint(Some([1; 32]), false), endpoint(None, false));
        let (other, unbound) = (endpoint(Some([2; 32]), false), endpoint(None, true));
        let taken = Verdict::Taken;
        let binds = Verdict::Binds([1; 32]);
        let refused = Verdict::Refused;
        let cases = [
            // New endpoints.
            (None, Open, ShownKey::None, false, taken),
            (None, Open, KEY, false, binds),
            (None, Token, ShownKey::None, false, taken),
            (None, Token, ShownKey::None, true, taken),
            (None, Token, KEY, false, refused(NeedsToken)),
            (None, Token, KEY, true, binds),
            (None, Enrol::Auto, KEY, false, refused(NeedsToken)),
            (None, Closed, ShownKey::None, true, refused(KeyRefusal::Closed)),
            (None, Closed, KEY, true, refused(KeyRefusal::Closed)),
            // Endpoints with a key.
            (bound.clone(), Closed, KEY, false, taken),
            (bound.clone(), Open, ShownKey::None, true, refused(NoKey)),
            (bound, Open, ShownKey::Malformed, true, refused(Malformed)),
            (other, Open, KEY, true, refused(OtherKey)),
            // Endpoints known without a key: not even the token binds one.
            (known.clone(), Open, KEY, true, refused(KnownWithout)),
            (known.clone(), Token, KEY, true, refused(KnownWithout)),
            (known, Closed, ShownKey::None, false, taken),
            // After an admin's unbind.
            (unbound.clone(), Closed, KEY, false, binds),
            (unbound.clone(), Token, KEY, false, binds),
            (unbound, Token, ShownKey::None, false, taken),
            (None, Open, ShownKey::Malformed, true, refused(Malformed)),
        ];
        for (known, enrol, key, has_token, expected) in cases {
            let admission = Admission { enrol, key, has_token, peer: String::new() };
            assert_eq!(judge(known.as_ref(), &admission), expected, "{known:?} {admission:?}");
        }
    }

    #[test]
    fn comparing_compares() {
        assert!(is_same(b"abc", b"abc") && is_same(b"", b""));
        assert!(!is_same(b"abc", b"abd") && !is_same(b"abc", b"ab") && !is_same(b"xbc", b"abc"));
    }
}
