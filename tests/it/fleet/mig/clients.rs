// SPDX-License-Identifier: Apache-2.0
//! The sequences of requests of MIG's programs, in their encodings.

use super::entities::fill;
use super::*;
use serde_json::json;

/// A signed action as `mig` posts it.
fn signed_action(fingerprint: &str, name: &str) -> String {
    let now = Clock::system().now();
    let mut action = json!({
        "id": 0, "name": name, "target": "status='online'", "description": {}, "threat": {},
        "validfrom": rfc3339(now - 60), "expireafter": rfc3339(now + 300),
        "operations": [{"module": "file", "parameters": {"searches": {"s1": {"paths": ["/etc"], "names": ["a&<b>+%"]}}}}],
        "pgpsignatures": null, "starttime": "0001-01-01T00:00:00Z", "finishtime": "0001-01-01T00:00:00Z",
        "lastupdatetime": "0001-01-01T00:00:00Z", "counters": {}, "syntaxversion": 2
    });
    let read = muster::model::action::Action::from_json(action.to_string().as_bytes()).unwrap();
    let signature = keys().gpg.sign_one_line(fingerprint, &read.signed_text().unwrap());
    action["pgpsignatures"] = json!([signature]);
    action.to_string()
}

fn post_action(server: &Server, token: &str, action: &str) -> Answer {
    let fields = [
        field("X-PGPAUTHORIZATION", token),
        field("Content-Type", "application/x-www-form-urlencoded"),
        field("User-Agent", "MIG Client cmd-20180807"),
    ];
    server.request("POST", "/api/v1/action/create/", &fields, encoded(&[("action", action)]).as_bytes())
}

#[test]
fn mig_finds_its_agents_launches_and_follows() {
    let api = Api::start();
    fill(&api);
    let server = &api.server;
    add(server, "Ada", &keys().ada, "default");
    let fresh = || token(&keys().ada);
    // Evaluates the target first; all agents that it means.
    let query = encoded(&[("type", "agent"), ("limit", "1000000"), ("target", "status='online'")]);
    let answer = get_with_token(server, &format!("/api/v1/search?{query}"), &fresh());
    assert_eq!(answer.status, 200);
    let agents = ids(&answer, "agent");
    assert_eq!(agents, [1]);

    let action = signed_action(&keys().ada, "mig run");
    let answer = post_action(server, &fresh(), &action);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let (name, created) = first(&answer);
    let id = created["id"].as_i64().unwrap();
    assert_eq!(name, format!("action ID {id}"));
    assert_eq!((&created["status"], &created["name"]), (&json!("pending"), &json!("mig run")));
    assert_eq!(created["operations"][0]["parameters"]["searches"]["s1"]["names"][0], "a&<b>+%");

    // Follows it: whatever the scheduler has made of it by now is a status that mig goes on with.
    let answer = get_with_token(server, &format!("/api/v1/action?actionid={id}"), &fresh());
    let (name, value) = first(&answer);
    assert_eq!((answer.status, name.as_str()), (200, "action"));
    let status = value["status"].as_str().unwrap();
    assert!(["pending", "scheduled", "preparing", "inflight"].contains(&status), "{status}");
    assert_eq!(value["investigators"][0]["pgpfingerprint"], keys().ada.as_str());

    // The same signed text is not taken twice.
    let again = post_action(server, &fresh(), &action);
    assert_eq!(again.status, 409, "{}", again.text());
    assert!(is_described(server, "/api/v1/action/create", 409));
    collection(&again);
}

