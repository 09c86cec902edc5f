// SPDX-License-Identifier: Apache-2.0
//! The pages of agents and actions over the wire: who sees them, and that they show what is stored.

use crate::access;
use crate::support::Server;
use crate::support::fleet::{FleetFile, pages};
use crate::views::html::{Element, read_document};
use std::collections::BTreeSet;

fn page(server: &Server, path: &str) -> Vec<Element> {
    let answer = server.get(path);
    assert!(matches!(answer.status, 200 | 400), "{path}: {} {}", answer.status, answer.text());
    read_document(&answer.text())
}

fn links(elements: &[Element]) -> Vec<String> {
    elements.iter().filter_map(|e| e.attribute("href")).map(str::to_owned).collect()
}

/// The ids of the rows `PREFIX-ID`.
fn rows(elements: &[Element], prefix: &str) -> Vec<i64> {
    let ids = elements.iter().filter_map(|e| e.attribute("id"));
    ids.filter_map(|id| id.strip_prefix(prefix)?.parse().ok()).collect()
}

/// The way to the next page.
fn next(elements: &[Element]) -> Option<String> {
    let link = elements.iter().find(|e| e.attribute("rel") == Some("next"));
    let address = link.and_then(|e| e.attribute("href"))?;
    address.split('#').next().map(str::to_owned)
}

fn says(elements: &[Element], text: &str) -> bool {
    elements.iter().any(|e| e.text.contains(text))
}

#[test]
fn every_page_is_sound_whatever_others_wrote() {
    let file = FleetFile::new(120);
    file.make_hostile();
    let paths = pages(&file);
    let server = file.serve();
    assert!(paths.len() > 25, "{paths:?}");
    for path in &paths {
        let elements = page(&server, path);
        let is_hidden = |c: char| c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202e}');
        let shown = elements.iter().filter(|e| e.name != "textarea" && e.name != "option");
        for element in shown {
            assert!(!element.text.contains(is_hidden), "{path}: {:?}", element.text);
        }
    }
}

#[test]
fn without_agents_and_actions_every_page_says_so() {
    let server = Server::start();
    for (path, expected) in [
        ("/fleet", "No agent yet"),
        ("/fleet/agents", "No agent yet"),
        ("/fleet/agents?status=online", "Nothing matches"),
        ("/actions", "No action yet"),
        ("/actions?status=inflight", "No action is inflight"),
    ] {
        assert!(says(&page(&server, path), expected), "{path}");
    }
    for path in ["/fleet/agents/1", "/actions/1", "/actions/1/commands/1", "/fleet/agents/x"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for path in ["/actions?status=gone", "/actions/1?found=x", "/fleet?days=0", "/fleet/agents?offset=-1"] {
        assert!(matches!(server.get(path).status, 400 | 404), "{path}");
    }
}

#[test]
fn only_a_viewer_on_this_host_sees_them() {
    let file = FleetFile::new(40);
    let paths = pages(&file);
    let server = file.serve();
    let proxied = [("X-Forwarded-For".to_owned(), "192.0.2.1".to_owned())];
    for path in &paths {
        let answer = server.request("GET", path, &proxied, b"");
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("ssh -L 8080:localhost:8080"), "{path}");
    }
    let machine = "SELECT r.id FROM records r LIMIT 1";
    let record = server.request("GET", &format!("/records/{}", file.count(machine)), &proxied, b"");
    assert!(record.status == 200 && !record.text().contains("/fleet/agents/"));
}

