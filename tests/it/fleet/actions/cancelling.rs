// SPDX-License-Identifier: Apache-2.0
//! Cancelling: counters stay exact, and what was cut off is finished.

use super::*;
use crate::support::tester;
use muster::ops::fleet::{cancel, spooling};
use muster::spool::{Name, Place};

/// An action with `n` commands, of which every third is done, every third sent, and the rest prepared.
fn with_commands(bench: &Bench, name: &str, n: i64) -> i64 {
    let id = bench.submit(&by_bob(unsigned(name))).unwrap().id;
    bench.execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {n})
         INSERT INTO commands (action_id, agent_id, endpoint_id, status, prepared_at)
           SELECT {id}, 1, 1, 1 + i % 3, 5 FROM n;
         UPDATE actions SET status = 4, started_at = 5,
           prepared = (SELECT count(*) FROM commands WHERE action_id = {id} AND status = 1),
           sent = (SELECT count(*) FROM commands WHERE action_id = {id} AND status = 2),
           success = (SELECT count(*) FROM commands WHERE action_id = {id} AND status = 3)
         WHERE id = {id};"
    ));
    id
}

fn counted(bench: &Bench, id: i64, status: i64) -> i64 {
    let sql = "SELECT count(*) FROM commands WHERE action_id = ?1 AND status = ?2";
    bench.database().query_row(sql, [id, status], |row| row.get(0)).unwrap()
}

#[test]
fn an_action_is_cancelled_with_its_open_commands() {
    let bench = Bench::new();
    bench.execute(&super::stored::agents_sql(1, bench.clock.now()));
    let other = with_commands(&bench, "other", 30);
    let id = with_commands(&bench, "cancelled", 361);
    let row = cancel::cancel(&bench.app, id, "  wrong target \n", &tester()).unwrap();
    assert_eq!((row.status.word(), row.reason.as_str()), ("cancelled", "wrong target"));
    assert_eq!((row.finished_at, row.updated_at), (Some(bench.clock.now()), Some(bench.clock.now())));
    let counters = row.counters;
    assert_eq!((counters.prepared, counters.sent), (0, 0));
    assert_eq!((counters.success, counters.cancelled, counters.total()), (120, 241, 361));
    assert_eq!((counted(&bench, id, 6), counted(&bench, id, 3), counted(&bench, id, 1)), (241, 120, 0));
    assert_eq!(bench.app.store.action(other).unwrap().unwrap().counters.open(), 20);

    spooling::after_cancel(&bench.app, id).unwrap();
    let spool = &bench.app.spool;
    assert!(spool.contains(Place::ActionDone, Name::Action(id)).unwrap());
    assert!(!spool.contains(Place::ActionNew, Name::Action(id)).unwrap());
    let done = std::fs::read_dir(spool.dir().join("command/done")).unwrap().count();
    assert_eq!(done, 241);

    let again = cancel::cancel(&bench.app, id, "again", &tester()).unwrap_err();
    assert_eq!((again.kind(), again.message()), (Kind::Conflict, "Action 2 is over: it is cancelled"));
    assert_eq!(cancel::cancel(&bench.app, 99, "x", &tester()).unwrap_err().kind(), Kind::NotFound);
    for reason in ["", "  ", &"x".repeat(2_001)] {
        assert_eq!(cancel::cancel(&bench.app, other, reason, &tester()).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn thousands_of_commands_are_cancelled_in_batches() {
    let bench = Bench::new();
    bench.execute(&super::stored::agents_sql(1, bench.clock.now()));
    let id = with_commands(&bench, "many", 9_001);
    let counters = cancel::cancel(&bench.app, id, "too many", &tester()).unwrap().counters;
    assert_eq!((counters.open(), counters.success, counters.cancelled), (0, 3_000, 6_001));
    assert_eq!((counted(&bench, id, 6), counted(&bench, id, 3)), (6_001, 3_000));
}

#[test]
fn a_cancelling_that_was_cut_off_is_finished() {
    let bench = Bench::new();
    bench.execute(&super::stored::agents_sql(1, bench.clock.now()));
    let open = with_commands(&bench, "open", 9);
    let id = with_commands(&bench, "cut off", 9);
    bench.app.store.cancel_action(id, "because", &tester()).unwrap();
    assert_eq!(bench.app.store.half_cancelled_actions().unwrap(), [id]);
    for id in [open, id] {
        cancel::finish(&bench.app, id).unwrap();
    }
    assert_eq!(bench.app.store.half_cancelled_actions().unwrap(), [] as [i64; 0]);
    assert_eq!((counted(&bench, id, 6), counted(&bench, open, 6)), (6, 0));
    assert_eq!(bench.app.store.action(open).unwrap().unwrap().counters.open(), 6);
}
