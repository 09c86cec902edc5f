// SPDX-License-Identifier: Apache-2.0
//! Searches over real tables: criteria of each kind for each type, order, paging, and that large tables are not
//! walked where an index leads.

use super::*;
use crate::model::agent::Liveness;

const NOW: i64 = 1_795_300_000;

fn thresholds() -> Thresholds {
    Liveness { period_secs: 300, offline_after_secs: 1_200 }.at(NOW)
}

/// Four agents (online, idle, offline, destroyed), three actions, five commands, three investigators.
fn filled() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../../../schema.sql")).unwrap();
    add_functions(&connection).unwrap();
    connection
        .execute_batch(
            r#"
            INSERT INTO endpoints (id, queueloc) VALUES (1, 'linux.zoe'), (2, 'linux.abe'), (3, 'darwin.kim');
            INSERT INTO agent_names (id, name) VALUES (10, 'Zoë.example'), (11, 'abe.example'), (12, 'kim_1');
            INSERT INTO agent_versions (id, version) VALUES (20, '1.0'), (21, '2.0');
            INSERT INTO environments (id, digest, environment) VALUES (30, x'01', '{}');
            INSERT INTO tag_sets (id, digest, tags) VALUES (40, x'01', '{}');
            INSERT INTO agents (id, endpoint_id, pid, mode, destroyed_at, publicip, addresses) VALUES
              (1, 1, 101, 'daemon', NULL, '', '[]'), (2, 2, 102, 'daemon', NULL, '', '[]'),
              (3, 2, 103, 'daemon', NULL, '', '[]'), (4, 3, 104, 'daemon', 1795299000, '', '[]');
            INSERT INTO agent_states VALUES
              (1, 1, 1795299900, 0, 10, 20, 30, 40, 0), (2, 2, 1795299100, 0, 11, 20, 30, 40, 0),
              (2, 3, 1795290000, 0, 11, 21, 30, 40, 0), (3, 4, 1795299950, 0, 12, 21, 30, 40, 1);
            INSERT INTO investigators (id, name, fingerprint, is_active, created_at, modified_at, permissions) VALUES
              (1, 'Bob Kelso', 'AA', 1, 10, 100, 63), (2, 'Elliot', 'BB', 0, 20, 200, 63), (3, 'Ted', NULL, 1, 30, 300, 63);
            INSERT INTO actions (id, name, target, threat_family, valid_from, expire_after, document, signed_digest,
              status, created_at, started_at) VALUES
              (5, 'Find ssh', 't', 'compliance', 500, 900, '{}', x'00', 5, 500, 510),
              (6, 'find WWW', 't', '', 700, 800, '{}', x'01', 4, 600, 610),
              (7, 'later', 't', 'malware', 600, 990, '{}', x'02', 2, 550, NULL);
            INSERT INTO signatures VALUES (5, 1, 0, ''), (5, 2, 1, ''), (6, 2, 0, '');
            INSERT INTO commands (id, action_id, agent_id, endpoint_id, status, prepared_at, found) VALUES
              (50, 5, 1, 1, 3, 510, 1), (51, 5, 2, 2, 3, 510, 3), (52, 5, 4, 3, 4, 510, 2),
              (60, 6, 1, 1, 2, 610, 0), (61, 6, 3, 2, 3, 610, 2);
            "#,
        )
        .unwrap();
    connection
}

