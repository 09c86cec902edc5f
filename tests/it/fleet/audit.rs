// SPDX-License-Identifier: Apache-2.0
//! The audit log: every change leaves one entry with who, from where, before and after; a refused one leaves none.

use super::mig::{
    add, add_with_api_key, database, field, get_with_key, keys, multipart, muster, post_with_key, printed,
};
use crate::crashes::{guilty_id, post_frames, proxied, send, send_form, token};
use crate::support::server::Options;
use crate::support::{Server, record_fields, with};
use crate::views::html::read_document;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::process::{Command, Output};

/// The entries that the API tells of, newest first.
fn entries(server: &Server) -> Vec<Value> {
    let answer = server.get("/api/audit?limit=1000");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["audit"].as_array().unwrap().clone()
}

/// Does something, and returns the one entry that it left.
fn one(server: &Server, change: impl FnOnce()) -> Value {
    let before = entries(server).len();
    change();
    let mut after = entries(server);
    assert_eq!(after.len(), before + 1, "{after:#?}");
    after.swap_remove(0)
}

/// Does something that leaves no entry.
fn none(server: &Server, change: impl FnOnce()) {
    let before = entries(server);
    change();
    assert_eq!(entries(server), before);
}

/// The fields as the page to correct a post in quarantine shows them.
fn correction(server: &Server, id: i64) -> Vec<(String, String)> {
    let elements = read_document(&server.get(&format!("/records/quarantine/{id}")).text());
    let shown = elements.iter().filter(|e| e.name == "input");
    shown
        .filter_map(|e| Some((e.attribute("name")?.to_owned(), e.attribute("value")?.to_owned())))
        .filter(|(name, _)| name != "csrf_token")
        .collect()
}

fn form(server: &Server, path: &str, values: &[(&str, &str)]) {
    let answer = send(server, path, values);
    assert!(matches!(answer.status, 200 | 303), "{path}: {} {}", answer.status, answer.text());
}

fn run(server: &Server, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(words).arg("--data").arg(&server.data_dir).env_remove("STATE_DIRECTORY");
    command.output().unwrap()
}

/// Actor, origin, action and subject.
fn head(entry: &Value) -> [&str; 4] {
    ["actor", "origin", "action", "subject"].map(|name| entry[name].as_str().unwrap())
}

#[test]
fn changes_of_the_telemetry_pages_leave_one_entry_each() {
    let server = Server::start();
    post_frames(&server, 1, &["noise() - [m]"]);
    let id = guilty_id(&server, "noise()");
    let path = format!("/crashes/guilty_details/{id}");
    let subject = format!("guilty {id} noise() [m]");

    let entry = one(&server, || form(&server, &format!("{path}/comment"), &[("comment", "bug 7")]));
    assert_eq!(head(&entry), ["local", "127.0.0.1", "guilty.comment", &subject]);
    assert_eq!((&entry["before"], &entry["after"]), (&json!({"comment": ""}), &json!({"comment": "bug 7"})));
    none(&server, || form(&server, &format!("{path}/comment"), &[("comment", "bug 7")]));
    none(&server, || {
        assert_eq!(send(&server, &format!("{path}/comment"), &[("comment", "a\nb")]).status, 400)
    });

    let entry = one(&server, || form(&server, &format!("{path}/hide"), &[("hidden", "1")]));
    assert_eq!(head(&entry), ["local", "127.0.0.1", "guilty.hide", &subject]);
    assert_eq!(entry["after"], json!({"is_hidden": true}));
    none(&server, || form(&server, &format!("{path}/hide"), &[("hidden", "1")]));
    none(&server, || {
        assert_eq!(send(&server, "/crashes/guilty_details/99/hide", &[("hidden", "1")]).status, 404);
    });

    let entry = one(&server, || form(&server, "/crashes/blacklist", &[("add", "noise [m]")]));
    assert_eq!(head(&entry), ["local", "127.0.0.1", "blacklist.change", "blacklist"]);
    assert_eq!((&entry["before"]["own"], &entry["after"]["own"]), (&json!([]), &json!(["noise [m]"])));
    none(&server, || form(&server, "/crashes/blacklist", &[("add", "noise [m]")]));
    let entry = one(&server, || form(&server, "/crashes/blacklist", &[("remove", "noise [m]")]));
    assert_eq!((&entry["before"]["own"], &entry["after"]["own"]), (&json!(["noise [m]"]), &json!([])));
    none(&server, || {
        let values = [("csrf_token", "wrong"), ("add", "other")];
        assert_eq!(send_form(&server, "/crashes/blacklist", &values, &[]).status, 403);
    });
}

