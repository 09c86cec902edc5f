// SPDX-License-Identifier: Apache-2.0
//! Targets over real tables: what the verdicts say must be what judging each agent whole says.

use super::verdicts::{micros, whole_facts};
use super::*;
use crate::model::agent::Liveness;
use crate::target::{Prepared, parse};
use std::collections::BTreeSet;

const NOW: i64 = 1_795_300_000;

fn moment() -> Moment {
    Moment { now: NOW, thresholds: Liveness { period_secs: 300, offline_after_secs: 1_200 }.at(NOW) }
}

/// Three endpoints, five agents: two online on the first, one idle and one offline on the second, a destroyed one.
fn filled() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../../../schema.sql")).unwrap();
    fill(&connection);
    connection
}

fn fill(connection: &Connection) {
    connection
        .execute_batch(
            r#"
            INSERT INTO endpoints (id, queueloc) VALUES (1, 'linux.zoe.1'), (2, 'linux.abe.2'), (3, 'darwin.kim.3');
            INSERT INTO agent_names (id, name) VALUES (10, 'zoe.example'), (11, 'abe.example'), (12, 'Kim');
            INSERT INTO agent_versions (id, version) VALUES (20, '1.0'), (21, '1.1');
            INSERT INTO environments (id, digest, environment) VALUES
              (30, x'01', '{"init":"systemd","os":"linux","isproxied":false,"modules":["file","ping"]}'),
              (33, x'02', '{"init":"launchd","os":"darwin","isproxied":true,"proxy":"p:1"}');
            INSERT INTO tag_sets (id, digest, tags) VALUES (40, x'01', '{}'), (41, x'02', '{"operator":"IT","site":null}');
            INSERT INTO agents (id, endpoint_id, pid, mode, refreshed_at, destroyed_at, publicip, addresses, machine_id)
              VALUES (1, 1, 101, 'daemon', 1795299990, NULL, '192.0.2.1', '["192.0.2.1/24"]', 'aa'),
                     (2, 1, 102, 'daemon', NULL, NULL, '192.0.2.1', '["192.0.2.1/24","::1/128"]', NULL),
                     (3, 2, 103, 'checkin', NULL, NULL, '192.0.2.2', '[]', NULL),
                     (4, 2, 104, 'daemon', NULL, NULL, '192.0.2.2', '[]', 'bb'),
                     (5, 3, 105, 'daemon', NULL, 1795299000, '192.0.2.3', '[]', NULL);
            INSERT INTO agent_states VALUES
              (1, 1, 1795299900, 1795200000, 10, 20, 30, 41, 0), (1, 2, 1795299990, 1795290000, 10, 21, 30, 40, 0),
              (2, 3, 1795299100, 1795200000, 11, 20, 30, 41, 0), (2, 4, 1795290000, 1795100000, 11, 20, 33, 40, 0),
              (3, 5, 1795299990, 1795100000, 12, 21, 33, 40, 1);
            INSERT INTO actions (id, name, target, threat_family, valid_from, expire_after, document, signed_digest,
              status, created_at) VALUES (7, 'a', 't', '', 0, 0, '{}', x'00', 5, 0);
            INSERT INTO commands (id, action_id, agent_id, endpoint_id, status, prepared_at, found) VALUES
              (1, 7, 1, 1, 3, 0, 1), (2, 7, 3, 2, 3, 0, 3), (3, 7, 2, 1, 3, 0, 2);
            "#,
        )
        .unwrap();
}

fn ids(connection: &Connection, target: &str) -> BTreeSet<i64> {
    let condition = parse(target).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut found = BTreeSet::new();
    walk(connection, &condition, moment(), Which::All, &[Field::AgentId], |state| {
        found.insert(state.agent_id);
    })
    .unwrap();
    found
}

