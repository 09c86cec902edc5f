// SPDX-License-Identifier: Apache-2.0
//! Tests of the target language: tables of what is allowed and refused, of judgements, and random trees.

mod judged;
mod random;

use super::*;
use crate::error::Kind;

/// The canonical form.
fn canonical(text: &str) -> String {
    let condition = parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message()));
    let canonical = condition.to_string();
    assert_eq!(parse(&canonical).unwrap(), condition, "{text}\n{canonical}");
    canonical
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(condition) => panic!("{text} was read as {condition}"),
        Err(error) => {
            assert!(matches!(error.kind(), Kind::Invalid | Kind::TooLarge));
            error.message().to_owned()
        }
    }
}

/// Targets, and their canonical forms.
const READ: &[(&str, &str)] = &[
    ("name='vm'", "name = 'vm'"),
    ("agents.name = 'vm'", "name = 'vm'"),
    ("NAME='vm' aNd Status='online'", "name = 'vm' AND status = 'online'"),
    ("name != 'a'", "name <> 'a'"),
    ("name <> 'a'", "name <> 'a'"),
    ("'a' < name", "'a' < name"),
    ("pid>=100", "pid >= 100"),
    ("pid>-1", "pid > -1"),
    ("pid=-1", "pid = -1"),
    ("id = 1e3", "id = 1000"),
    ("id = '5'", "id = 5"),
    ("id <= 1.50", "id <= 1.5"),
    ("1=1", "1 = 1"),
    ("name = queueloc", "name = queueloc"),
    ("name like '%.example.net'", "name LIKE '%.example.net'"),
    ("name NOT LIKE 'a_b\\%'", "name NOT LIKE 'a_b\\%'"),
    ("name iLike '%'", "name ILIKE '%'"),
    ("NOT name ILIKE 'x'", "name NOT ILIKE 'x'"),
    ("NOT name = 'a'", "NOT name = 'a'"),
    ("NOT NOT name = 'a'", "NOT NOT name = 'a'"),
    ("name = 'it''s'", "name = 'it''s'"),
    ("name = 'a\\nb'", "name = 'a\\nb'"),
    ("name = ''", "name = ''"),
    ("name IN ('a','b')", "name IN ('a', 'b')"),
    ("id not in (1, '2', 3.0)", "id NOT IN (1, 2, 3)"),
    ("starttime in ('2026-01-01')", "starttime IN ('2026-01-01T00:00:00Z')"),
    ("loadername IS NULL", "loadername IS NULL"),
    ("tags->>'x' is not null", "tags->>'x' IS NOT NULL"),
    ("environment IS NULL", "environment IS NULL"),
    ("pid BETWEEN 1 AND 10 AND id=1", "pid BETWEEN 1 AND 10 AND id = 1"),
    ("pid NOT BETWEEN 1 AND '10'", "pid NOT BETWEEN 1 AND 10"),
    ("name ~ '^vm[0-9]+$'", "name ~ '^vm[0-9]+$'"),
    ("name !~ 'x' OR name ~* 'Y'", "name !~ 'x' OR name ~* 'Y'"),
    ("NOT name ~* 'Y'", "NOT name ~* 'Y'"),
    ("environment->>'os'='linux'", "environment->>'os' = 'linux'"),
    ("agents.environment ->> 'os' = 'linux'", "environment->>'os' = 'linux'"),
    ("environment->>'isproxied' = 'true'", "environment->>'isproxied' = 'true'"),
    ("environment->'addresses'->>0 LIKE '10.%'", "environment->'addresses'->>0 LIKE '10.%'"),
    ("environment->'addresses'->>-1 = 'x'", "environment->'addresses'->> -1 = 'x'"),
    ("environment->'addresses'->-1->>'a' = 'x'", "environment->'addresses'-> -1->>'a' = 'x'"),
    ("(environment->'aws')->>'instanceid' = 'i'", "environment->'aws'->>'instanceid' = 'i'"),
    ("(environment->>'os') = ('linux')", "environment->>'os' = 'linux'"),
    ("tags#>>'{operator}' = 'IT'", "tags#>>'{operator}' = 'IT'"),
    ("environment#>>'{addresses,0}' = 'x'", "environment#>>'{addresses,0}' = 'x'"),
    ("environment #> '{aws}' ->> 'x' = 'y'", "environment#>'{aws}'->>'x' = 'y'"),
    (r#"tags#>>'{ a , "b c" , "", d\,e, "q\"\\" }' = 'x'"#, r#"tags#>>'{a,"b c","","d,e","q\"\\"}' = 'x'"#),
    ("tags#>>'{}' = '{}'", "tags#>>'{}' = '{}'"),
    ("heartbeattime > NOW() - INTERVAL '30 days'", "heartbeattime > NOW() - interval '30 days'"),
    ("starttime < now ( ) - interval '1 hour'", "starttime < NOW() - interval '1 hour'"),
    ("NOW() - interval '5 minutes' < refreshtime", "NOW() - interval '5 minutes' < refreshtime"),
    ("heartbeattime <= CURRENT_TIMESTAMP", "heartbeattime <= NOW()"),
    ("heartbeattime > CURRENT_TIMESTAMP - interval '90m'", {
        "heartbeattime > NOW() - interval '1 hour 30 minutes'"
    }),
    ("starttime > '2026-01-31 23:59:59.5+01'", "starttime > '2026-01-31T22:59:59.500000Z'"),
    ("((name='a'))", "name = 'a'"),
    ("name='a' AND (pid=1 OR pid=2)", "name = 'a' AND (pid = 1 OR pid = 2)"),
    ("name='a' OR pid=1 AND pid=2", "name = 'a' OR pid = 1 AND pid = 2"),
    ("(name='a' OR pid=1) OR pid=2", "name = 'a' OR pid = 1 OR pid = 2"),
    ("NOT (name='a' OR pid=1)", "NOT (name = 'a' OR pid = 1)"),
    ("name='a'\r\n\tAND pid=1", "name = 'a' AND pid = 1"),
    ("name='ünï ☃'", "name = 'ünï ☃'"),
    ("name='--;/*$1*/'", "name = '--;/*$1*/'"),
];

#[test]
fn what_is_listed_is_read() {
    for (text, expected) in READ {
        assert_eq!(canonical(text), *expected, "{text}");
    }
}

#[test]
fn the_follow_up_form_is_read_as_clients_build_it() {
    let form = "id IN (select agentid from commands, json_array_elements(commands.results) as r \
                where actionid=28047392506029 and r#>>'{foundanything}' = 'true')";
    assert_eq!(canonical(form), form);
    let spelled = "id IN (SELECT commands.agentid FROM commands, json_array_elements(commands.results) AS r \
                   WHERE commands.actionid = 28047392506029 \
                   AND r #>> '{foundanything}'='false') AND status='online'";
    assert_eq!(canonical(spelled), form.replace("'true'", "'false'") + " AND status = 'online'");
    assert_eq!(canonical(&format!("agents.{}", form.replace("IN", "NOT IN"))), format!("NOT {form}"));
    let variants = [
        form.replace("id IN", "pid IN"),
        form.replace("id IN", "name IN"),
        form.replace("agentid", "id"),
        form.replace("from commands,", "from investigators,"),
        form.replace("json_array_elements", "pg_sleep"),
        form.replace("actionid=28047392506029", "actionid=0"),
        form.replace("actionid=28047392506029", "actionid=-1"),
        form.replace("28047392506029", "1.5"),
        form.replace("28047392506029", "9007199254740992"),
        form.replace("28047392506029", "28047392506029 or 1=1"),
        form.replace("{foundanything}", "{success}"),
        form.replace("'true')", "'yes')"),
        form.replace("'true')", "'true' limit 1)"),
        form.replace("'true')", "'true' union select id from agents)"),
        form.replace("'true')", "'true'"),
        form.replace("as r", "as x"),
    ];
    for text in variants {
        refusal(&text);
    }
}

/// What is refused, and a part of what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("", "character 1: it is empty"),
    ("   ", "character 4: it is empty"),
    ("name", "character 5: expected one of = <> !="),
    ("(name)", "character 7: expected one of = <> !="),
    ("name AND pid=1", "character 6: expected one of ="),
    ("name = 'a' pid", "character 12: expected AND, OR or the end, found pid"),
    ("name = 'a' AND", "character 15: expected a column, a text, a number or a time, found the end"),
    ("name = 'a'; DROP TABLE agents", "character 11: a target is one condition, without ;"),
    ("name = 'a' -- x", "character 12: comments are not allowed"),
    ("name = /* x */ 'a'", "character 8: comments are not allowed"),
    ("name = 'a", "it cannot be read here"),
    ("name = \"a\"", "character 8: columns stand without quotes, texts in single quotes"),
    ("\"name\" = 'a'", "character 1: columns stand without quotes"),
    ("name = E'a\\nb'", "character 8: texts stand in plain single quotes"),
    ("name = $$a$$", "character 8: texts stand in plain single quotes"),
    ("name = $x$a$x$", "character 8: texts stand in plain single quotes"),
    ("name = U&'\\0041'", "character 8: texts stand in plain single quotes"),
    ("name = N'a'", "character 8: texts stand in plain single quotes"),
    ("name = X'41'", "character 8: texts stand in plain single quotes"),
    ("name = B'01'", "character 8: texts stand in plain single quotes"),
    ("name = 'a' 'b'", "character 12: expected AND, OR or the end"),
    ("name = 'a' || 'b'", "character 12: expected AND, OR or the end, found ||"),
    ("name = $1", "character 8: expected a column, a text, a number or a time, found $1"),
    ("name = ?", "character 8:"),
    ("name = :x", "character 8:"),
    ("name = NULL", "character 8: NULL is not allowed here; write IS NULL"),
    ("name = true", "character 8: true and false are not allowed here"),
    ("true", "character 1: true and false are not allowed here"),
    ("name IN (NULL)", "character 10: NULL is not allowed here"),
    ("name IN ()", "character 10: expected a column, a text, a number or a time, found )"),
    ("name IN (queueloc)", "character 10: IN lists hold only texts, numbers and times"),
    ("name IN ('a',)", "character 14: expected"),
    ("name IN ('a'", "character 13: expected , or ), found the end"),
    ("name IN 'a'", "character 9: expected ( after IN"),
    ("id IN ('x')", "character 8: this text is not a number"),
    ("(name, pid) IN (('a', 1))", "character 6: expected ), found ,"),
    ("secret = 'a'", "columns id, name, queueloc, mode, version, pid, starttime, heartbeattime"),
    ("destructiontime > NOW()", "character 1: expected a value or one of the columns"),
    ("commands.id = 1", "character 1: expected a value or one of the columns"),
    ("public.agents.name = 'a'", "character 1:"),
    ("agents.* = 'a'", "character 8: expected a value or one of the columns"),
    ("lower(name) = 'a'", "character 1: functions are not allowed, only NOW()"),
    ("name = pg_read_file('/etc/passwd')", "character 8: functions are not allowed, only NOW()"),
    ("pg_catalog.now() > starttime", "character 1:"),
    ("NOW(1) > starttime", "character 5: expected ) after NOW("),
    ("CAST(id AS text) = '1'", "character 1: functions are not allowed"),
    ("id::text = '1'", "character 3: casts are not allowed"),
    ("name = 'a'::text", "character 11: casts are not allowed"),
    ("name = text 'a'", "character 8:"),
    ("environment['os'] = 'linux'", "character 12: subscripts are not allowed"),
    ("environment ? 'os'", "character 13: expected one of ="),
    ("environment @> '{}'", "character 13: expected one of ="),
    ("name !~* 'a'", "character 6: expected one of ="),
    ("name ~~ 'a'", "character 6: expected one of ="),
    ("name == 'a'", "character 6: expected one of ="),
    ("name SIMILAR TO 'a'", "character 6: expected one of ="),
    ("name IS TRUE", "character 9: expected NULL or NOT NULL after IS"),
    ("name IS DISTINCT FROM 'a'", "character 9: expected NULL or NOT NULL after IS"),
    ("name ISNULL", "character 6: expected one of ="),
    ("name NOT = 'a'", "character 10: expected LIKE, ILIKE, IN or BETWEEN after NOT"),
    ("name LIKE queueloc", "character 11: expected a pattern in single quotes"),
    ("name LIKE 'a' ESCAPE '!'", "character 15: ESCAPE is not allowed"),
    ("name LIKE 'a\\'", "character 11: a pattern cannot end with a single backslash"),
    ("name = ANY ('{a}')", "character 8: functions are not allowed"),
    ("name = ALL (select 'a')", "character 8: functions are not allowed"),
    ("EXISTS (select 1)", "character 1: functions are not allowed"),
    ("name = (select 'a')", "character 9: the only subquery is: id IN (select agentid"),
    ("name IN (select 'a')", "character 10: the only subquery is"),
    ("(select true)", "character 2: the only subquery is"),
    ("select 1", "character 1: expected a value or one of the columns"),
    ("CASE WHEN pid=1 THEN 'a' END = 'a'", "character 1: expected a value or one of the columns"),
    ("pid + 1 = 2", "character 5: expected one of ="),
    ("pid = 1 + 1", "character 9: expected AND, OR or the end"),
    ("pid = 1 = 1", "character 9: expected AND, OR or the end"),
    ("pid = - - 1", "character 9: expected a number"),
    ("pid = 1_000", "character 7: the number is too large or malformed"),
    ("pid = 0x10", "character 7: texts stand in plain single quotes, numbers in decimal digits"),
    ("id = 99999999999999999999", "character 6: the number is too large or malformed"),
    ("id = 1e400", "character 6: the number is too large or malformed"),
    ("id = 'x'", "character 6: this text is not a number"),
    ("name = 5", "character 6: text cannot be compared with a number; a text stands in single quotes"),
    ("tags->>'n' > 5", "character 12: text cannot be compared with a number"),
    ("name > NOW()", "character 6: text cannot be compared with a time"),
    ("pid = name", "character 5: a number cannot be compared with text"),
    ("pid = starttime", "character 5: a number cannot be compared with a time"),
    ("starttime > 5", "character 11: a time cannot be compared with a number"),
    ("starttime > 'yesterday'", "character 13: this text is not a time like"),
    ("starttime > '2026-02-30'", "character 13: this text is not a time like"),
    ("pid BETWEEN 'a' AND 3", "character 13: this text is not a number"),
    ("'a' BETWEEN pid AND 3", "character 1: this text is not a number"),
    ("'5' BETWEEN pid AND starttime", "not a time"),
    ("pid LIKE '1%'", "character 5: LIKE applies to text, this is a number"),
    ("starttime ~ '2026'", "character 11: ~ applies to text, this is a time"),
    ("environment = '{}'", "character 13: JSON cannot be compared; ->> and #>> make text of it"),
    ("environment->'os' = '\"linux\"'", "character 19: JSON cannot be compared"),
    ("tags LIKE '%x%'", "character 6: patterns apply to text; ->> and #>> make text of JSON"),
    ("name->>'x' = 'a'", "character 5: only environment, tags and JSON inside of them have parts"),
    ("environment->>'a'->>'b' = 'x'", "character 18: only environment, tags and JSON"),
    ("environment->>os = 'linux'", "character 15: expected a key in single quotes or the number"),
    ("environment->>1.5 = 'x'", "character 15: the number of an item is a whole number of 32 bits"),
    ("environment->>2147483648 = 'x'", "character 15: the number of an item"),
    ("environment#>>'os' = 'x'", "character 15: a path looks like '{a,0}'"),
    ("environment#>>'{a,NULL}' = 'x'", "character 15: a path looks like"),
    ("environment#>>'{{a},{b}}' = 'x'", "character 15: a path looks like"),
    ("environment#>>'{a,}' = 'x'", "character 15: a path looks like"),
    ("environment#>>'{\"a}' = 'x'", "character 15: a path looks like"),
    ("starttime > NOW() + interval '1 day'", "character 19: only NOW() - interval '…' is allowed"),
    ("starttime > NOW() - 5", "character 21: expected interval"),
    ("starttime > NOW() - interval '5 parsecs'", "character 30: a length of time looks like"),
    ("starttime > NOW() - interval '5' minute", "character 30: a length of time looks like"),
    ("starttime > NOW() - interval '1 day' - interval '1 day'", "character 38: only one interval"),
    ("starttime + interval '1 day' > NOW()", "character 11: expected one of ="),
    ("interval '1 day' = interval '1 day'", "character 1: an interval stands only behind NOW() -"),
    ("LOCALTIMESTAMP > starttime", "character 1: expected a value or one of the columns"),
    ("name ~ '('", "character 8: the regular expression cannot be used"),
    ("name ~ '(a)\\1'", "character 8: \\1 is not allowed in a regular expression here"),
    ("name ~ '\\bvm'", "character 8: \\b is not allowed"),
    ("name ~ 'a(?=b)'", "character 8: the regular expression cannot be used"),
    ("name ~ '(a{1000}){1000}'", "character 8: the regular expression cannot be used"),
    ("name ~ queueloc", "character 8: expected a regular expression in single quotes"),
    ("name = 'a'\nAND pid", "line 2, character 8: expected one of ="),
    ("name = 'a\0b'", "character 10: control characters are not allowed"),
    ("name = 'a\u{1b}b'", "character 10: control characters are not allowed"),
    ("näme = 'a'", "character 1: expected a value or one of the columns"),
    ("name = 'a' AND NOT", "character 19: expected"),
    ("(name = 'a'", "character 12: expected ), found the end"),
    ("name = 'a')", "character 11: expected AND, OR or the end, found )"),
    ("name COLLATE \"C\" = 'a'", "character 6: expected one of ="),
    ("starttime AT TIME ZONE 'UTC' > NOW()", "character 11: expected one of ="),
    ("id IN (1) ; RESET ROLE; UPDATE agents SET name='x'", "character 11: a target is one condition"),
];