#[test]
fn posts_of_the_quarantine_leave_an_entry_when_they_are_admitted_or_dropped() {
    let server = Server::start();
    for event in 1..=3 {
        let fields = with(record_fields(event), "severity", Some("9"));
        // Nobody attends a sender without this field.
        assert_eq!(server.post(&with(fields, "User-Agent", None), b"payload").status, 200);
    }
    let entry = one(&server, || form(&server, "/records/quarantine/1/drop", &[]));
    assert_eq!(head(&entry), ["local", "127.0.0.1", "quarantine.drop", "post 1"]);
    assert!(entry["before"]["reason"].as_str().unwrap().contains("severity") && entry["after"].is_null());
    none(&server, || assert_eq!(send(&server, "/records/quarantine/1/drop", &[]).status, 404));

    let fields = record_fields(77);
    let mut values: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, _)| !name.contains('-'))
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    values.retain(|(name, _)| *name != "severity");
    values.extend([("severity", " 3 "), ("payload", "corrected")]);
    none(&server, || {
        let mut wrong = values.clone();
        wrong.retain(|(name, _)| *name != "severity");
        assert_eq!(send(&server, "/records/quarantine/2/admit", &wrong).status, 400);
    });
    let entry = one(&server, || form(&server, "/records/quarantine/2/admit", &values));
    assert_eq!(head(&entry), ["local", "127.0.0.1", "quarantine.admit", "post 2"]);
    let id = entry["after"]["record"].as_i64().unwrap();
    assert_eq!(server.get(&format!("/api/records/{id}")).json()["payload"], "corrected");
    // What was corrected, and of the payload no more than length and digest.
    let sha256 = |text: &str| -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!((&entry["before"]["severity"], &entry["after"]["severity"]), (&json!("9"), &json!("3")));
    for (side, text) in [("before", "payload"), ("after", "corrected")] {
        assert_eq!(entry[side]["payload"], json!({ "bytes": text.len(), "sha256": sha256(text) }));
        let mut names: Vec<&String> = entry[side].as_object().unwrap().keys().collect();
        names.retain(|name| !["peer", "reason", "received", "record", "is_new"].contains(&name.as_str()));
        assert_eq!(names, ["event_id", "payload", "severity"]);
    }
    let mut values = correction(&server, 3);
    values.retain(|(name, _)| name != "severity");
    values.push(("severity".to_owned(), "1".to_owned()));
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let entry = one(&server, || form(&server, "/records/quarantine/3/admit", &values));
    assert_eq!((&entry["before"]["severity"], &entry["after"]["severity"]), (&json!("9"), &json!("1")));
    assert_eq!((entry["before"].get("payload"), entry["before"].get("event_id")), (None, None));
}