#[test]
fn conditions_select_the_agents_that_they_mean() {
    let connection = filled();
    let cases: &[(&str, &[i64])] = &[
        ("name = 'zoe.example'", &[1, 2]),
        ("name LIKE 'kim'", &[]),
        ("name ILIKE 'kim'", &[5]),
        ("NOT name ILIKE '%example'", &[5]),
        ("queueloc LIKE 'linux.%'", &[1, 2, 3, 4]),
        ("status = 'online'", &[1, 2]),
        ("status IN ('idle', 'destroyed')", &[3, 5]),
        ("environment->>'os' = 'linux' AND status = 'idle'", &[3]),
        ("environment->>'isproxied' = 'true'", &[4, 5]),
        ("environment->>'proxy' IS NULL", &[1, 2, 3]),
        ("NOT environment->>'proxy' = 'x'", &[4, 5]),
        ("NOT (environment->>'proxy' = 'x' OR version = '1.1')", &[4]),
        ("environment#>>'{addresses,0}' = '192.0.2.1/24'", &[1, 2]),
        ("environment#>>'{modules,1}' = 'ping'", &[1, 2, 3]),
        ("environment->>'publicip' ~ '^192\\.0\\.2\\.[12]$'", &[1, 2, 3, 4]),
        ("tags->>'operator' = 'IT'", &[1, 3]),
        ("tags->>'machine_id' = 'bb'", &[4]),
        ("tags->>'site' IS NULL", &[1, 2, 3, 4, 5]),
        ("pid BETWEEN 102 AND 103 OR mode = 'checkin'", &[2, 3]),
        ("starttime > NOW() - interval '1 day'", &[2]),
        ("heartbeattime < NOW() - interval '1 minute'", &[1, 3, 4]),
        ("id IN (1, 5)", &[1, 5]),
        ("loadername IS NULL", &[1, 2, 3, 4, 5]),
        ("'a' = 'b' OR id = 2", &[2]),
        ("name = tags->>'operator' OR queueloc > version", &[1, 2, 3, 4, 5]),
        ("environment->>'os' = tags->>'operator'", &[]),
        (
            "id IN (select agentid from commands, json_array_elements(commands.results) as r where actionid=7 \
             and r#>>'{foundanything}' = 'true') AND status='online'",
            &[1],
        ),
        (
            "id IN (select agentid from commands, json_array_elements(commands.results) as r where \
             commands.actionid=7 and r#>>'{foundanything}' = 'false')",
            &[2, 3],
        ),
    ];
    for (target, expected) in cases {
        assert_eq!(ids(&connection, target), expected.iter().copied().collect(), "{target}");
    }
}

#[test]
fn verdicts_say_what_judging_each_agent_whole_says() {
    let connection = filled();
    let leaves = [
        "name > 'b'",
        "version = '1.0'",
        "environment->>'proxy' = 'p:1'",
        "tags->>'operator' <> 'IT'",
        "mode = 'daemon'",
        "environment->'addresses'->>0 LIKE '192%'",
        "status = 'online'",
        "tags->>'machine_id' = 'aa'",
        "queueloc ~* 'KIM'",
        "environment->>'publicip' = '192.0.2.1'",
        "environment#>>'{publicip}' LIKE '%2'",
        "heartbeattime > NOW() - interval '20 minutes'",
        "starttime BETWEEN NOW() - interval '1 month' AND NOW() - interval '1 hour'",
        "status IN ('idle', 'offline')",
        "id <> 1",
        "loadername IS NULL",
        "version = loadername",
    ];
    for left in leaves {
        for right in leaves {
            for target in [
                format!("{left} AND {right}"),
                format!("NOT ({left} OR NOT {right})"),
                format!("NOT ({left} AND {right})"),
            ] {
                let prepared = Prepared::new(parse(&target).unwrap()).unwrap();
                let mut expected = BTreeSet::new();
                states::walk(&connection, &Field::ALL, Which::All, |state| {
                    let facts = whole_facts(&connection, state, micros(NOW), moment().thresholds).unwrap();
                    if prepared.matches(&facts).unwrap() == Some(true) {
                        expected.insert(state.agent_id);
                    }
                    Ok(())
                })
                .unwrap();
                assert_eq!(ids(&connection, &target), expected, "{target}");
            }
        }
    }
}

#[test]
fn a_target_means_the_newest_live_agent_of_each_endpoint_by_queueloc() {
    let connection = filled();
    let all = parse("id > 0").unwrap();
    let found = endpoints_matching(&connection, &all, moment()).unwrap();
    let named = named(&connection, in_order(&connection, found.clone(), None).unwrap()).unwrap();
    let expected = [
        TargetAgent { agent_id: 3, endpoint_id: 2, name: "abe.example".to_owned() },
        TargetAgent { agent_id: 2, endpoint_id: 1, name: "zoe.example".to_owned() },
    ];
    assert_eq!(named, expected);
    assert_eq!(in_order(&connection, found, Some(1)).unwrap()[0].agent_id, 3);
    // The younger agent does not match, so the older one stands for its endpoint.
    let older =
        endpoints_matching(&connection, &parse("version = '1.0' AND pid = 101").unwrap(), moment()).unwrap();
    assert_eq!(older.iter().map(|one| one.agent_id).collect::<Vec<_>>(), [1]);
}
