// SPDX-License-Identifier: Apache-2.0
//! Actions as rows: stored with their signers, read, listed. What an action must be is decided in `ops`; who may sign
//! is asked once more here, in the transaction that stores it.

mod cancel;
mod insert;

pub use insert::{NewAction, NewSignature};

use crate::error::{Error, Kind, Result};
use crate::model::action::{Action, ActionInvestigator, Counters};
use crate::model::command::ActionStatus;
use crate::model::timestamp::Timestamp;
use crate::store::{READ_MOST, Store};
use rusqlite::{Connection, OptionalExtension, Row};

/// An action as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The condition that selects its agents.
    pub target: String,
    /// `family` of its threat; empty where it has none.
    pub threat_family: String,
    /// First moment at which it may run, in Unix seconds.
    pub valid_from: i64,
    /// Moment from which it may not run any more, in Unix seconds.
    pub expire_after: i64,
    /// MIG's JSON of what was submitted, without id, status, times, counters and investigators.
    pub document: String,
    /// Where it stands.
    pub status: ActionStatus,
    /// Why it is invalid or was cancelled; else empty.
    pub reason: String,
    /// When it was accepted.
    pub created_at: i64,
    /// When its commands were made.
    pub started_at: Option<i64>,
    /// When it was over.
    pub finished_at: Option<i64>,
    /// When its counters moved last.
    pub updated_at: Option<i64>,
    /// The investigator who submitted it; none for the command line and the spool.
    pub created_by: Option<i64>,
    /// Its commands by status.
    pub counters: ActionCounters,
    /// Who signed it, in the order of its signatures.
    pub signers: Vec<Signer>,
}

/// How many commands of an action have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionCounters {
    /// Those that wait for their agents.
    pub prepared: i64,
    /// Those that agents fetched.
    pub sent: i64,
    /// Those that succeeded.
    pub success: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those whose module took too long.
    pub timeout: i64,
    /// Those that were cancelled.
    pub cancelled: i64,
    /// Those whose action ended before an answer.
    pub expired: i64,
}

/// One who signed an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The investigator's id.
    pub investigator_id: i64,
    /// The name.
    pub name: String,
    /// Fingerprint of the primary key, 40 hexadecimal digits in upper case; empty where the key is gone.
    pub fingerprint: String,
    /// False where the investigator was disabled since.
    pub is_active: bool,
    /// When the investigator was added.
    pub created_at: i64,
    /// When the investigator was changed last.
    pub modified_at: i64,
}

impl ActionCounters {
    /// All commands.
    pub fn total(self) -> i64 {
        self.open() + self.done()
    }

    /// Those that wait for something.
    pub fn open(self) -> i64 {
        self.prepared + self.sent
    }

    /// Those that are over.
    pub fn done(self) -> i64 {
        self.success + self.failed + self.timeout + self.cancelled + self.expired
    }

    /// As MIG's JSON has them: `sent` are all, `inflight` those that are not over, also those that no agent has
    /// fetched yet, because MIG's clients add up done and inflight.
    pub fn to_counters(self) -> Counters {
        Counters {
            sent: self.total(),
            done: self.done(),
            inflight: self.open(),
            success: self.success,
            cancelled: self.cancelled,
            expired: self.expired,
            failed: self.failed,
            timeout: self.timeout,
        }
    }
}

impl ActionRow {
    /// The action as MIG's JSON has it: what was submitted, with id, status, times, counters and investigators filled
    /// in. Corrupt where the stored document cannot be read.
    pub fn to_action(&self) -> Result<Action> {
        let mut action = self.submitted()?;
        // Ids are below 2^53, so this is exact.
        action.id = self.id as f64;
        action.status = self.status.word().to_owned();
        action.starttime = self.started_at.map_or(Timestamp::NOT_STARTED, Timestamp::utc);
        action.finishtime = self.finished_at.map_or(Timestamp::NOT_FINISHED, Timestamp::utc);
        action.lastupdatetime = self.updated_at.map_or(Timestamp::NOT_STARTED, Timestamp::utc);
        action.counters = self.counters.to_counters();
        action.investigators = Some(self.signers.iter().map(Signer::to_investigator).collect());
        Ok(action)
    }

    /// The action as it was submitted, without what only the server knows. Corrupt where it cannot be read.
    pub fn submitted(&self) -> Result<Action> {
        Action::from_json(self.document.as_bytes()).map_err(|error| {
            Error::new(Kind::Corrupt, format!("The document of action {} cannot be read", self.id))
                .because(error)
        })
    }
}

impl Signer {
    fn to_investigator(&self) -> ActionInvestigator {
        ActionInvestigator {
            id: self.investigator_id as f64,
            name: self.name.clone(),
            pgpfingerprint: self.fingerprint.clone(),
            status: if self.is_active { "active" } else { "disabled" }.to_owned(),
            createdat: Timestamp::utc(self.created_at),
            lastmodified: Timestamp::utc(self.modified_at),
        }
    }
}

