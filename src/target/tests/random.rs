// SPDX-License-Identifier: Apache-2.0
//! Random trees and texts: what is written is read back, sqlparser's own grammar sees the same structure, and
//! nothing panics.

use crate::target::grammar::parse_within;
use crate::target::tree::*;
use crate::target::{Facts, parse};
use proptest::prelude::*;
use serde_json::json;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z'%_\\\\ ,{}\"]{0,6}", "[^\\p{C}]{0,6}"]
}

fn any_path() -> impl Strategy<Value = (JsonColumn, Vec<Hop>)> {
    let hop = prop_oneof![
        any_text().prop_map(Hop::Key),
        any::<i32>().prop_map(Hop::Index),
        prop::collection::vec(any_text(), 0..3).prop_map(Hop::Path),
    ];
    let column = prop_oneof![Just(JsonColumn::Environment), Just(JsonColumn::Tags)];
    (column, prop::collection::vec(hop, 1..4))
}

fn any_text_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Column(Column::Name)),
        Just(Value::Column(Column::Loadername)),
        any_text().prop_map(Value::Text),
        any_path().prop_map(|(column, hops)| Value::Json(JsonPath { column, hops, as_text: true })),
    ]
}

fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|whole| Value::Number(Number::Whole(whole))),
        (1..1_000_000_i32).prop_map(|n| Value::Number(Number::Decimal(f64::from(n) + 0.25))),
    ]
}

fn any_time() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Column(Column::Starttime)),
        (-62_135_596_800_000_000..253_402_300_799_999_999_i64)
            .prop_map(|unix_micros| Value::Time(Time::At { unix_micros })),
        (0..12_000_i32, -86_400_000_000_i64..86_400_000_000)
            .prop_map(|(months, micros)| Value::Time(Time::Ago(Interval { months, micros }))),
    ]
}

fn any_pair() -> impl Strategy<Value = (Value, Value)> {
    prop_oneof![
        (any_text_value(), any_text_value()),
        (Just(Value::Column(Column::Pid)), any_number()),
        (any_number(), Just(Value::Column(Column::Id))),
        // Two moments in quotes would be two texts again.
        (Just(Value::Column(Column::Heartbeattime)), any_time()),
    ]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ])
}

