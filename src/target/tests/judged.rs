// SPDX-License-Identifier: Apache-2.0
//! Judgements over one agent's facts.

use crate::target::{Facts, is_like, parse, regex};
use serde_json::json;

/// 2026-11-21T12:00:00Z
const NOW: i64 = 1_795_262_400_000_000;

const MINUTE: i64 = 60_000_000;

pub(super) fn agent() -> Facts {
    Facts {
        now_micros: NOW,
        id: None,
        name: "VM1.example.net".to_owned(),
        queueloc: "linux.vm1".to_owned(),
        mode: "daemon".to_owned(),
        version: "20190913".to_owned(),
        pid: 4001,
        starttime_micros: NOW - 10 * MINUTE,
        heartbeattime_micros: None,
        refreshtime_micros: None,
        status: None,
        loadername: None,
        environment: json!({
            "os": "linux", "ident": "Debian 12", "isproxied": false, "n": 5, "exact": 1, "none": null,
            "addresses": ["192.0.2.9/24", "2001:db8::1"], "aws": {"instanceid": "i-1"}, "line": "a\nb",
        }),
        tags: json!({"operator": "IT", "0": "zero", "a b": "c", "": "empty"}),
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const NULL: Option<bool> = None;

/// Targets, and what they are for the agent.
const JUDGED: &[(&str, Option<bool>)] = &[
    ("name = 'VM1.example.net'", YES),
    ("name = 'vm1.example.net'", NO),
    ("name <> 'x'", YES),
    ("name < 'a'", YES),
    ("name LIKE 'VM_.%'", YES),
    ("name LIKE 'vm%'", NO),
    ("name ILIKE 'vm%'", YES),
    ("name NOT ILIKE 'vm%'", NO),
    ("name LIKE 'VM1'", NO),
    ("name ~ 'example'", YES),
    ("name ~ '^example'", NO),
    ("name ~ 'vm'", NO),
    ("name ~* 'vm'", YES),
    ("name !~ 'vm'", YES),
    ("environment->>'line' ~ 'a.b'", YES),
    ("environment->>'line' ~ 'a$'", NO),
    ("environment->>'line' LIKE 'a_b'", YES),
    ("pid = 4001", YES),
    ("pid > 4000.5", YES),
    ("pid BETWEEN 4001 AND 4001", YES),
    ("pid BETWEEN 5000 AND 1", NO),
    ("pid NOT BETWEEN 1 AND 2", YES),
    ("pid IN (1, 4001)", YES),
    ("pid NOT IN (1, 4001)", NO),
    ("starttime > NOW() - interval '11 minutes'", YES),
    ("starttime > NOW() - interval '9 minutes'", NO),
    ("starttime < NOW()", YES),
    ("starttime = '2026-11-21 11:50'", YES),
    ("starttime >= '2026-11-21 12:50+01'", YES),
    ("NOW() > '2026-01-01'", YES),
    ("NOW() - interval '1 month' = '2026-10-21 12:00'", YES),
    ("environment->>'os' = 'linux'", YES),
    ("environment->>'OS' = 'linux'", NULL),
    ("NOT environment->>'OS' = 'linux'", NULL),
    ("environment->>'OS' IS NULL", YES),
    ("environment->>'OS' LIKE '%'", NULL),
    ("environment->>'OS' ~ ''", NULL),
    ("environment->>'OS' IN ('a')", NULL),
    ("environment->>'OS' BETWEEN 'a' AND 'b'", NULL),
    ("'b' BETWEEN 'c' AND environment->>'OS'", NO),
    ("environment->>'none' IS NULL", YES),
    ("environment->'none' IS NULL", NO),
    ("environment->'none'->'x' IS NULL", YES),
    ("environment->>'isproxied' = 'false'", YES),
    ("environment->>'n' = '5'", YES),
    ("environment->>'aws' = '{\"instanceid\":\"i-1\"}'", YES),
    ("environment->'aws'->>'instanceid' = 'i-1'", YES),
    ("environment#>>'{aws,instanceid}' = 'i-1'", YES),
    ("environment#>'{aws}'->>'instanceid' = 'i-1'", YES),
    ("environment->'addresses'->>0 = '192.0.2.9/24'", YES),
    ("environment->'addresses'->>-1 = '2001:db8::1'", YES),
    ("environment->'addresses'->>2 IS NULL", YES),
    ("environment->'addresses'->>-3 IS NULL", YES),
    ("environment->'addresses'->>'0' IS NULL", YES),
    ("environment#>>'{addresses,0}' = '192.0.2.9/24'", YES),
    ("environment#>>'{addresses,-1}' = '2001:db8::1'", YES),
    ("environment#>>'{addresses,x}' IS NULL", YES),
    ("environment->>0 IS NULL", YES),
    ("tags->>'0' = 'zero'", YES),
    ("tags#>>'{0}' = 'zero'", YES),
    ("tags#>>'{\"a b\"}' = 'c'", YES),
    ("tags->>'' = 'empty'", YES),
    ("tags#>>'{\"\"}' = 'empty'", YES),
    ("tags IS NULL", NO),
    ("tags#>'{}' IS NOT NULL", YES),
    ("loadername IS NULL", YES),
    ("loadername = 'x'", NULL),
    ("loadername = 'x' OR pid = 4001", YES),
    ("loadername = 'x' OR pid = 1", NULL),
    ("loadername = 'x' AND pid = 4001", NULL),
    ("loadername = 'x' AND pid = 1", NO),
    ("NOT (loadername = 'x' AND pid = 1)", YES),
    ("1 = 1", YES),
    ("'a' = 'b'", NO),
    // What is not known here does not matter in these.
    ("status = 'online' AND pid = 1", NO),
    ("pid = 4001 OR id = 5", YES),
    ("id IN (1) OR heartbeattime > NOW() OR name LIKE 'VM%'", YES),
];

#[test]
fn targets_are_judged_as_by_postgres() {
    for (text, expected) in JUDGED {
        let found = parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).matches(&agent());
        assert_eq!(found.unwrap_or_else(|error| panic!("{text}: {error}")), *expected, "{text}");
    }
}

#[test]
fn what_the_agent_cannot_know_is_an_error_that_says_so() {
    let follow_up = "id IN (select agentid from commands, json_array_elements(commands.results) as r \
                     where actionid=5 and r#>>'{foundanything}' = 'true')";
    let cases = [
        ("id = 5", "id, which is not known"),
        ("status = 'online'", "status, which is not known"),
        ("status IS NULL", "status, which is not known"),
        ("heartbeattime > NOW() - interval '1 hour'", "heartbeattime, which is not known"),
        ("refreshtime IS NOT NULL", "refreshtime, which is not known"),
        (follow_up, "the results of another action"),
        ("pid = 4001 AND status = 'online'", "status, which is not known"),
        ("NOT (pid = 1 OR id = 5)", "id, which is not known"),
        ("loadername = 'x' AND status = 'online'", "status, which is not known"),
        ("starttime > NOW() - interval '1000 years' - 1", ""),
    ];
    for (text, expected) in cases {
        let Ok(condition) = parse(text) else { continue };
        let error = condition.matches(&agent()).unwrap_err();
        assert!(error.message().contains(expected), "{text}: {}", error.message());
        assert!(error.message().contains("cannot be judged here"), "{text}");
    }
    let known = Facts {
        id: Some(7),
        status: Some("online".to_owned()),
        heartbeattime_micros: Some(NOW - MINUTE),
        refreshtime_micros: Some(NOW),
        loadername: Some("l".to_owned()),
        ..agent()
    };
    for text in [
        "id = 7",
        "status IN ('online', 'idle')",
        "heartbeattime > NOW() - interval '2 minutes'",
        "refreshtime = NOW()",
        "loadername = 'l'",
    ] {
        assert_eq!(parse(text).unwrap().matches(&known).unwrap(), Some(true), "{text}");
    }
}

#[test]
fn like_matches_as_in_postgres() {
    let cases = [
        ("", "", true),
        ("", "%", true),
        ("", "_", false),
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("abc", "a%", true),
        ("abc", "%c", true),
        ("abc", "%b%", true),
        ("abc", "a_c", true),
        ("abc", "____", false),
        ("abc", "%_%_%_%", true),
        ("ab", "%_%_%_%", false),
        ("a%c", "a\\%c", true),
        ("abc", "a\\%c", false),
        ("a_c", "a\\_c", true),
        ("a\\c", "a\\\\c", true),
        ("abc", "a\\bc", true),
        ("aXbXc", "a%X%c", true),
        ("mississippi", "%iss%ip%", true),
        ("mississippi", "%iss%ix%", false),
        ("é☃", "__", true),
        ("line\nbreak", "line%break", true),
    ];
    for (text, pattern, expected) in cases {
        assert_eq!(is_like(text, pattern, false), expected, "{text:?} LIKE {pattern:?}");
    }
    assert!(is_like("ÄbC", "äB%", true));
    assert!(!is_like("ÄbC", "äB%", false));
    // Many wildcards do not explode.
    assert!(!is_like(&"a".repeat(5_000), &("%a".repeat(50) + "%b"), false));
}

#[test]
fn regular_expressions_stay_within_bounds() {
    assert!(regex("^(a|b)*$", false).unwrap().is_match("abab"));
    assert!(regex("É", true).unwrap().is_match("é"));
    for pattern in ["(", "[", "*", "a{2,1}", "\\1", "(?<=a)b", "\\y", "a**?+*{", "((((a{99}){99}){99}){99})"]
    {
        assert!(regex(pattern, false).is_err(), "{pattern}");
    }
    assert!(regex(&format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000)), false).is_err());
    // Linear where backtracking would never end.
    assert!(!regex("^(a+)+$", false).unwrap().is_match(&("a".repeat(10_000) + "b")));
}