/// Which actions are listed, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActionQuery {
    /// Only those of this status.
    pub status: Option<ActionStatus>,
    /// Only those with a smaller id: where the page before ended.
    pub below_id: Option<i64>,
    /// At most so many.
    pub rows_max: usize,
}

const COLUMNS: &str = "id, name, target, threat_family, valid_from, expire_after, document, status, reason, \
    created_at, started_at, finished_at, updated_at, created_by, \
    prepared, sent, success, failed, timeout, cancelled, expired";

impl Store {
    /// The actions with these ids, in their order; ids that are none are left out.
    pub fn actions(&self, ids: &[i64]) -> Result<Vec<ActionRow>> {
        self.read(READ_MOST, |connection| {
            let rows = ids.iter().map(|id| read_action(connection, *id));
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// One action.
    pub fn action(&self, id: i64) -> Result<Option<ActionRow>> {
        self.read(READ_MOST, |connection| read_action(connection, id))
    }

    /// Lists actions, the newest id first.
    pub fn list_actions(&self, query: &ActionQuery) -> Result<Vec<ActionRow>> {
        let sql =
            "SELECT id FROM actions WHERE id < ?1 AND (?2 IS NULL OR status = ?2) ORDER BY id DESC LIMIT ?3";
        self.read(READ_MOST, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let values = rusqlite::params![
                query.below_id.unwrap_or(i64::MAX),
                query.status.map(ActionStatus::code),
                query.rows_max as i64
            ];
            let ids: Vec<i64> =
                statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let rows = ids.iter().map(|id| read_action(connection, *id));
            rows.filter_map(Result::transpose).collect()
        })
    }
}

/// Reads one action with its signers, also inside a change.
pub(crate) fn read_action(connection: &Connection, id: i64) -> Result<Option<ActionRow>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM actions WHERE id = ?1"))?;
    let Some((mut action, status)) = statement.query_row([id], from_row).optional()? else { return Ok(None) };
    action.status = ActionStatus::from_code(status).ok_or_else(|| {
        Error::new(Kind::Corrupt, format!("Action {id} has a status that is none: {status}"))
    })?;
    action.signers = read_signers(connection, id)?;
    Ok(Some(action))
}

/// The row without signers, and the code of its status.
fn from_row(row: &Row<'_>) -> rusqlite::Result<(ActionRow, i64)> {
    let action = ActionRow {
        id: row.get(0)?,
        name: row.get(1)?,
        target: row.get(2)?,
        threat_family: row.get(3)?,
        valid_from: row.get(4)?,
        expire_after: row.get(5)?,
        document: row.get(6)?,
        status: ActionStatus::Pending,
        reason: row.get(8)?,
        created_at: row.get(9)?,
        started_at: row.get(10)?,
        finished_at: row.get(11)?,
        updated_at: row.get(12)?,
        created_by: row.get(13)?,
        counters: ActionCounters {
            prepared: row.get(14)?,
            sent: row.get(15)?,
            success: row.get(16)?,
            failed: row.get(17)?,
            timeout: row.get(18)?,
            cancelled: row.get(19)?,
            expired: row.get(20)?,
        },
        signers: Vec::new(),
    };
    Ok((action, row.get(7)?))
}

fn read_signers(connection: &Connection, action_id: i64) -> Result<Vec<Signer>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, i.name, coalesce(i.fingerprint, ''), i.is_active, i.created_at, i.modified_at
         FROM signatures s JOIN investigators i ON i.id = s.investigator_id
         WHERE s.action_id = ?1 ORDER BY s.position",
    )?;
    let signers = statement.query_map([action_id], |row| {
        Ok(Signer {
            investigator_id: row.get(0)?,
            name: row.get(1)?,
            fingerprint: row.get(2)?,
            is_active: row.get(3)?,
            created_at: row.get(4)?,
            modified_at: row.get(5)?,
        })
    })?;
    Ok(signers.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_as_migs_clients_expect() {
        let counters = ActionCounters {
            prepared: 1,
            sent: 2,
            success: 3,
            failed: 4,
            timeout: 5,
            cancelled: 6,
            expired: 7,
        };
        assert_eq!((counters.total(), counters.done(), counters.open()), (28, 25, 3));
        let json = counters.to_counters().to_json().unwrap();
        assert_eq!(
            json,
            "{\"sent\":28,\"done\":25,\"inflight\":3,\"success\":3,\"cancelled\":6,\"expired\":7,\"failed\":4,\"timeout\":5}"
        );
        assert_eq!(ActionCounters::default().to_counters().to_json().unwrap(), "{}");
    }
}