fn any_leaf() -> impl Strategy<Value = Condition> {
    let list = prop::collection::vec(any_text().prop_map(Value::Text), 1..4);
    prop_oneof![
        (any_pair(), any_comparison()).prop_map(|((left, right), comparison)| Condition::Compare {
            left,
            comparison,
            right
        }),
        any_pair().prop_map(|(value, high)| Condition::Between { low: high.clone(), value, high }),
        (any_text_value(), list).prop_map(|(value, list)| Condition::In { value, list }),
        (any_text_value(), "[a-z%_]{0,5}", any::<bool>())
            .prop_map(|(value, pattern, ignore_case)| Condition::Like { value, pattern, ignore_case }),
        (any_text_value(), "[a-z.]{0,5}", any::<bool>())
            .prop_map(|(value, pattern, ignore_case)| Condition::Matches { value, pattern, ignore_case }),
        any_text_value().prop_map(Condition::IsNull),
        (1..1_i64 << 53, any::<bool>())
            .prop_map(|(action_id, found_anything)| Condition::FollowUp { action_id, found_anything }),
    ]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    any_leaf().prop_recursive(4, 24, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        let flat = |parts: Vec<Condition>, is_and: bool| {
            let spread = parts.into_iter().flat_map(|part| match part {
                Condition::And(inner) if is_and => inner,
                Condition::Or(inner) if !is_and => inner,
                other => vec![other],
            });
            spread.collect::<Vec<Condition>>()
        };
        prop_oneof![
            parts().prop_map(move |parts| Condition::And(flat(parts, true))),
            parts().prop_map(move |parts| Condition::Or(flat(parts, false))),
            inner.clone().prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

fn squeezed(text: &str) -> String {
    // sqlparser does not double every quote when it writes.
    text.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect::<String>().to_lowercase()
}

/// The structure of our tree; what stands between AND, OR and NOT is text.
fn shape(condition: &Condition) -> String {
    match condition {
        Condition::And(parts) => format!("and({})", parts.iter().map(shape).collect::<Vec<_>>().join(";")),
        Condition::Or(parts) => format!("or({})", parts.iter().map(shape).collect::<Vec<_>>().join(";")),
        Condition::Not(inner) => {
            let has_form = matches!(
                **inner,
                Condition::Between { .. }
                    | Condition::In { .. }
                    | Condition::Like { .. }
                    | Condition::Matches { ignore_case: false, .. }
                    | Condition::IsNull(_)
            );
            match has_form {
                true => squeezed(&condition.to_string()),
                false => format!("not({})", shape(inner)),
            }
        }
        leaf => squeezed(&leaf.to_string()),
    }
}

/// The structure that sqlparser sees.
fn shape_of_sqlparser(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => shape_of_sqlparser(inner),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => format!("not({})", shape_of_sqlparser(expr)),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            format!("and({})", chain(expr, &BinaryOperator::And))
        }
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => format!("or({})", chain(expr, &BinaryOperator::Or)),
        leaf => squeezed(&leaf.to_string()),
    }
}

fn chain(expr: &Expr, wanted: &BinaryOperator) -> String {
    match expr {
        Expr::Nested(inner) if matches!(&**inner, Expr::BinaryOp { op, .. } if op == wanted) => {
            chain(inner, wanted)
        }
        Expr::BinaryOp { left, op, right } if op == wanted => {
            format!("{};{}", chain(left, wanted), chain(right, wanted))
        }
        other => shape_of_sqlparser(other),
    }
}

fn facts() -> Facts {
    Facts {
        now_micros: 1_795_262_400_000_000,
        id: Some(1),
        name: "a".to_owned(),
        queueloc: "b".to_owned(),
        mode: "daemon".to_owned(),
        version: "1".to_owned(),
        pid: 5,
        starttime_micros: 0,
        heartbeattime_micros: Some(0),
        refreshtime_micros: None,
        status: None,
        loadername: None,
        environment: json!({"a": [{"b": "c"}, 1], "": null}),
        tags: json!([["a"], {"x": "y"}]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_written_tree_is_read_back(condition in any_condition()) {
        let text = condition.to_string();
        let read = parse_within(&text, usize::MAX);
        prop_assert_eq!(read.map_err(|error| error.message().to_owned()), Ok(condition), "{}", text);
    }

    #[test]
    fn sqlparser_sees_the_same_structure(condition in any_condition()) {
        let text = condition.to_string();
        let dialect = PostgreSqlDialect {};
        let expr = Parser::new(&dialect).try_with_sql(&text).unwrap().parse_expr();
        let expr = expr.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(shape_of_sqlparser(&expr), shape(&condition), "{}", text);
    }

    #[test]
    fn random_trees_are_judged_without_a_panic(condition in any_condition()) {
        let _ = condition.matches(&facts());
    }

    #[test]
    fn random_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn random_words_are_read_or_refused(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..25), glue in "[ ]?"
    ) {
        let text = words.join(&glue);
        if let Ok(condition) = parse(&text) {
            let canonical = condition.to_string();
            prop_assert_eq!(parse_within(&canonical, usize::MAX).unwrap(), condition);
        }
    }
}

const WORDS: [&str; 48] = [
    "name",
    "id",
    "tags",
    "environment",
    "starttime",
    "pid",
    "status",
    "agents",
    ".",
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "IS",
    "NULL",
    "=",
    "<>",
    "<",
    ">=",
    "~",
    "~*",
    "!~",
    "->",
    "->>",
    "#>",
    "#>>",
    "'a'",
    "'{a,0}'",
    "'5'",
    "'2026-01-01'",
    "5",
    "1.5",
    "-",
    "NOW()",
    "interval",
    "'5 minutes'",
    ",",
    ";",
    "select",
    "'",
    "--",
    "$$",
    "\u{e9}",
];