#[test]
fn agents_are_found_by_every_field() {
    let file = FleetFile::new(300);
    let connection = file.database();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let version = text("SELECT version FROM agent_versions ORDER BY id LIMIT 1");
    let name = text("SELECT n.name FROM agent_states s JOIN agent_names n ON n.id = s.name_id LIMIT 1");
    let start: String = name.chars().take(3).collect();
    let states = "SELECT count(*) FROM agent_states s";
    let names = format!("{states} JOIN agent_names n ON n.id = s.name_id");
    let environments = format!("{states} JOIN environments e ON e.id = s.environment_id");
    let tags = format!("{states} JOIN tag_sets t ON t.id = s.tags_id");
    let endpoints = format!("{states} JOIN endpoints e ON e.id = s.endpoint_id");
    let cases = [
        (String::new(), states.to_owned()),
        (format!("name={name}"), format!("{names} WHERE instr(lower(n.name), lower('{name}'))")),
        (format!("name={start}%25"), format!("{names} WHERE n.name LIKE '{start}%'")),
        ("queueloc=1".into(), format!("{endpoints} WHERE instr(e.queueloc, '1')")),
        (
            format!("version={version}"),
            format!(
                "{states} JOIN agent_versions v ON v.id = s.version_id WHERE instr(v.version, '{version}')"
            ),
        ),
        ("os=linux".into(), format!("{environments} WHERE e.environment LIKE '%linux%'")),
        ("os=Debian".into(), format!("{environments} WHERE e.environment ->> 'ident' LIKE '%debian%'")),
        ("tag=operator".into(), format!("{tags} WHERE t.tags ->> 'operator' IS NOT NULL")),
        ("tag=nothing%3Dhere".into(), "SELECT 0".into()),
        ("target=pid%20%25%202".into(), "SELECT -1".into()),
        (
            "target=pid%20%3E%203000".into(),
            format!("{states} JOIN agents a ON a.id = s.agent_id WHERE a.pid > 3000"),
        ),
        ("status=destroyed".into(), format!("{states} WHERE s.is_destroyed")),
    ];
    let expected: Vec<i64> = cases.iter().map(|(_, sql)| file.count(sql)).collect();
    let server = file.serve();
    for ((query, _), expected) in cases.iter().zip(expected) {
        let elements = page(&server, &format!("/fleet/agents?{query}"));
        let about = &elements.iter().find(|e| e.has_class("about")).unwrap().text;
        if expected < 0 {
            let wrong = elements.iter().find(|e| e.attribute("id") == Some("wrong-target")).unwrap();
            assert!(wrong.text.starts_with("Target, character 5:"), "{}", wrong.text);
            continue;
        }
        let number = about.split(' ').next().unwrap().replace(',', "");
        assert_eq!(number, expected.to_string(), "{query}: {about}");
        assert_eq!(rows(&elements, "agent-").len(), usize::try_from(expected).unwrap().min(50), "{query}");
    }
}

#[test]
fn the_fleet_s_page_counts_what_the_lists_have() {
    let file = FleetFile::new(3_000);
    let server = file.serve();
    let offline = server.get("/api/fleet/offline").json()["offline"].as_array().unwrap().clone();
    let double = server.get("/api/fleet/double").json()["double"].as_array().unwrap().clone();
    let elements = page(&server, "/fleet");
    assert!(offline.len() > 100 && !double.is_empty());
    assert!(says(&elements, &format!("{} names of the last 30 days", offline.len())));
    assert!(says(&elements, &format!("{} endpoints with more than one agent", double.len())));
    let shown =
        elements.iter().filter(|e| e.has_class("offline")).map(|e| e.text.clone()).collect::<String>();
    let mut from = 0;
    for agent in &offline[..100] {
        // In this order.
        let at = shown[from..].find(agent["name"].as_str().unwrap());
        from += at.unwrap_or_else(|| panic!("{agent} is not in its place in {shown}"));
    }
    assert!(!shown.contains(offline[100]["name"].as_str().unwrap()));
    let numbers = server.get("/api/fleet/statistics").json()["now"].clone();
    let tiles = &elements.iter().find(|e| e.has_class("tiles")).unwrap().text;
    for name in ["new_endpoints", "disappeared_endpoints", "flapping_endpoints"] {
        let expected = format!("{}{}", name.replace('_', " "), numbers[name]);
        assert!(tiles.contains(&expected), "{expected}: {tiles}");
    }
}

