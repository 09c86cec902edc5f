// SPDX-License-Identifier: Apache-2.0
//! Endpoints and their keys: binding, unbinding, refusals.

use crate::error::Result;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension};

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

impl Store {
    /// The endpoint with this queueloc; none where no agent of it was ever heard of.
    pub fn endpoint_by_queueloc(&self, queueloc: &str) -> Result<Option<EndpointRow>> {
        self.read(READ_MOST, |connection| find_endpoint(connection, queueloc))
    }
}