#[test]
fn what_is_no_action_is_refused_in_collection_json() {
    let api = Api::start();
    add(&api.server, "Ada", &keys().ada, "default");
    let post = |action: &str| api.post("/api/v1/action/create/", &[("action", action)]);
    let stranger = signed_action(&keys().stranger, "by a stranger");
    let mut unsigned: Value = serde_json::from_str(&signed_action(&keys().ada, "x")).unwrap();
    unsigned["pgpsignatures"] = json!(null);
    let mut nameless = unsigned.clone();
    nameless["name"] = json!("");
    for (action, statuses) in [
        (String::new(), [400]),
        ("{".to_owned(), [400]),
        ("[]".to_owned(), [400]),
        (unsigned.to_string(), [400]),
        (nameless.to_string(), [400]),
    ] {
        let answer = post(&action);
        assert!(statuses.contains(&answer.status), "{} {}", answer.status, answer.text());
        message(&answer);
    }
    let answer = post(&stranger);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    assert_eq!(api.post("/api/v1/action/create/", &[("other", "x")]).status, 400);
    let large = post(&format!("{{\"name\":\"{}\"}}", "x".repeat(4 << 20)));
    assert_eq!(large.status, 413);
    let count: i64 = api.database().query_row("SELECT count(*) FROM actions", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

/// Two hundred agents with a command each: two thirds found something, the rest nothing; ten failed.
fn fill_results(api: &Api) {
    fill(api);
    let connection = api.database();
    connection
        .execute_batch(
            r#"
            WITH RECURSIVE n(i) AS (VALUES (1000) UNION ALL SELECT i + 1 FROM n WHERE i < 1199)
              INSERT INTO endpoints (id, queueloc) SELECT i, 'linux.n' || i FROM n;
            INSERT INTO agents (id, endpoint_id, pid, mode, publicip, addresses)
              SELECT id, id, 7, 'daemon', '', '[]' FROM endpoints WHERE id >= 1000;
            INSERT INTO agent_states SELECT id, id, 0, 0, 10, 20, 30, 40, 0 FROM endpoints WHERE id >= 1000;
            INSERT INTO commands (id, action_id, agent_id, endpoint_id, status, prepared_at, finished_at, found, results)
              SELECT id, 5, id, id, iif(id >= 1190, 4, 3), 1, 2, iif(id >= 1190, 0, iif(id % 3 = 0, 2, 1)),
                iif(id >= 1190, NULL, '[{"foundanything":true,"success":true,"elements":null,"statistics":null,"errors":null}]')
              FROM endpoints WHERE id >= 1000;
            "#,
        )
        .unwrap();
}

#[test]
fn mig_pages_through_results_until_the_404() {
    let api = Api::start();
    fill_results(&api);
    let page_through = |criterion: &str| {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let path = format!("/api/v1/search?type=command&limit=37&offset={offset}&actionid=5{criterion}");
            let answer = api.get(&path);
            if answer.status == 404 {
                assert_eq!(message(&answer), "no results found");
                return all;
            }
            assert_eq!(answer.status, 200);
            all.extend(ids(&answer, "command"));
            offset += 37;
        }
    };
    let found = page_through("&foundanything=true");
    let expected: Vec<i64> = (1000..1190).filter(|id| id % 3 != 0).chain([50]).collect();
    assert_eq!(sorted(&found), sorted(&expected));
    let not_found = page_through("&foundanything=false");
    let expected: Vec<i64> = (1000..1190).filter(|id| id % 3 == 0).chain([50]).collect();
    assert_eq!(sorted(&not_found), sorted(&expected));
    assert_eq!(sorted(&page_through("&status=failed")), (1190..1200).collect::<Vec<_>>());
    for status in ["cancelled", "expired", "timeout"] {
        assert!(page_through(&format!("&status={status}")).is_empty());
    }
    assert_eq!(page_through("").len(), 202);
}

fn sorted(ids: &[i64]) -> Vec<i64> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "one twice");
    ids
}

#[test]
fn the_console_starts_lists_and_pages() {
    let api = Api::start();
    fill(&api);
    let status = first(&api.get("/api/v1/dashboard"));
    assert_eq!((status.0.as_str(), status.1.is_number()), ("online agents", true));
    // `list`: pages of 50 until the 404.
    for kind in ["action", "agent", "command", "investigator"] {
        assert_eq!(api.get(&format!("/api/v1/search?type={kind}&limit=50&offset=0")).status, 200);
        let end = api.get(&format!("/api/v1/search?type={kind}&limit=50&offset=50"));
        assert_eq!((end.status, message(&end).as_str()), (404, "no results found"));
    }
    // `lastactions` of an agent and of an investigator.
    assert_eq!(ids(&api.get("/api/v1/search?type=command&agentid=1&limit=10"), "command"), [50]);
    assert_eq!(ids(&api.get("/api/v1/search?type=action&investigatorid=1&limit=10"), "action"), [6, 5]);
    // `search`: captures in their order, `*` turned into `%25`, nothing else escaped.
    let console = "/api/v1/search?type=agent&after=2026-01-01T00:00:00Z&agentname=zoe%25&limit=100";
    assert_eq!(ids(&api.get(console), "agent"), [1]);
    // `mig-agent-search -p "status=%"`.
    assert_eq!(ids(&api.get("/api/v1/search?type=agent&status=%25&limit=100"), "agent"), [1, 2]);
    // The agent updater's commands say what they are not.
    let loader = api.get("/api/v1/loader?loaderid=1");
    assert_eq!(loader.status, 501);
    assert!(message(&loader).contains("does not install or update agents"));
}

#[test]
fn go_reads_compressed_answers() {
    let api = Api::start();
    fill_results(&api);
    let fields = [field("X-MIGAPIKEY", &api.key), field("Accept-Encoding", "gzip")];
    let answer = api.server.request("GET", "/api/v1/search?type=command&limit=1000", &fields, b"");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut text).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["collection"]["items"].as_array().unwrap().len(), 203);
}
