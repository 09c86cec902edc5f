// SPDX-License-Identifier: Apache-2.0
//! Actions, agents and commands by id, as MIG's clients read them; the dashboard.

use super::*;
use serde_json::json;

/// Puts a small fleet into the tables: two agents, two actions, three commands. Times are around now.
pub fn fill(api: &Api) {
    let now = Clock::system().now();
    let (from, until) = (rfc3339(now - 600), rfc3339(now + 600));
    let document = json!({
        "id": 0, "name": "find ssh", "target": "id > 0", "description": {"author": "Bob"},
        "threat": {"family": "compliance"}, "validfrom": from, "expireafter": until,
        "operations": [
            {"module": "file", "parameters": {"searches": {}}},
            {"module": "netstat", "parameters": "H4sIAAAAAAAA", "is_compressed": true, "want_compressed": true}
        ],
        "pgpsignatures": ["wsBcBAAB=abcd"], "starttime": from, "finishtime": from, "lastupdatetime": from,
        "counters": {}, "syntaxversion": 2
    });
    let results = json!([
        {"foundanything": true, "success": true, "elements": {"s1": [{"file": "/etc/ssh"}]},
         "statistics": {"n": 1.5}, "errors": null},
        {"foundanything": false, "success": true, "elements": null, "statistics": null, "errors": ["a<b"]}
    ]);
    let connection = api.database();
    connection
        .execute_batch(&format!(
            r#"
            INSERT INTO endpoints (id, queueloc) VALUES (1, 'linux.zoe'), (2, 'linux.abe');
            INSERT INTO agent_names (id, name) VALUES (10, 'zoe.example'), (11, 'abe.example');
            INSERT INTO agent_versions (id, version) VALUES (20, '20260101-abc.prod');
            INSERT INTO environments (id, digest, environment) VALUES
              (30, x'01', '{{"init":"systemd","ident":"Debian","os":"linux","arch":"amd64","isproxied":false,"aws":{{}},"modules":["file"]}}');
            INSERT INTO tag_sets (id, digest, tags) VALUES (40, x'01', '{{"operator":"IT"}}');
            INSERT INTO agents (id, endpoint_id, pid, mode, refreshed_at, destroyed_at, publicip, addresses) VALUES
              (1, 1, 101, 'daemon', {now}, NULL, '192.0.2.1', '["192.0.2.1/24"]'),
              (2, 2, 102, 'checkin', NULL, NULL, '192.0.2.2', '[]');
            INSERT INTO agent_states VALUES
              (1, 1, {now} - 10, {now} - 5000, 10, 20, 30, 40, 0), (2, 2, {now} - 700, {now} - 9000, 11, 20, 30, 40, 0);
            INSERT INTO actions (id, name, target, threat_family, valid_from, expire_after, document, signed_digest,
              status, created_at, started_at, updated_at, success, sent) VALUES
              (5, 'find ssh', 't', 'compliance', {now} - 600, {now} + 600, '{document}', x'00', 4, {now} - 500,
               {now} - 490, {now} - 400, 1, 1),
              (6, 'later', 't', '', {now} + 100, {now} + 600, '{document}', x'01', 2, {now} - 300, NULL, NULL, 0, 0);
            INSERT INTO signatures VALUES (5, 1, 0, 'x'), (6, 1, 0, 'x');
            INSERT INTO commands (id, action_id, agent_id, endpoint_id, status, prepared_at, sent_at, finished_at, found,
              results) VALUES (50, 5, 1, 1, 3, {now} - 490, {now} - 480, {now} - 470, 3, '{results}'),
              (51, 5, 2, 2, 2, {now} - 490, {now} - 480, NULL, 0, NULL);
            "#
        ))
        .unwrap();
}

#[test]
fn an_action_has_its_status_counters_and_signers() {
    let api = Api::start();
    fill(&api);
    let answer = api.get("/api/v1/action?actionid=5");
    assert_eq!(answer.status, 200);
    let (name, action) = first(&answer);
    assert_eq!(name, "action");
    assert_eq!((&action["id"], &action["status"]), (&json!(5), &json!("inflight")));
    assert_eq!(action["counters"], json!({"sent": 2, "done": 1, "inflight": 1, "success": 1}));
    assert_eq!(action["investigators"][0]["name"], "Root");
    assert!(action["investigators"][0].get("publickey").is_none());
    assert_eq!(action["finishtime"], "9998-01-11T11:11:11Z");
    assert_eq!(action["operations"][1]["parameters"], "H4sIAAAAAAAA");
    assert_eq!(action["operations"][1]["want_compressed"], true);
    let item = &collection(&answer)["items"][0];
    assert_eq!(item["href"], "http://localhost/api/v1/action?actionid=5");
    let waiting = first(&api.get("/api/v1/action?actionid=6")).1;
    assert_eq!((&waiting["status"], &waiting["counters"]), (&json!("scheduled"), &json!({})));
    assert_eq!(waiting["starttime"], "0009-01-11T11:11:11Z");
    assert_eq!(collection(&answer)["href"], "http://localhost/api/v1/action?actionid=5");
}

