// SPDX-License-Identifier: Apache-2.0
//! What custom queries may and may not do, on an empty database and on one with rows.

use super::*;
use std::time::Duration;

fn ask<'a>(sql: &'a str, bound: &'a [(String, Value)]) -> CustomQuery<'a> {
    CustomQuery { sql, bound, rows_max: 1_000, bytes_max: 1_000_000, most: Duration::from_secs(2) }
}

fn run(sql: &str) -> Result<Rows, QueryFailure> {
    CustomReader::of_schema().query(&ask(sql, &[]))
}

fn mistake(sql: &str) -> String {
    match run(sql) {
        Err(QueryFailure::Mistake { message, .. }) => message,
        other => panic!("{sql}: {other:?}"),
    }
}

/// Each with a part of what it is told.
const REFUSED: &[(&str, &str)] = &[
    ("", "only reads"),
    ("-- nothing", "only reads"),
    ("/* SELECT 1 */", "only reads"),
    ("INSERT INTO export_records VALUES (1)", "only reads"),
    ("DELETE FROM records", "only reads"),
    ("UPDATE builds SET build = 'x'", "only reads"),
    ("DROP TABLE records", "only reads"),
    ("CREATE TEMP TABLE x AS SELECT 1", "only reads"),
    ("ATTACH ':memory:' AS x", "only reads"),
    ("PRAGMA query_only = OFF", "only reads"),
    ("VACUUM INTO '/tmp/x'", "only reads"),
    ("BEGIN", "only reads"),
    ("EXPLAIN SELECT 1", "only reads"),
    ("EXPLAIN QUERY PLAN SELECT 1", "only reads"),
    ("ANALYZE", "only reads"),
    ("WITH x AS (SELECT 1) INSERT INTO builds SELECT * FROM x", "only reads"),
    ("WITH x AS (SELECT 1) DELETE FROM records", "only reads"),
    ("SELECT 1; SELECT 2", "one statement"),
    ("SELECT 1; DROP TABLE records", "only reads"),
    ("SELECT * FROM records", "The table records is not open to custom views; they read export_records, "),
    ("SELECT * FROM main.records", "What begins with main. is not open"),
    ("SELECT count(*) FROM \"Main\" /* */ . records", "What begins with main. is not open"),
    ("SELECT count(*) FROM [main].records", "What begins with main. is not open"),
    ("SELECT count(*) FROM 'main'.records", "What begins with main. is not open"),
    ("SELECT count(*) FROM records", "The table records is not open"),
    ("SELECT id FROM export_records WHERE id IN (SELECT id FROM records)", "The table records is not open"),
    ("WITH x AS (SELECT id FROM records) SELECT * FROM x", "The table records is not open"),
    (
        "WITH export_records AS (SELECT value FROM meta) SELECT * FROM export_records",
        "The table meta is not open",
    ),
    ("SELECT * FROM (SELECT value FROM meta) AS export_records", "The table meta is not open"),
    ("WITH export_records AS (SELECT count(*) FROM meta) SELECT * FROM export_records", "The table meta"),
    (
        "WITH export_records AS (SELECT body FROM quarantine) SELECT * FROM export_records",
        "The table quarantine",
    ),
    (
        "WITH export_records AS (SELECT digest FROM recent_records) SELECT 1 FROM export_records",
        "recent_records",
    ),
    ("SELECT (SELECT value FROM meta)", "The table meta is not open"),
    ("SELECT 1 WHERE EXISTS (SELECT 1 FROM quarantine)", "The table quarantine is not open"),
    ("SELECT 1 UNION ALL SELECT value FROM meta", "The table meta is not open"),
    ("SELECT sql FROM sqlite_schema", "The table sqlite_"),
    ("SELECT sql FROM sqlite_temp_schema", "The table sqlite_temp_"),
    ("SELECT * FROM pragma_database_list", "The table pragma_database_list"),
    ("SELECT * FROM pragma_table_info('meta')", "The table pragma_table_info"),
    ("SELECT * FROM dbstat", "The table dbstat"),
    ("SELECT load_extension('x')", "The function load_extension is not open"),
    ("SELECT fts3_tokenizer('simple')", "The function fts3_tokenizer is not open"),
    ("SELECT randomblob(1000000000)", "The function randomblob is not open"),
    ("SELECT zeroblob(1000000000)", "The function zeroblob is not open"),
    ("SELECT sqlite_version()", "The function sqlite_version is not open"),
    ("SELECT json_patch('{}', '{}')", "The function json_patch is not open"),
    ("SELECT printf('%2000000d', 1)", "too big"),
    ("SELECT printf('%.*c', 999999999, 'x')", "too big"),
    ("SELECT length(replace(printf('%.900000c', 'x'), 'x', 'xxxx'))", "too big"),
    ("SELECT 'x' LIKE printf('%.300c', '%')", "too complex"),
    ("SELECT \"mistyped\"", "no such column: \"mistyped\""),
    ("SELECT mistyped FROM export_records", "no such column: mistyped"),
    ("SELECT 1 FROM", "incomplete input"),
    ("SELECT ?", "written with a colon"),
    ("SELECT ?1", "written with a colon"),
    ("SELECT @now", "written with a colon"),
    ("SELECT 1\0", "character of number 0"),
    ("SELECT abs(-9223372036854775807 - 1)", "integer overflow"),
    ("SELECT payload_matches('(', 'x')", "unclosed group"),
];