#[test]
fn agents_that_share_an_endpoint_come_with_the_action_that_ends_the_older() {
    let file = FleetFile::new(400);
    let server = file.serve();
    let elements = page(&server, "/fleet");
    let action = &elements.iter().find(|e| e.attribute("id") == Some("rivals-0")).unwrap().text;
    let action: serde_json::Value = serde_json::from_str(action).unwrap();
    assert_eq!(action["operations"][0]["module"], "agentdestroy");
    let pid = &action["operations"][0]["parameters"]["pid"];
    let compose = links(&elements).into_iter().find(|link| link.starts_with("/actions/new?name=")).unwrap();
    let form = page(&server, &compose);
    let operations = form.iter().find(|e| e.attribute("name") == Some("operations")).unwrap();
    assert!(operations.text.contains(&format!("\"pid\": {pid}")), "{}", operations.text);
}

#[test]
fn paging_shows_each_agent_once() {
    let file = FleetFile::new(130);
    let n_agents = file.count("SELECT count(*) FROM agent_states");
    let server = file.serve();
    let mut seen = Vec::new();
    let mut path = Some("/fleet/agents".to_owned());
    while let Some(at) = path {
        let elements = page(&server, &at);
        seen.extend(rows(&elements, "agent-"));
        path = next(&elements);
    }
    assert_eq!(seen.len() as i64, n_agents);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
}

#[test]
fn an_agent_and_the_records_of_its_machine_lead_to_each_other() {
    let file = FleetFile::new(60);
    let both = "FROM agents a JOIN records r ON lower(hex(r.machine_id)) = a.machine_id OR r.machine_id = a.machine_id";
    let (agent, record) = (
        file.count(&format!("SELECT a.id {both} LIMIT 1")),
        file.count(&format!("SELECT max(r.id) {both} WHERE a.id = (SELECT a.id {both} LIMIT 1)")),
    );
    let machine_id: String = file
        .database()
        .query_row("SELECT machine_id FROM agents WHERE id = ?1", [agent], |row| row.get(0))
        .unwrap();
    let server = file.serve();
    let of_agent = links(&page(&server, &format!("/fleet/agents/{agent}")));
    assert!(of_agent.contains(&format!("/records?machine_id={machine_id}")), "{of_agent:?}");
    assert!(of_agent.contains(&format!("/records/{record}")), "{of_agent:?}");
    let of_record = links(&page(&server, &format!("/records/{record}")));
    assert!(of_record.contains(&format!("/fleet/agents/{agent}")), "{of_record:?}");
}

