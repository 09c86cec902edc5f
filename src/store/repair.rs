// SPDX-License-Identifier: Apache-2.0
//! Mending what a recount found, as far as it can be made of what is there: in one transaction, with its entry in the
//! audit log. Nobody else uses the database meanwhile: the caller holds its lock.

use crate::error::Result;
use crate::model::audit::Audit;
use crate::store::audit::insert_audit;
use crate::store::derived::rebuild::rebuild;
use crate::store::open;
use crate::store::recompute::mark_followed;
use crate::store::recount::Remedy;
use crate::store::watch::Watch;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Everything that is counted by a string, a severity or a source.
const RECOUNT: &str = "
    UPDATE classifications SET records = 0 WHERE records <> 0;
    UPDATE classifications SET records = c.n
      FROM (SELECT classification_id AS id, count(*) AS n FROM records GROUP BY 1) c WHERE c.id = classifications.id;
    UPDATE builds SET records = 0 WHERE records <> 0;
    UPDATE builds SET records = c.n
      FROM (SELECT build_id AS id, count(*) AS n FROM records GROUP BY 1) c WHERE c.id = builds.id;
    UPDATE profiles SET records = 0 WHERE records <> 0;
    UPDATE profiles SET records = c.n
      FROM (SELECT profile_id AS id, count(*) AS n FROM records GROUP BY 1) c WHERE c.id = profiles.id;
    INSERT OR IGNORE INTO severities (severity) VALUES (1), (2), (3), (4);
    UPDATE severities SET records = (SELECT count(*) FROM records r WHERE r.severity = severities.severity);
    INSERT OR IGNORE INTO sources (is_external) VALUES (0), (1);
    UPDATE sources SET records = c.n
      FROM (SELECT s.is_external AS id, count(r.id) AS n FROM sources s LEFT JOIN records r
        ON r.is_external = s.is_external GROUP BY 1) c WHERE c.id = sources.is_external";

/// Takes away what is derived; functions stay, with what an admin said of them.
const CLEAR: &str = "
    DELETE FROM crashes; DELETE FROM crash_days; DELETE FROM crash_totals; DELETE FROM crash_builds;
    DELETE FROM backtraces; UPDATE functions SET backtraces = 0;
    DELETE FROM machine_check_weeks; DELETE FROM machine_check_builds; DELETE FROM machine_check_statuses;
    DELETE FROM machine_check_machines; DELETE FROM machine_check_machine_builds;
    DELETE FROM heartbeats; DELETE FROM population";

const CLOCK_STEPS: &str = "
    INSERT OR IGNORE INTO clock_steps (first_id)
    SELECT id FROM (SELECT id, received_at, lag(received_at) OVER (ORDER BY id) AS received_before FROM records)
    WHERE received_at < received_before";

const ACTIONS: &str = "
    UPDATE actions SET prepared = 0, sent = 0, success = 0, failed = 0, timeout = 0, cancelled = 0, expired = 0;
    UPDATE actions SET prepared = c.p, sent = c.s, success = c.d, failed = c.f, timeout = c.t, cancelled = c.c,
      expired = c.e
    FROM (SELECT action_id, count(*) FILTER (WHERE status = 1) AS p, count(*) FILTER (WHERE status = 2) AS s,
        count(*) FILTER (WHERE status = 3) AS d, count(*) FILTER (WHERE status = 4) AS f,
        count(*) FILTER (WHERE status = 5) AS t, count(*) FILTER (WHERE status = 6) AS c,
        count(*) FILTER (WHERE status = 7) AS e
      FROM commands GROUP BY 1) c WHERE c.action_id = actions.id";

const AGENT_STATES: &str = "
    DELETE FROM agent_states WHERE NOT EXISTS (SELECT 1 FROM agents a
      WHERE a.id = agent_states.agent_id AND a.endpoint_id = agent_states.endpoint_id);
    UPDATE agent_states SET is_destroyed = a.destroyed_at IS NOT NULL FROM agents a
      WHERE a.id = agent_states.agent_id AND is_destroyed <> (a.destroyed_at IS NOT NULL)";

/// Mends the database of a data directory. Spool and Restore are not for here. After an error all is as it was, but for
/// indexes.
pub fn repair(
    data_dir: &Path,
    remedies: &[Remedy],
    now: i64,
    audit: &Audit,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let mut connection = open::open_writer(&open::database_path(data_dir))?;
    connection.execute_batch("PRAGMA temp_store = FILE")?;
    watch.guard(&connection)?;
    mend(&mut connection, remedies, now, audit, watch).map_err(|error| watch.or_stopped(error))?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn mend(
    connection: &mut Connection,
    remedies: &[Remedy],
    now: i64,
    audit: &Audit,
    watch: &mut Watch<'_>,
) -> Result<()> {
    if remedies.contains(&Remedy::Indexes) {
        watch.tell(0, 1, "building indexes");
        for sql in open::missing_indexes(connection)? {
            connection.execute_batch(&sql)?;
        }
        connection.execute_batch("REINDEX")?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for remedy in remedies {
        match remedy {
            Remedy::Recount => transaction.execute_batch(RECOUNT)?,
            Remedy::Derive => derive(&transaction, watch)?,
            Remedy::ClockSteps => transaction.execute_batch(CLOCK_STEPS)?,
            Remedy::Actions => transaction.execute_batch(ACTIONS)?,
            Remedy::AgentStates => transaction.execute_batch(AGENT_STATES)?,
            Remedy::Indexes | Remedy::Spool | Remedy::Restore => {}
        }
    }
    insert_audit(&transaction, now, audit)?;
    Ok(transaction.commit()?)
}

fn derive(connection: &Connection, watch: &mut Watch<'_>) -> Result<()> {
    connection.execute_batch(CLEAR)?;
    let newest: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM records", [], |row| row.get(0))?;
    rebuild(connection, |id| watch.tell(id.unsigned_abs(), newest.unsigned_abs(), "deriving from payloads"))?;
    mark_followed(connection)
}