#[test]
fn whatever_is_no_reading_of_the_views_is_refused() {
    for (sql, expected) in REFUSED {
        let message = mistake(sql);
        assert!(message.contains(expected), "{sql}: {message}");
    }
}

#[test]
fn what_reads_the_views_is_taken() {
    for sql in [
        "SELECT * FROM export_records",
        "SELECT count(*) FROM export_records",
        "SELECT 1 FROM export_records, export_payloads",
        "SELECT build FROM temp.export_records",
        "SELECT id FROM EXPORT_RECORDS WHERE classification = 'x'",
        "SELECT count(*) FROM export_records AS r JOIN export_payloads AS p ON p.record_id = r.id WHERE r.id > 5",
        "SELECT count(*) FROM export_payloads AS p LEFT JOIN export_records AS r ON p.record_id = r.id",
        "SELECT payload FROM export_payloads WHERE record_id IN (SELECT id FROM export_records WHERE severity = 4)",
        "WITH x AS (SELECT build, count(*) AS n FROM export_records GROUP BY build) SELECT count(*), sum(n) FROM x",
        "WITH x AS MATERIALIZED (SELECT * FROM export_records) SELECT count(*) FROM x AS a, x AS b",
        "SELECT *, rank() OVER (PARTITION BY system_name ORDER BY records DESC) FROM export_build_counts",
        "SELECT classification FROM export_classification_counts UNION SELECT build FROM export_build_counts",
        "SELECT e.value FROM export_payloads AS p, json_each('[\"' || replace(p.payload, char(10), '\",\"') || '\"]') AS e",
        "SELECT (SELECT count(*) FROM export_records AS i WHERE i.build = o.build) FROM export_build_counts AS o",
        "SELECT DISTINCT host_type FROM export_records ORDER BY 1 LIMIT 5",
        "VALUES (1, 'a'), (2, 'b');",
        " -- first\n/* then */ sElEcT 1 -- end",
        "SELECT date(:now, 'unixepoch') = :today",
    ] {
        let bound = [("now".to_owned(), Value::Integer(0)), ("today".to_owned(), Value::Text(String::new()))];
        if let Err(failure) = CustomReader::of_schema().query(&ask(sql, &bound)) {
            panic!("{sql}: {failure:?}");
        }
    }
}

#[test]
fn too_much_is_refused() {
    let columns = vec!["1"; 51].join(", ");
    assert!(mistake(&format!("SELECT {columns}")).contains("too many columns"));
    let terms = vec!["SELECT 1"; 60].join(" UNION ALL ");
    assert!(mistake(&terms).contains("too many terms in compound SELECT"));
    let deep = format!("SELECT {}1{}", "(1+".repeat(300), ")".repeat(300));
    assert!(mistake(&deep).contains("Expression tree is too large"));
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert!(mistake(&long).contains("statement too long"));
    let ops = format!(
        "SELECT {}",
        (0..50)
            .map(|_| format!("coalesce({})", vec!["random()"; 40].join(",")))
            .collect::<Vec<_>>()
            .join(",")
    );
    run(&ops).unwrap();
}