#[test]
fn the_commands_of_an_action_come_with_what_was_found_first() {
    let file = FleetFile::new(200);
    let action = file.count(
        "SELECT action_id FROM commands WHERE found & 1 GROUP BY action_id ORDER BY count(*) DESC LIMIT 1",
    );
    let found: Vec<i64> = {
        let connection = file.database();
        let mut statement = connection
            .prepare("SELECT id FROM commands WHERE action_id = ?1 AND found & 1 ORDER BY id")
            .unwrap();
        statement.query_map([action], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let n_commands = file.count(&format!("SELECT count(*) FROM commands WHERE action_id = {action}"));
    let server = file.serve();
    let mut seen = Vec::new();
    let mut path = Some(format!("/actions/{action}"));
    while let Some(at) = path {
        let elements = page(&server, &at);
        seen.extend(rows(&elements, "command-"));
        path = next(&elements);
    }
    assert_eq!(seen.len() as i64, n_commands);
    assert_eq!(&seen[..found.len()], &found);
    assert!(found.len() > 1 && found.len() < seen.len());
    let only = page(&server, &format!("/actions/{action}?found=yes"));
    assert_eq!(rows(&only, "command-"), found[..found.len().min(25)]);
    let elements = page(&server, &format!("/actions/{action}"));
    for format in ["json", "csv"] {
        let link = format!("/actions/{action}/results?format={format}");
        assert!(links(&elements).contains(&link));
        assert_eq!(server.get(&link).status, 200);
    }
    let bar = elements.iter().find(|e| e.name == "progress").unwrap();
    assert_eq!(bar.attribute("max"), Some(n_commands.to_string().as_str()));
    let own = page(&server, &format!("/actions/{action}/commands/{}", found[0]));
    assert!(says(&own, "found something") && says(&own, "Statistics"));
    assert_eq!(server.get(&format!("/actions/{}/commands/{}", action + 1_000, found[0])).status, 404);
}

#[test]
fn a_page_follows_while_its_action_runs_and_stands_still_after() {
    let file = FleetFile::new(120);
    let id = |status: i64| file.count(&format!("SELECT max(id) FROM actions WHERE status = {status}"));
    let (inflight, completed) = (id(4), id(5));
    let server = file.serve();
    let follows =
        |path: &str| page(&server, path).iter().any(|e| e.attribute("http-equiv") == Some("refresh"));
    assert!(follows(&format!("/actions/{inflight}")) && follows("/actions"));
    assert!(!follows(&format!("/actions/{inflight}?live=0")));
    assert!(!follows(&format!("/actions/{inflight}?status=success")), "a choice would be lost");
    assert!(!follows(&format!("/actions/{completed}")));
}

#[test]
fn only_an_admin_is_offered_to_unbind() {
    let file = FleetFile::new(60);
    let bound = "SELECT a.id FROM agents a JOIN endpoints e ON e.id = a.endpoint_id WHERE e.key_digest IS NOT NULL LIMIT 1";
    let path = format!("/fleet/agents/{}", file.count(bound));
    let server = file.serve();
    for (name, role, status) in [("ada", "admin", 403), ("ole", "operator", 403), ("vic", "viewer", 403)] {
        access::add(&server, name, role);
        let cookie = access::cookie(&access::login(&server, name));
        let page = server.request("GET", &path, &cookie, b"").text();
        assert_eq!(page.contains("/unbind\""), role == "admin", "{role}");
        let answer = access::send(&server, &format!("{path}/unbind"), &cookie, &[("csrf_token", "x")]);
        assert_eq!(answer.status, status, "{role}");
        let says = if role == "admin" { "not from a page" } else { "takes the role admin" };
        assert!(answer.text().contains(says), "{role}: {}", answer.text());
    }
}

#[test]
fn an_endpoint_is_unbound_by_its_form_only() {
    let file = FleetFile::new(60);
    let bound = "SELECT a.id FROM agents a JOIN endpoints e ON e.id = a.endpoint_id WHERE e.key_digest IS NOT NULL LIMIT 1";
    let id = file.count(bound);
    let may_bind = format!(
        "SELECT may_bind FROM endpoints WHERE key_digest IS NULL AND id = (SELECT endpoint_id FROM agents WHERE id = {id}) UNION ALL SELECT -1 LIMIT 1"
    );
    let server = file.serve();
    let path = format!("/fleet/agents/{id}/unbind");
    let fields = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    assert_eq!(server.request("POST", &path, &fields, b"").status, 403);
    assert_eq!(file.count(&may_bind), -1);
    let elements = page(&server, &format!("/fleet/agents/{id}"));
    let token = elements.iter().find(|e| e.attribute("name") == Some("csrf_token")).unwrap();
    let body = format!("csrf_token={}", token.attribute("value").unwrap());
    let answer = server.request("POST", &path, &fields, body.as_bytes());
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(&*format!("/fleet/agents/{id}?done=unbound")))
    );
    assert_eq!(file.count(&may_bind), 1);
    let after = page(&server, &format!("/fleet/agents/{id}?done=unbound"));
    assert!(says(&after, "Its key is forgotten") && says(&after, "unbound"));
}