#[test]
fn investigators_leave_entries_by_every_way() {
    let server = Server::start();
    let entry = one(&server, || assert_eq!(add(&server, "Ada", &keys().ada, "all"), 1));
    let [actor, origin, action, subject] = head(&entry);
    assert!(actor.starts_with("user "), "{actor}");
    assert_eq!(
        [origin, action, subject],
        ["muster investigator add", "investigator.add", "investigator 1 Ada"]
    );
    assert!(entry["before"].is_null() && entry["after"]["fingerprint"] == keys().ada.as_str());
    let entry = one(&server, || drop(printed(&muster(&server, &["disable", "Ada"]))));
    assert_eq!(head(&entry)[1..3], ["muster investigator disable", "investigator.change"]);
    assert_eq!(
        (&entry["before"]["status"], &entry["after"]["status"]),
        (&json!("active"), &json!("disabled"))
    );
    none(&server, || drop(printed(&muster(&server, &["disable", "Ada"]))));
    printed(&muster(&server, &["enable", "Ada"]));
    none(&server, || {
        printed(&muster(&server, &["enable", "Ada"]));
        printed(&muster(&server, &["permissions", "Ada", "all"]));
        printed(&muster(&server, &["apikey", "Ada", "--disable"]));
    });
    let mut key = String::new();
    let entry = one(&server, || key = printed(&muster(&server, &["apikey", "Ada"])).trim().to_owned());
    assert_eq!((&entry["before"]["api_key"], &entry["after"]["api_key"]), (&json!("none"), &json!("new")));
    assert!(!entry.to_string().contains(&key), "{entry}");

    // By MIG's API.
    let (content_type, body) = multipart(&[("name", "Kim"), ("permissions", "{\"search\":true}")], &[]);
    let fields = [field("X-MIGAPIKEY", &key), field("Content-Type", &content_type)];
    let entry = one(&server, || {
        assert_eq!(server.request("POST", "/api/v1/investigator/create", &fields, &body).status, 201);
    });
    assert_eq!(head(&entry), ["investigator Ada", "127.0.0.1", "investigator.add", "investigator 2 Kim"]);
    let entry = one(&server, || {
        let form = [("id", "2"), ("apikey", "active")];
        assert_eq!(post_with_key(&server, "/api/v1/investigator/update", &form, &key).status, 200);
    });
    assert_eq!(head(&entry)[..3], ["investigator Ada", "127.0.0.1", "investigator.change"]);
    none(&server, || {
        let form = [("id", "1"), ("permissions", "{}")];
        assert_eq!(post_with_key(&server, "/api/v1/investigator/update", &form, &key).status, 409);
        assert_eq!(get_with_key(&server, "/api/v1/dashboard", &key).status, 200);
    });
    // On the page.
    let wider = [("permission", "search"), ("permission", "investigator")];
    let entry = one(&server, || form(&server, "/investigators/2/permissions", &wider));
    assert_eq!(head(&entry)[..3], ["local", "127.0.0.1", "investigator.change"]);
    none(&server, || {
        form(&server, "/investigators/2/permissions", &wider);
        let form = [("id", "2"), ("permissions", "{\"search\":true,\"investigator\":true}")];
        assert_eq!(post_with_key(&server, "/api/v1/investigator/update", &form, &key).status, 200);
    });
    assert_eq!(server.log().matches("Changed investigator 2").count(), 2, "{}", server.log());
    let entry = one(&server, || form(&server, "/investigators/2/remove", &[]));
    assert_eq!(head(&entry)[2..], ["investigator.remove", "investigator 2 Kim"]);
    assert!(entry["after"].is_null());
}

#[test]
fn the_acl_leaves_entries_by_every_way() {
    let server = Server::start();
    add(&server, "Ada", &keys().ada, "all");
    let entry = one(&server, || {
        form(&server, "/acl", &[("do", "set"), ("module", "file"), ("minimum", "2"), ("weights", "Ada=2")]);
    });
    assert_eq!(head(&entry), ["local", "127.0.0.1", "acl.set", "acl file"]);
    assert_eq!(entry["after"], json!({"file": {"minimum": 2, "weights": ["Ada: 2"]}}));
    let words = ["acl", "set", "file", "--minimum", "1", "--weight", "Ada=1"];
    let entry = one(&server, || drop(printed(&run(&server, &words))));
    assert_eq!((head(&entry)[1], &entry["before"]["file"]["minimum"]), ("muster acl set", &json!(2)));
    none(&server, || {
        printed(&run(&server, &words));
        form(&server, "/acl", &[("do", "set"), ("module", "file"), ("minimum", "1"), ("weights", "Ada=1")]);
    });
    let exported = printed(&run(&server, &["acl", "export"]));
    let file = server.data_dir.join("acl.json");
    std::fs::write(&file, &exported).unwrap();
    none(&server, || drop(printed(&run(&server, &["acl", "import", file.to_str().unwrap()]))));
    std::fs::write(
        &file,
        exported.replace("\"weight\":1", "\"weight\":3").replace("\"weight\": 1", "\"weight\": 3"),
    )
    .unwrap();
    let entry = one(&server, || drop(printed(&run(&server, &["acl", "import", file.to_str().unwrap()]))));
    assert_eq!(head(&entry)[1..], ["muster acl import", "acl.import", "acl"]);
    let entry = one(&server, || form(&server, "/acl", &[("do", "remove"), ("module", "file")]));
    assert_eq!((head(&entry)[2], entry["after"].is_null()), ("acl.remove", true));
    none(&server, || {
        assert_eq!(send(&server, "/acl", &[("do", "remove"), ("module", "file")]).status, 400);
        assert!(!run(&server, &["acl", "remove", "file"]).status.success());
        assert!(
            !run(&server, &["acl", "set", "file", "--minimum", "1", "--weight", "Nobody=1"]).status.success()
        );
    });
}

