// SPDX-License-Identifier: Apache-2.0
//! Tokens that were accepted, so that each is accepted once.

use crate::error::Result;
use crate::store::Store;
use rusqlite::OptionalExtension;

/// Old rows that one acceptance clears away: more than it adds, so that they never pile up.
const PRUNED_MAX: i64 = 100;

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    /// It is the first with this digest.
    Accepted,
    /// It was accepted before.
    Repeated {
        /// From the same address.
        is_same_peer: bool,
    },
    /// Its investigator is not active any more.
    Disabled,
}

/// A verified token.
#[derive(Clone, Debug)]
pub struct SeenToken {
    /// Whose it is.
    pub investigator_id: i64,
    /// SHA-256 of what is signed and by which key.
    pub digest: [u8; 32],
    /// From then on its time alone refuses it, so that it need not be remembered.
    pub until_at: i64,
    /// The address that sent it.
    pub peer: String,
}

impl Store {
    /// Accepts a verified token of an investigator, unless it was accepted before or the investigator was disabled
    /// meanwhile.
    pub fn accept_token(&self, token: SeenToken) -> Result<TokenOutcome> {
        // It must go on a full disk, too: what is remembered is let go again within minutes.
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let is_active: bool = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM investigators WHERE id = ?1 AND is_active)")?
                .query_row([token.investigator_id], |row| row.get(0))?;
            if !is_active {
                return Ok(TokenOutcome::Disabled);
            }
            connection
                .prepare_cached(
                    "DELETE FROM seen_tokens WHERE digest IN (
                       SELECT digest FROM seen_tokens WHERE until_at < ?1 LIMIT ?2)",
                )?
                .execute([write.now, PRUNED_MAX])?;
            let known: Option<String> = connection
                .prepare_cached("SELECT peer FROM seen_tokens WHERE digest = ?1")?
                .query_row([&token.digest[..]], |row| row.get(0))
                .optional()?;
            if let Some(peer) = known {
                return Ok(TokenOutcome::Repeated { is_same_peer: peer == token.peer });
            }
            connection
                .prepare_cached("INSERT INTO seen_tokens (digest, until_at, peer) VALUES (?1, ?2, ?3)")?
                .execute(rusqlite::params![&token.digest[..], token.until_at, token.peer])?;
            Ok(TokenOutcome::Accepted)
        })
    }
}
