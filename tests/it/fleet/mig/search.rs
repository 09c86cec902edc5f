// SPDX-License-Identifier: Apache-2.0
//! Searches over the wire: what is echoed, how paging ends, targets, long answers.

use super::entities::fill;
use super::*;
use serde_json::json;

const SEARCH: &str = "/api/v1/search";

fn found(api: &Api, query: &str, name: &str) -> Vec<i64> {
    let answer = api.get(&format!("{SEARCH}?{query}"));
    match answer.status {
        200 => ids(&answer, name),
        404 => {
            assert_eq!(message(&answer), "no results found", "{query}");
            Vec::new()
        }
        _ => panic!("{query}: {} {}", answer.status, answer.text()),
    }
}

#[test]
fn each_type_is_found_and_its_parameters_are_echoed() {
    let api = Api::start();
    fill(&api);
    for (kind, expected) in
        [("action", vec![6, 5]), ("agent", vec![1, 2]), ("command", vec![51, 50]), ("investigator", vec![1])]
    {
        assert_eq!(found(&api, &format!("type={kind}&limit=100"), kind), expected, "{kind}");
        // The defaults of a client are no criteria.
        let defaults = "actionname=%25&agentname=%25&status=%25&threatfamily=%25&actionid=%E2%88%9E&\
            after=2010-01-01T00:00:00Z&before=2100-01-01T00:00:00Z&offset=0";
        assert_eq!(found(&api, &format!("{defaults}&type={kind}"), kind), expected, "{kind}");
    }
    let answer = api.get("/api/v1/search?type=agent&agentname=ZOE%25&limit=10");
    let items = collection(&answer)["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    assert_eq!(items[0]["href"], "http://localhost/api/v1/agent?agentid=1");
    let echo = &items[1]["data"][0];
    assert_eq!(echo["name"], "search parameters");
    assert_eq!((&echo["value"]["type"], &echo["value"]["agentname"]), (&json!("agent"), &json!("ZOE%")));
    assert_eq!((&echo["value"]["limit"], &echo["value"]["actionid"]), (&json!(10), &json!("∞")));
    let keys: Vec<&String> = echo["value"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 22);
    // Of several values of a name the first counts.
    assert_eq!(found(&api, "type=agent&agentid=2&agentid=1", "agent"), [2]);
    // An investigator's public key is long, and only in its own answer.
    let person = &values(&api.get("/api/v1/search?type=investigator"), "investigator")[0];
    assert!(person.get("publickey").is_none() && person["apikey"] == "set");
    let command = &values(&api.get("/api/v1/search?type=command&commandid=50"), "command")[0];
    assert_eq!(command["results"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&command["agent"]["name"], &command["agent"]["tags"]["operator"]),
        (&json!("zoe.example"), &json!("IT"))
    );
    assert_eq!(command["action"]["counters"]["sent"], 2);
}

#[test]
fn criteria_narrow_what_is_found() {
    let api = Api::start();
    fill(&api);
    let cases: &[(&str, &str, &[i64])] = &[
        ("type=agent&status=online", "agent", &[1]),
        ("type=agent&status=idle&agentversion=2026%25", "agent", &[2]),
        ("type=agent&actionid=5", "agent", &[1, 2]),
        ("type=agent&actionid=6", "agent", &[]),
        ("type=action&status=inflight", "action", &[5]),
        ("type=action&threatfamily=comp%25", "action", &[5]),
        ("type=action&investigatorname=root", "action", &[6, 5]),
        ("type=command&actionid=5&foundanything=true", "command", &[50]),
        ("type=command&actionid=5&foundanything=false", "command", &[50]),
        ("type=command&actionid=5&status=sent", "command", &[51]),
        ("type=command&actionid=5&status=sent&foundanything=true", "command", &[]),
        ("type=command&agentname=abe%25", "command", &[51]),
        ("type=investigator&actionname=find%25", "investigator", &[1]),
        ("type=investigator&status=disabled", "investigator", &[]),
        ("type=agent&limit=0", "agent", &[]),
        ("type=agent&limit=1.9", "agent", &[1]),
        ("type=agent&limit=1&offset=1", "agent", &[2]),
        ("type=agent&limit=50&offset=2", "agent", &[]),
        ("type=agent&agentname=zoe.example%27%20OR%201=1--", "agent", &[]),
        ("type=agent&agentid=1.5", "agent", &[]),
    ];
    for (query, name, expected) in cases {
        assert_eq!(found(&api, query, name), *expected, "{query}");
    }
    for query in ["type=x", "type=agent&limit=-1", "actionid=x", "after=x", "foundanything=x&type=command"] {
        let answer = api.get(&format!("{SEARCH}?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(!message(&answer).is_empty());
    }
    for kind in ["loader", "manifest"] {
        let answer = api.get(&format!("{SEARCH}?type={kind}&limit=100"));
        assert_eq!(answer.status, 501);
        assert!(message(&answer).contains(kind));
    }
    // The end of paging echoes its parameters, too.
    let end = api.get("/api/v1/search?type=agent&limit=50&offset=50");
    assert_eq!(values(&end, "search parameters")[0]["offset"], 50);
}

#[test]
fn targets_are_judged_and_their_mistakes_told() {
    let api = Api::start();
    fill(&api);
    let of = |target: &str| {
        let query = encoded(&[("type", "agent"), ("target", target), ("limit", "1000000")]);
        found(&api, &query, "agent")
    };
    // By queueloc.
    assert_eq!(of("environment->>'os'='linux'"), [2, 1]);
    assert_eq!(of("status='online' AND tags->>'operator'='IT'"), [1]);
    assert_eq!(of("name LIKE 'x%'"), [] as [i64; 0]);
    let follow_up = "id IN (select agentid from commands, json_array_elements(commands.results) as r where actionid=5 \
        and r#>>'{foundanything}' = 'true') AND status='online'";
    assert_eq!(of(follow_up), [1]);
    // All other criteria are passed over; limit and offset count.
    let query = encoded(&[("type", "agent"), ("target", "id>0"), ("agentname", "x"), ("limit", "1")]);
    assert_eq!(found(&api, &query, "agent"), [2]);
    for target in ["name = ", "1=1; DROP TABLE agents", "pg_sleep(9) = 1", "select 1"] {
        let answer = api.get(&format!("{SEARCH}?{}", encoded(&[("type", "agent"), ("target", target)])));
        assert_eq!(answer.status, 400, "{target}");
        assert!(message(&answer).starts_with("Error while finding agents: '"), "{}", message(&answer));
    }
}

#[test]
fn pages_after_the_first_say_where_the_next_is() {
    let api = Api::start();
    fill(&api);
    let first_page = api.get("/api/v1/search?type=command&limit=1&actionname=find%25");
    assert!(values(&first_page, "pagination").is_empty());
    let second = api.get("/api/v1/search?type=command&limit=1&offset=1&actionname=find%25");
    let pagination = &values(&second, "pagination")[0];
    assert_eq!((&pagination["limit"], &pagination["offset"]), (&json!(1), &json!(1)));
    let next = pagination["next"].as_str().unwrap();
    let path = next.strip_prefix("http://localhost").unwrap();
    assert_eq!(path, "/api/v1/search?type=command&limit=1&actionname=find%25&offset=2");
    assert_eq!(api.get(path).status, 404);
    // The echo is the last item, the pagination stands before it.
    let items = collection(&second)["items"].clone();
    let names: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["data"][0]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["command", "pagination", "search parameters"]);
}