#[test]
fn what_would_not_end_is_ended() {
    let endless = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)";
    let x = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x LIMIT 3200)";
    let doubled: String = (1..40)
        .map(|n| format!(", t{n} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", n - 1))
        .collect();
    let cases = [
        (format!("{endless} SELECT count(*) FROM x"), "stopped"),
        (format!("{endless} SELECT n FROM x ORDER BY n DESC"), "stopped"),
        (format!("{x} SELECT a.n FROM x a, x b ORDER BY random()"), "stopped"),
        (format!("{x} SELECT DISTINCT a.n * b.n FROM x a, x b ORDER BY 1 DESC"), "stopped"),
        (format!("{endless} SELECT group_concat(n) OVER (ORDER BY n) FROM x"), "stopped"),
        (format!("{endless} SELECT sum(length(printf('%.900000c', 'x') || n)) FROM x"), "stopped"),
        (format!("WITH t0 AS (SELECT 1){doubled} SELECT count(*) FROM t39"), "name one another too often"),
    ];
    let reader = CustomReader::of_schema();
    for (sql, expected) in cases {
        let started = Instant::now();
        let query = CustomQuery { most: Duration::from_millis(300), ..ask(&sql, &[]) };
        match reader.query(&query) {
            Err(QueryFailure::Mistake { message, .. }) => {
                assert!(message.contains(expected), "{sql}: {message}")
            }
            other => panic!("{sql}: {other:?}"),
        }
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{sql}: {took:?}");
    }
}

#[test]
fn only_so_many_rows_and_bytes_are_kept() {
    let x = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)";
    let rows = run(&format!("{x} SELECT n FROM x")).unwrap();
    assert_eq!((rows.rows.len(), rows.cut), (1_000, Some(Cut::Rows)));
    let rows = run(&format!("{x} SELECT n FROM x LIMIT 1000")).unwrap();
    assert_eq!((rows.rows.len(), rows.cut), (1_000, None));
    let rows = run(&format!("{x} SELECT printf('%.90000c', 'x') AS long FROM x")).unwrap();
    assert_eq!((rows.rows.len(), rows.cut), (11, Some(Cut::Bytes)));
}

#[test]
fn parameters_are_bound_and_never_spliced() {
    let bound = [("a".to_owned(), Value::Text("' OR 1; --".into())), ("n".to_owned(), Value::Null)];
    let reader = CustomReader::of_schema();
    let rows = reader.query(&ask("SELECT :a, :n, typeof(:n), :a", &bound)).unwrap();
    let text = Value::Text("' OR 1; --".into());
    assert_eq!(rows.rows, [[text.clone(), Value::Null, Value::Text("null".into()), text]]);
    match reader.query(&ask("SELECT :b", &bound)) {
        Err(QueryFailure::Mistake { message, .. }) => {
            assert_eq!(message, "There is no parameter :b in this view; the nearest one is :a");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mistake_tells_its_place() {
    match run("SELECT 1,\n  mistyped FROM export_records") {
        Err(QueryFailure::Mistake { offset, .. }) => assert_eq!(offset, Some(12)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_function_of_the_list_is_there() {
    let connection = CustomReader::of_schema().open().unwrap();
    let mut statement = connection.prepare("SELECT DISTINCT name FROM pragma_function_list").unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let missing: Vec<_> = CUSTOM_FUNCTIONS.iter().filter(|name| !names.iter().any(|n| n == *name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn filters_of_the_documentation_find_an_index() {
    let connection = CustomReader::of_schema().open().unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let count = "SELECT received_day, count(*) FROM export_records WHERE";
    let cases = [
        (
            format!("{count} classification = 'x' GROUP BY 1"),
            "SEARCH r USING INDEX records__classification_id",
        ),
        (
            format!("{count} classification GLOB 'x/*' GROUP BY 1"),
            "SEARCH r USING INDEX records__classification_id",
        ),
        (
            format!("{count} build = 'x' AND system_name = 'y' GROUP BY 1"),
            "SEARCH r USING INDEX records__build_id",
        ),
        (format!("{count} severity = 4 GROUP BY 1"), "SEARCH r USING INDEX records__severity"),
        (format!("{count} id > 5 GROUP BY 1"), "SEARCH r USING INTEGER PRIMARY KEY"),
        (
            "SELECT r.build, p.payload FROM export_records r JOIN export_payloads p ON p.record_id = r.id
             WHERE r.classification = 'x'"
                .to_owned(),
            "SEARCH p USING INTEGER PRIMARY KEY",
        ),
        (
            "SELECT r.build, p.payload FROM export_payloads p JOIN export_records r ON p.record_id = r.id
             WHERE r.classification = 'x'"
                .to_owned(),
            "SEARCH r USING INDEX records__classification_id",
        ),
        ("SELECT count(*) FROM export_records".to_owned(), "SCAN r"),
    ];
    for (sql, expected) in cases {
        let plan = plan(&sql);
        assert!(plan.contains(expected), "{sql}: {plan}");
        assert!(!plan.contains("MATERIALIZE") && !plan.contains("CO-ROUTINE"), "{sql}: {plan}");
    }
}