#[test]
fn who_acts_is_told_by_account_and_address() {
    let config = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[access]\nproxy_header = \"X-Remote-User\"\n\
                  proxy_login_from = [\"127.0.0.1\"]\n";
    let server = Server::start_with(Options { config: Some(config.to_owned()), ..Options::default() });
    post_frames(&server, 1, &["noise() - [m]"]);
    let id = guilty_id(&server, "noise()");
    database(&server)
        .execute_batch(
            "INSERT INTO accounts (name, role, created_at, modified_at) VALUES ('kim', 2, 1, 1), ('ada', 3, 1, 1);",
        )
        .unwrap();
    let of = |name: &str| [vec![field("X-Remote-User", name)], proxied()].concat();
    let page = server.request("GET", &format!("/crashes/guilty_details/{id}"), &of("kim"), b"").text();
    let token = page.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let values = [("csrf_token", token), ("comment", "seen")];
    let path = format!("/crashes/guilty_details/{id}/comment");
    assert_eq!(send_form(&server, &path, &values, &of("kim")).status, 303);
    assert_eq!(server.request("GET", "/api/audit", &of("kim"), b"").status, 403);
    assert_eq!(server.request("GET", "/audit", &of("kim"), b"").status, 403);
    assert!(!page.contains("href=\"/audit\""), "who is no admin is not led there");
    let answer = server.request("GET", "/api/audit", &of("ada"), b"").json();
    let audit = answer["audit"].as_array().unwrap();
    assert_eq!(head(&audit[0]), ["kim", "192.0.2.7", "guilty.comment", &format!("guilty {id} noise() [m]")]);
    assert!(server.request("GET", "/audit", &of("ada"), b"").text().contains("href=\"/audit\""));
    for path in ["/audit/export.csv", "/audit/export.ndjson", "/api/audit"] {
        let fields = [of("kim"), vec![field("Accept", "application/json")]].concat();
        assert_eq!(server.request("GET", path, &fields, b"").status, 403, "{path}");
    }
}