#[test]
fn an_agent_has_all_that_is_known_of_it() {
    let api = Api::start();
    fill(&api);
    let (name, agent) = first(&api.get("/api/v1/agent?agentid=1"));
    assert_eq!(name, "agent");
    let expected = json!({"id": 1, "name": "zoe.example", "queueloc": "linux.zoe", "mode": "daemon", "pid": 101,
        "version": "20260101-abc.prod", "status": "online", "destructiontime": "9998-01-11T11:11:11Z"});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&agent[key], value, "{key}");
    }
    assert_eq!(
        (&agent["environment"]["os"], &agent["environment"]["publicip"]),
        (&json!("linux"), &json!("192.0.2.1"))
    );
    assert_eq!(agent["environment"]["addresses"], json!(["192.0.2.1/24"]));
    assert_eq!(agent["tags"], json!({"operator": "IT"}));
    assert_eq!(first(&api.get("/api/v1/agent?agentid=2")).1["status"], "idle");
}

#[test]
fn a_command_has_its_action_agent_and_as_many_results_as_operations() {
    let api = Api::start();
    fill(&api);
    let answer = api.get("/api/v1/command?commandid=50");
    let (name, command) = first(&answer);
    assert_eq!(
        (name.as_str(), &command["id"], &command["status"]),
        ("command", &json!(50), &json!("success"))
    );
    assert_eq!((&command["action"]["id"], &command["agent"]["queueloc"]), (&json!(5), &json!("linux.zoe")));
    assert_eq!(command["results"][0]["elements"]["s1"][0]["file"], "/etc/ssh");
    assert_eq!(command["results"][1]["errors"], json!(["a<b"]));
    let link = &collection(&answer)["items"][0]["links"][0];
    assert_eq!(
        (&link["rel"], &link["href"]),
        (&json!("action"), &json!("http://localhost/api/v1/action?actionid=5"))
    );
    let open = first(&api.get("/api/v1/command?commandid=51")).1;
    let empty = json!({"foundanything": false, "success": false, "elements": null, "statistics": null, "errors": null});
    assert_eq!((&open["status"], &open["results"]), (&json!("sent"), &json!([empty, empty])));
    assert_eq!(open["finishtime"], "9998-01-11T11:11:11Z");
    // What this program reads of it is what it wrote.
    let read: muster::model::command::Command = serde_json::from_value(command.clone()).unwrap();
    assert_eq!((read.id, read.results.unwrap().len()), (50, 2));
}

#[test]
fn ids_that_lead_nowhere_are_told_apart() {
    let api = Api::start();
    for (path, noun) in [
        ("action?actionid", "Action"),
        ("agent?agentid", "Agent"),
        ("command?commandid", "Command"),
        ("investigator?investigatorid", "Investigator"),
    ] {
        let ask = |value: &str| {
            let answer = api.get(&format!("/api/v1/{path}={value}"));
            (answer.status, message(&answer))
        };
        assert_eq!(ask("99"), (404, format!("{noun} ID '99' not found")));
        assert_eq!(ask("9.9e1"), (404, format!("{noun} ID '99' not found")));
        assert_eq!(ask("0"), (400, format!("Invalid {noun} ID '0'")));
        assert_eq!(ask("-7"), (400, format!("Invalid {noun} ID '-7'")));
        let (status, text) = ask("abc");
        assert_eq!(status, 400);
        assert!(text.ends_with("'strconv.ParseFloat: parsing \"abc\": invalid syntax'"), "{text}");
        assert_eq!(ask("").0, 400);
    }
    let nothing = api.get("/api/v1/nothing");
    assert_eq!((nothing.status, collection(&nothing)["items"].clone()), (404, Value::Null));
    assert_eq!(api.post("/api/v1/dashboard", &[]).status, 405);
}

#[test]
fn the_dashboard_counts_and_shows_waiting_actions_first() {
    let api = Api::start();
    let numbers = [
        "online agents",
        "online endpoints",
        "idle agents",
        "idle endpoints",
        "new endpoints",
        "endpoints running 2 or more agents",
        "disappeared endpoints",
        "flapping endpoints",
    ];
    let summary = |api: &Api| collection(&api.get("/api/v1/dashboard"))["items"][0]["data"].clone();
    let of = |data: &Value, name: &str| {
        data.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["value"].clone()
    };
    let empty = summary(&api);
    for name in numbers {
        assert_eq!(of(&empty, name), json!(0), "{name}");
    }
    fill(&api);
    let filled = summary(&api);
    let names: Vec<&str> =
        filled.as_array().unwrap().iter().map(|data| data["name"].as_str().unwrap()).collect();
    let expected = [
        "online agents",
        "online agents by version",
        "online endpoints",
        "idle agents",
        "idle agents by version",
        "idle endpoints",
        "new endpoints",
        "endpoints running 2 or more agents",
        "disappeared endpoints",
        "flapping endpoints",
    ];
    assert_eq!(names, expected);
    assert_eq!((of(&filled, "online agents"), of(&filled, "idle agents")), (json!(1), json!(1)));
    let version = json!([{"version": "20260101-abc.prod", "count": 1}]);
    assert_eq!(of(&filled, "online agents by version"), version);
    assert_eq!(of(&filled, "idle agents by version"), version);
    assert_eq!(collection(&api.get("/api/v1/dashboard"))["items"][0]["href"], "/dashboard");
    let actions = values(&api.get("/api/v1/dashboard"), "action");
    assert_eq!(actions.iter().map(|action| action["id"].as_i64().unwrap()).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(actions[1]["counters"]["sent"], 2);
    assert_eq!(actions[1]["investigators"][0]["name"], "Root");
}
