// SPDX-License-Identifier: Apache-2.0
//! What parameters of searches mean.

use super::*;

const NOW: i64 = 1_800_000_000;

fn pairs(values: &[(&str, &str)]) -> Pairs {
    Pairs(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn of(values: &[(&str, &str)]) -> Request {
    read(&pairs(values), NOW).unwrap()
}

#[test]
fn what_is_at_its_default_is_no_criterion() {
    let request = of(&[]);
    assert_eq!(request.search.kind, SearchType::Action);
    assert_eq!((request.search.limit, request.search.offset), (100, 0));
    assert_eq!(request.search.criteria, Criteria::default());
    // A client sends back what was echoed.
    let echoed: Vec<(String, String)> = request
        .echo
        .iter()
        .filter(|(name, _)| *name != "foundanything")
        .map(|(name, value)| {
            let value = match value {
                Echo::Text(text) => text.clone(),
                Echo::Number(number) => number.to_string(),
                Echo::Flag(flag) => flag.to_string(),
            };
            ((*name).to_owned(), value)
        })
        .collect();
    let again = read(&Pairs(echoed), NOW + 1_800).unwrap();
    assert_eq!(again.search, request.search);
}

#[test]
fn the_echo_has_migs_order_and_types() {
    let request = of(&[("type", "agent"), ("limit", "7"), ("foundanything", "TRUE"), ("x", "y")]);
    let names: Vec<&str> = request.echo.iter().map(|(name, _)| *name).collect();
    let expected = "actionid actionname after agentid agentname agentversion before commandid foundanything \
        investigatorid investigatorname limit loaderid loadername manifestid manifestname offset report status \
        target threatfamily type";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    let value = |name: &str| request.echo.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    assert_eq!(value("limit"), Echo::Number(7.0));
    assert_eq!(value("foundanything"), Echo::Flag(true));
    assert_eq!(value("actionid"), Echo::Text("∞".to_owned()));
    assert_eq!(value("agentname"), Echo::Text("%".to_owned()));
    assert_eq!(value("before"), Echo::Text("2031-07-23T08:00:00Z".to_owned()));
}

#[test]
fn values_are_read_as_mig_reads_them() {
    let criteria = |name: &str, value: &str| of(&[(name, value)]).search.criteria;
    for (value, expected) in [
        ("17", Some(17)),
        ("1e1", Some(10)),
        ("1.5", Some(-1)),
        ("0", Some(-1)),
        ("-3", Some(-1)),
        ("∞", None),
    ] {
        assert_eq!(criteria("actionid", value).action_id, expected, "{value}");
    }
    assert_eq!(criteria("agentname", "").agent_name.as_deref(), Some(""));
    assert_eq!(criteria("agentname", "db%").agent_name.as_deref(), Some("db%"));
    assert_eq!(criteria("foundanything", "False").found_anything, Some(false));
    assert_eq!(criteria("after", "2027-01-15T08:00:00Z").after, Some(NOW));
    assert_eq!(criteria("after", "2027-01-15T10:00:00.5+02:00").after, Some(NOW));
    assert_eq!(criteria("before", "2000-01-01T00:00:00Z").before, None);
    for (value, limit) in
        [("0", 0), ("1.9", 1), ("1000000", 1_000_000), ("1e300", LIMIT_MAX), ("Inf", LIMIT_MAX)]
    {
        assert_eq!(of(&[("limit", value)]).search.limit, limit, "{value}");
    }
    // Only agents have targets.
    assert_eq!(of(&[("target", "id=1")]).target, None);
    assert_eq!(of(&[("target", "id=1"), ("type", "agent")]).target.as_deref(), Some("id=1"));
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let long = "x".repeat(2_049);
    let cases = [
        ("type", "x", "search type is invalid"),
        ("type", "Agent", "search type is invalid"),
        ("type", "loader", "This server has no loaders"),
        ("type", "manifest", "This server has no manifests"),
        ("actionid", "abc", "Wrong parameters 'actionid': 'strconv.ParseFloat: parsing"),
        ("limit", "-1", "limit must be 0 or more"),
        ("limit", "x", "Wrong parameters 'limit'"),
        ("offset", "NaN", "offset must be 0 or more"),
        ("foundanything", "maybe", "foundanything must be true or false"),
        ("after", "yesterday", "parseSearchParameters()-> after date not in RFC3339 format"),
        (
            "before",
            "2026-01-01T00:00:00 02:00",
            "parseSearchParameters()-> before date not in RFC3339 format",
        ),
        ("status", long.as_str(), "status is longer than 2048 bytes"),
    ];
    for (name, value, expected) in cases {
        let error = read(&pairs(&[(name, value)]), NOW).unwrap_err();
        assert!(error.message().starts_with(expected), "{name}={value}: {error}");
    }
}