/// Puts entries straight into the log.
fn plant(server: &Server, n: i64) {
    let mut connection = database(server);
    let transaction = connection.transaction().unwrap();
    for id in 1..=n {
        let sql = "INSERT INTO audit (changed_at, actor, origin, action, subject, before, after)
                   VALUES (?1 * 86400, ?2, '192.0.2.1', ?3, ?4, NULL, ?5)";
        let (actor, action) = if id % 2 == 0 { ("Kim", "acl.set") } else { ("=cmd()", "guilty.hide") };
        let (subject, after) = (format!("-subject {id}"), format!("{{\"a\":\"@<b>\\u0000{id}\"}}"));
        transaction.execute(sql, rusqlite::params![id, actor, action, subject, after]).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn the_log_is_filtered_paged_and_exported() {
    let server = Server::start();
    assert!(server.get("/audit").text().contains("Nothing was changed yet"));
    plant(&server, 120);
    let ids = |query: &str| -> Vec<i64> {
        let answer = server.get(&format!("/api/audit{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()["audit"].as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
    };
    let cases: &[(&str, Vec<i64>)] = &[
        ("?limit=2", vec![120, 119]),
        ("?limit=2&from_id=119", vec![118, 117]),
        ("?actor=kim&limit=2", vec![120, 118]),
        ("?action=guilty&limit=1", vec![119]),
        ("?action=guilty.hide&limit=1", vec![119]),
        ("?action=guil&limit=1", vec![]),
        ("?subject=JECT%2099", vec![99]),
        ("?from=1970-04-10&to=1970-04-10", vec![99]),
        ("?to=1970-01-03", vec![2, 1]),
        ("?actor=%25", vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(query), *expected, "{query}");
    }
    for bad in ["?limit=0", "?limit=1001", "?from=x", "?who=kim", "?from_id=-1", "?actor=a&actor=b"] {
        assert_eq!(server.get(&format!("/api/audit{bad}")).status, 400, "{bad}");
    }
    let page = |path: &str| read_document(&server.get(path).text());
    let rows = |path: &str| {
        let elements = page(path);
        elements
            .iter()
            .filter_map(|e| e.attribute("id")?.strip_prefix("audit-")?.parse().ok())
            .collect::<Vec<i64>>()
    };
    let first = rows("/audit");
    assert_eq!((first.len(), first[0]), (50, 120));
    let elements = page("/audit?actor=Kim");
    let next = elements.iter().find(|e| e.attribute("rel") == Some("next")).unwrap();
    let second: Vec<i64> = rows(next.attribute("href").unwrap());
    assert_eq!((second.len(), second[0]), (10, 20));
    assert_eq!(server.get("/audit?from=x").status, 400);
    assert_eq!(server.get("/audit/export.xml").status, 404);

    let lines = server.get("/audit/export.ndjson?actor=kim").text();
    assert_eq!(lines.lines().count(), 60);
    let entry: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&entry["id"], &entry["after"]["a"]), (&json!(120), &json!("@<b>\u{0}120")));
    let csv = server.get("/audit/export.csv");
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"audit.csv\""));
    let mut reader = csv::ReaderBuilder::new().from_reader(&csv.body[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 120);
    assert_eq!((&rows[1][2], &rows[1][5]), ("'=cmd()", "'-subject 119"));

    let text = printed(&run(&server, &["audit", "--limit", "1"]));
    assert_eq!(text, "1970-05-01 00:00:00 UTC  Kim (192.0.2.1)  acl.set  -subject 120\n    a: @<b>?120\n");
    assert_eq!(printed(&run(&server, &["audit", "--format", "csv", "--limit", "0"])).as_bytes(), csv.body);
    let words = ["audit", "--format", "ndjson", "--actor", "kim", "--limit", "0"];
    assert_eq!(printed(&run(&server, &words)), lines);
    assert_eq!(run(&server, &["audit", "--format", "xml"]).status.code(), Some(2));
}

#[test]
fn endpoints_the_token_and_the_spool_leave_entries() {
    let mut server = Server::start();
    database(&server)
        .execute_batch(
            "INSERT INTO endpoints (queueloc, key_digest, bound_at) VALUES ('q.one', zeroblob(32), 86400)",
        )
        .unwrap();
    let entry = one(&server, || drop(printed(&run(&server, &["agent", "unbind", "q.one"]))));
    assert_eq!(head(&entry)[1..], ["muster agent unbind", "endpoint.unbind", "endpoint q.one"]);
    assert_eq!(entry["before"]["key"], "bound");
    none(&server, || drop(printed(&run(&server, &["agent", "unbind", "q.one"]))));
    none(&server, || assert!(!run(&server, &["agent", "unbind", "q.two"]).status.success()));
    let entry = one(&server, || drop(printed(&run(&server, &["agent", "token", "--renew"]))));
    assert_eq!(head(&entry)[1..3], ["muster agent token", "enrolment_token.renew"]);
    let token = std::fs::read_to_string(server.data_dir.join("agent-token")).unwrap();
    assert!(!entry.to_string().contains(token.trim()));
    none(&server, || drop(printed(&run(&server, &["agent", "token"]))));

    server.stop();
    std::fs::write(server.data_dir.join("spool/action/done/77.json"), "{}").unwrap();
    assert!(run(&server, &["spool", "check", "--repair"]).status.success());
    let last = printed(&run(&server, &["audit", "--limit", "1"]));
    assert!(last.contains("(muster spool check --repair)  spool.repair"), "{last}");
    assert!(run(&server, &["spool", "check", "--repair"]).status.success());
    assert_eq!(printed(&run(&server, &["audit", "--limit", "1"])), last);
}

#[test]
fn an_investigator_with_a_hostile_name_is_one_line_of_text() {
    let server = Server::start();
    let name = "=1+1 \"><script>x</script>\u{202e}";
    add_with_api_key(&server, name, "none");
    let page = server.get("/audit").text();
    assert!(!page.contains("<script>x") && !page.contains('\u{202e}'));
    read_document(&page);
    let _ = token(&server);
    for words in [&["audit"][..], &["investigator", "list"], &["investigator", "show", "1"]] {
        let text = printed(&run(&server, words));
        assert!(text.contains("x</script>?") && !text.contains('\u{202e}'), "{words:?}: {text}");
    }
}