fn run(connection: &Connection, search: &Search) -> Vec<i64> {
    let (sql, values) = Clauses::of(search, thresholds()).into_sql();
    let mut statement = connection.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = statement.query_map(rusqlite::params_from_iter(&values), |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

fn search(kind: SearchType, criteria: Criteria) -> Search {
    Search { kind, criteria, limit: 100, offset: 0 }
}

fn found(kind: SearchType, criteria: Criteria) -> Vec<i64> {
    run(&filled(), &search(kind, criteria))
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

macro_rules! criteria {
    ($($field:ident: $value:expr),*) => { Criteria { $($field: $value,)* ..Criteria::default() } };
}

#[test]
fn agents_are_found_by_themselves_and_by_their_commands() {
    let cases = [
        (criteria!(), vec![4, 1, 2, 3]),
        (criteria!(agent_id: Some(3)), vec![3]),
        (criteria!(agent_id: Some(9)), vec![]),
        (criteria!(agent_name: text("%EXAMPLE")), vec![1, 2, 3]),
        (criteria!(agent_name: text("zOË%")), vec![1]),
        (criteria!(agent_name: text(r"kim\_1")), vec![4]),
        (criteria!(agent_name: text(r"ki\_1")), vec![]),
        (criteria!(agent_name: text("")), vec![]),
        (criteria!(agent_version: text("2._")), vec![4, 3]),
        (criteria!(status: text("ONLINE")), vec![1]),
        (criteria!(status: text("idle")), vec![2]),
        (criteria!(status: text("o%line")), vec![1, 3]),
        (criteria!(status: text("destroyed")), vec![4]),
        (criteria!(status: text("asleep")), vec![]),
        (criteria!(after: Some(1_795_299_100), before: Some(1_795_299_900)), vec![1, 2]),
        (criteria!(action_id: Some(5)), vec![4, 1, 2]),
        (criteria!(action_name: text("find%")), vec![4, 1, 2, 3]),
        (criteria!(threat_family: text("compliance")), vec![4, 1, 2]),
        (criteria!(command_id: Some(61)), vec![3]),
        (criteria!(investigator_id: Some(1)), vec![4, 1, 2]),
        (criteria!(investigator_name: text("elliot"), action_name: text("%www")), vec![1, 3]),
        (criteria!(investigator_name: text("ted")), vec![]),
        (criteria!(status: text("online"), action_id: Some(5), agent_name: text("z%")), vec![1]),
    ];
    for (criteria, expected) in cases {
        assert_eq!(found(SearchType::Agent, criteria.clone()), expected, "{criteria:?}");
    }
}

#[test]
fn commands_are_found_by_everything_around_them() {
    let cases = [
        (criteria!(), vec![61, 60, 52, 51, 50]),
        (criteria!(command_id: Some(51)), vec![51]),
        (criteria!(action_id: Some(5)), vec![52, 51, 50]),
        (criteria!(action_id: Some(5), found_anything: Some(true)), vec![51, 50]),
        // A command of several operations is both.
        (criteria!(action_id: Some(5), found_anything: Some(false)), vec![51]),
        (criteria!(action_id: Some(5), status: text("failed")), vec![52]),
        (criteria!(action_id: Some(5), status: text("failed"), found_anything: Some(true)), vec![]),
        (criteria!(status: text("S%")), vec![61, 60, 51, 50]),
        (criteria!(status: text("none")), vec![]),
        (criteria!(agent_id: Some(1)), vec![60, 50]),
        (criteria!(agent_name: text("abe%"), agent_version: text("1%")), vec![51]),
        (criteria!(action_name: text("find s%")), vec![52, 51, 50]),
        (criteria!(threat_family: text("")), vec![61, 60]),
        (criteria!(investigator_name: text("bob%")), vec![52, 51, 50]),
        (criteria!(investigator_name: text("bob%"), investigator_id: Some(2)), vec![]),
        (criteria!(after: Some(600)), vec![61, 60]),
        (criteria!(before: Some(600)), vec![52, 51, 50]),
    ];
    for (criteria, expected) in cases {
        assert_eq!(found(SearchType::Command, criteria.clone()), expected, "{criteria:?}");
    }
}

#[test]
fn actions_and_investigators_are_found_by_themselves_and_by_each_other() {
    let actions = [
        (criteria!(), vec![6, 7, 5]),
        (criteria!(action_id: Some(7)), vec![7]),
        (criteria!(action_name: text("FIND%")), vec![6, 5]),
        (criteria!(threat_family: text("%ware")), vec![7]),
        (criteria!(status: text("scheduled")), vec![7]),
        (criteria!(status: text("%e%ed")), vec![7, 5]),
        (criteria!(after: Some(600)), vec![6, 7]),
        (criteria!(before: Some(900)), vec![6, 5]),
        (criteria!(agent_name: text("kim%")), vec![5]),
        (criteria!(agent_id: Some(1)), vec![6, 5]),
        (criteria!(command_id: Some(60)), vec![6]),
        // One command must meet both.
        (criteria!(command_id: Some(60), agent_id: Some(2)), vec![]),
        (criteria!(investigator_name: text("b%")), vec![5]),
        (criteria!(investigator_id: Some(2)), vec![6, 5]),
    ];
    for (criteria, expected) in actions {
        assert_eq!(found(SearchType::Action, criteria.clone()), expected, "{criteria:?}");
    }
    let investigators = [
        (criteria!(), vec![1, 2, 3]),
        (criteria!(investigator_id: Some(3)), vec![3]),
        (criteria!(investigator_name: text("%e%")), vec![1, 2, 3]),
        (criteria!(status: text("disabled")), vec![2]),
        (criteria!(status: text("%")), vec![1, 2, 3]),
        (criteria!(after: Some(200), before: Some(250)), vec![2]),
        (criteria!(action_name: text("%ssh")), vec![1, 2]),
        (criteria!(command_id: Some(61)), vec![2]),
        (criteria!(agent_version: text("1.0"), action_id: Some(6)), vec![2]),
        (criteria!(agent_version: text("2.0"), action_id: Some(5)), vec![1, 2]),
    ];
    for (criteria, expected) in investigators {
        assert_eq!(found(SearchType::Investigator, criteria.clone()), expected, "{criteria:?}");
    }
}

#[test]
fn pages_follow_each_other() {
    let connection = filled();
    let page = |limit, offset| {
        run(&connection, &Search { limit, offset, ..search(SearchType::Command, criteria!()) })
    };
    assert_eq!(page(2, 0), [61, 60]);
    assert_eq!(page(2, 2), [52, 51]);
    assert_eq!(page(2, 4), [50]);
    assert_eq!(page(2, 5), [] as [i64; 0]);
    assert_eq!(page(i64::MAX, i64::MAX), [] as [i64; 0]);
}

#[test]
fn a_dashboard_begins_with_what_waits() {
    let connection = filled();
    assert_eq!(ids_of(&connection, clauses::WAITING_ACTIONS, 10).unwrap(), [7]);
    assert_eq!(ids_of(&connection, clauses::STARTED_ACTIONS, 10).unwrap(), [6, 5]);
    assert_eq!(ids_of(&connection, clauses::STARTED_ACTIONS, 1).unwrap(), [6]);
}

#[test]
fn commands_of_an_action_are_not_looked_for_among_all() {
    let connection = filled();
    let cases = [
        (
            SearchType::Command,
            criteria!(action_id: Some(5), found_anything: Some(true)),
            "commands__action_id",
        ),
        (SearchType::Command, criteria!(action_id: Some(5), status: text("failed")), "commands__action_id"),
        (SearchType::Command, criteria!(agent_id: Some(5)), "commands__agent_id"),
        (SearchType::Agent, criteria!(action_id: Some(5)), "commands__action_id"),
        (SearchType::Action, criteria!(agent_id: Some(5)), "commands__agent_id"),
    ];
    for (kind, criteria, index) in cases {
        let (sql, values) = Clauses::of(&search(kind, criteria), thresholds()).into_sql();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows =
            statement.query_map(rusqlite::params_from_iter(&values), |row| row.get::<_, String>(3)).unwrap();
        let plan = rows.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        assert!(plan.contains(index) && !plan.contains("SCAN c"), "{sql}: {plan}");
    }
}
