// SPDX-License-Identifier: Apache-2.0
//! Tokens that were accepted, so that each is accepted once.

use crate::error::Result;
use crate::store::Store;

/// Old rows that one acceptance clears away: more than it adds, so that they never pile up.
const PRUNED_MAX: i64 = 100;

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    /// It is the first with this digest.
    Accepted,
    /// It was accepted before.
    Repeated,
    /// Its investigator is not active any more.
    Disabled,
}

impl Store {
    /// Accepts a verified token of an investigator, unless it was accepted before or the investigator was disabled
    /// meanwhile. `until_at`: from then on its time alone refuses it, so that it need not be remembered.
    pub fn accept_token(
        &self,
        investigator_id: i64,
        digest: [u8; 32],
        until_at: i64,
    ) -> Result<TokenOutcome> {
        // It must go on a full disk, too: what is remembered is let go again within minutes.
        self.writer().change(false, move |write| {
            let connection = write.connection;
            let is_active: bool = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM investigators WHERE id = ?1 AND is_active)")?
                .query_row([investigator_id], |row| row.get(0))?;
            if !is_active {
                return Ok(TokenOutcome::Disabled);
            }
            connection
                .prepare_cached(
                    "DELETE FROM seen_tokens WHERE digest IN (
                       SELECT digest FROM seen_tokens WHERE until_at < ?1 LIMIT ?2)",
                )?
                .execute([write.now, PRUNED_MAX])?;
            let inserted = connection
                .prepare_cached("INSERT OR IGNORE INTO seen_tokens (digest, until_at) VALUES (?1, ?2)")?
                .execute(rusqlite::params![digest, until_at])?;
            Ok(if inserted == 1 { TokenOutcome::Accepted } else { TokenOutcome::Repeated })
        })
    }
}