#[test]
fn what_is_not_listed_is_refused_with_its_place_and_what_is_allowed() {
    for (text, expected) in REFUSED {
        let message = refusal(text);
        assert!(message.starts_with("Target, "), "{message}");
        assert!(message.contains(expected), "{text}\nexpected: {expected}\nfound:    {message}");
    }
}

#[test]
fn bounds_hold() {
    let deep = |levels: usize| format!("{}pid=1{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(canonical(&deep(NESTING_MAX)), "pid = 1");
    assert!(refusal(&deep(NESTING_MAX + 1)).contains("nested more than 50 deep"));
    assert!(refusal(&"(".repeat(8_000)).contains("nested more than 50 deep"));
    assert!(refusal(&"NOT ".repeat(2_000)).contains("nested more than 50 deep"));
    let negations = "NOT ".repeat(NESTING_MAX) + "pid=1";
    assert_eq!(canonical(&negations), "NOT ".repeat(NESTING_MAX) + "pid = 1");

    let list = |items: usize| format!("id IN ({})", vec!["1"; items].join(","));
    parse(&list(LIST_MAX)).unwrap();
    assert!(refusal(&list(LIST_MAX + 1)).contains("more than 1000 values"));

    let steps = |count: usize| format!("tags{}->>'b' = 'x'", "->'a'".repeat(count));
    parse(&steps(15)).unwrap();
    assert!(refusal(&steps(16)).contains("at most 16 steps"));

    let long = format!("name='{}'", "x".repeat(TARGET_BYTES_MAX));
    assert!(refusal(&long).contains("longer than 8 KiB"));
    let chain = vec!["pid=1"; 900].join(" OR ");
    assert!(matches!(parse(&chain).unwrap(), Condition::Or(parts) if parts.len() == 900));
    for text in ["a-a-a", "x or x or x", "'", "''''", "((", "))", "->>", "- - -", "#>>'{'", "\\"] {
        refusal(&text.repeat(8_000 / text.len()));
    }
}

#[test]
fn lengths_of_time_are_read_as_by_postgres() {
    let day = 86_400_000_000;
    let cases = [
        ("5 minutes", Some((0, 300_000_000))),
        ("1 minute", Some((0, 60_000_000))),
        ("30 days", Some((0, 30 * day))),
        ("2w", Some((0, 14 * day))),
        ("1 day 02:30:00", Some((0, day + 9_000_000_000))),
        ("-00:00:01.5", Some((0, -1_500_000))),
        ("1.5 hours", Some((0, 5_400_000_000))),
        (".5 s", Some((0, 500_000))),
        ("1 year 2 mons", Some((14, 0))),
        ("1 month -5 minutes", Some((1, -300_000_000))),
        ("1 DAY", Some((0, day))),
        ("0 days", Some((0, 0))),
        ("", None),
        ("5", None),
        ("minutes", None),
        ("5 5 minutes", None),
        ("1.5 months", None),
        ("1 fortnight", None),
        ("1:60:00", None),
        ("1:2:3:4", None),
        ("99999999999999999999 days", None),
        ("9223372036854775807 days", None),
        ("2000 years", None),
        ("-", None),
        ("+ 5 minutes", None),
        ("5 minutes ago", None),
    ];
    for (text, expected) in cases {
        let found = interval::parse(text).map(|interval| (interval.months, interval.micros));
        assert_eq!(found, expected, "{text}");
        if let Some(interval) = interval::parse(text) {
            assert_eq!(interval::parse(&interval::text(interval)), Some(interval), "{text}");
        }
    }
}

#[test]
fn moments_are_read_in_utc_unless_they_say_otherwise() {
    let cases = [
        ("1970-01-01", Some(0)),
        ("1970-01-02T00:00:00Z", Some(86_400_000_000)),
        ("1970-01-01 00:00:01.5", Some(1_500_000)),
        ("1970-01-01 01:00+01", Some(0)),
        ("1970-01-01 01:00:00 +01:00", Some(0)),
        ("1970-01-01 00:00:00-0130", Some(5_400_000_000)),
        ("1970-01-01 00:00 UTC", Some(0)),
        ("0001-01-01", Some(-62_135_596_800_000_000)),
        ("0000-01-01", None),
        ("1970-13-01", None),
        ("1970-01-01 24:00", None),
        ("1970-01-01 00:00:60", None),
        ("1970-01-01 00", None),
        ("1970-01-01 00:00+25", None),
        ("1970-01-01 00:00 CET", None),
        ("1970-01-01x", None),
        ("now", None),
        ("infinity", None),
        ("1970-1-1", None),
        ("1970-01-0é", None),
    ];
    for (text, expected) in cases {
        assert_eq!(interval::parse_moment(text), expected, "{text}");
    }
}

#[test]
fn the_deepest_targets_fit_half_of_a_connections_stack() {
    let read_and_judge = || {
        for level in ["pid=1 AND (pid=2 OR (", "pid=1 OR NOT (pid=2 AND "] {
            let levels = NESTING_MAX / 2;
            let closing = ")".repeat(level.matches('(').count() * levels);
            let text = format!("{}pid=3{closing}", level.repeat(levels));
            let condition = parse(&text).unwrap();
            assert_eq!(parse(&condition.to_string()).unwrap(), condition);
            assert!(condition.matches(&judged::agent()).unwrap().is_some());
        }
        for text in ["(", "pid = (", "NOT (", "NOT ", "pid IN ("] {
            refusal(&text.repeat(8_000 / text.len()));
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(read_and_judge).unwrap();
    thread.join().unwrap();
}
